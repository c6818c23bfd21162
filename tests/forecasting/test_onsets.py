"""Onsets in every form that is promised, and in many that are not; "March" is a day of March, not the first."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempo.errors import ScenarioError
from tempo.forecasting.onsets import begun, onset_words, said_onset
from tempo.forecasting.phases import Phase
from tempo.forecasting.scenarios import Scenario

NOW = pd.Timestamp("2020-03-12")
DAY = pd.Timedelta("1D")
PAST = pd.Series(1, index=pd.date_range("2019-06-01", NOW, freq="D", inclusive="left"))


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2020-03", "2020-03-01", "2020-03-31"), ("2020-02", "2020-02-01", "2020-02-29"),
        ("March 2020", "2020-03-01", "2020-03-31"), ("2020", "2020-01-01", "2020-12-31"),
        ("2019-12", "2019-12-01", "2019-12-31"), (np.datetime64("2020-03"), "2020-03-01", "2020-03-31"),
        (np.datetime64("2020"), "2020-01-01", "2020-12-31"), (pd.Period("2020-03"), "2020-03-01", "2020-03-31"),
        ("2020-03-12", "2020-03-12", "2020-03-12"), ("1 March 2020", "2020-03-01", "2020-03-01"),
        ("March 1, 2020", "2020-03-01", "2020-03-01"), ("2020-03-01T00:00", "2020-03-01", "2020-03-01"),
        (pd.Period("2020-03-12 14:00", freq="h"), "2020-03-12", "2020-03-12"), ("20200301", "2020-03-01", "2020-03-01"),
        (dt.date(2020, 3, 1), "2020-03-01", "2020-03-01"), (np.datetime64("2020-03-01"), "2020-03-01", "2020-03-01"),
        ("2020-03-01 to 2020-03-12", "2020-03-01", "2020-03-12"),
        ("from 2020-03-01 to 2020-03-12", "2020-03-01", "2020-03-12"),
        ("between 1 March 2020 and 12 March 2020", "2020-03-01", "2020-03-12"),
        ("2020-03-01 - 2020-03-12", "2020-03-01", "2020-03-12"), ("2020-03-01–2020-03-12", "2020-03-01", "2020-03-12"),
        ("2020-03 to 2020-05", "2020-03-01", "2020-05-31"), ("March 2020 to May 2020", "2020-03-01", "2020-05-31"),
        (("2020-03-01", "2020-03-12"), "2020-03-01", "2020-03-11"),
    ],
)  # fmt: skip
def test_dates_months_and_stretches(text, first, last):
    assert said_onset(text) == (pd.Timestamp(first), pd.Timestamp(last) + DAY)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("now", 0, 0), ("Now", 0, 0), ("30D", -30, -1), ("4 weeks", -28, -1), (pd.Timedelta("30D"), -30, -1),
        ("last 30 days", -30, -1), ("within the last 30 days", -30, -1), ("in the past two weeks", -14, -1),
        ("the last 2 months", -61, -1), ("within the next 30 days", 0, 29), ("in the next 2 weeks", 0, 13),
        ("in 2-6 weeks", 14, 42), ("in two to six weeks", 14, 42), ("in between 2 and 6 weeks", 14, 42),
        ("in 4 weeks", 21, 35), ("in about 4 weeks", 14, 42), ("in a day", 1, 1),
        ("6-10 weeks ago", -70, -42), ("4 weeks ago", -35, -21), ("about a week ago", -10, -4), ("a day ago", -1, -1),
    ],
)  # fmt: skip
def test_onsets_that_are_reckoned_from_now(text, first, last):
    said = said_onset(text)
    assert begun(said, NOW) == (NOW + first * DAY, NOW + (last + 1) * DAY)
    assert said_onset(said) == said  # what is stored is read back as the same
    assert onset_words(said).startswith("from ")
    told = Scenario.escalation(PAST, "x3 to x8", onset=text)
    assert told.phases[1].onset == begun(said, NOW)
    assert told.learned_until == min(
        NOW, NOW + first * DAY
    )  # nothing that may judge it was learned from


REFUSED = [
    "soon", "last month", "2 months", "next week", "in a while", "weeks ago", "ago", "in", "in 6-2 weeks", "0 days ago",
    "03/04/2020", "2020-13", "2020-02-30", "32 March 2020", "2020-03-12 to 2020-03-01", "2020-03-01 to soon",
    "between 2020-03-01 to 2020-03-12", "2020-03-12 14:00", "2020-03-12T00:00Z", "today", "early March 2020",
    "last 0 days", "in 2-6 weeks ago", "in 3 to 2 days", "", "3000 to 4000 years ago", "1799", f"in {'9' * 400} days",
]  # fmt: skip


@pytest.mark.parametrize(
    "text", [*REFUSED, 30, 3.5, True, pd.NaT, pd.Timestamp("2020-03-12", tz="UTC")]
)
def test_what_is_no_onset_is_refused_with_the_forms(text):
    with pytest.raises(
        ScenarioError, match=r"Accepted forms: 'now', .*'in 2-6 weeks', '6-10 weeks ago'"
    ):
        Phase.of("b", "3-5 a week", onset=text)


@pytest.mark.parametrize(
    ("pair", "why"),
    [
        (("2020-03", "2020-05"), "a month and not a day.*in words"), (("2020-03-01", "soon"), "not a date.*in words"),
        (("2020-03-01",), "two dates"), (("2020-03-01", "2020-03-01"), "empty"),
    ],
)  # fmt: skip
def test_pairs_that_are_no_stretch_are_refused(pair, why):
    with pytest.raises(ScenarioError, match=why):
        Phase.of("b", "3-5 a week", onset=pair)


DATES = st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1))


@given(DATES, st.integers(1, 400))
def test_the_words_of_a_stretch_say_the_same_stretch(first, length):
    onset = pd.Timestamp(first), pd.Timestamp(first) + length * DAY
    assert said_onset(onset) == said_onset(
        onset_words(onset).removeprefix("from a day ").removeprefix("from ")
    )


@given(
    st.integers(1, 3000),
    st.integers(0, 3000),
    st.sampled_from(["in {} to {} days", "{} to {} days ago"]),
)
def test_the_words_of_days_from_now_say_the_same_days(low, more, form):
    said = form.format(low, low + more)
    assert said_onset(said) == said
    first, stop = begun(said, NOW)
    assert (stop - first) / DAY == more + 1
    assert (first > NOW) == (stop > NOW) == form.startswith("in")


@given(st.text(max_size=25))
def test_any_text_is_an_onset_or_refused(text):
    message = ""
    try:
        said = said_onset(text)
    except ScenarioError as error:
        message = str(error)
    assert "Accepted forms" in message or onset_words(said)
