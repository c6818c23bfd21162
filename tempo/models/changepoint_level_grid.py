"""The levels of a rate, their prior and likelihood, and the phases of regimes: arrays only."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, expit, gammaln, logit
from scipy.stats import beta, gamma

from tempo.models.changepoint_grid import Bins, Grid
from tempo.models.changepoint_levels import log_terms
from tempo.models.changepoint_predictive import BERNOULLI, NEGBIN

__all__ = ["Chain", "level_grid", "level_likelihood", "level_prior", "offset_of", "terms_of"]

type Floats = NDArray[np.float64]

_MOST_LEVELS = 600


@dataclass(frozen=True, eq=False)
class Chain:
    """The phases of regimes: weights of going on and of staying, where regimes begin, where the series may end."""

    leave: Floats
    stay: Floats
    renews: NDArray[np.bool_]
    final: Floats
    begins: int

    @classmethod
    def of(cls, grid: Grid, hazard: int, n_changes: int | None) -> Chain:
        """Lay out the phases of one regime, or of a number of changes: all placements are then alike."""
        shortest = grid.shortest
        renews = np.append(np.zeros(shortest - 1, dtype=bool), True)
        if n_changes is None:
            leave = np.append(np.ones(shortest - 1), grid.hazard[hazard])
            return cls(leave, 1 - leave, renews, np.ones(shortest), shortest - 1)
        copies = n_changes + 1
        leave = np.ones(shortest * copies)
        leave[-1] = 0.0
        final = np.zeros(shortest * copies)
        final[-shortest:] = 1.0
        renews = np.tile(renews, copies)
        return cls(leave, renews.astype(float), renews, final, shortest - 1)

    @property
    def weights(self) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """What the kernels take."""
        return self.leave, self.stay, self.renews


def offset_of(bins: Bins) -> Floats:
    """Give the offset of each bin, zeros where there is none."""
    return bins.offset if bins.offset.size else np.zeros(len(bins))


def level_grid(bins: Bins, grid: Grid, most: int = _MOST_LEVELS) -> Floats:
    """Choose the levels: closer than the posterior of a rate is wide, so that their sum is the integral.

    Parameters
    ----------
    bins : Bins
        The series.
    grid : Grid
        Gamma priors of the rate, or Beta priors of the probability.
    most : int, default 600
        Largest number of levels.

    Returns
    -------
    ndarray, shape (levels,)
        Evenly spaced on the log scale (or that of log odds), from where no bin can tell a rate from zero to where no
        prior reaches.
    """
    reach = float(np.abs(offset_of(bins)).max())
    if grid.family == BERNOULLI:
        high = math.log(100.0 * len(bins)) + reach
        number = math.ceil(2 * high * max(0.6 * math.sqrt(len(bins)), 5.0))
        return np.asarray(expit(np.linspace(-high, high, min(number, most))))
    mean = float(np.max(grid.shape / grid.rate))
    low = math.log(0.01 / bins.exposure.sum()) - reach
    top = max(3 * float(np.max(bins.counts / bins.exposure)), mean, 10 / bins.exposure.sum())
    high = math.log(top) + 2.0 + reach
    number = math.ceil((high - low) * max(math.sqrt(bins.counts.sum() + 1.0), 5.0))
    return np.exp(np.linspace(low, high, min(number, most)))


def level_prior(levels: Floats, grid: Grid, cell: int) -> Floats:
    """Give the probability of each level of a new regime, edges included."""
    shape, rate = float(grid.shape[cell]), float(grid.rate[cell])
    if grid.family == BERNOULLI:
        scale = logit(levels)
        step = scale[1] - scale[0]
        log_density = shape * np.log(levels) + rate * np.log1p(-levels) - betaln(shape, rate)
        weight = step * np.exp(log_density)
        weight[0] += float(beta.cdf(expit(scale[0] - 0.5 * step), shape, rate))
        weight[-1] += float(beta.sf(expit(scale[-1] + 0.5 * step), shape, rate))
        return np.asarray(weight / weight.sum())
    log_levels = np.log(levels)
    step = log_levels[1] - log_levels[0]
    log_density = shape * np.log(rate * levels) - rate * levels - gammaln(shape)
    weight = step * np.exp(log_density)
    edge = levels[0] * math.exp(-0.5 * step)
    weight[0] += float(gamma.cdf(edge, shape, scale=1 / rate))  # as good as zero, all of it
    return np.asarray(weight / weight.sum())


def terms_of(
    bins: Bins, grid: Grid, cell: int, levels: Floats
) -> tuple[int, Floats, Floats, Floats, Floats, float]:
    """Give what :func:`~tempo.models.changepoint_levels.log_terms` takes."""
    return grid.family, bins.counts, bins.exposure, offset_of(bins), levels, float(grid.size[cell])


def level_likelihood(bins: Bins, grid: Grid, cell: int, levels: Floats) -> tuple[Floats, float]:
    """Give the likelihood up to the last observed bin, rows scaled to at most 1, and the log of the scale."""
    log, _ = log_terms(*terms_of(bins, grid, cell, levels), False)
    y = bins.counts
    if grid.family == NEGBIN:
        trials = grid.size[cell] * bins.exposure
        constant = gammaln(y + trials) - gammaln(trials) - gammaln(y + 1)
    elif grid.family == BERNOULLI:
        constant = np.zeros(len(y))
    else:
        constant = -gammaln(y + 1)
    top = log.max(axis=1)
    out = np.ones((int(bins.position[-1]) + 1, levels.size))
    out[bins.position] = np.exp(log - top[:, None])
    return out, float((top + constant).sum())
