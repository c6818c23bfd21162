"""What the briefing says of deaths and of operations: learned from what is counted, and no more than that."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pandas as pd
import pytest

import tempo
from tempo.briefing.analysis import analyse
from tempo.briefing.findings import find
from tempo.briefing.layout import Table
from tempo.data.rounding import percent
from tempo.errors import TempoWarning

AS_OF = "2020-03-12"
QUESTION = "How deadly?"
FAST = {"draws": 1000, "rng": 7}


def results(rule: str, **options):
    every = tempo.load_dataset("iraq-coalition")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TempoWarning)
        past = every.where(rule, label="heavy strike").before(AS_OF)
        return analyse(past, as_of=AS_OF, incidents=every, **options, **FAST)


@pytest.fixture(scope="module")
def heavy():
    return results(
        "killed > 0 or munitions >= 10",
        stand_down=tempo.StandDown("10-30 %", "5-30 days"),
        operations=tempo.OperationsTotals.load("iraq-coalition", "cjtf_oir_strikes_derived"),
    )


def test_how_long_until_the_next_record(heavy) -> None:
    text = find(heavy, question=QUESTION).section("How deadly").parts[0]
    wait = heavy.years_ahead.time_to_next(prob=0.9, deaths=heavy.lethality.record + 1)
    assert f"a new record takes {wait.low_days:.0f} days to more than 10 years" in text
    assert np.isinf(wait.high_days)
    assert heavy.years_ahead.draws == 2_000


def test_a_rule_that_looks_at_deaths_is_named(heavy) -> None:
    section = find(heavy, question=QUESTION).section("How deadly")
    assert section.parts[0].startswith("The next heavy strike kills anyone with probability")
    assert any("hold for attacks that meet the rule" in str(part) for part in section.parts)


def test_under_a_rule_that_asks_for_deaths_attacks_and_deaths_are_as_probable() -> None:
    lethal = results("killed > 0")
    section = find(lethal, question=QUESTION).section("How deadly")
    assert section.parts[0].startswith("Each of the heavy strikes kills someone, by the counting")
    for days in (30, 60, 90):
        attacks = lethal.mixture.probability(1, f"{days}D")
        assert lethal.mixture.probability_deaths(1, f"{days}D") == attacks


def test_a_rule_that_leaves_out_small_tolls_says_nothing_of_deaths() -> None:
    few = results("killed >= 2")
    assert few.lethality is None
    notice = next(n for n in find(few, question=QUESTION).notices if "how deadly" in n)
    assert notice.endswith("how often there are fewer cannot be learned from them.")
    assert "tempo." not in notice


def test_operations_are_judged_on_page_one(heavy) -> None:
    found = find(heavy, question=QUESTION)
    judgement = found.judgements[-1]
    lost, _ = heavy.lost
    chances = lost.table()["probability_over_share"]
    assert f"({percent(float(chances.iloc[-1]))}) that more than 22 of the 90" in judgement.sentence
    assert (judgement.low, judgement.high) == (chances.iloc[:-1].min(), chances.iloc[:-1].max())
    assert found.section("Operations").parts[0] == judgement.sentence


def test_operations_stand_beside_attacks_for_periods_that_had_ended(heavy) -> None:
    tables = [
        p
        for p in find(heavy, question=QUESTION).section("Operations").parts
        if isinstance(p, Table)
    ]
    assert tables[-1].title.startswith("Published operations")
    assert [row[0].split(" to ")[0] for row in tables[-1].rows] == [
        "1 May 2019",
        "1 September 2019",
        "1 December 2019",
        "1 January 2020",
    ]
    assert (heavy.operations["end"] <= pd.Timestamp(AS_OF)).all()


def test_an_odds_mark_that_is_passed_is_said_to_be(heavy) -> None:
    odds = pd.Series([0.97, 0.03], index=heavy.weights.probabilities.index)
    sure = dataclasses.replace(heavy.weights, probabilities=odds)
    said = find(dataclasses.replace(heavy, weights=sure), question=QUESTION)
    decision = said.section("Indicators: what would change our mind").parts[-1]
    assert f"The {odds.index[0]} scenario has passed the mark of 90 % already (97 %)" in decision


def test_many_attacks_are_not_simulated_for_ten_years() -> None:
    days = pd.date_range("2020-01-01", periods=200)
    table = pd.DataFrame({"date_start": days.repeat(30), "killed": [0.0, 0, 1] * 2000})
    busy = tempo.Incidents(table, ("2020-01-01", days[-1] + pd.Timedelta("1D")), label="attacks")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TempoWarning)
        found = analyse(busy, as_of=days[-1] + pd.Timedelta("1D"), horizon="9D", **FAST)
    assert 300 < found.years_ahead.bin_days.sum() < 340
