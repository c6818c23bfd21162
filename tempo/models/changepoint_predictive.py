"""Conjugate segments, one bin at a time: arrays in, arrays out.

A segment's rate has a conjugate prior, so all that a run needs to carry are two numbers, here ``first`` and
``second``, from which the predictive probability of the next bin follows in closed form. The normal needs a
``third``; for ``GAMMA`` it holds the logarithm of ``second``, which spares the loops every other logarithm.

==============  =========================  ===================  ================================
family          prior of a segment         each bin adds        one-step predictive
==============  =========================  ===================  ================================
``GAMMA``       rate ~ Gamma(a, b)         (count, exposure)    negative binomial
``BERNOULLI``   p ~ Beta(a, b)             (count, 1 - count)   Bernoulli
``NEGBIN``      p ~ Beta(a, b)             (size e, count)      beta negative binomial
``NORMAL``      mean, precision ~          (1, value, squares)  Student's t
                Normal-Gamma
==============  =========================  ===================  ================================

For ``NORMAL``, ``first`` is the weight ``kappa`` of the mean, ``second`` the mean, ``third`` the Gamma rate ``beta``;
the Gamma shape is ``size + first / 2``, so that ``size`` is the prior shape less half the prior weight (Murphy 2007,
*Conjugate Bayesian analysis of the Gaussian distribution*). The values of ``NORMAL`` have exposure 1.

Factors that are common to all partitions (``e^y / y!`` and the like) are left to the caller. Gaps between events,
exponential given the rate, are the family ``GAMMA`` with a count of 1 and the gap as exposure.

The loops over runs call no library function: logarithm, exponential and log gamma are written without branches, so
that the compiler turns them into vector instructions. They are exact to a few units in the last place.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "BERNOULLI",
    "GAMMA",
    "NEGBIN",
    "NORMAL",
    "PRECISION",
    "ZIP",
    "log_predictive",
    "log_sum",
    "normal_update",
    "occam_factor",
    "predict",
    "predict_logs",
    "rate_moments",
]

type Floats = NDArray[np.float64]

GAMMA, BERNOULLI, NEGBIN, NORMAL = 0, 1, 2, 3
PRECISION = 5  # for moments only: those of the precision of a normal segment
ZIP = 4  # zero-inflated Poisson: not conjugate, so that no kernel of this module knows it

_SMALL_COUNT = 8.0  # up to here a product beats two log gammas
_LN2_HI, _LN2_LO = 6.93147180369123816490e-01, 1.90821492927058770002e-10


@njit(cache=True, fastmath={"contract"}, error_model="numpy", inline="never")
def _log(x: float) -> float:
    """Natural logarithm of a positive normal number, free of branches so that loops over it vectorise (fdlibm)."""
    bits = np.float64(x).view(np.int64)
    shifted = bits - np.int64(0x3FE6A09E667F3BCD)  # bits of sqrt(1/2)
    k = np.float64(np.int32(shifted >> 52))
    mantissa = np.int64(bits - ((shifted >> 52) << 52)).view(np.float64)
    f = mantissa - 1.0
    s = f / (2.0 + f)
    z = s * s
    r = z * (
        6.666666666666735130e-01
        + z
        * (
            3.999999999940941908e-01
            + z
            * (
                2.857142874366239149e-01
                + z
                * (
                    2.222219843214978396e-01
                    + z
                    * (
                        1.818357216161805012e-01
                        + z * (1.531383769920937332e-01 + z * 1.479819860511658591e-01)
                    )
                )
            )
        )
    )
    half = 0.5 * f * f
    return k * _LN2_HI - ((half - (s * (half + r) + k * _LN2_LO)) - f)


@njit(cache=True, fastmath={"contract"}, error_model="numpy", inline="never")
def _exp(x: float) -> float:
    """Exponential of a number that is at most about 700; below -700 it stops at ``exp(-700)``, which is nothing."""
    x = max(x, -700.0)
    t = x * 1.4426950408889634
    k = np.int32(t + math.copysign(0.5, t))
    n = np.float64(k)
    r = (x - n * _LN2_HI) - n * _LN2_LO
    p = 2.08767569878681e-09
    p = p * r + 2.505210838544172e-08
    p = p * r + 2.755731922398589e-07
    p = p * r + 2.7557319223985893e-06
    p = p * r + 2.48015873015873e-05
    p = p * r + 0.0001984126984126984
    p = p * r + 0.001388888888888889
    p = p * r + 0.008333333333333333
    p = p * r + 0.041666666666666664
    p = p * r + 0.16666666666666666
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    return p * np.int64((np.int64(k) + np.int64(1023)) << np.int64(52)).view(np.float64)


@njit(cache=True, fastmath={"contract"}, error_model="numpy", inline="always")
def _lgamma(x: float) -> float:
    """Log gamma of a positive number: Stirling's series at ``x + 8``, free of branches."""
    low = (x * (x + 1.0)) * ((x + 2.0) * (x + 3.0))
    high = ((x + 4.0) * (x + 5.0)) * ((x + 6.0) * (x + 7.0))
    s = x + 8.0
    i = 1.0 / s
    q = i * i
    series = i * (
        0.08333333333333333
        + q
        * (
            -0.002777777777777778
            + q
            * (
                0.0007936507936507937
                + q
                * (
                    -0.0005952380952380953
                    + q
                    * (
                        0.0008417508417508417
                        + q * (-0.0019175269175269176 + q * 0.00641025641025641)
                    )
                )
            )
        )
    )
    out: float = (s - 0.5) * _log(s) - s + 0.9189385332046727 + series - _log(low) - _log(high)
    return out


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nnan", "nsz"}, error_model="numpy")
def _largest(values: Floats, n_runs: int) -> float:
    out: float = values[0]
    for i in range(1, n_runs):
        out = max(out, values[i])
    return out


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def _add_lgamma(
    out: Floats,
    n_runs: int,
    sign: float,
    one: Floats,
    other: Floats,
    share: float,
    shift: float,
) -> None:
    """Add ``sign * lgamma(one + share * other + shift)`` to the first runs."""
    for i in range(n_runs):
        out[i] += sign * _lgamma(one[i] + share * other[i] + shift)


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def _terms(
    family: int,
    count: float,
    exposure: float,
    size: float,
    first: Floats,
    second: Floats,
    third: Floats,
    n_runs: int,
    out: Floats,
) -> None:
    """Write each run's log predictive of one bin, without the product that a small count of ``GAMMA`` brings.

    Adds the bin to the run, but for the count of the first two families.
    """
    if family == GAMMA:
        for i in range(n_runs):
            new = _log(second[i] + exposure)
            out[i] = first[i] * third[i] - (first[i] + count) * new
            third[i] = new
            second[i] += exposure
        if count > _SMALL_COUNT:
            _add_lgamma(out, n_runs, 1.0, first, second, 0.0, count)
            _add_lgamma(out, n_runs, -1.0, first, second, 0.0, 0.0)
    elif family == BERNOULLI:
        hit = count > 0.0
        for i in range(n_runs):
            out[i] = _log((first[i] if hit else second[i]) / (first[i] + second[i]))
        for i in range(n_runs):
            second[i] += 1.0 - count
    elif family == NORMAL:
        for i in range(n_runs):
            kappa = first[i]
            gap = count - second[i]
            shape = size + 0.5 * kappa
            old = third[i]
            new = old + 0.5 * kappa * gap * gap / (kappa + 1.0)
            log_old = _log(old)
            out[i] = (
                _lgamma(shape + 0.5)
                - _lgamma(shape)
                + 0.5 * (_log(kappa / (kappa + 1.0)) - log_old)
                - (shape + 0.5) * (_log(new) - log_old)
            )
            first[i] = kappa + 1.0
            second[i] += gap / (kappa + 1.0)
            third[i] = new
    else:
        trials = size * exposure
        for i in range(n_runs):
            out[i] = 0.0
        _add_lgamma(out, n_runs, 1.0, first, second, 0.0, trials)
        _add_lgamma(out, n_runs, -1.0, first, second, 0.0, 0.0)
        _add_lgamma(out, n_runs, 1.0, first, second, 1.0, 0.0)
        _add_lgamma(out, n_runs, -1.0, first, second, 1.0, trials + count)
        if count > 0.0:
            _add_lgamma(out, n_runs, 1.0, second, first, 0.0, count)
            _add_lgamma(out, n_runs, -1.0, second, first, 0.0, 0.0)
        for i in range(n_runs):
            first[i] += trials
            second[i] += count


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def predict(
    family: int,
    count: float,
    exposure: float,
    size: float,
    first: Floats,
    second: Floats,
    third: Floats,
    n_runs: int,
    out: Floats,
) -> float:
    """Write each run's predictive probability of one bin, up to a common factor, and add the bin to the run.

    Returns the log of that factor. That ``third`` holds the logarithm of ``second`` also makes rounding errors cancel
    along a run.
    """
    _terms(family, count, exposure, size, first, second, third, n_runs, out)
    offset: float = _largest(out, n_runs)
    for i in range(n_runs):
        out[i] = _exp(out[i] - offset)
    if family == GAMMA and count <= _SMALL_COUNT:
        for j in range(int(count)):
            for i in range(n_runs):
                out[i] *= first[i] + j
    if family < NEGBIN and count > 0.0:
        for i in range(n_runs):
            first[i] += count
    return offset


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def predict_logs(
    family: int,
    count: float,
    exposure: float,
    size: float,
    first: Floats,
    second: Floats,
    third: Floats,
    n_runs: int,
    out: Floats,
) -> None:
    """Write each run's log predictive of one bin, however improbable, and add the bin to the run."""
    _terms(family, count, exposure, size, first, second, third, n_runs, out)
    if family == GAMMA and 0.0 < count <= _SMALL_COUNT:
        for i in range(n_runs):
            product = first[i]
            for j in range(1, int(count)):
                product *= first[i] + j
            out[i] += _log(product)
    if family < NEGBIN and count > 0.0:
        for i in range(n_runs):
            first[i] += count


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nnan", "nsz"}, error_model="numpy")
def log_sum(values: Floats, n_runs: int) -> float:
    """Give the log of the sum of the exponentials of the first values; minus infinity where there are none."""
    if n_runs == 0:
        return -np.inf
    top = _largest(values, n_runs)
    total = 0.0
    for i in range(n_runs):
        total += _exp(values[i] - top)
    out: float = top + math.log(total)
    return out


