"""The priors that a changepoint fit averages over, where the user leaves them open: arrays only."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from tempo.models.changepoint_grid import Bins, Grid, learned_odds, learned_rates
from tempo.models.changepoint_level_grid import level_grid
from tempo.models.changepoint_level_posterior import solve_levels
from tempo.models.changepoint_posterior import solve
from tempo.models.changepoint_predictive import BERNOULLI, GAMMA, NEGBIN, ZIP

if TYPE_CHECKING:
    from tempo.models.changepoints import Changepoints

__all__ = ["learned_grid", "refined"]

type Floats = NDArray[np.float64]

_FAMILIES = {"poisson": GAMMA, "negbin": NEGBIN, "zip": ZIP, "bernoulli": BERNOULLI}
_DISPERSIONS = np.array([0.03, 0.1, 0.3, 1.0, 3.0])
_IDLE = np.linspace(0.1, 0.9, 9)
_FINE_DISPERSIONS = np.exp(np.linspace(math.log(0.02), math.log(5.0), 29))
_LEAST_DISPERSION = 5e-7  # below, differences of log gammas lose their digits
_NONE = 0.5  # probability that there is none to speak of, before the data
_FINE_IDLE = np.linspace(0.02, 0.98, 33)
_MOST_SIZES = 7  # that are kept, where the data cannot tell more of them apart
_WORTH_A_NODE = 1e-4
_NODES, _MORE_NODES = 14, 6
_COARSE = 200  # levels behind the choice of nodes


def learned_grid(model: Changepoints, bins: Bins, *, by_levels: bool) -> Grid:
    """Give the grid of priors of a model for counts: those it states, and nodes for those it leaves open.

    Parameters
    ----------
    model : Changepoints
        Whose ``rate_prior``, ``hazard``, ``n_changes`` and ``min_length`` are taken.
    bins : Bins
        The series, for its average and length.
    by_levels : bool
        Whether each prior costs a pass over all levels, so that fewer must do.

    Returns
    -------
    Grid
        With coarse nodes for the dispersion, or the share of idle bins; see :func:`refined`.
    """
    family = _FAMILIES[model.observation]
    beta = family == BERNOULLI
    if model.rate_prior is not None:
        shape, rate = (np.array([value]) for value in model.rate_prior)
        log_prior = np.zeros(1)
    else:
        extra = 1.0 if beta else 0.5
        average = (bins.counts.sum() + 0.5) / (bins.exposure.sum() + extra)
        shape, rate, log_prior = learned_rates(float(average), beta=beta)
        if by_levels:
            ratio = shape / rate / (average / (1 - average) if beta else average)
            rarer = np.minimum(shape, rate) if beta else shape
            kept = (rarer < 3) & (ratio > 0.3) & (ratio < 3)
            shape, rate = shape[kept], rate[kept]
            log_prior = np.full(shape.size, -math.log(shape.size))
    if model.hazard is not None:
        odds, log_odds_prior = np.array([model.hazard / (1 - model.hazard)]), np.zeros(1)
    else:
        odds, log_odds_prior = learned_odds(float(bins.places[1:].sum()), 0, _NODES)
        if by_levels:
            log_odds_prior = np.logaddexp.reduceat(log_odds_prior, np.arange(0, odds.size, 2))
            odds = odds[::2]
    grid = Grid(
        family,
        shape,
        rate,
        np.ones(shape.size),
        log_prior,
        odds,
        log_odds_prior,
        model.n_changes,
        shortest=int(model.min_length),
    )
    if family == NEGBIN:
        grid = _with_sizes(grid, 1 / _DISPERSIONS, _half_normal(_DISPERSIONS))
    if family == ZIP:
        grid = _with_sizes(grid, _IDLE, np.full(_IDLE.size, -math.log(_IDLE.size)))
    if model.n_changes is not None:
        return _with_number(grid, float(bins.places[1:].sum()), model.n_changes)
    return grid if model.hazard is not None or by_levels else _widened(grid, bins)


def refined(grid: Grid, bins: Bins) -> Grid:
    """Put the nodes of the dispersion, or of the share of idle bins, where the data say that it is.

    With hundreds of bins either is known far better than a fixed grid is fine, and residuals under the nearest node
    would look wrong although the model is right. A fine grid is judged in the middle of the rate priors; nodes that
    are ruled out there are left out, and neighbours that the data cannot tell apart are taken together.

    Parameters
    ----------
    grid : Grid
        With coarse nodes.
    bins : Bins
        The series.

    Returns
    -------
    Grid
        The same one where there is nothing to refine.
    """
    if grid.family not in {NEGBIN, ZIP}:
        return grid
    if grid.family == NEGBIN:
        dispersions = _dispersions(bins)
        sizes, share = 1 / dispersions, _or_none(_half_normal(dispersions))
    else:
        sizes, share = _FINE_IDLE, np.full(_FINE_IDLE.size, -math.log(_FINE_IDLE.size))
    one = grid.only(_middle(grid), grid.odds, grid.log_odds_prior)
    profile = replace(_with_sizes(one, sizes, share), n_changes=None, shortest=1)
    if grid.family == NEGBIN and not bins.offset.size:
        weights = solve(bins, profile).weights
    else:
        weights = solve_levels(bins, profile, level_grid(bins, profile, _COARSE)).weights
    by_size = weights.sum(axis=1)
    kept = np.flatnonzero(by_size > _WORTH_A_NODE * by_size.max())
    step = math.ceil((kept[-1] - kept[0] + 1) / _MOST_SIZES)
    firsts = np.arange(kept[0], kept[-1] + 1, step)
    if grid.family == NEGBIN and kept[0] == 0:  # none to speak of stays by itself
        firsts = np.append(0, np.arange(1, kept[-1] + 1, step))
    together = np.logaddexp.reduceat(share[: kept[-1] + 1], firsts)
    middles = (firsts + np.append(firsts[1:], kept[-1] + 1) - 1) // 2
    sizes_of = grid.shape.size // np.unique(grid.size).size
    rates = replace(
        grid,
        shape=grid.shape[:sizes_of],
        rate=grid.rate[:sizes_of],
        log_prior=np.full(sizes_of, -math.log(sizes_of)),
    )
    return _with_sizes(rates, sizes[middles], together)


def _dispersions(bins: Bins) -> Floats:
    """Nodes as fine as before, down to where the largest counts could not tell it from none."""
    largest = float(np.quantile(bins.counts / bins.exposure, 0.99)) if len(bins) else 1.0
    low = max(_FINE_DISPERSIONS[0] / max(largest, 1.0), _LEAST_DISPERSION)
    step = math.log(_FINE_DISPERSIONS[1] / _FINE_DISPERSIONS[0])
    more = math.ceil(math.log(_FINE_DISPERSIONS[0] / low) / step)
    return np.append(
        _FINE_DISPERSIONS[0] * np.exp(-step * np.arange(more, 0, -1)), _FINE_DISPERSIONS
    )


def _or_none(log_share: Floats) -> Floats:
    """Give the first node, which stands for no dispersion at all, half of the prior."""
    out = log_share + math.log1p(-_NONE)
    out[0] = np.logaddexp(out[0], math.log(_NONE))
    return out


def _half_normal(dispersion: Floats) -> Floats:
    """Log weights of a half-normal prior with sd 1 on nodes that are evenly spaced in their logarithm."""
    share = np.log(dispersion) - 0.5 * dispersion**2
    return np.asarray(share - logsumexp(share))


def _with_sizes(grid: Grid, sizes: Floats, log_share: Floats) -> Grid:
    """Repeat every rate prior for each size."""
    cells = grid.shape.size
    return replace(
        grid,
        shape=np.tile(grid.shape, sizes.size),
        rate=np.tile(grid.rate, sizes.size),
        log_prior=np.tile(grid.log_prior, sizes.size) + np.repeat(log_share, cells),
        size=np.repeat(sizes, cells),
    )


def _middle(grid: Grid) -> int:
    distance = np.abs(grid.shape - 1) + np.abs(grid.shape / grid.rate - _centre(grid))
    return int(np.argmin(distance))


def _with_number(grid: Grid, places: float, n_changes: int) -> Grid:
    """Keep one hazard that fits the number; it serves residual checks only."""
    odds = np.array([max(n_changes, 0.5) / max(places - n_changes, 1.0)])
    return replace(grid, odds=odds, log_odds_prior=np.zeros(1), n_changes=n_changes)


def _widened(grid: Grid, bins: Bins) -> Grid:
    """Add larger hazards for as long as the largest one is not ruled out, as judged in the middle of the grid."""
    odds, log_prior = grid.odds, grid.log_odds_prior
    middle = _middle(grid)
    while True:
        cell = grid.only(middle, odds, log_prior)
        weights = solve(bins, cell).weights
        more, more_prior = learned_odds(float(bins.places[1:].sum()), odds.size, _MORE_NODES)
        if weights[0, -1] < 1e-4 or more.size == 0:
            break
        odds, log_prior = np.append(odds, more), np.append(log_prior, more_prior)
    return replace(grid, odds=odds, log_odds_prior=log_prior, n_changes=None)


def _centre(grid: Grid) -> float:
    return float(np.median(grid.shape / grid.rate))
