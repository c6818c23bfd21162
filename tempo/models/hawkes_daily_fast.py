"""The loops that make the likelihood of fully observed bins fast: arrays in, arrays out.

The textbook loop of `hawkes_daily` waits, in each bin, for a division, for a logarithm where something happened, and
for the recursion. Here the bins go through in chunks that stay in the first-level cache, and each chunk in passes of
which only the recursion is serial:

1. the recursions of the excitation ``S`` and of its derivative in the decay, four bins at a stride;
2. means, and lane-wise sums of what the gradient needs: one division for each bin;
3. bins in which something happened are moved together, and their logarithms taken by a polynomial that LLVM turns into
   vector code;
4. for the negative binomial, one logarithm for the product of all ``1 + dispersion mean`` of the chunk.

Bins that nobody watched make the recursion depend on the parameters in another way: `fast_log_likelihood` gives NaN
for them, and the caller takes the plain loop.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.hawkes_kernels_fast import CHUNK, chunk_log_product

__all__ = ["fast_log_likelihood", "in_fast_range", "normal_log"]

type Floats = NDArray[np.float64]

_LANES = {"contract", "reassoc", "nsz"}
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
# log(1 + f) = f - f^2/2 + s (f^2/2 + R), s = f / (2 + f), R a polynomial in s^2 (FreeBSD's e_log.c; error below 2^-58).
_L1 = 6.666666666666735130e-01
_L2 = 3.999999999940941908e-01
_L3 = 2.857142874366239149e-01
_L4 = 2.222219843214978396e-01
_L5 = 1.818357216161805012e-01
_L6 = 1.531383769920937332e-01
_L7 = 1.479819860511658591e-01
_HALF_ROOT = np.uint64(0x3FE6A09E667F3BCD)  # sqrt(1/2)
_BIAS = np.uint64(1024 << 52)
_SHIFT = np.uint64(52)
_WHOLE = np.uint64(
    0x4330000000000000
)  # 2^52: an integer below it, put into the low bits, adds itself
_WHOLE_AND_BIAS = 4503599627370496.0 + 1024.0


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def normal_log(x: float) -> float:
    """Give ``log(x)`` of a normal positive number, to about one unit in the last place."""
    bits = np.float64(x).view(np.uint64)
    biased = np.uint64(bits - _HALF_ROOT + _BIAS) >> _SHIFT
    exponent = np.uint64(biased | _WHOLE).view(np.float64) - _WHOLE_AND_BIAS
    fraction = np.uint64(bits + _BIAS - (biased << _SHIFT)).view(np.float64)
    f = fraction - 1.0
    s = f / (2.0 + f)
    z = s * s
    r = z * (_L1 + z * (_L2 + z * (_L3 + z * (_L4 + z * (_L5 + z * (_L6 + z * _L7))))))
    half = 0.5 * f * f
    return exponent * _LN2_HIGH - ((half - (s * (half + r) + exponent * _LN2_LOW)) - f)


@njit(cache=True, error_model="numpy")
def in_fast_range(
    baseline: float, branching: float, decay: float, dispersion: float, largest: float
) -> bool:
    """Say whether no mean can leave the range of a product of eight, and the dispersion is 0 or not too small."""
    most = baseline * 1e4 + branching * largest
    return (
        baseline >= 1e-30
        and most <= 1e29
        and decay < 700.0
        and (dispersion == 0.0 or (dispersion >= 1e-4 and dispersion * most <= 1e29))
    )


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _filter(m: int, kept: float, fed: Floats, start: float, out: Floats) -> float:
    """Write ``x_0 = start, x_{i+1} = kept x_i + fed_i`` and give ``x_m``, four at a stride."""
    k2 = kept * kept
    k3 = k2 * kept
    k4 = k2 * k2
    x = start
    whole = m // 4 * 4
    for i in range(0, whole, 4):
        one = fed[i]
        two = kept * one + fed[i + 1]
        three = kept * two + fed[i + 2]
        four = kept * three + fed[i + 3]
        out[i] = x
        out[i + 1] = kept * x + one
        out[i + 2] = k2 * x + two
        out[i + 3] = k3 * x + three
        x = k4 * x + four
    for i in range(whole, m):
        out[i] = x
        x = kept * x + fed[i]
    return x


@njit(cache=True, fastmath=_LANES, error_model="numpy")
def _sums(
    m: int,
    counts: Floats,
    days: Floats,
    state: Floats,
    state_decay: Floats,
    baseline: float,
    branching: float,
    dispersion: float,
    size: float,
    chance: Floats,
    spread: Floats,
) -> tuple[float, float, float, float, float]:
    total = g_baseline = g_branching = g_decay = g_dispersion = 0.0
    for i in range(m):
        mean = baseline * days[i] + branching * state[i]
        factor = 1.0 + dispersion * mean
        inverse = 1.0 / (mean * factor)
        slope = (counts[i] - mean) * inverse
        ratio = mean * mean * inverse
        chance[i] = ratio
        spread[i] = factor
        total += mean
        g_baseline += slope * days[i]
        g_branching += slope * state[i]
        g_decay += slope * state_decay[i]
        g_dispersion += (counts[i] + size) * ratio
    return total, g_baseline, g_branching, g_decay, g_dispersion


@njit(cache=True, fastmath=_LANES, error_model="numpy")
def _log_sum(m: int, counts: Floats, chance: Floats, busy: Floats) -> float:
    """Sum of ``counts log(chance)``; ``busy`` and ``chance`` are overwritten."""
    k = 0
    for i in range(m):  # where nothing happened, the next bin takes the place
        busy[k] = counts[i]
        chance[k] = chance[i]
        k += 1 if counts[i] > 0.0 else 0
    value = 0.0
    for i in range(k):
        value += busy[i] * normal_log(chance[i])
    return value


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def fast_log_likelihood(
    counts: Floats,
    days: Floats,
    width: float,
    tail: Floats,
    parameters: Floats,
    gradient: Floats,
) -> float:
    """``hawkes_daily.log_likelihood`` for parameters in range; NaN, and no gradient, where a bin was not watched."""
    n = len(counts)
    gaps = 0
    for t in range(n):
        gaps += 1 if counts[t] != counts[t] else 0
    if gaps:
        return math.nan
    baseline, branching, dispersion = parameters[0], parameters[1], parameters[3]
    fresh = -math.expm1(-parameters[2] * width)
    kept = 1.0 - fresh
    size = 1.0 / dispersion if dispersion > 0.0 else 0.0
    fed = np.empty(CHUNK)
    state = np.empty(CHUNK)
    state_decay = np.empty(CHUNK)
    chance = np.empty(CHUNK)
    spread = np.empty(CHUNK)
    last = last_decay = 0.0
    value = total = logs = g_baseline = g_branching = g_decay = g_dispersion = 0.0
    exponent = 0
    for first in range(0, n, CHUNK):
        m = min(CHUNK, n - first)
        y = counts[first : first + m]
        for i in range(m):
            fed[i] = fresh * y[i]
        last = _filter(m, kept, fed, last, state)
        for i in range(m):
            fed[i] = y[i] - state[i]
        last_decay = _filter(m, kept, fed, last_decay, state_decay)
        sums = _sums(
            m, y, days[first : first + m], state, state_decay, baseline, branching, dispersion, size, chance, spread
        )  # fmt: skip
        total += sums[0]
        g_baseline += sums[1]
        g_branching += sums[2]
        g_decay += sums[3]
        g_dispersion += sums[4]
        value += _log_sum(m, y, chance, fed)
        if dispersion > 0.0:
            power, rest = chunk_log_product(m, spread)
            exponent += power
            logs += rest
    if dispersion > 0.0:
        logs += exponent * math.log(2.0)
        value -= logs * size
        g_dispersion = logs * size * size - g_dispersion
    else:
        value -= total
        g_dispersion = 0.0
    for j in range(len(tail)):  # sum of log y! and of log Gamma ratios, bins taken together
        value -= tail[j] * math.log1p(j)
        if dispersion > 0.0:
            value += tail[j] * math.log1p(dispersion * j)
            g_dispersion += tail[j] * j / (1.0 + dispersion * j)
    gradient[0] = g_baseline
    gradient[1] = g_branching
    gradient[2] = g_decay * branching * width * kept
    gradient[3] = g_dispersion
    return value
