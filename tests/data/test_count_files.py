"""Tables of numbers by period: never taken for attacks, and read as counts with what is missing missing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tempo
from tempo.data.count_files import looks_like_counts
from tempo.errors import DataError, OptionError, ReadError, ReadWarning

MONTHS = pd.DataFrame(
    {
        "month": ["2020-01", "2020-02", "2020-03"] * 2,
        "country": ["Iraq"] * 3 + ["Syria"] * 3,
        "events": [14, 0, 20, 1, 2, 3],
        "fatalities": [3, 0, 9, 0, 1, 0],
    }
)


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"date": ["2020-01-01", "2020-02-01", "2020-03-01"], "events": [14, 0, 20]}),
        pd.DataFrame({"date": ["2020-01-01", "2020-02-01", "2020-03-01"], "n": [14, 3, 20]}),
        pd.DataFrame(
            {
                "date": pd.date_range("2020-01-01", periods=10),
                "attacks": [0, 0, 4, 0, 0, 1, 0, 0, 0, 2],
            }
        ),
        pd.DataFrame(
            {"date": pd.date_range("2020-01-06", periods=8, freq="7D"), "num_events": range(8)}
        ),
        MONTHS.rename(columns={"month": "date"}),
    ],
)
def test_a_table_of_counts_is_no_list_of_attacks(table):
    with pytest.raises(ReadError, match=r"tempo\.read_counts"):
        tempo.read_incidents(table, window=("2020-01-01", "2020-04-01"))


@pytest.mark.parametrize(
    "columns",
    [
        {"date": ["2020-01-03", "2020-01-09", "2020-02-01"], "n": [2, 5, 1]},  # of rockets, say
        {"date": ["2020-01-03", "2020-01-03", "2020-02-01"], "events": [1, 1, 1]},
        {"date": pd.date_range("2020-01-01", periods=3).astype(str), "total": [2.5, 1.0, 1.0]},
        {"date": ["2020-01-03", "2020-01-03", "2020-01-04", "2020-01-05"], "count": [3, 2, 2, 2]},
    ],
)
def test_a_list_of_attacks_with_such_a_column_is_one(columns):
    table = pd.DataFrame(columns).astype(str)
    assert looks_like_counts(table, "date") == ""


def test_numbers_by_month_and_country_are_read(tmp_path):
    file = tmp_path / "months.csv"
    MONTHS.to_csv(file, index=False)
    with pytest.raises(ReadError, match=r"several rows for 2020-01-01.*country == 'Iraq'"):
        tempo.read_counts(file)
    counts = tempo.read_counts(file, where="country == 'Syria'")
    assert (counts.tolist(), counts.freq) == ([1, 2, 3], "MS")
    deaths = tempo.read_counts(file, {"count": "fatalities"}, where="country loosely == 'IRAQ'")
    assert deaths.tolist() == [3, 0, 9]
    outlook = tempo.forecast(tempo.ConstantRate().fit(counts), "61D", rng=1)
    assert 0.9 < outlook.probability(1, "61D") <= 1
    with pytest.raises(ReadError, match=r"no row of months\.csv matches"):
        tempo.read_counts(file, where="country == 'Iran'")
    with pytest.raises(OptionError, match="no column 'attacks'"):
        tempo.read_counts(file, {"count": "attacks"})


def test_a_period_without_a_row_is_missing_and_not_zero():
    weeks = pd.DataFrame({"week": ["2020-01-06", "2020-01-13", "2020-02-03"], "attacks": [2, 0, 5]})
    with pytest.warns(ReadWarning, match="2 of 5 periods have no row"):
        counts = tempo.read_counts(weeks)
    assert counts.exposure.tolist() == [1, 1, 0, 0, 1]
    assert np.isnan(counts.to_numpy(dtype=float)[2:4]).all()
    assert counts.freq == "7D"
    blank = pd.DataFrame({"year": ["2001", "2002", "2003"], "events": ["4", "", "6"]})
    assert tempo.read_counts(blank).exposure.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"when": ["2020-01-01"], "events": [1]}, "no column is known as the date"),
        (
            {"date": ["2020-01-01", "2020-01-02"], "weight": [1, 2]},
            "no column is known as the count",
        ),
        ({"date": ["2020-01-01", "soon"], "events": [1, 2]}, "row 1: 'soon'"),
        (
            {"date": ["2020-01-01", "2020-01-04", "2020-01-09"], "events": [1, 2, 2]},
            "read_incidents",
        ),
    ],
)
def test_what_is_no_table_of_counts_says_why(table, message):
    with pytest.raises(ReadError, match=message):
        tempo.read_counts(pd.DataFrame(table))


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
