"""Compiled kernels of severity tails: the Hurwitz zeta function, the search for x_min, and draws. Arrays only."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.hawkes_kernels_random import exponential, negative_binomial, normal, uniform

__all__ = ["LOGNORMAL", "MOST", "NEGBIN", "POWER", "draw_one", "hurwitz_zeta", "scan", "simulate"]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

NEGBIN, LOGNORMAL, POWER = 0, 1, 2

#: Larger draws are set to this, so that sums stay whole numbers: a limit of the computer, not of the model.
MOST = 10**12

# B_2j / (2j)! for j = 1 … 8.
_BERNOULLI = np.array(
    [
        1.0 / 12.0,
        -1.0 / 720.0,
        1.0 / 30240.0,
        -1.0 / 1209600.0,
        1.0 / 47900160.0,
        -691.0 / 1307674368000.0,
        1.0 / 74724249600.0,
        -3617.0 / 10670622842880000.0,
    ]
)
# Bounds on loops that end long before, whatever the parameters.
_MOST_TERMS, _MOST_STEPS, _MOST_TRIES = 10_000, 4_096, 100_000
_GOLDEN = 0.5 * (math.sqrt(5.0) - 1.0)


@njit(cache=True, error_model="numpy")
def hurwitz_zeta(s: float, q: float) -> float:
    """Give ``sum over k >= 0 of (q + k)^-s`` for s > 1 and q > 0, by Euler-Maclaurin summation.

    The first terms are added one by one until ``q + k >= max(10, s)``; eight correction terms then leave an error near
    rounding.
    """
    total: float = 0.0
    x = q
    while x < 10.0 or (x < s and x - q < _MOST_TERMS):
        power = x**-s
        total += power
        x += 1.0
        if power <= 1e-18 * total:
            return total
    power = x**-s
    total += power * (x / (s - 1.0) + 0.5)
    term = s * power / x
    for j in range(len(_BERNOULLI)):
        total += _BERNOULLI[j] * term
        term *= (s + 2.0 * j + 1.0) * (s + 2.0 * j + 2.0) / (x * x)
    return total


@njit(cache=True, error_model="numpy")
def _slope(exponent: float, x_min: float, n: float, log_sum: float) -> float:
    """Log-likelihood of the discrete power law, all numbers at least ``x_min``."""
    return -n * math.log(hurwitz_zeta(exponent, x_min)) - exponent * log_sum


@njit(cache=True, error_model="numpy")
def _best_exponent(x_min: float, n: float, log_sum: float) -> float:
    """Maximise the likelihood by golden section: it is concave in the exponent."""
    low, high = 1.0 + 1e-6, 3.0
    while high < 1e3 and _slope(high, x_min, n, log_sum) > _slope(0.98 * high, x_min, n, log_sum):
        high *= 1.5
    a, b = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    f_a, f_b = _slope(a, x_min, n, log_sum), _slope(b, x_min, n, log_sum)
    while high - low > 1e-9 * high:
        if f_a < f_b:
            low, a, f_a = a, b, f_b
            b = low + _GOLDEN * (high - low)
            f_b = _slope(b, x_min, n, log_sum)
        else:
            high, b, f_b = b, a, f_a
            a = high - _GOLDEN * (high - low)
            f_a = _slope(a, x_min, n, log_sum)
    return 0.5 * (low + high)


@njit(cache=True, error_model="numpy")
def scan(values: Floats, number_of: Floats, candidates: Ints) -> tuple[Floats, Floats]:
    """Fit the exponent for each candidate x_min, and give the Kolmogorov-Smirnov distance of each fit.

    ``values`` ascend, each ``number_of`` times; ``candidates`` are places in ``values``. The distance is the greatest
    over all whole numbers, those between two observed values too.
    """
    exponents = np.empty(len(candidates))
    distances = np.empty(len(candidates))
    for c in range(len(candidates)):
        first = candidates[c]
        x_min = values[first]
        n = number_of[first:].sum()
        log_sum = 0.0
        for i in range(first, len(values)):
            log_sum += number_of[i] * math.log(values[i])
        exponent = _best_exponent(x_min, n, log_sum)
        whole = hurwitz_zeta(exponent, x_min)
        seen = 0.0
        worst = 0.0
        for i in range(first, len(values)):
            before = 1.0 - hurwitz_zeta(exponent, values[i]) / whole  # P(X < value)
            worst = max(worst, abs(before - seen / n))
            seen += number_of[i]
            at = 1.0 - hurwitz_zeta(exponent, values[i] + 1.0) / whole
            worst = max(worst, abs(at - seen / n))
        exponents[c], distances[c] = exponent, worst
    return exponents, distances


@njit(cache=True, error_model="numpy")
def _negbin_above(least: int, mean: float, dispersion: float, stream: NDArray[np.uint64]) -> int:
    """Draw until it is more than ``least``; where that is next to impossible, give the next number."""
    for _ in range(_MOST_TRIES):
        draw = negative_binomial(mean, dispersion, stream)
        if draw > least:
            return int(min(draw, MOST))
    return least + 1


@njit(cache=True, error_model="numpy")
def _draw_negbin(mean: float, dispersion: float, stream: NDArray[np.uint64]) -> int:
    log_zero = -math.log1p(mean * dispersion) / dispersion
    if log_zero < -0.7:  # zeros are rarer than every other draw: throw them away
        return int(_negbin_above(0, mean, dispersion, stream))
    shape = 1.0 / dispersion
    ratio = mean * dispersion / (1.0 + mean * dispersion)
    mass = shape * ratio * math.exp(log_zero) / -math.expm1(log_zero)
    left = uniform(stream) - mass
    x = 1
    while left > 0.0 and (mass > 1e-18 or x < mean) and x < _MOST_STEPS:
        mass *= (x + shape) / (x + 1.0) * ratio
        x += 1
        left -= mass
    if left > 0.0 and x == _MOST_STEPS:
        return int(_negbin_above(_MOST_STEPS, mean, dispersion, stream))
    return x


@njit(cache=True, error_model="numpy")
def _draw_lognormal(mu: float, sigma: float, stream: NDArray[np.uint64]) -> int:
    """Round a log-normal number that is known to be at least one half."""
    low = (math.log(0.5) - mu) / sigma
    for _ in range(_MOST_TRIES):
        if low > 0.5:  # Robert (1995): a truncated normal from a shifted exponential
            rate = 0.5 * (low + math.sqrt(low * low + 4.0))
            z = low + exponential(stream) / rate
            if math.log(uniform(stream)) > -0.5 * (z - rate) ** 2:
                continue
        else:
            z = normal(stream)
            if z < low:
                continue
        log_x = mu + sigma * z
        if not log_x < math.log(MOST):
            return MOST
        return int(max(math.floor(math.exp(log_x) + 0.5), 1.0))
    return 1


@njit(cache=True, error_model="numpy")
def _draw_power(exponent: float, x_min: float, stream: NDArray[np.uint64]) -> int:
    """Round a Pareto number down and accept it in proportion: exact for every x_min (after Devroye 1986, ch. X.6)."""
    s = exponent - 1.0
    worst = 1.0 / (x_min * -math.expm1(-s * math.log1p(1.0 / x_min)))
    for _ in range(_MOST_TRIES):
        y = x_min * uniform(stream) ** (-1.0 / s)
        if not y < MOST:  # before it becomes a whole number, which could not hold it
            if uniform(stream) * worst * s <= 1.0:  # the limit of the odds below
                return MOST
            continue
        y = float(math.floor(y))
        if uniform(stream) * worst * y * -math.expm1(-s * math.log1p(1.0 / y)) <= 1.0:
            return int(y)
    return int(x_min)


@njit(cache=True, error_model="numpy")
def draw_one(
    family: int,
    first: float,
    second: float,
    x_min: int,
    body: Floats,
    stream: NDArray[np.uint64],
) -> int:
    """Draw how many, given that there is at least one."""
    if family == NEGBIN:
        return int(_draw_negbin(first, second, stream))
    if family == LOGNORMAL:
        return int(_draw_lognormal(first, second, stream))
    if x_min > 1:
        u = uniform(stream)
        for k in range(x_min - 1):
            if u < body[k]:
                return k + 1
    return int(_draw_power(first, float(x_min), stream))


@njit(cache=True, error_model="numpy")
def simulate(
    attacks: Ints,
    up_to: Floats,
    chance: Floats,
    family: Ints,
    first: Floats,
    second: Floats,
    x_min: Ints,
    body: Floats,
    seeds: NDArray[np.uint64],
) -> tuple[Ints, Ints]:
    """Give the sum and the largest toll of the attacks in each bin, shape (draws, bins).

    Row d of everything belongs to draw d. An attack is of sort c with probability ``up_to[d, c] - up_to[d, c - 1]``; it
    then kills with ``chance[d, c]``, and the tail begins with the parameter ``first[d, c]``; ``body[d, k - 1]`` is
    P(X <= k) below ``x_min[d]``.
    """
    total = np.zeros(attacks.shape, dtype=np.int64)
    largest = np.zeros(attacks.shape, dtype=np.int64)
    stream = np.empty(1, dtype=np.uint64)
    last = chance.shape[1] - 1
    for d in range(attacks.shape[0]):
        stream[0] = seeds[d]
        for t in range(attacks.shape[1]):
            for _ in range(attacks[d, t]):
                c = 0
                if last > 0:
                    c = min(np.searchsorted(up_to[d], uniform(stream), side="right"), last)
                if uniform(stream) < chance[d, c]:
                    x = draw_one(family[d], first[d, c], second[d], x_min[d], body[d], stream)
                    total[d, t] = min(total[d, t] + x, 1000 * MOST)
                    largest[d, t] = max(largest[d, t], x)
    return total, largest
