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
    "filter_pass",
    "initial_state",
    "most_probable",
    "number_pass",
    "predictive_moments",
    "rate_moments",
    "sample_partitions",
]

GAMMA, BERNOULLI, NEGBIN = 0, 1, 2

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]
type State = tuple[Integers, Floats, Floats, Floats]

_PRUNE_EVERY = 8  # bins between two looks at which runs are still alive
_NEGLIGIBLE = 1e-15  # posterior probabilities below this add nothing to a mean
_WINDOW_MARGIN = 12.0  # nats kept on top of the pruning level when numbers of changes are dropped
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
    ends: Floats,
) -> tuple[Floats, Floats, State, int, Floats]:
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
    ends : float array (hazards, m + 1) or (hazards, 0)
        Posterior probability that a segment ends just before each bin, times the weight of the hazard, known from
        two earlier passes. Given, the pass also adds up the moments of the rate in each bin.

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
    moments : float array (2, m + 1) or (2, 0)
        Posterior mean and mean square of the rate in each bin; the last column is not used.
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
    smoothing = ends.shape[1] > 0
    moments = np.zeros((2, ends.shape[1]))
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
        if smoothing:
            ending = 0.0
            for c in range(n_columns):
                ending += ends[c, t + 1]
            if ending > _NEGLIGIBLE:
                for i in range(live):
                    share = 0.0
                    for c in range(n_columns):
                        share += ends[c, t + 1] * weight[c, i] * scale[c]
                    mean, square = rate_moments(family, size, first[i], second[i])
                    moments[0, start[i]] += share * mean
                    moments[1, start[i]] += share * square
                    moments[0, t + 1] -= share * mean
                    moments[1, t + 1] -= share * square
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
        _running_sums(moments),
    )


@njit(cache=True, nogil=True)
def _running_sums(values: Floats) -> Floats:
    for row in range(values.shape[0]):
        for t in range(1, values.shape[1]):
            values[row, t] += values[row, t - 1]
    return values


@njit(cache=True, nogil=True, error_model="numpy")
def rate_moments(family: int, size: float, first: float, second: float) -> tuple[float, float]:
    """Give the mean and the mean square of a segment's rate in one whole bin, given its two statistics."""
    if family == GAMMA:
        return first / second, first * (first + 1.0) / (second * second)
    if family == BERNOULLI:
        total = first + second
        return first / total, first * (first + 1.0) / (total * (total + 1.0))
    mean = size * second / (first - 1.0)
    if first <= 2.0:
        return mean, np.inf
    return mean, size * size * second * (second + 1.0) / ((first - 1.0) * (first - 2.0))


@njit(cache=True, nogil=True)
def _grown(values: Floats, live: int, capacity: int) -> Floats:
    out = np.empty(capacity)
    out[:live] = values[:live]
    return out


