"""The exact posterior of a piecewise constant rate, over a grid of hazards and rate priors: arrays in, arrays out.

A cell of the grid is one prior of the segments' rates; every cell is filtered for all hazards at once. Whatever is
reported is the mixture over the grid, weighted by prior times evidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from tempo.models.changepoint_duration_numbers import duration_numbers
from tempo.models.changepoint_durations import (
    DurationState,
    duration_pass,
    duration_rest,
    first_duration_state,
)
from tempo.models.changepoint_given import Given, condition, log_placements, sums_by_number
from tempo.models.changepoint_grid import Bins, Grid
from tempo.models.changepoint_predictive import PRECISION
from tempo.models.changepoint_recursions import State, filter_pass, initial_state

__all__ = ["PRUNE", "Posterior", "solve"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

PRUNE = 1e-10
_WORTH_A_PASS = 1e-6  # cells below this share of the posterior are left out of marginals
_KEPT_NUMBERS = (
    5_000_000  # forward sums are kept up to this many; otherwise computed again when needed
)


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
        Bound on the relative loss by pruning, whatever comes later; zero with shortest lengths, where the bound
        needs the backward pass.
    forward : tuple of ndarray
        Log evidence up to each bin, for each cell, shape (hazards, m + 1), and what was lost at each bin; empty
        where they would take too much memory.
    """

    pieces: tuple[Bins, ...]
    grid: Grid
    table: Floats
    states: tuple[State | DurationState, ...] = ()
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

    @cached_property
    def _looked_at(self) -> float:
        """Weight of the cells that get a pass; what the others have is negligible, and shared out."""
        return float(self.weights[self._cells].sum())

    def _run(
        self, bins: Bins, cell: int, ends: Floats | None = None, read: int | None = None
    ) -> tuple[Floats, Floats, Floats]:
        change, stay = self.grid.factors(bins.places)
        state = _nothing_seen(self.grid)
        sums, lost, _, moments = _filter(self.grid, bins, change, stay, cell, state, 0, ends, read)
        return sums, lost, moments

    def _forward(self, cell: int) -> tuple[Floats, Floats]:
        if self.forward:
            return self.forward[cell]
        sums, lost, _ = self._run(self.bins, cell)
        return sums, lost

    def backward(self, cell: int) -> tuple[Floats, Floats]:
        """Give the log evidence from each bin on, shape (hazards, m + 1), and what was lost on the way."""
        kept: dict[int, tuple[Floats, Floats]] = self.__dict__.setdefault("_backward", {})
        if cell in kept:
            return kept[cell]
        if self.grid.shortest > 1:
            found = self._backward_of_durations(cell)
        else:
            sums, lost, _ = self._run(self.bins.reversed, cell)
            found = sums[:, ::-1].copy(), lost
        if self.table.size * len(self.bins) <= _KEPT_NUMBERS:
            kept[cell] = found
        return found

    @cached_property
    def _marginals(self) -> tuple[dict[int, Floats], float]:
        """P(change) before each bin by cell and hazard, and the bound on the error of the log evidence."""
        m = len(self.bins)
        chances = {}
        log_change = np.log(self.grid.factors(self.bins.places)[0])
        bound = float(np.sum(self.weights * self.lost))  # of the cells that get no backward pass
        for cell in self._cells:
            forward, lost = self._forward(cell)
            backward, lost_back = self.backward(cell)
            chance = np.zeros((self.grid.odds.size, m))
            chance[:, 1:] = np.exp(
                forward[:, 1:m] + log_change[:, 1:] + backward[:, 1:m] - forward[:, -1:]
            )
            chances[cell] = chance
            if self.grid.shortest > 1:
                worth = np.exp(lost + lost_back[:, :m] - forward[:, -1:])
                bound += float(self.weights[cell] @ worth.sum(axis=1))
                continue
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
        return self._mixed_moments(None)

    def _mixed_moments(self, read: int | None) -> Floats:
        m = len(self.bins)
        moments = np.zeros((2, m))
        for cell, chance in self._marginals[0].items():
            weight = self.weights[cell]
            ends = np.empty((weight.size, m + 1))
            ends[:, :m] = weight[:, None] * chance
            ends[:, m] = weight
            moments += self._run(self.bins, cell, ends, read)[2][:, :m]
        return moments / self._looked_at

    @cached_property
    def change_probability(self) -> Floats:
        """P(a new regime begins with each observed bin), shape (m,)."""
        if self.grid.n_changes is not None:
            dates = self.given(self.grid.n_changes).dates
            return np.asarray(dates.sum(axis=0))
        chances = self._marginals[0].items()
        total = sum(
            (self.weights[cell] @ chance for cell, chance in chances), np.zeros(len(self.bins))
        )
        return np.asarray(total / self._looked_at)

    @cached_property
    def rate_moments(self) -> Floats:
        """Posterior mean and mean square of the rate in each observed bin, shape (2, m)."""
        if self.grid.n_changes is not None:
            return self.given(self.grid.n_changes).moments
        return self._moments

    @property
    def precision_moments(self) -> Floats:
        """Posterior means of a normal regime's precision, and of its product with the mean, by bin; shape (2, m)."""
        if self.grid.n_changes is None:
            return self._mixed_moments(PRECISION)
        cells = list(range(self.grid.shape.size))
        return condition(self.bins, self.grid, cells, self.grid.n_changes, PRECISION).moments

    @cached_property
    def log_evidence_bound(self) -> float:
        """How much larger the log evidence may be, because runs were dropped."""
        if self.grid.n_changes is not None:
            return math.log1p(self.given(self.grid.n_changes).lost)
        return self._marginals[1]

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
        return total / max(self._looked_at, float(total.sum()))

    def _number(self, cell: int) -> Floats:
        """P(k changes and this cell). One pass serves every hazard near the one it is made with."""
        bins, grid = self.bins, self.grid
        if grid.shortest > 1:
            return self._number_of_durations(cell)
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
            sums = sums_by_number(bins, grid, cell, len(bins) - 1, float(log_odds[at]), store=False)
            k = sums.offset[0] + np.arange(sums.values.shape[0])
            part = np.exp(sums.values[:, 0] + k * log_odds[:, None] + base[:, None])
            if k[-1] >= found.shape[1]:
                found = np.pad(found, ((0, 0), (0, int(k[-1]) + 1 - found.shape[1])))
            found[:, k] = np.maximum(found[:, k], part)
        last = int(np.max(np.flatnonzero(found.sum(axis=0) > 0), initial=0))
        return np.asarray(weight @ found[:, : last + 1])

    def _backward_of_durations(self, cell: int) -> tuple[Floats, Floats]:
        bins, grid = self.bins, self.grid
        found = duration_rest(
            grid.family,
            bins.counts,
            bins.exposure,
            bins.position,
            grid.shortest,
            *(np.log(part) for part in grid.factors(bins.places)),
            grid.odds,
            *grid.prior(cell),
            float(grid.size[cell]),
            PRUNE,
        )
        return found[0], found[1]

    def _number_of_durations(self, cell: int) -> Floats:
        bins, grid = self.bins, self.grid
        expected = float(self.change_probability.sum())
        most = min(int(expected + 3 * math.sqrt(expected + 1)) + 3, len(bins) - 1)
        used = np.flatnonzero(self.weights[cell] > _WORTH_A_PASS)
        while True:
            sums = duration_numbers(
                grid.family,
                bins.counts,
                bins.exposure,
                bins.position,
                grid.shortest,
                *(np.log(part[used]) for part in grid.factors(bins.places)),
                *grid.prior(cell),
                float(grid.size[cell]),
                most,
                PRUNE,
                False,
                np.zeros((most + 1, 0)),
                grid.family,
            )[0].reshape(used.size, most + 1)
            part = np.exp(sums + grid.constant(bins, cell) - self.table[cell, used][:, None])
            missing = float(self.weights[cell, used] @ (1 - part.sum(axis=1)))
            if missing < 1e-9 or most == len(bins) - 1:
                return np.asarray(self.weights[cell, used] @ part)
            most = min(2 * most, len(bins) - 1)

    def given(self, n_changes: int) -> Given:
        """Give the posterior given a number of changes: all placements that are allowed are alike a priori."""
        cache: dict[int, Given] = self.__dict__.setdefault("_given", {})
        if n_changes not in cache:
            given = self.grid.n_changes is not None
            cells = list(range(self.grid.shape.size)) if given else self._cells
            cache[n_changes] = condition(self.bins, self.grid, cells, n_changes)
        return cache[n_changes]

    @cached_property
    def _seen(self) -> tuple[int, int, int]:
        """Observed bins so far, bins since the last of them (1 where that is the last bin of all), and all bins."""
        return len(self.bins), self.bins.n_bins - int(self.bins.position[-1]), self.bins.n_bins

    def resolved(self, grid: Grid) -> Posterior:
        """Filter again under other priors."""
        return solve(self.bins, grid)

    def updated(self, later: Bins) -> Posterior:
        """Filter later bins; the runs that live after the last bin are all that is needed."""
        grid, pieces = self.grid, (*self.pieces, later)
        if grid.n_changes is not None:
            return solve(Bins.joined(pieces), grid)
        seen, since, before = self._seen
        if len(later) == 0:
            return Posterior(pieces, grid, self.table, self.states, self.lost, self.forward)
        places = later.places.copy()
        places[0] = since + later.position[0]
        change, stay = grid.factors(places)
        table, lost, states = self.table.copy(), self.lost.copy(), []
        new = later if grid.shortest == 1 else replace(later, position=later.position + before)
        for cell, old in enumerate(self.states):
            sums, gone, state = _filter(grid, new, change, stay, cell, old, seen)[:3]
            table[cell] += sums[:, -1] + grid.constant(later, cell)
            if grid.shortest == 1:
                lost[cell] += gone[:, 0] if len(later) == 1 else gone.sum(axis=1)
            states.append(state)
        out = Posterior(pieces, grid, table, tuple(states), lost)
        # Known without joining the pieces, which would make each day cost as much as all days before it.
        since = later.n_bins - int(later.position[-1])
        out.__dict__["_seen"] = (seen + len(later), since, before + later.n_bins)
        return out


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
        table = given.log_sums[:, None] - log_placements(bins, grid.n_changes, grid.shortest)
        solved = Posterior((bins,), grid, table)
        solved.__dict__["_given"] = {grid.n_changes: given}
        return solved
    change, stay = grid.factors(bins.places)
    table = np.empty((cells, grid.odds.size))
    lost = np.zeros_like(table)
    states, forward = [], []
    keep = cells * grid.odds.size * m <= _KEPT_NUMBERS or cells == 1
    for cell in range(cells):
        sums, gone, state, _ = _filter(grid, bins, change, stay, cell, _nothing_seen(grid), 0)
        table[cell] = sums[:, -1] + grid.constant(bins, cell)
        if grid.shortest == 1:
            lost[cell] = gone.sum(axis=1)
        states.append(state)
        if keep:
            forward.append((sums, gone))
    return Posterior((bins,), grid, table, tuple(states), lost, tuple(forward))


