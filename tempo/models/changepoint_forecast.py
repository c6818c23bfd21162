"""What a changepoint posterior predicts, after the last bin and one bin ahead: arrays in, arrays out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tempo.models.changepoint_draws import draw_rates, sample
from tempo.models.changepoint_durations import duration_pass, first_duration_state
from tempo.models.changepoint_grid import Grid
from tempo.models.changepoint_level_posterior import LevelPosterior
from tempo.models.changepoint_posterior import PRUNE, Posterior
from tempo.models.changepoint_predictive import (
    BERNOULLI,
    GAMMA,
    NEGBIN,
    log_predictive,
    rate_moments,
)
from tempo.models.changepoint_recursions import filter_pass, initial_state
from tempo.models.observation import LARGEST

__all__ = [
    "Regime",
    "current",
    "filtered",
    "fresh_rates",
    "now",
    "one_step",
    "rate_paths",
    "simulate",
    "waiting",
]

_WORTH_A_PASS = 1e-9  # priors below this share of the posterior are left out

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Regime:
    """Draws of the regime that lasts at the end.

    Attributes
    ----------
    cell : ndarray of int, shape (draws,)
        Cell of the grid.
    odds : ndarray, shape (draws,)
        Odds of a change in a bin; 0 where the number of changes was given.
    first, second, third : ndarray, shape (draws,)
        Statistics of the regime.
    closed : ndarray of int, shape (draws,)
        Bins to come before which it cannot end, because it is shorter than regimes last at least.
    """

    cell: Integers
    odds: Floats
    first: Floats
    second: Floats
    third: Floats
    closed: Integers


def now(posterior: Posterior, draws: int, generator: np.random.Generator) -> Regime:
    """Draw the regime that lasts at the end.

    Parameters
    ----------
    posterior : Posterior
        Filtered to the last bin.
    draws : int
        How many.
    generator : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Regime
        One for each draw.
    """
    grid = posterior.grid
    if grid.n_changes is not None:
        found = sample(posterior, draws, generator)
        last = np.append(found.draw[1:] != found.draw[:-1], True)
        statistics = (found.first[last], found.second[last], found.third[last])
        return Regime(
            found.cell[last], np.zeros(draws), *statistics, np.zeros(draws, dtype=np.int64)
        )
    chosen = generator.choice(posterior.weights.size, draws, p=posterior.weights.ravel())
    cell, hazard = (part.astype(np.int64) for part in np.divmod(chosen, grid.odds.size))
    first, second, third = np.empty(draws), np.empty(draws), np.empty(draws)
    closed = np.zeros(draws, dtype=np.int64)
    for pair in np.unique(chosen):
        mine = chosen == pair
        r, h = divmod(int(pair), grid.odds.size)
        one, two, three = (posterior.states[r][i] for i in (1, 2, 4))
        share, shut = _at_the_end(posterior, r, h)
        run = generator.choice(one.size, int(mine.sum()), p=share)
        first[mine], second[mine], third[mine] = one[run], two[run], three[run]
        closed[mine] = shut[run]
    return Regime(cell, grid.odds[hazard], first, second, third, closed)


def _at_the_end(posterior: Posterior, cell: int, hazard: int) -> tuple[Floats, Integers]:
    """P(each live run), and the bins to come before which it cannot end."""
    state, shortest = posterior.states[cell], posterior.grid.shortest
    share = state[3][hazard]
    if shortest == 1:
        return share / share.sum(), np.zeros(share.size, dtype=np.int64)
    share = np.exp(share)
    begun = np.asarray(state[-1], dtype=np.int64)
    closed = np.maximum(shortest - (posterior.bins.n_bins - begun), 0)
    return share / share.sum(), np.where(state[0] == 0, 0, closed)


def current(
    posterior: Posterior, draws: int, generator: np.random.Generator
) -> tuple[Floats, Regime]:
    """Draw the rate of the regime that lasts at the end.

    Parameters
    ----------
    posterior : Posterior
        Filtered to the last bin.
    draws : int
        How many.
    generator : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    rate : ndarray, shape (draws,)
        Events per whole bin.
    regime : Regime
        What it was drawn from.
    """
    found = now(posterior, draws, generator)
    rate = draw_rates(posterior.grid, found.cell, found.first, found.second, found.third, generator)
    return rate, found


def waiting(posterior: Posterior, n_bins: int) -> Floats:
    """Give P(the next change has come by the end of each later bin), shape (n_bins,)."""
    if isinstance(posterior, LevelPosterior):
        return posterior.waiting(n_bins)
    grid = posterior.grid
    unseen = posterior.bins.n_bins - int(posterior.bins.position[-1]) - 1
    places = np.ones(n_bins)
    places[0] += unseen
    log_stays = np.log(grid.factors(places)[1])
    if grid.shortest > 1:
        out = np.zeros(n_bins)
        for r, h in zip(*np.nonzero(posterior.weights > _WORTH_A_PASS), strict=True):
            share, closed = _at_the_end(posterior, int(r), int(h))
            for length, p in enumerate(np.bincount(closed, share)):
                stays = np.cumsum(np.where(np.arange(n_bins) < length, 0.0, log_stays[h]))
                out -= posterior.weights[r, h] * p * np.expm1(stays)
        return out
    stays = np.cumsum(log_stays, axis=1)
    return np.asarray(-posterior.weights.sum(axis=0) @ np.expm1(stays))


def rate_paths(
    posterior: Posterior, n_bins: int, draws: int, generator: np.random.Generator
) -> tuple[Floats, Integers]:
    """Simulate the rate in the bins after the last one, changes to come included.

    Parameters
    ----------
    posterior : Posterior
        Of conjugate segments.
    n_bins, draws : int
        How many bins, and paths.
    generator : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    rates : ndarray, shape (draws, n_bins)
        Events per whole bin.
    cell : ndarray of int, shape (draws,)
        Cell of the grid.
    """
    rate, regime = current(posterior, draws, generator)
    cell, odds, closed = regime.cell, regime.odds, regime.closed
    grid = posterior.grid
    # Bins at the end that nobody watched are places for a change too.
    unseen = posterior.bins.n_bins - int(posterior.bins.position[-1]) - 1
    rates = np.empty((draws, n_bins))
    for t in range(n_bins):
        local = odds * (1 + unseen if t == 0 else 1)
        changes = (generator.random(draws) < local / (1 + local)) & (closed <= 0)
        changed = np.flatnonzero(changes)
        rate[changed] = fresh_rates(grid, cell[changed], generator)
        closed = np.where(changes, grid.shortest, closed) - 1
        rates[:, t] = rate
    return rates, cell


def simulate(
    posterior: Posterior,
    n_bins: int,
    draws: int,
    generator: np.random.Generator,
    factors: Floats | float = 1.0,
) -> NDArray[np.int64]:
    """Simulate the whole bins after the last one, shape (draws, n_bins), rates multiplied by ``factors``."""
    if isinstance(posterior, LevelPosterior):
        return posterior.simulate(n_bins, draws, generator, factors)
    rates, cell = rate_paths(posterior, n_bins, draws, generator)
    grid = posterior.grid
    if grid.family == GAMMA:
        return generator.poisson(np.minimum(rates * factors, LARGEST)).astype(np.int64)
    if grid.family == BERNOULLI:
        return (generator.random(rates.shape) < rates).astype(np.int64)
    size = np.broadcast_to(grid.size[cell][:, None], rates.shape)
    means = np.minimum(rates * generator.gamma(size) / size, LARGEST)
    return generator.poisson(means).astype(np.int64)


def fresh_rates(grid: Grid, cell: Integers, generator: np.random.Generator) -> Floats:
    """Draw the rate of new regimes."""
    prior = np.array([grid.prior(r) for r in range(grid.shape.size)])[cell]
    first, second, third = prior.T
    return draw_rates(grid, cell, first, second, third, generator)


def filtered(posterior: Posterior) -> Iterator[tuple[Floats, Floats, Floats, Floats]]:
    """Give the live runs before each observed bin, at the most probable cell and hazard, a fresh one included.

    Parameters
    ----------
    posterior : Posterior
        Where the number of changes is given, a hazard that expects as many is used.

    Yields
    ------
    first, second, third, share : ndarray, shape (runs,)
        Statistics and probability of each run.
    """
    grid, bins = posterior.grid, posterior.bins
    cell, at_hazard = np.unravel_index(int(np.argmax(posterior.weights)), posterior.weights.shape)
    odds = grid.odds[[int(at_hazard)]]
    prior, size = grid.prior(int(cell)), float(grid.size[cell])
    change, stay = odds * bins.places / (1 + odds * bins.places), 1 / (1 + odds * bins.places)
    if grid.shortest > 1:
        yield from _filtered_durations(posterior, int(cell), np.log(change), np.log(stay))
        return
    state = initial_state(1)
    none = np.zeros((1, 0))
    for t in range(len(bins)):
        share = np.append(state[3][0] * stay[t], change[t] if t else 1.0)
        yield (
            np.append(state[1], prior[0]),
            np.append(state[2], prior[1]),
            np.append(state[4], prior[2]),
            share,
        )
        one = slice(t, t + 1)
        state = filter_pass(
            grid.family,
            bins.counts[one],
            bins.exposure[one],
            change[None, one],
            stay[None, one],
            odds,
            *prior,
            size,
            PRUNE,
            state,
            t,
            none,
            grid.family,
        )[2]


def _filtered_durations(
    posterior: Posterior, cell: int, log_change: Floats, log_stay: Floats
) -> Iterator[tuple[Floats, Floats, Floats, Floats]]:
    grid, bins = posterior.grid, posterior.bins
    prior, size = grid.prior(cell), float(grid.size[cell])
    state = first_duration_state(1)
    none = np.zeros((1, 0))
    for t in range(len(bins)):
        share = np.exp(state[3][0])
        free = (state[0] == 0) | (bins.position[t] - state[5] >= grid.shortest)
        fresh = float(share[free].sum()) * math.exp(log_change[t]) if t else 1.0
        share = share * np.where(free, math.exp(log_stay[t]), 1.0)
        yield (
            np.append(state[1], prior[0]),
            np.append(state[2], prior[1]),
            np.append(state[4], prior[2]),
            np.append(share, fresh),
        )
        one = slice(t, t + 1)
        state = duration_pass(
            grid.family,
            bins.counts[one],
            bins.exposure[one],
            bins.position[one],
            grid.shortest,
            log_change[None, one],
            log_stay[None, one],
            np.ones(1),
            *prior,
            size,
            PRUNE,
            state,
            t,
            none,
            grid.family,
        )[2]


def one_step(posterior: Posterior) -> tuple[Floats, Floats, Floats, Floats]:
    """Predict each count from those before it, at the most probable cell and hazard.

    Parameters
    ----------
    posterior : Posterior
        What to check. Where the number of changes is given, a hazard that expects as many is used.

    Returns
    -------
    below, at, mean, variance : ndarray, shape (m,)
        P(less than the count), P(at most the count), mean and variance of each bin.
    """
    if isinstance(posterior, LevelPosterior):
        return posterior.one_step()
    grid, bins = posterior.grid, posterior.bins
    cell = int(np.argmax(posterior.weights.max(axis=1)))
    out = np.empty((4, len(bins)))
    for t, (first, second, _, share) in enumerate(filtered(posterior)):
        out[:, t] = _predictive_moments(
            grid.family,
            float(grid.size[cell]),
            first,
            second,
            share,
            bins.counts[t],
            bins.exposure[t],
        )
    return out[0], out[1], out[2], out[3]


@njit(cache=True, error_model="numpy")
def _predictive_moments(
    family: int,
    size: float,
    first: Floats,
    second: Floats,
    share: Floats,
    count: float,
    exposure: float,
) -> tuple[float, float, float, float]:
    """Give P(less than the count), P(at most the count), mean and variance of the next bin over a mixture of runs.

    For counts; normal values have no use for it.
    """
    below, at, mean, square = 0.0, 0.0, 0.0, 0.0
    for i in range(first.size):
        rate, rate_square = rate_moments(family, size, first[i], second[i], 0.0)
        expected = rate * exposure
        mean += share[i] * expected
        if family == BERNOULLI:
            square += share[i] * rate
            at += share[i] * (1.0 if count > 0.0 else 1.0 - rate)
            below += share[i] * ((1.0 - rate) if count > 0.0 else 0.0)
            continue
        square += share[i] * (expected + rate_square * exposure * exposure)
        trials = size * exposure
        if family == NEGBIN:
            square += share[i] * rate_square * exposure / size
            log_mass = math.lgamma(count + trials) - math.lgamma(trials) - math.lgamma(count + 1.0)
        else:
            log_mass = count * math.log(exposure) - math.lgamma(count + 1.0)
        log_mass += log_predictive(family, size, first[i], second[i], 0.0, count, exposure)
        mass = math.exp(log_mass)
        if mass == 0.0:
            hit = 1.0 if count > expected else 0.0
            at += share[i] * hit
            below += share[i] * hit
            continue
        term, total = mass, mass
        for j in range(int(count), 0, -1):
            if family == GAMMA:
                term *= j * (second[i] + exposure) / ((first[i] + j - 1.0) * exposure)
            else:
                term *= j / (j - 1.0 + trials)
                term *= (first[i] + trials + second[i] + j - 1.0) / (second[i] + j - 1.0)
            total += term
            if term < 1e-17 * total and j < expected:
                break
        at += share[i] * min(total, 1.0)
        below += share[i] * min(max(total - mass, 0.0), 1.0)
    return below, at, mean, square - mean * mean
