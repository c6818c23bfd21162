"""Tables of counts: never read as attacks, and read as counts with the right window, exposure and missing periods."""

from __future__ import annotations

import contextlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tempo
from tempo.data.readers import read_incidents
from tempo.errors import OptionError, ReadError, ReadWarning

WINDOW = ("2020-01-01", "2021-01-01")
DAYS = pd.date_range("2020-01-01", periods=10)


def frame(**columns) -> pd.DataFrame:
    return pd.DataFrame(columns)


@pytest.mark.parametrize(
    "table",
    [
        frame(
            date=["2020-01-01", "2020-02-01", "2020-03-01"],
            events=[14, 0, 20],
            fatalities=[3, 0, 9],
        ),
        frame(date=DAYS, attacks=[0, 0, 4, 0, 0, 1, 0, 0, 0, 2]),
        frame(date=DAYS, Num_Events=[2, 1, 4, 1, 3, 1, 1, 1, 1, 2]),
        frame(date=DAYS, n=[2, 1, 4, 1, 3, 1, 1, 1, 1, 2]),
        frame(date=DAYS[:4], anzahl_vorfälle=[2, 1, 4, 1]),
        frame(date=DAYS[:4], nombre_d_attaques=[2, 1, 4, 1]),
        frame(date=pd.date_range("2020-01-06", periods=5, freq="7D"), count=[2, 1, 4, 1, 2]),
        frame(date=np.repeat(DAYS[:4], 2), country=["A", "B"] * 4, events=[1, 2, 3, 1, 1, 1, 2, 2]),
        frame(Month=["January", "February"], Year=[2020, 2020], Country="A", Events=[3, 4]),
        frame(date=["2020-01", "2020-02"], incident_count=[5, 7]),
        frame(date=["2020-01-03", "2020-01-19", "2020-02-02"], attacks=[1, 5, 2]),
    ],
)
def test_a_table_of_counts_is_no_list_of_attacks(table):
    with pytest.raises(ReadError, match=r"table of counts.*read_counts"):
        read_incidents(table, window=WINDOW)


@pytest.mark.parametrize(
    "table",
    [
        frame(date=["2020-01-03", "2020-01-03", "2020-02-11"], n=[1, 1, 1]),
        frame(date=DAYS, events=[1] * 10),
        frame(date=["2020-01-03", "2020-01-03", "2020-02-11"], n=[4, 2, 7]),
        frame(date=["2020-01-03", "2020-01-05", "2020-02-11"], event_id=[4, 5, 7]),
        frame(date=DAYS, incident_number=range(1, 11)),
        frame(date=DAYS, nr=range(1, 11)),
        frame(date=DAYS, attack_type=range(3, 13)),
        frame(date=["2020-01-03", "2020-01-05", "2020-02-11"], attacks=["rocket", "ied", "ied"]),
        frame(date=["2020-01-03", "2020-01-05", "2020-02-11"], killed=[0, 5, 7]),
    ],
)
def test_lists_of_attacks_with_like_names_are_read(table):
    assert len(read_incidents(table, window=WINDOW)) == len(table)


def test_months_are_counted_as_they_stand():
    counts = tempo.read_counts(frame(month=["2020-01", "2020-02", "2020-03"], events=[14, 0, 20]))
    assert counts.tolist() == [14, 0, 20]
    assert (counts.freq, counts.window) == ("MS", tempo.Window("2020-01-01", "2020-04-01"))
    assert counts.exposure.tolist() == [1, 1, 1]


@pytest.mark.parametrize("blank", [True, False])
def test_a_period_without_a_count_is_missing_and_not_zero(blank):
    table = frame(
        date=["2020-01-01", "2020-02-01", "2020-03-01", "2020-04-01"], events=["3", "", "0", "5"]
    )
    table = table if blank else table[table["events"] != ""]
    with pytest.warns(ReadWarning, match="no count for 1 of 4 periods"):
        counts = tempo.read_counts(table)
    assert np.array_equal(counts.to_numpy(), [3, np.nan, 0, 5], equal_nan=True)
    assert counts.exposure.tolist() == [1, 0, 1, 1]
    assert counts.window.gaps == ((pd.Timestamp("2020-02-01"), pd.Timestamp("2020-03-01")),)


