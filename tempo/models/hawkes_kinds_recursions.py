"""One pass over bins and kinds: what is expected, what triggered what, where the excitation stands. Arrays only.

Parameters are laid out as ``hawkes_kinds_kernels`` says.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "EACH_PAIR",
    "EACH_SOURCE",
    "SHARED",
    "attribution",
    "curvature",
    "expected",
    "final_state",
    "fresh_shares",
    "pointwise",
]

type Floats = NDArray[np.float64]

SHARED, EACH_SOURCE, EACH_PAIR = 0, 1, 2


@njit(cache=True, error_model="numpy")
def fresh_shares(parameters: Floats, kinds: int, mode: int, width: float) -> tuple[Floats, Floats]:
    """``1 - r`` without cancellation, and its derivative, by row of states (1, or one for each kind) and source."""
    rows = kinds if mode == EACH_PAIR else 1
    start = kinds + kinds * kinds
    fresh = np.empty((rows, kinds))
    slope = np.empty((rows, kinds))
    for r in range(rows):
        for j in range(kinds):
            place = start if mode == SHARED else start + r * kinds + j
            passed = parameters[place] * width
            fresh[r, j] = -math.expm1(-passed)
            slope[r, j] = width * math.exp(-passed)
    return fresh, slope


@njit(cache=True, error_model="numpy")
def _step(
    counts: Floats,
    bin_days: Floats,
    t: int,
    mode: int,
    baseline: Floats,
    A: Floats,
    fresh: Floats,
    state: Floats,
    triggered: Floats,
) -> None:
    """Write what is expected to be triggered in bin ``t``, and move the state on."""
    K = counts.shape[1]
    for i in range(K):
        row = i if mode == EACH_PAIR else 0
        triggered[i] = 0.0
        for j in range(K):
            triggered[i] += A[i, j] * state[row, j]
    for j in range(K):
        arrived = counts[t, j]
        if math.isnan(arrived):
            arrived = baseline[j] * bin_days[t] + triggered[j]
        for r in range(state.shape[0]):
            state[r, j] += fresh[r, j] * (arrived - state[r, j])


@njit(cache=True, error_model="numpy")
def expected(
    counts: Floats, bin_days: Floats, width: float, mode: int, parameters: Floats
) -> Floats:
    """Give expected triggered attacks by bin and kind, for each row of parameters: (draws, n, K)."""
    n, K = counts.shape
    out = np.empty((len(parameters), n, K))
    for d in range(len(parameters)):
        A = parameters[d, K : K + K * K].copy().reshape((K, K))
        fresh, _ = fresh_shares(parameters[d], K, mode, width)
        state = np.zeros_like(fresh)
        for t in range(n):
            _step(counts, bin_days, t, mode, parameters[d, :K], A, fresh, state, out[d, t])
    return out


@njit(cache=True, error_model="numpy")
def final_state(
    counts: Floats, bin_days: Floats, width: float, mode: int, parameters: Floats
) -> Floats:
    """Give the states of the bin after the last one: (draws, 1 or K, K).

    Where every bin was observed, only those are run through whose excitation has not faded below 1e-17.
    """
    n, K = counts.shape
    rows = K if mode == EACH_PAIR else 1
    out = np.zeros((len(parameters), rows, K))
    triggered = np.empty(K)
    whole = True
    for t in range(n):
        for i in range(K):
            if math.isnan(counts[t, i]):
                whole = False
    for d in range(len(parameters)):
        A = parameters[d, K : K + K * K].copy().reshape((K, K))
        fresh, _ = fresh_shares(parameters[d], K, mode, width)
        if whole:
            slowest = fresh.min()
            reach = 40.0 / slowest if slowest > 0.0 else math.inf
            first = n - int(reach) if reach < n else 0
            for t in range(first, n):
                for r in range(rows):
                    for j in range(K):
                        out[d, r, j] += fresh[r, j] * (counts[t, j] - out[d, r, j])
        else:
            for t in range(n):
                _step(counts, bin_days, t, mode, parameters[d, :K], A, fresh, out[d], triggered)
    return out


@njit(cache=True, error_model="numpy")
def attribution(
    counts: Floats, days: Floats, bin_days: Floats, width: float, mode: int, parameters: Floats
) -> Floats:
    """Give the expected number of attacks of each kind by what triggered them: (draws, K, K sources and baseline)."""
    n, K = counts.shape
    out = np.zeros((len(parameters), K, K + 1))
    triggered = np.empty(K)
    for d in range(len(parameters)):
        baseline = parameters[d, :K]
        A = parameters[d, K : K + K * K].copy().reshape((K, K))
        fresh, _ = fresh_shares(parameters[d], K, mode, width)
        state = np.zeros_like(fresh)
        before = np.zeros_like(fresh)
        for t in range(n):
            before[:] = state
            _step(counts, bin_days, t, mode, baseline, A, fresh, state, triggered)
            for i in range(K):
                y = counts[t, i]
                if not y > 0.0:
                    continue
                own = baseline[i] * days[t, i]
                mean = own + triggered[i]
                if mean <= 0.0:
                    out[d, i, K] += y
                    continue
                row = i if mode == EACH_PAIR else 0
                out[d, i, K] += y * own / mean
                for j in range(K):
                    out[d, i, j] += y * A[i, j] * before[row, j] / mean
    return out


@njit(cache=True, error_model="numpy")
def pointwise(
    counts: Floats,
    days: Floats,
    bin_days: Floats,
    width: float,
    mode: int,
    negbin: bool,
    parameters: Floats,
) -> Floats:
    """Give the log-likelihood of each bin given those before, all kinds together: (draws, n)."""
    n, K = counts.shape
    out = np.zeros((len(parameters), n))
    triggered = np.empty(K)
    factorial = np.zeros((n, K))
    for t in range(n):
        for i in range(K):
            if counts[t, i] > 1.0:
                factorial[t, i] = math.lgamma(counts[t, i] + 1.0)
    for d in range(len(parameters)):
        A = parameters[d, K : K + K * K].copy().reshape((K, K))
        fresh, _ = fresh_shares(parameters[d], K, mode, width)
        state = np.zeros_like(fresh)
        for t in range(n):
            _step(counts, bin_days, t, mode, parameters[d, :K], A, fresh, state, triggered)
            for i in range(K):
                y = counts[t, i]
                if math.isnan(y):
                    continue
                mean = parameters[d, i] * days[t, i] + triggered[i]
                spread = parameters[d, parameters.shape[1] - K + i] if negbin else 0.0
                if spread * mean > 1e-9:
                    out[d, t] -= (y + 1.0 / spread) * math.log1p(spread * mean)
                else:
                    out[d, t] -= mean
                if y > 0.0:
                    out[d, t] += y * math.log(mean) - factorial[t, i]
                    if spread > 0.0:
                        for k in range(int(y)):
                            out[d, t] += math.log1p(spread * k)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def curvature(
    counts: Floats,
    days: Floats,
    bin_days: Floats,
    width: float,
    mode: int,
    negbin: bool,
    parameters: Floats,
) -> Floats:
    """Give the information about (baseline, row of ``A``) of each kind, memory fixed: (K, K + 1, K + 1).

    Estimated from bins with attacks alone, ``sum y / (m^2 (1 + dispersion m)) x x'``: its mean is Fisher's, and for
    Poisson data it is the observed information.
    """
    n, K = counts.shape
    out = np.zeros((K, K + 1, K + 1))
    A = parameters[K : K + K * K].copy().reshape((K, K))
    fresh, _ = fresh_shares(parameters, K, mode, width)
    state = np.zeros_like(fresh)
    before = np.zeros_like(fresh)
    triggered = np.empty(K)
    x = np.empty(K + 1)
    for t in range(n):
        before[:] = state
        _step(counts, bin_days, t, mode, parameters[:K], A, fresh, state, triggered)
        for i in range(K):
            y = counts[t, i]
            if not y > 0.0:
                continue
            row = i if mode == EACH_PAIR else 0
            mean = parameters[i] * days[t, i] + triggered[i]
            spread = parameters[len(parameters) - K + i] if negbin else 0.0
            weight = y / (mean * mean * (1.0 + spread * mean))
            x[0] = days[t, i]
            x[1:] = before[row]
            for a in range(K + 1):
                scaled = weight * x[a]
                if scaled != 0.0:
                    for b in range(a + 1):
                        out[i, a, b] += scaled * x[b]
    for i in range(K):
        for a in range(K + 1):
            for b in range(a):
                out[i, b, a] = out[i, a, b]
    return out