@njit(cache=True, error_model="numpy")
def normal_update(
    kappa: float, mean: float, beta: float, value: float
) -> tuple[float, float, float]:
    """Add a value to the three statistics of a normal segment."""
    gap = value - mean
    return (
        kappa + 1.0,
        mean + gap / (kappa + 1.0),
        beta + 0.5 * kappa * gap * gap / (kappa + 1.0),
    )


@njit(cache=True, error_model="numpy")
def log_predictive(
    family: int,
    size: float,
    first: float,
    second: float,
    third: float,
    count: float,
    exposure: float,
) -> float:
    """Log predictive probability of one bin for one run, without factors common to all partitions."""
    if family == GAMMA:
        value = first * math.log(second / (second + exposure))
        if count > 0.0:
            value += math.lgamma(first + count) - math.lgamma(first)
            value -= count * math.log(second + exposure)
        return value
    if family == BERNOULLI:
        return math.log((first if count > 0.0 else second) / (first + second))
    if family == NORMAL:
        shape = size + 0.5 * first
        new = normal_update(first, second, third, count)[2]
        value = math.lgamma(shape + 0.5) - math.lgamma(shape) - 0.5 * math.log(third)
        value += 0.5 * math.log(first / (first + 1.0))
        return value - (shape + 0.5) * math.log(new / third)
    trials = size * exposure
    return (
        math.lgamma(first + trials)
        - math.lgamma(first)
        + math.lgamma(second + count)
        - math.lgamma(second)
        + math.lgamma(first + second)
        - math.lgamma(first + second + trials + count)
    )


