"""The posterior of a rate with changes on a grid of levels: zero inflation, and regimes of a shortest length."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, xlogy
from scipy.stats import gamma

from tempo.errors import DataError
from tempo.models import observation
from tempo.models.changepoint_given import Given
from tempo.models.changepoint_grid import Bins, Grid
from tempo.models.changepoint_levels import backward, forward, numbers, paths
from tempo.models.changepoint_posterior import Posterior
from tempo.models.changepoint_predictive import NEGBIN, ZIP

__all__ = ["LevelPosterior", "level_grid", "solve_levels"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

_MOST_LEVELS = 600
_LARGEST = 60_000_000  # numbers that one stored filter may hold
_PRIORS = 16  # the most probable priors carry marginals and draws
_DRAWS = 4_000


@dataclass(frozen=True, eq=False)
class LevelPosterior(Posterior):
    """The posterior of one series whose regimes have a level on a grid; see :func:`solve_levels`.

    Evidence, P(change), mean rates and the number of changes are sums over all placements and levels; what is given
    a number of changes, and placements, are read off 4,000 joint draws, always the same ones. The evidence averages
    over the whole grid of priors, the rest over its sixteen most probable cells.

    Attributes
    ----------
    levels : ndarray, shape (levels,)
        Mean events per whole bin.
    shortest : int
        Bins that a regime lasts at least; the first and the last may have been cut by the window.
    """

    levels: Floats = field(default_factory=lambda: np.zeros(0))
    shortest: int = 1

    @property
    def log_evidence_bound(self) -> float:
        """Nothing is dropped."""
        return 0.0

    def leave(self, hazard: int) -> Floats:
        """Give the probability of leaving each phase of a regime, under one hazard of the grid."""
        return np.append(np.ones(self.shortest - 1), self.grid.hazard[hazard])

    def likelihood(self, cell: int) -> Floats:
        """Give the likelihood of every bin up to the last observed one at each level, rows up to a factor."""
        return _likelihood(self.bins, self.grid, cell, self.levels)[0]

    def prior(self, cell: int) -> Floats:
        """Give the probability of each level of a new regime."""
        return _level_prior(self.levels, float(self.grid.shape[cell]), float(self.grid.rate[cell]))

    @property
    def _pairs(self) -> list[tuple[int, int, float]]:
        best = np.argsort(self.weights, axis=None)[::-1][:_PRIORS]
        share = self.weights.ravel()[best]
        share = share / share.sum()
        rows, columns = np.divmod(best, self.weights.shape[1])
        return [(int(r), int(h), float(w)) for r, h, w in zip(rows, columns, share, strict=True)]

    def _priors(self, draws: int, generator: np.random.Generator) -> Integers:
        """Draw priors, numbered through the table."""
        rows, columns, share = zip(*self._pairs, strict=True)
        pairs = np.array(rows) * self.weights.shape[1] + np.array(columns)
        return np.asarray(generator.choice(pairs, draws, p=np.array(share)))

    def filtered(self, cell: int, hazard: int) -> tuple[Floats, Floats]:
        """Give the stored filter and its factors under one prior."""
        _, kept, sums = forward(self.likelihood(cell), self.prior(cell), self.leave(hazard), True)
        return kept, sums

    @cached_property
    def _smoothed(self) -> tuple[Floats, Floats]:
        position = self.bins.position
        change, moments = np.zeros(len(position)), np.zeros((2, len(position)))
        for cell, hazard, weight in self._pairs:
            kept, sums = self.filtered(cell, hazard)
            shares, by_bin, _, _ = backward(
                self.likelihood(cell), self.prior(cell), self.leave(hazard), kept, sums
            )
            total = np.concatenate([[0.0], np.cumsum(by_bin)])  # a change in a gap counts after it
            change += weight * np.diff(total[np.append(0, position + 1)])
            moments[0] += weight * (shares[position] @ self.levels)
            moments[1] += weight * (shares[position] @ self.levels**2)
        change[0] = 0.0
        return change, moments

    @property
    def change_probability(self) -> Floats:
        """P(a new regime begins with each observed bin, or in a gap right before it), shape (m,)."""
        return self._smoothed[0]

    @property
    def rate_moments(self) -> Floats:
        """Posterior mean and mean square of the rate in each observed bin, shape (2, m)."""
        return self._smoothed[1]

    @cached_property
    def number(self) -> Floats:
        """P(k changes) for k = 0, 1, …; the last stands for more as well."""
        expected = float(self.change_probability.sum())
        most = min(int(expected + 8 * math.sqrt(expected + 1)) + 8, self.bins.n_bins)
        total = np.zeros(most + 1)
        for cell, hazard, weight in self._pairs:
            total += weight * numbers(
                self.likelihood(cell), self.prior(cell), self.leave(hazard), most
            )
        return total

    def given(self, n_changes: int) -> Given:
        """Give the posterior given a number of changes, from joint draws."""
        draw, start, rate, _, _ = self.draws(_DRAWS, np.random.default_rng(0), n_changes)
        m, n = len(self.bins), int(draw[-1]) + 1
        starts, rates = start.reshape(n, -1), rate.reshape(n, -1)
        dates = np.array([np.bincount(s, minlength=m) / n for s in starts.T[1:]]).reshape(-1, m)
        empty = np.zeros(0)
        return Given(
            n_changes,
            dates,
            rates.mean(axis=0),
            (rates**2).mean(axis=0),
            np.zeros((2, m)),
            empty,
            {},
            empty,
        )

    def draws(
        self, number: int, generator: np.random.Generator, n_changes: int | None = None
    ) -> tuple[Integers, Integers, Floats, Integers, Integers]:
        """Draw regimes jointly, of placements with ``n_changes`` changes only where that is given.

        Returns
        -------
        draw, start, rate, cell, hazard : ndarray
            Of each regime: which draw, first observed bin, rate; of each draw: cell and hazard.
        """
        chance = (
            1.0
            if n_changes is None
            else float(np.append(self.number, 0)[min(n_changes, self.number.size)])
        )
        wanted = (
            number
            if n_changes is None
            else min(int(1.5 * number / max(chance, 0.02)) + 50, 100_000)
        )
        chosen = self._priors(wanted, generator)
        found: list[tuple[Integers, Integers, Floats]] = []
        for pair in np.unique(chosen):
            cell, hazard = divmod(int(pair), self.grid.odds.size)
            mine = np.flatnonzero(chosen == pair)
            kept, _ = self.filtered(cell, hazard)
            draw, start, level = paths(
                self.prior(cell), self.leave(hazard), kept, mine.size, generator
            )
            width = np.gradient(np.log(self.levels))
            spread = np.exp(width[level] * (generator.random(level.size) - 0.5))
            found.append((mine[draw], start, self.levels[level] * spread))
        draw, start, rate = (np.concatenate(part) for part in zip(*found, strict=True))
        start = np.searchsorted(self.bins.position, start)
        order = np.lexsort((start, draw))
        draw, start, rate = draw[order], start[order], rate[order]
        if n_changes is not None:
            fits = np.flatnonzero(np.bincount(draw, minlength=wanted) == n_changes + 1)[:number]
            if not fits.size:
                raise DataError(
                    f"none of {wanted} joint draws has {n_changes} changes: that number is too improbable to say more."
                )
            keep = np.isin(draw, fits)
            draw, start, rate = np.searchsorted(fits, draw[keep]), start[keep], rate[keep]
            chosen = chosen[fits]
        cells, hazards = np.divmod(chosen, self.grid.odds.size)
        return draw.astype(np.int64), start.astype(np.int64), rate, cells, hazards

    def placement(self, n_changes: int | None) -> Integers:
        """Give the median date of each change, at the most probable number where none is given."""
        k = int(np.argmax(self.number)) if n_changes is None else n_changes
        dates = self.given(k).dates
        return np.array([np.searchsorted(np.cumsum(p), 0.5) for p in dates], dtype=np.int64)

    def updated(self, later: Bins) -> LevelPosterior:
        """Filter again, with the bins that follow."""
        return solve_levels(Bins.joined((*self.pieces, later)), self.grid, self.shortest)

    def resolved(self, grid: Grid) -> LevelPosterior:
        """Filter again under other priors."""
        return solve_levels(self.bins, grid, self.shortest)

    def _at_the_end(self, cell: int, hazard: int) -> Floats:
        """P(phase, level) in the last bin of all, watched or not."""
        _, kept, _ = forward(self.likelihood(cell), self.prior(cell), self.leave(hazard), False)
        state, leave, prior = kept[0], self.leave(hazard), self.prior(cell)
        for _ in range(self.bins.n_bins - int(self.bins.position[-1]) - 1):
            state = _carried(state, leave, prior)
        return np.asarray(state)

    def waiting(self, n_bins: int) -> Floats:
        """Give P(the next change has come by the end of each later bin), shape (n_bins,)."""
        out = np.zeros(n_bins)
        for cell, hazard, weight in self._pairs:
            leave = self.leave(hazard)
            phases, gone = self._at_the_end(cell, hazard).sum(axis=1), 0.0
            for t in range(n_bins):
                moving = phases * leave
                gone += float(moving[-1])
                phases = phases - moving + np.append(0.0, moving[:-1])
                out[t] += weight * gone
        return out

    def simulate(
        self, n_bins: int, draws: int, generator: np.random.Generator
    ) -> NDArray[np.int64]:
        """Simulate the whole bins after the last one, shape (draws, n_bins)."""
        chosen = self._priors(draws, generator)
        out = np.empty((draws, n_bins), dtype=np.int64)
        for pair in np.unique(chosen):
            mine = np.flatnonzero(chosen == pair)
            cell, hazard = divmod(int(pair), self.grid.odds.size)
            state, prior, leave = (
                self._at_the_end(cell, hazard),
                self.prior(cell),
                self.leave(hazard),
            )
            at = generator.choice(state.size, mine.size, p=state.ravel() / state.sum())
            phase, level = np.divmod(at, self.levels.size)
            rates = np.empty((mine.size, n_bins))
            for t in range(n_bins):
                phase = phase + (generator.random(mine.size) < leave[phase])
                new = phase == leave.size
                phase[new] = 0
                level[new] = generator.choice(self.levels.size, int(new.sum()), p=prior)
                rates[:, t] = self.levels[level]
            extra = float(self.grid.size[cell])
            if self.grid.family == ZIP:
                active = generator.random(rates.shape) >= extra
                out[mine] = generator.poisson(rates / (1 - extra)) * active
            else:
                dispersion = 1 / extra if self.grid.family == NEGBIN else 0.0
                out[mine] = observation.draw(rates, dispersion, generator)
        return out

    def one_step(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Predict each count from those before it, at the most probable cell and hazard."""
        cell, hazard = (
            int(i) for i in np.unravel_index(int(np.argmax(self.weights)), self.weights.shape)
        )
        kept, _ = self.filtered(cell, hazard)
        prior, leave = self.prior(cell), self.leave(hazard)
        out = np.empty((4, len(self.bins)))
        for i, t in enumerate(self.bins.position):
            share = prior if t == 0 else _carried(kept[t - 1], leave, prior).sum(axis=0)
            y, e = self.bins.counts[i], self.bins.exposure[i]
            mean = e * self.levels
            extra = float(self.grid.size[cell])
            if self.grid.family == ZIP:
                below, at = (
                    np.where(
                        v < 0, 0.0, extra + (1 - extra) * observation.cdf(v, mean / (1 - extra))
                    )
                    for v in (y - 1, y)
                )
                variance = mean + extra / (1 - extra) * mean**2
            else:
                dispersion = 1 / (extra * e) if self.grid.family == NEGBIN else 0.0
                below, at = (observation.cdf(v, mean, dispersion) for v in (y - 1, y))
                variance = observation.variance(mean, dispersion)
            middle = float(share @ mean)
            spread = float(share @ (variance + mean**2)) - middle**2
            out[:, i] = float(share @ below), float(share @ at), middle, spread
        return out[0], out[1], out[2], out[3]


