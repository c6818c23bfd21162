"""The posterior given the number of changes: arrays in, arrays out.

Hazards drop out of it: every placement of that number is as probable as any other a priori.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

from tempo.models.changepoint_duration_numbers import duration_numbers
from tempo.models.changepoint_grid import Bins, Grid
from tempo.models.changepoint_recursions import number_pass

__all__ = ["Given", "condition", "log_placements", "most_changes", "sums_by_number"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

_PRUNE = 1e-14
_WORTH_A_PASS = 1e-6  # cells below this share of the posterior are left out
_SHORT = 64  # bins up to which every number of changes is kept
_NOTHING = np.zeros((1, 0))


@dataclass(frozen=True, eq=False)
class Given:
    """The posterior given the number of changes.

    Attributes
    ----------
    n_changes : int
        The number.
    dates : ndarray, shape (n_changes, m)
        Probability that each change, by order, stands just before each observed bin.
    mean, square : ndarray, shape (n_changes + 1,)
        Posterior mean and mean square of each segment's rate.
    moments : ndarray, shape (2, m)
        The same for each observed bin.
    weights : ndarray, shape (cells,)
        Posterior probability of each cell.
    rest : dict
        Backward sums of each cell that matters, for draws.
    log_sums : ndarray, shape (cells,)
        Log of the sum over placements, without any prior on the number.
    """

    n_changes: int
    dates: Floats
    mean: Floats
    square: Floats
    moments: Floats
    weights: Floats
    rest: dict[int, tuple[Floats, Integers]] = field(repr=False)
    log_sums: Floats = field(repr=False)


def sums_by_number(
    bins: Bins,
    grid: Grid,
    cell: int,
    most: int,
    log_odds: float,
    *,
    store: bool,
    backward: bool = False,
) -> tuple[Floats, Integers]:
    """Give the log sums over placements by number of changes, with a window that is as wide as it needs to be.

    Parameters
    ----------
    bins, grid, cell
        What to sum over, under which prior.
    most : int
        Largest number of changes.
    log_odds : float
        Prior odds that decide which numbers matter; minus infinity for all of them.
    store : bool
        Keep the sums up to each bin, or only the last ones.
    backward : bool
        From the last bin to the first.

    Returns
    -------
    sums : ndarray, shape (numbers, m + 1) or (numbers, 1)
        Log sums, the first row for ``offset`` changes.
    offset : ndarray of int, shape (m + 1,) or (1,)
        Number of changes in the first row.
    """
    if (
        len(bins) <= _SHORT
    ):  # extreme counts may revive a number that looked hopeless a few bins before
        log_odds = -math.inf
    windowed = log_odds > -math.inf and grid.shortest == 1
    width = min(16, most + 1) if windowed else most + 1
    while True:
        enough, sums, offset, _, _ = _number_pass(
            bins, grid, cell, most, log_odds, width, store=store, backward=backward, ends=None
        )
        if enough:
            return sums, offset
        width = min(2 * width, most + 1)


def _number_pass(
    bins: Bins,
    grid: Grid,
    cell: int,
    most: int,
    log_odds: float,
    width: int,
    *,
    store: bool,
    backward: bool,
    ends: Floats | None,
    read: int | None = None,
) -> tuple[bool, Floats, Integers, Floats, Floats]:
    if backward:
        bins = bins.reversed
    first, second, third = grid.prior(cell)
    if grid.shortest > 1:
        position = bins.position
        if backward:  # of the boundaries, seen from the end
            position = np.append(0, bins.n_bins - position[:0:-1])
        sums, moments, segments = duration_numbers(
            grid.family,
            bins.counts,
            bins.exposure,
            position,
            grid.shortest,
            np.log(bins.places)[None, :],
            np.zeros((1, len(bins))),
            first,
            second,
            third,
            float(grid.size[cell]),
            most,
            _PRUNE,
            store,
            _NOTHING if ends is None else ends,
            grid.family if read is None else read,
        )
        return True, sums, np.zeros(sums.shape[1], dtype=np.int64), moments, segments
    enough, sums, offset, moments, segments = number_pass(
        grid.family,
        bins.counts,
        bins.exposure,
        bins.places,
        first,
        second,
        third,
        float(grid.size[cell]),
        log_odds,
        width,
        most,
        _PRUNE,
        store,
        _NOTHING if ends is None else ends,
        grid.family if read is None else read,
    )
    return bool(enough), sums, offset, moments, segments


def condition(
    bins: Bins,
    grid: Grid,
    cells: Sequence[int],
    k: int,
    log_odds: float,
    read: int | None = None,
) -> Given:
    """Give the posterior given ``k`` changes, over some cells of the grid.

    Parameters
    ----------
    bins, grid, cells
        What to sum over, under which priors.
    k : int
        Number of changes.
    log_odds : float
        Odds under which ``k`` changes are probable, to leave out what does not matter; minus infinity for all.
    read : int, optional
        Family whose moments are wanted, where it is not that of the bins.

    Returns
    -------
    Given
        Dates, rates, and what draws need.
    """
    m, n_cells = len(bins), grid.shape.size
    forward = {r: sums_by_number(bins, grid, r, k, log_odds, store=True) for r in cells}
    log_sums = np.full(n_cells, -np.inf)
    for r, (sums, offset) in forward.items():
        row = k - int(offset[m])
        log_sums[r] = sums[row, m] + grid.constant(bins, r) if row < sums.shape[0] else -np.inf
    weights = np.exp(log_sums + grid.log_prior - logsumexp(log_sums + grid.log_prior))
    weights[weights < _WORTH_A_PASS] = 0
    weights /= weights.sum()
    dates, moments = np.zeros((k, m)), np.zeros((2, m))
    segments = np.zeros((2, k + 1))
    rest = {}
    for r in map(int, np.flatnonzero(weights)):
        sums, offset = forward[r]
        back, back_offset = sums_by_number(bins, grid, r, k, log_odds, store=True, backward=True)
        back, back_offset = back[:, ::-1].copy(), back_offset[::-1].copy()
        rest[r] = (back, back_offset)
        total = sums[k - int(offset[m]), m]
        ends = np.zeros((sums.shape[0], m + 1))
        ends[k - int(offset[m]), m] = weights[r]
        for j in range(k):  # change number j + 1 stands just before bin t
            chance = np.exp(
                _by_number(sums, offset, j)[1:m]
                + np.log(bins.places[1:])
                + _by_number(back, back_offset, k - 1 - j)[1:m]
                - total
            )
            dates[j, 1:] += weights[r] * chance
            rows = j - offset[1:m]
            inside = (rows >= 0) & (rows < sums.shape[0])
            ends[rows[inside], np.flatnonzero(inside) + 1] = weights[r] * chance[inside]
        _, _, _, by_bin, by_segment = _number_pass(
            bins,
            grid,
            r,
            k,
            log_odds,
            sums.shape[0],
            store=False,
            backward=False,
            ends=ends,
            read=read,
        )
        moments += by_bin[:, :m]
        segments += by_segment
    return Given(k, dates, segments[0], segments[1], moments, weights, rest, log_sums)


def _by_number(sums: Floats, offset: Integers, k: int) -> Floats:
    """Row of a given number of changes in sums whose first row is ``offset``, shape (m + 1,)."""
    row = k - offset
    inside = (row >= 0) & (row < sums.shape[0])
    out = np.full(offset.size, -np.inf)
    out[inside] = sums[row[inside], np.flatnonzero(inside)]
    return out


def log_placements(bins: Bins, k: int, shortest: int = 1) -> float:
    """Log of the number of placements of ``k`` changes, a gap counted by its length; minus infinity for none."""
    between = bins.places[1:]
    if k == 0:
        return 0.0
    if shortest == 1 and np.all(between == 1):
        n = between.size
        return float(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)) if k <= n else -math.inf
    log_places, position = np.log(between), bins.position[1:]
    earlier = np.searchsorted(position, position - shortest, side="right")  # may end here
    sums = log_places
    for _ in range(k - 1):
        total = np.append(-np.inf, np.logaddexp.accumulate(sums))
        sums = log_places + total[earlier]
    return float(logsumexp(sums)) if sums.size else -math.inf


def most_changes(bins: Bins, shortest: int) -> int:
    """Count the changes that a series has room for."""
    if shortest == 1:
        return len(bins) - 1
    count, last = 0, -shortest
    for position in bins.position[1:]:
        if position - last >= shortest:
            count, last = count + 1, int(position)
    return count
