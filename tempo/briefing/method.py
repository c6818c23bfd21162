"""The last pages: comparison with a constant rate, record of past forecasts, checks, methods and sources."""

from __future__ import annotations

import math

import pandas as pd

from tempo.briefing.analysis import Analysis
from tempo.briefing.judgements import MODEL_NAMES
from tempo.briefing.layout import Part, Table
from tempo.briefing.phrases import joined, long_date, observed_span, plural, spelled_dates
from tempo.briefing.wording import explain_scale
from tempo.data.rounding import interval, number, percent

__all__ = ["method_parts", "source_points"]


_ENGINES = {
    "laplace": "a Laplace approximation with importance resampling",
    "nuts": "Hamiltonian Monte Carlo (NUTS)",
    "mle": "maximum likelihood",
}


def method_parts(analysis: Analysis, words: str) -> tuple[Part, ...]:
    """Write how the results were made, how they compare with a constant rate, and how forecasts have done.

    Parameters
    ----------
    analysis : Analysis
        The results.
    words : {"icd203", "phia"}
        Vocabulary of likelihood, which is explained.

    Returns
    -------
    tuple of Part
        Sentences and tables.
    """
    parts: list[Part] = [_comparison_sentence(analysis), _comparison(analysis)]
    record = analysis.record
    if record.n_origins:
        parts.append(_ledger(analysis))
    else:
        parts.append(
            f"There is no record of past forecasts: the data hold fewer than three periods of {record.days} days."
        )
    parts.append(_checks(analysis))
    parts.append(
        "Constant rate: one rate for all time, exact posterior. Changepoints: a rate that steps at unknown dates, "
        "exact. "
        "Self-excitation: each attack is followed by a higher expected number for a while (exponential), "
        f"fitted by {_hawkes_method(analysis)}. Scenarios: prior distributions of the rate, weighed by the "
        f"probability they gave to the data. Forecasts: {analysis.mixture.draws:,} "
        "simulated futures each, parameter uncertainty included."
    )
    parts.append(explain_scale(words))
    return tuple(parts)


def _hawkes_method(analysis: Analysis) -> str:
    fit = analysis.fits.get("Hawkes")
    if fit is None:
        return "no method (it could not be fitted)"
    method = str(fit.provenance.method)
    return _ENGINES.get(method, method)


def _evidence_of(fit: object) -> float:
    value = getattr(fit, "log_evidence", None)
    return float("nan") if value is None else float(value)


def _comparison(analysis: Analysis) -> Table:
    base = _evidence_of(analysis.fits.get("ConstantRate"))
    record = analysis.record
    rows = []
    for name, fit in analysis.fits.items():
        evidence = _evidence_of(fit)
        gain, error = record.gain(name)
        inside, total = record.coverage(name)
        rows.append(
            (
                MODEL_NAMES.get(name, name),
                number(evidence, 4).replace("-", "−") if not math.isnan(evidence) else "not known",
                "baseline" if name == "ConstantRate" else _signed(evidence - base),
                "baseline" if name == "ConstantRate" and total else _gain(gain, error),
                f"{inside} of {total}" if total else "not measured",
            )
        )
    return Table(
        (
            "Model",
            "Log evidence",
            "Difference",
            "Out-of-sample gain",
            f"Inside {percent(analysis.prob)}",
        ),
        tuple(rows),
        title="Against a constant rate",
        note=(
            f"Gain: mean difference in log score for each past {record.days}-day forecast, ± its standard error; "
            "above 0 is better than the constant rate. Inside: outcomes that fell into the forecast's interval."
        ),
    )


def _signed(value: float) -> str:
    return (
        "not known"
        if math.isnan(value)
        else f"{'+' if value > 0 else ''}{number(value)}".replace("-", "−")
    )


def _gain(gain: float, error: float) -> str:
    return "not measured" if math.isnan(gain) else f"{_signed(gain)} ± {number(error)}"


def _comparison_sentence(analysis: Analysis) -> str:
    """Say whether any model beats a constant rate: out of sample first, then by evidence on the whole past."""
    others = [name for name in analysis.fits if name != "ConstantRate"]
    said = []
    gains = {name: analysis.record.gain(name) for name in others}
    measured = {name: gain for name, gain in gains.items() if not math.isnan(gain[0])}
    # Two standard errors, as a rule of thumb; so few forecasts are not worth a finer test.
    better = [name for name, (gain, error) in measured.items() if gain > 2 * error]
    if better:
        names = joined([MODEL_NAMES.get(name, name) for name in better])
        said.append(f"Out of sample, {names} forecast better than a constant rate.")
    elif measured:
        said.append(
            "Out of sample, the models add nothing over a constant rate: no gain is clearly above zero."
        )
    base = _evidence_of(analysis.fits["ConstantRate"])
    evidence = {name: _evidence_of(analysis.fits[name]) - base for name in others}
    known = {name: value for name, value in evidence.items() if not math.isnan(value)}
    if known:
        best = max(known, key=known.__getitem__)
        said.append(_verdict(MODEL_NAMES.get(best, best), known[best]))
    return " ".join(said) or "No model could be compared with a constant rate."


