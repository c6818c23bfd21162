"""The axis of dates, from a day to a century."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tempo.figures.dates import DateLabels, DateTicks, date_axis, days, one_day, until


@example(1, 8, 4)  # eight days that neither hold two Mondays nor a first of the month
@given(st.integers(-20_000, 30_000), st.integers(1, 40_000), st.integers(4, 14))
def test_ticks_fit_and_lie_inside(first: int, length: int, most: int) -> None:
    ticks = DateTicks(most).tick_values(first, first + length)
    assert len(ticks) <= most
    assert all(first <= tick <= first + length for tick in ticks)
    assert all(float(tick).is_integer() for tick in ticks)
    assert len(ticks) >= 1
    steps = np.diff(ticks)
    assert len(steps) == 0 or steps.max() <= 1.35 * steps.min()


@pytest.mark.parametrize(
    ("start", "end", "first", "words"),
    [
        ("2020-03-01", "2020-03-15", "1 Mar\n2020", "3 Mar\n "),
        ("2020-03-01", "2020-06-15", "9 Mar\n2020", "23 Mar\n "),
        ("2019-05-01", "2020-12-31", "May\n2019", "Jan\n2020"),
        ("2001-01-01", "2021-01-01", "2005", "2010"),
    ],
)
def test_labels(start: str, end: str, first: str, words: str) -> None:
    low, high = one_day(pd.Timestamp(start)), one_day(pd.Timestamp(end))
    labels = DateLabels().format_ticks(DateTicks(10).tick_values(low, high))
    assert first in labels
    assert words in labels
    assert not any(":" in label for label in labels)


def test_weeks_begin_on_monday() -> None:
    low = one_day(pd.Timestamp("2020-03-01"))
    ticks = DateTicks(8).tick_values(low, low + 40)
    assert {pd.Timestamp("1970-01-01") + pd.Timedelta(days=tick) for tick in ticks} <= set(
        pd.date_range("2020-03-02", periods=8, freq="7D")
    )


def test_one_day_is_wide_enough_to_see() -> None:
    _, ax = plt.subplots()
    date_axis(ax, pd.Timestamp("2020-03-12"), pd.Timestamp("2020-03-12"))
    low, high = ax.get_xlim()
    assert high - low == 1
    ax.figure.canvas.draw()
    assert next(label.get_text() for label in ax.get_xticklabels()).startswith("12 Mar")


def test_until_speaks_of_both_days() -> None:
    assert until(pd.Timestamp("2021-01-01")) == "Data to 31 December 2020 (before 1 January 2021)"


def test_days_of_missing_dates_are_missing() -> None:
    assert np.isnan(days(pd.DatetimeIndex(["2020-01-01", None]))[1])