@njit(cache=True, nogil=True)
def _grown_integers(values: Integers, live: int, capacity: int) -> Integers:
    out = np.empty(capacity, dtype=np.int64)
    out[:live] = values[:live]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def number_pass(
    family: int,
    counts: Floats,
    exposure: Floats,
    places: Floats,
    prior_first: float,
    prior_second: float,
    size: float,
    log_odds: float,
    width: int,
    most_changes: int,
    prune: float,
    ends: Floats,
) -> tuple[bool, Floats, Integers, Floats, Floats]:
    """Run the filter with the number of changes kept apart, and no prior on that number.

    Parameters
    ----------
    family, counts, exposure, prior_first, prior_second, size
        As for :func:`filter_pass`.
    places : float array (m,)
        Weight of a change just before each bin.
    log_odds : float
        Prior odds of a change that decide which numbers matter. Minus infinity keeps all up to ``most_changes``.
    width : int
        How many numbers of changes are kept at a time. With ``log_odds`` at minus infinity, ``most_changes + 1``.
    most_changes : int
        Placements with more changes than this are left out.
    prune : float
        Share of the weight below which a run, or a number of changes, is dropped.
    ends : float array (width, m + 1) or (width, 0)
        Posterior probability that the change just before each bin is change number ``column + 1``; only with
        ``log_odds`` at minus infinity. Given, the pass adds up the moments of rates.

    Returns
    -------
    enough : bool
        False where ``width`` was too small for the numbers that matter; nothing else is then valid.
    log_sums : float array (width, m + 1)
        Log of the sum over placements of ``offset + row`` changes in the bins up to each one. No hazard in it.
    offset : int array (m + 1,)
        Number of changes in the first row.
    moments : float array (2, m + 1) or (2, 0)
        Posterior mean and mean square of the rate in each bin.
    segment_moments : float array (2, width)
        The same for each segment by order.
    """
    m = counts.size
    windowed = log_odds > -np.inf
    log_sums = np.full((width, m + 1), -np.inf)
    log_sums[0, 0] = 0.0
    offset = np.zeros(m + 1, dtype=np.int64)
    capacity = min(m, 1024) + 1
    start = np.empty(capacity, dtype=np.int64)
    first = np.empty(capacity)
    second = np.empty(capacity)
    log_second = np.empty(capacity)
    predictive = np.empty(capacity)
    keep = np.empty(capacity)
    weight = np.zeros((width, capacity))  # number k of changes is in row k modulo width
    scale = np.zeros(width)  # each row times its scale sums to one
    level = np.full(width, -np.inf)  # log sum of each row
    low, high, live = 0, 0, 0
    smoothing = ends.shape[1] > 0
    moments = np.zeros((2, ends.shape[1]))
    segment_moments = np.zeros((2, width))
    for t in range(m):
        if live + 1 > capacity:
            capacity = min(2 * capacity, m + 1)
            start = _grown_integers(start, live, capacity)
            first = _grown(first, live, capacity)
            second = _grown(second, live, capacity)
            log_second = _grown(log_second, live, capacity)
            predictive = np.empty(capacity)
            keep = np.empty(capacity)
            wider = np.zeros((width, capacity))
            wider[:, :live] = weight[:, :live]
            weight = wider
        start[live] = t
        first[live] = prior_first
        second[live] = prior_second
        log_second[live] = math.log(prior_second)
        live += 1
        common = _predict(
            family, counts[t], exposure[t], size, first, second, log_second, live, predictive
        )
        if t == 0:
            weight[0, 0] = predictive[0]
            scale[0] = 1.0 / predictive[0]
            level[0] = common + math.log(predictive[0])
        else:
            log_place = math.log(places[t])
            if high < most_changes:
                if high + 1 - low == width:
                    return False, log_sums, offset, moments, segment_moments
                high += 1
                row = high % width
                weight[row, :live] = 0.0
                level[row] = -np.inf
                scale[row] = 0.0
            for k in range(high, low - 1, -1):
                row = k % width
                arriving = -np.inf
                if k > low or (k > 0 and not windowed):
                    arriving = level[(k - 1) % width] + log_place
                base = max(level[row], arriving)
                if base == -np.inf:
                    continue
                factor = scale[row] * math.exp(level[row] - base)
                fresh = math.exp(arriving - base) * predictive[live - 1]
                total = _reweigh(weight[row], live - 1, factor, predictive) + fresh
                weight[row, live - 1] = fresh
                scale[row] = 1.0 / total
                level[row] = base + math.log(total) + common
            if windowed:
                best = -np.inf
                for k in range(low, high + 1):
                    best = max(best, level[k % width] + k * log_odds)
                least = best + math.log(prune) - _WINDOW_MARGIN
                while low < high and level[low % width] + low * log_odds < least:
                    low += 1
                while high > low and level[high % width] + high * log_odds < least:
                    high -= 1
        for k in range(low, high + 1):
            log_sums[k - low, t + 1] = level[k % width]
        offset[t + 1] = low
        if smoothing:
            for k in range(low, high + 1):
                row = k % width
                if ends[row, t + 1] <= _NEGLIGIBLE:
                    continue
                for i in range(live):
                    share = ends[row, t + 1] * weight[row, i] * scale[row]
                    if share > 0.0:
                        mean, square = rate_moments(family, size, first[i], second[i])
                        segment_moments[0, row] += share * mean
                        segment_moments[1, row] += share * square
                        moments[0, start[i]] += share * mean
                        moments[1, start[i]] += share * square
                        moments[0, t + 1] -= share * mean
                        moments[1, t + 1] -= share * square
        if prune > 0.0 and live > 16 and t % _PRUNE_EVERY == 0:
            for i in range(live):
                keep[i] = 0.0
            best = -np.inf
            for k in range(low, high + 1):
                best = max(best, level[k % width] + k * log_odds)
            for k in range(low, high + 1):
                row = k % width
                part = scale[row]
                if windowed:
                    part *= math.exp(level[row] + k * log_odds - best)
                for i in range(live):
                    keep[i] = max(keep[i], part * weight[row, i])
            least = prune * math.exp(min(log_odds, 0.0)) if windowed else prune
            kept = 0
            for i in range(live):
                if keep[i] >= least:
                    if kept < i:
                        start[kept] = start[i]
                        first[kept] = first[i]
                        second[kept] = second[i]
                        log_second[kept] = log_second[i]
                        for k in range(low, high + 1):
                            weight[k % width, kept] = weight[k % width, i]
                    kept += 1
            live = kept
    return True, log_sums, offset, _running_sums(moments), segment_moments


