"""What a changepoint posterior predicts, after the last bin and one bin ahead: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tempo.models.changepoint_draws import draw_rates, sample
from tempo.models.changepoint_grid import Grid
from tempo.models.changepoint_level_posterior import LevelPosterior
from tempo.models.changepoint_posterior import PRUNE, Posterior
from tempo.models.changepoint_predictive import BERNOULLI, GAMMA, predictive_moments
from tempo.models.changepoint_recursions import filter_pass, initial_state

__all__ = ["current", "filtered", "fresh_rates", "now", "one_step", "simulate", "waiting"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]


def now(
    posterior: Posterior, draws: int, generator: np.random.Generator
) -> tuple[Integers, Floats, Floats, Floats, Floats]:
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
    cell : ndarray of int, shape (draws,)
        Cell of the grid.
    odds : ndarray, shape (draws,)
        Odds of a change in a bin; 0 where the number of changes was given.
    first, second, third : ndarray, shape (draws,)
        Statistics of the regime.
    """
    grid = posterior.grid
    if grid.n_changes is not None:
        found = sample(posterior, draws, generator)
        last = np.append(found.draw[1:] != found.draw[:-1], True)
        statistics = (found.first[last], found.second[last], found.third[last])
        return found.cell[last], np.zeros(draws), *statistics
    chosen = generator.choice(posterior.weights.size, draws, p=posterior.weights.ravel())
    cell, hazard = (part.astype(np.int64) for part in np.divmod(chosen, grid.odds.size))
    first, second, third = np.empty(draws), np.empty(draws), np.empty(draws)
    for pair in np.unique(chosen):
        mine = chosen == pair
        r, h = divmod(int(pair), grid.odds.size)
        _, one, two, shares, three = posterior.states[r]
        run = generator.choice(one.size, int(mine.sum()), p=shares[h] / shares[h].sum())
        first[mine], second[mine], third[mine] = one[run], two[run], three[run]
    return cell, grid.odds[hazard], first, second, third


def current(
    posterior: Posterior, draws: int, generator: np.random.Generator
) -> tuple[Floats, Integers, Floats]:
    """Draw the rate of the regime that lasts at the end, the cell of its prior, and the odds of a change.

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
    cell : ndarray of int, shape (draws,)
        Cell of the grid.
    odds : ndarray, shape (draws,)
        Odds of a change in a bin; 0 where the number of changes was given.
    """
    cell, odds, first, second, third = now(posterior, draws, generator)
    return draw_rates(posterior.grid, cell, first, second, third, generator), cell, odds


def waiting(posterior: Posterior, n_bins: int) -> Floats:
    """Give P(the next change has come by the end of each later bin), shape (n_bins,)."""
    if isinstance(posterior, LevelPosterior):
        return posterior.waiting(n_bins)
    grid = posterior.grid
    unseen = posterior.bins.n_bins - int(posterior.bins.position[-1]) - 1
    places = np.ones(n_bins)
    places[0] += unseen
    stays = np.cumsum(np.log(grid.factors(places)[1]), axis=1)
    return np.asarray(-posterior.weights.sum(axis=0) @ np.expm1(stays))


def simulate(
    posterior: Posterior,
    n_bins: int,
    draws: int,
    generator: np.random.Generator,
    factors: Floats | float = 1.0,
) -> NDArray[np.int64]:
    """Simulate the whole bins after the last one, shape (draws, n_bins), rates multiplied by ``factors``."""
    if isinstance(posterior, LevelPosterior):
        return posterior.simulate(n_bins, draws, generator)
    rate, cell, odds = current(posterior, draws, generator)
    grid = posterior.grid
    # Bins at the end that nobody watched are places for a change too.
    unseen = posterior.bins.n_bins - int(posterior.bins.position[-1]) - 1
    rates = np.empty((draws, n_bins))
    for t in range(n_bins):
        local = odds * (1 + unseen if t == 0 else 1)
        changed = np.flatnonzero(generator.random(draws) < local / (1 + local))
        rate[changed] = fresh_rates(grid, cell[changed], generator)
        rates[:, t] = rate
    if grid.family == GAMMA:
        return generator.poisson(rates * factors).astype(np.int64)
    if grid.family == BERNOULLI:
        return (generator.random(rates.shape) < rates).astype(np.int64)
    size = np.broadcast_to(grid.size[cell][:, None], rates.shape)
    return generator.poisson(rates * generator.gamma(size) / size).astype(np.int64)


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
        out[:, t] = predictive_moments(
            grid.family,
            float(grid.size[cell]),
            first,
            second,
            share,
            bins.counts[t],
            bins.exposure[t],
        )
    return out[0], out[1], out[2], out[3]
