"""Durations and rates in words, in every form that is promised and in many that are not."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo.errors import OptionError, ScenarioError
from tempo.forecasting.amounts import DAYS_PER
from tempo.forecasting.said_rates import multiple_interval, rate_interval
from tempo.forecasting.spans import (
    chance_interval,
    count_interval,
    days_of,
    duration_interval,
    length_interval,
)

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
        "2 months", "bimonthly", "3-2 months", "2-2 months", "0-2 months", "-2-3 months", "2-3", "2-3 fortnights",
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
    for text in (
        "2",
        "0 weeks",
        "6-2 weeks",
        "2 or 4 weeks",
        "a to two weeks",
        "every 2-6 weeks",
        "2-6 a week",
        None,
        3,
    ):
        with pytest.raises(ScenarioError):
            duration_interval(text)


@pytest.mark.parametrize(
    ("text", "low", "high", "words"),
    [
        ("every 10 days", 1 / 12.5, 1 / 7.5, "one every 7.5 to 12.5 days"),
        ("one every 10 days", 1 / 12.5, 1 / 7.5, "one every 7.5 to 12.5 days"),
        ("about every 10 days", 1 / 15, 1 / 5, "one every 5 to 15 days"),
        ("4 a month", 3 / MONTH, 5 / MONTH, "3 to 5 a month"),
        ("about 4 a month", 2 / MONTH, 6 / MONTH, "2 to 6 a month"),
        ("Around four per month", 2 / MONTH, 6 / MONTH, "2 to 6 a month"),
        ("once a week", 0.75 / 7, 1.25 / 7, "0.75 to 1.25 a week"),
        ("twice a week", 1.5 / 7, 2.5 / 7, "1.5 to 2.5 a week"),
    ],
)
def test_a_single_number_is_read_as_give_or_take(text, low, high, words):
    said = rate_interval(text)
    assert (said.low_per_day, said.high_per_day) == pytest.approx((low, high), rel=1e-12)
    assert said.words == words


@pytest.mark.parametrize(
    ("text", "low", "high", "days"),
    [
        ("x3 to x8", 3, 8, None), ("×3-8", 3, 8, None), ("x3-8", 3, 8, None), ("3x to 8x", 3, 8, None),
        ("3 to 8 times", 3, 8, None), ("three to eight times the earlier rate", 3, 8, None),
        ("×3 to ×8 of the last year", 3, 8, 365), ("x1.5-2.5 of the last 6 months", 1.5, 2.5, 183),
        ("3 to 8 times the rate of the last 90 days", 3, 8, 90),
        ("half to a third", 1 / 3, 1 / 2, None), ("a third to a half", 1 / 3, 1 / 2, None),
        ("a tenth to a half of the past year", 0.1, 0.5, 365), ("10-30 %", 0.1, 0.3, None),
        ("10 % to 30 % of the last two weeks", 0.1, 0.3, 14), ("two thirds to three quarters", 2 / 3, 3 / 4, None),
    ],
)  # fmt: skip
def test_multiples_in_words(text, low, high, days):
    said = multiple_interval(text)
    assert (said.low, said.high) == pytest.approx((low, high), rel=1e-12)
    assert said.base_days == days


@pytest.mark.parametrize(
    "text",
    [
        "2-3 months",
        "3-5 a week",
        "3 to 8",
        "3",
        "5 times",
        "twice",
        "twice a week",
        "lots",
        "",
        None,
        5,
    ],
)
def test_what_is_no_multiple_is_left_to_others(text):
    assert multiple_interval(text) is None


@pytest.mark.parametrize("text", ["x8 to x3", "x0-3", "10 % to x3", "0-30 %", "x3 to x3"])
def test_multiples_that_are_no_range_are_refused(text):
    with pytest.raises(ScenarioError):
        multiple_interval(text)


def test_lengths_with_one_end_and_chances_and_tolls():
    assert length_interval("at least 30 days") == (30, float("inf"))
    assert length_interval("Up to two weeks") == length_interval("at most 14 days") == (0, 14)
    assert length_interval("2-6 weeks") == (14, 42)
    assert duration_interval("about 4 weeks") == (14, 42)
    assert chance_interval("10-30 %") == (0.1, 0.3, None)
    assert chance_interval("10 % to 30 % a month") == (0.1, 0.3, MONTH)
    assert chance_interval("5-10 % within two weeks") == (0.05, 0.1, 14)
    assert count_interval("1-6") == count_interval("one to six killed") == (1, 6)
    for read, wrong in (
        (length_interval, ["at least 0 days", "0 days", "at least", "at least 2-3 weeks", None]),
        (chance_interval, ["10-30", "30-10 %", "0-10 %", "50-100 %", "0 %", "100 %", "10", "10 or 30 %"]),
        (chance_interval, ["10-30 % a fortnight", 3]),
        (count_interval, ["6", "0-6", "6-1", "1.5-2", "1-6 wounded", None]),
    ):  # fmt: skip
        for text in wrong:
            with pytest.raises(ScenarioError):
                read(text)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("3-5 times a week", "3-5 a week"), ("3-5/week", "3-5 a week"), ("3 - 5 / Week", "3-5 a week"),
        ("3-5 attacks a week", "3-5 a week"), ("3–5 heavy strikes per week", "3-5 a week"),
        ("between 3 and 5 a week", "3-5 a week"), ("from 3 to 5 a week", "3-5 a week"),
        ("one or two a month", "1-2 a month"), ("1 or 2 incidents each month", "1-2 a month"),
        ("three times a week", "3 a week"), ("3 strikes a week", "3 a week"), ("a strike a week", "1 a week"),
        ("weekly", "1 a week"), ("daily", "1 a day"), ("Monthly", "1 a month"), ("yearly", "1 a year"),
        ("about weekly", "about 1 a week"), ("every week", "1 a week"), ("every day", "once a day"),
        ("every other day", "every 2 days"), ("one every other week", "every two weeks"),
        ("approximately 4 a month", "about 4 a month"), ("~4 a month", "about 4 a month"),
        ("~ 4/month", "about 4 a month"), ("about 4 attacks a month", "about 4 a month"),
        ("1 every 2-3 months", "2-3 months"), ("between 2 and 3 months", "2-3 months"),
        ("an attack every 2-3 months", "2-3 months"), ("one heavy strike every two to three months", "2-3 months"),
        ("1 per 10 days", "every 10 days"), ("one every about 10 days", "about every 10 days"),
        ("~ every 10 days", "about every 10 days"), ("2 every 4-6 weeks", "one every 2-3 weeks"),
        ("1-2 every 3 months", "1 to 2 per 3 months"), ("1-2 every 1 week", "1-2 a week"),
    ],
)  # fmt: skip
def test_other_words_for_the_same_rate(text, canonical):
    assert rate_interval(text) == rate_interval(canonical)


def test_a_number_in_some_time():
    said = rate_interval("1-2 every 3 months")
    assert (said.low_per_day, said.high_per_day) == pytest.approx((1 / 3 / MONTH, 2 / 3 / MONTH))
    assert said.words == "1 to 2 every 3 months"
    two = rate_interval("2 every 3 months")
    assert (two.low_per_day, two.high_per_day) == pytest.approx((0.5 / MONTH, 2.5 / 3 / MONTH))


@pytest.mark.parametrize(
    "text",
    [
        "3-5 deaths a week", "3-5 days a week", "1-2 every 2-3 months", "about 3-5 a week", "two or four a week",
        "about 1 every 2-3 months", "1-2 every about 3 months", "between 3 to 5 a week", "3 and 5 a week", "biweekly",
        "twice times a week", "twice weekly", "every", "a week", "a week a month", "/week", "3-5//week",
        "3-5 a 2 weeks", "six", "six to eight",
        "3-5aweek", "a few a week", "every other 2 days", "between 5 and 3 a week", "every 0 days", "3-5 every 0 days",
        "0 a week", "less than 3 a week", f"3-{'9' * 400} a week", "5 times", "once",
    ],
)  # fmt: skip
def test_words_that_are_no_rate_or_several_are_refused(text):
    with pytest.raises(ScenarioError, match=r"Accepted forms|Write"):
        rate_interval(text)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("double to triple", "x2 to x3"), ("x3 to x8 of last year", "x3 to x8 of the last year"),
        ("between x3 and x8", "x3 to x8"), ("from 3 to 8 times the earlier rate", "x3-8"),
        ("10 to 30 percent", "10-30 %"), ("10-30 per cent of last year", "10-30 % of the last year"),
        ("x5", "x3.75 to x6.25"), ("about x5", "x2.5 to x7.5"),
        ("5x of the last 6 months", "x3.75-6.25 of the last 6 months"),
        ("5 times the earlier rate", "x3.75 to x6.25"), ("double", "x1.5 to x2.5"),
        ("twice the earlier rate", "double"),
        ("half", "x0.375-0.625"), ("20 %", "15-25 %"), ("a tenth of the last year", "x0.075-0.125 of the last year"),
    ],
)  # fmt: skip
def test_other_words_for_the_same_multiple(text, canonical):
    said, meant = multiple_interval(text), multiple_interval(canonical)
    assert (said.low, said.high) == pytest.approx((meant.low, meant.high), rel=1e-12)
    assert (said.base_days, said.words) == (meant.base_days, meant.words)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("3 weeks", (15.75, 26.25)), ("30 days", (22.5, 37.5)), ("a week", (5.25, 8.75)),
        ("about a month", (MONTH / 2, MONTH * 1.5)), ("half a year", (365.25 * 3 / 8, 365.25 * 5 / 8)),
        ("~3 weeks", (10.5, 31.5)), ("between 2 and 6 weeks", (14, 42)), ("two or three weeks", (14, 21)),
        ("at least a month", (MONTH, float("inf"))), ("up to half a year", (0, 365.25 / 2)), ("at most a week", (0, 7)),
    ],
)  # fmt: skip
def test_lengths_in_more_words(text, days):
    assert length_interval(text) == pytest.approx(days, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "low", "high", "days"),
    [
        ("30 %", 0.225, 0.375, None), ("about 30 percent", 0.15, 0.45, None), ("10 to 30 percent", 0.1, 0.3, None),
        ("between 10 and 30 per cent", 0.1, 0.3, None), ("90 %", 0.875, 0.925, None), ("~90 %", 0.85, 0.95, None),
        ("30% a month", 0.225, 0.375, MONTH), ("20 percent in 2 weeks", 0.15, 0.25, 14),
    ],
)  # fmt: skip
def test_chances_in_more_words(text, low, high, days):
    said = chance_interval(text)
    assert said[:2] == pytest.approx((low, high), rel=1e-9)
    assert said[2] == days


ENDS = st.tuples(st.integers(1, 999), st.integers(1, 999)).filter(lambda ends: ends[0] < ends[1])
UNITS = st.sampled_from(["day", "week", "month", "year"])


GAPS = ["{}-{} {}s", "one every {} to {} {}s", "1 every {}-{} {}s", "an attack per {} to {} {}s"]
OFTEN = [
    "{} – {} a {}",
    "{}-{} per {}",
    "{}-{}/{}",
    "between {} and {} strikes each {}",
    "{}-{} times every {}",
]


@given(ENDS, UNITS, st.sampled_from(GAPS + OFTEN))
def test_every_form_is_the_same_interval(ends, unit, form):
    days = DAYS_PER[unit]
    said = rate_interval(form.format(*ends, unit))
    low, high = (
        (ends[0] / days, ends[1] / days)
        if form in OFTEN
        else (1 / ends[1] / days, 1 / ends[0] / days)
    )
    assert (said.low_per_day, said.high_per_day) == pytest.approx((low, high), rel=1e-12)


@given(
    ENDS,
    UNITS,
    st.integers(1, 50),
    st.sampled_from(
        [
            *GAPS,
            *OFTEN,
            "{}-{} every {n} {}s",
            "{n} every {}-{} {}s",
            "{n} a {2}",
            "{0} every {n} {2}s",
        ]
    ),
)
def test_the_words_of_a_rate_say_the_same_rate(ends, unit, n, form):
    said = rate_interval(form.format(*ends, unit, n=n))
    again = rate_interval(said.words)
    assert (again.low_per_day, again.high_per_day) == pytest.approx(
        (said.low_per_day, said.high_per_day), rel=1e-5
    )
    assert again.words == said.words


@given(
    st.floats(0.01, 50).map(lambda x: round(x, 3)),
    st.floats(1.01, 20),
    st.sampled_from([None, "year", "6 months", "10 days"]),
)
def test_the_words_of_a_multiple_say_the_same_multiple(low, ratio, base):
    high = round(low * ratio + 0.001, 3)
    said = multiple_interval(
        f"x{low} to x{high}" + ("" if base is None else f" of the last {base}")
    )
    again = multiple_interval(said.words)
    assert (again.low, again.high) == pytest.approx((said.low, said.high), rel=1e-5)
    assert again.base_days == said.base_days


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_with_a_message(text):
    for read in (
        rate_interval,
        multiple_interval,
        length_interval,
        chance_interval,
        count_interval,
    ):
        said = ""
        try:
            read(text)
        except ScenarioError as error:
            said = str(error)
        assert not said or len(said) > 30
