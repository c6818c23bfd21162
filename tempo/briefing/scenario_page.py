"""The page on scenarios: what each says, what the evidence made of it, how robust that is, and what would change it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd

from tempo.briefing.analysis import Analysis
from tempo.briefing.judgements import read_scenarios
from tempo.briefing.layout import Chart, Part, Section, Table
from tempo.briefing.phrases import Noun, long_date, percents, plural, spelled_dates
from tempo.briefing.wording import term
from tempo.data.rounding import interval, number, percent
from tempo.data.window import DAY
from tempo.errors import ScenarioError
from tempo.forecasting.scenarios import Scenario

__all__ = ["scenario_sections"]

#: The question counts as decided when a scenario is so probable.
_RARE = 0.01  # outcomes less probable than this are no indicators
_DECIDED = 0.9
_FUTURES = 500


def scenario_sections(
    analysis: Analysis, charts: Mapping[str, Chart], words: str
) -> tuple[Section, ...]:
    """Write the page on scenarios.

    Parameters
    ----------
    analysis : Analysis
        The results.
    charts : mapping of str to Chart
        ``odds`` and ``scenarios`` are set here.
    words : {"icd203", "phia"}
        Vocabulary of likelihood.

    Returns
    -------
    tuple of Section
        Alternatives and indicators.
    """
    return (
        Section("Alternatives", _alternatives(analysis, charts), new_page=True),
        Section("Indicators: what would change our mind", _indicators(analysis, words)),
    )


def _alternatives(analysis: Analysis, charts: Mapping[str, Chart]) -> tuple[Part, ...]:
    weights = analysis.weights
    days = analysis.horizons[-1]
    rows = tuple(
        (
            scenario.name,
            spelled_dates(scenario.describe()),
            interval(*_expected(scenario, analysis)),
            percent(float(weights.prior[scenario.name])),
            number(float(weights.log_evidence[scenario.name]), 3).replace("-", "−"),
            percent(float(weights.probabilities[scenario.name])),
        )
        for scenario in weights.scenarios
    )
    table = Table(
        ("Scenario", "What it says", f"In {days} days", "Before", "Log evidence", "After"),
        rows,
        title=f"The scenarios, judged by {_judged(analysis)}",
        note=(
            f"In {days} days: what it expects before any data judge it, {percent(analysis.prob)} interval. Before and "
            "after: its probability without and with those days. Log evidence: natural logarithm of the probability "
            "that the scenario gave to them; a difference of 3 is a factor of 20."
        ),
        words=(0, 1),
    )
    parts: list[Part] = [table, *map(spelled_dates, weights.notes)]
    checks = weights.check()
    parts.extend(
        f"The {name} scenario expected {interval(row['low'], row['high'])} in that time; "
        f"{number(float(row['observed']))} came: it does not explain the data."
        for name, row in checks.iterrows()
        if not row["passed"]
    )
    parts.extend(charts[name] for name in ("odds", "scenarios") if name in charts)
    robust = _robust(analysis)
    if robust:
        parts.append(robust)
    return tuple(parts)


def _expected(scenario: Scenario, analysis: Analysis) -> tuple[int, int]:
    """Give what a scenario expects of the longest horizon, all of them from the same day."""
    days = analysis.horizons[-1]
    return scenario.prior_predictive(f"{days}D", prob=analysis.prob, start=analysis.as_of)


def _judged(analysis: Analysis) -> str:
    weights = analysis.weights
    noun = Noun.of(analysis.past.label)
    n = weights.counts.events
    seen = noun.counted(n) if n else f"absence of any {noun.one}"
    return f"the {seen} since {long_date(weights.since)}".replace("the 1 ", "the one ")


def _robust(analysis: Analysis) -> str:
    """Say how the odds of the busiest scenario move with other choices than the prior, which page one shows."""
    reading = read_scenarios(analysis)
    if reading is None:
        return ""
    table = analysis.weights.sensitivity()
    varied = table.index.get_level_values("varied")
    said = []
    for what, words in (
        ("judged since", "judged from a later day on"),
        ("day effect", "if attacks may come in bunches"),
    ):
        found = table.loc[varied == what, ("probability", reading.name)].to_numpy(dtype=float)
        if len(found):
            said.append(f"{words} {percents(float(found.min()), float(found.max()))}")
    if not said:
        return ""
    return (
        f"With other choices, the {reading.name} scenario has these probabilities instead of "
        f"{percent(reading.posterior)}: {', '.join(said)}."
    )


def _indicators(analysis: Analysis, words: str) -> tuple[Part, ...]:
    weights = analysis.weights
    days = analysis.horizons[len(analysis.horizons) // 2]
    noun = Noun.of(analysis.past.label)
    try:
        table = weights.indicators(f"{days}D")
    except ScenarioError:  # too many for a table, which is an answer and no fault
        sentence = (
            f"So many {noun.many} are expected in {days} days that no table of single numbers is given; the chart of "
            "the scenarios shows where they part."
        )
        return (sentence,)
    table = table[table[("chance", "any")] > 0]
    names = list(weights.probabilities.index)
    by = long_date(analysis.as_of + (days - 1) * DAY)
    rows = []
    for low, high in _groups(table[("chance", "any")]):
        part = table.iloc[low:high]
        chance = part[("chance", "any")]
        after = [
            float((part[("probability", name)] * chance).sum() / chance.sum()) for name in names
        ]
        first, last = int(part.index[0]), int(part.index[-1])
        label = f"{first:,}" if first == last else f"{first:,} to {last:,}"
        label = f"{first:,} or more" if high == len(table) else label
        rows.append((label, percent(float(chance.sum())), *(percent(p) for p in after)))
    sheet = Table(
        (
            f"{noun.many[0].upper()}{noun.many[1:]} by {by}",
            "Chance",
            *(f"{name} then" for name in names),
        ),
        tuple(rows),
        note=(
            "Chance: probability of that outcome under the weighted scenarios. "
            f"Then: what each scenario would be worth after {days} days."
        ),
    )
    parts: list[Part] = []
    reading = read_scenarios(analysis)
    if reading is not None:
        parts.append(_tipping(table, reading.name, noun, days, words))
    parts.append(sheet)
    parts.append(_silence(analysis, noun))
    parts.append(_decision(analysis))
    return tuple(parts)


def _groups(chance: pd.Series) -> list[tuple[int, int]]:
    """Cut the outcomes into a handful of groups: 0, 1, 2 … where few are expected, spans of like probability else."""
    total = np.cumsum(chance.to_numpy(dtype=float))
    total /= total[-1]
    n = len(total)
    middle = int(np.searchsorted(total, 0.5))
    if middle <= 3:
        edges = list(range(min(6, n)))
    else:
        levels = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95)
        edges = [0, *(int(np.searchsorted(total, level)) for level in levels)]
    edges = sorted({edge for edge in edges if edge < n} | {n})
    return list(itertools.pairwise(edges))


def _tipping(table: pd.DataFrame, name: str, noun: Noun, days: int, words: str) -> str:
    after = table[("probability", name)].to_numpy(dtype=float)
    chance = table[("chance", "any")].to_numpy(dtype=float)
    # What no scenario expects says nothing about which of them holds: there the wider prior wins, whatever it means.
    so_few, so_many = np.cumsum(chance), np.cumsum(chance[::-1])[::-1]
    expected = np.minimum(so_few, so_many) >= _RARE
    said = []
    if table.index[0] == 0 and expected[0]:
        none = term(float(after[0]), words)
        said.append(
            f"After {days} days without any {noun.one}, {none.clause} that the {name} scenario describes what goes on."
        )
    elif table.index[0] == 0:
        said.append(
            f"No scenario expects {days} days without any {noun.one}: that would call for another, not for "
            "one of these."
        )
    above = (after >= 0.55)[expected]
    numbers, after = table.index[expected], after[expected]
    if not len(numbers):
        return " ".join(said)
    if above.all():
        said.append("No number of them in that time would make it less likely than not.")
    elif not above.any():
        said.append("No number of them in that time would make it more likely than not.")
    else:
        first = int(np.argmax(above))
        then = term(float(after[first]), words)
        said.append(
            f"With {numbers[first]:,} {noun.many} in {days} days, {then.clause} that the {name} scenario does."
        )
    return " ".join(said)


def _silence(analysis: Analysis, noun: Noun) -> str:
    """Say how long a silence would make one scenario all but sure, and how probable so long a silence is."""
    table = analysis.weights.silence(_DECIDED)
    now = analysis.weights.probabilities
    # A scenario that is nearly there already is no news when it arrives.
    table = table[(table["days"] > 0) & (now.reindex(table.index) <= _DECIDED - 0.1)]
    if len(table) and not (table["chance under any"] >= _RARE).any():
        shortest = int(table["days"].min())
        return (
            f"Silence is no sign to wait for: {plural(shortest, 'day')} without any {noun.one}, the least "
            "that would make "
            f"a scenario {percent(_DECIDED)} probable, have a chance of "
            f"{percent(float(table['chance under any'].max()))}."
        )
    table = table[table["chance under any"] >= _RARE]
    if table.empty:
        return f"No silence of up to a year would make a scenario {percent(_DECIDED)} probable that is not so by now."
    row = table.sort_values("days").iloc[0]
    days = int(row["days"])
    weeks = f" (about {number(days / 7, 2)} weeks)" if days >= 14 else ""
    chances = ", ".join(
        f"{percent(float(row[f'chance under {name}']))} under {name}"
        for name in analysis.weights.probabilities.index
    )
    return (
        f"{plural(days, 'day')}{weeks} without any {noun.one}, to {long_date(row['until'])}, would make the "
        f"{row.name} scenario {percent(_DECIDED)} probable; so long a silence has a chance of {chances}, and "
        f"{percent(float(row['chance under any']))} overall."
    )


def _decision(analysis: Analysis) -> str:
    """Say how long it may take until one scenario is all but sure."""
    days = analysis.horizons[-1]
    leader = analysis.weights.probabilities.idxmax()
    now = float(analysis.weights.probabilities.max())
    if now >= _DECIDED:
        return (
            f"The {leader} scenario has passed the mark of {percent(_DECIDED)} already ({percent(now)}); the odds may "
            "come back."
        )
    table = analysis.weights.time_to_decision(_DECIDED, f"{days}D", futures=_FUTURES)
    whole = {name: float(table[name].to_dict()["any"]) for name in ("undecided", "wrongly")}
    decided = 1.0 - whole["undecided"]
    if decided < 0.005:
        return (
            f"Within {plural(days, 'day')} hardly any course of events would make one scenario {percent(_DECIDED)} "
            "probable."
        )
    return (
        f"Within {plural(days, 'day')} one scenario becomes {percent(_DECIDED)} probable with a chance of "
        f"{percent(decided)}; it is then the wrong one with a chance of "
        f"{percent(whole['wrongly'] / decided)}. The odds may pass that mark and come back."
    )