def _carried(state: Floats, leave: Floats, prior: Floats) -> Floats:
    moving = state * leave[:, None]
    new = state - moving
    new[1:] += moving[:-1]
    new[0] += moving[-1].sum() * prior
    return np.asarray(new)


def level_grid(bins: Bins, grid: Grid) -> Floats:
    """Choose the levels: closer than the posterior of a rate is wide, so that their sum is the integral.

    Parameters
    ----------
    bins : Bins
        The series.
    grid : Grid
        Gamma priors of the rate.

    Returns
    -------
    ndarray, shape (levels,)
        Evenly spaced on the log scale, from where no bin can tell a rate from zero to where no prior reaches.
    """
    mean = float(np.max(grid.shape / grid.rate))
    low = math.log(0.01 / bins.exposure.sum())
    top = max(3 * float(np.max(bins.counts / bins.exposure)), mean, 10 / bins.exposure.sum())
    high = math.log(top) + 2.0
    number = math.ceil((high - low) * max(math.sqrt(bins.counts.sum() + 1.0), 5.0))
    return np.exp(np.linspace(low, high, min(number, _MOST_LEVELS)))


def _level_prior(levels: Floats, shape: float, rate: float) -> Floats:
    log_levels = np.log(levels)
    step = log_levels[1] - log_levels[0]
    log_density = shape * np.log(rate * levels) - rate * levels - gammaln(shape)
    weight = step * np.exp(log_density)
    edge = levels[0] * math.exp(-0.5 * step)
    weight[0] += float(gamma.cdf(edge, shape, scale=1 / rate))  # as good as zero, all of it
    return np.asarray(weight / weight.sum())


