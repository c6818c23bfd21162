"""Climbing the binned Hawkes posterior or likelihood: Newton's method in numba, over log parameters with bounds."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.hawkes_daily import BinnedData, log_posterior

__all__ = ["bounds", "hessian", "maximise"]

type Floats = NDArray[np.float64]

# The bounds are so wide that they bind only where a parameter is not identified.
LOG_LOWER = np.array([-25.0, -40.0, -40.0, -12.0])
LOG_UPPER = np.array([15.0, 3.0, 3.0, 5.0])
MOST_STEPS = 80
LARGEST_DECAY_PER_BIN = 5.0  # beyond it, 99.3 % of what is triggered comes in the next bin


def bounds(data: BinnedData) -> tuple[Floats, Floats]:
    """Give bounds of the log parameters: half-lives between a fraction of a bin and half of the record.

    Parameters
    ----------
    data : BinnedData
        Counts.

    Returns
    -------
    lower, upper : ndarray, shape (4,)
        Logs of baseline, branching, decay, dispersion.
    """
    lower, upper = LOG_LOWER.copy(), LOG_UPPER.copy()
    record_days = data.width * max(len(data.counts), 4)
    lower[2] = math.log(math.log(2) / (0.5 * record_days))
    upper[2] = math.log(LARGEST_DECAY_PER_BIN / data.width)
    return lower, upper


def hessian(
    data: BinnedData, prior: Floats, weight: float, theta: Floats, *, negbin: bool
) -> Floats:
    """Give second derivatives of ``log_posterior``, shape (4, 4), by central differences of its gradient."""
    out = np.zeros((4, 4))
    above, below = np.zeros(4), np.zeros(4)
    step = 1e-4
    for i in range(4):
        moved = theta.copy()
        moved[i] += step
        log_posterior(*data.arrays, prior, weight, negbin, moved, above)
        moved[i] -= 2 * step
        log_posterior(*data.arrays, prior, weight, negbin, moved, below)
        out[i] = (above - below) / (2 * step)
    return np.asarray(0.5 * (out + out.T))


@njit(cache=True, error_model="numpy")
def maximise(
    counts: Floats,
    days: Floats,
    bin_days: Floats,
    width: float,
    tail: Floats,
    prior: Floats,
    weight: float,
    negbin: bool,
    start: Floats,
    free: NDArray[np.bool_],
    lower: Floats,
    upper: Floats,
    steps: int,
) -> tuple[Floats, float, bool]:
    """Climb from ``start`` over the free log parameters inside their bounds: Newton with line search.

    The Hessian is taken from differences of the gradient, and its eigenvalues are made negative, so that every step
    goes uphill. Returns the place, the value and whether the gradient vanished there.
    """
    theta = start.copy()
    for i in range(4):  # loops, because numba takes seconds to compile array expressions
        theta[i] = min(max(theta[i], lower[i]), upper[i])
    gradient = np.zeros(4)
    trial_gradient = np.zeros(4)
    value = log_posterior(
        counts, days, bin_days, width, tail, prior, weight, negbin, theta, gradient
    )
    converged = False
    active = np.zeros(4, dtype=np.int64)
    for _ in range(steps):
        k = 0
        size = 0.0
        for i in range(4):
            outward = (theta[i] <= lower[i] and gradient[i] < 0) or (
                theta[i] >= upper[i] and gradient[i] > 0
            )
            if free[i] and not outward:
                active[k] = i
                k += 1
                size = max(size, abs(gradient[i]))
        if k == 0 or size < 1e-7 * (1.0 + abs(value)) ** 0.5:
            converged = True
            break
        curvature = np.zeros((k, k))
        slope = np.zeros(k)
        for a in range(k):
            moved = theta.copy()
            moved[active[a]] += 1e-5
            log_posterior(
                counts, days, bin_days, width, tail, prior, weight, negbin, moved, trial_gradient
            )
            slope[a] = gradient[active[a]]
            for b in range(k):
                curvature[a, b] = -(trial_gradient[active[b]] - gradient[active[b]]) / 1e-5
        for a in range(k):
            for b in range(a):
                curvature[a, b] = curvature[b, a] = 0.5 * (curvature[a, b] + curvature[b, a])
        eigenvalues, vectors = np.linalg.eigh(curvature)
        step = np.zeros(k)
        for a in range(k):
            along = 0.0
            for b in range(k):
                along += vectors[b, a] * slope[b]
            along /= max(abs(eigenvalues[a]), 1e-6)
            for b in range(k):
                step[b] += along * vectors[b, a]
        longest = 0.0
        for a in range(k):
            longest = max(longest, abs(step[a]))
        scale = min(1.0, 2.0 / longest)
        accepted = False
        gained = 0.0
        for _ in range(30):
            trial = theta.copy()
            promise = 0.0
            for a in range(k):
                i = active[a]
                trial[i] = min(max(theta[i] + scale * step[a], lower[i]), upper[i])
                promise += slope[a] * (trial[i] - theta[i])
            found = log_posterior(
                counts, days, bin_days, width, tail, prior, weight, negbin, trial, trial_gradient
            )
            if found >= value + 1e-4 * promise and not math.isnan(found):
                accepted = True
                gained = found - value
                theta = trial
                value = found
                for i in range(4):
                    gradient[i] = trial_gradient[i]
                break
            scale *= 0.4
        if not accepted or gained < 1e-12 * (1.0 + abs(value)):
            converged = size < 1e-3 * (1.0 + abs(value)) ** 0.5
            break
    return theta, value, converged
