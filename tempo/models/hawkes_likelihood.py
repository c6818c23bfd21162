"""Log-likelihoods and gradients of Hawkes processes in continuous time, for people who bring arrays.

Times are in days from the start of the window ``(0, end]``. They must increase strictly: a continuous-time process has
no ties, and tied records (dates without a clock time) belong to the daily model. All functions cost time linear in
the number of events and run on one thread. Exponential kernels: Ozaki (1979), *Ann. Inst. Statist. Math.* 31.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from tempo.errors import DataError, OptionError
from tempo.models.hawkes_kernels_fast import (
    CHUNK,
    chunk_decays,
    chunk_gaps,
    chunk_log_product,
    exponential_gradient,
    history_moments,
    in_fast_range,
)
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

_LN2 = math.log(2.0)
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
    -5.6823298626
    >>> gradient.round(6)
    array([-1.618802, -2.266628, -0.276797])
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
    value, bad = _exponential(t, past, end, baseline, branching, decay, gradient)
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
    value, bad = _sum_exponential(t, past, float(end), float(baseline), n, b, gradient)
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


@njit(cache=True, nogil=True, error_model="numpy")
def _exponential(
    times: Floats,
    history: Floats,
    end: float,
    baseline: float,
    branching: float,
    decay: float,
    gradient: Floats,
) -> tuple[float, int]:
    if in_fast_range(times.shape[0], end, baseline, branching, decay, history.shape[0]):
        return exponential_gradient(times, history, end, baseline, branching, decay, gradient)
    return _careful(
        times, history, end, baseline, np.full(1, branching), np.full(1, decay), gradient
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _sum_exponential(
    times: Floats,
    history: Floats,
    end: float,
    baseline: float,
    branching: Floats,
    decay: Floats,
    gradient: Floats,
) -> tuple[float, int]:
    n = times.shape[0]
    m = branching.shape[0]
    jump = 0.0
    slowest = decay[0]
    for k in range(m):
        jump += branching[k] * decay[k]
        slowest = min(slowest, decay[k])
    # With branching * decay put in for the product, the test of a single exponential serves.
    if not in_fast_range(n, end, baseline, jump / slowest, slowest, history.shape[0]):
        return _careful(times, history, end, baseline, branching, decay, gradient)
    carried = np.empty(m)
    q = np.empty(m)
    start = np.empty((m, 2))
    for k in range(m):
        s0, s1, _ = history_moments(history, decay[k])
        start[k, 0] = s0
        start[k, 1] = s1
        carried[k] = s0
        q[k] = s1
    gap = np.empty(CHUNK)
    a = np.empty(CHUNK)
    R = np.empty((m, CHUNK))
    Q = np.empty((m, CHUNK))
    intensity = np.empty(CHUNK)
    weight = np.empty(CHUNK)
    sums = np.zeros((m, 2))
    total = 0.0
    previous = 0.0
    bad = 0
    exponent = 0
    logs = 0.0
    for first in range(0, n, CHUNK):
        size = min(CHUNK, n - first)
        chunk = times[first : first + size]
        bad += chunk_gaps(chunk, previous, gap)
        previous = chunk[size - 1]
        intensity[:] = baseline
        for k in range(m):
            chunk_decays(size, decay[k], gap, a)
            jump = branching[k] * decay[k]
            carried[k], q[k] = _accumulate(
                size, gap, a, R[k], Q[k], carried[k], q[k], jump, intensity
            )
        total += _weights(size, intensity, weight)
        for k in range(m):
            s_r, s_q = _weighted(size, R[k], Q[k], weight)
            sums[k, 0] += s_r
            sums[k, 1] += s_q
        exponent_chunk, log_chunk = chunk_log_product(size, intensity)
        exponent += exponent_chunk
        logs += log_chunk
    rest = end - previous
    if not rest >= 0.0:
        bad += 1
    value = exponent * _LN2 + logs - baseline * end
    gradient[0] = total - end
    for k in range(m):
        tail = math.exp(-decay[k] * rest)
        r_end = tail * carried[k]
        q_end = tail * q[k] + rest * r_end
        used = n + start[k, 0] - r_end
        value -= branching[k] * used
        gradient[1 + k] = decay[k] * sums[k, 0] - used
        gradient[1 + m + k] = branching[k] * (
            sums[k, 0] - decay[k] * sums[k, 1] - (q_end - start[k, 1])
        )
    return value, bad


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _accumulate(
    m: int,
    gap: Floats,
    a: Floats,
    R: Floats,
    Q: Floats,
    carried: float,
    q: float,
    jump: float,
    intensity: Floats,
) -> tuple[float, float]:
    r = a[0] * carried
    q = a[0] * q + gap[0] * r
    R[0] = r
    Q[0] = q
    intensity[0] += jump * r
    for i in range(1, m):
        r = a[i] * r + a[i]
        q = a[i] * q + gap[i] * r
        R[i] = r
        Q[i] = q
        intensity[i] += jump * r
    return 1.0 + r, q


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")
def _weights(m: int, intensity: Floats, weight: Floats) -> float:
    total = 0.0
    for i in range(m):
        w = 1.0 / intensity[i]
        weight[i] = w
        total += w
    return total


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")
def _weighted(m: int, R: Floats, Q: Floats, weight: Floats) -> tuple[float, float]:
    s_r = 0.0
    s_q = 0.0
    for i in range(m):
        s_r += R[i] * weight[i]
        s_q += Q[i] * weight[i]
    return s_r, s_q


@njit(cache=True, nogil=True, error_model="numpy")
def _careful(
    times: Floats,
    history: Floats,
    end: float,
    baseline: float,
    branching: Floats,
    decay: Floats,
    gradient: Floats,
) -> tuple[float, int]:
    """Sum of exponentials at extreme parameters: a logarithm for each event, and integrals by expm1."""
    n = times.shape[0]
    m = branching.shape[0]
    carried = np.empty(m)
    q = np.empty(m)
    r = np.empty(m)
    start_q = np.empty(m)
    used = np.zeros(m)
    for k in range(m):
        s0, s1, _ = history_moments(history, decay[k])
        carried[k] = s0
        q[k] = s1
        start_q[k] = s1
    gradient[:] = 0.0
    value = -baseline * end
    previous = 0.0
    bad = 0
    for i in range(n + 1):
        gap = (times[i] if i < n else end) - previous
        if not (gap > 0.0 or (i == n and gap == 0.0)):
            bad += 1
        intensity = baseline
        for k in range(m):
            less = -math.expm1(-decay[k] * gap)
            kept = math.exp(-decay[k] * gap)
            used[k] += less * carried[k]
            r[k] = kept * carried[k]
            q[k] = kept * q[k] + gap * r[k]
            carried[k] = 1.0 + r[k]
            intensity += branching[k] * decay[k] * r[k]
        if i == n:
            break
        previous = times[i]
        value += math.log(intensity)
        gradient[0] += 1.0 / intensity
        for k in range(m):
            gradient[1 + k] += decay[k] * r[k] / intensity
            gradient[1 + m + k] += branching[k] * (r[k] - decay[k] * q[k]) / intensity
    gradient[0] -= end
    for k in range(m):
        value -= branching[k] * used[k]
        gradient[1 + k] -= used[k]
        gradient[1 + m + k] -= branching[k] * (q[k] - start_q[k])
    return value, bad
