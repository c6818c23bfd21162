"""From series to weights: the evidence of every cell, and what each account makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from tempo.data.counts import Counts
from tempo.models.explain_grid import (
    ACCOUNTS,
    ExplainPrior,
    Grid,
    account_weights,
    evidence,
    log_choose,
    log_prior,
)
from tempo.models.explain_recursions import LANES
from tempo.models.seasons import Season, SeasonName, fit_season

__all__ = ["Observation", "Weighing", "holdout_scores", "weigh_accounts"]

type Floats = NDArray[np.float64]
type Observation = Literal["negbin", "poisson"]


@dataclass(frozen=True, eq=False)
class Weighing:
    """Evidence and weights of every cell, for each imputed series.

    Attributes
    ----------
    series : tuple of Counts
        One, or as many as were imputed; all with the same exposure.
    season : Season
        Factors of the baseline.
    prior : ExplainPrior
        The choices.
    grid : Grid
        The axes.
    table : ndarray, shape (series, dispersions, memories, branchings, LANES)
        Log likelihood summed over placements.
    """

    series: tuple[Counts, ...]
    season: Season
    prior: ExplainPrior
    grid: Grid
    table: Floats

    @cached_property
    def weight(self) -> Floats:
        """Exposure times season (and length, where bins differ) of each bin."""
        return bin_weights(self.series[0], self.season)

    @cached_property
    def n_places(self) -> int:
        """Boundaries between observed bins, at which the baseline can change."""
        return max(int((self.weight > 0).sum()) - 1, 0)

    @cached_property
    def _log_joint(self) -> Floats:
        return np.asarray(self.table + log_prior(self.prior, self.grid, self.n_places))

    @cached_property
    def log_evidence(self) -> float:
        """Log marginal likelihood of the series, or the mean of those of the imputed ones."""
        return float(np.mean(special.logsumexp(self._log_joint, axis=(1, 2, 3, 4))))

    @cached_property
    def weights(self) -> Floats:
        """Posterior weight of each cell, imputed series alike: same shape as the table, sums to one."""
        return np.asarray(special.softmax(self._log_joint, axis=(1, 2, 3, 4)) / len(self.series))

    @cached_property
    def shares(self) -> pd.Series:
        """Probability of each account."""
        parts = account_weights(self.weights)
        return pd.Series(
            {name: float(parts[name].sum()) for name in ACCOUNTS}, name="probability"
        ).rename_axis("account")

    def within(self, account: str) -> Floats:
        """Give the weights of the cells within one account, which sum to one however improbable it is.

        Parameters
        ----------
        account : str
            One of the four.

        Returns
        -------
        ndarray
            Same shape as the table.
        """
        inside = account_weights(np.ones_like(self.table))[account] > 0
        of_series = special.logsumexp(self._log_joint, axis=(1, 2, 3, 4), keepdims=True)
        with np.errstate(invalid="ignore"):
            logs = np.where(inside, self._log_joint - of_series, -np.inf)
        if not np.isfinite(logs).any():  # no place for a change: only the prior over cells is left
            logs = np.where(inside, 0.0, -np.inf)
        return np.asarray(special.softmax(logs))


def bin_weights(counts: Counts, season: Season) -> Floats:
    """Give exposure times season for each bin, times its length where bins differ (calendar months).

    Parameters
    ----------
    counts : Counts
        The series.
    season : Season
        Factors.

    Returns
    -------
    ndarray, shape (bins,)
        0 where nothing was observed.
    """
    length = counts.bin_days / float(np.median(counts.bin_days))
    return np.asarray(
        counts.exposure.to_numpy(dtype=float) * length * season.factors(counts.bin_starts)
    )


def weigh_accounts(
    series: Sequence[Counts], observation: Observation, season: SeasonName, prior: ExplainPrior
) -> Weighing:
    """Weigh the four accounts of a series, or of several imputed ones.

    Parameters
    ----------
    series : sequence of Counts
        At least one.
    observation : {"negbin", "poisson"}
        Whether counts may be more variable than Poisson.
    season : {"week", "year"} or None
        Season of the baseline.
    prior : ExplainPrior
        The choices.

    Returns
    -------
    Weighing
        Evidence and weights.
    """
    fitted, grid = _frame(series, observation, season, prior, None)
    weight = bin_weights(series[0], fitted)
    table = np.stack([evidence(one.to_numpy(dtype=float), weight, grid) for one in series])
    return Weighing(tuple(series), fitted, prior, grid, table)


def holdout_scores(
    series: Sequence[Counts],
    observation: Observation,
    season: SeasonName,
    prior: ExplainPrior,
    kept: int,
) -> Floats:
    """Give the log predictive score of what comes after the first ``kept`` observed bins, for each account.

    Parameters
    ----------
    series, observation, season, prior
        As for ``weigh_accounts``.
    kept : int
        Observed bins that the grid, the season and the weights are made from.

    Returns
    -------
    ndarray, shape (4,)
        Log of the probability of the later counts given the earlier ones; the mean over imputed series.
    """
    fitted, grid = _frame(series, observation, season, prior, kept)
    weight = bin_weights(series[0], fitted)
    places = max(int((weight > 0).sum()) - 1, 0)
    base = log_prior(prior, grid, places)
    scores = np.empty((len(series), len(ACCOUNTS)))
    for i, one in enumerate(series):
        values = one.to_numpy(dtype=float)
        late = base + evidence(values, weight, grid)
        early = base + with_later_changes(evidence(values, weight, grid, kept), kept - 1, places)
        for j, inside in enumerate(account_weights(np.ones_like(base)).values()):
            scores[i, j] = special.logsumexp(late[inside > 0]) - special.logsumexp(
                early[inside > 0]
            )
    return np.asarray(scores.mean(axis=0))


def with_later_changes(table: Floats, early_places: int, places: int) -> Floats:
    """Turn sums over placements in the early places into sums over all places.

    Changes that come later leave the early likelihood alone; they only add ways to place them.

    Parameters
    ----------
    table : ndarray, shape (..., LANES)
        Log of the sums over early placements.
    early_places, places : int
        Places among the early bins, and in all.

    Returns
    -------
    ndarray
        Same shape.
    """
    result = np.full_like(table, -np.inf)
    for k in range(LANES):
        terms = [
            table[..., i] + log_choose(places - early_places, k - i)
            for i in range(k + 1)
            if k - i <= places - early_places
        ]
        if terms:
            result[..., k] = special.logsumexp(np.stack(terms), axis=0)
    return result


def _frame(
    series: Sequence[Counts],
    observation: Observation,
    season: SeasonName,
    prior: ExplainPrior,
    kept: int | None,
) -> tuple[Season, Grid]:
    """Estimate the season and lay the grid, from the first ``kept`` observed bins or all of them."""
    first = series[0]
    values = np.mean([np.nan_to_num(one.to_numpy(dtype=float)) for one in series], axis=0)
    exposure = first.exposure.to_numpy(dtype=float).copy()
    exposure[np.flatnonzero(exposure > 0)[kept:] if kept is not None else []] = 0.0
    bin_days = float(np.median(first.bin_days))
    fitted = fit_season(first.bin_starts, values, exposure, bin_days, season)
    seen = exposure > 0
    grid = Grid.lay(
        values[seen],
        bin_weights(first, fitted)[seen],
        bin_days,
        prior,
        spread=observation == "negbin",
    )
    return fitted, grid
