"""Durations and rates in words, in every form that is promised and in many that are not."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from tempo.errors import OptionError, ScenarioError
from tempo.forecasting.spans import days_of, duration_interval, rate_interval

MONTH = 365.25 / 12


@pytest.mark.parametrize(
    ("value", "days"),
    [
        ("90D", 90), ("90d", 90), ("90 days", 90), ("1 day", 1), ("12W", 84), ("12 weeks", 84), (" 4 weeks ", 28),
        ("1 week", 7),
        ("48h", 2), (pd.Timedelta("3D"), 3), (dt.timedelta(days=3), 3), ("1W 2D", 9),
    ],
)  # fmt: skip
def test_durations(value, days):
    assert days_of(value) == days


@pytest.mark.parametrize(
    "value",
    [
        "0D",
        "-3D",
        "36h",
        "90",
        90,
        90.0,
        None,
        "3 months",
        "1M",
        "1Y",
        "",
        "soon",
        "NaT",
        pd.NaT,
        "inf",
        "1e30D",
        ["90D"],
    ],
)
def test_what_is_no_duration_is_refused(value):
    with pytest.raises(OptionError, match=r"horizon is .*12 weeks"):
        days_of(value)


@pytest.mark.parametrize(
    ("text", "shortest", "longest", "words"),
    [
        ("2-3 months", 2 * MONTH, 3 * MONTH, "one every 2 to 3 months"),
        ("every 2-3 months", 2 * MONTH, 3 * MONTH, "one every 2 to 3 months"),
        ("one every two to three months", 2 * MONTH, 3 * MONTH, "one every 2 to 3 months"),
        ("Once every TEN to Twelve Days", 10, 12, "one every 10 to 12 days"),
        ("2 – 3 weeks", 14, 21, "one every 2 to 3 weeks"),
        ("10.25 to 12.75 days", 10.25, 12.75, "one every 10.25 to 12.75 days"),
        ("1-2 years", 365.25, 730.5, "one every 1 to 2 years"),
        ("3-5 a week", 7 / 5, 7 / 3, "3 to 5 a week"),
        ("3-5 per week", 7 / 5, 7 / 3, "3 to 5 a week"),
        ("1 to 2 each month", MONTH / 2, MONTH, "1 to 2 a month"),
        ("one to two every month", MONTH / 2, MONTH, "1 to 2 a month"),
        ("0.5-1.5 a day", 1 / 1.5, 2, "0.5 to 1.5 a day"),
    ],
)
def test_rates_in_words(text, shortest, longest, words):
    said = rate_interval(text)
    assert said.high_per_day == pytest.approx(1 / shortest, rel=1e-12)
    assert said.low_per_day == pytest.approx(1 / longest, rel=1e-12)
    assert said.words == words


@pytest.mark.parametrize(
    "text",
    [
        "2 months", "monthly", "3-2 months", "2-2 months", "0-2 months", "-2-3 months", "2-3", "2-3 fortnights",
        "2-3 months!",
        "2-3 months or so", "nan-3 weeks", "1e1-2e1 days", "a few weeks", "", "2--3 weeks", "one 2-3 months",
        None, 3, ("a", "b"),
    ],
)  # fmt: skip
def test_words_that_are_no_rate_are_refused_with_the_forms(text):
    with pytest.raises(ScenarioError, match="2-3 months"):
        rate_interval(text)


def test_durations_of_phases():
    assert duration_interval("2-6 weeks") == (14, 42)
    assert duration_interval("two to six Weeks") == (14, 42)
    for text in ("2 weeks", "6-2 weeks", "every 2-6 weeks", "2-6 a week", None, 3):
        with pytest.raises(ScenarioError):
            duration_interval(text)