def _verdict(name: str, difference: float) -> str:
    """Say what a difference in log evidence is worth, on the scale of Kass and Raftery (1995)."""
    factor = math.exp(min(abs(difference), 20.0))
    shown = "a factor above 1,000" if factor > 1000 else f"a factor of {number(factor)}"
    if factor < 3:
        return "By evidence on the whole past, no model stands out against a constant rate."
    if difference < 0:
        return f"By evidence on the whole past, a constant rate is favoured over every model, by {shown} or more."
    if factor < 20:
        return f"By evidence on the whole past, {name} is favoured over a constant rate, but only by {shown}."
    return f"By evidence on the whole past, {name} explains it better than a constant rate, by {shown}."


def _ledger(analysis: Analysis) -> Table:
    record = analysis.record
    wide = record.table.pivot_table(
        index="origin", columns="model", values=["at_least_one", "low", "high"], aggfunc="first"
    )
    outcome = record.table.groupby("origin")["outcome"].first()
    models = [name for name in analysis.fits if name in set(record.table["model"])]
    rows = tuple(
        (
            long_date(origin),
            *(_forecast_cell(wide.loc[origin], name) for name in models),
            f"{outcome[origin]:,}",
        )
        for origin in wide.index
    )
    return Table(
        ("Made on", *(MODEL_NAMES.get(name, name) for name in models), "Came"),
        rows,
        title=f"Ledger: what forecasts of the next {record.days} days would have said",
        note=(
            f"Probability of at least one, and {percent(record.prob)} interval of the number. Each forecast used "
            "only what lay before its date; the data are as known today, so later corrections are in them."
        ),
    )


def _forecast_cell(row: pd.Series, model: str) -> str:
    chance, low, high = (float(row[(what, model)]) for what in ("at_least_one", "low", "high"))
    return "not fitted" if math.isnan(chance) else f"{percent(chance)}, {interval(low, high)}"


def _checks(analysis: Analysis) -> Table:
    order = pd.concat([analysis.failed, analysis.checks[analysis.checks["passed"]]])
    rows = tuple(
        (
            MODEL_NAMES.get(row["model"], row["model"]),
            str(row["check"]),
            number(float(row["statistic"]), 4) if not math.isnan(row["statistic"]) else "–",
            number(float(row["threshold"]), 4) if not math.isnan(row["threshold"]) else "–",
            ("not run" if math.isnan(row["statistic"]) else "passed")
            if row["passed"]
            else "FAILED",
        )
        for _, row in order.iterrows()
    )
    failed = tuple(range(len(analysis.failed)))
    return Table(
        ("Model", "Check", "Statistic", "Threshold", "Result"),
        rows,
        title="Checks of the models",
        words=(0, 1),
        strong=failed,
    )


def source_points(analysis: Analysis) -> tuple[str, ...]:
    """Write where the data come from, how they were counted, and what in them is in doubt.

    Parameters
    ----------
    analysis : Analysis
        The results.

    Returns
    -------
    tuple of str
        Points.
    """
    past = analysis.past
    table = past.table
    found = [
        f"Source: {past.source or 'not named'}.",
        f"Counted: {past.label}. Counting rule: {past.rule}.",
        f"Observed: {observed_span(past.window)}. Data cut-off: nothing from {long_date(analysis.as_of)} on was used.",
        (
            f"Rows that the rule could not decide: {analysis.n_undecided:,} (left out). "
            f"Dates known only to an interval: {analysis.n_inexact:,} of {len(past):,}."
        ),
    ]
    if len(table):
        found[2] += f" The latest counted row is dated {long_date(table['date_start'].max())}."
    known = table["killed"].notna() if "killed" in table else None
    if known is not None and known.any():
        found.append(
            f"Killed: {number(float(table['killed'].sum()), 6)} in the counted rows; not known for "
            f"{int((~known).sum()):,} of {len(table):,}."
        )
    else:
        found.append("Deaths: the data say nothing of them, so no sentence here does.")
    if analysis.mixture.deaths is None:
        found.append("Deaths are not forecast.")
    # Notes on undecided rows may count rows after the as-of date; the number above does not.
    found += [note for note in past.notes if "cannot be decided" not in note]
    found += [spelled_dates(doubt) for doubt in analysis.doubts]
    if len(past.problems):
        found.append(
            f"The reader of the file had {plural(len(past.problems), 'doubt')}; tempo check lists them."
        )
    found.append(
        f"Reproducible with rng={analysis.seed}; data fingerprint {analysis.daily.fingerprint[:16]}, "
        f"tempo {_version()}."
    )
    return tuple(dict.fromkeys(found))


def _version() -> str:
    from tempo import __version__

    return __version__
