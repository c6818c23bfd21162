"""The pages after the first: tables and sentences on alternatives, indicators, evidence, method and sources."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from tempo.briefing.analysis import Analysis
from tempo.briefing.judgements import (
    MODEL_NAMES,
    accounts_of,
    read_scenarios,
)
from tempo.briefing.layout import Chart, Part, Section, Table
from tempo.briefing.phrases import Noun, joined, long_date, observed_span, plural
from tempo.briefing.wording import explain_scale, term
from tempo.data.rounding import interval, number, percent
from tempo.data.window import DAY
from tempo.forecasting.outlook import Outlook

__all__ = ["write_sections"]


def write_sections(
    analysis: Analysis, charts: Mapping[str, Chart], words: str
) -> tuple[Section, ...]:
    """Write everything that follows the key judgements.

    Parameters
    ----------
    analysis : Analysis
        The results.
    charts : mapping of str to Chart
        From `tempo.briefing.charts.draw_charts`.
    words : {"icd203", "phia"}
        Vocabulary of likelihood.

    Returns
    -------
    tuple of Section
        In the order of a briefing.
    """
    days = [str(h) for h in analysis.horizons]
    return (
        Section(f"The question at {joined(days)} days", (_headline(analysis),)),
        Section("Key assumptions", (_assumptions(analysis),)),
        Section("Alternatives", _alternatives(analysis, charts)),
        Section("Indicators: what would change our mind", _indicators(analysis, words)),
        Section("Evidence", _evidence(analysis, charts)),
        Section("The same question under other counting rules", _rules(analysis, words)),
        Section("Method, checks and record", _method(analysis, words)),
        Section("Sources and data", (_sources(analysis),)),
    )


def _count_cell(outlook: Outlook, days: int, prob: float) -> str:
    levels = [(1 - prob) / 2, 0.5, (1 + prob) / 2]
    low, median, high = np.quantile(outlook.totals(f"{days}D"), levels, method="inverted_cdf")
    return f"{number(median)} ({interval(low, high)})"


def _headline(analysis: Analysis) -> Table:
    accounts = accounts_of(analysis)
    longest = analysis.horizons[-1]
    weights = analysis.weights.probabilities
    named = {"Scenarios, weighted": accounts.mixture}
    named |= {
        f"Scenario: {name} ({percent(float(weights[name]))})": outlook
        for name, outlook in accounts.scenarios.items()
    }
    named |= {f"Model: {name}": outlook for name, outlook in accounts.models.items()}
    rows = tuple(
        (
            name,
            *(percent(outlook.probability(1, f"{h}D")) for h in analysis.horizons),
            _count_cell(outlook, longest, analysis.prob),
        )
        for name, outlook in named.items()
    )
    noun = Noun.of(analysis.past.label)
    return Table(
        ("Account", *(f"{h} days" for h in analysis.horizons), f"Number in {longest} days"),
        rows,
        title=f"Probability of at least one {noun.one}, and the number to expect",
        note=(
            f"Number: middle value and {percent(analysis.prob)} interval. In brackets beside a scenario: its probability. "
            "The models know nothing of the scenarios. Judgements quote the first row."
        ),
        strong=(0,),
    )


def _assumptions(analysis: Analysis) -> tuple[str, ...]:
    noun = Noun.of(analysis.past.label)
    window = analysis.past.window
    reading = read_scenarios(analysis)
    prior = joined(
        [f"{percent(float(p))} for {name}" for name, p in analysis.weights.prior.items()]
    )
    found = [
        f"Every {noun.one} that fits the counting rule between {long_date(window.start)} and "
        f"{long_date(window.end - DAY)} is in the data. Unreported ones would raise every number here.",
        f"One of the scenarios holds; before the data they were given {prior}.",
        "The future resembles the past in kind: counting rule, reporting and actors stay comparable over the horizon. "
        "The counts do not show why a rate changes, and this briefing does not say why.",
    ]
    if reading is not None and not reading.separated:
        found.append(
            "Because the evidence separates the scenarios so little, the starting assumption decides the odds."
        )
    if analysis.past.n_uncertain("1D"):
        found.append(
            "A date known only to an interval is equally likely on each of its days; results are averaged over such draws."
        )
    return tuple(found)


def _alternatives(analysis: Analysis, charts: Mapping[str, Chart]) -> tuple[Part, ...]:
    weights = analysis.weights
    rows = tuple(
        (
            scenario.name,
            scenario.describe(),
            percent(float(weights.prior[scenario.name])),
            number(float(weights.log_evidence[scenario.name]), 3),
            percent(float(weights.probabilities[scenario.name])),
        )
        for scenario in weights.scenarios
    )
    table = Table(
        ("Scenario", "What it says", "Before", "Log evidence", "After"),
        rows,
        title=f"The scenarios, judged by {_judged(analysis)}",
        note=(
            "Before and after: its probability without and with those days. Log evidence: natural logarithm of the "
            "probability that the scenario gave to them; a difference of 3 is a factor of 20."
        ),
        words=(0, 1),
    )
    parts: list[Part] = [table, *weights.notes]
    checks = weights.check()
    parts.extend(
        f"The {name} scenario expected {interval(row['low'], row['high'])} in that time; "
        f"{number(float(row['observed']))} came. {row['meaning']}"
        for name, row in checks.iterrows()
        if not row["passed"]
    )
    parts.extend(charts[name] for name in ("odds", "scenarios") if name in charts)
    return tuple(parts)


def _judged(analysis: Analysis) -> str:
    weights = analysis.weights
    noun = Noun.of(analysis.past.label)
    return f"the {noun.counted(weights.counts.events)} since {long_date(weights.since)}"


def _indicators(analysis: Analysis, words: str) -> tuple[Part, ...]:
    weights = analysis.weights
    days = analysis.horizons[len(analysis.horizons) // 2]
    table = weights.indicators(f"{days}D")
    noun = Noun.of(analysis.past.label)
    names = list(weights.probabilities.index)
    by = long_date(analysis.as_of + (days - 1) * DAY)
    rows = []
    for low, high in _groups(table[("chance", "any")]):
        part = table.iloc[low:high]
        chance = part[("chance", "any")]
        after = [
            float((part[("probability", name)] * chance).sum() / chance.sum()) for name in names
        ]
        label = str(low) if high - low == 1 else f"{low} to {high - 1}"
        label = f"{low} or more" if high == len(table) else label
        rows.append((label, percent(float(chance.sum())), *(percent(p) for p in after)))
    sheet = Table(
        (
            f"{noun.many[0].upper()}{noun.many[1:]} by {by}",
            "Chance",
            *(f"{name} then" for name in names),
        ),
        tuple(rows),
        note=f"Chance: probability of that outcome under the weighted scenarios. Then: what each scenario would be worth after {days} days.",
    )
    parts: list[Part] = []
    reading = read_scenarios(analysis)
    if reading is not None:
        parts.append(_tipping(table, reading.name, noun, days, words))
    parts.append(sheet)
    return tuple(parts)


def _groups(chance: pd.Series) -> list[tuple[int, int]]:
    """Cut the outcomes into at most seven groups: single numbers while they are likely, then spans, then the tail."""
    total = chance.to_numpy(dtype=float)
    n = len(total)
    tail = int(np.searchsorted(np.cumsum(total), 0.97 * total.sum())) + 1
    tail = min(max(tail, 1), n - 1)
    step = max(math.ceil(tail / 6), 1)
    cuts = [*range(0, tail, step), tail] if tail % step else list(range(0, tail + 1, step))
    edges = [*dict.fromkeys(cuts), n]
    return [(low, high) for low, high in zip(edges[:-1], edges[1:], strict=True) if high > low]


def _tipping(table: pd.DataFrame, name: str, noun: Noun, days: int, words: str) -> str:
    after = table[("probability", name)]
    now_or_more = after[after >= 0.55]
    less = after[after < 0.45]
    said = []
    none = term(float(after.iloc[0]), words)
    said.append(
        f"If no {noun.one} comes in the next {days} days, the {name} scenario becomes {none.text}."
    )
    if len(now_or_more) and now_or_more.index[0] > 0:
        first = int(now_or_more.index[0])
        then = term(float(after.loc[first]), words)
        said.append(
            f"{first} or more would make it {then.text} at the least."
            if first in after.index
            else ""
        )
    elif not len(now_or_more):
        said.append("No number of them in that time would make it more likely than not.")
    elif not len(less):
        said.append("No number of them in that time would make it less likely than not.")
    return " ".join(said)


def _evidence(analysis: Analysis, charts: Mapping[str, Chart]) -> tuple[Part, ...]:
    table = analysis.past.table
    parts: list[Part] = []
    if len(table):
        last = table["date_start"].max()
        first = f"The latest of the {len(table)} rows is dated {long_date(last)}."
        parts.append(first)
    for name in ("timeline", "tempo"):
        if name in charts:
            parts.append(charts[name])
    for name in ("Changepoints", "Hawkes"):
        fit = analysis.fits.get(name)
        if fit is not None:
            parts.append(str(fit.describe()))
            if name == "Hawkes" and "intensity" in charts:
                parts.append(charts["intensity"])
    if "forecast" in charts:
        parts.append(charts["forecast"])
    return tuple(parts)


def _rules(analysis: Analysis, words: str) -> tuple[Part, ...]:
    if analysis.rules is None:
        return (
            "The question was answered under one counting rule only: no other rule could be applied to these data.",
        )
    rules = analysis.rules
    here = {h: analysis.mixture.probability(1, f"{h}D") for h in analysis.horizons}
    own = (
        "this briefing",
        analysis.past.rule,
        f"{len(analysis.past):,}",
        *(percent(here[h]) for h in analysis.horizons),
    )
    rows = [own]
    for _, row in rules.iterrows():
        events = f"{row['events']:,}"
        if row["undecided"]:
            events += f" (+{row['undecided']})"
        rows.append(
            (
                str(row["name"]),
                str(row["rule"]),
                events,
                *(percent(float(row[f"probability_{h}"])) for h in analysis.horizons),
            )
        )
    shortest = analysis.horizons[0]
    shown = [here[shortest], *(float(p) for p in rules[f"probability_{shortest}"])]
    low, high = min(shown), max(shown)
    sentence = (
        f"By counting rule alone, the probability of at least one within {shortest} days runs from {percent(low)} to "
        f"{percent(high)} ({_spanned(low, high, words)})."
    )
    note = "Probability of at least one, scenarios weighed anew under each rule."
    if rules["undecided"].any():
        note += " In brackets: rows that the rule could not decide, left out."
    return (
        sentence,
        Table(
            ("What counts", "Rule", "Events", *(f"{h} days" for h in analysis.horizons)),
            tuple(rows),
            note=note,
            words=(0, 1),
            strong=(0,),
        ),
    )


def _spanned(low: float, high: float, words: str) -> str:
    first, last = term(low, words).word, term(high, words).word
    return first if first == last else f"from {first} to {last}"


def _method(analysis: Analysis, words: str) -> tuple[Part, ...]:
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
        "Constant rate: one rate for all time, exact posterior. Changepoints: a rate that steps at unknown dates, exact. "
        "Self-excitation: each attack raises the expected number for a while (discrete time, exponential memory), "
        f"fitted by {_hawkes_method(analysis)}. Scenarios: prior distributions of the rate, weighed by the probability "
        f"they gave to the data. Forecasts: {analysis.mixture.draws:,} simulated futures each, parameter uncertainty included."
    )
    parts.append(explain_scale(words))
    return tuple(parts)


def _hawkes_method(analysis: Analysis) -> str:
    fit = analysis.fits.get("Hawkes")
    return "no method (it could not be fitted)" if fit is None else str(fit.provenance.method)


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
                number(evidence, 4) if not math.isnan(evidence) else "not known",
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
            f"Gain: mean difference in log score for each past {record.days}-day forecast, ± its standard error; above 0 is "
            "better than the constant rate. Inside: outcomes that fell into the forecast's interval."
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
    base = _evidence_of(analysis.fits.get("ConstantRate"))
    gains = {
        MODEL_NAMES.get(name, name): _evidence_of(fit) - base
        for name, fit in analysis.fits.items()
        if name != "ConstantRate" and not math.isnan(_evidence_of(fit))
    }
    if not gains:
        return "No model could be compared with a constant rate."
    better = {name: gain for name, gain in gains.items() if gain >= math.log(3)}
    worse = all(gain <= -math.log(3) for gain in gains.values())
    if better:
        best = max(better, key=better.__getitem__)
        factor = math.exp(min(better[best], 50.0))
        shown = "a factor above 1,000" if factor > 1000 else f"a factor of {number(factor)}"
        return f"The past is better explained by {best} than by a constant rate, by {shown}."
    verdict = (
        "a constant rate explains the past better than they do"
        if worse
        else "the data do not prefer any of them"
    )
    return f"The models add nothing over a constant rate: {verdict}."


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
            *(
                f"{percent(float(wide.loc[origin, ('at_least_one', name)]))}, "
                f"{interval(float(wide.loc[origin, ('low', name)]), float(wide.loc[origin, ('high', name)]))}"
                for name in models
            ),
            f"{outcome[origin]:,}",
        )
        for origin in wide.index
    )
    return Table(
        ("Made on", *(MODEL_NAMES.get(name, name).capitalize() for name in models), "Came"),
        rows,
        title=f"Ledger: what forecasts of the next {record.days} days would have said",
        note=(
            f"Probability of at least one, and {percent(record.prob)} interval of the number. Each forecast used only what "
            "lay before its date; the data are as known today, so later corrections are in them."
        ),
    )


def _checks(analysis: Analysis) -> Table:
    order = pd.concat([analysis.failed, analysis.checks[analysis.checks["passed"]]])
    rows = tuple(
        (
            MODEL_NAMES.get(row["model"], row["model"]),
            str(row["check"]),
            number(float(row["statistic"])) if not math.isnan(row["statistic"]) else "–",
            number(float(row["threshold"])) if not math.isnan(row["threshold"]) else "–",
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


def _sources(analysis: Analysis) -> tuple[str, ...]:
    past = analysis.past
    table = past.table
    found = [
        f"Source: {past.source or 'not named'}.",
        f"Counted: {past.label}. Counting rule: {past.rule}.",
        f"Observed: {observed_span(past.window)}. Data cut-off: nothing from {long_date(analysis.as_of)} on was used.",
        f"Rows that the rule could not decide: {len(past.undecided):,}. "
        f"Dates known only to an interval: {past.n_uncertain('1D'):,} of {len(past):,}.",
    ]
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
    found += list(past.notes)
    found += list(analysis.doubts)
    if len(past.problems):
        found.append(
            f"The reader of the file had {plural(len(past.problems), 'doubt')}; tempo check lists them."
        )
    found.append(
        f"Reproducible with rng={analysis.seed}; data fingerprint {analysis.daily.fingerprint[:16]}, tempo {_version()}."
    )
    return tuple(dict.fromkeys(found))


def _version() -> str:
    from tempo import __version__

    return __version__
