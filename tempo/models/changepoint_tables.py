"""Tables out of exact changepoint posteriors: priors, regimes, limits of rates, sensitivity, draws for ArviZ."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import nbinom, poisson

from tempo.models.changepoint_draws import Partitions, most_probable, sample
from tempo.models.changepoint_grid import Grid
from tempo.models.changepoint_posterior import Posterior
from tempo.models.changepoint_predictive import BERNOULLI, NEGBIN, NORMAL, ZIP
from tempo.models.intervals import interval_levels
from tempo.models.posterior import CHAINS, assemble

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "grid_table",
    "posterior_tree",
    "rate_limits",
    "sampled",
    "segment_table",
    "sensitivity",
]

type Floats = NDArray[np.float64]

_SEGMENT_DRAWS = 4_000  # draws given the number of changes, behind the limits of each regime's rate
_DRAWN_NUMBERS = (
    6_000_000  # limits by bin use fewer draws where the table of draws would pass this size
)


def grid_table(parts: Sequence[Posterior]) -> pd.DataFrame:
    """Tabulate the priors of a grid with their evidence and posterior probability, one row for each cell."""
    grid = parts[0].grid
    cells, hazards = parts[0].table.shape
    table = np.stack([part.table for part in parts])
    by_hazard = grid.log_odds_prior if grid.n_changes is None else np.zeros(1)
    columns: dict[str, Floats] = {
        "shape": np.repeat(grid.shape, hazards),
        "rate": np.repeat(grid.rate, hazards),
        "prior_mean": np.repeat(_prior_mean(grid), hazards),
    }
    if grid.family == ZIP:
        columns["idle"] = np.repeat(grid.size, hazards)
    if grid.family == NEGBIN:
        columns["dispersion"] = np.repeat(1 / grid.size, hazards)
    if grid.n_changes is None:
        columns["hazard"] = np.tile(grid.hazard, cells)
    columns["prior"] = np.exp(grid.log_prior[:, None] + by_hazard).ravel()
    columns["log_evidence"] = (logsumexp(table, axis=0) - math.log(len(table))).ravel()
    columns["probability"] = np.mean([part.weights for part in parts], axis=0).ravel()
    return pd.DataFrame(columns)


def _prior_mean(grid: Grid) -> Floats:
    if grid.family == NORMAL:
        return grid.rate
    return grid.shape / (grid.shape + grid.rate if grid.family == BERNOULLI else grid.rate)


def sampled(
    parts: Sequence[Posterior], draws: int, generator: np.random.Generator
) -> list[Partitions]:
    """Draw from the mixture of several posteriors: as many from each, numbered through."""
    out, first = [], 0
    for i, part in enumerate(parts):
        mine = draws // len(parts) + (i < draws % len(parts))
        if mine:
            found = sample(part, mine, generator)
            out.append(replace(found, draw=found.draw + first))
        first += mine
    return out


def segment_table(
    parts: Sequence[Posterior],
    numbers: Floats,
    drawn: Sequence[Partitions],
    index: pd.DatetimeIndex,
    bin_days: float,
    prob: float,
) -> pd.DataFrame:
    """Tabulate the regimes given the most probable number of changes; see ``ChangepointsFit.segment_table``.

    Parameters
    ----------
    parts : sequence of Posterior
        The mixture.
    numbers : ndarray
        P(k changes) of the mixture.
    drawn : sequence of Partitions
        Joint draws, for the probability of a change between two dates whatever the number.
    index : DatetimeIndex
        Start of each bin.
    bin_days : float
        Length of a bin in days.
    prob : float
        Of the intervals.

    Returns
    -------
    pandas.DataFrame
        One row for each regime.
    """
    k = int(numbers.argmax())
    share = np.array([part.number[k] if k < len(part.number) else 0.0 for part in parts])
    share /= share.sum()
    used = [(w, part, part.given(k)) for w, part in zip(share, parts, strict=True) if w > 0]
    dates = np.asarray(sum(w * given.dates for w, _, given in used))
    by_bin = np.asarray(sum(w * given.moments[0] for w, _, given in used))
    if len(used) == 1:
        starts = most_probable(used[0][1], k)
    else:  # medians stand in order, as dates must
        starts = np.array([np.searchsorted(np.cumsum(p), 0.5 * p.sum()) for p in dates], dtype=int)
    edges = np.concatenate([[0], starts, [by_bin.size]])
    middles = (
        edges[:-1] + edges[1:] - 1
    ) // 2  # where a regime is least mixed up with its neighbours
    rates = np.concatenate(
        [
            _rates_at(
                sample(part, max(int(_SEGMENT_DRAWS * w), 200), np.random.default_rng(0), k),
                middles,
            )
            for w, part, _ in used
        ]
    )
    mean = by_bin[middles]
    low, high = np.quantile(rates, interval_levels(prob), axis=0)
    spans = _spans(dates.sum(axis=0), starts, prob)
    position = parts[0].bins.position
    table = pd.DataFrame(
        {
            "start": index[[0, *position[starts]]],
            "start_low": index[[0, *(position[a] for a, _ in spans)]],
            "start_high": index[[0, *(position[b] for _, b in spans)]],
            "rate": mean,
            "rate_low": low,
            "rate_high": high,
        },
        index=pd.RangeIndex(1, k + 2, name="segment"),
    )
    for column in ("rate", "rate_low", "rate_high"):
        table[column.replace("rate", "rate_per_day")] = table[column] / bin_days
    table["probability"] = [1.0, *(_p_change_within(drawn, a, b) for a, b in spans)]
    table.attrs = {"prob": prob, "n_changes": k, "p_n_changes": float(numbers[k])}
    return table


def _p_change_within(drawn: Sequence[Partitions], low: int, high: int) -> float:
    """P(at least one change before observed bins ``low`` to ``high``), from joint draws."""
    inside = [found.draw[(found.start >= low) & (found.start <= high)] for found in drawn]
    return sum(np.unique(d).size for d in inside) / sum(found.hazard.size for found in drawn)


def _rates_at(found: Partitions, bins: NDArray[np.int64]) -> Floats:
    """Rate of each draw in some observed bins, where all draws have as many segments; shape (draws, bins)."""
    draws = found.hazard.size
    start, rate = found.start.reshape(draws, -1), found.rate.reshape(draws, -1)
    rows = np.arange(draws)
    return np.stack([rate[rows, (start <= t).sum(axis=1) - 1] for t in bins], axis=1)


def _spans(chance: Floats, starts: NDArray[np.int64], prob: float) -> list[tuple[int, int]]:
    """Give the stretch of each change, of the chances nearer to it than to its neighbours."""
    middles = (starts[1:] + starts[:-1] + 1) // 2
    lows, highs = np.append(1, middles), np.append(middles, len(chance))
    spans = []
    for start, low, high in zip(starts, lows, highs, strict=False):
        first, last = _shortest(chance[low:high], int(start - low), prob)
        spans.append((int(low) + first, int(low) + last))
    return spans


def _shortest(chance: Floats, around: int, prob: float) -> tuple[int, int]:
    """Shortest stretch that contains ``around`` and holds ``prob`` of the chance; its first and last position."""
    total = np.concatenate([[0.0], np.cumsum(chance)])
    total /= total[-1]
    low = np.arange(around + 1)
    high = np.maximum(np.searchsorted(total, total[low] + prob), around + 1)
    length = np.where(high < total.size, high - low, total.size)
    best = int(np.argmin(length))
    return (best, int(high[best]) - 1) if high[best] < total.size else (0, len(chance) - 1)


def rate_limits(drawn: Sequence[Partitions], m: int, prob: float) -> tuple[Floats, Floats]:
    """Give quantiles of the rate in each of ``m`` observed bins over joint draws."""
    cuts = np.unique(np.concatenate([found.start for found in drawn]))  # elsewhere no draw changes
    draws = sum(found.hazard.size for found in drawn)
    share = min(1.0, max(_DRAWN_NUMBERS / cuts.size, 400) / draws)
    blocks = []
    for found in drawn:
        first = int(found.draw[0])
        use = found.draw < first + max(1, int(share * found.hazard.size))
        edges = np.searchsorted(cuts, np.stack([found.start[use], found.end[use]]))
        blocks.append(np.repeat(found.rate[use], edges[1] - edges[0]).reshape(-1, cuts.size))
    levels = interval_levels(prob)
    low, high = np.quantile(np.concatenate(blocks), levels, axis=0)
    spread = np.diff(np.append(cuts, m))
    return np.repeat(low, spread), np.repeat(high, spread)


def sensitivity(part: Posterior) -> pd.DataFrame:
    """Solve again under other priors; see ``ChangepointsFit.sensitivity``."""
    grid = part.grid
    cells = part.weights.sum(axis=1)
    hazard = float(part.weights.sum(axis=0) @ grid.hazard)
    rows = []
    for factor in (0.25, 1.0, 4.0):
        for shape in (0.5, 1.0, 2.0):
            h = min(factor * hazard, 0.5)
            prior = replace(
                _with_shape(grid, cells, shape),
                odds=np.array([h / (1 - h)]),
                log_odds_prior=np.zeros(1),
                n_changes=None,
            )
            rate = float(prior.rate[0])
            solved = part.resolved(prior)
            p = solved.number
            expected = float(p @ np.arange(p.size))
            rows.append(
                (h, shape, rate, solved.log_evidence, expected, float(p[0]), int(p.argmax()))
            )
    columns = ["hazard", "shape", "rate", "log_evidence", "expected_changes", "p_no_change"]
    return pd.DataFrame(rows, columns=[*columns, "most_probable"])


def _with_shape(grid: Grid, weights: Floats, shape: float) -> Grid:
    """Give one cell with this shape (for normal values: weight of the mean), the rest as the posterior has it."""
    if grid.family == NORMAL:
        spread = grid.size + 0.5 * grid.shape
        alpha = float(weights @ spread)
        beta = alpha * float(weights @ (grid.third / spread))
        numbers = (shape, float(grid.rate[0]), alpha - 0.5 * shape, beta)
    else:
        mean = math.exp(float(weights @ np.log(_prior_mean(grid))))
        rate = shape * (1 - mean) / mean if grid.family == BERNOULLI else shape / mean
        size = (
            float(weights @ grid.size)
            if grid.family == ZIP
            else 1 / float(weights @ (1 / grid.size))
        )
        numbers = (shape, rate, size, 0.0)
    first, second, sizes, third = (np.array([value]) for value in numbers)
    return replace(grid, shape=first, rate=second, size=sizes, third=third, log_prior=np.zeros(1))


def posterior_tree(
    part: Posterior, counts: pd.Series, attributes: Mapping[str, str]
) -> xr.DataTree:
    """Lay a thousand joint draws out for ArviZ; see ``ChangepointsFit.posterior``."""
    draws, grid = 250 * CHAINS, part.grid
    found = sample(part, draws, np.random.default_rng(0))
    opening = np.flatnonzero(np.append(True, found.draw[1:] != found.draw[:-1]))
    closing = np.append(opening[1:], found.draw.size) - 1
    rate = np.repeat(found.rate, found.end - found.start).reshape(draws, len(part.bins))
    y, e = part.bins.counts, part.bins.exposure
    log_likelihood: Floats
    if grid.family == BERNOULLI:
        log_likelihood = np.log(np.where(y > 0, rate, 1 - rate))
    elif grid.family == NEGBIN:
        size = grid.size[found.cell[opening]][:, None]
        log_likelihood = np.asarray(nbinom.logpmf(y, size * e, size / (size + rate)))
    elif grid.family == ZIP:
        idle = grid.size[found.cell[opening]][:, None]
        log_likelihood = np.log1p(-idle) + poisson.logpmf(y, rate * e / (1 - idle))
        log_likelihood = np.where(
            y == 0, np.logaddexp(np.log(idle), log_likelihood), log_likelihood
        )
    else:
        log_likelihood = np.asarray(poisson.logpmf(y, rate * e))
    parameters = {
        "n_changes": (closing - opening).astype(float),
        "rate_first": found.rate[opening],
        "rate_last": found.rate[closing],
        "changed": found.rate[closing] / found.rate[opening],
    }
    return assemble(
        {key: value.reshape(CHAINS, -1) for key, value in parameters.items()},
        counts,
        log_likelihood=log_likelihood.reshape(CHAINS, -1, len(part.bins)),
        attributes=attributes,
    )
