"""From incidents, covariates, inputs, history and marks to the engines of a general Hawkes model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.counts import Counts, as_counts
from tempo.data.incidents import Incidents
from tempo.data.window import DAY, DateLike, as_date
from tempo.errors import DataError, OptionError
from tempo.models import hawkes_shapes as shapes
from tempo.models.hawkes_general_engine import Future, GeneralEngine, Realisation
from tempo.models.hawkes_layout import Layout
from tempo.models.hawkes_terms import BaselineTerms
from tempo.models.inputs import imputed_series

if TYPE_CHECKING:
    from tempo.models.hawkes import Hawkes

__all__ = ["blank_engine", "days_ahead", "general_engines", "layout_of", "marks_of"]

type Floats = NDArray[np.float64]
type Data = Incidents | pd.Series

LONGEST_LEAD = (
    3_650  # bins of an input before the data; older ones excite nothing that could be told
)


def layout_of(model: Hawkes, terms: BaselineTerms, inputs: tuple[str, ...], width: float) -> Layout:
    """Give the parameters of a model on bins of a given width.

    Parameters
    ----------
    model : Hawkes
        The specification.
    terms : BaselineTerms
        Its baseline.
    inputs : tuple of str
        Names of exciting inputs.
    width : float
        Days in a bin.

    Returns
    -------
    Layout
        Names, order, priors and bounds.
    """
    kind = shapes.KINDS[model.kernel]
    delay = model.delay_days / width
    if abs(delay - round(delay)) > 0.1:
        raise OptionError(
            f"delay_days is {model.delay_days:g}, which is {delay:.2g} bins of {width:g} days; in bins a delay is a "
            "whole number of them."
        )
    parts = {shapes.SUM_EXPONENTIAL: model.components, shapes.HISTOGRAM: len(model.lag_edges) - 1}
    lags = 1 if kind <= shapes.SUM_EXPONENTIAL else math.ceil(model.longest_lag_days / width)
    edges: tuple[float, ...] = ()
    if kind == shapes.HISTOGRAM:
        edges = tuple(model.lag_edges)
        lags = int(edges[-1]) - 1
    return Layout(
        kind,
        parts.get(kind, 1),
        edges,
        lags,
        round(delay),
        terms.columns,
        terms.scales,
        inputs,
        model.input_kernel == "own",
        model.mark is not None,
        model.observation,
        width,
    )


def general_engines(
    model: Hawkes,
    data: Sequence[Data],
    *,
    covariates: Sequence[pd.DataFrame | None],
    inputs: Sequence[Mapping[str, Data] | None],
    history: Sequence[Data | None],
    imputations: int,
    rng: np.random.Generator,
) -> tuple[list[GeneralEngine], list[str]]:
    """Lay out the data of a fit, once for each draw of uncertain dates.

    Parameters
    ----------
    model : Hawkes
        The specification.
    data : sequence of Incidents or Series
        One for each realisation.
    covariates, inputs, history : sequence
        What is known beside each.
    imputations : int
        How many draws of uncertain dates.
    rng : numpy.random.Generator
        Draws them.

    Returns
    -------
    engines : list of GeneralEngine
        One for each draw.
    notes : list of str
        What was done.
    """
    series: list[list[_Drawn]] = []
    notes: list[str] = []
    for item in data:
        found, said = _drawn(item, model.mark, imputations, rng)
        series.append(found)
        notes += said
    first = [found[0].counts for found in series]
    widths = {round(float(np.mean(counts.bin_days)), 6) for counts in first}
    if len(widths) > 1:
        raise DataError(
            f"the series have bins of {sorted(widths)} days; series that share their parameters share the length of "
            "their bins."
        )
    width = float(np.mean(first[0].bin_days))
    names = tuple((inputs[0] or {}).keys())
    if any(tuple((given or {}).keys()) != names for given in inputs):
        raise OptionError("every series must be given the same inputs, in the same order.")
    terms, columns = BaselineTerms.learn(
        model.baseline,
        model.baseline_steps,
        [counts.bin_starts for counts in first],
        width,
        list(covariates),
    )
    layout = layout_of(model, terms, names, width)
    beside = []
    for counts, past, given in zip(first, history, inputs, strict=True):
        before, said = _history(past, counts, model.mark, imputations, rng)
        notes += said
        tables = {}
        for name, events in (given or {}).items():
            tables[name], said = imputed_series(events, imputations, rng)
            notes += [f"Input {name!r}: {text}" for text in said]
        beside.append((before, tables))
    n = max(
        [
            *(len(found) for found in series),
            *(len(before) for before, _ in beside),
            *(len(table) for _, tables in beside for table in tables.values()),
        ]
    )
    engines = []
    for i in range(n):
        parts = [
            _realisation(
                found[i % len(found)],
                before[i % len(before)] if before else None,
                {name: table[i % len(table)] for name, table in tables.items()},
                columns[k],
            )
            for k, (found, (before, tables)) in enumerate(zip(series, beside, strict=True))
        ]
        engines.append(GeneralEngine(tuple(parts), layout, terms, model.prior))
    if model.mark and not all(any(len(p.mark_values) for p in e.realisations) for e in engines):
        raise DataError(
            f"no incident within the data has a known {model.mark!r}; fit without mark=."
        )
    return engines, [*notes, *_notes(model, engines[0])]


def marks_of(mark: str, data: Data) -> Floats:
    """Give the mark of each incident, as the column has it.

    Parameters
    ----------
    mark : str
        Column of the incidents.
    data : Incidents
        Counts are refused: they have none.

    Returns
    -------
    ndarray, shape (n,)
        NaN where it is unknown.

    Raises
    ------
    OptionError
        If there is no such column.
    DataError
        If a value is no number of 0 or more.
    """
    if not isinstance(data, Incidents):
        raise OptionError(
            f"mark={mark!r} needs the mark of each incident, and counts have none. Pass Incidents."
        )
    if mark not in data.table.columns:
        raise OptionError(f"the incidents have no column {mark!r} to be the mark.")
    column = data.table[mark]
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    wrong = (np.isnan(values) & column.notna().to_numpy()) | (values < 0) | np.isinf(values)
    if wrong.any():
        first = ", ".join(f"row {row}: {value!r}" for row, value in column[wrong].head(5).items())
        raise DataError(
            f"{int(wrong.sum())} values of the mark {mark!r} are not numbers of 0 or more (first: {first}). A mark is "
            "a size, such as 'killed' or 'munitions'; blank means unknown."
        )
    return values


def days_ahead(
    model: Hawkes, n_days: int, start: DateLike, covariates: pd.DataFrame | None
) -> tuple[pd.DatetimeIndex, BaselineTerms, Floats]:
    """Learn the baseline of days to come, from nothing but what is known of them.

    Parameters
    ----------
    model : Hawkes
        The specification.
    n_days : int
        How many.
    start : date
        The first of them.
    covariates : DataFrame or None
        What is known of them.

    Returns
    -------
    index : DatetimeIndex
        The days.
    terms : BaselineTerms
        The recipe of the baseline.
    columns : ndarray, shape (n_days, q)
        Its columns.

    Raises
    ------
    OptionError
        If the model has marks, whose distribution it does not hold.
    """
    if model.mark is not None:
        raise OptionError(
            f"mark={model.mark!r}: how marks are spread is not part of the model, so that it cannot be simulated from "
            "parameters alone. Fit it first; fit.simulate draws marks from those seen."
        )
    index = pd.date_range(as_date(start), periods=n_days, freq="1D")
    terms, columns = BaselineTerms.learn(
        model.baseline, model.baseline_steps, [index], 1.0, [covariates]
    )
    return index, terms, columns[0]


def blank_engine(
    model: Hawkes,
    n_bins: int,
    start: DateLike,
    covariates: pd.DataFrame | None,
    inputs: Mapping[str, pd.Series] | None,
) -> GeneralEngine:
    """Give an engine that stands before the first day, to simulate from parameters or from the prior.

    Parameters
    ----------
    model : Hawkes
        The specification.
    n_bins : int
        Days to come.
    start : date
        The first of them.
    covariates, inputs
        What is known of them.

    Returns
    -------
    GeneralEngine
        Its past is one day without attacks.
    """
    index, terms, columns = days_ahead(model, n_bins, start, covariates)
    names = tuple(inputs or {})
    layout = layout_of(model, terms, names, 1.0)
    before = as_counts(pd.Series([0], index=index[:1] - pd.Timedelta("1D")), "1D")
    past = Realisation(
        before,
        np.empty(0),
        np.zeros((len(names), 1)),
        np.empty(0, dtype=np.int64),
        np.empty(0),
        np.zeros((1, columns.shape[1])),
    )
    return GeneralEngine(
        (past,), layout, terms, model.prior, future=Future(covariates, dict(inputs or {}))
    )


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Counts, and the bin and ``log(1 + mark)`` of each counted attack whose mark is known, on the same drawn days."""

    counts: Counts
    mark_bins: NDArray[np.int64]
    mark_values: Floats


