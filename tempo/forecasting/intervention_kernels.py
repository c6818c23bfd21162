"""Counts of two futures drawn with the same uniform numbers, so that their difference is that of their rates alone."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["count_at", "decaying_counts", "lagged_counts"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

_SMALLEST = 1e-280
_SPREADS = 40.0


@njit(cache=True, error_model="numpy")
def count_at(u: float, mean: float, dispersion: float) -> int:
    """Give the quantile of a Poisson or negative binomial count (variance ``mean + dispersion mean^2``) at level u.

    For one u it never falls as the mean rises, which is what ties two futures together.
    """
    if not mean > 0.0:
        return 0
    spread = 1.0 + dispersion * mean
    log_zero = -mean if dispersion < 1e-12 else -math.log(spread) / dispersion
    k = 0
    log_here = log_zero
    if log_zero < math.log(_SMALLEST):  # begin far below the middle instead of at an underflow
        k = int(max(0.0, mean - _SPREADS * math.sqrt(mean * spread)))
        if dispersion < 1e-12:
            log_here = k * math.log(mean) - mean - math.lgamma(k + 1.0)
        else:
            size = 1.0 / dispersion
            log_here = (
                math.lgamma(k + size)
                - math.lgamma(size)
                - math.lgamma(k + 1.0)
                + log_zero
                + k * math.log(dispersion * mean / spread)
            )
    most = k + int(2.0 * _SPREADS * math.sqrt(mean * spread)) + 200
    while log_here < math.log(_SMALLEST) and k < most:
        log_here += math.log(mean * (1.0 + dispersion * k) / (spread * (k + 1.0)))
        k += 1
    chance = math.exp(log_here)
    below = chance
    while below < u and k < most:
        chance *= mean * (1.0 + dispersion * k) / (spread * (k + 1.0))
        k += 1
        below += chance
    return k


@njit(cache=True, nogil=True, error_model="numpy")
def decaying_counts(
    baseline: Floats,
    branching: Floats,
    keep: Floats,
    state: Floats,
    dispersion: Floats,
    u: Floats,
    cap: float,
    out: Integers,
) -> None:
    """Write counts forward with a geometric kernel; ``baseline``, ``branching`` and ``u`` are (draws, bins)."""
    for d in range(out.shape[0]):
        e = state[d]
        for t in range(out.shape[1]):
            mean = min(baseline[d, t] + branching[d, t] * e, cap)
            y = count_at(u[d, t], mean, dispersion[d])
            out[d, t] = y
            e = keep[d] * e + (1.0 - keep[d]) * y


@njit(cache=True, nogil=True, error_model="numpy")
def lagged_counts(
    baseline: Floats,
    branching: Floats,
    kernel: Floats,
    dispersion: Floats,
    u: Floats,
    cap: float,
    out: Integers,
) -> None:
    """Write counts forward with any kernel on lags, (draws, lags); ``baseline`` holds what the past adds too."""
    bins = out.shape[1]
    coming = np.empty(bins)
    for d in range(out.shape[0]):
        for t in range(bins):
            coming[t] = 0.0
        for t in range(bins):
            mean = min(baseline[d, t] + branching[d, t] * coming[t], cap)
            y = count_at(u[d, t], mean, dispersion[d])
            out[d, t] = y
            if y > 0:
                for k in range(min(kernel.shape[1], bins - t - 1)):
                    coming[t + 1 + k] += kernel[d, k] * y
