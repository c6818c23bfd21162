"""What is uncertain in a scenario: rates, multiples, lengths, chances and kinds, each a distribution by quantile."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from tempo.data.rounding import interval, number, percent
from tempo.errors import ScenarioError
from tempo.models.intervals import interval_levels

__all__ = [
    "Chance",
    "GammaRate",
    "Kinds",
    "Length",
    "Multiple",
    "Spread",
    "lognormal",
    "require_interval",
]

type Floats = NDArray[np.float64]


def require_interval(
    ends: Iterable[float],
    what: str,
    *,
    above: float = 0.0,
    below: float = math.inf,
    example: str = "(3, 8)",
) -> tuple[float, float]:
    """Give the two ends of an interval as floats.

    Parameters
    ----------
    ends : iterable of two numbers
        What was passed.
    what : str
        What it is, for the message.
    above, below : float
        Bounds that the ends must not touch.
    example : str
        A good one, for the message.

    Returns
    -------
    tuple of float
        Lower and upper end.

    Raises
    ------
    ScenarioError
        If they are not two such numbers in ascending order.

    Examples
    --------
    >>> require_interval([3, 8], "rate_multiplier")
    (3.0, 8.0)
    """
    try:
        low, high = (float(value) for value in ends)
    except (TypeError, ValueError):
        low = high = math.nan
    if not above < low < high < below:
        bound = f"above {above:g}" + ("" if below == math.inf else f" and below {below:g}")
        raise ScenarioError(
            f"{what} is {ends!r}; expected two numbers {bound}, the lower one first, such as {example}."
        )
    return low, high


def lognormal(level: Floats, low: float, high: float, prob: float) -> Floats:
    """Give quantiles of the log-normal distribution with this central interval.

    Parameters
    ----------
    level : ndarray
        Between 0 and 1.
    low, high : float
        Ends of the interval.
    prob : float
        Its probability.

    Returns
    -------
    ndarray
        Shaped as ``level``.

    Examples
    --------
    >>> lognormal(np.array([0.05, 0.5, 0.95]), 2.0, 8.0, 0.9).round(6).tolist()
    [2.0, 4.0, 8.0]
    """
    bottom, top = math.log(low), math.log(high)
    sd = (top - bottom) / (2 * stats.norm.ppf((1 + prob) / 2))
    return np.asarray(np.exp((bottom + top) / 2 + sd * stats.norm.ppf(level)))


@dataclass(frozen=True, slots=True)
class GammaRate:
    """A rate of attacks with a Gamma distribution.

    Attributes
    ----------
    shape : float
        Shape of the Gamma distribution.
    rate_days : float
        Its rate parameter, in days: the mean is ``shape / rate_days`` attacks per day.
    words : str
        Where it comes from, in words.
    learned : str
        "" where it was said; "past" where it was learned from all earlier days, "365" from so many of them.

    Examples
    --------
    >>> rate = GammaRate.within(1 / 91.3, 1 / 60.9, words="one every 2 to 3 months")
    >>> round(1 / rate.quantile(0.95)), round(1 / rate.quantile(0.05))
    (61, 91)
    """

    shape: float
    rate_days: float
    words: str
    learned: str = ""

    @classmethod
    def within(cls, low_per_day: float, high_per_day: float, words: str, prob: float = 0.9) -> Self:
        """Give the Gamma distribution with this central interval.

        The ratio of two quantiles of a Gamma distribution depends on its shape alone, so the shape solves one
        equation and the scale follows.

        Parameters
        ----------
        low_per_day, high_per_day : float
            Ends of the interval, in attacks per day.
        words : str
            Where they come from.
        prob : float, default 0.9
            Probability of the interval.

        Returns
        -------
        GammaRate
            Exact to rounding.

        Raises
        ------
        ScenarioError
            If the interval is empty, or so narrow or wide that no Gamma distribution has it.
        """
        if not isinstance(prob, int | float) or not 0 < prob < 1:
            raise ScenarioError(
                f"prob is {prob!r}; expected a probability between 0 and 1, such as 0.9."
            )
        if not 0 < low_per_day < high_per_day:
            raise ScenarioError(
                f"no rate lies in the interval from {low_per_day} to {high_per_day} a day. "
                "Give two rates above 0, the lower one first."
            )
        wanted = math.log(high_per_day / low_per_day)
        tails = np.array(interval_levels(prob))

        def spread(log_shape: float) -> float:
            low, high = stats.gamma.ppf(tails, math.exp(log_shape))
            return math.log(high / low) - wanted if low > 0 else math.inf

        # A Gamma distribution of shape k has a logarithm with a standard deviation near 1 / sqrt(k).
        lowest, highest = math.log(1e-2), math.log(1e9)
        if not spread(highest) < 0 < spread(lowest):
            raise ScenarioError(
                f"the interval from {low_per_day:g} to {high_per_day:g} a day is too narrow or too wide for a Gamma "
                "distribution. Give ends that differ by more than a hundredth of a percent and by less than a "
                "factor of 10^20."
            )
        shape = math.exp(optimize.brentq(spread, lowest, highest, xtol=1e-12))
        return cls(shape, float(stats.gamma.ppf(tails[1], shape)) / high_per_day, words)

    @property
    def mean_per_day(self) -> float:
        """Mean rate, attacks per day."""
        return self.shape / self.rate_days

    def quantile(self, level: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Give quantiles of the rate.

        Parameters
        ----------
        level : float or ndarray
            Between 0 and 1. Far in the upper tail, where no float lies between a level and 1, less its distance from
            1: the quantile of -1e-30 is exceeded with a probability of 1e-30.

        Returns
        -------
        ndarray of float
            Attacks per day.
        """
        level = np.asarray(level, dtype=float)
        below = stats.gamma.ppf(np.maximum(level, 0.0), self.shape)
        if (level < 0).any():
            below = np.where(level < 0, stats.gamma.isf(np.maximum(-level, 0.0), self.shape), below)
        return np.asarray(below) / self.rate_days