def _drawn(
    data: Data, mark: str | None, imputations: int, rng: np.random.Generator
) -> tuple[list[_Drawn], list[str]]:
    if mark is None:
        series, notes = imputed_series(data, imputations, rng)
        nothing = (np.empty(0, dtype=np.int64), np.empty(0))
        return [_Drawn(counts, *nothing) for counts in series], notes
    values = marks_of(mark, data)
    assert isinstance(data, Incidents)
    # The same seed twice: a mark lies on the day on which its attack was counted.
    seed = int(rng.integers(2**63))
    series, notes = imputed_series(data, imputations, np.random.default_rng(seed))
    onsets = data.imputed_onsets(len(series), np.random.default_rng(seed))
    found = []
    for counts, onset in zip(series, onsets, strict=True):
        days = np.asarray((onset - counts.bin_starts[0]) // DAY, dtype=np.int64)
        watched = counts.exposure.to_numpy(dtype=float) > 0
        known = (days >= 0) & (days < len(counts)) & np.isfinite(values)
        known[known] = watched[days[known]]
        here: NDArray[np.int64] = days[known].astype(np.int64)
        found.append(_Drawn(counts, here, np.log1p(values[known])))
    return found, notes


def _realisation(
    drawn: _Drawn, before: _Drawn | None, inputs: Mapping[str, Counts], columns: Floats
) -> Realisation:
    counts = drawn.counts
    tables = {name: _input(name, given, counts) for name, given in inputs.items()}
    past = before.counts.to_numpy(dtype=float) if before else np.empty(0)
    lead = max([len(past), *(len(table[0]) for table in tables.values())])
    rows = [
        np.concatenate([np.zeros(lead - len(early)), early, within])
        for early, within in tables.values()
    ]
    bins, marks = drawn.mark_bins + lead, drawn.mark_values
    if before:
        bins = np.concatenate([before.mark_bins + lead - len(past), bins])
        marks = np.concatenate([before.mark_values, marks])
    return Realisation(
        counts,
        np.concatenate([np.zeros(lead - len(past)), past]),
        np.array(rows).reshape(len(rows), lead + len(counts)),
        bins,
        marks,
        columns,
    )


def _history(
    history: Data | None,
    counts: Counts,
    mark: str | None,
    imputations: int,
    rng: np.random.Generator,
) -> tuple[list[_Drawn], list[str]]:
    """Give the attacks before the data, once for each draw of their dates; nothing where there are none."""
    if history is None:
        return [], []
    start = counts.bin_starts[0]
    past: Data = history
    if isinstance(history, Incidents):
        if history.window.end > start:
            past = history.between(history.window.start, start)
    else:
        past = as_counts(history).before(start)
    # A history of plain counts may stand beside marked incidents: its attacks have the mean weight.
    found, notes = _drawn(past, mark if isinstance(past, Incidents) else None, imputations, rng)
    before = found[0].counts
    if before.end != start or not np.allclose(before.bin_days.mean(), counts.bin_days.mean()):
        raise DataError(
            f"the history ends on {before.end:%Y-%m-%d} in bins of {before.bin_days.mean():g} days, and the data begin "
            f"on {start:%Y-%m-%d} in bins of {counts.bin_days.mean():g} days. A history must reach the first bin, in "
            "bins of the same length."
        )
    if not before.is_complete:
        first = before.index[before.isna()][0]
        raise DataError(
            f"the history has bins that nobody watched (first: {first:%Y-%m-%d}). Begin it after the last of them, or "
            "make it part of the data, where gaps are modelled."
        )
    return found, [f"History: {text}" for text in notes]


def _input(name: str, table: Counts, counts: Counts) -> tuple[Floats, Floats]:
    """Give events of an input before and within the bins of the data."""
    if not len(table):
        raise DataError(f"the input {name!r} is empty; it must cover every bin of the data.")
    values = pd.Series(table.to_numpy(dtype=float), index=table.bin_starts)
    within = values.reindex(counts.bin_starts)
    missing = within.isna().to_numpy()
    if missing.any():
        first = ", ".join(f"{date:%Y-%m-%d}" for date in counts.bin_starts[missing][:5])
        raise DataError(
            f"the input {name!r} is unknown on {int(missing.sum())} of {len(counts)} bins (first: {first}). It must "
            "cover every bin: where nothing happened, say 0."
        )
    early = values[values.index < counts.bin_starts[0]].fillna(0.0).to_numpy()[-LONGEST_LEAD:]
    return early, within.to_numpy()


def _notes(model: Hawkes, engine: GeneralEngine) -> list[str]:
    notes = []
    layout = engine.layout
    if layout.kind in {shapes.POWER, shapes.GAMMA}:
        notes.append(f"The kernel ends after {layout.lags} bins.")
    if layout.kind == shapes.HISTOGRAM and layout.parts > 1:
        notes.append(
            "The levels of the histogram kernel are smoothed by their prior, under maximum likelihood too."
        )
    if layout.inputs:
        notes.append(
            f"Inputs ({', '.join(layout.inputs)}) can only excite; what calms, such as a truce, belongs to the "
            "baseline as a covariate."
        )
    if layout.marked:
        attacks = sum(part.counts.events + int(part.history.sum()) for part in engine.realisations)
        known = sum(len(part.mark_values) for part in engine.realisations)
        notes.append(
            f"The mark {model.mark!r} is known for {known} of {attacks} attacks; others count with the mean weight. "
            "Forecasts draw marks from those seen."
        )
    if len(engine.realisations) > 1:
        notes.append(
            f"{len(engine.realisations)} series were fitted with shared parameters; tables and forecasts are of the "
            "first, of others by fit.of(i)."
        )
    return notes
