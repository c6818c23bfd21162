"""The Hawkes posterior in continuous time, and its intensity by day: compiled, arrays in and arrays out."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.hawkes_kernels_any import any_exponential

__all__ = ["by_day", "evaluate_times", "log_posterior_of_times"]

type Floats = NDArray[np.float64]


@njit(cache=True, error_model="numpy")
def log_posterior_of_times(
    times: Floats, end: float, prior: Floats, weight: float, theta: Floats, gradient: Floats
) -> float:
    """Log-likelihood plus ``weight`` times the log prior density of three log parameters, with gradient."""
    baseline, branching, decay = math.exp(theta[0]), math.exp(theta[1]), math.exp(theta[2])
    slope = np.zeros(3)
    found: tuple[float, int] = any_exponential(
        times, np.empty(0), end, baseline, branching, decay, slope
    )
    value = found[0]
    gradient[0] = slope[0] * baseline
    gradient[1] = slope[1] * branching
    gradient[2] = slope[2] * decay
    if weight > 0.0:
        log_root = 0.5 * math.log(2.0 * math.pi)
        z = (theta[0] - prior[0]) / prior[1]
        density = -0.5 * z * z - math.log(prior[1]) - log_root
        gradient[0] -= weight * z / prior[1]
        z = branching / prior[2]
        density += theta[1] - 0.5 * z * z - math.log(prior[2]) - log_root + math.log(2.0)
        gradient[1] += weight * (1.0 - z * z)
        z = (theta[2] - prior[3]) / prior[4]
        density += -0.5 * z * z - math.log(prior[4]) - log_root
        gradient[2] -= weight * z / prior[4]
        value += weight * density
    return value


@njit(cache=True, error_model="numpy")
def evaluate_times(
    times: Floats, end: float, prior: Floats, weight: float, thetas: Floats
) -> Floats:
    """``log_posterior_of_times`` at each row, shape (draws,)."""
    out = np.empty(len(thetas))
    gradient = np.zeros(3)
    for i in range(len(thetas)):
        out[i] = log_posterior_of_times(times, end, prior, weight, thetas[i], gradient)
    return out


@njit(cache=True, error_model="numpy")
def by_day(times: Floats, n_days: int, parameters: Floats) -> tuple[Floats, Floats]:
    """Triggered part of the integrated intensity of each day, and the sum of log intensities of its events."""
    draws = len(parameters)
    triggered = np.zeros((draws, n_days))
    logs = np.zeros((draws, n_days))
    for d in range(draws):
        baseline, branching, decay = parameters[d, 0], parameters[d, 1], parameters[d, 2]
        state = 0.0  # sum of exp(-decay * age) over earlier events
        last = 0.0
        i = 0
        for day in range(n_days):
            stop = day + 1.0
            while i < len(times) and (times[i] <= stop or day == n_days - 1):
                kept = math.exp(-decay * (times[i] - last))
                triggered[d, day] += branching * state * (1.0 - kept)
                state *= kept
                logs[d, day] += math.log(baseline + branching * decay * state)
                state += 1.0
                last = times[i]
                i += 1
            kept = math.exp(-decay * (stop - last))
            triggered[d, day] += branching * state * (1.0 - kept)
            state *= kept
            last = stop
    return triggered, logs
