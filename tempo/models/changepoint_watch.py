"""The filter behind the alarm: odds that a known rate has been left, over every day it may have happened."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["watch_paths"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

_NEGLIGIBLE = 1e-6  # share of the odds below which a start is dropped


@njit(cache=True, nogil=True, error_model="numpy")
def watch_paths(
    counts: Floats, exposure: Floats, usual: float, shape: float, rate: float, hazard: float
) -> tuple[Floats, Integers]:
    """Give the odds that the rate has left its usual level, after each bin.

    Parameters
    ----------
    counts : float array (paths, n)
        Series, each watched from its first bin.
    exposure : float array (n,)
        Observed share of each bin; 0 leaves the odds as they are.
    usual : float
        Rate before the change.
    shape, rate : float
        Gamma prior of the rate after it.
    hazard : float
        Probability that the change comes with any one bin.

    Returns
    -------
    odds : float array (paths, n)
        Odds of a change by each bin.
    since : int array (paths, n)
        Its most probable first bin.
    """
    paths, n = counts.shape
    odds = np.zeros((paths, n))
    since = np.zeros((paths, n), dtype=np.int64)
    first = np.empty(n + 1)
    second = np.empty(n + 1)
    weight = np.empty(n + 1)
    start = np.empty(n + 1, dtype=np.int64)
    survives = 1.0 - hazard
    for p in range(paths):
        live = 0
        for t in range(n):
            y, e = counts[p, t], exposure[t]
            if e <= 0.0:
                odds[p, t] = odds[p, t - 1] if t > 0 else 0.0
                since[p, t] = since[p, t - 1] if t > 0 else 0
                continue
            first[live] = shape
            second[live] = rate
            weight[live] = hazard
            start[live] = t
            live += 1
            common = usual * e - (y * math.log(usual) if y > 0.0 else 0.0)
            total, best = 0.0, 0
            for i in range(live):
                grown = second[i] + e
                value = common + first[i] * math.log(second[i] / grown)
                if y == 1.0:
                    value += math.log(first[i] / grown)
                elif y > 0.0:
                    value += math.lgamma(first[i] + y) - math.lgamma(first[i]) - y * math.log(grown)
                weight[i] *= math.exp(value) / survives
                first[i] += y
                second[i] = grown
                total += weight[i]
                if weight[i] > weight[best]:
                    best = i
            odds[p, t] = total
            since[p, t] = start[best]
            kept = 0
            for i in range(live):
                if weight[i] > _NEGLIGIBLE * total:
                    first[kept] = first[i]
                    second[kept] = second[i]
                    weight[kept] = weight[i]
                    start[kept] = start[i]
                    kept += 1
            live = kept
    return odds, since