@dataclass(frozen=True, slots=True)
class Multiple:
    """A rate that is a multiple of an earlier one; the multiple is log-normal.

    Attributes
    ----------
    low, high : float
        Central interval of the multiple.
    prob : float
        Probability of the interval.
    base_days : int or None
        The earlier rate is that of so many last days before the story begins; None: the rate of the first phase.
    base : GammaRate or None
        That rate, once it was learned.

    Examples
    --------
    >>> Multiple(3, 8).words
    '3 to 8 times the earlier rate'
    """

    low: float
    high: float
    prob: float = 0.9
    base_days: int | None = None
    base: GammaRate | None = None

    def quantile(self, level: Floats) -> Floats:
        """Give quantiles of the multiple.

        Parameters
        ----------
        level : ndarray
            Between 0 and 1.

        Returns
        -------
        ndarray
            Factors.
        """
        return lognormal(level, self.low, self.high, self.prob)

    @property
    def words(self) -> str:
        """The multiple in words."""
        what = interval(self.low, self.high, digits=4)
        if self.base_days is None:
            return f"{what} times the earlier rate"
        known = "" if self.base is None else f" ({self.base.words})"
        return f"{what} times the rate of the last {number(self.base_days, 12)} days{known}"


@dataclass(frozen=True, slots=True)
class Length:
    """How long something lasts, in days.

    Attributes
    ----------
    low, high : float
        Central interval of a log-normal distribution. With ``high`` infinite it lasts at least ``low``, and longer than
        t with probability low / t (of things that have lasted for some time, half last as long again); with ``low`` 0
        it ends on any day up to ``high`` alike.
    prob : float
        Probability of the interval, where it is log-normal.

    Examples
    --------
    >>> Length(14, 42).words, Length(30, math.inf).words, Length(0, 14).words
    ('14 to 42 days', 'at least 30 days', 'up to 14 days')
    """

    low: float
    high: float
    prob: float = 0.9

    def quantile(self, level: Floats) -> Floats:
        """Give quantiles.

        Parameters
        ----------
        level : ndarray
            Between 0 and 1.

        Returns
        -------
        ndarray
            Days.
        """
        if math.isinf(self.high):
            return np.asarray(self.low / (1.0 - level))
        if self.low == 0:
            return np.asarray(self.high * level)
        return lognormal(level, self.low, self.high, self.prob)

    def whole_days(self, level: Floats) -> Floats:
        """Give quantiles of how many days a phase lasts.

        Parameters
        ----------
        level : ndarray
            Between 0 and 1.

        Returns
        -------
        ndarray
            Rounded, at least 1; of a length without a shortest, each whole number from 1 alike.

        Examples
        --------
        >>> Length(1, 2).whole_days(np.array([0.05, 0.5, 0.95])).tolist()
        [1.0, 1.0, 2.0]
        """
        days = self.quantile(level)
        whole = np.ceil(days) if self.low == 0 else np.round(days)
        return np.asarray(np.maximum(whole, 1.0))

    @property
    def words(self) -> str:
        """The length in words."""
        if math.isinf(self.high):
            return f"at least {number(self.low, 3)} days"
        if self.low == 0:
            return f"up to {number(self.high, 3)} {'day' if self.high == 1 else 'days'}"
        return f"{interval(self.low, self.high, digits=3)} days"


