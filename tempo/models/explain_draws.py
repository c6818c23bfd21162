"""Joint draws of baseline path, branching and memory within each account, and futures that follow them."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from tempo.data.counts import Counts
from tempo.models import observation as counting
from tempo.models.explain_recursions import LANES, excitation, sample_paths, workers
from tempo.models.explain_weighing import Weighing
from tempo.models.intervals import central_levels
from tempo.models.provenance import Provenance

__all__ = ["AccountFit", "LevelDraws", "draw_levels"]

type Floats = NDArray[np.float64]

#: Draws of each account.
DRAWS = 256


@dataclass(frozen=True, eq=False)
class LevelDraws:
    """Joint posterior draws within one account.

    Attributes
    ----------
    levels : ndarray of int, shape (draws, bins)
        Index of the baseline level in each bin; unobserved bins carry on the level before them.
    branching, decay, dispersion : ndarray, shape (draws,)
        Decay per bin.
    means : ndarray, shape (draws, bins)
        Expected count of each bin given its past; 0 where nothing was observed.
    triggered_share : ndarray, shape (draws,)
        Expected share of the attacks that earlier ones triggered.
    state : ndarray, shape (draws,)
        Excitation of the first future bin.
    """

    levels: NDArray[np.int64]
    branching: Floats
    decay: Floats
    dispersion: Floats
    means: Floats
    triggered_share: Floats
    state: Floats

    @property
    def changes(self) -> NDArray[np.int64]:
        """Number of changes of each draw."""
        return np.asarray((self.levels[:, 1:] != self.levels[:, :-1]).sum(axis=1))


def draw_levels(weighing: Weighing, account: str, rng: np.random.Generator) -> LevelDraws:
    """Draw cells in proportion to their weights, and within each the path of the baseline, exactly.

    Parameters
    ----------
    weighing : Weighing
        Series, grid and weights.
    account : str
        Within which account.
    rng : numpy.random.Generator
        Draws.

    Returns
    -------
    LevelDraws
        256 of them.
    """
    grid, weights = weighing.grid, weighing.within(account)
    # One uniform, evenly spaced: the cells are drawn in proportion with the least noise.
    places = (np.arange(DRAWS) + rng.random()) / DRAWS
    running = np.cumsum(weights.ravel())
    cells = np.minimum(
        np.searchsorted(running, places * running[-1], side="right"), weights.size - 1
    )
    i, d, h, b, k = np.unravel_index(cells, weights.shape)
    seen = np.flatnonzero(weighing.weight > 0)
    weight = np.ascontiguousarray(weighing.weight[seen])
    values = np.stack([one.to_numpy(dtype=float) for one in weighing.series])
    excited = np.stack([excitation(one, grid.decay) for one in values])
    uniforms = rng.random((DRAWS, len(seen) + LANES + 1))
    paths = np.empty((DRAWS, len(seen)), dtype=np.int64)
    levels = grid.levels
    outer = cells // LANES  # the cell without its number of changes: one filter serves all of them

    def draw(cell: int) -> None:
        here = np.flatnonzero(outer == cell)
        one = here[0]
        paths[here] = sample_paths(
            np.ascontiguousarray(values[i[one], seen]),
            weight,
            np.ascontiguousarray(excited[i[one], h[one], seen]),
            float(grid.branching[b[one]]),
            int(grid.halvings[d[one]]),
            float(grid.dispersion[d[one]]),
            levels[b[one]],
            grid.prior,
            grid.width,
            k[here].astype(np.int64),
            uniforms[here],
        )

    with ThreadPoolExecutor(workers()) as pool:
        list(pool.map(draw, np.unique(outer)))
    # Unobserved bins carry on the level before them; those before the first observed one take its level.
    source = np.searchsorted(seen, np.arange(values.shape[1]), side="right") - 1
    full = (
        paths[:, np.maximum(source, 0)]
        if len(seen)
        else np.zeros((DRAWS, values.shape[1]), np.int64)
    )
    baseline = levels[b[:, None], full] * weighing.weight
    triggered = grid.branching[b][:, None] * excited[i, h, :-1] * (weighing.weight > 0)
    means = baseline + triggered
    counts = np.nan_to_num(values[i])
    events = counts.sum(axis=1)
    read = (counts * triggered / np.where(means > 0, means, 1.0)).sum(axis=1)
    return LevelDraws(
        levels=full,
        branching=grid.branching[b],
        decay=grid.decay[h],
        dispersion=grid.dispersion[d],
        means=means,
        triggered_share=read / np.where(events > 0, events, 1.0),
        state=excited[i, h, -1],
    )


@dataclass(frozen=True, repr=False, eq=False)
class AccountFit:
    """One account of ``tempo.explain`` as a fit: it can be forecast, and its stretches listed.

    Attributes
    ----------
    account : str
        Which.
    provenance : Provenance
        What it was made from.
    """

    account: str
    provenance: Provenance
    _weighing: Weighing
    _draws: LevelDraws

    @property
    def name(self) -> str:
        """Name for charts and tables."""
        return self.account

    @property
    def counts(self) -> Counts:
        """What was explained."""
        return self._weighing.series[0]

    @property
    def _bin_days(self) -> float:
        return float(np.median(self.counts.bin_days))

    def _baseline(self, level: NDArray[np.int64]) -> Floats:
        """Baseline per bin, from level indices of shape (draws, ...)."""
        share = (1.0 - self._draws.branching).reshape(-1, *[1] * (level.ndim - 1))
        return np.asarray(share * self._weighing.grid.rates[level])

    @functools.cached_property
    def posterior(self) -> xr.DataTree:
        """Draws of branching ratio, half-life, dispersion, last baseline and number of changes, for ArviZ."""
        from tempo.models.posterior import CHAINS, assemble

        draws = self._draws
        # Draws are exact and independent, but ordered by cell: deal them out in a fixed random order.
        order = np.random.default_rng(0).permutation(DRAWS)
        parameters = {
            "branching_ratio": draws.branching,
            "half_life_days": np.log(2.0) / draws.decay * self._bin_days,
            "dispersion": draws.dispersion,
            "baseline_per_day": self._baseline(draws.levels[:, -1]) / self._bin_days,
            "n_changes": draws.changes.astype(float),
        }
        return assemble(
            {n: v[order].reshape(CHAINS, -1) for n, v in parameters.items()}, self.counts
        )

    def simulate(self, n_bins: int, draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw futures: the baseline may change again as often as it did, and excitation carries over.

        A draw with k changes in n observed bins has the chance k / n of a change in each future bin. Seasons go on.

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
        held, weighing, grid = self._draws, self._weighing, self._weighing.grid
        chosen = rng.integers(DRAWS, size=draws)
        hazard = held.changes[chosen] / (weighing.n_places + 1)
        level = held.levels[chosen, -1]
        keep, branching = np.exp(-held.decay[chosen]), held.branching[chosen]
        dispersion, state = held.dispersion[chosen], held.state[chosen]
        starts = pd.date_range(
            self.counts.end, periods=n_bins, freq=self.counts.bin_starts.freq or self.counts.freq
        )
        factors = weighing.season.factors(starts)
        index = np.arange(len(grid.rates))
        far = np.abs(index[:, None] - index[None, :]) >= grid.width
        onward = np.cumsum(far * grid.prior, axis=1)
        possible = onward[:, -1] > 0
        onward = onward / np.where(possible, onward[:, -1], 1.0)[:, None]
        paths = np.empty((draws, n_bins), dtype=np.int64)
        # A branching ratio just below 1 can make counts that no computer holds; this is far beyond any record.
        ceiling = 1000.0 * (1.0 + float(np.nanmax(self.counts.to_numpy(dtype=float), initial=1.0)))
        for t in range(n_bins):
            jumps = np.flatnonzero((rng.random(draws) < hazard) & possible[level])
            if len(jumps):
                below = onward[level[jumps]] < rng.random(len(jumps))[:, None]
                level[jumps] = np.minimum(below.sum(axis=1), len(index) - 1)
            mean = (1.0 - branching) * grid.rates[level] * factors[t] + branching * state
            paths[:, t] = counting.draw(np.minimum(mean, ceiling), dispersion, rng)
            state = keep * state + (1 - keep) * paths[:, t]
        return paths

    @property
    def segments(self) -> pd.DataFrame:
        """The stretches between changes, with 90 % intervals; see ``segment_table``."""
        return self.segment_table(0.9)

    def segment_table(self, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate the stretches between changes, for the account's most probable number of changes.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        pandas.DataFrame
            One row for each stretch: ``start, start_low, start_high`` (first bin of the stretch) and
            ``baseline_per_day, baseline_per_day_low, baseline_per_day_high``; medians and central intervals of 256
            exact draws. ``attrs`` holds ``prob``, ``account``, ``n_changes`` and ``p_n_changes``, the probability of
            that number within the account.
        """
        tails = central_levels(prob)
        held, changes = self._draws, self._draws.changes
        number = int(np.bincount(changes).argmax())
        chosen = np.flatnonzero(changes == number)
        levels = held.levels[chosen]
        moved = np.argwhere(levels[:, 1:] != levels[:, :-1])[:, 1].reshape(len(levels), number) + 1
        starts = np.concatenate([np.zeros((len(levels), 1), dtype=np.int64), moved], axis=1)
        rates = (1.0 - held.branching[chosen])[:, None] * self._weighing.grid.rates[
            np.take_along_axis(levels, starts, axis=1)
        ]
        index = self.counts.bin_starts
        low, middle, high = np.quantile(starts, tails, axis=0, method="inverted_cdf")
        rate_low, rate_middle, rate_high = np.quantile(rates, tails, axis=0) / self._bin_days
        table = pd.DataFrame(
            {
                "start": index[middle],
                "start_low": index[low],
                "start_high": index[high],
                "baseline_per_day": rate_middle,
                "baseline_per_day_low": rate_low,
                "baseline_per_day_high": rate_high,
            },
            index=pd.RangeIndex(1, number + 2, name="segment"),
        )
        share = float((changes == number).mean())
        table.attrs |= {
            "prob": prob, "account": self.account, "n_changes": number, "p_n_changes": share,
        }  # fmt: skip
        return table

    def __repr__(self) -> str:
        return f"AccountFit {self.account!r} of {self.counts.events} events; forecast it with tempo.forecast"
