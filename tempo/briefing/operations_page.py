"""The page on operations: what the scenarios cost in operating days, what can be absorbed, and what is assumed."""

from __future__ import annotations

import math

import pandas as pd

from tempo.briefing.layout import Chart, Judgement, Part, Section, Table
from tempo.briefing.phrases import Noun, long_date, percents, spelled_dates
from tempo.briefing.wording import term, words_for_interval
from tempo.data.rounding import interval, number, percent
from tempo.forecasting.impact_days import LostDays
from tempo.forecasting.impact_elicited import chance_interval, days_interval, words_of

__all__ = ["assumed_range", "judge_operations", "operations_section"]


def operations_section(
    lost: LostDays,
    *,
    words: str = "icd203",
    prob: float = 0.9,
    beside: pd.DataFrame | None = None,
    overlap: str = "",
    chart: Chart | None = None,
) -> Section:
    """Write the section on operations.

    Parameters
    ----------
    lost : LostDays
        What ``tempo.impact`` gave for stand-downs; judgements speak of its last scenario, which is the mixture where it
        was made from ``Weights``.
    words : {"icd203", "phia"}, default "icd203"
        Vocabulary of likelihood.
    prob : float, default 0.9
        Probability of the intervals.
    beside : pandas.DataFrame, optional
        What ``OperationsTotals.beside`` gave: operations and attacks by period.
    overlap : str, optional
        What else happened at the time, as a sentence, so that no reader takes a fall in operations for an answer to
        attacks.
    chart : Chart, optional
        The drawing of ``tempo.plot_impact``.

    Returns
    -------
    Section
        Finished text: judgement, table, absorbable tempo, what is assumed, and what was seen.

    Examples
    --------
    >>> import numpy as np
    >>> import tempo
    >>> days = pd.date_range("2020-01-01", periods=100, freq="1D")
    >>> counts = pd.Series(np.arange(100) % 10 == 0, index=days, name="heavy strike").astype(int)
    >>> outlook = tempo.forecast(tempo.ConstantRate().fit(counts, rng=1), "60D", rng=1)
    >>> section = operations_section(tempo.impact(outlook, tempo.StandDown("10-30 %", "5-30 days"), rng=1))
    >>> section.title, len(section.parts)
    ('Operations', 4)
    """
    judgement = judge_operations(lost, words).sentence
    parts: list[Part] = [judgement, _table(lost, prob), _absorbable(lost, prob)]
    if chart is not None:
        parts.append(chart)
    parts.append(_points(lost, prob, overlap))
    if beside is not None:
        table = _totals(beside)
        if table is not None:
            parts.append(table)
    return Section("Operations", tuple(parts))


def judge_operations(lost: LostDays, words: str) -> Judgement:
    """Judge how probable it is that more than the stated share of days is lost.

    Parameters
    ----------
    lost : LostDays
        The result; the judgement speaks of its last scenario.
    words : {"icd203", "phia"}
        Vocabulary of likelihood.

    Returns
    -------
    Judgement
        With the lowest and highest probability of the scenarios taken one by one, where there are several.
    """
    *single, last = lost.scenarios
    chances = lost.table()["probability_over_share"].to_dict()
    found = term(float(chances[last]), words)
    too_many = math.floor(lost.share * lost.horizon_days)
    sentence = (
        f"{found.opening} that more than {number(too_many, 6)} of the {lost.horizon_days} days from "
        f"{long_date(lost.cutoff)} are lost to stand-downs"
    )
    low = high = None
    if single:
        low, high = (float(pick(chances[name] for name in single)) for pick in (min, max))
        sentence += (
            f", the scenarios weighed together; taken one by one they give {percents(low, high)}"
        )
    sentence += f". This rests on {_basis(lost)}."
    return Judgement(sentence, found, low, high, lost.horizon_days)


def _basis(lost: LostDays) -> str:
    if lost.status == "estimate":
        return "documented stand-downs more than on what was assumed of them"
    return "what is assumed of stand-downs more than on documented ones"


