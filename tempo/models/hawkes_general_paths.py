"""Simulation kernel of the general daily Hawkes model: any kernel, observation and marks; one path for each draw."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.hawkes_general import expectations
from tempo.models.hawkes_kernels_random import negative_binomial, poisson, uniform

__all__ = ["general_paths", "known_ahead"]

type Floats = NDArray[np.float64]
type Counts = NDArray[np.int64]
type Seeds = NDArray[np.uint64]


@njit(cache=True, error_model="numpy")
def known_ahead(block: Floats, thetas: Floats, horizon: int) -> Floats:
    """Means of the last ``horizon`` bins as far as they are known beforehand: (draws, horizon)."""
    n = int(block[1])
    out = np.empty((len(thetas), horizon))
    for d in range(len(thetas)):
        base, triggered, forced = expectations(block, thetas[d : d + 1])
        for t in range(horizon):
            at = n - horizon + t
            out[d, t] = base[0, at] + triggered[0, at] + forced[0, at]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _truncated(typical: float, dispersion: float, stream: Seeds) -> int:
    """Give a number above zero of attacks on an attack day."""
    spread = 1.0 + dispersion * typical
    log_zero = -typical if dispersion < 1e-9 else -math.log(spread) / dispersion
    if log_zero < -0.7:  # zero is the rarer outcome: try again when it comes
        y = 0
        while y == 0:
            y = (
                negative_binomial(typical, dispersion, stream)
                if dispersion > 1e-9
                else poisson(typical, stream)
            )
        return y
    chance = math.exp(log_zero)
    left = uniform(stream) * (1.0 - chance)
    y = 0
    while y < 1_000_000:
        chance *= typical * (1.0 + dispersion * y) / (spread * (y + 1.0))
        y += 1
        left -= chance
        if left <= 0.0:
            break
    return y


@njit(cache=True, nogil=True, error_model="numpy")
def general_paths(
    background: Floats,
    kernel: Floats,
    branching: Floats,
    observation: int,
    typical: Floats,
    dispersion: Floats,
    size: Floats,
    codes: Counts,
    weights: Floats,
    seed: Seeds,
    cap: float,
    out: Counts,
) -> None:
    """Write counts forward in time. ``codes`` are the marks of the past, which new attacks draw theirs from."""
    bins = out.shape[1]
    coming = np.empty(bins)
    for d in range(out.shape[0]):
        stream = seed[d : d + 1]
        for t in range(bins):
            coming[t] = 0.0
        for t in range(bins):
            mean = min(background[d, t] + branching[d] * coming[t], cap)
            if observation == 0:
                y = poisson(mean, stream)
            elif observation == 1:
                y = negative_binomial(mean, dispersion[d], stream)
            elif uniform(stream) < -math.expm1(-mean / size[d]):
                y = _truncated(typical[d], dispersion[d], stream)
            else:
                y = 0
            out[d, t] = y
            if y > 0:
                amount = float(y)
                if len(codes) > 0:
                    amount = 0.0
                    for _ in range(y):
                        amount += weights[d, codes[int(uniform(stream) * len(codes))]]
                for k in range(bins - t - 1):
                    coming[t + 1 + k] += kernel[d, k] * amount
