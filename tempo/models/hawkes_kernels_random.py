"""Random numbers inside numba: one small stream for each path, seeded from a numpy ``Generator``.

Each path owns a SplitMix64 stream (Steele, Lea & Flood 2014), so that a path depends on its own seed alone: neither
the order of the paths nor the number of workers can change it, and the draws cost a nanosecond.
A stream is a ``uint64`` array of length one.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["exponential", "gamma", "negative_binomial", "normal", "poisson", "seeds", "uniform"]

type Stream = NDArray[np.uint64]

#: Larger counts are set to this, so that sums of them stay whole numbers: a limit of the computer, not of a model.
LARGEST = 10**15
_MOST_TRIES = (
    10_000  # of a rejection sampler, which ends after one or two unless a parameter is not a number
)

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S11 = np.uint64(11)
_S27 = np.uint64(27)
_S30 = np.uint64(30)
_S31 = np.uint64(31)
_UNIT = 1.0 / 9007199254740992.0


def seeds(rng: np.random.Generator, n: int) -> NDArray[np.uint64]:
    """Give the seeds of ``n`` streams.

    Parameters
    ----------
    rng : numpy.random.Generator
        Advanced by ``n`` draws.
    n : int
        How many.

    Returns
    -------
    ndarray of uint64, shape (n,)
        One seed for each path.
    """
    return rng.integers(0, 2**64, size=n, dtype=np.uint64)


@njit(cache=True, error_model="numpy")
def uniform(stream: Stream) -> float:
    """Draw from (0, 1): neither end can occur, so that its logarithm is finite."""
    stream[0] += _STEP
    z = stream[0]
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    z ^= z >> _S31
    return (float(np.int64(z >> _S11)) + 0.5) * _UNIT


@njit(cache=True, error_model="numpy")
def exponential(stream: Stream) -> float:
    """Draw from the unit exponential distribution."""
    u: float = uniform(stream)
    return -math.log(u)


@njit(cache=True, error_model="numpy")
def normal(stream: Stream) -> float:
    """Draw from the standard normal distribution (polar method)."""
    for _ in range(_MOST_TRIES):
        x = 2.0 * uniform(stream) - 1.0
        y = 2.0 * uniform(stream) - 1.0
        s = x * x + y * y
        if 0.0 < s < 1.0:
            draw: float = x * math.sqrt(-2.0 * math.log(s) / s)
            return draw
    return 0.0


@njit(cache=True, error_model="numpy")
def gamma(shape: float, stream: Stream) -> float:
    """Draw from the gamma distribution of scale one (Marsaglia & Tsang 2000)."""
    boost = 1.0
    if shape < 1.0:
        boost = math.exp(math.log(uniform(stream)) / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    for _ in range(_MOST_TRIES):
        x = normal(stream)
        v = 1.0 + c * x
        if v <= 0.0:
            continue
        v = v * v * v
        if math.log(uniform(stream)) < 0.5 * x * x + d - d * v + d * math.log(v):
            draw: float = boost * d * v
            return draw
    typical: float = boost * d
    return typical


@njit(cache=True, error_model="numpy")
def _sure_zero(mean: float) -> float:
    """Bound exp(-mean) from below: most draws of rare events are settled without a transcendental function.

    The chance of zero under the negative binomial is larger still, so that the bound serves there too.
    """
    return 1.0 - mean * (1.0 - mean * (0.5 - mean / 6.0))


@njit(cache=True, error_model="numpy")
def poisson(mean: float, stream: Stream) -> int:
    """Draw from the Poisson distribution: by inversion, or by Hörmann's (1993) PTRS where the mean is 12 or more."""
    if mean < 12.0:
        if not mean > 0.0:
            return 0
        u = uniform(stream)
        if u <= _sure_zero(mean):
            return 0
        p = math.exp(-mean)
        k = 0
        while u > p and k < 200:
            u -= p
            k += 1
            p *= mean / k
        return k
    if not mean < LARGEST:  # not a number, too
        return LARGEST
    log_mean = math.log(mean)
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2.0)
    for _ in range(_MOST_TRIES):
        u = uniform(stream) - 0.5
        v = uniform(stream)
        us = 0.5 - abs(u)
        x = math.floor((2.0 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= v_r:
            return int(x)
        if x < 0.0 or (us < 0.013 and v > us):
            continue
        if math.log(v * inverse_alpha / (a / (us * us) + b)) <= (
            -mean + x * log_mean - math.lgamma(x + 1.0)
        ):
            return int(x)
    return int(mean)


@njit(cache=True, error_model="numpy")
def negative_binomial(mean: float, dispersion: float, stream: Stream) -> int:
    """Draw from the negative binomial distribution with variance ``mean + dispersion * mean**2``."""
    if dispersion * mean < 1e-12:
        plain: int = poisson(mean, stream)
        return plain
    size = 1.0 / dispersion
    if mean < 12.0:
        u = uniform(stream)
        if u <= _sure_zero(mean):
            return 0
        ratio = dispersion * mean / (1.0 + dispersion * mean)
        p = math.exp(-size * math.log1p(dispersion * mean))
        k = 0
        while u > p and k < 1_000:
            u -= p
            p *= ratio * (size + k) / (k + 1.0)
            k += 1
        if k < 1_000:
            return k
    mixed: int = poisson(gamma(size, stream) * dispersion * mean, stream)
    return mixed
