"""Likelihood kernel of several event streams that excite each other: arrays in, arrays out."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["multivariate_gradient"]

type Floats = NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy")
def multivariate_gradient(
    times: Floats,
    kinds: NDArray[np.int64],
    end: float,
    baseline: Floats,
    branching: Floats,
    decay: Floats,
    shared: bool,
    gradient: Floats,
) -> float:
    """Write the gradient (baselines, branching by rows, decays by rows); give the log-likelihood.

    ``times`` are sorted, ``kinds`` say which stream each event belongs to. With ``shared`` decays, one state for each
    exciting stream and one ``exp`` for each event are enough. Otherwise the state of a pair is brought up to date
    only when one of its two streams has an event, so that an event costs 2K exponentials, not K².
    """
    n = times.shape[0]
    k = baseline.shape[0]
    first_n = k
    first_b = k + k * k
    gradient[:] = 0.0
    value = 0.0
    # State of a pair: sum of exp(-decay * age), the same times age, and the time they refer to. Row 0 alone is
    # used when decays are shared.
    rows = 1 if shared else k
    S = np.zeros((rows, k))
    A = np.zeros((rows, k))
    at = np.zeros((rows, k))
    i = 0
    while i < n:
        t = times[i]
        stop = i + 1
        while stop < n and times[stop] == t:
            stop += 1
        if shared:
            _bring(S[0], A[0], at[0], decay[0], t, True)
        for event in range(i, stop):
            row = kinds[event]
            state = 0 if shared else row
            if not shared:
                _bring(S[row], A[row], at[row], decay[row], t, False)
            intensity = baseline[row]
            for j in range(k):
                intensity += branching[row, j] * decay[row, j] * S[state, j]
            value += math.log(intensity)
            w = 1.0 / intensity
            gradient[row] += w
            for j in range(k):
                s = S[state, j] * w
                gradient[first_n + row * k + j] += decay[row, j] * s
                gradient[first_b + row * k + j] += branching[row, j] * (
                    s - decay[row, j] * A[state, j] * w
                )
        # Only now do the events of this instant join the states: they do not excite each other.
        for event in range(i, stop):
            j = kinds[event]
            for row in range(rows):
                if not shared:
                    gap = t - at[row, j]
                    if gap > 0.0:
                        a = math.exp(-decay[row, j] * gap)
                        S[row, j] *= a
                        A[row, j] = a * A[row, j] + gap * S[row, j]
                        at[row, j] = t
                S[row, j] += 1.0
        i = stop
    counts = np.zeros(k)
    for i in range(n):
        counts[kinds[i]] += 1.0
    if shared:
        _bring(S[0], A[0], at[0], decay[0], end, True)
    for row in range(k):
        state = 0 if shared else row
        if not shared:
            _bring(S[row], A[row], at[row], decay[row], end, False)
        value -= baseline[row] * end
        gradient[row] -= end
        for j in range(k):
            used = counts[j] - S[state, j]
            value -= branching[row, j] * used
            gradient[first_n + row * k + j] -= used
            gradient[first_b + row * k + j] -= branching[row, j] * A[state, j]
    return value


@njit(cache=True, error_model="numpy")
def _bring(S: Floats, A: Floats, at: Floats, decay: Floats, t: float, shared: bool) -> None:
    a = 1.0
    last = math.nan
    for j in range(S.shape[0]):
        gap = t - at[j]
        if gap <= 0.0:
            continue
        if not (shared and gap == last):
            a = math.exp(-decay[j] * gap)
            last = gap
        S[j] *= a
        A[j] = a * A[j] + gap * S[j]
        at[j] = t
