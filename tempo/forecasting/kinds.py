"""Forecasts by kind: one outlook for each kind of attack, whose simulated futures belong together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.counts import Counts
from tempo.errors import OptionError
from tempo.forecasting.outlook import Outlook, future_bins, paths_array
from tempo.forecasting.spans import check_draws
from tempo.models.provenance import Provenance
from tempo.randomness import RNGLike, resolve

__all__ = ["KindsFit", "forecast_kinds"]


class KindsFit(Protocol):
    """What a model of several kinds must offer to be forecast kind by kind."""

    @property
    def name(self) -> str:
        """Name of the model."""

    @property
    def counts(self) -> Counts:
        """All kinds together."""

    @property
    def kinds(self) -> list[str]:
        """Names of the kinds."""

    def simulate_kinds(
        self, n_bins: int, draws: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Draw futures: shape (draws, n_bins, kinds)."""


class GroupedTollFit(Protocol):
    """What a fitted lethality must offer, for deaths to be forecast kind by kind."""

    @property
    def toll(self) -> str:
        """What is counted: "deaths", "wounded"."""

    @property
    def provenance(self) -> Provenance:
        """How it was fitted."""

    def simulate_deaths_by_group(
        self, attacks: NDArray[np.int64], groups: Sequence[str], rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Draw the tolls of simulated attacks, shape (draws, n_bins, kinds): their sum, and the deadliest."""


def forecast_kinds(
    fit: KindsFit,
    horizon: str | pd.Timedelta = "90D",
    draws: int = 10_000,
    rng: RNGLike = None,
    *,
    lethality: GroupedTollFit | None = None,
) -> dict[str, Outlook]:
    """Forecast each kind of attack from the end of the data on.

    Draw number ``d`` of every outlook comes from the same simulated future, so that questions about several kinds at
    once ("rockets and no IED") can be asked of their ``counts``.

    Parameters
    ----------
    fit : fitted model of several kinds
        Such as ``tempo.HawkesKinds().fit(past)``.
    horizon : str, default "90D"
        How far, in days or weeks; rounded up to whole bins.
    draws : int, default 10,000
        How many futures.
    rng : int, Generator or None
        Draws them.
    lethality : LethalityFit, optional
        What ``tempo.Lethality(group="kind").fit(past)`` gave: each outlook then holds deaths too, with the chance of
        its kind. Without a group, all kinds have the same.

    Returns
    -------
    dict of str to Outlook
        One for each kind, in the order of the fit. For all kinds together use ``tempo.forecast``.

    Raises
    ------
    OptionError
        If the horizon or the number of draws cannot be used, or the model knows no kinds.

    Examples
    --------
    >>> import tempo
    >>> days = pd.date_range("2020-01-01", periods=300)
    >>> model = tempo.HawkesKinds()
    >>> drawn = model.simulate([0.2, 0.1], [[0.4, 0.0], [0.3, 0.2]], 0.5, n_bins=300, rng=1)
    >>> counts = pd.DataFrame(drawn, index=days, columns=["rocket", "IED"])
    >>> outlooks = forecast_kinds(model.fit(counts, method="mle", rng=1), "28D", 1_000, rng=7)
    >>> list(outlooks), outlooks["IED"].draws
    (['rocket', 'IED'], 1000)
    """
    if not hasattr(fit, "simulate_kinds"):
        raise OptionError(
            f"{type(fit).__name__} knows no kinds. Fit tempo.HawkesKinds(), or use tempo.forecast for this fit."
        )
    counts = fit.counts
    starts, bin_days = future_bins(counts, horizon, draws)
    check_draws(draws, len(starts) * len(fit.kinds))
    source = resolve(rng)
    paths = fit.simulate_kinds(len(starts), draws, source.generator)
    notes = tuple(getattr(getattr(fit, "provenance", None), "notes", ()))
    deaths = deadliest = None
    if lethality is not None:
        if not hasattr(lethality, "simulate_deaths_by_group"):
            raise OptionError(
                f"lethality is a {type(lethality).__name__}; expected what tempo.Lethality(group='kind').fit(past) "
                "gave."
            )
        deaths, deadliest = lethality.simulate_deaths_by_group(paths, fit.kinds, source.generator)
        notes = tuple(dict.fromkeys((*notes, *lethality.provenance.notes)))
    return {
        kind: Outlook(
            counts=paths_array(paths[:, :, i], starts),
            name=fit.name,
            label=f"{counts.label}: {kind}",
            rule=f"{counts.rule}, of kind {kind}",
            cutoff=counts.end,
            bin_days=bin_days,
            seed=source.record,
            notes=notes,
            deaths=None if deaths is None else paths_array(deaths[:, :, i], starts, "deaths"),
            deadliest=None
            if deadliest is None
            else paths_array(deadliest[:, :, i], starts, "deadliest"),
            toll="deaths" if lethality is None else lethality.toll,
        )
        for i, kind in enumerate(fit.kinds)
    }
