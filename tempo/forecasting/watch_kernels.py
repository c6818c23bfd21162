"""Odds along simulated futures, compiled. Arrays in, arrays out."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.forecasting.story_kernels import log_chance

__all__ = ["evidence_along", "evidence_along_plain"]

type Floats = NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy")
def evidence_along(
    paths: NDArray[np.int64],
    rate: Floats,
    branching: Floats,
    decay: Floats,
    dispersion: Floats,
    state: Floats,
    check: NDArray[np.int64],
    out: Floats,
) -> None:
    """Fill ``out`` with the log-probability of each path up to each checked day, averaged over the draws of a story.

    ``check[t]`` is the place in ``out`` of day ``t``, or -1. Constants of the paths alone, log(y!), are left out.
    """
    n_paths, n = paths.shape
    draws = rate.shape[0]
    checks = out.shape[1]
    excited = branching.shape[0] > 0
    spread = dispersion.shape[0] > 0
    peak = np.empty(checks)
    total = np.empty(checks)
    for f in range(n_paths):
        for c in range(checks):
            peak[c] = -math.inf
            total[c] = 0.0
        for d in range(draws):
            a = dispersion[d] if spread else 0.0
            r = math.exp(-decay[d]) if excited else 0.0
            s = state[d] if excited else 0.0
            running = 0.0
            for t in range(n):
                y = float(paths[f, t])
                mean = rate[d, t]
                if excited:
                    mean += branching[d, t] * s
                    s = r * s + (1.0 - r) * y
                running += log_chance(y, mean, a)
                c = check[t]
                if c >= 0 and running > -math.inf:
                    if running <= peak[c]:
                        total[c] += math.exp(running - peak[c])
                    else:
                        total[c] = total[c] * math.exp(peak[c] - running) + 1.0
                        peak[c] = running
        for c in range(checks):
            out[f, c] = peak[c] + math.log(total[c] / draws) if total[c] > 0.0 else -math.inf


@njit(cache=True, nogil=True, error_model="numpy")
def evidence_along_plain(
    paths: NDArray[np.int64], rate: Floats, checked: NDArray[np.int64], out: Floats
) -> None:
    """Do the same where days are Poisson and independent: only attacks and checked days cost anything.

    ``checked`` holds the checked days in order.
    """
    n_paths, n = paths.shape
    draws = rate.shape[0]
    checks = checked.shape[0]
    log_rate = np.log(rate)
    until = np.empty((draws, checks))
    for d in range(draws):
        total = 0.0
        c = 0
        for t in range(n):
            total += rate[d, t]
            if c < checks and t == checked[c]:
                until[d, c] = total
                c += 1
    peak = np.empty(checks)
    sums = np.empty(checks)
    busy = np.empty(n, dtype=np.int64)
    for f in range(n_paths):
        k = 0
        for t in range(n):
            if paths[f, t] > 0:
                busy[k] = t
                k += 1
        for c in range(checks):
            peak[c] = -math.inf
            sums[c] = 0.0
        for d in range(draws):
            running = 0.0
            i = 0
            for c in range(checks):
                while i < k and busy[i] <= checked[c]:
                    running += paths[f, busy[i]] * log_rate[d, busy[i]]
                    i += 1
                x = running - until[d, c]
                if x <= peak[c]:
                    if x > -math.inf:
                        sums[c] += math.exp(x - peak[c])
                else:
                    sums[c] = sums[c] * math.exp(peak[c] - x) + 1.0
                    peak[c] = x
        for c in range(checks):
            out[f, c] = peak[c] + math.log(sums[c] / draws) if sums[c] > 0.0 else -math.inf
