"""Exact recursions over every placement of the changepoints: arrays in, arrays out.

A series of ``m`` observed bins is cut into segments. Given the cuts, segments are independent, each with its own
rate drawn from a conjugate prior, so the evidence of a segment is known in closed form (a product-partition
model). These kernels sum, maximise or sample over all ``2^(m-1)`` partitions.

The pass of :func:`filter_pass` is the run-length filter of Adams & MacKay (2007), which is the forward half of
Fearnhead (2006). Each live run carries the two sufficient statistics of its segment; a new bin multiplies its
weight by the one-step predictive probability. Weights stay in the linear domain and are rescaled each step. A run
whose weight is negligible is dropped, and what dropping it can have cost at most is added up (:func:`_occam`).

Bins that were not observed are left out before these kernels are called. ``places[t]`` is the number of bins from
the previous observed bin to bin ``t`` (1 unless there is a gap between them).

Observation families share two statistics ``first`` and ``second`` for each run:

==============  =========================  ===================  ================================
family          prior of a segment         each bin adds        one-step predictive
==============  =========================  ===================  ================================
``GAMMA``       rate ~ Gamma(a, b)         (count, exposure)    negative binomial
``BERNOULLI``   p ~ Beta(a, b)             (count, 1 - count)   Bernoulli
``NEGBIN``      p ~ Beta(a, b)             (size e, count)      beta negative binomial
==============  =========================  ===================  ================================

Factors that do not depend on the partition (``e^y / y!``) are left to the caller.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "BERNOULLI",
    "GAMMA",
    "NEGBIN",
    "conditional_means",
    "filter_pass",
    "initial_state",
    "most_probable",
    "number_pass",
    "predictive_moments",
    "sample_partitions",
    "smoothed_moments",
]

GAMMA, BERNOULLI, NEGBIN = 0, 1, 2

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]
type State = tuple[Integers, Floats, Floats, Floats]

_PRUNE_EVERY = 8  # bins between two looks at which runs are still alive
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


@njit(cache=True, fastmath={"contract"}, error_model="numpy", inline="never")
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
                    + q * (0.0008417508417508417 + q * (-0.0019175269175269176 + q * 0.00641025641025641))
                )
            )
        )
    )
    return (s - 0.5) * _log(s) - s + 0.9189385332046727 + series - _log(low) - _log(high)


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nnan", "nsz"}, error_model="numpy")
def _largest(values: Floats, n_runs: int) -> float:
    out = values[0]
    for i in range(1, n_runs):
        out = max(out, values[i])
    return out


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def _predict(
    family: int,
    count: float,
    exposure: float,
    size: float,
    first: Floats,
    second: Floats,
    log_second: Floats,
    n_runs: int,
    out: Floats,
) -> float:
    """Write each run's predictive probability of one bin, up to a common factor, and add the bin to the run.

    Returns the log of that factor. ``log_second`` spares every other logarithm; it also makes rounding errors
    cancel along a run.
    """
    if family == GAMMA:
        if count <= _SMALL_COUNT:
            for i in range(n_runs):
                new = _log(second[i] + exposure)
                out[i] = first[i] * log_second[i] - (first[i] + count) * new
                log_second[i] = new
                second[i] += exposure
        else:
            for i in range(n_runs):
                out[i] = _lgamma(first[i] + count) - _lgamma(first[i])
            for i in range(n_runs):
                new = _log(second[i] + exposure)
                out[i] += first[i] * log_second[i] - (first[i] + count) * new
                log_second[i] = new
                second[i] += exposure
    elif family == BERNOULLI:
        hit = count > 0.0
        for i in range(n_runs):
            out[i] = _log((first[i] if hit else second[i]) / (first[i] + second[i]))
        for i in range(n_runs):
            second[i] += 1.0 - count
    else:
        trials = size * exposure
        for i in range(n_runs):
            out[i] = _lgamma(first[i] + trials) - _lgamma(first[i])
        for i in range(n_runs):
            out[i] += _lgamma(first[i] + second[i]) - _lgamma(first[i] + second[i] + trials + count)
        if count > 0.0:
            for i in range(n_runs):
                out[i] += _lgamma(second[i] + count) - _lgamma(second[i])
        for i in range(n_runs):
            first[i] += trials
            second[i] += count
    offset = _largest(out, n_runs)
    for i in range(n_runs):
        out[i] = _exp(out[i] - offset)
    if family == GAMMA and count <= _SMALL_COUNT:
        for j in range(int(count)):
            for i in range(n_runs):
                out[i] *= first[i] + j
    if family != NEGBIN and count > 0.0:
        for i in range(n_runs):
            first[i] += count
    return offset


@njit(cache=True, error_model="numpy")
def _occam(
    family: int, first: float, second: float, prior_first: float, prior_second: float
) -> float:
    """Largest likelihood of a run over its marginal likelihood, at least 1.

    Whatever comes later, a run predicts it at most this much better than a fresh segment does, because its
    posterior density is at most this multiple of the prior density. That is what bounds the cost of dropping it.
    """
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


@njit(cache=True, error_model="numpy")
def initial_state(n_columns: int) -> State:
    """Give the state of a filter that has seen nothing: ``start, first, second, weight``."""
    return (
        np.zeros(0, dtype=np.int64),
        np.zeros(0),
        np.zeros(0),
        np.zeros((n_columns, 0)),
    )


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")
def _reweigh(weight: Floats, n_runs: int, factor: float, predictive: Floats) -> float:
    """Multiply the weights of all runs but the newest by ``factor``, of all by their predictive; return the sum."""
    total = 0.0
    for i in range(n_runs):
        value = weight[i] * factor * predictive[i]
        weight[i] = value
        total += value
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def filter_pass(
    family: int,
    counts: Floats,
    exposure: Floats,
    change: Floats,
    stay: Floats,
    prior_first: float,
    prior_second: float,
    size: float,
    prune: float,
    state: State,
    begun: int,
) -> tuple[Floats, Floats, State, int]:
    """Run the filter over some bins, for several hazards at once.

    Parameters
    ----------
    family : int
        ``GAMMA``, ``BERNOULLI`` or ``NEGBIN``.
    counts, exposure : float array (m,)
        Observed bins only.
    change, stay : float array (hazards, m)
        Factor for a change, and for none, just before each bin. Not used for the very first bin of a series.
    prior_first, prior_second : float
        Prior of each segment.
    size : float
        Size of the negative binomial; not used otherwise.
    prune : float
        A run is dropped when its share of the weight is below ``prune`` times the next factor for a change, under
        every hazard. Zero keeps all runs.
    state : tuple
        From :func:`initial_state` or an earlier call.
    begun : int
        Bins filtered before this call.

    Returns
    -------
    log_evidence : float array (hazards, m + 1)
        Of the bins of this call up to each one, given the bins before.
    lost : float array (hazards, m)
        For each bin, a bound on what the runs dropped after it could add to the evidence of everything, as a
        multiple of the part in which a segment begins at the next bin (at most a share of the evidence).
    state : tuple
        Start, two statistics and share of the weight of each live run.
    most : int
        Largest number of live runs.
    """
    m = counts.size
    n_columns = change.shape[0]
    log_evidence = np.zeros((n_columns, m + 1))
    lost = np.zeros((n_columns, m))
    live = state[0].size
    capacity = max(2 * live, min(m + live, 1024)) + 1
    start = np.empty(capacity, dtype=np.int64)
    first = np.empty(capacity)
    second = np.empty(capacity)
    log_second = np.empty(capacity)
    predictive = np.empty(capacity)
    weight = np.empty((n_columns, capacity))
    start[:live] = state[0]
    first[:live] = state[1]
    second[:live] = state[2]
    weight[:, :live] = state[3]
    for i in range(live):
        log_second[i] = _log(second[i])
    scale = np.ones(n_columns)
    keep = np.empty(capacity, dtype=np.bool_)
    most = live
    for t in range(m):
        if live + 1 > capacity:
            capacity = min(2 * capacity, m + state[0].size + 1)
            start = _grown_integers(start, live, capacity)
            first = _grown(first, live, capacity)
            second = _grown(second, live, capacity)
            log_second = _grown(log_second, live, capacity)
            predictive = np.empty(capacity)
            keep = np.empty(capacity, dtype=np.bool_)
            wider = np.empty((n_columns, capacity))
            wider[:, :live] = weight[:, :live]
            weight = wider
        start[live] = begun + t
        first[live] = prior_first
        second[live] = prior_second
        log_second[live] = math.log(prior_second)
        live += 1
        most = max(most, live)
        offset = _predict(
            family, counts[t], exposure[t], size, first, second, log_second, live, predictive
        )
        opening = begun + t == 0
        for c in range(n_columns):
            fresh = (1.0 if opening else change[c, t]) * predictive[live - 1]
            total = _reweigh(weight[c], live - 1, scale[c] * stay[c, t], predictive) + fresh
            weight[c, live - 1] = fresh
            scale[c] = 1.0 / total
            log_evidence[c, t + 1] = log_evidence[c, t] + math.log(total) + offset
        if prune > 0.0 and live > 16 and t % _PRUNE_EVERY == 0 and t + 1 < m:
            for i in range(live):
                keep[i] = False
            for c in range(n_columns):
                least = prune * change[c, t + 1] / scale[c]
                for i in range(live):
                    keep[i] |= weight[c, i] >= least
            kept = 0
            for i in range(live):
                if keep[i]:
                    if kept < i:
                        start[kept] = start[i]
                        first[kept] = first[i]
                        second[kept] = second[i]
                        log_second[kept] = log_second[i]
                        for c in range(n_columns):
                            weight[c, kept] = weight[c, i]
                    kept += 1
                else:
                    occam = _occam(family, first[i], second[i], prior_first, prior_second)
                    for c in range(n_columns):
                        ratio = stay[c, t + 1] / change[c, t + 1]
                        lost[c, t] += weight[c, i] * scale[c] * (ratio * occam + 1.0)
            live = kept
    shares = np.empty((n_columns, live))
    for c in range(n_columns):
        for i in range(live):
            shares[c, i] = weight[c, i] * scale[c]
    return (
        log_evidence,
        lost,
        (start[:live].copy(), first[:live].copy(), second[:live].copy(), shares),
        most,
    )


@njit(cache=True)
def _grown(values: Floats, live: int, capacity: int) -> Floats:
    out = np.empty(capacity)
    out[:live] = values[:live]
    return out


@njit(cache=True)
def _grown_integers(values: Integers, live: int, capacity: int) -> Integers:
    out = np.empty(capacity, dtype=np.int64)
    out[:live] = values[:live]
    return out
