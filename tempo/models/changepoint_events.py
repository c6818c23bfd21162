"""Changepoints over events rather than bins: gaps between attacks, and how deadly the deadly ones are."""

from __future__ import annotations

import hashlib
import math
import warnings
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr

from tempo.data.counts import Counts
from tempo.data.incidents import Incidents
from tempo.data.rounding import counted, interval, number, percent
from tempo.data.window import DAY, Window
from tempo.errors import DataError, FewEventsWarning, OptionError
from tempo.models.changepoint_covariates import (
    Added,
    Covariates,
    Design,
    Stretched,
    fit_covariates,
    formula_of,
)
from tempo.models.changepoint_draws import sample
from tempo.models.changepoint_event_tables import gap_table, severity_table
from tempo.models.changepoint_fit import ChangepointsFit
from tempo.models.changepoint_forecast import current, filtered, fresh_rates, now
from tempo.models.changepoint_grid import Bins, Grid, learned_odds, learned_rates
from tempo.models.changepoint_posterior import solve
from tempo.models.changepoint_predictive import GAMMA, NORMAL
from tempo.models.changepoint_words import told
from tempo.models.checks import check_table, pit_residuals, residual_checks
from tempo.models.inputs import FEW_EVENTS
from tempo.models.posterior import CHAINS, assemble
from tempo.models.provenance import Provenance
from tempo.randomness import RNGLike, resolve

if TYPE_CHECKING:
    import xarray as xr

    from tempo.models.changepoints import Changepoints

__all__ = ["EventChangepointsFit", "fit_gaps", "fit_severity"]

type Floats = NDArray[np.float64]

_NODES = 20
_LEAST_SPREAD = 0.25  # log deaths are whole numbers' logs: less spread than this is their rounding