def _table(lost: LostDays, prob: float) -> Table:
    rows = tuple(
        (
            str(name),
            f"{number(row['median_days'], 6)} ({interval(row['low_days'], row['high_days'], digits=6)})",
            percent(row["probability_any"]),
            percent(row["probability_over_share"]),
        )
        for name, row in lost.table(prob).to_dict("index").items()
    )
    return Table(
        ("Scenario", "Days lost", "Any", f"Over {percent(lost.share)} of days"),
        rows,
        title=f"Operating days lost to stand-downs in {lost.horizon_days} days",
        note=(
            f"Days lost: middle value and {percent(prob)} interval. Any, over {percent(lost.share)}: probability that "
            f"any day, or more than that share of days, is lost. Every number is an {lost.status}, given its scenario."
        ),
        strong=(len(rows) - 1,) if len(rows) > 1 else (),
    )


def _absorbable(lost: LostDays, prob: float) -> str:
    rate = lost.absorbable(prob)
    noun = Noun.of(lost.label)
    gaps = interval(rate["low_gap_days"], rate["high_gap_days"], "days")
    return (
        f"The tempo that can be absorbed: in the long run more than {percent(lost.share)} of the days are lost when "
        f"{noun.many} come more often than one every {number(rate['median_gap_days'])} days "
        f"({percent(prob)} interval {gaps}; {lost.status})."
    )


def _points(lost: LostDays, prob: float, overlap: str) -> tuple[str, ...]:
    fit, noun = lost.model, Noun.of(lost.label)
    points = [spelled_dates(fit.describe(prob))]
    if fit.pending:
        points.append(
            f"{noun.counted(len(fit.pending)).capitalize()} shortly before {long_date(lost.cutoff)} may still lead to "
            "a stand-down; that is counted under every scenario."
        )
    if fit.going_on_days:
        points.append(
            f"{len(fit.going_on_days)} stand-downs had not ended on {long_date(lost.cutoff)}; what is left of them is "
            "counted under every scenario."
        )
    points.append(
        "Overlapping stand-downs cost a day once. The probability of a stand-down is taken to be the same for every "
        f"{noun.one}: if forces harden, or tire of stopping, the numbers are too high."
    )
    if overlap:
        points.append(overlap)
    return tuple(points)


def _totals(beside: pd.DataFrame) -> Table | None:
    seen = beside[beside["watched"]]
    if seen.empty:
        return None
    rows = tuple(
        (
            f"{long_date(pd.Timestamp(str(start)))} to {long_date(row['end'] - pd.Timedelta('1D'))}",
            number(row["total"], 6),
            number(row["per_month"]),
            number(row["attacks_per_month"]),
        )
        for start, row in zip(seen.index, seen.to_dict("records"), strict=True)
    )
    unit = beside.attrs.get("unit", "")
    return Table(
        ("Period", "Operations", "a month", "Attacks a month"),
        rows,
        title=f"Published operations ({unit}) beside attacks"
        if unit
        else "Published operations beside attacks",
        note="Periods are too long and too few to read a response from: agreement here proves nothing.",
    )


def assumed_range(lost: LostDays, others: list[LostDays], words: str = "icd203") -> str:
    """Say how the judgement moves when something else is assumed of stand-downs.

    Parameters
    ----------
    lost : LostDays
        The result of the page.
    others : list of LostDays
        The same attacks with other stand-downs.
    words : {"icd203", "phia"}, default "icd203"
        Vocabulary of likelihood.

    Returns
    -------
    str
        For each of the others what is assumed there and the probability, then the range of all.
    """
    name = lost.scenarios[-1]
    noun = Noun.of(lost.label)
    main = _said(lost)
    every, cases = [], []
    for one in (lost, *others):
        every.append(float(one.table()["probability_over_share"].to_dict()[name]))
        chance, days = _said(one)
        where = []
        if chance != main[0]:
            where.append(f"{percents(*chance)} of {noun.many} lead to a stand-down")
        if days != main[1]:
            where.append(f"a stand-down lasts {words_of(*days, 'days')}")
        if where:
            cases.append(f"{percent(every[-1])} where {' and '.join(where)}")
    low, high = min(every), max(every)
    return (
        f"Under other assumptions that probability is {'; '.join(cases)}. In all it is {percents(low, high)} "
        f"({words_for_interval(low, high, words)})."
    )


def _said(lost: LostDays) -> tuple[tuple[float, float], tuple[float, float]]:
    model = lost.model.model
    return chance_interval(model.probability), days_interval(model.duration)
