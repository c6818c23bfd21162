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
_SURE = 1e100  # odds that nothing later can bring back into doubt; larger ones would overflow


@njit(cache=True, nogil=True, error_model="numpy")
def watch_paths(
    counts: Floats, exposure: Floats, usual: float, multiples: Floats, hazard: float
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
    multiples : float array (levels,)
        Of the usual rate: what it may be after the change, each as probable as the others.
    hazard : float
        Probability that the change comes with any one bin.

    Returns
    -------
    odds : float array (paths, n)
        Odds of a change by each bin, at most 1e100.
    since : int array (paths, n)
        Its most probable first bin.
    """
    paths, n = counts.shape
    levels = multiples.size
    odds = np.zeros((paths, n))
    since = np.zeros((paths, n), dtype=np.int64)
    weight = np.empty((n + 1, levels))
    start = np.empty(n + 1, dtype=np.int64)
    gain = np.empty(levels)
    survives = 1.0 - hazard
    for p in range(paths):
        live = 0
        for t in range(n):
            y, e = counts[p, t], exposure[t]
            if e <= 0.0:
                odds[p, t] = odds[p, t - 1] if t > 0 else 0.0
                since[p, t] = since[p, t - 1] if t > 0 else 0
                continue
            for j in range(levels):
                step = y * math.log(multiples[j]) - (multiples[j] - 1.0) * usual * e
                gain[j] = math.exp(min(step, 200.0)) / survives
                weight[live, j] = hazard / levels
            start[live] = t
            live += 1
            total, largest, best = 0.0, 0.0, 0
            for i in range(live):
                mine = 0.0
                for j in range(levels):
                    weight[i, j] *= gain[j]
                    mine += weight[i, j]
                total += mine
                if mine > largest:
                    largest, best = mine, i
            since[p, t] = start[best]
            scale = min(1.0, _SURE / total) if total > 0.0 else 1.0
            odds[p, t] = scale * total
            kept = 0
            for i in range(live):
                mine = 0.0
                for j in range(levels):
                    mine += weight[i, j]
                if mine > _NEGLIGIBLE * total:
                    for j in range(levels):
                        weight[kept, j] = scale * weight[i, j]
                    start[kept] = start[i]
                    kept += 1
            live = kept
    return odds, since
