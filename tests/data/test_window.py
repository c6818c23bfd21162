"""The window against a day-by-day enumeration."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tempo.data.window import DAY, Window, as_date, unsaid
from tempo.errors import WindowError

ORIGIN = pd.Timestamp("2020-01-01")


@st.composite
def windows(draw):
    start = draw(st.integers(0, 30))
    length = draw(st.integers(1, 40))
    gaps = []
    for _ in range(draw(st.integers(0, 3))):
        low = draw(st.integers(start, start + length - 1))
        gaps.append((low, draw(st.integers(low + 1, start + length))))
    unwatched = {day for low, high in gaps for day in range(low, high)}
    watched = [day for day in range(start, start + length) if day not in unwatched]
    if not watched:
        gaps, watched = [], list(range(start, start + length))
    window = Window(
        ORIGIN + start * DAY,
        ORIGIN + (start + length) * DAY,
        [(ORIGIN + low * DAY, ORIGIN + high * DAY) for low, high in gaps],
    )
    return window, start, start + length, set(watched)


@given(windows(), st.lists(st.tuples(st.integers(-10, 90), st.integers(1, 20)), min_size=1))
@settings(max_examples=30, deadline=None)
def test_exposure_equals_enumeration(case, some_bins):
    window, start, end, watched = case
    starts = pd.DatetimeIndex([ORIGIN + a * DAY for a, _ in some_bins])
    ends = pd.DatetimeIndex([ORIGIN + (a + n) * DAY for a, n in some_bins])
    expected = [sum(day in watched for day in range(a, a + n)) / n for a, n in some_bins]
    np.testing.assert_allclose(window.exposure(starts, ends), expected, atol=1e-12)
    assert window.days == len(watched)
    assert window.length_days == end - start
    assert window.daily_exposure().tolist() == [float(day in watched) for day in range(start, end)]
    days = pd.DatetimeIndex([ORIGIN + day * DAY for day in range(-10, 90)])
    assert window.observed(days).tolist() == [day in watched for day in range(-10, 90)]
    assert [day in window for day in days] == [day in watched for day in range(-10, 90)]


@given(windows(), st.integers(-5, 80), st.integers(-5, 80))
@settings(max_examples=30, deadline=None)
def test_between_and_before_keep_exactly_the_watched_days(case, low, high):
    window, start, end, watched = case
    kept = {day for day in watched if low <= day < high}

    def cut():
        return window.between(ORIGIN + low * DAY, ORIGIN + high * DAY)

    if not kept:
        with pytest.raises(WindowError):
            cut()
        return
    part = cut()
    exposure = part.daily_exposure()
    assert {int((day - ORIGIN) / DAY) for day in exposure.index[exposure > 0]} == kept
    assert (part.start - ORIGIN) / DAY == max(start, low)
    assert (part.end - ORIGIN) / DAY == min(end, high)
    if high > start and {day for day in watched if day < high}:
        assert window.before(ORIGIN + high * DAY).days == len([d for d in watched if d < high])


def test_half_open_edges_and_times_of_day():
    window = Window("2020-01-01", "2020-01-03")
    assert "2020-01-01" in window
    assert "2020-01-02 23:59:59" in window
    assert "2020-01-03" not in window
    assert "2019-12-31 23:59:59.999999" not in window
    assert window.observed(pd.Series([pd.NaT, pd.Timestamp("2020-01-02")])).tolist() == [
        False,
        True,
    ]


def test_touching_and_overlapping_gaps_are_subtracted_once():
    gaps = [
        ("2020-01-04", "2020-01-06"),
        ("2020-01-02", "2020-01-04"),
        ("2020-01-03", "2020-01-05"),
    ]
    window = Window("2020-01-01", "2020-01-11", gaps)
    assert window.days == 6
    assert window == Window("2020-01-01", "2020-01-11", [("2020-01-02", "2020-01-06")])
    assert hash(window) == hash(Window.of(window))


@pytest.mark.parametrize(
    "value",
    [
        None, 20200312, 1.5, True, np.int64(0), np.float64(3), np.bool_(True), "", "today", "now", "12/03/2020",
        "2020-02-30", "2020-03-12T10:00", "2020-03-12T00:00Z", pd.NaT, "NaT", [2020], "99999-01-01",
        pd.Timestamp("2020-03-12", tz="Asia/Baghdad"), dt.datetime(2020, 3, 12, 4),
    ],
)  # fmt: skip
def test_what_is_no_calendar_date_is_refused(value):
    with pytest.raises(WindowError, match="the cut"):
        as_date(value, "the cut")


@pytest.mark.parametrize(
    "value",
    ["2020-03-12", dt.date(2020, 3, 12), np.datetime64("2020-03-12"), pd.Timestamp(2020, 3, 12),
     dt.datetime(2020, 3, 12)],
)  # fmt: skip
def test_dates_of_every_kind_are_one_day_in_microseconds(value):
    day = as_date(value)
    assert day == pd.Timestamp("2020-03-12")
    assert day.unit == "us"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Window("2020-01-02", "2020-01-02"), "empty"),
        (lambda: Window("2020-01-02", "2020-01-01"), "empty"),
        (lambda: Window("2020-01-01", "2020-02-01", [("2019-12-31", "2020-01-02")]), "outside"),
        (lambda: Window("2020-01-01", "2020-02-01", [("2020-01-05", "2020-01-05")]), "empty"),
        (lambda: Window("2020-01-01", "2020-02-01", ["2020-01-05"]), "pair"),
        (lambda: Window("2020-01-01", "2020-02-01", [("2020-01-01", "2020-02-01")]), "nothing"),
        (lambda: Window.of("2020-01-01"), "expected tempo.Window"),
        (lambda: Window.of(("2020-01-01",)), "expected tempo.Window"),
        (lambda: Window("2020-01-01", "2020-02-01").between("2020-02-01", "2020-03-01"), "nothing"),
        (lambda: Window("2020-01-01", "2020-02-01").before("2020-01-01"), "nothing"),
    ],
)
def test_windows_that_cannot_be(make, message):
    with pytest.raises(WindowError, match=message):
        make()


def test_repr_builds_the_window_again():
    window = Window("2020-01-01", "2020-02-01", [("2020-01-05", "2020-01-07")])
    assert eval(repr(window), {"Window": Window}) == window


@pytest.mark.parametrize(
    ("value", "stretch", "first"),
    [
        ("2020-03", "month", "2020-03-01"), ("2020/3", "month", "2020-03-01"), ("2020", "year", "2020-01-01"),
        (np.datetime64("2020-03"), "month", "2020-03-01"), (np.datetime64("2020"), "year", "2020-01-01"),
        (np.datetime64("2020-03-12", "W"), "week", "2020-03-12"),
    ],
)  # fmt: skip
def test_a_month_or_a_year_is_no_day(value, stretch, first):
    """September is not the first of September, which is what pandas makes of it."""
    assert unsaid(value) == stretch
    window = Window("2019-01-01", "2021-01-01")
    for read in (
        as_date,
        window.before,
        lambda date: Window("2019-01-01", date),
        lambda date: Window("2019-01-01", "2021-01-01", gaps=[(date, "2020-12-01")]),
        lambda date: date in window,
    ):
        with pytest.raises(
            WindowError, match=rf"a {stretch} and not a day. Give the day: '{first}'"
        ):
            read(value)


@pytest.mark.parametrize("value", ["2020-03-12", "20200312", dt.date(2020, 3, 1), "soon", None, 7])
def test_what_names_a_day_or_nothing_names_no_stretch(value):
    assert unsaid(value) == ""


def test_a_window_of_more_days_than_any_record_is_refused():
    """The limit is stated: the last length that is taken, and the first that is not."""
    assert Window("2000-01-01", pd.Timestamp("2000-01-01") + 100_000 * DAY).days == 100_000
    with pytest.raises(WindowError, match=r"has 100,001 days; the limit is 100,000"):
        Window("2000-01-01", pd.Timestamp("2000-01-01") + 100_001 * DAY)
    with pytest.raises(WindowError, match=r"limit is 100,000 .*mistyped"):
        Window("0001-01-01", "9999-01-01")
