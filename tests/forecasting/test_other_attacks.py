"""Scenarios that learned from other attacks than those that judge them are named; the same attacks never are."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import tempo
from tempo.data.incidents import Incidents
from tempo.errors import OtherAttacksWarning
from tempo.forecasting.other_attacks import other_attacks
from tempo.forecasting.phases import Phase
from tempo.forecasting.scenarios import Scenario
from tempo.forecasting.weighing import weigh

RARE = Scenario.every("1-2 months", name="rare")


@pytest.fixture(scope="module")
def attacks():
    rng = np.random.default_rng(3)
    first = pd.Timestamp("2020-01-01") + pd.to_timedelta(
        np.sort(rng.integers(0, 300, 90)), unit="D"
    )
    table = pd.DataFrame({"date_start": first, "killed": rng.choice([0, 1], 90, p=[0.8, 0.2])})
    return Incidents(table, ("2020-01-01", "2020-10-27"), label="raid")


def test_another_counting_rule_is_named_and_warned_of(attacks):
    deadly = attacks.where("killed > 0")
    wrong, right = Scenario.escalation(attacks), Scenario.escalation(deadly)
    before = attacks.counts("1D")[:270]
    with pytest.warns(OtherAttacksWarning, match="scenario.about"):
        weights = weigh(deadly, [RARE, wrong], rng=1)
    assert (
        f"'escalation' learned from {before.sum():.0f} attacks in the 270 observed"
        in weights.notes[0]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        weights.sensitivity()  # said once
        told = weigh(deadly, [RARE, right], rng=1)
        about = weigh(deadly, [RARE, wrong.about(deadly)], rng=1)
    assert told.probabilities.to_list() == about.probabilities.to_list()
    assert not any("other attacks" in note for note in told.notes)
    with pytest.warns(OtherAttacksWarning):  # the other way round, and by its base alone
        weigh(attacks, [RARE, right], rng=1)
    base = [
        Phase.of("said", "1-2 a week"),
        Phase.of("up", "x2 to x4 of the last 90 days", onset="30D"),
    ]
    with pytest.warns(OtherAttacksWarning, match="in the 90 observed"):
        weigh(attacks, [RARE, Scenario.of_phases("based", base, deadly)], rng=1)


def test_the_same_attacks_over_another_window_with_other_dates_or_late_reports_are_not_named(
    attacks,
):
    whole, days = Scenario.escalation(attacks), attacks.counts("1D")
    for past in (
        attacks,
        days,
        days[200:],  # the record begins later than what was learned from
        days[290:],  # and holds none of it
        attacks.before("2020-10-01"),  # what was learned later is learned again
        pd.Series([*days, *[0.0] * 40], pd.date_range("2020-01-01", periods=340)),
    ):
        assert other_attacks([whole, RARE], past) == ()
    # The record begins earlier.
    assert other_attacks([Scenario.escalation(days[100:])], days) == ()
    vague = attacks.table.assign(date_end=attacks.table["date_start"] + pd.Timedelta("6D"))
    vague = Incidents(vague, ("2020-01-01", "2020-10-27"))
    assert other_attacks([Scenario.escalation(vague)], vague) == ()
    assert other_attacks([Scenario.escalation(vague)], vague.before("2020-10-20")) == ()
    late = attacks.table.assign(reported_at=attacks.table["date_start"] + pd.Timedelta("40D"))
    late = Incidents(late, ("2020-01-01", "2020-10-27"))
    early = Scenario.escalation(late.before("2020-09-01"))
    assert other_attacks([early], late) == ()


def test_a_fit_and_what_was_said_are_not_compared(attacks):
    fit = tempo.ConstantRate().fit(attacks.before("2020-09-01"))
    assert other_attacks([RARE, Scenario.continuation(fit)], attacks.where("killed > 0")) == ()
