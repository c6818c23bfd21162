"""The pages after the first: tables and sentences on alternatives, indicators, evidence, method and sources."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from tempo.briefing.analysis import Analysis
from tempo.briefing.judgements import accounts_of, read_scenarios
from tempo.briefing.layout import Chart, Part, Section, Table
from tempo.briefing.method import method_parts, source_points
from tempo.briefing.operations_page import assumed_range, operations_section
from tempo.briefing.phrases import Noun, joined, long_date, percents, plural, spelled_dates
from tempo.briefing.rival_rules import EVERY
from tempo.briefing.scenario_page import scenario_sections
from tempo.briefing.wording import words_for_interval
from tempo.data.rounding import interval, number, percent
from tempo.data.window import DAY
from tempo.forecasting.outlook import Outlook
from tempo.models.explain_words import LEAST_EVENTS
from tempo.models.intervals import central_levels

__all__ = ["write_sections"]

DAYS_A_YEAR = 365.25


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
        *scenario_sections(analysis, charts, words),
        *_deadly(analysis, charts),
        *_operations(analysis, charts, words),
        Section("Evidence", _evidence(analysis, charts)),
        Section("The same question under other rules", _rules(analysis, words)),
        Section("Method, checks and record", method_parts(analysis, words), small=True),
        Section("Sources and data", (source_points(analysis),), small=True),
    )


def _count_cell(outlook: Outlook, days: int, prob: float) -> str:
    levels = central_levels(prob)
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
            f"Number: middle value and {percent(analysis.prob)} interval. In brackets: probability of the scenario. "
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
        (
            f"Every {noun.one} that fits the counting rule between {long_date(window.start)} and "
            f"{long_date(window.end - DAY)} is in the data. Unreported ones would raise every number here."
        ),
        f"One of the scenarios holds; before the data they were given {prior}.",
        (
            "The future resembles the past in kind: counting rule, reporting and actors stay comparable over the "
            "horizon. The counts do not show why a rate changes, and this briefing does not say why."
        ),
    ]
    if reading is not None and not reading.separated:
        found.append(
            "The evidence separates the scenarios so little that the starting assumption decides the odds."
        )
    if analysis.past.n_uncertain("1D"):
        found.append(
            "A date known only to an interval may lie on each of its days alike; results are averaged over such draws."
        )
    return tuple(found)


def _deadly(analysis: Analysis, charts: Mapping[str, Chart]) -> tuple[Section, ...]:
    """Say how deadly the attacks are, and what that makes of the forecast; nothing where no toll is known."""
    fit = analysis.lethality
    if fit is None:
        return ()
    longest = analysis.horizons[-1]
    rows = []
    for name, outlook in (
        ("Scenarios, weighted", analysis.mixture),
        *((f"Scenario: {name}", outlook) for name, outlook in analysis.scenario_outlooks.items()),
        ("Model: constant rate", analysis.outlooks["ConstantRate"]),
    ):
        assert outlook.deaths is not None  # every forecast holds deaths where lethality was fitted
        total = outlook.deaths.to_numpy().sum(axis=1)
        levels = central_levels(analysis.prob)
        low, median, high = np.quantile(total, levels, method="inverted_cdf")
        rows.append(
            (
                name,
                *(percent(outlook.probability_deaths(1, f"{h}D")) for h in analysis.horizons),
                percent(outlook.probability_deaths(10, f"{longest}D")),
                f"{number(median)} ({interval(low, high)})",
            )
        )
    noun = Noun.of(analysis.past.label)
    table = Table(
        (
            "Account",
            *(f"1 in {h} days" for h in analysis.horizons),
            f"10 in {longest} days",
            f"Deaths in {longest} days",
        ),
        tuple(rows),
        title="Probability of at least one death, of at least ten, and the number to expect",
        note=(
            f"Deaths: middle value and {percent(analysis.prob)} interval; no mean, which a rare and very deadly attack "
            f"would dominate. How deadly each {noun.one} is was learned from those counted, and taken not to depend on "
            "how often they come."
        ),
        strong=(0,),
    )
    parts: list[Part] = [" ".join((fit.describe(), *_record_wait(analysis, noun)))]
    parts += [note for note in fit.provenance.notes if "rule" in note or "on the prior" in note]
    parts += [table, *(charts[name] for name in ("severity",) if name in charts)]
    return (Section("How deadly", tuple(parts)),)


def _record_wait(analysis: Analysis, noun: Noun) -> tuple[str, ...]:
    """Say how long it may be until a toll exceeds the largest one, if attacks come as often as they did."""
    outlook, fit = analysis.years_ahead, analysis.lethality
    if outlook is None or fit is None or fit.record is None:
        return ()
    wait = outlook.time_to_next(prob=analysis.prob, deaths=fit.record + 1)
    beyond = f"more than {_long(float(outlook.bin_days.sum()))}"
    low, high = (
        beyond if math.isinf(days) else _long(days) for days in (wait.low_days, wait.high_days)
    )
    span = beyond if low == high else f"{low} to {high}"
    return (
        f"If {noun.many} come as often as they did, a new record takes {span} ({percent(analysis.prob)} interval).",
    )


def _long(days: float) -> str:
    """Write a wait in days, or in years where it is long."""
    if days < 2 * DAYS_A_YEAR:
        return plural(round(days), "day")
    return f"{number(days / DAYS_A_YEAR)} years"


def _operations(analysis: Analysis, charts: Mapping[str, Chart], words: str) -> tuple[Section, ...]:
    """Say what the scenarios cost in operating days; nothing where nobody said what an attack may stop."""
    if analysis.lost is None:
        return ()
    lost, others = analysis.lost
    section = operations_section(
        lost,
        words=words,
        prob=analysis.prob,
        beside=analysis.operations,
        chart=charts.get("operations"),
    )
    other = assumed_range(lost, list(others), words)
    return (dataclasses.replace(section, parts=(section.parts[0], other, *section.parts[1:])),)


def _evidence(analysis: Analysis, charts: Mapping[str, Chart]) -> tuple[Part, ...]:
    parts: list[Part] = []
    parts.extend(charts[name] for name in ("timeline", "tempo", "intensity") if name in charts)
    for name, lead in (("Changepoints", "Changepoints."), ("Hawkes", "Self-excitation.")):
        fit = analysis.fits.get(name)
        if fit is not None:
            parts.append(f"{lead} {spelled_dates(fit.describe())}")
    verdict = analysis.verdict
    if verdict is not None and verdict.counts.events >= LEAST_EVENTS:
        why = "" if verdict.decided else f" {verdict.reason}"
        parts.append(spelled_dates(f"Contagion or regime change. {verdict.sentence}{why}"))
        parts.extend(charts[name] for name in ("verdict",) if name in charts)
    parts.extend(charts[name] for name in ("forecast",) if name in charts)
    return tuple(parts)


def _rules(analysis: Analysis, words: str) -> tuple[Part, ...]:
    unreported = _unreported(analysis)
    if analysis.rules is None:
        return (
            "The question was answered under one counting rule only: no other rule could be applied to these data.",
            unreported,
        )
    rules = analysis.rules
    here = {h: analysis.mixture.probability(1, f"{h}D") for h in analysis.horizons}
    longest = f"{analysis.horizons[-1]}D"
    own = (
        "this briefing",
        analysis.past.rule,
        _with_undecided(len(analysis.past), analysis.n_undecided),
        *(percent(here[h]) for h in analysis.horizons),
        percent(analysis.outlooks["ConstantRate"].probability(1, longest)),
    )
    rows = [own]
    for _, row in rules.iterrows():
        rows.append(
            (
                str(row["name"]),
                str(row["rule"]),
                _with_undecided(row["events"], row["undecided"]),
                *(percent(float(row[f"probability_{h}"])) for h in analysis.horizons),
                percent(float(row["constant"])),
            )
        )
    shortest = analysis.horizons[0]
    rivals = rules[rules["name"] != EVERY]
    shown = [here[shortest], *(float(p) for p in rivals[f"probability_{shortest}"])]
    low, high = min(shown), max(shown)
    sentence = (
        f"Among definitions of {Noun.of(analysis.past.label).many}, the probability of at least one within {shortest} "
        f"days is {percents(low, high)} ({words_for_interval(low, high, words)})."
    )
    if len(rivals) < len(rules):
        sentence += (
            " All attacks together are no such definition; their row shows what is drawn from."
        )
    note = (
        "Probability of at least one, scenarios weighed anew under each rule; last column: the longest horizon under "
        "a constant rate."
    )
    if rules["undecided"].any() or analysis.n_undecided:
        note += " In brackets: rows that the rule could not decide, left out."
    return (
        sentence,
        Table(
            (
                "What counts",
                "Rule",
                "Events",
                *(f"{h} days" for h in analysis.horizons),
                "constant",
            ),
            tuple(rows),
            note=note,
            words=(0, 1),
            strong=(0,),
        ),
        unreported,
    )


def _unreported(analysis: Analysis) -> str:
    """Say what the constant rate would give if some of what happened had not been reported."""
    days = analysis.horizons[-1]
    rate = analysis.fits["ConstantRate"].draws[:, 0]
    noun = Noun.of(analysis.past.label)
    now = analysis.outlooks["ConstantRate"].probability(1, f"{days}D")
    said = (
        f"If 10 to 30 % of {noun.many} went unreported, true numbers are 1.1 to 1.4 times as high"
    )
    if now >= 0.95:
        return f"{said}."
    found = [1 - float(np.mean(np.exp(-rate * days / (1 - share)))) for share in (0.1, 0.3)]
    return (
        f"{said}, and a constant rate gives {percents(*found)} for at least one within {days} days, reported or not, "
        f"instead of {percent(now)}."
    )


def _with_undecided(events: int, undecided: int) -> str:
    return f"{events:,} (+{undecided:,})" if undecided else f"{events:,}"
