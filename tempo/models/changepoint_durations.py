"""Sums over placements of the changes in which no regime is shorter than some bins: arrays in, arrays out.

As in ``changepoint_recursions``, but a run may end only once it has lasted ``shortest`` bins; the hazard counts from
there on. The first regime of a series may be shorter, because it may have begun before the series did, and so may the
last. A length is counted between the first observed bins of two regimes.

A run that may not end yet can be worth far more than all others together and still come to nothing, so that weights
are kept as logarithms. Because it is the later bins of a regime that carry the hazard, a filter of the reversed series
would not be the backward half; :func:`duration_rest` divides out the boundaries that were closed.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.changepoint_predictive import (
    NORMAL,
    log_sum,
    occam_factor,
    predict_logs,
    rate_moments,
)
from tempo.models.changepoint_recursions import grown

__all__ = [
    "DurationState",
    "duration_pass",
    "duration_rest",
    "first_duration_state",
    "free_runs",
]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]
type DurationState = tuple[Integers, Floats, Floats, Floats, Floats, Integers]

_PRUNE_EVERY = 8  # bins between two looks at which runs are still alive
_NEGLIGIBLE = 1e-15  # posterior probabilities below this add nothing to a mean


@njit(cache=True, error_model="numpy")
def first_duration_state(n_columns: int) -> DurationState:
    """Give the state of a filter that has seen nothing."""
    return (
        np.zeros(0, dtype=np.int64),
        np.zeros(0),
        np.zeros(0),
        np.zeros((n_columns, 0)),
        np.zeros(0),
        np.zeros(0, dtype=np.int64),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def free_runs(start: Integers, at: Integers, live: int, position: int, shortest: int) -> int:
    """Count the runs that may end before a position; they come first, because runs are in order of age."""
    n = live
    while n > 0 and start[n - 1] > 0 and position - at[n - 1] < shortest:
        n -= 1
    return n


@njit(cache=True, nogil=True, error_model="numpy")
def longer(values: Floats, live: int, capacity: int) -> Floats:
    out = np.zeros((values.shape[0], capacity))
    out[:, :live] = values[:, :live]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def duration_pass(
    family: int,
    counts: Floats,
    exposure: Floats,
    position: Integers,
    shortest: int,
    log_change: Floats,
    log_stay: Floats,
    odds: Floats,
    prior_first: float,
    prior_second: float,
    prior_third: float,
    size: float,
    prune: float,
    state: DurationState,
    begun: int,
    ends: Floats,
    read: int,
) -> tuple[Floats, Floats, DurationState, Floats]:
    """Run the filter over some bins, for several hazards at once.

    Parameters
    ----------
    family, counts, exposure, odds, prior_first, prior_second, prior_third, size, begun, ends, read
        As for :func:`~tempo.models.changepoint_recursions.filter_pass`.
    position : int array (m,)
        Where each observed bin stands in the whole series.
    shortest : int
        Bins from the start of a regime to the start of the next, at least.
    log_change, log_stay : float array (hazards, m)
        Log factors of a change, and of none where one is allowed, just before each bin.
    prune : float
        A run that may end is dropped when its weight is below this times the odds of the best one that may end too.
    state : tuple
        From :func:`first_duration_state` or an earlier call: start, two statistics, log weight, third statistic,
        position of the start.

    Returns
    -------
    log_free : float array (hazards, m + 1)
        Log of the sum over placements in the bins up to each one in which the last run may end there; the last
        column is over all placements. Given the bins before.
    log_lost : float array (hazards, m)
        Log of the weight of the runs dropped before each bin, times the most that later bins can favour them.
    state : tuple
        After the last bin; weights are relative to the last column.
    moments : float array (2, m + 1) or (2, 0)
        Posterior mean and mean square of the rate in each bin; the last column is not used.
    """
    m = counts.size
    n_columns = log_change.shape[0]
    log_free = np.full((n_columns, m + 1), -np.inf)
    log_lost = np.full((n_columns, m), -np.inf)
    live = state[0].size
    capacity = max(2 * live, min(m + live, 1024)) + 1
    start = grown(state[0], live, capacity)
    first = grown(state[1], live, capacity)
    second = grown(state[2], live, capacity)
    third = grown(state[4], live, capacity)
    at = grown(state[5], live, capacity)
    weight = longer(state[3], live, capacity)
    predictive = np.empty(capacity)
    smoothing = ends.shape[1] > 0
    moments = np.zeros((2, ends.shape[1]))
    n_free = 0
    if begun > 0:
        n_free = free_runs(start, at, live, position[0], shortest)
        for c in range(n_columns):
            log_free[c, 0] = log_sum(weight[c], n_free)
    for t in range(m):
        if prune > 0.0 and live > 16 and (begun + t) % _PRUNE_EVERY == 0:
            kept = 0
            for i in range(live):
                keep = i >= n_free
                for c in range(n_columns):
                    keep |= weight[c, i] >= log_free[c, t] + math.log(prune * odds[c])
                occam = 1.0
                if not keep:
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
                    keep = family == NORMAL and math.isinf(occam)
                if keep:
                    start[kept], at[kept] = start[i], at[i]
                    first[kept], second[kept], third[kept] = first[i], second[i], third[i]
                    for c in range(n_columns):
                        weight[c, kept] = weight[c, i]
                    kept += 1
                else:
                    for c in range(n_columns):
                        log_lost[c, t] = np.logaddexp(
                            log_lost[c, t], weight[c, i] + math.log(occam + 1.0)
                        )
            n_free -= live - kept
            live = kept
        if live + 1 > capacity:
            capacity = min(2 * capacity, m + state[0].size + 1)
            start, at = grown(start, live, capacity), grown(at, live, capacity)
            first, second = grown(first, live, capacity), grown(second, live, capacity)
            third = grown(third, live, capacity)
            weight = longer(weight, live, capacity)
            predictive = np.empty(capacity)
        start[live] = begun + t
        at[live] = position[t]
        first[live] = prior_first
        second[live] = prior_second
        third[live] = prior_third
        live += 1
        predict_logs(family, counts[t], exposure[t], size, first, second, third, live, predictive)
        for c in range(n_columns):
            opening = 0.0 if begun + t == 0 else log_free[c, t] + log_change[c, t]
            stays = log_stay[c, t]
            row = weight[c]
            for i in range(n_free):
                row[i] += stays + predictive[i]
            for i in range(n_free, live - 1):
                row[i] += predictive[i]
            row[live - 1] = opening + predictive[live - 1]
        n_free = live if t == m - 1 else free_runs(start, at, live, position[t + 1], shortest)
        for c in range(n_columns):
            log_free[c, t + 1] = log_sum(weight[c], n_free)
        if smoothing:
            ending = 0.0
            for c in range(n_columns):
                ending += ends[c, t + 1]
            if ending > _NEGLIGIBLE:
                for i in range(n_free):
                    share = 0.0
                    for c in range(n_columns):
                        if ends[c, t + 1] > 0.0:
                            share += ends[c, t + 1] * math.exp(weight[c, i] - log_free[c, t + 1])
                    if share > 0.0:
                        mean, square = rate_moments(read, size, first[i], second[i], third[i])
                        moments[0, start[i]] += share * mean
                        moments[1, start[i]] += share * square
                        moments[0, t + 1] -= share * mean
                        moments[1, t + 1] -= share * square
    for c in range(n_columns):
        for i in range(live):
            weight[c, i] -= log_free[c, m]
    for row_ in range(moments.shape[0]):
        for t in range(1, moments.shape[1]):
            moments[row_, t] += moments[row_, t - 1]
    return (
        log_free,
        log_lost,
        (
            grown(start, live, live),
            grown(first, live, live),
            grown(second, live, live),
            longer(weight, live, live),
            grown(third, live, live),
            grown(at, live, live),
        ),
        moments,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def duration_rest(
    family: int,
    counts: Floats,
    exposure: Floats,
    position: Integers,
    shortest: int,
    log_change: Floats,
    log_stay: Floats,
    odds: Floats,
    prior_first: float,
    prior_second: float,
    prior_third: float,
    size: float,
    prune: float,
) -> tuple[Floats, Floats]:
    """Sum over placements in the bins from each one on, for several hazards at once.

    Parameters
    ----------
    family, counts, exposure, position, shortest, log_change, log_stay, odds, prior_first, prior_second, prior_third
        As for :func:`duration_pass`.
    size, prune
        As there.

    Returns
    -------
    log_rest : float array (hazards, m + 1)
        Log evidence of the bins from each one on, a regime beginning with it; in the first column that of all bins.
    log_open : float array (hazards, m + 1)
        The same, if the first of those regimes may end at any time: what limits the worth of a run that was dropped.
    """
    m = counts.size
    n_columns = log_change.shape[0]
    log_rest = np.zeros((n_columns, m + 1))
    log_open = np.zeros((n_columns, m + 1))
    stays = np.zeros((n_columns, m + 1))
    for c in range(n_columns):
        for t in range(1, m):
            stays[c, t] = stays[c, t - 1] + log_stay[c, t]
    capacity = min(m, 1024) + 1
    stop = np.empty(capacity, dtype=np.int64)
    first = np.empty(capacity)
    second = np.empty(capacity)
    third = np.empty(capacity)
    predictive = np.empty(capacity)
    weight = np.zeros((n_columns, capacity))
    live, ahead = 0, m
    for a in range(m - 1, -1, -1):
        if live + 1 > capacity:
            capacity = min(2 * capacity, m + 1)
            stop = grown(stop, live, capacity)
            first, second = grown(first, live, capacity), grown(second, live, capacity)
            third = grown(third, live, capacity)
            weight = longer(weight, live, capacity)
            predictive = np.empty(capacity)
        stop[live] = a + 1
        first[live] = prior_first
        second[live] = prior_second
        third[live] = prior_third
        live += 1
        predict_logs(family, counts[a], exposure[a], size, first, second, third, live, predictive)
        while ahead - 1 > a and position[ahead - 1] - position[a] >= shortest:
            ahead -= 1
        reach = 1 if a == 0 else ahead  # the first boundary at which a regime from here on may end
        allowed = live
        while allowed > 0 and stop[allowed - 1] < reach:
            allowed -= 1
        for c in range(n_columns):
            row = weight[c]
            if a + 1 < m:
                for i in range(live - 1):
                    row[i] += log_stay[c, a + 1]
                row[live - 1] = log_change[c, a + 1] + log_rest[c, a + 1]
            else:
                row[live - 1] = 0.0
            for i in range(live):
                row[i] += predictive[i]
            closed = stays[c, reach - 1] - stays[c, a]
            log_rest[c, a] = log_sum(row, allowed) - closed
            log_open[c, a] = log_sum(row, live)
        if prune > 0.0 and live > 16 and a % _PRUNE_EVERY == 0:
            kept = 0
            for i in range(live):
                keep = i >= allowed
                for c in range(n_columns):
                    closed = stays[c, reach - 1] - stays[c, a]
                    least = log_rest[c, a] + closed + math.log(prune * odds[c])
                    keep |= weight[c, i] >= least
                if not keep and family == NORMAL:
                    keep = math.isinf(
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
                if keep:
                    stop[kept] = stop[i]
                    first[kept], second[kept], third[kept] = first[i], second[i], third[i]
                    for c in range(n_columns):
                        weight[c, kept] = weight[c, i]
                    kept += 1
            live = kept
    return log_rest, log_open
