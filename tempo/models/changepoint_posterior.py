"""The exact posterior of a piecewise constant rate, over a grid of hazards and rate priors: arrays in, arrays out.

A cell of the grid is one prior of the segments' rates; every cell is filtered for all hazards at once. Whatever is
reported is the mixture over the grid, weighted by prior times evidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

from tempo.models.changepoint_grid import Bins, Grid
from tempo.models.changepoint_paths import most_probable, sample_partitions
from tempo.models.changepoint_predictive import BERNOULLI, GAMMA, NEGBIN, predictive_moments
from tempo.models.changepoint_recursions import State, filter_pass, initial_state, number_pass

__all__ = ["Given", "Partitions", "Posterior", "draw_rates", "one_step", "solve"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

PRUNE = 1e-10
_WORTH_A_PASS = 1e-6  # cells below this share of the posterior are left out of marginals
_KEPT_NUMBERS = (
    5_000_000  # forward sums are kept up to this many; otherwise computed again when needed
)
_VITERBI_STEPS = 3e9  # a placement of given number is searched exactly up to this many steps
_EXACT_NUMBER = 12  # up to this many changes, all smaller numbers are carried along too
_NOTHING = np.zeros((1, 0))


@dataclass(frozen=True, eq=False)
class Partitions:
    """Joint draws: one row for each segment of each draw, in order of draw and time.

    Attributes
    ----------
    draw, start, end : ndarray of int
        Which draw; first observed bin of the segment, and the one after its last.
    cell : ndarray of int
        Cell of the grid.
    first, second : ndarray
        Statistics of the segment.
    rate : ndarray
        A draw of its rate, per whole bin.
    hazard : ndarray of int, shape (draws,)
        Index of the hazard of each draw.
    """

    draw: Integers
    start: Integers
    end: Integers
    cell: Integers
    first: Floats
    second: Floats
    rate: Floats
    hazard: Integers


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


@dataclass(frozen=True, eq=False)
class Posterior:
    """The exact posterior of one series; see :func:`solve`.

    Attributes
    ----------
    pieces : tuple of Bins
        What was filtered: the series, and the stretches that came by :meth:`updated`.
    grid : Grid
        Under which priors.
    table : ndarray, shape (cells, hazards)
        Log evidence; one column only where the number of changes is given.
    states : tuple of State
        Live runs after the last bin, for each cell; empty where the number is given.
    lost : ndarray, shape (cells, hazards)
        Bound on the relative loss by pruning, whatever comes later.
    forward : tuple of ndarray
        Log evidence up to each bin, for each cell, shape (hazards, m + 1), and what was lost at each bin; empty
        where they would take too much memory.
    """

    pieces: tuple[Bins, ...]
    grid: Grid
    table: Floats
    states: tuple[State, ...] = ()
    lost: Floats = field(default_factory=lambda: np.zeros((1, 1)), repr=False)
    forward: tuple[tuple[Floats, Floats], ...] = field(default=(), repr=False)

    @cached_property
    def bins(self) -> Bins:
        """All observed bins."""
        return Bins.joined(self.pieces)

    @cached_property
    def log_evidence(self) -> float:
        """Log marginal likelihood, the grid averaged over."""
        return float(logsumexp(self.table + self._log_prior))

    @cached_property
    def weights(self) -> Floats:
        """Posterior probability of each (cell, hazard)."""
        weights = np.exp(self.table + self._log_prior - self.log_evidence)
        return np.asarray(weights / weights.sum())

    @property
    def _log_prior(self) -> Floats:
        if self.grid.n_changes is not None:
            return self.grid.log_prior[:, None]
        return self.grid.log_prior[:, None] + self.grid.log_odds_prior

    @property
    def _cells(self) -> list[int]:
        return [int(r) for r in np.flatnonzero(self.weights.sum(axis=1) > _WORTH_A_PASS)]

    def _run(
        self, cell: int, *, backward: bool = False, ends: Floats | None = None
    ) -> tuple[Floats, Floats, Floats]:
        bins = self.bins.reversed if backward else self.bins
        change, stay = self.grid.factors(bins.places)
        state = initial_state(self.grid.odds.size)
        sums, lost, _, moments = _filter(self.grid, bins, change, stay, cell, state, 0, ends)
        return (sums[:, ::-1].copy() if backward else sums), lost, moments

    def _forward(self, cell: int) -> tuple[Floats, Floats]:
        if self.forward:
            return self.forward[cell]
        sums, lost, _ = self._run(cell)
        return sums, lost

    @cached_property
    def _marginals(self) -> tuple[dict[int, Floats], float]:
        """P(change) before each bin by cell and hazard, and the bound on the error of the log evidence."""
        m = len(self.bins)
        chances = {}
        log_change = np.log(self.grid.factors(self.bins.places)[0])
        bound = float(np.sum(self.weights * self.lost))  # of the cells that get no backward pass
        for cell in self._cells:
            forward, lost = self._forward(cell)
            backward, lost_back, _ = self._run(cell, backward=True)
            chance = np.zeros((self.grid.odds.size, m))
            chance[:, 1:] = np.exp(
                forward[:, 1:m] + log_change[:, 1:] + backward[:, 1:m] - forward[:, -1:]
            )
            chances[cell] = chance
            # What is lost at a bin counts only as far as a change there is probable; and the backward sums that
            # say so are themselves short by a share that the bound of their own pass limits.
            sharp = np.sum(lost[:, : m - 1] * chance[:, 1:], axis=1)
            short = np.minimum(lost_back.sum(axis=1), 1.0)
            sharp = np.divide(sharp, 1 - short, out=np.full_like(sharp, np.inf), where=short < 1)
            bound += float(
                self.weights[cell] @ (np.minimum(sharp, self.lost[cell]) - self.lost[cell])
            )
        return chances, math.log1p(max(bound, 0.0))

    @cached_property
    def _moments(self) -> Floats:
        m = len(self.bins)
        moments = np.zeros((2, m))
        for cell, chance in self._marginals[0].items():
            weight = self.weights[cell]
            ends = np.empty((weight.size, m + 1))
            ends[:, :m] = weight[:, None] * chance
            ends[:, m] = weight
            moments += self._run(cell, ends=ends)[2][:, :m]
        return moments

    @cached_property
    def change_probability(self) -> Floats:
        """P(a new regime begins with each observed bin), shape (m,)."""
        if self.grid.n_changes is not None:
            dates = self.given(self.grid.n_changes).dates
            return np.asarray(dates.sum(axis=0))
        return sum(
            (self.weights[cell] @ chance for cell, chance in self._marginals[0].items()),
            start=np.zeros(len(self.bins)),
        )

    @cached_property
    def rate_moments(self) -> Floats:
        """Posterior mean and mean square of the rate in each observed bin, shape (2, m)."""
        if self.grid.n_changes is not None:
            return self.given(self.grid.n_changes).moments
        return self._moments

    @cached_property
    def log_evidence_bound(self) -> float:
        """How much larger the log evidence may be, because runs were dropped."""
        return 0.0 if self.grid.n_changes is not None else self._marginals[1]

    @cached_property
    def number(self) -> Floats:
        """P(k changes) for k = 0, 1, …, cut where nothing that matters is left; sums to 1 minus that rest."""
        if self.grid.n_changes is not None:
            out = np.zeros(self.grid.n_changes + 1)
            out[-1] = 1.0
            return out
        total = np.zeros(1)
        for cell in self._cells:
            part = self._number(cell)
            if part.size > total.size:
                total = np.pad(total, (0, part.size - total.size))
            total[: part.size] += part
        return total / max(1.0, float(total.sum()))

    def _number(self, cell: int) -> Floats:
        """P(k changes and this cell). One pass serves every hazard near the one it is made with."""
        bins, grid = self.bins, self.grid
        log_odds = np.log(grid.odds)
        _, stay = grid.factors(bins.places[1:])
        base = np.sum(np.log(stay), axis=1) + grid.constant(bins, cell) - self.table[cell]
        weight = self.weights[cell]
        found = np.zeros((grid.odds.size, 1))
        for _ in range(4):
            missing = weight * (1 - found.sum(axis=1))
            at = int(np.argmax(missing))
            if missing[at] < 1e-9:
                break
            sums, offset = self._sums(cell, len(bins) - 1, float(log_odds[at]), store=False)
            k = offset[0] + np.arange(sums.shape[0])
            part = np.exp(sums[:, 0] + k * log_odds[:, None] + base[:, None])
            if k[-1] >= found.shape[1]:
                found = np.pad(found, ((0, 0), (0, int(k[-1]) + 1 - found.shape[1])))
            found[:, k] = np.maximum(found[:, k], part)
        last = int(np.max(np.flatnonzero(found.sum(axis=0) > 0), initial=0))
        return np.asarray(weight @ found[:, : last + 1])

    def _sums(
        self,
        cell: int,
        most: int,
        log_odds: float,
        *,
        store: bool,
        backward: bool = False,
    ) -> tuple[Floats, Integers]:
        """Give sums by number of changes, with a window that is as wide as it needs to be."""
        windowed = log_odds > -math.inf
        width = min(16, most + 1) if windowed else most + 1
        while True:
            enough, sums, offset, _, _ = self._number_pass(
                cell, most, log_odds, width, store=store, backward=backward, ends=None
            )
            if enough:
                return sums, offset
            width = min(2 * width, most + 1)

    def _number_pass(
        self,
        cell: int,
        most: int,
        log_odds: float,
        width: int,
        *,
        store: bool,
        backward: bool,
        ends: Floats | None,
    ) -> tuple[bool, Floats, Integers, Floats, Floats]:
        bins = self.bins.reversed if backward else self.bins
        first, second = self.grid.prior(cell)
        enough, sums, offset, moments, segments = number_pass(
            self.grid.family,
            bins.counts,
            bins.exposure,
            bins.places,
            first,
            second,
            float(self.grid.size[cell]),
            log_odds,
            width,
            most,
            1e-14,
            store,
            _NOTHING if ends is None else ends,
        )
        return bool(enough), sums, offset, moments, segments

    def given(self, n_changes: int) -> Given:
        """Give the posterior given a number of changes; hazards drop out of it."""
        cache: dict[int, Given] = self.__dict__.setdefault("_given", {})
        if n_changes not in cache:
            cache[n_changes] = self._condition(n_changes)
        return cache[n_changes]

    def _condition(self, k: int) -> Given:
        bins, grid = self.bins, self.grid
        m, cells = len(bins), grid.shape.size
        log_odds = -math.inf
        if grid.n_changes is None and k > _EXACT_NUMBER:
            log_odds = float(np.log(grid.odds[np.argmax(self.weights.sum(axis=0))]))
        relevant = range(cells) if grid.n_changes is not None else self._cells
        forward = {r: self._sums(r, k, log_odds, store=True) for r in relevant}
        log_sums = np.full(cells, -np.inf)
        for r, (sums, offset) in forward.items():
            row = k - int(offset[m])
            log_sums[r] = sums[row, m] + grid.constant(bins, r) if row < sums.shape[0] else -np.inf
        weights = np.exp(log_sums + grid.log_prior - logsumexp(log_sums + grid.log_prior))
        weights[weights < _WORTH_A_PASS] = 0
        weights /= weights.sum()
        dates, moments = np.zeros((k, m)), np.zeros((2, m))
        segments = np.zeros((2, k + 1))
        rest = {}
        for r in np.flatnonzero(weights):
            sums, offset = forward[int(r)]
            back, back_offset = self._sums(int(r), k, log_odds, store=True, backward=True)
            back, back_offset = back[:, ::-1].copy(), back_offset[::-1].copy()
            rest[int(r)] = (back, back_offset)
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
                row = j - offset[1:m]
                inside = (row >= 0) & (row < sums.shape[0])
                ends[row[inside], np.flatnonzero(inside) + 1] = weights[r] * chance[inside]
            _, _, _, by_bin, by_segment = self._number_pass(
                int(r), k, log_odds, sums.shape[0], store=False, backward=False, ends=ends
            )
            moments += by_bin[:, :m]
            segments += by_segment
        return Given(k, dates, segments[0], segments[1], moments, weights, rest, log_sums)

    def most_probable(self, n_changes: int | None = None) -> Integers:
        """Give the most probable placement, as observed bins that begin a new regime.

        At the most probable cell of the grid. ``n_changes`` is None for number and places together.
        """
        bins, grid = self.bins, self.grid
        m = len(bins)
        if n_changes is None:
            cell, at = np.unravel_index(int(np.argmax(self.weights)), self.weights.shape)
            return self._viterbi(int(cell), float(grid.odds[at]))
        if n_changes == 0:
            return np.zeros(0, dtype=np.int64)
        given = self.given(n_changes)
        cell = int(np.argmax(given.weights))
        if float(m) * m * (n_changes + 1) <= _VITERBI_STEPS:
            first, second = grid.prior(cell)
            return np.asarray(
                most_probable(
                    grid.family,
                    bins.counts,
                    bins.exposure,
                    np.log(bins.places),
                    np.zeros(m),
                    first,
                    second,
                    float(grid.size[cell]),
                    n_changes,
                )
            )
        # Placements of any number under a hazard are most probable given their number too.
        low, high = -60.0, 10.0
        for _ in range(24):
            middle = 0.5 * (low + high)
            places = self._viterbi(cell, math.exp(middle))
            if places.size == n_changes:
                return places
            low, high = (middle, high) if places.size < n_changes else (low, middle)
        return np.asarray([np.searchsorted(np.cumsum(p), 0.5) for p in given.dates], dtype=np.int64)

    def _viterbi(self, cell: int, odds: float) -> Integers:
        bins, grid = self.bins, self.grid
        first, second = grid.prior(cell)
        local = odds * bins.places
        return np.asarray(
            most_probable(
                grid.family,
                bins.counts,
                bins.exposure,
                np.log(local / (1 + local)),
                -np.log1p(local),
                first,
                second,
                float(grid.size[cell]),
                -1,
            )
        )

    def sample(
        self, draws: int, generator: np.random.Generator, n_changes: int | None = None
    ) -> Partitions:
        """Draw partitions and rates from their exact joint posterior, or given a number of changes."""
        bins, grid = self.bins, self.grid
        m = len(bins)
        number = grid.n_changes if n_changes is None else n_changes
        if number is None:
            chosen = generator.choice(self.weights.size, draws, p=self.weights.ravel())
            cells, hazards = np.divmod(chosen, grid.odds.size)
            log_change, log_stay = (np.log(f) for f in grid.factors(bins.places))
        else:
            given = self.given(number)
            cells = generator.choice(given.weights.size, draws, p=given.weights)
            share = np.exp(grid.log_odds_prior - logsumexp(grid.log_odds_prior))
            hazards = generator.choice(grid.odds.size, draws, p=share)
            log_change, log_stay = np.log(bins.places)[None, :], np.zeros((1, m))
        found_draw, found_start = [], []
        for cell in [int(r) for r in np.unique(cells)]:
            mine = np.flatnonzero(cells == cell)
            if number is None:
                rest = self._run(cell, backward=True)[0]
                offset, column, step = np.zeros(m + 1, dtype=np.int64), hazards[mine], 0
            else:
                rest, offset = given.rest[cell]
                column, step = np.full(mine.size, number, dtype=np.int64), 1
            first, second = grid.prior(cell)
            draw, start = sample_partitions(
                grid.family,
                bins.counts,
                bins.exposure,
                log_change,
                log_stay,
                rest,
                offset,
                step,
                column.astype(np.int64),
                first,
                second,
                float(grid.size[cell]),
                generator,
            )
            found_draw.append(mine[draw])
            found_start.append(start)
        draw, start = np.concatenate(found_draw), np.concatenate(found_start)
        order = np.lexsort((start, draw))
        draw, start = draw[order].astype(np.int64), start[order]
        end = np.full(start.size, m, dtype=np.int64)
        same = draw[1:] == draw[:-1]
        end[:-1][same] = start[1:][same]
        cell_of = cells[draw].astype(np.int64)
        one, two = self.statistics(cell_of, start, end)
        rate = draw_rates(grid, cell_of, one, two, generator)
        return Partitions(draw, start, end, cell_of, one, two, rate, hazards.astype(np.int64))

    def statistics(self, cell: Integers, start: Integers, end: Integers) -> tuple[Floats, Floats]:
        """Give the two statistics of segments, prior included."""
        grid = self.grid
        events = np.concatenate([[0.0], np.cumsum(self.bins.counts)])
        exposed = np.concatenate([[0.0], np.cumsum(self.bins.exposure)])
        n, e = events[end] - events[start], exposed[end] - exposed[start]
        prior = np.array([grid.prior(r) for r in range(grid.shape.size)])[cell]
        if grid.family == NEGBIN:
            return prior[:, 0] + grid.size[cell] * e, prior[:, 1] + n
        if grid.family == BERNOULLI:
            return prior[:, 0] + n, prior[:, 1] + (end - start) - n
        return prior[:, 0] + n, prior[:, 1] + e

    @cached_property
    def _seen(self) -> tuple[int, int]:
        """Observed bins so far, and bins since the last of them (1 where that is the last bin of all)."""
        return len(self.bins), self.bins.n_bins - int(self.bins.position[-1])

    def updated(self, later: Bins) -> Posterior:
        """Filter later bins; the runs that live after the last bin are all that is needed."""
        grid, pieces = self.grid, (*self.pieces, later)
        if grid.n_changes is not None:
            return solve(Bins.joined(pieces), grid)
        seen, since = self._seen
        if len(later) == 0:
            return Posterior(pieces, grid, self.table, self.states, self.lost, self.forward)
        places = later.places.copy()
        places[0] = since + later.position[0]
        change, stay = grid.factors(places)
        table, lost, states = self.table.copy(), self.lost.copy(), []
        for cell, old in enumerate(self.states):
            sums, gone, state = _filter(grid, later, change, stay, cell, old, seen)[:3]
            table[cell] += sums[:, -1] + grid.constant(later, cell)
            lost[cell] += gone.sum(axis=1)
            states.append(state)
        out = Posterior(pieces, grid, table, tuple(states), lost)
        # Known without joining the pieces, which would make each day cost as much as all days before it.
        out.__dict__["_seen"] = (seen + len(later), later.n_bins - int(later.position[-1]))
        return out


def _by_number(sums: Floats, offset: Integers, k: int) -> Floats:
    """Row of a given number of changes in sums whose first row is ``offset``, shape (m + 1,)."""
    row = k - offset
    inside = (row >= 0) & (row < sums.shape[0])
    out = np.full(offset.size, -np.inf)
    out[inside] = sums[row[inside], np.flatnonzero(inside)]
    return out


def draw_rates(
    grid: Grid, cell: Integers, first: Floats, second: Floats, generator: np.random.Generator
) -> Floats:
    """Draw the rate of each segment given its two statistics."""
    if grid.family == GAMMA:
        return generator.gamma(first) / second
    share = generator.beta(first, second)
    if grid.family == BERNOULLI:
        return share
    return np.asarray(grid.size[cell] * (1 - share) / share)


def _log_placements(places: Floats, k: int) -> float:
    """Log of the number of placements of ``k`` changes, a gap counted by its length."""
    between = places[1:]
    if np.all(between == 1):
        n = between.size
        return float(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
    sums = np.full(k + 1, -np.inf)
    sums[0] = 0.0
    for log_place in np.log(between):
        sums[1:] = np.logaddexp(sums[1:], sums[:-1] + log_place)
    return float(sums[k])


def solve(bins: Bins, grid: Grid) -> Posterior:
    """Filter a series under every prior of a grid.

    Parameters
    ----------
    bins : Bins
        At least one observed bin.
    grid : Grid
        Priors.

    Returns
    -------
    Posterior
        Evidence at once; marginals, numbers, placements and draws when they are asked for.
    """
    m, cells = len(bins), grid.shape.size
    if grid.n_changes is not None:
        given = Posterior((bins,), grid, np.zeros((cells, 1))).given(grid.n_changes)
        table = given.log_sums[:, None] - _log_placements(bins.places, grid.n_changes)
        solved = Posterior((bins,), grid, table)
        solved.__dict__["_given"] = {grid.n_changes: given}
        return solved
    change, stay = grid.factors(bins.places)
    table = np.empty((cells, grid.odds.size))
    lost = np.zeros_like(table)
    states, forward = [], []
    keep = cells * grid.odds.size * m <= _KEPT_NUMBERS or cells == 1
    for cell in range(cells):
        sums, gone, state, _ = _filter(
            grid, bins, change, stay, cell, initial_state(grid.odds.size), 0
        )
        table[cell] = sums[:, -1] + grid.constant(bins, cell)
        lost[cell] = gone.sum(axis=1)
        states.append(state)
        if keep:
            forward.append((sums, gone))
    return Posterior((bins,), grid, table, tuple(states), lost, tuple(forward))


def _filter(
    grid: Grid,
    bins: Bins,
    change: Floats,
    stay: Floats,
    cell: int,
    state: State,
    begun: int,
    ends: Floats | None = None,
) -> tuple[Floats, Floats, State, Floats]:
    first, second = grid.prior(cell)
    sums, lost, state, _, moments = filter_pass(
        grid.family,
        bins.counts,
        bins.exposure,
        change,
        stay,
        grid.odds,
        first,
        second,
        float(grid.size[cell]),
        PRUNE,
        state,
        begun,
        np.zeros((grid.odds.size, 0)) if ends is None else ends,
    )
    return sums, lost, state, moments


def one_step(posterior: Posterior) -> tuple[Floats, Floats, Floats, Floats]:
    """Predict each observed bin from those before it, at the most probable cell and hazard.

    Parameters
    ----------
    posterior : Posterior
        What to check. Where the number of changes is given, a hazard that expects as many is used.

    Returns
    -------
    below, at, mean, variance : ndarray, shape (m,)
        P(less than the count), P(at most the count), mean and variance of each bin.
    """
    grid, bins = posterior.grid, posterior.bins
    cell, at_hazard = np.unravel_index(int(np.argmax(posterior.weights)), posterior.weights.shape)
    odds = grid.odds[[int(at_hazard)]]
    first, second = grid.prior(int(cell))
    size = float(grid.size[cell])
    change, stay = odds * bins.places / (1 + odds * bins.places), 1 / (1 + odds * bins.places)
    state = initial_state(1)
    none = np.zeros((1, 0))
    out = np.empty((4, len(bins)))
    for t in range(len(bins)):
        share = np.append(state[3][0] * stay[t], change[t] if t else 1.0)
        out[:, t] = predictive_moments(
            grid.family,
            size,
            np.append(state[1], first),
            np.append(state[2], second),
            share,
            bins.counts[t],
            bins.exposure[t],
        )
        one = slice(t, t + 1)
        state = filter_pass(
            grid.family,
            bins.counts[one],
            bins.exposure[one],
            change[None, one],
            stay[None, one],
            odds,
            first,
            second,
            size,
            PRUNE,
            state,
            t,
            none,
        )[2]
    return out[0], out[1], out[2], out[3]
