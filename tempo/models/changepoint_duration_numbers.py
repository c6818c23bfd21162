"""Regimes of a shortest length, by number of changes, and the most probable placement: arrays in, arrays out.

As in ``changepoint_durations``: a run may end only once it has lasted ``shortest`` bins, and weights are logarithms, so
that a number of changes keeps its sum however improbable the data make it.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.changepoint_durations import free_runs
from tempo.models.changepoint_predictive import (
    log_sum,
    occam_factor,
    predict_logs,
    rate_moments,
)
from tempo.models.changepoint_recursions import grown

__all__ = ["duration_best", "duration_numbers"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

_PRUNE_EVERY = 8  # bins between two looks at which runs are still alive
_NEGLIGIBLE = 1e-15  # posterior probabilities below this add nothing to a mean
_SHORT = 64  # bins up to which every number of changes is kept
_NUMBER_MARGIN = 80.0  # nats below the best at which a number of changes is dropped


@njit(cache=True, nogil=True, error_model="numpy")
def duration_numbers(
    family: int,
    counts: Floats,
    exposure: Floats,
    position: Integers,
    shortest: int,
    log_change: Floats,
    log_stay: Floats,
    prior_first: float,
    prior_second: float,
    prior_third: float,
    size: float,
    most: int,
    prune: float,
    store: bool,
    ends: Floats,
    read: int,
) -> tuple[Floats, float, Floats, Floats]:
    """Run the filter with the number of changes kept apart, for several hazards at once.

    Parameters
    ----------
    family, counts, exposure, position, shortest, log_change, log_stay, prior_first, prior_second, prior_third, size
        As for :func:`~tempo.models.changepoint_durations.duration_pass`. For sums without a prior on the number, log
        places and zeros take the place of the factors, in a single row.
    most : int
        Largest number of changes.
    prune : float
        With a shortest length of 1, a run is dropped when for each number of changes it could come to this share at
        most of one change fewer and another change now, whatever comes later; so no number loses more. With longer ones
        a fresh segment cannot stand in for it: a run is dropped when its share of all numbers together, times what it
        could gain by, is below, which is good for numbers that are probable under ``log_change`` and ``log_stay``.
        Zero drops nothing.
    store : bool
        Whether to keep the sums up to each bin (of one hazard), or the last ones only.
    ends : float array (most + 1, m + 1) or (most + 1, 0)
        Posterior probability that segment number ``row`` ends just before each bin (of one hazard). Given, the pass
        adds up the moments of rates.
    read : int
        Family whose moments are added up, as for :func:`~tempo.models.changepoint_recursions.filter_pass`.

    Returns
    -------
    log_sums : float array (hazards * (most + 1), m + 1) or (hazards * (most + 1), 1)
        Log of the sum over placements of so many changes, in which the last run may end; in the last column, all.
    lost : float
        Bound on the share of each sum that was dropped, with a shortest length of 1; otherwise 0.
    moments : float array (2, m + 1) or (2, 0)
        Posterior mean and mean square of the rate in each bin.
    segment_moments : float array (2, most + 1) or (2, 0)
        The same for each segment by order.
    """
    m = counts.size
    n_columns, rows = log_change.shape[0], most + 1
    kept_bins = m + 1 if store else 1
    log_sums = np.full((n_columns * rows, kept_bins), -np.inf)
    if store:
        log_sums[0, 0] = 0.0
    lost = 0.0
    capacity = min(m, 1024) + 1
    start = np.empty(capacity, dtype=np.int64)
    at = np.empty(capacity, dtype=np.int64)
    first = np.empty(capacity)
    second = np.empty(capacity)
    third = np.empty(capacity)
    predictive = np.empty(capacity)
    worth = np.empty(capacity)
    weight = np.full((n_columns * rows, capacity), -np.inf)
    level = np.full(n_columns * rows, -np.inf)  # of the runs that may end before the next bin
    smoothing = ends.shape[1] > 0
    moments = np.zeros((2, ends.shape[1]))
    segment_moments = np.zeros((2, rows if smoothing else 0))
    low = np.zeros(n_columns, dtype=np.int64)
    live, n_free = 0, 0
    log_prune = math.log(prune) if prune > 0.0 else -np.inf
    for t in range(m):
        if live + 1 > capacity:
            old, capacity = capacity, min(2 * capacity, m + 1)
            start, at = grown(start, live, capacity), grown(at, live, capacity)
            first, second = grown(first, live, capacity), grown(second, live, capacity)
            third = grown(third, live, capacity)
            wider = np.full((n_columns * rows, capacity), -np.inf)
            wider[:, :old] = weight
            weight = wider
            predictive, worth = np.empty(capacity), np.empty(capacity)
        if t == 0 or most > 0:
            start[live] = t
            at[live] = position[t]
            first[live] = prior_first
            second[live] = prior_second
            third[live] = prior_third
            live += 1
        predict_logs(family, counts[t], exposure[t], size, first, second, third, live, predictive)
        before = n_free
        n_free = live if t == m - 1 else free_runs(start, at, live, position[t + 1], shortest)
        for c in range(n_columns):
            high = min(t, most)
            for k in range(high, low[c] - 1, -1):
                row = weight[c * rows + k]
                arriving = 0.0 if t == 0 else -np.inf
                if t > 0 and k > 0:
                    arriving = level[c * rows + k - 1] + log_change[c, t]
                for i in range(before):
                    row[i] += log_stay[c, t] + predictive[i]
                if t > 0 and most == 0:
                    continue
                for i in range(before, live - 1):
                    row[i] += predictive[i]
                row[live - 1] = arriving + predictive[live - 1]
            best = -np.inf
            for k in range(low[c], high + 1):
                level[c * rows + k] = _careful_sum(weight[c * rows + k], n_free)
                best = max(best, level[c * rows + k])
            # Under odds that say which numbers are probable, few changes only fall behind.
            while prune > 0.0 and shortest > 1 and not store and low[c] < high and t >= _SHORT:
                r = c * rows + low[c]
                if _careful_top(weight[r], live) >= best - _NUMBER_MARGIN:
                    break
                weight[r] = -np.inf
                level[r] = -np.inf
                low[c] += 1
        if store or t == m - 1:
            for r in range(n_columns * rows):
                log_sums[r, t + 1 if store else 0] = level[r]
        if smoothing:
            for k in range(min(t, most) + 1):
                ending = ends[k, t + 1]
                if ending <= _NEGLIGIBLE:
                    continue
                for i in range(n_free):
                    share = ending * math.exp(weight[k, i] - level[k])
                    if share > 0.0:
                        mean, square = rate_moments(read, size, first[i], second[i], third[i])
                        segment_moments[0, k] += share * mean
                        segment_moments[1, k] += share * square
                        moments[0, start[i]] += share * mean
                        moments[1, start[i]] += share * square
                        moments[0, t + 1] -= share * mean
                        moments[1, t + 1] -= share * square
        if prune > 0.0 and live > 16 and t % _PRUNE_EVERY == 0 and t < m - 1:
            for i in range(live):
                worth[i] = -np.inf if i < n_free else np.inf
            for c in range(n_columns):
                together = -np.inf
                if shortest > 1:
                    for k in range(rows):
                        together = np.logaddexp(together, level[c * rows + k])
                for k in range(rows):
                    r = c * rows + k
                    against = together
                    if shortest == 1:
                        against = level[r - 1] + log_change[c, t + 1] if k > 0 else -np.inf
                    if level[r] > -np.inf:
                        for i in range(n_free):
                            if weight[r, i] > -np.inf:
                                worth[i] = max(worth[i], weight[r, i] - against)
            kept = 0
            for i in range(live):
                if worth[i] < log_prune:
                    worth[i] += math.log(
                        occam_factor(
                            family, size, first[i], second[i], third[i],
                            prior_first, prior_second, prior_third,
                        )
                    )  # fmt: skip
                if worth[i] < log_prune and shortest == 1:
                    lost += math.exp(worth[i])
                if worth[i] >= log_prune:
                    start[kept], at[kept] = start[i], at[i]
                    first[kept], second[kept], third[kept] = first[i], second[i], third[i]
                    for r in range(n_columns * rows):
                        weight[r, kept] = weight[r, i]
                    kept += 1
            n_free -= live - kept
            live = kept
    for r in range(moments.shape[0]):
        for t in range(1, moments.shape[1]):
            moments[r, t] += moments[r, t - 1]
    return log_sums, lost, moments, segment_moments


@njit(cache=True, nogil=True, error_model="numpy")
def _careful_top(values: Floats, n_runs: int) -> float:
    top = -np.inf
    for i in range(n_runs):
        top = max(top, values[i])
    return top


@njit(cache=True, nogil=True, error_model="numpy")
def _careful_sum(values: Floats, n_runs: int) -> float:
    """As ``log_sum``, where all may be minus infinity."""
    if _careful_top(values, n_runs) == -np.inf:
        return -np.inf
    out: float = log_sum(values, n_runs)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def duration_best(
    family: int,
    counts: Floats,
    exposure: Floats,
    position: Integers,
    shortest: int,
    log_change: Floats,
    log_stay: Floats,
    prior_first: float,
    prior_second: float,
    prior_third: float,
    size: float,
    n_changes: int,
) -> Integers:
    """Give the first bin of each segment but the first, in the most probable placement of the changes.

    ``n_changes`` is the number asked for, or -1 for the most probable number and places together. No run is dropped.
    ``log_change`` and ``log_stay`` (m,) are the log factors before each bin.
    """
    m = counts.size
    rows = max(n_changes, 0) + 1
    step = 0 if n_changes < 0 else 1
    at = position
    start = np.arange(m)
    first = np.full(m, prior_first)
    second = np.full(m, prior_second)
    third = np.full(m, prior_third)
    predictive = np.empty(m)
    score = np.full((rows, m), -np.inf)
    came = np.full((rows, m), -1, dtype=np.int64)  # start of the regime before
    for t in range(m):
        n_free = 0 if t == 0 else free_runs(start, at, t, position[t], shortest)
        for k in range(rows):
            if t == 0:
                score[k, 0] = 0.0 if k == 0 else -np.inf
            elif k >= step:
                top = -1
                for i in range(n_free):
                    if score[k - step, i] > -np.inf and (
                        top < 0 or score[k - step, i] > score[k - step, top]
                    ):
                        top = i
                if top >= 0:
                    score[k, t] = score[k - step, top] + log_change[t]
                    came[k, t] = top
        predict_logs(family, counts[t], exposure[t], size, first, second, third, t + 1, predictive)
        for k in range(rows):
            for i in range(t + 1):
                score[k, i] += predictive[i] + (log_stay[t] if i < n_free else 0.0)
    row = rows - 1
    here = 0
    for i in range(m):
        if score[row, i] > score[row, here]:
            here = i
    cuts = np.empty(m, dtype=np.int64)
    found = 0
    while here > 0:
        cuts[found] = here
        found += 1
        row, here = row - step, came[row, here]
    return cuts[:found][::-1].copy()
