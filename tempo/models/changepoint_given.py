"""The posterior given the number of changes: arrays in, arrays out.

Hazards drop out of it: every placement of that number is as probable as any other a priori.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special
from scipy.special import gammaln, logsumexp

from tempo.errors import OptionError
from tempo.models.changepoint_duration_numbers import duration_numbers
from tempo.models.changepoint_grid import Bins, Grid
from tempo.models.changepoint_recursions import number_pass

__all__ = ["Given", "Sums", "condition", "log_placements", "most_changes", "sums_by_number"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

_PRUNE = 1e-14
_WORTH_A_PASS = 1e-6  # cells below this share of the posterior are left out
_SHORT = 64  # bins up to which every number of changes is kept
_TRIES = 2  # odds of a change that are tried before every number is kept
_WIDEST = 64  # numbers of changes that may matter at a time under such odds
_CHEAP = 3e6  # bins x bins x numbers that are summed without looking for such odds
_TOLERANCE = 1e-8  # share of the sum of a number of changes that may be lost under such odds
_MOST_STEPS = 4e9  # bins x bins x numbers that are summed where none can be left out, about ten seconds for each cell
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
    lost : float
        Bound on the share of the evidence that was dropped.
    """

    n_changes: int
    dates: Floats
    mean: Floats
    square: Floats
    moments: Floats
    weights: Floats
    rest: dict[int, tuple[Floats, Integers]] = field(repr=False)
    log_sums: Floats = field(repr=False)
    lost: float = 0.0


@dataclass(frozen=True, eq=False)
class Sums:
    """Log sums over placements by number of changes, in one direction.

    Attributes
    ----------
    values : ndarray, shape (numbers, m + 1) or (numbers, 1)
        Log sums up to each bin, or the last ones only; the first row for ``offset`` changes.
    offset : ndarray of int, shape (m + 1,) or (1,)
        Number of changes in the first row.
    log_odds : float
        Odds of a change that said which numbers matter; minus infinity where all do.
    lost : float
        Bound on what was dropped: a share of the sum over all numbers under these odds, or of each.
    """

    values: Floats
    offset: Integers
    log_odds: float
    lost: float

    def last(self, number: int) -> float:
        """Log sum over all placements of so many changes."""
        row = number - int(self.offset[-1])
        return float(self.values[row, -1]) if 0 <= row < self.values.shape[0] else -math.inf

    def of(self, number: int) -> Floats:
        """Log sums of a number of changes up to each bin, shape (m + 1,)."""
        row = number - self.offset
        inside = (row >= 0) & (row < self.values.shape[0])
        out = np.full(self.offset.size, -np.inf)
        out[inside] = self.values[row[inside], np.flatnonzero(inside)]
        return out

    def share_lost(self, number: int) -> float:
        """Bound on the share of its own sum that a number of changes lost."""
        if self.log_odds == -math.inf or self.lost == 0:
            return self.lost
        k = self.offset[-1] + np.arange(self.values.shape[0])
        everything = float(logsumexp(self.values[:, -1] + k * self.log_odds))
        log_share = self.last(number) + number * self.log_odds - everything
        return math.inf if log_share < -600 else self.lost * math.exp(-log_share)

    def odds_of(self, number: int) -> float:
        """Log odds under which this number is what is expected, as far as these sums can say."""
        k = self.offset[-1] + np.arange(self.values.shape[0])
        if number >= k[-1]:
            return self.log_odds + 4.0
        if number <= k[0]:
            return self.log_odds - 4.0

        def excess(log_odds: float) -> float:
            return float(special.softmax(self.values[:, -1] + k * log_odds) @ k) - number

        low, high = self.log_odds - 30.0, self.log_odds + 30.0
        if excess(low) > 0 or excess(high) < 0:
            return low if excess(low) > 0 else high
        return float(optimize.brentq(excess, low, high, xtol=1e-3))


def sums_by_number(
    bins: Bins,
    grid: Grid,
    cell: int,
    most: int,
    log_odds: float,
    *,
    store: bool,
    backward: bool = False,
) -> Sums:
    """Give the log sums over placements by number of changes.

    Parameters
    ----------
    bins, grid, cell
        What to sum over, under which prior.
    most : int
        Largest number of changes.
    log_odds : float
        Prior odds of a change that decide which numbers matter; minus infinity for all of them.
    store : bool
        Keep the sums up to each bin, or only the last ones.
    backward : bool
        From the last bin to the first.

    Returns
    -------
    Sums
        With the bound on what was dropped.

    Raises
    ------
    OptionError
        If all numbers are wanted of a series so long that it would take minutes.
    """
    if len(bins) <= _SHORT:
        log_odds = -math.inf
    if log_odds == -math.inf and len(bins) ** 2 * (most + 1) > _MOST_STEPS and most > 0:
        raise OptionError(
            f"{most} changes in {len(bins):,} bins fit so badly that every placement must be weighed, too long "
            f"a sum here: bins x bins x (changes + 1) is {len(bins) ** 2 * (most + 1):.1e}, limit {_MOST_STEPS:.0e}. "
            "Take wider bins (counts of weeks or months), or let the number be learned (n_changes=None)."
        )
    found = _sums(bins, grid, cell, most, log_odds, most + 1, store=store, backward=backward)
    assert found is not None  # so wide a window holds every number
    return found