@njit(cache=True, nogil=True, error_model="numpy")
def most_probable(
    family: int,
    counts: Floats,
    exposure: Floats,
    log_change: Floats,
    log_stay: Floats,
    prior_first: float,
    prior_second: float,
    size: float,
    n_changes: int,
) -> Integers:
    """Give the first bin of each segment but the first, in the most probable placement of the changes.

    ``n_changes`` is the number asked for, or -1 for the most probable number and places together. With -1, a run is
    dropped only once the bound of :func:`_occam` shows that a fresh segment beats whatever it may lead to, so that
    the answer stays exact. ``log_change`` and ``log_stay`` (m,) are the log factors of a change before each bin.
    """
    m = counts.size
    rows = max(n_changes, 0) + 1
    best = np.full((rows, m + 1), -np.inf)
    best[0, 0] = 0.0
    pointer = np.zeros((rows, m + 1), dtype=np.int64)
    start = np.empty(m, dtype=np.int64)
    first = np.empty(m)
    second = np.empty(m)
    log_second = np.empty(m)
    predictive = np.empty(m)
    score = np.empty((rows, m))
    live = 0
    for t in range(m):
        start[live] = t
        first[live] = prior_first
        second[live] = prior_second
        log_second[live] = math.log(prior_second)
        for k in range(rows):
            if t == 0:
                score[k, live] = 0.0 if k == 0 else -np.inf
            elif n_changes < 0:
                score[k, live] = best[0, t] + log_change[t]
            else:
                score[k, live] = best[k - 1, t] + log_change[t] if k > 0 else -np.inf
        live += 1
        common = _predict(
            family, counts[t], exposure[t], size, first, second, log_second, live, predictive
        )
        for i in range(live):
            predictive[i] = _log(max(predictive[i], 1e-300)) + common
        for k in range(rows):
            top = -1
            for i in range(live):
                value = score[k, i] + predictive[i]
                if t > 0 and i < live - 1:
                    value += log_stay[t]
                score[k, i] = value
                if value > best[k, t + 1]:
                    best[k, t + 1] = value
                    top = i
            pointer[k, t + 1] = start[top] if top >= 0 else -1
        if n_changes < 0 and live > 16 and t % _PRUNE_EVERY == 0 and t + 1 < m:
            kept = 0
            for i in range(live):
                short = best[0, t + 1] + log_change[t + 1] - score[0, i] - log_stay[t + 1]
                gone = short > 0.0 and short > math.log(
                    _occam(family, first[i], second[i], prior_first, prior_second)
                )
                if not gone:
                    start[kept] = start[i]
                    first[kept] = first[i]
                    second[kept] = second[i]
                    log_second[kept] = log_second[i]
                    score[0, kept] = score[0, i]
                    kept += 1
            live = kept
    cuts = np.empty(m, dtype=np.int64)
    found = 0
    row, end = rows - 1, m
    while end > 0:
        begin = pointer[row, end]
        if begin <= 0:
            break
        cuts[found] = begin
        found += 1
        end = begin
        row = max(row - 1, 0)
    return cuts[:found][::-1].copy()