def _nothing_seen(grid: Grid) -> State | DurationState:
    hazards = grid.odds.size
    plain = grid.shortest == 1
    state: State | DurationState = (
        initial_state(hazards) if plain else first_duration_state(hazards)
    )
    return state


def _filter(
    grid: Grid,
    bins: Bins,
    change: Floats,
    stay: Floats,
    cell: int,
    state: State | DurationState,
    begun: int,
    ends: Floats | None = None,
    read: int | None = None,
) -> tuple[Floats, Floats, State | DurationState, Floats]:
    first, second, third = grid.prior(cell)
    if grid.shortest > 1:
        found = duration_pass(
            grid.family,
            bins.counts,
            bins.exposure,
            bins.position,
            grid.shortest,
            np.log(change),
            np.log(stay),
            grid.odds,
            first,
            second,
            third,
            float(grid.size[cell]),
            PRUNE,
            state,
            begun,
            np.zeros((grid.odds.size, 0)) if ends is None else ends,
            grid.family if read is None else read,
        )
        return found[0], found[1], found[2], found[3]
    sums, lost, state, _, moments = filter_pass(
        grid.family,
        bins.counts,
        bins.exposure,
        change,
        stay,
        grid.odds,
        first,
        second,
        third,
        float(grid.size[cell]),
        PRUNE,
        state,
        begun,
        np.zeros((grid.odds.size, 0)) if ends is None else ends,
        grid.family if read is None else read,
    )
    return sums, lost, state, moments