def test_groups_fatalities_and_one_group():
    table = frame(
        Country=["A", "A", "B", "B"],
        Month=["January", "February", "January", "February"],
        Year=2020,
        Events=[3, 0, 5, 7],
        Fatalities=[1, 0, 2, 9],
    )
    both = tempo.read_counts(table, {"group": "Country"})
    assert {name: counts.tolist() for name, counts in both.items()} == {"A": [3, 0], "B": [5, 7]}
    deaths = tempo.read_counts(table, {"group": "Country", "count": "Fatalities"}, group="B")
    assert deaths.tolist() == [2, 9]
    with pytest.raises(ReadError, match='"group": "Country"'):
        tempo.read_counts(table)
    with pytest.raises(OptionError, match="it has 'A', 'B'"):
        tempo.read_counts(table, {"group": "Country"}, group="C")


def test_a_window_that_cuts_a_period_gives_its_share():
    table = frame(date=["2020-01-01", "2020-02-01", "2020-03-01"], events=[4, 5, 2])
    with pytest.warns(ReadWarning, match="watched in part"):
        counts = tempo.read_counts(table, window=("2020-01-01", "2020-03-12"))
    assert counts.exposure.iloc[2] == pytest.approx(11 / 31)
    assert counts.watched_until == pd.Timestamp("2020-03-12")


def test_ends_of_months_are_refused_until_they_are_said_to_be_ends():
    table = frame(date=["2020-01-31", "2020-02-29", "2020-03-31"], events=[4, 5, 2])
    with pytest.raises(ReadError, match='labelled="end"'):
        tempo.read_counts(table)
    counts = tempo.read_counts(table, labelled="end")
    assert counts.index.strftime("%m-%d").tolist() == ["01-01", "02-01", "03-01"]


def test_weeks_labelled_by_their_last_day_begin_six_days_earlier():
    table = frame(date=["2020-01-12", "2020-01-19", "2020-01-26"], events=[4, 5, 2])
    counts = tempo.read_counts(table, labelled="end")
    assert counts.index[0] == pd.Timestamp("2020-01-06")
    assert counts.end == pd.Timestamp("2020-01-27")


@pytest.mark.parametrize(
    "table",
    [
        frame(date=["2020-01-01", "2020-02-01"], events=[1, -4]),
        frame(date=["2020-01-01", "2020-02-01"], events=["1", "x"]),
        frame(date=["2020-01-01", "2020-01-01", "2020-02-01"], events=[1, 4, 2]),
        frame(date=["2020-01-01", "2020-01-04", "2020-01-17", "2020-02-27"], events=[1, 4, 2, 2]),
        frame(date=["2020-01-01", "2020-02-01"], killed=[1, 4]),
    ],
)
def test_what_is_no_table_of_counts_is_refused(table):
    with pytest.raises(ReadError):
        tempo.read_counts(table)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["1D", "7D", "MS", "YS"]),
    st.lists(st.one_of(st.none(), st.integers(0, 500)), min_size=6, max_size=20),
    st.randoms(),
)
def test_counts_written_out_come_back(freq, values, random):
    """A regular series laid down by pandas, in any order of rows, is what is read."""
    values = [3, 2, 0, *values, 7]
    index = pd.date_range("2001-01-01", periods=len(values), freq=freq)
    table = frame(
        date=index.strftime("%Y-%m-%d"), attacks=["" if v is None else str(v) for v in values]
    )
    order = list(range(len(values)))
    random.shuffle(order)
    with pytest.warns(ReadWarning) if None in values else contextlib.nullcontext():
        counts = tempo.read_counts(table.iloc[order])
    expected = np.array([np.nan if v is None else v for v in values], dtype=float)
    assert np.array_equal(counts.to_numpy(dtype=float), expected, equal_nan=True)
    assert counts.index.equals(index.as_unit("us"))


@pytest.mark.parametrize(
    "model",
    [tempo.ConstantRate(), tempo.Changepoints(), tempo.Hawkes()],
    ids=lambda m: type(m).__name__,
)
def test_models_forecast_from_them_as_from_any_series(model):
    """The same counts handed over as a plain Series are the judge."""
    values = np.random.default_rng(3).poisson(4, size=40)
    days = pd.date_range("2020-01-06", periods=40, freq="7D")
    counts = tempo.read_counts(frame(date=days, attacks=values))
    key = {"method": "mle"} if isinstance(model, tempo.Hawkes) else {}
    drawn = [
        tempo.forecast(model.fit(data, rng=1, **key), "28D", rng=1).totals()
        for data in (counts, pd.Series(values, index=days))
    ]
    assert np.array_equal(*drawn)