def _likelihood(bins: Bins, grid: Grid, cell: int, levels: Floats) -> tuple[Floats, float]:
    """Likelihood up to the last observed bin, rows scaled to at most 1, and the log of the scale."""
    y, mean = bins.counts[:, None], bins.exposure[:, None] * levels
    extra = float(grid.size[cell])
    if grid.family == ZIP:
        active = mean / (1 - extra)
        log = math.log1p(-extra) + xlogy(y, active) - active - gammaln(y + 1)
        log = np.where(y == 0, np.logaddexp(math.log(extra), log), log)
    elif grid.family == NEGBIN:
        log = observation.log_pmf(y, mean, 1 / (extra * bins.exposure[:, None]))
    else:
        log = xlogy(y, mean) - mean - gammaln(y + 1)
    top = log.max(axis=1)
    out = np.ones((int(bins.position[-1]) + 1, levels.size))
    out[bins.position] = np.exp(log - top[:, None])
    return out, float(top.sum())


def solve_levels(bins: Bins, grid: Grid, shortest: int = 1) -> LevelPosterior:
    """Filter a series under every prior of a grid, with levels in the place of conjugate segments.

    Parameters
    ----------
    bins : Bins
        At least one observed bin.
    grid : Grid
        Priors; ``GAMMA`` stands for Poisson counts, and the ``size`` of ``ZIP`` is the share of idle bins.
    shortest : int, default 1
        Bins that a regime lasts at least.

    Returns
    -------
    LevelPosterior
        Evidence at once, the rest when it is asked for.
    """
    levels = level_grid(bins, grid)
    numbers_kept = (int(bins.position[-1]) + 1) * shortest * levels.size
    if numbers_kept > _LARGEST:
        raise DataError(
            f"{bins.n_bins} bins with regimes of at least {shortest} bins need {numbers_kept:,} numbers at a time; at "
            f"most {_LARGEST:,} are allowed. Count by week, or choose a shorter least length."
        )
    table = np.empty((grid.shape.size, grid.odds.size))
    before: tuple[float, Floats, float] | None = None
    for cell in range(grid.shape.size):
        if before is None or before[0] != grid.size[cell]:
            before = (float(grid.size[cell]), *_likelihood(bins, grid, cell, levels))
        prior = _level_prior(levels, float(grid.shape[cell]), float(grid.rate[cell]))
        for hazard in range(grid.odds.size):
            leave = np.append(np.ones(shortest - 1), grid.hazard[hazard])
            table[cell, hazard] = forward(before[1], prior, leave, False)[0] + before[2]
    return LevelPosterior(
        (bins,), grid, table, lost=np.zeros_like(table), levels=levels, shortest=shortest
    )
