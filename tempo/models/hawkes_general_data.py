"""From incidents, covariates, inputs, history and marks to the engines of a general Hawkes model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

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

__all__ = ["blank_engine", "general_engines", "layout_of"]

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
    parts = {shapes.SUM_EXPONENTIAL: model.components, shapes.HISTOGRAM: len(model.lag_edges) - 1}
    lags = 1 if kind <= shapes.SUM_EXPONENTIAL else math.ceil(model.longest_lag_days / width)
    edges: tuple[int, ...] = ()
    if kind == shapes.HISTOGRAM:
        edges = tuple(model.lag_edges)
        lags = edges[-1] - 1
    return Layout(
        kind,
        parts.get(kind, 1),
        edges,
        lags,
        round(model.delay_days / width),
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
    series, notes = [], []
    for item in data:
        found, said = imputed_series(item, imputations, rng)
        series.append(found)
        notes += said
    widths = {round(float(np.mean(found[0].bin_days)), 6) for found in series}
    if len(widths) > 1:
        raise DataError(
            f"the series have bins of {sorted(widths)} days; series that share their parameters share the length of "
            "their bins."
        )
    width = float(np.mean(series[0][0].bin_days))
    names = tuple((inputs[0] or {}).keys())
    if any(tuple((given or {}).keys()) != names for given in inputs):
        raise OptionError("every series must be given the same inputs, in the same order.")
    starts = [found[0].bin_starts for found in series]
    terms, columns = BaselineTerms.learn(
        model.baseline, model.baseline_steps, starts, width, list(covariates)
    )
    layout = layout_of(model, terms, names, width)
    engines = []
    for i in range(max(len(found) for found in series)):
        parts = [
            _realisation(
                model, item, found[i % len(found)], columns[k], inputs[k] or {}, history[k]
            )
            for k, (item, found) in enumerate(zip(data, series, strict=True))
        ]
        engines.append(GeneralEngine(tuple(parts), layout, terms, model.prior))
    return engines, [*notes, *_notes(model, engines[0])]


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
    if model.mark is not None:
        raise OptionError(
            f"mark={model.mark!r}: how marks are spread is not part of the model, so that it cannot be simulated from "
            "parameters alone. Fit it first; fit.simulate draws marks from those seen."
        )
    index = pd.date_range(as_date(start), periods=n_bins, freq="1D")
    terms, columns = BaselineTerms.learn(
        model.baseline, model.baseline_steps, [index], 1.0, [covariates]
    )
    names = tuple(inputs or {})
    layout = layout_of(model, terms, names, 1.0)
    before = as_counts(pd.Series([0], index=index[:1] - pd.Timedelta("1D")), "1D")
    past = Realisation(
        before,
        np.empty(0),
        np.zeros((len(names), 1)),
        np.empty(0, dtype=np.int64),
        np.empty(0),
        np.zeros((1, columns[0].shape[1])),
    )
    return GeneralEngine(
        (past,), layout, terms, model.prior, future=Future(covariates, dict(inputs or {}))
    )


def _realisation(
    model: Hawkes,
    data: Data,
    counts: Counts,
    columns: Floats,
    inputs: Mapping[str, Data],
    history: Data | None,
) -> Realisation:
    before, past = _history(history, counts)
    tables = {name: _input(name, given, counts) for name, given in inputs.items()}
    lead = max([len(before), *(len(table[0]) for table in tables.values())])
    rows = [
        np.concatenate([np.zeros(lead - len(early)), early, within])
        for early, within in tables.values()
    ]
    n = lead + len(counts)
    bins = np.empty(0, dtype=np.int64)
    marks = np.empty(0)
    if model.mark is not None:
        bins, marks = _marks(model.mark, data, counts)
        bins = bins + lead
        if isinstance(past, Incidents):
            early_bins, early_marks = _marks(model.mark, past, past.counts("1D"))
            bins = np.concatenate([early_bins + lead - len(before), bins])
            marks = np.concatenate([early_marks, marks])
    return Realisation(
        counts,
        np.concatenate([np.zeros(lead - len(before)), before]),
        np.array(rows).reshape(len(rows), n),
        bins,
        marks,
        columns,
    )


def _history(history: Data | None, counts: Counts) -> tuple[Floats, Data | None]:
    if history is None:
        return np.empty(0), None
    start = counts.bin_starts[0]
    past: Data = history
    if isinstance(history, Incidents):
        if history.window.end > start:
            past = history.between(history.window.start, start)
        before = past.counts("1D") if isinstance(past, Incidents) else as_counts(past)
    else:
        before = as_counts(history).before(start)
        past = before
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
    return before.to_numpy(dtype=float), past


def _input(name: str, given: Any, counts: Counts) -> tuple[Floats, Floats]:
    """Give events of an input before and within the bins of the data."""
    table = given.counts("1D") if isinstance(given, Incidents) else as_counts(given)
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


def _marks(mark: str, data: Data, counts: Counts) -> tuple[NDArray[np.int64], Floats]:
    """Give the bin and ``log(1 + mark)`` of each attack whose mark is known."""
    if not isinstance(data, Incidents):
        raise OptionError(
            f"mark={mark!r} needs the mark of each incident, and counts have none. Pass Incidents."
        )
    if mark not in data.table.columns:
        raise OptionError(f"the incidents have no column {mark!r} to be the mark.")
    if data.n_uncertain("1D"):
        raise OptionError(
            f"{data.n_uncertain('1D')} dates are known only to an interval, and a mark needs its day. Fit without "
            "mark=, or keep the exact dates: incidents.where(\"date_precision == 'day'\")."
        )
    values = pd.to_numeric(data.table[mark]).to_numpy(dtype=float)
    if (values < 0).any():
        raise DataError(f"{int((values < 0).sum())} values of the mark {mark!r} are negative.")
    days = ((data.table["date_start"].dt.normalize() - counts.bin_starts[0]) // DAY).to_numpy()
    watched = counts.exposure.to_numpy(dtype=float) > 0
    inside = (days >= 0) & (days < len(counts))
    inside[inside] = watched[days[inside].astype(np.int64)]
    known = inside & np.isfinite(values)
    return days[known].astype(np.int64), np.log1p(values[known])


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
        if not known:
            raise DataError(f"no incident has a known {model.mark!r}; fit without mark=.")
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
