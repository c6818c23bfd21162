"""Kernels of the general daily Hawkes model: how what one attack triggers is spread over the days that follow.

Every kernel is a set of weights on lags 1, 2, ... that sums to one, so that the branching ratio means the same in all.
With ``w`` the days in a bin, and up to the longest lag ``L`` where that is said:

    exponential       h_k = (1 - r) r^(k-1),  r = exp(-decay w)
    sum_exponential   a mixture of two or three of these, fastest first
    power             h_k ~ G((k-1) w) - G(k w),  G(x) = (1 + x / scale)^(-exponent)      up to L (Lomax, Omori)
    gamma             h_k ~ x^(shape-1) exp(-shape x / mean),  x = (k - 1/2) w            up to L
    histogram         constant between given lags, with a free level in each

The compiled functions take unbounded parameters ("places": logarithms, log ratios and logits) and give derivatives in
them. See Kirchner (2017), An estimation procedure for the Hawkes process, Quantitative Finance 17, for the histogram.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "EXPONENTIAL",
    "GAMMA",
    "HISTOGRAM",
    "KINDS",
    "POWER",
    "SUM_EXPONENTIAL",
    "component_slopes",
    "components",
    "decays_and_shares",
    "lag_weights",
    "mixture_slopes",
    "recursive",
    "shape_size",
]

type Floats = NDArray[np.float64]

EXPONENTIAL, SUM_EXPONENTIAL, POWER, GAMMA, HISTOGRAM = 0, 1, 2, 3, 4
KINDS = {
    "exponential": EXPONENTIAL,
    "sum_exponential": SUM_EXPONENTIAL,
    "power": POWER,
    "gamma": GAMMA,
    "histogram": HISTOGRAM,
}


def shape_size(kind: int, parts: int) -> int:
    """Count the parameters of a kernel.

    Parameters
    ----------
    kind : int
        One of ``KINDS``.
    parts : int
        Exponentials of a sum, or levels of a histogram.

    Returns
    -------
    int
        Unbounded numbers that describe it.
    """
    sizes = {EXPONENTIAL: 1, SUM_EXPONENTIAL: 2 * parts - 1, POWER: 2, GAMMA: 2}
    return sizes.get(kind, parts - 1)


@njit(cache=True, error_model="numpy")
def recursive(kind: int) -> bool:
    """Whether a kernel is made of exponentials, whose excitation follows a recursion without end."""
    return kind <= 1


@njit(cache=True, error_model="numpy")
def decays_and_shares(place: Floats, parts: int, decays: Floats, shares: Floats) -> None:
    """Write decay rates and mixture shares of a sum of exponentials.

    ``place``: log of the fastest decay; for each next one the log of how much smaller its log decay is; then logits
    of a stick that is broken into shares.
    """
    log_decay = place[0]
    left = 1.0
    for c in range(parts):
        if c > 0:
            log_decay -= math.exp(place[c])
        decays[c] = math.exp(log_decay)
        if c < parts - 1:
            broken = 1.0 / (1.0 + math.exp(-place[parts + c]))
            shares[c] = left * broken
            left *= 1.0 - broken
        else:
            shares[c] = left


@njit(cache=True, error_model="numpy")
def mixture_slopes(
    place: Floats, parts: int, in_logs: Floats, in_shares: Floats, gradient: Floats
) -> None:
    """Turn derivatives in log decays and mixture shares into derivatives in ``place``, added to ``gradient``."""
    decays, shares = np.empty(parts), np.empty(parts)
    decays_and_shares(place, parts, decays, shares)
    # Every later decay moves with an earlier log decay.
    carried = 0.0
    for c in range(parts - 1, -1, -1):
        carried += in_logs[c]
        gradient[c] += carried if c == 0 else -carried * math.exp(place[c])
    for c in range(parts - 1):
        broken = 1.0 / (1.0 + math.exp(-place[parts + c]))
        total = in_shares[c] * shares[c] * (1.0 - broken)
        for later in range(c + 1, parts):
            total -= in_shares[later] * shares[later] * broken
        gradient[parts + c] += total


@njit(cache=True, error_model="numpy")
def components(place: Floats, parts: int, width: float) -> tuple[Floats, Floats, Floats]:
    """Give decay rates, fresh shares ``1 - exp(-decay w)`` and mixture shares of a sum of exponentials."""
    decays, shares = np.empty(parts), np.empty(parts)
    decays_and_shares(place, parts, decays, shares)
    fresh = np.empty(parts)
    for c in range(parts):
        fresh[c] = -math.expm1(-decays[c] * width)
    return decays, fresh, shares


@njit(cache=True, error_model="numpy")
def component_slopes(
    place: Floats,
    parts: int,
    width: float,
    in_fresh: Floats,
    in_shares: Floats,
    gradient: Floats,
) -> None:
    """Turn derivatives in fresh shares and mixture shares into derivatives in ``place``, added to ``gradient``."""
    decays, _, _ = components(place, parts, width)
    in_logs = np.empty(parts)
    for c in range(parts):
        in_logs[c] = in_fresh[c] * width * math.exp(-decays[c] * width) * decays[c]
    mixture_slopes(place, parts, in_logs, in_shares, gradient)


@njit(cache=True, error_model="numpy")
def lag_weights(
    kind: int,
    place: Floats,
    parts: int,
    width: float,
    group: Floats,
    weights: Floats,
    slopes: Floats,
) -> None:
    """Write the weights of lags 1 to L, and their derivatives in each parameter, shape (parameters, L).

    ``group`` holds the level of a histogram that each lag belongs to. Exponentials get their first L weights, which
    sum to one only in the limit, and no derivatives: their likelihood uses the recursion.
    """
    lags = len(weights)
    if kind <= 1:
        decays, fresh, shares = components(place, parts, width)
        for k in range(lags):
            weights[k] = 0.0
        for c in range(parts):
            kept = math.exp(-decays[c] * width)
            weight = shares[c] * fresh[c]
            for k in range(lags):
                weights[k] += weight
                weight *= kept
    elif kind == 2:
        scale, exponent = math.exp(place[0]), math.exp(place[1])
        before, before_scale, before_exponent = 1.0, 0.0, 0.0
        for k in range(lags):
            x = (k + 1) * width / scale
            log_u = math.log1p(x)
            after = math.exp(-exponent * log_u)
            after_scale = exponent * x / (1.0 + x) * after
            after_exponent = -exponent * log_u * after
            weights[k] = before - after
            slopes[0, k] = before_scale - after_scale
            slopes[1, k] = before_exponent - after_exponent
            before, before_scale, before_exponent = after, after_scale, after_exponent
        total = 1.0 - before
        for k in range(lags):
            weights[k] /= total
            slopes[0, k] = (slopes[0, k] + weights[k] * before_scale) / total
            slopes[1, k] = (slopes[1, k] + weights[k] * before_exponent) / total
    else:
        shape = mean = 1.0
        levels = np.zeros(parts if kind == 4 else 1)
        if kind == 3:
            shape, mean = math.exp(place[0]), math.exp(place[1])
        else:
            for g in range(1, parts):
                levels[g] = levels[g - 1] + place[g - 1]
        largest = -math.inf
        for k in range(lags):
            if kind == 3:
                x = (k + 0.5) * width
                weights[k] = (shape - 1.0) * math.log(x) - shape * x / mean
                slopes[0, k] = shape * (math.log(x) - x / mean)
                slopes[1, k] = shape * x / mean
            else:
                weights[k] = levels[int(group[k])]
                for g in range(parts - 1):
                    slopes[g, k] = 1.0 if group[k] > g else 0.0
            largest = max(largest, weights[k])
        total = 0.0
        for k in range(lags):
            weights[k] = math.exp(weights[k] - largest)
            total += weights[k]
        for k in range(lags):
            weights[k] /= total
        for i in range(len(slopes)):
            average = 0.0
            for k in range(lags):
                average += weights[k] * slopes[i, k]
            for k in range(lags):
                slopes[i, k] = weights[k] * (slopes[i, k] - average)
