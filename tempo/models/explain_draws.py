"""Joint draws of baseline path, branching and memory within each account, and futures that follow them."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from tempo.data.counts import Counts
from tempo.models import observation as counting
from tempo.models.explain_grid import LevelGrid
from tempo.models.explain_recursions import LANES, excitation, sample_paths
from tempo.models.provenance import Provenance

__all__ = ["AccountFit", "LevelDraws", "draw_levels"]

type Floats = NDArray[np.float64]

DRAWS = 256


@dataclass(frozen=True)
class LevelDraws:
    """Joint posterior draws within one account.

    Attributes
    ----------
    levels : ndarray of int, shape (draws, bins)
        Index of the baseline level in each bin.
    branching, decay, dispersion : ndarray, shape (draws,)
        Decay per bin.
    scale : ndarray of int, shape (draws,)
        Index of the level scale, whose prior a future change draws from.
    means : ndarray, shape (draws, bins)
        Expected count of each bin given its past.
    triggered_share : ndarray, shape (draws,)
        Share of the expected counts that is excitation.
    state : ndarray, shape (draws,)
        Excitation of the first future bin.
    """

    levels: NDArray[np.int64]
    branching: Floats
    decay: Floats
    dispersion: Floats
    scale: NDArray[np.int64]
    means: Floats
    triggered_share: Floats
    state: Floats

    @property
    def changes(self) -> NDArray[np.int64]:
        """Number of changes of each draw."""
        return np.asarray((self.levels[:, 1:] != self.levels[:, :-1]).sum(axis=1))


def draw_levels(
    counts: Counts,
    season: Floats,
    grid: LevelGrid,
    table: xr.DataArray,
    weights: Floats,
    rng: np.random.Generator,
) -> LevelDraws:
    """Draw cells in proportion to their weights, and within each the path of the baseline, exactly.

    Parameters
    ----------
    counts : Counts
        The series.
    season : ndarray, shape (bins,)
        Seasonal factors.
    grid : LevelGrid
        Levels.
    table : xarray.DataArray
        For its axes.
    weights : ndarray
        Posterior weights of the cells of one account; 0 elsewhere.
    rng : numpy.random.Generator
        Draws.

    Returns
    -------
    LevelDraws
        256 of them.
    """
    dispersion, half_lives, branching = (
        table[name].to_numpy() for name in ("dispersion", "half_life_days", "branching_ratio")
    )
    decay = np.log(2.0) / half_lives * float(np.median(counts.bin_days))
    values = counts.to_numpy(dtype=float)
    exposure = counts.exposure.to_numpy()
    weight = exposure * season
    excited = excitation(values, decay)
    filled = np.nan_to_num(values)
    flat = weights.ravel() / weights.sum()
    cells = np.sort(rng.choice(flat.size, size=DRAWS, p=flat))
    d, s, h, b, k = np.unravel_index(cells, weights.shape)
    levels = np.empty((DRAWS, len(values)), dtype=np.int64)
    outer = cells // LANES  # the cell without its number of changes: one filter serves all of them
    for cell in np.unique(outer):
        here = np.flatnonzero(outer == cell)
        first = here[0]
        levels[here] = sample_paths(
            filled, weight, excited[h[first]], float(branching[b[first]]), float(dispersion[d[first]]),
            grid.levels, grid.priors[s[first]], grid.width, k[here].astype(np.int64),
            rng.random((len(here), len(values) + LANES + 1)),
        )  # fmt: skip
    baseline = grid.levels[levels] * weight
    triggered = branching[b][:, None] * excited[h] * (exposure > 0)
    means = baseline + triggered
    keep = np.exp(-decay[h])
    last = np.nan_to_num(values[-1])
    return LevelDraws(
        levels=levels,
        branching=branching[b],
        decay=decay[h],
        dispersion=dispersion[d],
        scale=s.astype(np.int64),
        means=means,
        triggered_share=triggered.sum(axis=1) / np.maximum(means.sum(axis=1), 1e-300),
        state=keep * excited[h, -1] + (1 - keep) * last,
    )


@dataclass(frozen=True, repr=False)
class AccountFit:
    """One account of ``tempo.explain`` as a fit: it can be forecast, and its stretches listed.

    Attributes
    ----------
    account : str
        Which.
    counts : Counts
        What was explained.
    provenance : Provenance
        What it was made from.
    """

    account: str
    counts: Counts
    _draws: LevelDraws
    _grid: LevelGrid
    provenance: Provenance

    @property
    def name(self) -> str:
        """Name for charts and tables."""
        return self.account

    @functools.cached_property
    def posterior(self) -> xr.DataTree:
        """Draws of branching ratio, half-life, dispersion, last baseline and number of changes, for ArviZ."""
        from tempo.models.posterior import assemble

        draws = self._draws
        shape = (4, len(draws.branching) // 4)
        order = np.random.default_rng(0).permutation(len(draws.branching))
        days = float(np.median(self.counts.bin_days))
        parameters = {
            "branching_ratio": draws.branching,
            "half_life_days": np.log(2.0) / draws.decay * days,
            "dispersion": draws.dispersion,
            "baseline_per_day": self._grid.levels[draws.levels[:, -1]] / days,
            "n_changes": draws.changes.astype(float),
        }
        return assemble({n: v[order].reshape(shape) for n, v in parameters.items()}, self.counts)

    def simulate(self, n_bins: int, draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw futures: the baseline may change again as often as it did, and excitation carries over.

        Parameters
        ----------
        n_bins : int
            Bins after the last one.
        draws : int
            Futures.
        rng : numpy.random.Generator
            Draws them.

        Returns
        -------
        ndarray of int, shape (draws, n_bins)
            Counts.
        """
        held, levels = self._draws, self._grid.levels
        chosen = rng.integers(len(held.branching), size=draws)
        seen = max(int((self.counts.exposure.to_numpy() > 0).sum()), 1)
        hazard = held.changes[chosen] / seen
        level, scale = held.levels[chosen, -1], held.scale[chosen]
        keep = np.exp(-held.decay[chosen])
        state, branching, dispersion = (
            held.state[chosen],
            held.branching[chosen],
            held.dispersion[chosen],
        )
        paths = np.empty((draws, n_bins), dtype=np.int64)
        grid = np.arange(len(levels))
        ceiling = 1000.0 * (1.0 + float(np.nanmax(self.counts.to_numpy(dtype=float), initial=1.0)))
        for t in range(n_bins):
            jumps = np.flatnonzero(rng.random(draws) < hazard)
            for draw in jumps:
                mass = self._grid.priors[scale[draw]] * (
                    np.abs(grid - level[draw]) >= self._grid.width
                )
                level[draw] = rng.choice(len(levels), p=mass / mass.sum())
            mean = np.minimum(levels[level] + branching * state, ceiling)
            paths[:, t] = counting.draw(mean, dispersion, rng)
            state = keep * state + (1 - keep) * paths[:, t]
        return paths

    def segments(self, prob: float = 0.9) -> pd.DataFrame:
        """Give the stretches between changes, for the most probable number of changes.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        pandas.DataFrame
            ``start, start_low, start_high, baseline_per_day, baseline_low, baseline_high``, one row each.
        """
        held = self._draws
        changes = held.changes
        number = int(np.bincount(changes).argmax())
        levels = held.levels[changes == number]
        index = self.counts.bin_starts
        days = float(np.median(self.counts.bin_days))
        tails = [(1 - prob) / 2, 0.5, (1 + prob) / 2]
        starts = np.zeros((len(levels), 1), dtype=np.int64)
        if number:
            moved = (
                np.argwhere(levels[:, 1:] != levels[:, :-1])[:, 1].reshape(len(levels), number) + 1
            )
            starts = np.concatenate([starts, moved], axis=1)
        rows = []
        for i in range(number + 1):
            low, middle, high = (
                int(q) for q in np.quantile(starts[:, i], tails, method="inverted_cdf")
            )
            rate = self._grid.levels[levels[np.arange(len(levels)), starts[:, i]]] / days
            rate_low, rate_middle, rate_high = np.quantile(rate, tails)
            rows.append(
                {
                    "start": index[middle],
                    "start_low": index[low],
                    "start_high": index[high],
                    "baseline_per_day": rate_middle,
                    "baseline_low": rate_low,
                    "baseline_high": rate_high,
                }
            )
        table = pd.DataFrame(rows)
        table.attrs["prob"] = prob
        return table

    def __repr__(self) -> str:
        return f"AccountFit {self.account!r} of {self.counts.events} events; forecast it with tempo.forecast"
