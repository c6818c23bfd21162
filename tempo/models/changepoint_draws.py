"""Placements of the changes out of an exact posterior: the most probable one, and joint draws. Arrays only."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from tempo.models import changepoint_paths
from tempo.models.changepoint_duration_numbers import duration_best
from tempo.models.changepoint_grid import Grid
from tempo.models.changepoint_level_posterior import LevelPosterior
from tempo.models.changepoint_posterior import Posterior
from tempo.models.changepoint_predictive import BERNOULLI, GAMMA, NEGBIN, NORMAL

__all__ = ["Partitions", "draw_rates", "most_probable", "sample"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

_DURATION_STEPS = 3e8  # the same with a shortest length
_VITERBI_STEPS = 3e9  # a placement of given number is searched exactly up to this many steps


@dataclass(frozen=True, eq=False)
class Partitions:
    """Joint draws: one row for each segment of each draw, in order of draw and time.

    Attributes
    ----------
    draw, start, end : ndarray of int
        Which draw; first observed bin of the segment, and the one after its last.
    cell : ndarray of int
        Cell of the grid.
    first, second, third : ndarray
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
    third: Floats
    rate: Floats
    hazard: Integers


def most_probable(posterior: Posterior, n_changes: int | None = None) -> Integers:
    """Give the most probable placement, as observed bins that begin a new regime.

    At the most probable cell of the grid. ``n_changes`` is None for number and places together.
    """
    bins, grid = posterior.bins, posterior.grid
    m = len(bins)
    if isinstance(posterior, LevelPosterior):
        return posterior.placement(n_changes)
    if grid.shortest > 1:
        return _best_with_durations(posterior, n_changes)
    if n_changes is None:
        best, at = np.unravel_index(int(np.argmax(posterior.weights)), posterior.weights.shape)
        return _viterbi(posterior, int(best), float(grid.odds[at]))
    if n_changes == 0:
        return np.zeros(0, dtype=np.int64)
    given = posterior.given(n_changes)
    cell = int(np.argmax(given.weights))
    if float(m) * m * (n_changes + 1) <= _VITERBI_STEPS:
        first, second, third = grid.prior(cell)
        return np.asarray(
            changepoint_paths.most_probable(
                grid.family,
                bins.counts,
                bins.exposure,
                np.log(bins.places),
                np.zeros(m),
                first,
                second,
                third,
                float(grid.size[cell]),
                n_changes,
            )
        )
    # Placements of any number under a hazard are most probable given their number too.
    low, high = -60.0, 10.0
    for _ in range(24):
        middle = 0.5 * (low + high)
        places = _viterbi(posterior, cell, math.exp(middle))
        if places.size == n_changes:
            return places
        low, high = (middle, high) if places.size < n_changes else (low, middle)
    return np.asarray([np.searchsorted(np.cumsum(p), 0.5) for p in given.dates], dtype=np.int64)


def _best_with_durations(posterior: Posterior, n_changes: int | None) -> Integers:
    bins, grid = posterior.bins, posterior.grid
    m = len(bins)
    if (
        float(m) * m * ((n_changes or 0) + 1) > _DURATION_STEPS
    ):  # no run is dropped: too long a search
        k = int(np.argmax(posterior.number)) if n_changes is None else n_changes
        dates = posterior.given(k).dates
        return np.asarray([np.searchsorted(np.cumsum(p), 0.5) for p in dates], dtype=np.int64)
    if n_changes is None:
        cell, at = divmod(int(np.argmax(posterior.weights)), posterior.weights.shape[1])
        local = float(grid.odds[at]) * bins.places
        log_change, log_stay = np.log(local / (1 + local)), -np.log1p(local)
    else:
        cell = int(np.argmax(posterior.given(n_changes).weights))
        log_change, log_stay = np.log(bins.places), np.zeros(m)
    return np.asarray(
        duration_best(
            grid.family,
            bins.counts,
            bins.exposure,
            bins.position,
            grid.shortest,
            log_change,
            log_stay,
            *grid.prior(cell),
            float(grid.size[cell]),
            -1 if n_changes is None else n_changes,
        )
    )


def _viterbi(posterior: Posterior, cell: int, odds: float) -> Integers:
    bins, grid = posterior.bins, posterior.grid
    first, second, third = grid.prior(cell)
    local = odds * bins.places
    return np.asarray(
        changepoint_paths.most_probable(
            grid.family,
            bins.counts,
            bins.exposure,
            np.log(local / (1 + local)),
            -np.log1p(local),
            first,
            second,
            third,
            float(grid.size[cell]),
            -1,
        )
    )