@dataclass(frozen=True, eq=False, repr=False)
class EventChangepointsFit(ChangepointsFit):
    """The exact posterior of changes between events: in the gaps between attacks, or in how deadly they are.

    Everything is as in :class:`~tempo.models.changepoint_fit.ChangepointsFit`, with one row for each stretch between
    attacks (gaps) or each deadly attack (severity) where that has one for each bin. A new regime may begin with each
    of them; it is labelled by the day, or the time, from which it holds.

    For gaps, rates are events per day, ``counts`` are the daily counts, and ``simulate`` gives days, so that
    forecasts are made as from any other fit. For severity, rates are means of log deaths; ``segments`` and ``rate``
    give them as ``deaths``, the typical number killed in a deadly attack (the geometric mean, which an extreme attack
    hardly moves).

    Attributes
    ----------
    events : pandas.DataFrame
        What was fitted: ``start`` (from when the stretch counts, or the date of the attack), ``value`` (events that
        end the stretch, or log deaths), ``exposure`` (observed days of the stretch, or 1) and, with covariates,
        ``log_factor`` (what they add to the log rate on the day that ends the stretch, or to log deaths).
    timed : bool
        Whether gaps are known to the time of day.
    """

    events: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    timed: bool = False

    @property
    def severe(self) -> bool:
        """Whether the values are log deaths, not gaps."""
        return self.model.observation == "severity"

    @cached_property
    def provenance(self) -> Provenance:
        """How to make this fit again; the fingerprint is that of ``events``."""
        digest = hashlib.sha256()
        digest.update(pd.DatetimeIndex(self.events["start"]).as_unit("us").asi8.tobytes())
        digest.update(self.events[["value", "exposure"]].to_numpy(dtype="<f8").tobytes())
        found = Provenance.of(self.base, model=self.model, method="exact", notes=self.notes)
        return replace(found, fingerprint=digest.hexdigest(), n_bins=len(self.events))

    def segment_table(self, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate the regimes, given the most probable number of changes.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        pandas.DataFrame
            As for counts. For severity, ``deaths``, ``deaths_low`` and ``deaths_high`` take the place of the rates.
        """
        table = super().segment_table(prob)
        return self._as_deaths(table) if self.severe else table

    def rate_table(self, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate the rate in each stretch between attacks, or the deadliness of each deadly attack.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the interval.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``events.start``: ``mean``, ``low``, ``high`` and ``per_day``, or ``deaths``, ``low``, ``high``.
        """
        table = super().rate_table(prob)
        if not self.severe:
            return table
        # The stubs take a ufunc of a frame for an array.
        tolls = cast("pd.DataFrame", np.exp(table[["mean", "low", "high"]]))
        out = tolls.rename(columns={"mean": "deaths"})
        out.attrs = table.attrs
        return out

    def update(self, counts: pd.Series | int) -> ChangepointsFit:  # noqa: ARG002
        """Refuse: the last stretch is not over, so that a new attack changes what was fitted before.

        Parameters
        ----------
        counts : Series or int
            Not used.

        Returns
        -------
        ChangepointsFit
            Never.

        Raises
        ------
        OptionError
            Always; it names the remedy.
        """
        raise OptionError(
            f"update takes bins, and observation={self.model.observation!r} has none. Fit again to all incidents: it "
            "takes milliseconds. Or use observation='poisson' on counts, which is updated by the day."
        )

    def next_change(self, n_bins: int = 365) -> pd.Series:
        """Give the distribution of the number of attacks until the next change.

        Parameters
        ----------
        n_bins : int, default 365
            How many later attacks (days with attacks, where times are not known).

        Returns
        -------
        pandas.Series
            P(at least one change by then), indexed by the number of attacks from 1 on.
        """
        found = super().next_change(n_bins)
        return found.set_axis(pd.RangeIndex(1, n_bins + 1, name="attacks"))

    def simulate(self, n_bins: int, draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Simulate the days after the last one; a new regime may begin after each attack (each day with attacks).

        Parameters
        ----------
        n_bins : int
            How many days.
        draws : int
            How many paths.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray of int64, shape (draws, n_bins)
            Events on each day, uncertainty about everything included.
        """
        if self.severe:
            raise OptionError(
                "a severity fit says how deadly attacks are, not how many come. Forecast from a fit to counts, and "
                "take deaths from fit.deaths(draws, rng)."
            )
        part = self.parts[0]
        rate, regime = current(part, draws, rng)
        hazard, closed = regime.odds / (1 + regime.odds), regime.closed
        out = np.zeros((draws, n_bins), dtype=np.int64)

        def renewed(rows: NDArray[np.int64]) -> None:
            ready = closed[rows] <= 0
            closed[rows] -= 1
            rows = rows[(rng.random(rows.size) < hazard[rows]) & ready]
            rate[rows] = fresh_rates(part.grid, regime.cell[rows], rng)
            closed[rows] = part.grid.shortest - 1

        factors = np.ones((draws, n_bins))
        if self.effects is not None:
            factors = self.effects.factors(self._after(n_bins), draws, rng)
        if not self.timed:
            for day in range(n_bins):
                out[:, day] = rng.poisson(rate * factors[:, day])
                renewed(np.flatnonzero(out[:, day]))
            return out
        passed = np.cumsum(factors, axis=1)  # days, each as long as its factor
        at, live = np.zeros(draws), np.arange(draws)
        while live.size:
            at[live] += rng.exponential(size=live.size) / rate[live]
            live = live[at[live] < passed[live, -1]]
            day = (passed[live] <= at[live][:, None]).sum(axis=1)
            np.add.at(out, (live, day), 1)
            renewed(live)
        return out

    def deaths(self, draws: int, rng: RNGLike = None) -> NDArray[np.float64]:
        """Draw deaths in the next deadly attack, of a severity fit.

        Parameters
        ----------
        draws : int
            How many.
        rng : int, Generator or None
            Source of randomness.

        Returns
        -------
        ndarray, shape (draws,)
            Whole numbers from 1 up, uncertainty about everything included; with covariates, on a day on which they are
            average. Log-normal within a regime: its tail is lighter than a power law's.
        """
        if not self.severe:
            raise OptionError("a fit to gaps knows no deaths; fit observation='severity'.")
        part, generator = self.parts[0], resolve(rng).generator
        regime = now(part, draws, generator)
        kappa, mean, beta = regime.first, regime.second, regime.third
        shape = part.grid.size[regime.cell] + 0.5 * kappa
        scale = np.sqrt(beta * (kappa + 1) / (shape * kappa))
        logs = mean + scale * generator.standard_t(2 * shape)
        return np.asarray(np.maximum(np.rint(np.exp(np.minimum(logs, 20.0))), 1.0))

    def check(self, rng: RNGLike = 0) -> pd.DataFrame:
        """Check one-step predictions, each gap or death toll from those before it.

        Parameters
        ----------
        rng : int or Generator, default 0
            For the randomised residuals: gaps are whole days and tolls whole numbers.

        Returns
        -------
        pandas.DataFrame
            One row for each check: statistic, threshold, passed, meaning.
        """
        part = self.parts[0]
        values, exposure = part.bins.counts, part.bins.exposure
        below, at = np.empty(len(values)), np.empty(len(values))
        size = float(part.grid.size[np.argmax(part.weights.max(axis=1))])
        shift = self._log_factors[part.bins.position]
        for t, (first, second, third, share) in enumerate(filtered(part)):
            if self.severe:  # a toll of 3 stands for everything from 2.5 to 3.5
                shape, toll = size + 0.5 * first, math.exp(values[t] + shift[t])
                scale = np.sqrt(third * (first + 1) / (shape * first))
                ends = [
                    (math.log(edge) - shift[t] - second) / scale
                    if edge > 0.5
                    else np.full(shape.size, -np.inf)
                    for edge in (toll - 0.5, toll + 0.5)
                ]
                below[t], at[t] = (float(share @ stdtr(2 * shape, end)) for end in ends)
            else:
                day = 0.0 if self.timed else math.exp(shift[t])
                waits = (max(exposure[t] - day, 0.0), exposure[t])
                below[t], at[t] = (
                    1 - float(share @ (second / (second + wait)) ** first) for wait in waits
                )
        if not self.severe:
            below, at = below[values > 0], at[values > 0]  # the last stretch is not over
        return check_table(residual_checks(pit_residuals(below, at, resolve(rng).generator)))

    @cached_property
    def posterior(self) -> xr.DataTree:
        """A thousand joint draws with log-likelihood and data, as ArviZ expects them.

        Variables ``n_changes``, ``rate_first``, ``rate_last`` (events per day, or means of log deaths).
        """
        part = self.parts[0]
        draws, bins = 250 * CHAINS, part.bins
        found = sample(part, draws, np.random.default_rng(0))
        opening = np.flatnonzero(np.append(True, found.draw[1:] != found.draw[:-1]))
        closing = np.append(opening[1:], found.draw.size) - 1
        rate = np.repeat(found.rate, found.end - found.start).reshape(draws, len(bins))
        parameters = {
            "n_changes": (closing - opening).astype(float),
            "rate_first": found.rate[opening],
            "rate_last": found.rate[closing],
        }
        shift = self._log_factors[bins.position]
        likelihood = (
            None if self.severe else bins.counts * (np.log(rate) + shift) - rate * bins.exposure
        )
        values = np.rint(np.exp(bins.counts + shift)) if self.severe else bins.counts
        return assemble(
            {key: value.reshape(CHAINS, -1) for key, value in parameters.items()},
            pd.Series(values, index=self._index[bins.position]),
            log_likelihood=None
            if likelihood is None
            else likelihood.reshape(CHAINS, -1, len(bins)),
            attributes={"model": repr(self.model), "method": "exact"},
        )

    def describe(self) -> str:
        """Say in a few sentences what was found, "no change" included.

        Returns
        -------
        str
            For a reader who is no statistician.
        """
        if not self.severe:
            return super().describe()
        table, none = self.segments, float(self.n_changes.iloc[0])
        k, chance = table.attrs["n_changes"], table.attrs["p_n_changes"]

        def toll(row: int) -> str:
            r = table.iloc[row]
            return f"{number(r['deaths'])} ({interval(r['deaths_low'], r['deaths_high'])})"

        who = counted(len(self.events), "deadly attack")
        if k == 0:
            text = [
                f"The {who} show no clear change in how deadly they are: {percent(none)} that there was none.",
                f"Typically {toll(0)} were killed (geometric mean, 90 % interval).",
            ]
        else:
            text = [
                f"How deadly the {who} were changed: {percent(1 - none)} that it did.",
                f"The most probable number of changes is {k} ({percent(chance)}); then, with 90 % intervals:",
                f"the typical toll (geometric mean) was {toll(0)} at first;",
                *told(table, "deaths", toll),
            ]
        return " ".join([*text, *self.notes])

    def __repr__(self) -> str:
        k = int(self.n_changes.to_numpy().argmax())
        what = "deadly attacks" if self.severe else "stretches between attacks"
        return (
            f"EventChangepointsFit({self.model.observation}: {counted(k, 'change')} most probable "
            f"({percent(float(self.n_changes.iloc[k]))}), {len(self.events)} {what})"
        )

    # ------------------------------------------------------------------ inside

    @property
    def _index(self) -> pd.DatetimeIndex:
        return pd.DatetimeIndex(self.events["start"])

    @property
    def _step_days(self) -> Floats:
        return np.ones(len(self.events))

    @property
    def _log_factors(self) -> Floats:
        """What covariates add to the log rate at the end of each stretch, or to the log deaths."""
        if self.effects is None:
            return np.zeros(len(self.events))
        return self.events["log_factor"].to_numpy(dtype=float)

    def _as_deaths(self, table: pd.DataFrame) -> pd.DataFrame:
        rates = ["rate", "rate_low", "rate_high"]
        # The stubs take a ufunc of a frame for an array.
        tolls = cast("pd.DataFrame", np.exp(table[rates]))
        tolls = tolls.rename(columns=lambda name: name.replace("rate", "deaths"))
        kept = ["start", "start_low", "start_high"]
        out = pd.concat([table[kept], tolls, table[["probability"]]], axis=1)
        out.attrs = table.attrs
        return out


def fit_gaps(
    model: Changepoints, data: Incidents | pd.Series, covariates: pd.DataFrame | None = None
) -> EventChangepointsFit:
    """Fit changepoints to the gaps between attacks; see ``Changepoints.fit``."""
    if not isinstance(data, Incidents):
        raise DataError(
            f"got {type(data).__name__}; gaps between attacks need Incidents, whose window says when watching began "
            "and ended. For counts use observation='poisson'."
        )
    table, timed = gap_table(data)
    bins = replace(_bins(table), gaps=True)
    if model.rate_prior is not None:
        shape, rate = (np.array([value]) for value in model.rate_prior)
        log_prior = np.zeros(1)
    else:
        shape, rate, log_prior = learned_rates(
            float((bins.counts.sum() + 0.5) / (bins.exposure.sum() + 0.5))
        )
    grid = Grid(GAMMA, shape, rate, np.ones(shape.size), log_prior, np.ones(1), np.zeros(1))
    daily = data.counts("1D")
    grid = _placed(model, bins, grid, "stretches")
    terms = formula_of(model.season, model.formula)
    if terms is None:
        return _fitted(model, bins, grid, table, daily, [], timed=timed)
    seen = daily.exposure.to_numpy(dtype=float) > 0
    design, matrix = Design.of(terms, daily.bin_starts, seen, covariates)
    carrier = _stretched(bins, data.window, table, matrix)
    found = fit_covariates(carrier, grid, design, matrix)
    table = table.assign(log_factor=found.effects.log_factors[carrier.last])
    bins = carrier.bins(found.effects.mode)
    return _fitted(
        model, bins, grid, table, daily, list(found.notes), timed=timed, effects=found.effects
    )


def _stretched(bins: Bins, window: Window, table: pd.DataFrame, matrix: Floats) -> Stretched:
    """Cut the stretches at midnight, so that each piece has the covariates of its day."""
    starts = pd.DatetimeIndex(table["start"])
    days = pd.date_range(window.start.normalize(), periods=len(matrix), freq="1D", unit="us")
    edges = starts.append(pd.DatetimeIndex([window.end])).union(days[days >= starts[0]])
    edges = pd.DatetimeIndex(edges[edges <= window.end]).as_unit("us")
    opens, closes = edges[:-1], edges[1:]
    length = window.exposure(opens, closes) * np.asarray((closes - opens) / DAY, dtype=float)
    stretch = np.searchsorted(starts.as_unit("us").asi8, opens.asi8, side="right") - 1
    day = np.searchsorted(days.asi8, opens.asi8, side="right") - 1
    last = day[np.append(np.flatnonzero(np.diff(stretch)), len(stretch) - 1)]
    # Stretches of no observed time are no bins.
    row = np.full(len(table), -1)
    row[bins.position] = np.arange(len(bins))
    used = row[stretch] >= 0
    return Stretched(bins, matrix, row[stretch][used], day[used], length[used], last[bins.position])


def fit_severity(
    model: Changepoints, data: Incidents | pd.Series, covariates: pd.DataFrame | None = None
) -> EventChangepointsFit:
    """Fit changepoints to the log deaths of deadly attacks; see ``Changepoints.fit``."""
    table, notes = severity_table(data)
    days = pd.DatetimeIndex(table["start"]).normalize()
    index = pd.date_range(days[0], days[-1], freq="1D", unit="us")
    per_day = days.value_counts().reindex(index, fill_value=0).to_numpy()
    isin = isinstance(data, Incidents)
    base = Counts.build(
        per_day,
        index,
        np.ones(len(index)),
        freq="1D",
        window=None,
        label="deadly attacks",
        rule=data.rule if isin else "",
        source=data.source if isin else "",
    )
    logs = table["value"].to_numpy()
    spread = max(float(logs.std()), _LEAST_SPREAD)
    if model.rate_prior is not None:
        raise OptionError(
            "rate_prior is the Gamma prior of a rate; severity has none. Leave it out: weight, spread and centre of "
            "log deaths are averaged over a grid."
        )
    # Regimes differ by 2, 1 or 1/2 sd of the tolls within one; that sd is known roughly, or well.
    weight, shape, within = (
        part.ravel()
        for part in np.meshgrid([0.25, 1.0, 4.0], [1.5, 6.0], [0.5, 1.0], indexing="ij")
    )
    grid = Grid(
        NORMAL,
        weight,
        np.full(weight.size, float(logs.mean())),
        shape - 0.5 * weight,
        np.full(weight.size, -math.log(weight.size)),
        np.ones(1),
        np.zeros(1),
        third=shape * within * spread**2,
    )
    bins = _bins(table)
    grid = _placed(model, bins, grid, "deadly attacks")
    terms = formula_of(model.season, model.formula)
    if terms is None:
        return _fitted(model, bins, grid, table, base, notes, timed=False)
    design, matrix = Design.of(terms, days, np.ones(len(days), dtype=bool), covariates)
    carrier = Added(bins, matrix)
    found = fit_covariates(carrier, grid, design, matrix)
    table = table.assign(log_factor=found.effects.log_factors)
    notes = [*notes, *found.notes]
    bins = carrier.bins(found.effects.mode)
    return _fitted(model, bins, grid, table, base, notes, timed=False, effects=found.effects)


def _bins(table: pd.DataFrame) -> Bins:
    return Bins.of(table["value"].to_numpy(), table["exposure"].to_numpy())


def _fitted(
    model: Changepoints,
    bins: Bins,
    grid: Grid,
    table: pd.DataFrame,
    base: Counts,
    notes: list[str],
    *,
    timed: bool,
    effects: Covariates | None = None,
) -> EventChangepointsFit:
    events = int(np.sum(table["value"] > 0)) if bins.gaps else len(table)
    if events < FEW_EVENTS:
        text = (
            f"only {counted(events, 'gap' if bins.gaps else 'deadly attack')} could be used; with fewer than "
            f"{FEW_EVENTS} the answer rests mostly on the prior."
        )
        warnings.warn(FewEventsWarning(text), stacklevel=4)
        notes = [*notes, text[0].upper() + text[1:]]
    return EventChangepointsFit(
        model=model,
        parts=(solve(bins, grid),),
        base=base,
        notes=tuple(notes),
        effects=effects,
        events=table,
        timed=timed,
    )


def _placed(model: Changepoints, bins: Bins, grid: Grid, unit: str) -> Grid:
    """Complete a grid by how probable a change is, and how far apart changes are."""
    places = float(bins.places[1:].sum())
    grid = replace(grid, shortest=int(model.min_length))
    model.check_room(bins, unit)
    if model.n_changes is not None:
        odds = np.array([max(model.n_changes, 0.5) / max(places - model.n_changes, 1.0)])
        return replace(grid, odds=odds, n_changes=model.n_changes)
    if model.hazard is not None:
        return replace(grid, odds=np.array([model.hazard / (1 - model.hazard)]))
    odds, log_odds_prior = learned_odds(places, 0, _NODES)
    return replace(grid, odds=odds, log_odds_prior=log_odds_prior)
