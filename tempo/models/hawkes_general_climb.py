"""Climbing the general Hawkes likelihood or posterior: Newton's method over the parameters that may move, in numba."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.hawkes_general import density

__all__ = ["ascend", "curvature"]

type Floats = NDArray[np.float64]
type Places = NDArray[np.int64]

LONGEST_STEP = 2.0


@njit(cache=True, error_model="numpy")
def curvature(block: Floats, which: int, place: Floats, active: Places, step: float) -> Floats:
    """Minus the second derivatives over some parameters, by central differences of the gradient; symmetric."""
    k = len(active)
    out = np.zeros((k, k))
    above, below = np.zeros(len(place)), np.zeros(len(place))
    moved = place.copy()
    for a in range(k):
        i = active[a]
        moved[i] = place[i] + step
        density(block, which, moved, above)
        moved[i] = place[i] - step
        density(block, which, moved, below)
        moved[i] = place[i]
        for b in range(k):
            out[a, b] = (below[active[b]] - above[active[b]]) / (2.0 * step)
    for a in range(k):
        for b in range(a):
            out[a, b] = out[b, a] = 0.5 * (out[a, b] + out[b, a])
    return out


@njit(cache=True, error_model="numpy")
def ascend(
    block: Floats,
    which: int,
    start: Floats,
    free: NDArray[np.bool_],
    lower: Floats,
    upper: Floats,
    steps: int,
) -> tuple[Floats, float, bool]:
    """Climb from ``start``: Newton with every eigenvalue made negative, a line search, and bounds.

    Returns the place, its height, and whether the gradient vanished there.
    """
    p = len(start)
    place = start.copy()
    for i in range(p):
        if free[i]:
            place[i] = min(max(place[i], lower[i]), upper[i])
    gradient, trial_gradient = np.zeros(p), np.zeros(p)
    value = density(block, which, place, gradient)
    active = np.zeros(p, dtype=np.int64)
    for _ in range(steps):
        k = 0
        size = 0.0
        for i in range(p):
            outward = (place[i] <= lower[i] and gradient[i] < 0) or (
                place[i] >= upper[i] and gradient[i] > 0
            )
            if free[i] and not outward:
                active[k] = i
                k += 1
                size = max(size, abs(gradient[i]))
        if k == 0 or size < 1e-7 * (1.0 + abs(value)) ** 0.5:
            return place, value, True
        values, vectors = np.linalg.eigh(curvature(block, which, place, active[:k], 1e-4))
        step = np.zeros(k)
        for a in range(k):
            along = 0.0
            for b in range(k):
                along += vectors[b, a] * gradient[active[b]]
            along /= max(abs(values[a]), 1e-6)
            for b in range(k):
                step[b] += along * vectors[b, a]
        longest = 0.0
        for a in range(k):
            longest = max(longest, abs(step[a]))
        scale = min(1.0, LONGEST_STEP / longest)
        accepted = False
        gained = 0.0
        for _ in range(25):
            trial = place.copy()
            promise = 0.0
            for a in range(k):
                i = active[a]
                trial[i] = min(max(place[i] + scale * step[a], lower[i]), upper[i])
                promise += gradient[i] * (trial[i] - place[i])
            found = density(block, which, trial, trial_gradient)
            if found >= value + 1e-4 * promise and not math.isnan(found):
                accepted = True
                gained = found - value
                place = trial
                value = found
                for i in range(p):
                    gradient[i] = trial_gradient[i]
                break
            scale *= 0.4
        if not accepted or gained < 1e-11 * (1.0 + abs(value)):
            return place, value, size < 1e-3 * (1.0 + abs(value)) ** 0.5
    return place, value, False