@dataclass(frozen=True, slots=True)
class Spread:
    """Overdispersion of a day's number of attacks: its variance is m + spread m^2; log-normal.

    Attributes
    ----------
    low, high : float
        Central interval.
    prob : float
        Probability of the interval.

    Examples
    --------
    >>> Spread(0.5, 2).quantile(np.array([0.05, 0.95])).round(6).tolist()
    [0.5, 2.0]
    """

    low: float
    high: float
    prob: float = 0.9

    def quantile(self, level: Floats) -> Floats:
        """Give quantiles.

        Parameters
        ----------
        level : ndarray
            Between 0 and 1.

        Returns
        -------
        ndarray
            Overdispersion.
        """
        return lognormal(level, self.low, self.high, self.prob)

    @property
    def words(self) -> str:
        """The interval in words."""
        return f"numbers on a day overdispersed by {interval(self.low, self.high)}"


@dataclass(frozen=True, slots=True)
class Chance:
    """A probability, or a branching ratio below 1, that is itself uncertain.

    Attributes
    ----------
    first, second : float
        Central interval of a logit-normal distribution; or the two parameters of a Beta distribution.
    prob : float
        Probability of the interval, where it is one.
    family : {"interval", "beta"}
        Which of the two.
    learned : str
        "past" where it was learned from earlier attacks, else "".

    Examples
    --------
    >>> Chance(0.1, 0.3).quantile(np.array([0.05, 0.95])).round(6).tolist()
    [0.1, 0.3]
    >>> Chance(0.1, 0.3).words
    '10 % to 30 %'
    """

    first: float
    second: float
    prob: float = 0.9
    family: Literal["interval", "beta"] = "interval"
    learned: str = ""

    def quantile(self, level: Floats) -> Floats:
        """Give quantiles.

        Parameters
        ----------
        level : ndarray
            Between 0 and 1.

        Returns
        -------
        ndarray
            Between 0 and 1.
        """
        if self.family == "beta":
            return np.asarray(special.betaincinv(self.first, self.second, level))
        bottom, top = special.logit(self.first), special.logit(self.second)
        sd = (top - bottom) / (2 * stats.norm.ppf((1 + self.prob) / 2))
        return np.asarray(special.expit((bottom + top) / 2 + sd * stats.norm.ppf(level)))

    @property
    def words(self) -> str:
        """The interval in words."""
        low, high = self.quantile(np.array(interval_levels(self.prob)))
        return f"{percent(float(low))} to {percent(float(high))}"


@dataclass(frozen=True, slots=True)
class Kinds:
    """Shares of the kinds of attack, with a Dirichlet distribution.

    Attributes
    ----------
    names : tuple of str
        The kinds.
    weights : tuple of float
        Parameters of the Dirichlet distribution: shares times the number of attacks that they are worth.
    learned : str
        "past" where they were learned from earlier attacks, else "".

    Examples
    --------
    >>> Kinds.of({"rocket": 3, "bomb": 1}, strength=20).weights
    (15.0, 5.0)
    """

    names: tuple[str, ...]
    weights: tuple[float, ...]
    learned: str = ""

    @classmethod
    def of(cls, shares: dict[str, float], strength: float = 20.0) -> Self:
        """Give shares that are believed as if so many attacks had been seen.

        Parameters
        ----------
        shares : dict of str to float
            Share of each kind, in any unit; they are scaled to sum to 1.
        strength : float, default 20
            How many attacks the belief is worth.

        Returns
        -------
        Kinds
            Dirichlet.

        Raises
        ------
        ScenarioError
            If a share or the strength is not above 0, or there are fewer than two kinds.
        """
        values = [float(value) for value in shares.values()]
        if len(values) < 2 or not all(0 < v < math.inf for v in [*values, strength]):
            raise ScenarioError(
                f"kinds are {shares!r} with strength {strength!r}; expected a share above 0 for each of at least two "
                "kinds, such as {'rocket': 0.8, 'bomb': 0.2}, and a strength above 0."
            )
        return cls(
            tuple(str(name) for name in shares),
            tuple(strength * value / sum(values) for value in values),
        )

    def quantile(self, levels: Floats) -> Floats:
        """Give shares, each kind's Gamma variable from a level of its own.

        Parameters
        ----------
        levels : ndarray, shape (draws, kinds)
            Between 0 and 1.

        Returns
        -------
        ndarray, shape (draws, kinds)
            Rows sum to 1.
        """
        parts = np.maximum(stats.gamma.ppf(levels, np.asarray(self.weights)), 1e-300)
        return np.asarray(parts / parts.sum(axis=1, keepdims=True))

    @property
    def words(self) -> str:
        """The shares in words."""
        total = sum(self.weights)
        shares = ", ".join(
            f"{name} {percent(weight / total)}"
            for name, weight in zip(self.names, self.weights, strict=True)
        )
        return f"kinds: {shares} (worth {number(total)} attacks)"
