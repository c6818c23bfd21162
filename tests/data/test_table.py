"""The canonical table: what is accepted, what is refused, and that nothing of the user's is changed."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from tempo.data.table import COLUMNS, canonical, latest_onset
from tempo.errors import DataError


def test_columns_come_in_order_with_types_and_other_columns_after_them():
    given = pd.DataFrame(
        {
            "mine": ["a", "b"],
            "killed": ["3", None],
            "id": [2, 1],
            "date_start": ["2020-02-01", "2020-01-01"],
            7: [1, 2],
        },
        index=[9, 9],
    )
    before = given.copy()
    table = canonical(given)
    pd.testing.assert_frame_equal(given, before)
    assert table.columns.tolist() == [
        "id",
        "date_start",
        "date_end",
        "date_precision",
        "killed",
        "mine",
        "7",
    ]
    assert [name for name in COLUMNS if name in table] == table.columns.tolist()[:5]
    assert table["id"].tolist() == [1, 2]
    assert table.index.tolist() == [0, 1]
    assert str(table["date_start"].dtype) == str(table["date_end"].dtype) == "datetime64[us]"
    assert table["killed"].isna().tolist() == [True, False]  # blank is not zero
    assert table["date_precision"].tolist() == ["day", "day"]


def test_rows_of_one_day_keep_the_order_of_the_file():
    table = canonical(
        pd.DataFrame({"date_start": ["2020-01-02", "2020-01-01"] * 50, "n": range(100)})
    )
    assert table["n"].tolist() == [*range(1, 100, 2), *range(0, 100, 2)]


@pytest.mark.parametrize(
    "dates",
    [
        ["2020-01-01", "2020-01-02T10:30"],
        [dt.date(2020, 1, 1), dt.datetime(2020, 1, 2, 10, 30)],
        [pd.Timestamp("2020-01-01"), "2020-01-02 10:30:00"],
        pd.DatetimeIndex(["2020-01-01 00:00", "2020-01-02 10:30"]).as_unit("ns"),
        pd.DatetimeIndex(["2020-01-01 00:00", "2020-01-02 10:30"]).as_unit("s"),
    ],
)
def test_dates_of_every_kind(dates):
    table = canonical(pd.DataFrame({"date_start": dates}))
    assert table["date_start"].tolist() == [
        pd.Timestamp("2020-01-01"),
        pd.Timestamp("2020-01-02 10:30"),
    ]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"date_start": [2019, 2020]}, "holds numbers"),  # would be nanoseconds after 1970
        ({"date_start": ["03/04/2020"]}, "year first"),  # March or April
        ({"date_start": ["2020-02-30"]}, "year first"),
        ({"date_start": [None, "2020-01-01"]}, "have no date .first: row 0"),
        ({"date_start": ["2020-01-01"], "date_end": [None]}, "have no date"),
        ({"date_start": ["2020-01-02"], "date_end": ["2020-01-01"]}, "end before they start"),
        ({"date_start": ["2020-01-01T00:00Z"]}, "time zone"),
        ({"date_start": ["2020-01-01"], "killed": ["many"]}, "not numbers .first: row 0: 'many'"),
        ({"date_start": ["2020-01-01"], "killed": [np.inf]}, "not numbers"),
        ({"date_start": ["2020-01-01"] * 2, "killed": [1, -99]}, "negative .first: row 1: -99"),
        ({"date_start": ["2020-01-01"], "date_precision": ["decade"]}, "row 0: 'decade'"),
        ({"date_start": ["2020-01-01"], "reported_at": [20200101]}, "holds numbers"),
        ({"when": ["2020-01-01"]}, "no column 'date_start'"),
    ],
)
def test_what_cannot_be_is_refused_with_the_first_rows(columns, message):
    with pytest.raises(DataError, match=message):
        canonical(pd.DataFrame(columns))


def test_repeated_columns_and_other_objects_are_refused():
    with pytest.raises(DataError, match="several columns named 'killed'"):
        canonical(pd.DataFrame([["2020-01-01", 1, 2]], columns=["date_start", "killed", "killed"]))
    with pytest.raises(DataError, match="expected a pandas DataFrame"):
        canonical([{"date_start": "2020-01-01"}])


def test_wrong_rows_are_named_even_when_labels_repeat():
    given = pd.DataFrame({"date_start": ["2020-01-01"] * 3, "killed": [1, -1, -2]}, index=[5, 5, 5])
    with pytest.raises(
        DataError, match=r"2 values of 'killed' are negative .first: row 5: -1; row 5: -2"
    ):
        canonical(given)


@pytest.mark.parametrize(
    "empty", [pd.DataFrame({"date_start": []}), pd.DataFrame(columns=["date_start", "killed"])]
)
def test_no_rows_are_a_table_too(empty):
    table = canonical(empty)
    assert len(table) == 0
    assert str(table["date_start"].dtype) == "datetime64[us]"


def test_latitude_may_be_negative_and_onset_depends_on_precision():
    table = canonical(
        pd.DataFrame(
            {
                "date_start": ["2020-01-01"] * 6,
                "date_end": ["2020-01-09"] * 6,
                "date_precision": ["time", "day", "days", "week", None, "year"],
                "latitude": [-33.0] * 6,
            }
        )
    )
    late = latest_onset(table).dt.day.tolist()
    assert late == [1, 1, 9, 9, 1, 9]
    assert (table["latitude"] == -33).all()