@njit(cache=True, error_model="numpy")
def sample_partitions(
    family: int,
    counts: Floats,
    exposure: Floats,
    log_change: Floats,
    log_stay: Floats,
    log_rest: Floats,
    offset: Integers,
    step: int,
    column: Integers,
    prior_first: float,
    prior_second: float,
    size: float,
    generator: Any,
) -> tuple[Integers, Integers]:
    """Draw partitions from their exact joint posterior, walking from the first bin to the last.

    From the start of a segment, the next change is at ``u`` with probability segment evidence x hazard x evidence
    from ``u`` on / evidence from the start on (Fearnhead 2006, section 2.2). Draws whose segments start at the same
    bin share one walk.

    Parameters
    ----------
    log_change, log_stay : float array (rows, m)
        Log factors of a change before each bin; one row for each hazard, or a single row.
    log_rest : float array (columns, m + 1)
        Log evidence from each bin on: by hazard, or by the number of changes still to come (from ``offset``).
    step : int
        0 where a column is a hazard, 1 where it is the number of changes still to come.
    column : int array (draws,)
        Column of each draw at the first bin.
    generator : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    draw, start : int array (segments,)
        Which draw each segment belongs to, and its first bin; ordered by start within a draw, not by draw.
    """
    m = counts.size
    n_draws = column.size
    head = np.full(m + 1, -1, dtype=np.int64)
    follows = np.empty(n_draws, dtype=np.int64)
    for d in range(n_draws):
        follows[d] = head[0]
        head[0] = d
    at = column.copy()
    size_out = 4 * n_draws + 16
    out_draw = np.empty(size_out, dtype=np.int64)
    out_start = np.empty(size_out, dtype=np.int64)
    written = 0
    waiting = np.empty(n_draws, dtype=np.int64)
    for s in range(m):
        n_here = 0
        d = head[s]
        while d >= 0:
            waiting[n_here] = d
            n_here += 1
            d = follows[d]
        if n_here == 0:
            continue
        if written + n_here > size_out:
            size_out = 2 * (written + n_here)
            out_draw = _grown_integers(out_draw, written, size_out)
            out_start = _grown_integers(out_start, written, size_out)
        here = np.sort(waiting[:n_here])
        columns = at[here]
        for i in range(n_here):
            out_draw[written] = here[i]
            out_start[written] = s
            written += 1
        for c in np.unique(columns):
            if step == 1 and c == 0:
                continue
            chosen = here[columns == c]
            aims = np.sort(generator.random(chosen.size))
            chosen = chosen[np.argsort(generator.random(chosen.size))]
            row = c if log_change.shape[0] > 1 else 0
            one, two = prior_first, prior_second
            log_weight = -log_rest[c - offset[s], s]
            reached = 0.0
            served = 0
            last = -1
            for u in range(s + 1, m):
                log_weight += _one_log_predictive(
                    family, size, one, two, counts[u - 1], exposure[u - 1]
                )
                if family == NEGBIN:
                    one += size * exposure[u - 1]
                    two += counts[u - 1]
                elif family == BERNOULLI:
                    one += counts[u - 1]
                    two += 1.0 - counts[u - 1]
                else:
                    one += counts[u - 1]
                    two += exposure[u - 1]
                place = c - step - offset[u]
                if 0 <= place < log_rest.shape[0]:
                    chance = math.exp(log_weight + log_change[row, u] + log_rest[place, u])
                    if chance > 0.0:
                        last = u
                        reached += chance
                        while served < chosen.size and aims[served] < reached:
                            d = chosen[served]
                            at[d] = c - step
                            follows[d] = head[u]
                            head[u] = d
                            served += 1
                        if served == chosen.size:
                            break
                log_weight += log_stay[row, u]
            if step == 1 and last >= 0:  # rounding may leave an aim above the total
                while served < chosen.size:
                    d = chosen[served]
                    at[d] = c - step
                    follows[d] = head[last]
                    head[last] = d
                    served += 1
    return out_draw[:written].copy(), out_start[:written].copy()


@njit(cache=True, error_model="numpy")
def _one_log_predictive(
    family: int, size: float, first: float, second: float, count: float, exposure: float
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
def predictive_moments(
    family: int,
    size: float,
    first: Floats,
    second: Floats,
    share: Floats,
    count: float,
    exposure: float,
) -> tuple[float, float, float, float]:
    """Give P(less than the count), P(at most the count), mean and variance of the next bin over a mixture of runs."""
    below, at, mean, square = 0.0, 0.0, 0.0, 0.0
    for i in range(first.size):
        rate, rate_square = rate_moments(family, size, first[i], second[i])
        expected = rate * exposure
        mean += share[i] * expected
        if family == BERNOULLI:
            square += share[i] * rate
            at += share[i] * (1.0 if count > 0.0 else 1.0 - rate)
            below += share[i] * ((1.0 - rate) if count > 0.0 else 0.0)
            continue
        square += share[i] * (expected + rate_square * exposure * exposure)
        trials = size * exposure
        if family == NEGBIN:
            square += share[i] * rate_square * exposure / size
            log_mass = math.lgamma(count + trials) - math.lgamma(trials) - math.lgamma(count + 1.0)
        else:
            log_mass = count * math.log(exposure) - math.lgamma(count + 1.0)
        log_mass += _one_log_predictive(family, size, first[i], second[i], count, exposure)
        mass = math.exp(log_mass)
        if mass == 0.0:
            hit = 1.0 if count > expected else 0.0
            at += share[i] * hit
            below += share[i] * hit
            continue
        term, total = mass, mass
        for j in range(int(count), 0, -1):
            if family == GAMMA:
                term *= j * (second[i] + exposure) / ((first[i] + j - 1.0) * exposure)
            else:
                term *= j / (j - 1.0 + trials)
                term *= (first[i] + trials + second[i] + j - 1.0) / (second[i] + j - 1.0)
            total += term
            if term < 1e-17 * total and j < expected:
                break
        at += share[i] * min(total, 1.0)
        below += share[i] * min(max(total - mass, 0.0), 1.0)
    return below, at, mean, square - mean * mean