def _sums(
    bins: Bins,
    grid: Grid,
    cell: int,
    most: int,
    log_odds: float,
    widest: int,
    *,
    store: bool,
    backward: bool,
) -> Sums | None:
    """Sum with a window of numbers that is as wide as it needs to be; None where ``widest`` is not enough."""
    width = min(16, most + 1) if log_odds > -math.inf else most + 1
    while True:
        enough, found, _, _ = _number_pass(
            bins, grid, cell, most, log_odds, width, store=store, backward=backward, ends=None
        )
        if enough:
            return found
        if width >= widest:
            return None
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
) -> tuple[bool, Sums, Floats, Floats]:
    if backward:
        bins = bins.reversed
    first, second, third = grid.prior(cell)
    if log_odds == -math.inf:
        position = bins.position
        if backward:  # of the boundaries, seen from the end
            position = np.append(0, bins.n_bins - position[:0:-1])
        sums, lost, moments, segments = duration_numbers(
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
            _PRUNE if grid.shortest == 1 else 0.0,
            store,
            _NOTHING if ends is None else ends,
            grid.family if read is None else read,
        )
        offset = np.zeros(sums.shape[1], dtype=np.int64)
        return True, Sums(sums, offset, -math.inf, float(lost)), moments, segments
    enough, sums, offset, lost, moments, segments = number_pass(
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
    return bool(enough), Sums(sums, offset, log_odds, float(lost)), moments, segments


def _summed(bins: Bins, grid: Grid, cell: int, k: int, log_odds: float, *, backward: bool) -> Sums:
    """Sum over placements of ``k`` changes, in long series under odds that make this number probable if any do."""
    m = len(bins)
    if log_odds > -math.inf and grid.shortest == 1 and k > 0 and m * m * (k + 1) > _CHEAP:
        for _ in range(_TRIES):
            # More changes are let in: that another may begin at any bin is what bounds what is dropped.
            found = _sums(bins, grid, cell, m - 1, log_odds, _WIDEST, store=True, backward=backward)
            if found is None:
                break
            if found.share_lost(k) <= _TOLERANCE:
                return found
            log_odds = found.odds_of(k)
    return sums_by_number(bins, grid, cell, k, -math.inf, store=True, backward=backward)


def condition(
    bins: Bins,
    grid: Grid,
    cells: Sequence[int],
    k: int,
    read: int | None = None,
) -> Given:
    """Give the posterior given ``k`` changes, over some cells of the grid.

    Parameters
    ----------
    bins, grid, cells
        What to sum over, under which priors.
    k : int
        Number of changes.
    read : int, optional
        Family whose moments are wanted, where it is not that of the bins.

    Returns
    -------
    Given
        Dates, rates, and what draws need.
    """
    m, n_cells = len(bins), grid.shape.size
    log_odds = math.log(max(k, 0.5) / m)
    forward: dict[int, Sums] = {}
    for r in cells:
        forward[r] = _summed(bins, grid, r, k, log_odds, backward=False)
        if forward[r].log_odds > -math.inf:
            log_odds = forward[r].log_odds
    log_sums, lost = np.full(n_cells, -np.inf), np.zeros(n_cells)
    for r, sums in forward.items():
        log_sums[r], lost[r] = sums.last(k) + grid.constant(bins, r), sums.share_lost(k)
    weights = np.exp(log_sums + grid.log_prior - logsumexp(log_sums + grid.log_prior))
    weights[weights < _WORTH_A_PASS] = 0
    weights /= weights.sum()
    dates, moments = np.zeros((k, m)), np.zeros((2, m))
    segments = np.zeros((2, k + 1))
    rest = {}
    for r in map(int, np.flatnonzero(weights)):
        sums = forward[r]
        back = _summed(bins, grid, r, k, sums.log_odds, backward=True)
        back = replace(back, values=back.values[:, ::-1].copy(), offset=back.offset[::-1].copy())
        rest[r] = (back.values, back.offset)
        ends = np.zeros((sums.values.shape[0], m + 1))
        ends[k - int(sums.offset[m]), m] = weights[r]
        for j in range(k):  # change number j + 1 stands just before bin t
            chance = np.exp(
                sums.of(j)[1:m] + np.log(bins.places[1:]) + back.of(k - 1 - j)[1:m] - sums.last(k)
            )
            dates[j, 1:] += weights[r] * chance
            rows = j - sums.offset[1:m]
            inside = (rows >= 0) & (rows < sums.values.shape[0])
            ends[rows[inside], np.flatnonzero(inside) + 1] = weights[r] * chance[inside]
        _, _, by_bin, by_segment = _number_pass(
            bins,
            grid,
            r,
            k if sums.log_odds == -math.inf else m - 1,
            sums.log_odds,
            sums.values.shape[0],
            store=False,
            backward=False,
            ends=ends,
            read=read,
        )
        moments += by_bin[:, :m]
        segments += by_segment[:, : k + 1]
    return Given(
        k, dates, segments[0], segments[1], moments, weights, rest, log_sums, float(weights @ lost)
    )


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
