"""From incidents with a time of day, and what is known beside them, to the engine of a Hawkes model of their times."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.counts import as_counts
from tempo.data.incidents import Incidents
from tempo.data.window import DAY, DateLike
from tempo.errors import DataError, OptionError
from tempo.models import hawkes_shapes as shapes
from tempo.models.hawkes_continuous_ages import NODES_PER_DECADE, age_grid
from tempo.models.hawkes_continuous_engine import TimedEngine, TimedRealisation
from tempo.models.hawkes_continuous_layout import TimedLayout
from tempo.models.hawkes_general_data import LONGEST_LEAD, days_ahead, marks_of
from tempo.models.hawkes_general_engine import Future
from tempo.models.hawkes_terms import BaselineTerms
from tempo.models.hawkes_timestamps import TimestampEngine

if TYPE_CHECKING:
    from tempo.models.hawkes import Hawkes

__all__ = ["blank_timed_engine", "obstacle", "timed_engine"]

type Floats = NDArray[np.float64]

MOST_NUMBERS = 40_000_000  # of a grid of ages: 320 MB
SHORTEST_DAYS, COARSEST_DAYS = 1e-6, 1e-2  # of the first node of a grid of ages


def obstacle(
    model: Hawkes,
    data: Sequence[Any],
    inputs: Sequence[Mapping[str, Any] | None],
    history: Sequence[Any],
) -> str:
    """Say what stands against continuous time, or nothing.

    Parameters
    ----------
    model : Hawkes
        The specification.
    data : sequence
        One for each series.
    inputs, history : sequence
        What is known beside each.

    Returns
    -------
    str
        Empty if nothing does.
    """
    if model.observation != "poisson":
        return f"observation={model.observation!r} is for counts in bins"
    for item in data:
        if not isinstance(item, Incidents):
            return "counts were given"
        found = TimestampEngine.obstacle(item)
        if found and (len(item) or item.window.gaps or model.time == "auto"):
            return found
    beside = [("the history", item) for item in history if item is not None]
    for given in inputs:
        beside += [(f"the input {name!r}", item) for name, item in (given or {}).items()]
    for what, item in beside:
        if not isinstance(item, Incidents):
            return f"{what} is given as counts"
        untimed = int((item.table["date_precision"] != "time").sum())
        if untimed:
            return f"{untimed} of {len(item)} events of {what} have no time of day"
        if item.window.gaps:
            return f"the window of {what} has gaps"
    if shapes.KINDS[model.kernel] > shapes.SUM_EXPONENTIAL:
        numbers = _numbers(model, data)
        if numbers > MOST_NUMBERS:
            return (
                f"kernel={model.kernel!r} would keep {numbers:,} numbers for {sum(map(len, data)):,} incidents, more "
                f"than {MOST_NUMBERS:,} (an exponential kernel or a sum of them keeps none, and a mark of fewer "
                "values fewer)"
            )
    return ""


def _numbers(model: Hawkes, data: Sequence[Incidents]) -> int:
    levels = len(model.lag_edges)
    if model.kernel != "histogram":
        levels = NODES_PER_DECADE * math.ceil(math.log10(model.longest_lag_days / SHORTEST_DAYS))
    classes = 1
    if model.mark is not None:
        every = [item.table[model.mark] for item in data if model.mark in item.table.columns]
        classes += pd.concat(every).nunique() if every else 0
    return levels * classes * sum(map(len, data))


def timed_layout(
    model: Hawkes,
    terms: BaselineTerms,
    inputs: tuple[str, ...],
    gaps_days: Floats,
    youngest_days: float,
) -> TimedLayout:
    """Give the parameters of a model of times.

    Parameters
    ----------
    model : Hawkes
        The specification.
    terms : BaselineTerms
        Its baseline.
    inputs : tuple of str
        Names of exciting inputs.
    gaps_days : ndarray
        Between successive attacks; they say how short a memory could be told.
    youngest_days : float
        Smallest age of any event at an attack that it may have excited; the grid of ages begins below.

    Returns
    -------
    TimedLayout
        Names, order, priors, bounds and the grid of ages.
    """
    kind = shapes.KINDS[model.kernel]
    parts = {shapes.SUM_EXPONENTIAL: model.components, shapes.HISTOGRAM: len(model.lag_edges) - 1}
    gaps = gaps_days[gaps_days > 0]
    resolution = float(np.clip(np.quantile(gaps, 0.02), SHORTEST_DAYS, 1.0)) if len(gaps) else 1.0
    edges: tuple[float, ...] = ()
    nodes = np.empty(0)
    if kind in {shapes.POWER, shapes.GAMMA}:
        shortest = float(np.clip(0.5 * youngest_days, SHORTEST_DAYS, COARSEST_DAYS))
        nodes = age_grid(shortest, float(model.longest_lag_days))
    elif kind == shapes.HISTOGRAM:
        edges = tuple(float(edge - model.lag_edges[0]) for edge in model.lag_edges)
        nodes = np.array(edges)
    return TimedLayout(
        kind=kind,
        parts=parts.get(kind, 1),
        edges=edges,
        lags=0,
        delay=0,
        columns=terms.columns,
        scales=terms.scales,
        inputs=inputs,
        own_shapes=model.input_kernel == "own",
        marked=model.mark is not None,
        observation=model.observation,
        width=1.0,
        delay_days=float(model.delay_days),
        nodes=nodes,
        resolution_days=resolution,
    )


def timed_engine(
    model: Hawkes,
    data: Sequence[Incidents],
    *,
    covariates: Sequence[pd.DataFrame | None],
    inputs: Sequence[Mapping[str, Incidents] | None],
    history: Sequence[Incidents | None],
) -> tuple[TimedEngine, list[str]]:
    """Lay out the data of a fit that has no obstacle.

    Parameters
    ----------
    model : Hawkes
        The specification.
    data : sequence of Incidents
        One for each realisation.
    covariates, inputs, history : sequence
        What is known beside each.

    Returns
    -------
    engine : TimedEngine
        The data and what their parameters mean.
    notes : list of str
        What was done.
    """
    names = tuple((inputs[0] or {}).keys())
    if any(tuple((given or {}).keys()) != names for given in inputs):
        raise OptionError("every series must be given the same inputs, in the same order.")
    counts = [item.counts("1D") for item in data]
    terms, columns = BaselineTerms.learn(
        model.baseline,
        model.baseline_steps,
        [found.bin_starts for found in counts],
        1.0,
        list(covariates),
    )
    series = [
        _realisation(model, item, inputs[k] or {}, history[k], columns[k])
        for k, item in enumerate(data)
    ]
    gaps = np.concatenate([np.diff(part.times) for part in series])
    youngest = min((_youngest(part, model.delay_days) for part in series), default=math.inf)
    layout = timed_layout(model, terms, names, gaps, youngest)
    engine = TimedEngine(tuple(series), layout, terms, model.prior)
    return engine, _notes(model, engine)


def blank_timed_engine(
    model: Hawkes,
    n_days: int,
    start: DateLike,
    covariates: pd.DataFrame | None,
    inputs: Mapping[str, pd.Series] | None,
) -> TimedEngine:
    """Give an engine that stands before the first day, to simulate from parameters or from the prior.

    Parameters
    ----------
    model : Hawkes
        The specification.
    n_days : int
        Days to come.
    start : date
        The first of them.
    covariates, inputs
        What is known of them.

    Returns
    -------
    TimedEngine
        Its past is one day without attacks.
    """
    index, terms, columns = days_ahead(model, n_days, start, covariates)
    names = tuple(inputs or {})
    nothing = np.empty(0)
    part = TimedRealisation(
        counts=as_counts(pd.Series([0], index=index[:1] - DAY), "1D"),
        history=nothing,
        inputs=np.zeros((len(names), 1)),
        mark_bins=np.empty(0, dtype=np.int64),
        mark_values=nothing,
        columns=np.zeros((1, columns.shape[1])),
        times=nothing,
        sources=(nothing,) * (1 + len(names)),
        marks=nothing,
    )
    layout = timed_layout(model, terms, names, np.array([2e-4]), 2e-4)
    return TimedEngine(
        (part,), layout, terms, model.prior, future=Future(covariates, dict(inputs or {}))
    )


def _realisation(
    model: Hawkes,
    data: Incidents,
    inputs: Mapping[str, Incidents],
    history: Incidents | None,
    columns: Floats,
) -> TimedRealisation:
    start, span = data.window.start, data.window.length_days
    times, marks = _times(model, data, start)
    # Midnight of the first day is inside the half-open window but would be time zero, which is history.
    times[:1] = np.maximum(times[:1], 1e-9)
    early, early_marks = np.empty(0), np.empty(0)
    if history is not None:
        if history.window.end < start:
            raise DataError(
                f"the history ends on {history.window.end:%Y-%m-%d}, and the data begin on {start:%Y-%m-%d}. A history "
                "must reach the first day."
            )
        early, early_marks = _times(model, history, start)
        before = early < 0
        early, early_marks = early[before], early_marks[before]
    tables, rows = [], []
    for name, given in inputs.items():
        if given.window.start > start or given.window.end < data.window.end:
            raise DataError(
                f"the input {name!r} was watched from {given.window.start:%Y-%m-%d} to {given.window.end:%Y-%m-%d}. It "
                f"must cover the data, from {start:%Y-%m-%d} to {data.window.end:%Y-%m-%d}."
            )
        days = ((given.table["date_start"] - start) / DAY).to_numpy(dtype=np.float64)
        events = np.asarray(np.sort(days), dtype=np.float64)
        events = events[(events < span) & (events > -LONGEST_LEAD)]
        tables.append(events)
        rows.append(np.bincount(np.maximum(events, 0).astype(np.int64), minlength=round(span)))
    every = np.concatenate([early_marks, marks])
    known = every[np.isfinite(every)]
    return TimedRealisation(
        counts=data.counts("1D"),
        history=np.empty(0),
        inputs=np.array(rows, dtype=float).reshape(len(rows), round(span)),
        mark_bins=np.zeros(len(known), dtype=np.int64),
        mark_values=known,
        columns=columns,
        times=times,
        sources=(np.concatenate([early, times]), *tables),
        marks=every,
    )


def _youngest(part: TimedRealisation, delay: float) -> float:
    """Give the smallest positive age, the delay taken off, of any source at any attack."""
    found = math.inf
    for source in part.sources:
        if len(source):
            latest = np.searchsorted(source + delay, part.times) - 1
            ages = (part.times - delay - source[latest])[latest >= 0]
            found = min(found, float(ages[ages > 0].min(initial=math.inf)))
    return found


def _times(model: Hawkes, data: Incidents, start: pd.Timestamp) -> tuple[Floats, Floats]:
    """Give times in days from ``start``, rising, and ``log(1 + mark)`` of each, NaN where it is unknown."""
    times = np.asarray((data.table["date_start"] - start) / DAY, dtype=np.float64)
    order = np.argsort(times, kind="stable")
    marks = np.full(len(times), math.nan) if model.mark is None else marks_of(model.mark, data)
    ordered: Floats = times[order]
    return ordered, np.log1p(marks[order])


def _notes(model: Hawkes, engine: TimedEngine) -> list[str]:
    notes = []
    layout = engine.plan
    if layout.smooth:
        notes.append(
            f"The kernel ends after {layout.nodes[-1]:g} days; ages below {24 * 3600 * layout.nodes[0]:.2g} seconds "
            "share their mean density."
        )
    if layout.kind == shapes.HISTOGRAM and layout.parts > 1:
        notes.append(
            "The levels of the histogram kernel are smoothed by their prior, under maximum likelihood too."
        )
    if layout.columns:
        notes.append("The baseline is constant within a day.")
    if layout.inputs:
        notes.append(
            f"Inputs ({', '.join(layout.inputs)}) can only excite; what calms, such as a truce, belongs to the "
            "baseline as a covariate."
        )
    if layout.marked:
        attacks = sum(len(part.sources[0]) for part in engine.series)
        known = sum(len(part.mark_values) for part in engine.series)
        if not known:
            raise DataError(f"no incident has a known {model.mark!r}; fit without mark=.")
        notes.append(
            f"The mark {model.mark!r} is known for {known} of {attacks} attacks; others count with the mean weight. "
            "Forecasts draw marks from those seen."
        )
    if len(engine.series) > 1:
        notes.append(
            f"{len(engine.series)} series were fitted with shared parameters; tables and forecasts are of the first, "
            "of others by fit.of(i)."
        )
    return notes