def sample(
    posterior: Posterior, draws: int, generator: np.random.Generator, n_changes: int | None = None
) -> Partitions:
    """Draw partitions and rates from their exact joint posterior, or given a number of changes."""
    bins, grid = posterior.bins, posterior.grid
    m = len(bins)
    if isinstance(posterior, LevelPosterior):
        draw, start, rate, cells, hazards = posterior.draws(draws, generator, n_changes)
        nothing = np.zeros(draw.size)
        end = _ends(draw, start, m)
        return Partitions(draw, start, end, cells[draw], nothing, nothing, nothing, rate, hazards)
    number = grid.n_changes if n_changes is None else n_changes
    if number is None:
        chosen = generator.choice(posterior.weights.size, draws, p=posterior.weights.ravel())
        cells, hazards = np.divmod(chosen, grid.odds.size)
        log_change, log_stay = (np.log(f) for f in grid.factors(bins.places))
    else:
        given = posterior.given(number)
        cells = generator.choice(given.weights.size, draws, p=given.weights)
        share = np.exp(grid.log_odds_prior - logsumexp(grid.log_odds_prior))
        hazards = generator.choice(grid.odds.size, draws, p=share)
        log_change, log_stay = np.log(bins.places)[None, :], np.zeros((1, m))
    found_draw, found_start = [], []
    for cell in [int(r) for r in np.unique(cells)]:
        if number is None:
            step, rest, offset = 0, posterior.backward(cell)[0], np.zeros(m + 1, dtype=np.int64)
            groups = [int(h) for h in np.unique(hazards[cells == cell])]
        else:
            step, (rest, offset), groups = 1, given.rest[cell], [-1]
        first, second, third = grid.prior(cell)
        for group in groups:
            mine = np.flatnonzero((cells == cell) & ((hazards == group) | (group < 0)))
            draw, start = changepoint_paths.sample_partitions(
                grid.family,
                bins.counts,
                bins.exposure,
                bins.position,
                grid.shortest,
                log_change,
                log_stay,
                rest,
                offset,
                step,
                max(group, 0),
                np.full(mine.size, number or 0, dtype=np.int64),
                first,
                second,
                third,
                float(grid.size[cell]),
                generator,
            )
            found_draw.append(mine[draw])
            found_start.append(start)
    draw, start = np.concatenate(found_draw), np.concatenate(found_start)
    order = np.lexsort((start, draw))
    draw, start = draw[order].astype(np.int64), start[order]
    end = _ends(draw, start, m)
    cell_of = cells[draw].astype(np.int64)
    one, two, three = _statistics(posterior, cell_of, start, end)
    rate = draw_rates(grid, cell_of, one, two, three, generator)
    return Partitions(draw, start, end, cell_of, one, two, three, rate, hazards.astype(np.int64))


def _ends(draw: Integers, start: Integers, m: int) -> Integers:
    """Give the end of each segment: the start of the next one of its draw."""
    end = np.full(start.size, m, dtype=np.int64)
    same = draw[1:] == draw[:-1]
    end[:-1][same] = start[1:][same]
    return end


def _statistics(
    posterior: Posterior, cell: Integers, start: Integers, end: Integers
) -> tuple[Floats, Floats, Floats]:
    """Give the three statistics of segments, prior included."""
    grid, bins = posterior.grid, posterior.bins
    events = np.concatenate([[0.0], np.cumsum(bins.counts)])
    exposed = np.concatenate([[0.0], np.cumsum(bins.exposure)])
    n, e = events[end] - events[start], exposed[end] - exposed[start]
    first, second, third = np.array([grid.prior(r) for r in range(grid.shape.size)])[cell].T
    if grid.family == NEGBIN:
        return first + grid.size[cell] * e, second + n, third
    if grid.family == BERNOULLI:
        return first + n, second + (end - start) - n, third
    if grid.family == NORMAL:
        kappa = first + e
        squares = np.concatenate([[0.0], np.cumsum(bins.counts**2)])
        within = np.maximum(squares[end] - squares[start] - n * n / e, 0.0)
        beta = third + 0.5 * within + 0.5 * first * e / kappa * (n / e - second) ** 2
        return kappa, (first * second + n) / kappa, beta
    return first + n, second + e, third


def draw_rates(
    grid: Grid,
    cell: Integers,
    first: Floats,
    second: Floats,
    third: Floats,
    generator: np.random.Generator,
) -> Floats:
    """Draw the rate of each segment given its statistics; of normal values, their mean."""
    if grid.family == GAMMA:
        return generator.gamma(first) / second
    if grid.family == NORMAL:
        shape = grid.size[cell] + 0.5 * first
        precision = generator.gamma(shape) / third
        return np.asarray(
            second + generator.standard_normal(len(first)) / np.sqrt(first * precision)
        )
    share = generator.beta(first, second)
    if grid.family == BERNOULLI:
        return share
    return np.asarray(grid.size[cell] * (1 - share) / share)
