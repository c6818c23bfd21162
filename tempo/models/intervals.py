"""Where a central interval begins and ends: the levels of its quantiles, and what is no probability refused."""

from __future__ import annotations

from numbers import Real

from tempo.errors import OptionError

__all__ = ["central_levels", "interval_levels", "require_prob"]


def require_prob(prob: object) -> None:
    """Refuse what cannot be the probability of an interval.

    Parameters
    ----------
    prob : float
        As passed by a user.

    Raises
    ------
    OptionError
        If it is no number between 0 and 1.

    Examples
    --------
    >>> require_prob(0.9)
    >>> require_prob(90)
    Traceback (most recent call last):
        ...
    tempo.errors.OptionError: prob is 90; expected a probability between 0 and 1, such as 0.9.
    """
    if not isinstance(prob, Real) or not 0 < float(prob) < 1:
        raise OptionError(f"prob is {prob!r}; expected a probability between 0 and 1, such as 0.9.")


def interval_levels(prob: float) -> list[float]:
    """Give the levels of the quantiles between which a central interval lies.

    Parameters
    ----------
    prob : float
        Probability of the interval.

    Returns
    -------
    list of float
        Of the lower end, ``(1 - prob) / 2``, and of the upper one, ``(1 + prob) / 2``.

    Raises
    ------
    OptionError
        If ``prob`` is no number between 0 and 1.

    Examples
    --------
    >>> interval_levels(0.5)
    [0.25, 0.75]
    """
    require_prob(prob)
    return [(1 - prob) / 2, (1 + prob) / 2]


def central_levels(prob: float) -> list[float]:
    """Give the levels of the quantiles of a central interval and of the median.

    Parameters
    ----------
    prob : float
        Probability of the interval.

    Returns
    -------
    list of float
        Ascending: of the lower end, of the median, of the upper end.

    Raises
    ------
    OptionError
        If ``prob`` is no number between 0 and 1.

    Examples
    --------
    >>> central_levels(0.5)
    [0.25, 0.5, 0.75]
    """
    low, high = interval_levels(prob)
    return [low, 0.5, high]
