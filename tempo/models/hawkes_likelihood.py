"""Log-likelihoods and gradients of Hawkes processes in continuous time, for people who bring arrays.

Times are in days from the start of the window ``(0, end]``. They must increase strictly: a continuous-time process has
no ties, and tied records (dates without a clock time) belong to the daily model. All functions cost time linear in
the number of events and run on one thread. Exponential kernels: Ozaki (1979), *Ann. Inst. Statist. Math.* 31.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tempo.errors import DataError, OptionError
from tempo.models.hawkes_kernels_any import any_exponential, any_sum_exponential
from tempo.models.hawkes_kernels_streams import multivariate_gradient

__all__ = [
    "checked_history",
    "checked_parameters",
    "checked_times",
    "exponential",
    "multivariate_exponential",
    "sum_exponential",
]

type Floats = NDArray[np.float64]

_NONE = np.empty(0)
_NONE.flags.writeable = False


def exponential(
    times: ArrayLike,
    end: float,
    baseline: float,
    branching: float,
    decay: float,
    *,
    history: ArrayLike | None = None,
) -> tuple[float, Floats]:
    r"""Give the log-likelihood of an exponential Hawkes process and its gradient.

    .. math::
       \lambda(t) = \mu + n \beta \sum_{t_i < t} e^{-\beta (t - t_i)}, \qquad
       \ell = \sum_i \log \lambda(t_i) - \int_0^T \lambda(t)\,dt

    Parameters
    ----------
    times : array_like of float, shape (n,)
        Event times in days, strictly increasing, in ``(0, end]``. May be empty.
    end : float
        Length of the window in days.
    baseline : float
        :math:`\mu`, events per day, positive.
    branching : float
        :math:`n`, expected number of direct offspring of an event, zero or more.
    decay : float
        :math:`\beta`, per day, positive.
    history : array_like of float, optional
        Events before the window, at times of zero or less, sorted. They excite, but are not scored.

    Returns
    -------
    value : float
        The log-likelihood.
    gradient : ndarray, shape (3,)
        Its derivatives in the order baseline, branching, decay.

    Raises
    ------
    DataError
        Times are tied, unsorted, missing, or outside the window.
    OptionError
        A parameter is outside its range.

    Examples
    --------
    >>> value, gradient = exponential([1.0, 2.0, 3.0, 4.0], 5.0, 1.0, 0.5, 0.6931471805599453)
    >>> round(value, 10)
    -5.8755220502
    >>> gradient.round(6)
    array([-1.586687, -1.889125, -0.75451 ])
    """
    t = _as_array(times)
    end = float(end)
    baseline = float(baseline)
    branching = float(branching)
    decay = float(decay)
    if not (0.0 < end < math.inf and 0.0 < baseline < math.inf):
        checked_parameters(end, baseline, branching, decay)
    if not (0.0 <= branching < math.inf and 0.0 < decay < math.inf):
        checked_parameters(end, baseline, branching, decay)
    past = _NONE if history is None else checked_history(history)
    gradient = np.empty(3)
    value, bad = any_exponential(t, past, end, baseline, branching, decay, gradient)
    if bad:
        checked_times(t, end)
    return value, gradient


def sum_exponential(
    times: ArrayLike,
    end: float,
    baseline: float,
    branching: ArrayLike,
    decay: ArrayLike,
    *,
    history: ArrayLike | None = None,
) -> tuple[float, Floats]:
    r"""Give the log-likelihood, and its gradient, of a Hawkes process whose kernel is a sum of exponentials.

    .. math:: \lambda(t) = \mu + \sum_m n_m \beta_m \sum_{t_i < t} e^{-\beta_m (t - t_i)}

    Parameters
    ----------
    times, end, baseline, history
        As in `exponential`.
    branching : array_like of float, shape (m,)
        Offspring by each component; the branching ratio is their sum.
    decay : array_like of float, shape (m,)
        Decays per day.

    Returns
    -------
    value : float
        The log-likelihood.
    gradient : ndarray, shape (1 + 2 m,)
        Derivatives in the order baseline, branching ratios, decays.

    Raises
    ------
    DataError, OptionError
        As in `exponential`.

    Examples
    --------
    >>> value, gradient = sum_exponential([1.0, 2.0, 3.0, 4.0], 5.0, 1.0, [0.25, 0.25], [0.5, 0.5])
    >>> round(value - exponential([1.0, 2.0, 3.0, 4.0], 5.0, 1.0, 0.5, 0.5)[0], 12)
    0.0
    >>> gradient.shape
    (5,)
    """
    t = _as_array(times)
    n = np.ascontiguousarray(branching, dtype=np.float64)
    b = np.ascontiguousarray(decay, dtype=np.float64)
    if n.ndim != 1 or n.shape != b.shape or n.size == 0:
        raise OptionError(
            f"branching and decay must be vectors of one length, one entry for each exponential; got shapes "
            f"{n.shape} and {b.shape}. Pass for example branching=[0.2, 0.3], decay=[0.1, 1.0]."
        )
    for n_m, b_m in zip(n.tolist(), b.tolist(), strict=True):
        checked_parameters(end, baseline, n_m, b_m)
    past = _NONE if history is None else checked_history(history)
    gradient = np.empty(1 + 2 * n.size)
    value, bad = any_sum_exponential(t, past, float(end), float(baseline), n, b, gradient)
    if bad:
        checked_times(t, end)
    return value, gradient


def multivariate_exponential(
    times: Sequence[ArrayLike],
    end: float,
    baseline: ArrayLike,
    branching: ArrayLike,
    decay: ArrayLike,
) -> tuple[float, Floats]:
    r"""Give the log-likelihood, and its gradient, of several event streams that excite each other.

    .. math::
       \lambda_k(t) = \mu_k + \sum_j n_{kj} \beta_{kj} \sum_{t^j_i < t} e^{-\beta_{kj} (t - t^j_i)}

    Parameters
    ----------
    times : sequence of array_like
        Event times of each of the ``K`` streams, each strictly increasing in ``(0, end]``. Events of different
        streams may coincide; they then do not excite each other.
    end : float
        Length of the window in days.
    baseline : array_like, shape (K,)
        Events per day of each stream.
    branching : array_like, shape (K, K)
        Row = excited stream, column = exciting stream.
    decay : float or array_like, shape (K, K)
        One decay for all pairs, or one for each.

    Returns
    -------
    value : float
        The log-likelihood of all streams together.
    gradient : ndarray, shape (K + K*K + 1,) or (K + 2*K*K,)
        Derivatives in the order baselines, branching (by rows), decay or decays (by rows).

    Raises
    ------
    DataError, OptionError
        As in `exponential`.

    Examples
    --------
    >>> first = [0.31, 0.93, 1.29, 2.32, 4.25]
    >>> second = [0.12, 1.19, 2.12, 2.41, 3.35, 4.21]
    >>> value, gradient = multivariate_exponential([first, second], 4.25, [1, 3], [[2, 3], [4, 1]], 2.0)
    >>> round(value, 9)
    -40.877960704
    """
    streams = [checked_times(stream, end) for stream in times]
    k = len(streams)
    mu = np.ascontiguousarray(baseline, dtype=np.float64)
    n = np.ascontiguousarray(branching, dtype=np.float64)
    b = np.asarray(decay, dtype=np.float64)
    if k == 0 or mu.shape != (k,) or n.shape != (k, k) or b.shape not in {(), (k, k)}:
        raise OptionError(
            f"with {k} streams, baseline must have shape ({k},), branching ({k}, {k}), and decay must be one number "
            f"or ({k}, {k}); got {mu.shape}, {n.shape} and {b.shape}. Rows of the matrices are the excited streams."
        )
    for value in mu.tolist():
        checked_parameters(end, value, 0.0, 1.0)
    for value in n.ravel().tolist():
        checked_parameters(end, 1.0, value, 1.0)
    for value in b.ravel().tolist():
        checked_parameters(end, 1.0, 0.0, value)
    shared = b.ndim == 0
    merged = np.concatenate(streams)
    kinds = np.repeat(np.arange(k), [stream.size for stream in streams])
    order = np.argsort(merged, kind="stable")
    decays = np.full((k, k), float(b)) if shared else np.ascontiguousarray(b)
    full = np.empty(k + 2 * k * k)
    log_likelihood = multivariate_gradient(
        merged[order], kinds[order], float(end), mu, n, decays, shared, full
    )
    if not shared:
        return log_likelihood, full
    gradient = full[: k + k * k + 1].copy()
    gradient[-1] = full[k + k * k :].sum()
    return log_likelihood, gradient


def checked_times(times: ArrayLike, end: float) -> Floats:
    """Give the times as an array that the kernels accept, or say what is wrong with them.

    Parameters
    ----------
    times : array_like of float, shape (n,)
        Event times in days.
    end : float
        Length of the window in days.

    Returns
    -------
    ndarray, shape (n,)
        Read-only, contiguous, strictly increasing, in ``(0, end]``.

    Raises
    ------
    DataError
        With the first offending events and the remedy.
    """
    t = _as_array(times)
    if not 0.0 < end < math.inf:
        raise OptionError(f"the end of the window must be a positive number of days; got {end!r}.")
    for wrong, what, remedy in (
        (~np.isfinite(t), "are not finite numbers", "Drop or impute events without a time."),
        (
            (t <= 0.0) | (t > end),
            f"lie outside the window (0, {end:g}]",
            "Count days from the start of the window, drop events outside it, and pass events before it as history=.",
        ),
    ):
        if wrong.any():
            raise DataError(_message(t, np.flatnonzero(wrong), what, remedy))
    gaps = np.diff(t)
    if (gaps < 0).any():
        raise DataError(
            _message(
                t,
                np.flatnonzero(gaps < 0) + 1,
                "are earlier than the one before",
                "Sort the times.",
            )
        )
    if (gaps == 0).any():
        raise DataError(
            _message(
                t,
                np.flatnonzero(gaps == 0) + 1,
                "are tied with the one before",
                "A continuous-time process has no ties: use the daily model, Hawkes(time='discrete'), or merge "
                "or spread records whose times were rounded.",
            )
        )
    return t


def checked_history(history: ArrayLike) -> Floats:
    """Give past events as an array that the kernels accept, or say what is wrong with them.

    Parameters
    ----------
    history : array_like of float, shape (n,)
        Times in days, sorted, zero or less. Ties do no harm here.

    Returns
    -------
    ndarray, shape (n,)
        Read-only and contiguous.

    Raises
    ------
    DataError
        With the first offending events and the remedy.
    """
    past = _as_array(history, "history")
    wrong = ~((past <= 0.0) & np.isfinite(past))
    if wrong.any():
        raise DataError(
            _message(
                past,
                np.flatnonzero(wrong),
                "of the history are not finite times at or before 0, the start of the window",
                "Pass events after the start of the window as times=.",
            )
        )
    falls = np.flatnonzero(np.diff(past) < 0) + 1
    if falls.size:
        raise DataError(
            _message(
                past, falls, "of the history are earlier than the one before", "Sort the history."
            )
        )
    return past


def checked_parameters(end: float, baseline: float, branching: float, decay: float) -> None:
    """Say which parameter is outside its range, if any.

    Parameters
    ----------
    end, baseline, decay : float
        Positive and finite.
    branching : float
        Zero or more, and finite.

    Raises
    ------
    OptionError
        With the name, the value and the range.
    """
    for name, value, unit in (
        ("end", end, "days"),
        ("baseline", baseline, "events per day"),
        ("decay", decay, "per day"),
    ):
        if not 0.0 < value < math.inf:
            raise OptionError(
                f"{name} must be positive and finite ({unit}); got {float(value)!r}. To maximise, use the logarithm "
                f"of {name} as the free parameter."
            )
    if not 0.0 <= branching < math.inf:
        raise OptionError(
            f"branching must be zero or more and finite (offspring per event); got {float(branching)!r}. "
            "Negative excitation (inhibition) is not part of this model."
        )


def _as_array(times: ArrayLike, name: str = "times") -> Floats:
    array = np.asarray(times)
    if array.dtype != np.float64:
        if array.dtype.kind not in "iuf" and array.size:
            raise DataError(
                f"{name} must be numbers of days; got {array.dtype}. For dates, pass "
                "(dates - start) / pd.Timedelta('1D')."
            )
        array = array.astype(np.float64)
    if array.ndim != 1:
        raise DataError(
            f"{name} must be one vector of event times; got shape {array.shape}. For several streams use "
            "multivariate_exponential."
        )
    # One read-only type for all callers, so that no kernel compiles twice.
    array = np.ascontiguousarray(array).view()
    array.flags.writeable = False
    return array


def _message(times: Floats, rows: NDArray[np.intp], what: str, remedy: str) -> str:
    first = ", ".join(f"event {row} at {float(times[row])!r}" for row in rows[:5])
    more = ", …" if rows.size > 5 else ""
    return f"{rows.size} of {times.size} event times {what}: {first}{more}. {remedy}"
