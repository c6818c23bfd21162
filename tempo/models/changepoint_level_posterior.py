"""The posterior of a rate with changes on a grid of levels: zero inflation, and covariates of what is not Poisson."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from tempo.data.rounding import counted
from tempo.errors import DataError
from tempo.models import observation
from tempo.models.changepoint_given import Given, log_placements
from tempo.models.changepoint_grid import Bins, Grid
from tempo.models.changepoint_level_grid import (
    Chain,
    level_grid,
    level_likelihood,
    level_prior,
    offset_of,
    terms_of,
)
from tempo.models.changepoint_levels import backward, forward, log_terms, numbers, paths
from tempo.models.changepoint_posterior import Posterior
from tempo.models.changepoint_predictive import BERNOULLI, NEGBIN, ZIP

__all__ = ["LevelPosterior", "solve_levels"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

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
        Mean events per whole bin, or probability of an event.
    """

    levels: Floats = field(default_factory=lambda: np.zeros(0))

    @property
    def log_evidence_bound(self) -> float:
        """Nothing is dropped."""
        return 0.0

    def likelihood(self, cell: int) -> Floats:
        """Give the likelihood of every bin up to the last observed one at each level, rows up to a factor."""
        kept: dict[float, Floats] = self.__dict__.setdefault("_likelihoods", {})
        size = float(self.grid.size[cell])
        if size not in kept:
            kept[size] = level_likelihood(self.bins, self.grid, cell, self.levels)[0]
        return kept[size]

    def prior(self, cell: int) -> Floats:
        """Give the probability of each level of a new regime."""
        return level_prior(self.levels, self.grid, cell)

    def chain(self, hazard: int, *, free: bool = False) -> Chain:
        """Give the chain of phases under one hazard, or (unless ``free``) of the number of changes that is given."""
        return Chain.of(self.grid, hazard, None if free else self.grid.n_changes)

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

    def filtered(self, cell: int, hazard: int, *, free: bool = False) -> tuple[Floats, Floats]:
        """Give the stored filter and its factors under one prior."""
        chain = self.chain(hazard, free=free)
        _, kept, sums = forward(
            self.likelihood(cell), self.prior(cell), *chain.weights, chain.begins, True
        )
        return kept, sums

    @cached_property
    def _smoothed(self) -> tuple[Floats, Floats]:
        return self._smooth(None)

    def slopes(self) -> Floats:
        """Give the expected derivative of the log-likelihood with respect to the offset of each bin, shape (m,)."""
        out = np.zeros(len(self.bins))
        self._smooth(out)
        return out

    def _smooth(self, slopes: Floats | None) -> tuple[Floats, Floats]:
        position = self.bins.position
        change, moments = np.zeros(len(position)), np.zeros((2, len(position)))
        terms: dict[float, Floats] = {}
        for cell, hazard, weight in self._pairs:
            kept, sums = self.filtered(cell, hazard)
            chain = self.chain(hazard)
            shares, by_bin, _ = backward(
                self.likelihood(cell), self.prior(cell), *chain.weights, chain.final, kept, sums
            )
            if slopes is not None:
                size = float(self.grid.size[cell])
                if size not in terms:
                    terms[size] = log_terms(
                        *terms_of(self.bins, self.grid, cell, self.levels), True
                    )[1]
                slope = terms[size]
                slopes += weight * np.sum(shares[position] * slope, axis=1)
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
        if self.grid.n_changes is not None:
            out = np.zeros(self.grid.n_changes + 1)
            out[-1] = 1.0
            return out
        expected = float(self.change_probability.sum())
        most = min(int(expected + 8 * math.sqrt(expected + 1)) + 8, self.bins.n_bins)
        total = np.zeros(most + 1)
        for cell, hazard, weight in self._pairs:
            total += weight * numbers(
                self.likelihood(cell), self.prior(cell), self.chain(hazard).leave, most
            )
        return total

    def given(self, n_changes: int) -> Given:
        """Give the posterior given a number of changes, from joint draws."""
        cache: dict[int, Given] = self.__dict__.setdefault("_given", {})
        if n_changes not in cache:
            cache[n_changes] = self._from_draws(n_changes)
        return cache[n_changes]

    def _from_draws(self, n_changes: int) -> Given:
        draw, start, rate, _, _ = self.draws(_DRAWS, np.random.default_rng(0), n_changes)
        m, n = len(self.bins), int(draw[-1]) + 1
        moments = np.zeros((2, m))
        for row, values in zip(moments, (rate, rate**2), strict=True):
            before = np.where(start > 0, np.append(0.0, values[:-1]), 0.0)
            np.add.at(row, start, (values - before) / n)
        moments = np.cumsum(moments, axis=1)
        starts, rates = start.reshape(n, -1), rate.reshape(n, -1)
        dates = np.array([np.bincount(s, minlength=m) / n for s in starts.T[1:]]).reshape(-1, m)
        empty = np.zeros(0)
        return Given(
            n_changes,
            dates,
            rates.mean(axis=0),
            (rates**2).mean(axis=0),
            moments,
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
        if n_changes == self.grid.n_changes:  # every draw has that number
            n_changes = None
        exact = None if n_changes is None else self._conditioned(n_changes)
        if exact is not None:
            return exact.draws(number, generator)
        wanted = number
        if n_changes is not None:
            chance = float(np.append(self.number, 0)[min(n_changes, self.number.size)])
            wanted = min(int(1.5 * number / max(chance, 0.02)) + 50, 100_000)
        chosen = self._priors(wanted, generator)
        found: list[tuple[Integers, Integers, Floats]] = []
        for pair in np.unique(chosen):
            cell, hazard = divmod(int(pair), self.grid.odds.size)
            mine = np.flatnonzero(chosen == pair)
            kept, _ = self.filtered(cell, hazard)
            chain = self.chain(hazard)
            draw, start, level = paths(
                self.prior(cell), *chain.weights, chain.final, kept, mine.size, generator
            )
            found.append((mine[draw], start, self._spread(level, generator)))
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

    def _conditioned(self, n_changes: int) -> LevelPosterior | None:
        """Give the posterior given a number of changes, unless it takes too much memory."""
        cells = sorted({cell for cell, _, _ in self._pairs})
        size = (int(self.bins.position[-1]) + 1) * self.levels.size
        if size * (n_changes + 1) * self.grid.shortest > _LARGEST:
            return None
        grid = replace(
            self.grid,
            shape=self.grid.shape[cells],
            rate=self.grid.rate[cells],
            size=self.grid.size[cells],
            log_prior=self.grid.log_prior[cells],
            odds=self.grid.odds[:1],
            log_odds_prior=np.zeros(1),
            n_changes=n_changes,
        )
        return solve_levels(self.bins, grid, self.levels)

    def _spread(self, level: Integers, generator: np.random.Generator) -> Floats:
        """Spread draws evenly over what each level stands for."""
        beta_prior = self.grid.family == BERNOULLI
        scale = logit(self.levels) if beta_prior else np.log(self.levels)
        width = float(scale[1] - scale[0])
        value = scale[level] + width * (generator.random(level.size) - 0.5)
        return np.asarray(expit(value) if beta_prior else np.exp(value))

    def placement(self, n_changes: int | None) -> Integers:
        """Give the median date of each change, at the most probable number where none is given."""
        k = int(np.argmax(self.number)) if n_changes is None else n_changes
        dates = self.given(k).dates
        return np.array([np.searchsorted(np.cumsum(p), 0.5) for p in dates], dtype=np.int64)

    def updated(self, later: Bins) -> LevelPosterior:
        """Filter again, with the bins that follow."""
        return solve_levels(Bins.joined((*self.pieces, later)), self.grid)

    def resolved(self, grid: Grid) -> LevelPosterior:
        """Filter again under other priors."""
        return solve_levels(self.bins, grid)

    def _at_the_end(self, cell: int, hazard: int) -> Floats:
        """P(phase, level) in the last bin of all, watched or not."""
        chain, prior = self.chain(hazard), self.prior(cell)
        kept = forward(self.likelihood(cell), prior, *chain.weights, chain.begins, False)[1]
        state = kept[0] * chain.final[:, None]
        for _ in range(self.bins.n_bins - int(self.bins.position[-1]) - 1):
            state = _carried(state, chain, prior)
        return np.asarray(state / state.sum())

    def waiting(self, n_bins: int) -> Floats:
        """Give P(the next change has come by the end of each later bin), shape (n_bins,)."""
        out = np.zeros(n_bins)
        for cell, hazard, weight in self._pairs:
            leave = self.chain(hazard).leave
            phases, gone = self._at_the_end(cell, hazard).sum(axis=1), 0.0
            for t in range(n_bins):
                moving = phases * leave
                gone += float(moving[-1])
                phases = phases - moving + np.append(0.0, moving[:-1])
                out[t] += weight * gone
        return out

    def simulate(
        self,
        n_bins: int,
        draws: int,
        generator: np.random.Generator,
        factors: Floats | float = 1.0,
    ) -> NDArray[np.int64]:
        """Simulate the whole bins after the last one, shape (draws, n_bins), means (or odds) times ``factors``."""
        chosen = self._priors(draws, generator)
        out = np.empty((draws, n_bins), dtype=np.int64)
        for pair in np.unique(chosen):
            mine = np.flatnonzero(chosen == pair)
            cell, hazard = divmod(int(pair), self.grid.odds.size)
            state, prior, leave = (
                self._at_the_end(cell, hazard),
                self.prior(cell),
                self.chain(hazard).leave,
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
            by = factors if isinstance(factors, float) else factors[mine]
            if self.grid.family == BERNOULLI:
                p = by * rates / (by * rates + 1 - rates)
                out[mine] = generator.random(rates.shape) < p
                continue
            rates = rates * by
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
        kept, _ = self.filtered(cell, hazard, free=True)
        prior, chain = self.prior(cell), self.chain(hazard, free=True)
        by = np.exp(offset_of(self.bins))
        out = np.empty((4, len(self.bins)))
        for i, t in enumerate(self.bins.position):
            share = prior if t == 0 else _carried(kept[t - 1], chain, prior).sum(axis=0)
            y, e = self.bins.counts[i], self.bins.exposure[i]
            if self.grid.family == BERNOULLI:
                p = float(share @ (by[i] * self.levels / (by[i] * self.levels + 1 - self.levels)))
                out[:, i] = (1 - p if y else 0.0), (1.0 if y else 1 - p), p, p * (1 - p)
                continue
            mean = by[i] * e * self.levels
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


def _carried(state: Floats, chain: Chain, prior: Floats) -> Floats:
    moving = state * chain.leave[:, None]
    new = state * chain.stay[:, None]
    for j, renewed in enumerate(chain.renews):
        new[(j + 1) % len(new)] += moving[j].sum() * prior if renewed else moving[j]
    return np.asarray(new)


def solve_levels(bins: Bins, grid: Grid, levels: Floats | None = None) -> LevelPosterior:
    """Filter a series under every prior of a grid, with levels in the place of conjugate segments.

    Parameters
    ----------
    bins : Bins
        At least one observed bin.
    grid : Grid
        Priors; ``GAMMA`` stands for Poisson counts, and the ``size`` of ``ZIP`` is the share of idle bins.
    levels : ndarray, optional
        The grid of levels; left out, that of :func:`level_grid`.

    Returns
    -------
    LevelPosterior
        Evidence at once, the rest when it is asked for.
    """
    levels = level_grid(bins, grid) if levels is None else levels
    phases = grid.shortest * (1 if grid.n_changes is None else grid.n_changes + 1)
    numbers_kept = (int(bins.position[-1]) + 1) * phases * levels.size
    if numbers_kept > _LARGEST:
        raise DataError(
            f"{bins.n_bins} bins with regimes of at least {counted(grid.shortest, 'bin')} need {numbers_kept:,} "
            f"numbers at a time; at most {_LARGEST:,} are allowed. Count by week, or choose a shorter least length or "
            "fewer changes."
        )
    hazards = grid.odds.size if grid.n_changes is None else 1
    table = np.empty((grid.shape.size, hazards))
    seen: dict[float, tuple[Floats, float]] = {}
    for cell in range(grid.shape.size):
        size = float(grid.size[cell])
        if size not in seen:
            seen[size] = level_likelihood(bins, grid, cell, levels)
        likelihood, log_scale = seen[size]
        prior = level_prior(levels, grid, cell)
        for hazard in range(hazards):
            chain = Chain.of(grid, hazard, grid.n_changes)
            total, kept, _ = forward(likelihood, prior, *chain.weights, chain.begins, False)
            table[cell, hazard] = total + log_scale
            if grid.n_changes is not None:
                with np.errstate(divide="ignore"):
                    table[cell, hazard] += np.log(chain.final @ kept[0].sum(axis=1))
    if grid.n_changes is not None:
        n = int(bins.position[-1]) + 1
        whole = Bins.of(np.zeros(n), np.ones(n))
        table -= log_placements(whole, grid.n_changes, grid.shortest)
    solved = LevelPosterior((bins,), grid, table, lost=np.zeros_like(table), levels=levels)
    solved.__dict__["_likelihoods"] = {size: likelihood for size, (likelihood, _) in seen.items()}
    return solved