@njit(cache=True, error_model="numpy")
def occam_factor(
    family: int,
    size: float,
    first: float,
    second: float,
    third: float,
    prior_first: float,
    prior_second: float,
    prior_third: float,
) -> float:
    """Largest likelihood of a run over its marginal likelihood, at least 1.

    Whatever comes later, a run predicts it at most this much better than a fresh segment does, because its
    posterior density is at most this multiple of the prior density. That is what bounds the cost of dropping it.
    Infinite for a normal run whose values are all equal, which must therefore be kept.
    """
    if family == NORMAL:
        n = first - prior_first
        mean = second + (second - prior_second) * prior_first / max(n, 1.0)
        apart = 0.5 * prior_first * n / first * (mean - prior_second) ** 2
        squares = 2.0 * (third - prior_third - apart)
        if squares <= 1e-9 * prior_third:
            return np.inf
        prior_shape = size + 0.5 * prior_first
        shape = size + 0.5 * first
        peak = -0.5 * n * (1.0 + math.log(squares / n))
        marginal = (
            math.lgamma(shape)
            - math.lgamma(prior_shape)
            + prior_shape * math.log(prior_third)
            - shape * math.log(third)
            + 0.5 * math.log(prior_first / first)
        )
        return math.exp(min(max(peak - marginal, 0.0), 600.0))
    n = first - prior_first
    e = second - prior_second
    if family == GAMMA:
        peak = n * math.log(n / e) - n if n > 0.0 and e > 0.0 else 0.0
        marginal = (
            math.lgamma(first)
            - math.lgamma(prior_first)
            + prior_first * math.log(prior_second)
            - first * math.log(second)
        )
    else:
        peak = 0.0
        if n > 0.0:
            peak += n * math.log(n / (n + e))
        if e > 0.0:
            peak += e * math.log(e / (n + e))
        marginal = (
            math.lgamma(first)
            + math.lgamma(second)
            - math.lgamma(first + second)
            - math.lgamma(prior_first)
            - math.lgamma(prior_second)
            + math.lgamma(prior_first + prior_second)
        )
    return math.exp(min(max(peak - marginal, 0.0), 600.0))


@njit(cache=True, nogil=True, error_model="numpy")
def rate_moments(
    family: int, size: float, first: float, second: float, third: float
) -> tuple[float, float]:
    """Give the mean and the mean square of a segment's rate in one whole bin, given its statistics.

    For ``PRECISION`` of normal values, the means of the precision and of its product with the mean instead.
    """
    if family == GAMMA:
        return first / second, first * (first + 1.0) / (second * second)
    if family == BERNOULLI:
        total = first + second
        return first / total, first * (first + 1.0) / (total * (total + 1.0))
    if family == PRECISION:
        precision = (size + 0.5 * first) / third
        return precision, second * precision
    if family == NORMAL:
        shape = size + 0.5 * first
        spread = third / ((shape - 1.0) * first) if shape > 1.0 else np.inf
        return second, second * second + spread
    mean = size * second / (first - 1.0)
    if first <= 2.0:
        return mean, np.inf
    return mean, size * size * second * (second + 1.0) / ((first - 1.0) * (first - 2.0))
