"""The most probable placement of the changepoints, and exact draws of it: arrays in, arrays out.

The same segments as in ``changepoint_recursions``, with a maximum in the place of the sum (Viterbi), or walked forward
by chance (Fearnhead 2006, section 2.2).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.changepoint_predictive import (
    BERNOULLI,
    NEGBIN,
    NORMAL,
    log_predictive,
    normal_update,
    occam_factor,
    predict_logs,
)
from tempo.models.changepoint_recursions import grown

__all__ = ["most_probable", "sample_partitions"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

_PRUNE_EVERY = 8  # bins between two looks at which runs are still alive


@njit(cache=True, nogil=True, error_model="numpy")
def most_probable(
    family: int,
    counts: Floats,
    exposure: Floats,
    log_change: Floats,
    log_stay: Floats,
    prior_first: float,
    prior_second: float,
    prior_third: float,
    size: float,
    n_changes: int,
) -> Integers:
    """Give the first bin of each segment but the first, in the most probable placement of the changes.

    ``n_changes`` is the number asked for, or -1 for the most probable number and places together. With -1, a run is
    dropped only once :func:`occam_factor` shows that a fresh segment beats whatever it may lead to, so that the
    answer stays exact. ``log_change`` and ``log_stay`` (m,) are the log factors of a change before each bin.
    """
    m = counts.size
    rows = max(n_changes, 0) + 1
    best = np.full((rows, m + 1), -np.inf)
    best[0, 0] = 0.0
    pointer = np.zeros((rows, m + 1), dtype=np.int64)
    start = np.empty(m, dtype=np.int64)
    first = np.empty(m)
    second = np.empty(m)
    third = np.empty(m)
    predictive = np.empty(m)
    score = np.empty((rows, m))
    live = 0
    for t in range(m):
        start[live] = t
        first[live] = prior_first
        second[live] = prior_second
        third[live] = prior_third
        for k in range(rows):
            if t == 0:
                score[k, live] = 0.0 if k == 0 else -np.inf
            elif n_changes < 0:
                score[k, live] = best[0, t] + log_change[t]
            else:
                score[k, live] = best[k - 1, t] + log_change[t] if k > 0 else -np.inf
        live += 1
        predict_logs(family, counts[t], exposure[t], size, first, second, third, live, predictive)
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
                if not gone:
                    start[kept] = start[i]
                    first[kept] = first[i]
                    second[kept] = second[i]
                    third[kept] = third[i]
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
    position: Integers,
    shortest: int,
    log_change: Floats,
    log_stay: Floats,
    log_rest: Floats,
    offset: Integers,
    step: int,
    hazard: int,
    column: Integers,
    prior_first: float,
    prior_second: float,
    prior_third: float,
    size: float,
    generator: Any,
) -> tuple[Integers, Integers]:
    """Draw partitions from their exact joint posterior, walking from the first bin to the last.

    From the start of a segment, the next change is at ``u`` with probability segment evidence x hazard x evidence
    from ``u`` on / evidence from the start on (Fearnhead 2006, section 2.2). Draws whose segments start at the same
    bin share one walk.

    Parameters
    ----------
    position : int array (m,)
        Where each bin stands in the whole series.
    shortest : int
        Bins from the start of a segment to the start of the next, at least; the first one is exempt.
    log_change, log_stay : float array (rows, m)
        Log factors of a change before each bin; one row for each hazard, or a single row.
    log_rest : float array (columns, m + 1)
        Log evidence from each bin on: by hazard, or by the number of changes still to come (from ``offset``).
    step : int
        0 where a column is a hazard, 1 where it is the number of changes still to come.
    hazard : int
        Column of all draws where columns are hazards.
    column : int array (draws,)
        Number of changes of each draw, where columns are numbers; otherwise only its length counts.
    generator : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    draw, start : int array (segments,)
        Which draw each segment belongs to, and its first bin; ordered by start within a draw, not by draw.
    """
    m = counts.size
    n_draws = column.size
    most = column.max() if step == 1 else 0
    head = np.full(
        (m + 1, most + 1), -1, dtype=np.int64
    )  # draws that wait at a bin, as linked lists
    follows = np.empty(n_draws, dtype=np.int64)
    for d in range(n_draws):
        rest = column[d] if step == 1 else 0
        follows[d] = head[0, rest]
        head[0, rest] = d
    capacity = 4 * n_draws + 16
    out_draw = np.empty(capacity, dtype=np.int64)
    out_start = np.empty(capacity, dtype=np.int64)
    written = 0
    here = np.empty(n_draws, dtype=np.int64)
    for s in range(m):
        for rest in range(most + 1):
            waiting = 0
            d = head[s, rest]
            while d >= 0:
                here[waiting] = d
                waiting += 1
                d = follows[d]
            if waiting == 0:
                continue
            if written + waiting > capacity:
                capacity = 2 * (written + waiting)
                out_draw = grown(out_draw, written, capacity)
                out_start = grown(out_start, written, capacity)
            for i in range(waiting):  # shuffled, because ordered uniforms are handed out below
                j = i + int(generator.random() * (waiting - i))
                here[i], here[j] = here[j], here[i]
                out_draw[written + i] = here[i]
                out_start[written + i] = s
            written += waiting
            if step == 1 and rest == 0:
                continue
            row = hazard if log_change.shape[0] > 1 else 0
            now = rest if step == 1 else hazard
            one, two, three = prior_first, prior_second, prior_third
            log_weight = -log_rest[now - offset[s], s]
            reached = 0.0
            served = 0
            aim = _next_aim(0.0, waiting, generator)
            last = -1
            for u in range(s + 1, m):
                y, e = counts[u - 1], exposure[u - 1]
                log_weight += log_predictive(family, size, one, two, three, y, e)
                if family == NEGBIN:
                    one += size * e
                    two += y
                elif family == NORMAL:
                    one, two, three = normal_update(one, two, three, y)
                elif family == BERNOULLI:
                    one += y
                    two += 1.0 - y
                else:
                    one += y
                    two += e
                place = now - step - offset[u]
                if s > 0 and position[u] - position[s] < shortest:
                    continue
                if 0 <= place < log_rest.shape[0]:
                    chance = math.exp(log_weight + log_change[row, u] + log_rest[place, u])
                    if chance > 0.0:
                        last = u
                        reached += chance
                        while served < waiting and aim < reached:
                            d = here[served]
                            follows[d] = head[u, rest - step]
                            head[u, rest - step] = d
                            served += 1
                            aim = _next_aim(aim, waiting - served, generator)
                        if served == waiting:
                            break
                log_weight += log_stay[row, u]
            if step == 1 and last >= 0:  # rounding may leave an aim above the total
                while served < waiting:
                    d = here[served]
                    follows[d] = head[last, rest - 1]
                    head[last, rest - 1] = d
                    served += 1
    return grown(out_draw, written, written), grown(out_start, written, written)


@njit(cache=True, error_model="numpy")
def _next_aim(aim: float, left: int, generator: Any) -> float:
    """Smallest of ``left`` uniform numbers above ``aim``: uniforms in ascending order, without sorting."""
    if left == 0:
        return 2.0
    smallest: float = 1.0 - (1.0 - aim) * (1.0 - generator.random()) ** (1.0 / left)
    return smallest
