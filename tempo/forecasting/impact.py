"""What simulated attacks do to operations: days lost to stand-downs, or operations as they went with attacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, overload

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from tempo.errors import OptionError
from tempo.forecasting.impact_days import LostDays, lost_days
from tempo.forecasting.impact_operations import NO_ATTACKS, OperationsOutlook
from tempo.forecasting.impact_response import DoseResponseFit
from tempo.forecasting.impact_standdown import StandDown, StandDownFit
from tempo.forecasting.outlook import Outlook, TollFit
from tempo.forecasting.spans import check_draws, days_of, is_number
from tempo.randomness import RNGLike, resolve, spawn

__all__ = ["impact"]

_ABSORBABLE_DRAWS = 20_000


class _Weighed(Protocol):
    """What ``tempo.weigh`` gives: forecasts by scenario, and of the mixture."""

    def outlooks(
        self,
        horizon: str = "90D",
        draws: int = 10_000,
        rng: RNGLike = None,
        *,
        lethality: TollFit | None = None,
    ) -> dict[str, Outlook]:
        """Forecast under each scenario."""

    def outlook(
        self,
        horizon: str = "90D",
        draws: int = 10_000,
        rng: RNGLike = None,
        *,
        lethality: TollFit | None = None,
    ) -> Outlook:
        """Forecast under the mixture."""


@overload
def impact(
    attacks: Outlook | Mapping[str, Outlook] | _Weighed,
    model: StandDown | StandDownFit,
    *,
    horizon: str | None = None,
    share: float = 0.25,
    draws: int | None = None,
    rng: RNGLike = None,
    lethality: TollFit | None = None,
) -> LostDays: ...


@overload
def impact(
    attacks: Outlook | Mapping[str, Outlook] | _Weighed,
    model: DoseResponseFit,
    *,
    horizon: str | None = None,
    share: float = 0.25,
    draws: int | None = None,
    rng: RNGLike = None,
    lethality: TollFit | None = None,
) -> OperationsOutlook: ...


def impact(
    attacks: Outlook | Mapping[str, Outlook] | _Weighed,
    model: StandDown | StandDownFit | DoseResponseFit,
    *,
    horizon: str | None = None,
    share: float = 0.25,
    draws: int | None = None,
    rng: RNGLike = None,
    lethality: TollFit | None = None,
) -> LostDays | OperationsOutlook:
    """Give what simulated futures of attacks do to operations.

    With a stand-down model: the operating days lost under each scenario, and the attack rate at which more than a
    share of the days is lost (the absorbable tempo). With a dose-response fit: the operations to expect. The same
    draws of the model's parameters serve every scenario, so that scenarios differ by their attacks alone.

    Parameters
    ----------
    attacks : Outlook, mapping of str to Outlook, or Weights
        Forecasts of attacks, by day. ``Weights`` bring every scenario and their mixture.
    model : StandDown, StandDownFit or DoseResponseFit
        What an attack does to operations. A ``StandDown`` that was not fitted is taken as it was said.
    horizon : str, optional
        How far to forecast the scenarios of ``Weights``, 90 days when left out; refused with forecasts, which bring
        their own.
    share : float, default 0.25
        Share of days, or of operations, whose loss is too much.
    draws : int, optional
        Futures for each scenario of ``Weights``, 10,000 when left out; refused with forecasts, which bring their own.
    rng : int, Generator or None
        Draws everything.
    lethality : LethalityFit, optional
        What ``tempo.Lethality().fit(past)`` gave: the scenarios of ``Weights`` then hold deaths, for stand-downs that
        follow lethal attacks alone; forecasts bring their own.

    Returns
    -------
    LostDays or OperationsOutlook
        By scenario, with ``table()``, ``probability()`` and ``describe()``.

    Raises
    ------
    OptionError
        If forecasts are not by day, come with a horizon or draws, do not cover the same time, start elsewhere than the
        data of the model end, or hold no deaths where lethal attacks are asked for.

    Examples
    --------
    >>> import tempo
    >>> past = tempo.load_dataset("iraq-coalition").before("2020-03-12")
    >>> heavy = past.where("heavy_by_fatality == 1 or heavy_by_salvo == 1", label="heavy strike")
    >>> sporadic = tempo.Scenario.every("2-3 months", name="sporadic")
    >>> weights = tempo.weigh(heavy, [sporadic, tempo.Scenario.escalation(heavy)], prior=[0.7, 0.3], rng=7)
    >>> found = impact(weights, tempo.StandDown("10-30 %", "5-30 days"), horizon="90D", rng=7)
    >>> found.scenarios
    ('sporadic', 'escalation', 'scenario mixture')
    >>> found.status
    'assumption'
    """
    if not is_number(share) or not 0 < share < 1:
        raise OptionError(
            f"share is {share!r}; expected a share of days between 0 and 1, such as 0.25."
        )
    source = resolve(rng)
    streams = spawn(source.generator, 4)
    outlooks = _outlooks(attacks, horizon, draws, streams[0], lethality)
    first = next(iter(outlooks.values()))
    # The same seed for every scenario: they share the draws of the model.
    entropy = int(streams[1].integers(2**63))
    if isinstance(model, DoseResponseFit):
        return _operations(outlooks, model, entropy, share, source.record)
    if not isinstance(model, StandDown | StandDownFit):
        raise OptionError(
            f"model is a {type(model).__name__}; expected tempo.StandDown(...), its fit, or "
            "tempo.DoseResponse(...).fit(operations, attacks)."
        )
    fit = model.fit() if isinstance(model, StandDown) else model
    if fit.cutoff is not None and fit.cutoff != first.cutoff:
        raise OptionError(
            f"the stand-downs were learned from data to {fit.cutoff:%Y-%m-%d}, but the forecast starts on "
            f"{first.cutoff:%Y-%m-%d}. Cut both at the same date: .before(date)."
        )
    lost, triggers = {}, {}
    for name, outlook in outlooks.items():
        counts = _triggers(outlook, fit.model.trigger)
        stopped = lost_days(counts, fit, np.random.default_rng(entropy))
        triggers[name] = counts.sum(axis=1)
        lost[name] = xr.DataArray(
            stopped,
            dims=("draw", "time"),
            coords={"draw": np.arange(len(stopped)), "time": outlook.counts["time"].to_numpy()},
            name="lost",
        )
    notes = [*fit.notes, *(note for outlook in outlooks.values() for note in outlook.notes)]
    if fit.rule and fit.rule != first.rule and fit.model.trigger == "attack":
        notes.append(
            f"Attacks are forecast by the rule {first.rule!r}; stand-downs were learned by the rule {fit.rule!r}."
        )
    return LostDays(
        lost=lost,
        absorbable_per_day=fit.absorbable_per_day(share, _ABSORBABLE_DRAWS, streams[2]),
        share=share,
        model=fit,
        attacks=triggers,
        label=first.label if fit.model.trigger == "attack" else f"lethal {first.label}",
        rule=first.rule,
        cutoff=first.cutoff,
        horizon_days=first.horizon_days,
        seed=source.record,
        notes=tuple(dict.fromkeys(notes)),
    )


def _outlooks(
    attacks: Outlook | Mapping[str, Outlook] | _Weighed,
    horizon: str | None,
    draws: int | None,
    rng: np.random.Generator,
    lethality: TollFit | None,
) -> dict[str, Outlook]:
    if isinstance(attacks, Outlook | Mapping):
        for name, value in (("horizon", horizon), ("draws", draws)):
            if value is not None:
                raise OptionError(
                    f"{name} is {value!r}, but forecasts bring their own {name}. Leave it out, and forecast anew: "
                    f"tempo.forecast(fit, horizon, draws)."
                )
    horizon = "90D" if horizon is None else horizon
    draws = 10_000 if draws is None else draws
    days_of(horizon)
    check_draws(draws)
    if lethality is not None and isinstance(attacks, Outlook | Mapping):
        raise OptionError(
            "lethality= is for Weights; a forecast brings its own deaths: tempo.forecast(fit, horizon, lethality=...)."
        )
    if isinstance(attacks, Outlook):
        found = {attacks.name: attacks}
    elif isinstance(attacks, Mapping):
        found = dict(attacks)
    elif hasattr(attacks, "outlooks"):
        entropy = int(rng.integers(2**63))
        found = attacks.outlooks(horizon, draws, entropy, lethality=lethality)
        mixture = attacks.outlook(horizon, draws, entropy, lethality=lethality)
        found[mixture.name] = mixture
    else:
        raise OptionError(
            f"got a {type(attacks).__name__}; expected an Outlook (tempo.forecast), Outlooks by name, or Weights "
            "(tempo.weigh)."
        )
    if not found:
        raise OptionError("there is no forecast; pass an Outlook, or Outlooks by name.")
    for name, outlook in found.items():
        if not isinstance(outlook, Outlook):
            raise OptionError(
                f"the forecast {name!r} is a {type(outlook).__name__}; expected an Outlook: tempo.forecast(fit, "
                "horizon)."
            )
    spans = {(outlook.start, outlook.end) for outlook in found.values()}
    if len(spans) > 1:
        text = ", ".join(f"[{start:%Y-%m-%d}, {end:%Y-%m-%d})" for start, end in sorted(spans))
        raise OptionError(
            f"the forecasts cover different times: {text}. Forecast all from the same data over the same horizon."
        )
    for name, outlook in found.items():
        if not np.allclose(outlook.bin_days, 1.0):
            raise OptionError(
                f"the forecast {name!r} has bins of {outlook.bin_days[0]:g} days; operating days are lost day by day. "
                "Fit daily counts: past.counts('1D')."
            )
    return found


def _all_kinds(array: xr.DataArray) -> NDArray[np.int64]:
    """Sum over kinds of attack, where a forecast holds several."""
    others = [dim for dim in array.dims if dim not in {"draw", "time"}]
    return np.asarray(array.sum(others).transpose("draw", "time").to_numpy(), dtype=np.int64)


def _triggers(outlook: Outlook, trigger: str) -> NDArray[np.int64]:
    if trigger == "attack":
        return _all_kinds(outlook.counts)
    if outlook.deaths is None or outlook.toll != "deaths":
        raise OptionError(
            f"the forecast {outlook.name!r} holds no deaths, but stand-downs follow lethal attacks. Forecast deaths "
            "with the attacks, lethality=tempo.Lethality().fit(past), or use trigger='attack'."
        )
    return (_all_kinds(outlook.deaths) > 0).astype(np.int64)


def _operations(
    outlooks: dict[str, Outlook], model: DoseResponseFit, entropy: int, share: float, record: str
) -> OperationsOutlook:
    first = next(iter(outlooks.values()))
    end = model.counts.end
    if end != first.cutoff:
        raise OptionError(
            f"the operations end on {end:%Y-%m-%d}, but the forecast of attacks starts on {first.cutoff:%Y-%m-%d}. Cut "
            "both at the same date."
        )
    if not np.isfinite(model.recent).all():
        raise OptionError(
            "some attacks in the last bins before the forecast were not watched, so what they leave behind is not "
            "known. End the fit where the watch ends."
        )
    offset = pd.tseries.frequencies.to_offset(model.counts.freq)
    starts = pd.date_range(end, first.end, freq=offset, unit="us")
    edges = np.asarray((starts - end) / pd.Timedelta("1D"), dtype=float).round().astype(int)
    bins = len(edges) - 1
    if bins < 1:
        raise OptionError(
            f"the horizon of {first.horizon_days} days holds no whole bin of operations. Forecast further."
        )
    futures = {name: _all_kinds(outlook.counts) for name, outlook in outlooks.items()}
    most = max(len(counts) for counts in futures.values())
    if NO_ATTACKS in futures:
        raise OptionError(
            f"a forecast is called {NO_ATTACKS!r}, the name of the future without any; call it something else."
        )
    attacks = {name: counts[:, : edges[-1]].sum(axis=1) for name, counts in futures.items()}
    futures[NO_ATTACKS] = np.zeros((most, first.horizon_days), dtype=np.int64)
    operations = {}
    for name, counts in futures.items():
        running = np.concatenate([np.zeros((len(counts), 1)), counts.cumsum(axis=1)], axis=1)
        binned = np.diff(running[:, edges], axis=1).astype(np.int64)
        drawn = model.simulate(binned, starts[:-1], np.random.default_rng(entropy))
        operations[name] = xr.DataArray(
            drawn,
            dims=("draw", "time"),
            coords={"draw": np.arange(len(drawn)), "time": starts[:-1].to_numpy()},
            name="operations",
        )
    notes = [*model.notes, *(note for outlook in outlooks.values() for note in outlook.notes)]
    return OperationsOutlook(
        operations=operations,
        model=model,
        absorbable_per_day=model.absorbable_per_day(share),
        share=share,
        attacks=attacks,
        label=first.label,
        rule=first.rule,
        cutoff=end,
        horizon_days=int(edges[-1]),
        seed=record,
        notes=tuple(dict.fromkeys(notes)),
    )
