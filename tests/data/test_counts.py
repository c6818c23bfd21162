"""Counting against pandas' own grouping, and what may and may not be done with counts."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tempo
from tempo.data.counts import Counts, as_counts, bins
from tempo.data.incidents import Incidents
from tempo.data.window import DAY, Window
from tempo.errors import DataError, OptionError

FREQUENCIES = ["1D", "3D", "7D", "W-MON", "W", "2W-WED", "MS", "2MS", "QS", "YS"]


def brute_force(dates, window, freq):
    """Counts and exposure, one day at a time."""
    days = window.daily_exposure()
    per_day = pd.Series(pd.DatetimeIndex(dates)).dt.normalize().value_counts()
    daily = per_day.reindex(days.index, fill_value=0) * days
    starts = bins(window.start, window.end, freq)
    ends = starts[1:].append(
        pd.DatetimeIndex([starts[-1] + pd.tseries.frequencies.to_offset(freq)])
    )
    values, shares = [], []
    for start, end in zip(starts, ends, strict=True):
        inside = (days.index >= start) & (days.index < end)
        shares.append(days[inside].sum() / ((end - start) / DAY))
        values.append(daily[inside].sum() if shares[-1] else np.nan)
    return starts, np.array(values, dtype=float), np.array(shares)


@given(
    st.lists(st.integers(-5, 130), max_size=40),
    st.integers(0, 40),
    st.integers(1, 80),
    st.lists(st.tuples(st.integers(0, 70), st.integers(1, 20)), max_size=2),
    st.sampled_from(FREQUENCIES),
)
@settings(max_examples=80, deadline=None)
def test_counts_equal_counting_day_by_day(days, start, length, some_gaps, freq):
    origin = pd.Timestamp("2019-11-20")
    low = origin + start * DAY
    gaps = [(low + a * DAY, low + min(a + n, length) * DAY) for a, n in some_gaps if a + 1 < length]
    try:
        window = Window(low, low + length * DAY, gaps)
    except ValueError:
        window = Window(low, low + length * DAY)
    dates = [origin + d * DAY + pd.Timedelta(hours=d % 24) for d in days]
    table = pd.DataFrame(
        {"date_start": pd.Series(dates, dtype="datetime64[us]"), "date_precision": "time"}
    )
    counts = Incidents(table, window).counts(freq)
    starts, values, shares = brute_force(dates, window, freq)
    assert counts.index.tolist() == starts.tolist()
    np.testing.assert_array_equal(counts.to_numpy(dtype=float), values)
    np.testing.assert_allclose(counts.exposure.to_numpy(), shares, atol=1e-12)
    assert counts.events == np.nansum(values)
    assert counts.bin_starts[0] <= window.start < counts.bin_ends[0]
    assert counts.bin_starts[-1] < window.end <= counts.end
    assert counts.dtype == (np.int64 if (shares > 0).all() else np.float64)
    assert (counts.bin_starts[1:] == counts.bin_ends[:-1]).all()
    assert counts.n_imputed == 0


@pytest.mark.parametrize("freq", ["MS", "YS", "QS"])
def test_whole_calendar_bins_equal_pandas_resample(freq):
    rng = np.random.default_rng(4)
    days = pd.Timestamp("2018-01-01") + pd.to_timedelta(rng.integers(0, 1096, 500), unit="D")
    counts = Incidents(pd.DataFrame({"date_start": days}), ("2018-01-01", "2021-01-01")).counts(
        freq
    )
    expected = pd.Series(1, index=days).resample(freq).sum()
    assert counts.tolist() == expected.tolist()
    assert counts.index.tolist() == expected.index.tolist()
    assert (counts.exposure == 1).all()


def test_weeks_equal_pandas_groupby_on_monday():
    rng = np.random.default_rng(5)
    days = pd.Timestamp("2020-01-06") + pd.to_timedelta(rng.integers(0, 140, 300), unit="D")
    counts = Incidents(pd.DataFrame({"date_start": days}), ("2020-01-06", "2020-05-25")).counts(
        "W-MON"
    )
    monday = days - pd.to_timedelta(days.day_of_week, unit="D")
    assert counts.to_dict() == pd.Series(1, index=days).groupby(monday).sum().to_dict()
    assert (counts.bin_starts.day_of_week == 0).all()
    sunday_first = Incidents(
        pd.DataFrame({"date_start": days}), ("2020-01-06", "2020-05-25")
    ).counts("W")
    assert sunday_first.exposure.iloc[0] == pytest.approx(6 / 7)  # the window began on a Monday


@pytest.mark.parametrize(
    "freq", ["12h", "1h", "36h", "0D", "-1D", "-1MS", "0MS", "ME", "YE", "B", "soon", "", None, 3]
)
def test_bins_that_cannot_be_are_refused(freq):
    with pytest.raises(OptionError, match="freq is"):
        bins(pd.Timestamp("2020-01-01"), pd.Timestamp("2020-02-01"), freq)


@pytest.fixture
def daily():
    dates = [f"2020-01-{day:02d}" for day in (1, 1, 2, 5, 9, 9, 9, 14)]
    window = Window("2020-01-01", "2020-01-21", [("2020-01-06", "2020-01-08")])
    return Incidents(pd.DataFrame({"date_start": dates}), window, label="raids", source="S").counts(
        "1D"
    )


@pytest.mark.parametrize(
    "cut",
    [
        lambda c: c.loc["2020-01-03":"2020-01-10"],
        lambda c: c.iloc[2:10],
        lambda c: c[2:10],
        lambda c: c.head(8).tail(6),
        lambda c: c[(c.index >= "2020-01-03") & (c.index < "2020-01-11")],
        lambda c: c.copy().iloc[2:10],
        lambda c: c.truncate("2020-01-03", "2020-01-10"),
        lambda c: c.before("2020-01-11").iloc[2:],
    ],
)
def test_slices_keep_exposure_and_names_and_are_accepted(daily, cut):
    part = as_counts(cut(daily))
    assert isinstance(part, Counts)
    assert (part.label, part.source, part.freq, part.window) == ("raids", "S", "1D", daily.window)
    pd.testing.assert_series_equal(part.exposure, daily.exposure[part.index])
    if len(part) == 8:
        assert part.exposure.tolist() == [1, 1, 1, 0, 0, 1, 1, 1]
        assert part.tolist()[2:3] == [1]


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c * 2,
        lambda c: c + 1,
        lambda c: 1 + c,
        lambda c: c.cumsum(),
        lambda c: c.shift(1, fill_value=0),
        lambda c: -c,
        lambda c: c > 0,
        lambda c: c.rolling(3, min_periods=1).sum(),
        lambda c: c.resample("2D").sum(),
        lambda c: c.fillna(0),
        lambda c: c[::2],
        lambda c: c.drop(c.index[3]),
        lambda c: c.sort_values(),
        lambda c: c.iloc[::-1],
        lambda c: c.clip(upper=1),
        lambda c: c.reindex(pd.date_range("2020-01-01", periods=30), fill_value=0),
        lambda c: c.diff(),
        lambda c: c.dropna(),
        lambda c: pd.concat([c.iloc[:4], c.iloc[4:]]),
        lambda c: c.map(lambda v: v + 1),
        lambda c: np.sqrt(c),
        lambda c: c.iloc[:0],
        lambda c: c.set_axis(c.index + pd.Timedelta("1D")),
        lambda c: c.where(c > 1, 0),
        lambda c: c.groupby(c.index.month).sum(),
    ],
)
def test_what_a_computation_made_of_counts_is_refused(daily, change):
    with pytest.raises(DataError):
        as_counts(change(daily))


def test_a_change_in_place_is_noticed_and_the_way_out_works(daily):
    changed = daily.copy()
    changed.iloc[3] = 7
    with pytest.raises(DataError, match=r"first: 2020-01-04: 7, counted 0"):
        as_counts(changed)
    assert daily.iloc[3] == 0
    again = as_counts(pd.Series(changed.to_numpy(), index=changed.index))
    assert again.iloc[3] == 7
    assert again.exposure.tolist() == daily.exposure.tolist()


def test_before_keeps_whole_bins_and_the_earlier_cut():
    weekly = Incidents(
        pd.DataFrame({"date_start": ["2020-01-03"]}), ("2020-01-01", "2020-03-01")
    ).counts("7D")
    assert weekly.before("2020-01-15").bin_ends[-1] == pd.Timestamp("2020-01-15")
    assert weekly.before("2020-01-14").bin_ends[-1] == pd.Timestamp("2020-01-08")
    assert weekly.before("2020-01-15").cutoff == pd.Timestamp("2020-01-15")
    assert weekly.before("2020-01-15").before("2020-02-15").cutoff == pd.Timestamp("2020-01-15")
    assert weekly.cutoff is None
    nothing = weekly.before("2020-01-02")
    assert len(nothing) == 0
    with pytest.raises(DataError, match="no bins"):
        _ = nothing.end


def test_fingerprint_follows_what_was_observed_and_nothing_else(daily):
    same = Incidents(
        pd.DataFrame({"date_start": daily.index.repeat(daily.fillna(0).astype(int))}),
        daily.window,
        label="other",
    ).counts("1D")
    assert same.fingerprint == daily.fingerprint == daily.copy().fingerprint
    others = [
        daily.iloc[1:],
        daily.iloc[:-1],
        as_counts(pd.Series(daily.fillna(0).to_numpy(), index=daily.index)),
    ]
    assert len({daily.fingerprint, *(other.fingerprint for other in others)}) == 4


@pytest.mark.parametrize(
    ("series", "message"),
    [
        (
            lambda i: pd.Series([1, -1, 2.5, np.inf], index=i),
            r"3 counts are not whole.*2020-01-02: -1.*2020-01-03: 2.5",
        ),
        (
            lambda i: pd.Series([1, 2, 3, 4], index=i.delete(1).append(i[-1:] + DAY)),
            "after 2020-01-01 comes 2020-01-03",
        ),
        (lambda i: pd.Series([1, 2, 3, 4], index=i[::-1]), "DatetimeIndex|regular|cannot be used"),
        (lambda i: pd.Series([1, 2, 3, 4], index=i.repeat(2)[:4]), "regular"),
        (lambda i: pd.Series([1, 2, 3, 4], index=i.tz_localize("UTC")), "time zone"),
        (lambda i: pd.Series([1, 2, 3, 4], index=i + pd.Timedelta("12h")), "time of day"),
        (
            lambda i: pd.Series([1, 2, 3, 4], index=pd.date_range("2020", periods=4, freq="h")),
            "time of day|cannot be used",
        ),
        (
            lambda i: pd.Series([1, 2, 3, 4], index=pd.date_range("2020", periods=4, freq="ME")),
            "by their start",
        ),
        (lambda i: pd.Series([1, 2, 3, 4], index=i.insert(0, pd.NaT)[:4]), "missing dates"),
        (lambda i: pd.Series(list("abcd"), index=i), "expected whole numbers"),
        (lambda i: pd.Series([1, 2]), "RangeIndex"),
        (lambda i: pd.Series([], index=i[:0], dtype=float), "no bins"),
        (lambda i: np.array([1, 2]), "ndarray"),
        (lambda i: Counts([1, 2, 3, 4], index=i), "lost their exposure"),
    ],
)
def test_bad_series_are_refused_with_bins_and_remedy(series, message):
    with pytest.raises(DataError, match=message):
        as_counts(series(pd.date_range("2020-01-01", periods=4, freq="D")))


@pytest.mark.parametrize(
    ("index", "freq"),
    [
        (pd.date_range("1851", periods=5, freq="YS"), "YS"),
        (pd.date_range("2020-01", periods=5, freq="MS"), "MS"),
        (pd.date_range("2020-01-01", periods=5, freq="7D"), "7D"),
        (pd.date_range("2020-01-01", periods=2, freq="7D"), "7D"),
        (pd.date_range("2020-01-01", periods=1), "1D"),
    ],
)
@pytest.mark.parametrize("forget", [True, False])
def test_plain_series_on_regular_bins_are_observed_where_they_have_values(index, freq, forget):
    values = np.arange(len(index), dtype=float)
    if len(index) > 2:
        values[1] = np.nan
    given = pd.Series(
        values, index=pd.DatetimeIndex(index.to_numpy()) if forget else index, name="raids"
    )
    if forget and len(index) == 2 and freq != "7D":
        return
    counts = as_counts(given)
    assert counts.exposure.tolist() == [0.0 if np.isnan(v) else 1.0 for v in values]
    assert counts.label == "raids"
    step = pd.tseries.frequencies.to_offset(freq)
    assert counts.end == index[-1] + step
    assert as_counts(counts) is counts or as_counts(counts).fingerprint == counts.fingerprint


@pytest.mark.parametrize("dtype", ["int8", "uint64", "float32", "Int64", "bool", "Float64"])
def test_counts_of_every_number_type(dtype):
    given = pd.Series([0, 1, 1], index=pd.date_range("2020", periods=3)).astype(dtype)
    assert as_counts(given).tolist() == [0, 1, 1]
    if dtype == "Int64":
        given.iloc[1] = pd.NA
        assert as_counts(given).exposure.tolist() == [1, 0, 1]


def test_a_hundred_thousand_incidents_are_quick():
    rng = np.random.default_rng(1)
    days = pd.Timestamp("2000-01-01") + pd.to_timedelta(rng.integers(0, 7000, 100_000), unit="D")
    table = pd.DataFrame(
        {
            "date_start": days,
            "killed": rng.poisson(1, 100_000),
            "munitions": rng.poisson(5, 100_000),
        }
    )
    table.loc[::7, "killed"] = np.nan
    begun = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        incidents = Incidents(table, ("2000-01-01", "2019-03-02"))
        chosen = incidents.where("killed > 0 or munitions >= 10").before("2015-01-01")
        counts = chosen.counts("1D")
    assert time.perf_counter() - begun < 5
    known = (table["killed"] > 0) | (table["munitions"] >= 10)
    assert counts.events == int((known & (table["date_start"] < "2015-01-01")).sum())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1e19, 1.0], "are above 1e.15"),
        ([np.inf, 1.0], "not whole numbers"),
        ([1j, 2j], "dtype complex"),
    ],
)
def test_numbers_that_are_no_counts_are_refused(values, message):
    index = pd.date_range("2020-01-01", periods=2, freq="1D")
    with pytest.raises(DataError, match=message):
        as_counts(pd.Series(values, index=index))


def test_watching_ends_with_the_window_not_with_the_last_bin():
    weekly = Incidents(
        pd.DataFrame({"date_start": pd.to_datetime(["2020-01-02", "2020-01-20"])}),
        ("2020-01-01", "2020-01-24"),
    ).counts("7D")
    assert weekly.end == pd.Timestamp("2020-01-29")
    assert weekly.watched_until == pd.Timestamp("2020-01-24")
    assert weekly.iloc[:2].watched_until == weekly.iloc[:2].end
    assert as_counts(pd.Series([1, 2, 3], index=weekly.index[:3])).watched_until.day == 22


@pytest.mark.parametrize("rule", ["W", "W-MON"])
def test_weeks_labelled_by_their_last_day_are_refused_with_the_remedy(rule):
    days = pd.date_range("2020-01-06", "2020-03-15")
    daily = pd.Series(np.where(days < pd.Timestamp("2020-02-10"), 0, 5), index=days)
    for weekly in (daily.resample(rule).sum(), daily.resample(rule, label="left").sum()):
        with pytest.raises(DataError, match=r"resample\('7D'\)"):
            tempo.ConstantRate().fit(weekly)
    right = daily.resample("W-MON", label="left", closed="left").sum().asfreq("7D")
    for weekly in (right, daily.resample("7D").sum()):
        fit = tempo.Changepoints(hazard=1 / 20, rate_prior=(1, 0.1)).fit(weekly)
        assert fit.segments["start"].tolist()[1:] == [pd.Timestamp("2020-02-10")]
