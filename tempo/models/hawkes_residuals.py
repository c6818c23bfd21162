"""Compensator, time-rescaled gaps and intensity of an exponential Hawkes process in continuous time.

If the model is right, the integrated intensity between events is unit exponential (time rescaling: Ogata 1988, *JASA*
83; Brown et al. 2002, *Neural Computation* 14).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from tempo.errors import DataError
from tempo.models.hawkes_kernels_fast import history_moments
from tempo.models.hawkes_likelihood import checked_history, checked_parameters, checked_times

__all__ = ["compensator", "intensity", "rescaled_gaps", "total", "triggered"]

type Floats = NDArray[np.float64]


def rescaled_gaps(
    times: ArrayLike,
    end: float,
    baseline: float,
    branching: float,
    decay: float,
    *,
    history: ArrayLike | None = None,
) -> Floats:
    """Give the integrated intensity between events, which is unit exponential if the model is right.

    Parameters
    ----------
    times, end, baseline, branching, decay, history
        As in `tempo.models.hawkes_likelihood.exponential`.

    Returns
    -------
    ndarray, shape (n,)
        The first gap begins at the start of the window. The stretch after the last event is not included.

    Raises
    ------
    DataError, OptionError
        As in `tempo.models.hawkes_likelihood.exponential`.

    Examples
    --------
    >>> rescaled_gaps([1.0, 3.0], 4.0, baseline=2.0, branching=0.0, decay=1.0)
    array([2., 4.])
    """
    return _all_gaps(times, end, baseline, branching, decay, history)[:-1]


def compensator(
    times: ArrayLike,
    end: float,
    baseline: float,
    branching: float,
    decay: float,
    *,
    history: ArrayLike | None = None,
) -> Floats:
    """Give the intensity integrated from the start of the window to each event.

    Parameters
    ----------
    times, end, baseline, branching, decay, history
        As in `tempo.models.hawkes_likelihood.exponential`.

    Returns
    -------
    ndarray, shape (n,)
        A unit-rate Poisson process if the model is right.

    Raises
    ------
    DataError, OptionError
        As in `tempo.models.hawkes_likelihood.exponential`.

    Examples
    --------
    >>> compensator([1.0, 3.0], 4.0, baseline=2.0, branching=0.0, decay=1.0)
    array([2., 6.])
    """
    return np.cumsum(rescaled_gaps(times, end, baseline, branching, decay, history=history))


def total(
    times: ArrayLike,
    end: float,
    baseline: float,
    branching: float,
    decay: float,
    *,
    history: ArrayLike | None = None,
) -> float:
    """Give the intensity integrated over the whole window: the expected number of events, given the past at each time.

    Parameters
    ----------
    times, end, baseline, branching, decay, history
        As in `tempo.models.hawkes_likelihood.exponential`.

    Returns
    -------
    float
        Equals the number of events at the maximum of the likelihood.

    Raises
    ------
    DataError, OptionError
        As in `tempo.models.hawkes_likelihood.exponential`.

    Examples
    --------
    >>> total([1.0, 3.0], 4.0, baseline=2.0, branching=0.0, decay=1.0)
    8.0
    """
    return float(_all_gaps(times, end, baseline, branching, decay, history).sum())


def intensity(
    at: ArrayLike,
    times: ArrayLike,
    baseline: float,
    branching: float,
    decay: float,
    *,
    history: ArrayLike | None = None,
) -> Floats:
    """Give the conditional intensity, in events per day, just before any time.

    Parameters
    ----------
    at : array_like of float, shape (m,)
        When to evaluate it: days from the start of the window, in any order. Later events do not matter.
    times, baseline, branching, decay, history
        As in `tempo.models.hawkes_likelihood.exponential`.

    Returns
    -------
    ndarray, shape (m,)
        An event at exactly that time does not count yet.

    Raises
    ------
    DataError, OptionError
        As in `tempo.models.hawkes_likelihood.exponential`.

    Examples
    --------
    >>> intensity([0.5, 1.0, 2.0], [1.0], baseline=0.2, branching=0.5, decay=2.0).round(4)
    array([0.2   , 0.2   , 0.3353])
    """
    when = np.atleast_1d(np.asarray(at, dtype=np.float64))
    if when.size == 0:
        return np.empty(0)
    if not np.isfinite(when).all() or when.min() < 0:
        raise DataError(
            "intensity is known from the start of the window on (time 0): pass finite times of zero or more."
        )
    events = np.asarray(times, dtype=np.float64)
    last = float(max(when.max(), events.max() if events.size else 0.0, 1e-300))
    checked_parameters(last, baseline, branching, decay)
    t = checked_times(times, last)
    past = checked_history(() if history is None else history)
    order = np.argsort(when, kind="stable")
    result = np.empty(when.size)
    result[order] = _intensity(when[order], t, past, baseline, branching * decay, decay)
    return result


def triggered(
    times: ArrayLike,
    baseline: float,
    branching: float,
    decay: float,
    *,
    history: ArrayLike | None = None,
) -> Floats:
    """Give the probability that each event was triggered by an earlier one, rather than by the baseline.

    Parameters
    ----------
    times, baseline, branching, decay, history
        As in `tempo.models.hawkes_likelihood.exponential`.

    Returns
    -------
    ndarray, shape (n,)
        One minus the baseline's share of the intensity (Zhuang, Ogata & Vere-Jones 2002, *JASA* 97).

    Raises
    ------
    DataError, OptionError
        As in `tempo.models.hawkes_likelihood.exponential`.

    Examples
    --------
    >>> triggered([1.0, 1.1, 9.0], baseline=0.2, branching=0.5, decay=2.0).round(3)
    array([0.   , 0.804, 0.   ])
    """
    t = np.asarray(times, dtype=np.float64)
    if t.size == 0:
        return np.empty(0)
    rate = intensity(t, t, baseline, branching, decay, history=history)
    result: Floats = 1.0 - baseline / rate
    return result


def _all_gaps(
    times: ArrayLike,
    end: float,
    baseline: float,
    branching: float,
    decay: float,
    history: ArrayLike | None,
) -> Floats:
    checked_parameters(end, baseline, branching, decay)
    t = checked_times(times, end)
    past = checked_history(() if history is None else history)
    integrals: Floats = _integrals(
        t, past, float(end), float(baseline), float(branching), float(decay)
    )
    return integrals


@njit(cache=True, nogil=True, error_model="numpy")
def _integrals(
    times: Floats, history: Floats, end: float, baseline: float, branching: float, decay: float
) -> Floats:
    """Integrated intensity of each gap and of the stretch after the last event."""
    n = times.shape[0]
    result = np.empty(n + 1)
    carried, _, _ = history_moments(history, decay)
    previous = 0.0
    for i in range(n + 1):
        gap = (times[i] if i < n else end) - previous
        less = -math.expm1(-decay * gap)
        result[i] = baseline * gap + branching * less * carried
        carried = (1.0 - less) * carried + 1.0
        if i < n:
            previous = times[i]
    return result


@njit(cache=True, nogil=True, error_model="numpy")
def _intensity(
    at: Floats, times: Floats, history: Floats, baseline: float, jump: float, decay: float
) -> Floats:
    result = np.empty(at.shape[0])
    carried, _, _ = history_moments(history, decay)
    previous = 0.0
    i = 0
    for k in range(at.shape[0]):
        while i < times.shape[0] and times[i] < at[k]:
            carried = math.exp(-decay * (times[i] - previous)) * carried + 1.0
            previous = times[i]
            i += 1
        result[k] = baseline + jump * carried * math.exp(-decay * (at[k] - previous))
    return result
