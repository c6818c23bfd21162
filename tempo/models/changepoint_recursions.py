"""Exact sums over every placement of the changepoints: arrays in, arrays out.

A series of ``m`` observed bins is cut into segments that are independent given the cuts (a product-partition model).
These kernels sum over all ``2^(m-1)`` partitions. The pass of :func:`filter_pass` is the run-length filter of Adams &
MacKay (2007, arXiv:0710.3742), which is the forward half of Fearnhead (2006, Statistics and Computing 16). A new bin
multiplies the weight of each live run by its one-step predictive probability; weights stay in the linear domain and
are rescaled each step. A pass over the reversed series gives the backward half, so no n x n matrix is ever stored.

A run whose weight is negligible is dropped, and what dropping it can have cost at most is added up: whatever comes
later, a run predicts it at most ``occam_factor`` times better than a fresh segment does.

Bins that were not observed are left out before these kernels are called. ``places[t]`` is the number of bins from
the previous observed bin to bin ``t``: 1 unless there is a gap between them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.changepoint_predictive import NORMAL, occam_factor, predict, rate_moments

__all__ = ["State", "filter_pass", "grown", "initial_state", "number_pass"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]
type State = tuple[Integers, Floats, Floats, Floats, Floats]

_PRUNE_EVERY = 8  # bins between two looks at which runs are still alive
_NEGLIGIBLE = 1e-15  # posterior probabilities below this add nothing to a mean
_EQUAL_VALUES = 1e22  # stands for the bound that a normal run of equal values does not have
_WINDOW_MARGIN = 1e-22  # of what is kept on top, for odds other than those that are given
_SMALLEST = 1e-300  # weights below have lost their digits


@njit(cache=True, error_model="numpy")
def initial_state(n_columns: int) -> State:
    """Give the state of a filter that has seen nothing: ``start, first, second, weight, third``."""
    return (
        np.zeros(0, dtype=np.int64),
        np.zeros(0),
        np.zeros(0),
        np.zeros((n_columns, 0)),
        np.zeros(0),
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
    odds: Floats,
    prior_first: float,
    prior_second: float,
    prior_third: float,
    size: float,
    prune: float,
    state: State,
    begun: int,
    ends: Floats,
    read: int,
) -> tuple[Floats, Floats, State, int, Floats]:
    """Run the filter over some bins, for several hazards at once.

    Parameters
    ----------
    family : int
        ``GAMMA``, ``BERNOULLI``, ``NEGBIN`` or ``NORMAL``.
    counts, exposure : float array (m,)
        Observed bins only.
    change, stay : float array (hazards, m)
        Factor for a change, and for none, just before each bin. Not used for the very first bin of a series.
    odds : float array (hazards,)
        Smallest ratio of the two, that of a bin without a gap before it.
    prior_first, prior_second, prior_third : float
        Prior of each segment.
    size : float
        Size of the negative binomial, or what the normal needs beside its statistics; not used otherwise.
    prune : float
        A run is dropped when its share of the weight is below ``prune`` times the odds, under every hazard. Zero
        keeps all runs.
    state : tuple
        From :func:`initial_state` or an earlier call.
    begun : int
        Bins filtered before this call.
    ends : float array (hazards, m + 1) or (hazards, 0)
        Posterior probability that a segment ends just before each bin, times the weight of the hazard, known from
        two earlier passes. Given, the pass also adds up the moments of the rate in each bin.

    read : int
        Family whose moments are added up: ``family``, or ``PRECISION`` for normal values.

    Returns
    -------
    log_evidence : float array (hazards, m + 1)
        Of the bins of this call up to each one, given the bins before.
    lost : float array (hazards, m)
        For each bin, a bound on what the runs dropped after it could add to the evidence of everything, as a
        multiple of the part in which a segment begins at the next bin (at most a share of the evidence).
    state : tuple
        Start, two statistics, share of the weight, and third statistic of each live run.
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
    third = np.empty(capacity)
    predictive = np.empty(capacity)
    weight = np.empty((n_columns, capacity))
    for i in range(live):
        start[i] = state[0][i]
        first[i] = state[1][i]
        second[i] = state[2][i]
        third[i] = state[4][i]
        for c in range(n_columns):
            weight[c, i] = state[3][c, i]
    scale = np.ones(n_columns)
    keep = np.empty(capacity, dtype=np.bool_)
    most = live
    smoothing = ends.shape[1] > 0
    moments = np.zeros((2, ends.shape[1]))
    for t in range(m):
        if live + 1 > capacity:
            capacity = min(2 * capacity, m + state[0].size + 1)
            start = grown(start, live, capacity)
            first = grown(first, live, capacity)
            second = grown(second, live, capacity)
            third = grown(third, live, capacity)
            predictive = np.empty(capacity)
            keep = np.empty(capacity, dtype=np.bool_)
            weight = _widened(weight, live, capacity)
        start[live] = begun + t
        first[live] = prior_first
        second[live] = prior_second
        third[live] = prior_third
        live += 1
        most = max(most, live)
        offset = predict(
            family, counts[t], exposure[t], size, first, second, third, live, predictive
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
                    mean, square = rate_moments(read, size, first[i], second[i], third[i])
                    moments[0, start[i]] += share * mean
                    moments[1, start[i]] += share * square
                    moments[0, t + 1] -= share * mean
                    moments[1, t + 1] -= share * square
        if prune > 0.0 and live > 16 and (begun + t) % _PRUNE_EVERY == 0:
            for i in range(live):
                keep[i] = False
            for c in range(n_columns):
                least = prune * odds[c] / scale[c]
                for i in range(live):
                    keep[i] |= weight[c, i] >= least
            if family == NORMAL:  # nothing bounds what a run of equal values may lead to
                for i in range(live):
                    keep[i] |= math.isinf(
                        occam_factor(
                            family,
                            size,
                            first[i],
                            second[i],
                            third[i],
                            prior_first,
                            prior_second,
                            prior_third,
                        )
                    )
            kept = 0
            for i in range(live):
                if keep[i]:
                    if kept < i:
                        start[kept] = start[i]
                        first[kept] = first[i]
                        second[kept] = second[i]
                        third[kept] = third[i]
                        for c in range(n_columns):
                            weight[c, kept] = weight[c, i]
                    kept += 1
                else:
                    occam = occam_factor(
                        family,
                        size,
                        first[i],
                        second[i],
                        third[i],
                        prior_first,
                        prior_second,
                        prior_third,
                    )
                    for c in range(n_columns):
                        lost[c, t] += weight[c, i] * scale[c] * (occam / odds[c] + 1.0)
            live = kept
    shares = np.empty((n_columns, live))
    for c in range(n_columns):
        for i in range(live):
            shares[c, i] = weight[c, i] * scale[c]
    return (
        log_evidence,
        lost,
        (
            grown(start, live, live),
            grown(first, live, live),
            grown(second, live, live),
            shares,
            grown(third, live, live),
        ),
        most,
        _running_sums(moments),
    )


@njit(cache=True, nogil=True)
def grown(values: Any, live: int, capacity: int) -> Any:
    """Copy the first ``live`` values into a longer array."""
    out = np.empty(capacity, dtype=values.dtype)
    for i in range(live):
        out[i] = values[i]
    return out


@njit(cache=True, nogil=True)
def _widened(values: Floats, live: int, capacity: int) -> Floats:
    out = np.zeros((values.shape[0], capacity))
    for c in range(values.shape[0]):
        for i in range(live):
            out[c, i] = values[c, i]
    return out


@njit(cache=True, nogil=True)
def _running_sums(values: Floats) -> Floats:
    for row in range(values.shape[0]):
        for t in range(1, values.shape[1]):
            values[row, t] += values[row, t - 1]
    return values


@njit(cache=True, nogil=True, error_model="numpy")
def number_pass(
    family: int,
    counts: Floats,
    exposure: Floats,
    places: Floats,
    prior_first: float,
    prior_second: float,
    prior_third: float,
    size: float,
    log_odds: float,
    width: int,
    most_changes: int,
    prune: float,
    store: bool,
    ends: Floats,
    read: int,
) -> tuple[bool, Floats, Integers, float, Floats, Floats]:
    """Run the filter with the number of changes kept apart, for the numbers that are probable under some odds.

    A run, or a number, that is negligible now may win later, when no changes are left to begin another: what is
    dropped is judged by what it could come to. Whatever comes later, a run predicts it at most ``occam_factor`` times
    better than a fresh segment, and a fresh segment may begin at any bin at the price of ``log_odds``. So the sum over
    all numbers, each times its odds, loses at most the share ``lost``; a number of probability ``p`` under these odds
    at most ``lost / p`` of its own sum. Improbable numbers need :func:`duration_numbers`, in logarithms.

    Parameters
    ----------
    family, counts, exposure, prior_first, prior_second, prior_third, size
        As for :func:`filter_pass`.
    places : float array (m,)
        Weight of a change just before each bin.
    log_odds : float
        Prior odds of a change that decide which numbers matter; finite.
    width : int
        How many numbers of changes are kept at a time.
    most_changes : int
        Placements with more changes than this are left out.
    prune : float
        A run, or a number of changes, is dropped when it could come to this share of everything at most.
    store : bool
        Whether to keep the sums up to each bin, or the last ones only.
    ends : float array (width, m + 1) or (width, 0)
        Posterior probability that segment number ``offset + row`` ends just before each bin, from two earlier
        passes. Given, the pass adds up the moments of rates.
    read : int
        Family whose moments are added up, as for :func:`filter_pass`.

    Returns
    -------
    enough : bool
        False where ``width`` was too small for the numbers that matter; nothing else is then valid.
    log_sums : float array (width, m + 1) or (width, 1)
        Log of the sum over placements of ``offset + row`` changes in the bins up to each one. No hazard in it.
    offset : int array (m + 1,) or (1,)
        Number of changes in the first row.
    lost : float
        Bound on the share of the sum over all numbers, each times its odds, that was dropped.
    moments : float array (2, m + 1) or (2, 0)
        Posterior mean and mean square of the rate in each bin.
    segment_moments : float array (2, most_changes + 1) or (2, 0)
        The same for each segment by order.
    """
    m = counts.size
    lost, odds = 0.0, math.exp(min(log_odds, 0.0))
    kept_bins = m + 1 if store else 1
    log_sums = np.full((width, kept_bins), -np.inf)
    log_sums[0, 0] = 0.0
    offset = np.zeros(kept_bins, dtype=np.int64)
    capacity = min(m, 1024) + 1
    start = np.empty(capacity, dtype=np.int64)
    first = np.empty(capacity)
    second = np.empty(capacity)
    third = np.empty(capacity)
    predictive = np.empty(capacity)
    worth = np.empty(capacity)
    weight = np.zeros((width, capacity))  # number k of changes is in row k modulo width
    scale = np.zeros(width)  # each row times its scale sums to one
    level = np.full(width, -np.inf)  # log sum of each row
    low, high, live = 0, 0, 0
    smoothing = ends.shape[1] > 0
    moments = np.zeros((2, ends.shape[1]))
    segment_moments = np.zeros((2, most_changes + 1 if smoothing else 0))
    for t in range(m):
        if live + 1 > capacity:
            capacity = min(2 * capacity, m + 1)
            start = grown(start, live, capacity)
            first = grown(first, live, capacity)
            second = grown(second, live, capacity)
            third = grown(third, live, capacity)
            predictive = np.empty(capacity)
            worth = np.empty(capacity)
            weight = _widened(weight, live, capacity)
        start[live] = t
        first[live] = prior_first
        second[live] = prior_second
        third[live] = prior_third
        live += 1
        common = predict(
            family, counts[t], exposure[t], size, first, second, third, live, predictive
        )
        if t == 0:
            weight[0, 0] = predictive[0]
            scale[0] = 1.0 / predictive[0]
            level[0] = common + math.log(predictive[0])
        else:
            log_place = math.log(places[t])
            if high < most_changes:
                if high + 1 - low == width:
                    return False, log_sums, offset, lost, moments, segment_moments
                high += 1
                row = high % width
                for i in range(live):
                    weight[row, i] = 0.0
                level[row] = -np.inf
                scale[row] = 0.0
            for k in range(high, low - 1, -1):
                row = k % width
                arriving = -np.inf
                if k > low:
                    arriving = level[(k - 1) % width] + log_place
                base = max(level[row], arriving)
                if base == -np.inf:
                    continue
                factor = scale[row] * math.exp(level[row] - base)
                fresh = math.exp(arriving - base) * predictive[live - 1]
                total = _reweigh(weight[row], live - 1, factor, predictive) + fresh
                weight[row, live - 1] = fresh
                if total > 0.0:
                    scale[row] = 1.0 / total
                    level[row] = base + math.log(total) + common
                    continue
                # The bin is so much better explained with another number that nothing is left of this one.
                scale[row], level[row] = 0.0, -np.inf
                for i in range(live):
                    weight[row, i] = 0.0
                    lost += _SMALLEST * _prospects(
                        family, size, first[i], second[i], third[i],
                        prior_first, prior_second, prior_third, odds,
                    )  # fmt: skip
            everything = -np.inf
            for k in range(low, high + 1):
                everything = np.logaddexp(everything, level[k % width] + k * log_odds)
            for at_top in (False, True):
                while low < high:
                    k = high if at_top else low
                    row = k % width
                    share = math.exp(level[row] + k * log_odds - everything)
                    if share > prune * odds * _WINDOW_MARGIN:  # one pass serves other odds, too
                        break
                    could = 0.0
                    for i in range(live):
                        part = share * weight[row, i] * scale[row]
                        if part > 0.0:
                            prospects = _prospects(
                                family, size, first[i], second[i], third[i],
                                prior_first, prior_second, prior_third, odds,
                            )  # fmt: skip
                            could += part * min(prospects, _EQUAL_VALUES / odds)
                    if could > prune:
                        break
                    lost += could
                    if at_top:
                        high -= 1
                    else:
                        low += 1
        if store or t == m - 1:
            column = t + 1 if store else 0
            for row in range(width):
                log_sums[row, column] = -np.inf
            for k in range(low, high + 1):
                log_sums[k - low, column] = level[k % width]
            offset[column] = low
        if smoothing:
            for k in range(low, high + 1):
                row = k % width
                ending = ends[k - low, t + 1]
                if ending <= _NEGLIGIBLE:
                    continue
                for i in range(live):
                    share = ending * weight[row, i] * scale[row]
                    if share > 0.0:
                        mean, square = rate_moments(read, size, first[i], second[i], third[i])
                        segment_moments[0, k] += share * mean
                        segment_moments[1, k] += share * square
                        moments[0, start[i]] += share * mean
                        moments[1, start[i]] += share * square
                        moments[0, t + 1] -= share * mean
                        moments[1, t + 1] -= share * square
        if prune > 0.0 and live > 1 and t % _PRUNE_EVERY == 0 and t < m - 1:
            everything = -np.inf
            for k in range(low, high + 1):
                everything = np.logaddexp(everything, level[k % width] + k * log_odds)
            for i in range(live):
                worth[i] = 0.0
            for k in range(low, high + 1):
                row = k % width
                part = scale[row] * math.exp(level[row] + k * log_odds - everything)
                for i in range(live):
                    worth[i] += part * weight[row, i]
            kept = 0
            for i in range(live):
                if worth[i] <= prune * odds:
                    # What fell below the smallest number of all is gone, whatever it could have come to.
                    gone = worth[i] < _SMALLEST
                    could = max(worth[i], _SMALLEST) * _prospects(
                        family, size, first[i], second[i], third[i],
                        prior_first, prior_second, prior_third, odds,
                    )  # fmt: skip
                    if gone or could <= prune:
                        lost += could
                        continue
                if kept < i:
                    start[kept] = start[i]
                    first[kept] = first[i]
                    second[kept] = second[i]
                    third[kept] = third[i]
                    for k in range(low, high + 1):
                        weight[k % width, kept] = weight[k % width, i]
                kept += 1
            live = kept
    return True, log_sums, offset, lost, _running_sums(moments), segment_moments


@njit(cache=True, nogil=True, error_model="numpy")
def _prospects(
    family: int,
    size: float,
    first: float,
    second: float,
    third: float,
    prior_first: float,
    prior_second: float,
    prior_third: float,
    odds: float,
) -> float:
    """How many times its present weight a run could come to at most, against segments that may begin at any bin."""
    occam: float = occam_factor(
        family, size, first, second, third, prior_first, prior_second, prior_third
    )
    return occam / odds + 1.0
