"""Reading files of one's own: dates, numbers, problems in one report, and every kind of bad file."""

from __future__ import annotations

import json
import os
import pickle
import time
import warnings
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tempo.data.problems import PROBLEM_COLUMNS
from tempo.data.readers import check_file, read_incidents
from tempo.data.window import Window
from tempo.errors import OptionError, ReadError, ReadWarning, TempoError, WindowError

WINDOW = ("2020-01-01", "2021-01-01")


def first_day(incidents) -> str:
    return f"{incidents.table['date_start'].iloc[0]:%Y-%m-%d}"


def errors(caught) -> set[tuple[object, str]]:
    frame = caught.value.problems
    frame = frame[frame["severity"] == "error"]
    return set(zip(frame["row"], frame["column"], strict=True))


# -- the same table in every kind of file ----------------------------------------------------------------------


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "date": ["2020-01-26", "2020-03-11", "2020-03-14"],
            "deaths": [0, 3, None],
            "place": ['Bağdat, "Green Zone"', "Taji", "تاجي"],
            "extra": ["a", "", "c"],
        }
    )


@pytest.mark.parametrize(
    "kind",
    [
        "csv",
        "tsv",
        "semicolons",
        "bom",
        "utf-16",
        "crlf",
        "xlsx",
        "parquet",
        "jsonl",
        "json",
        "frame",
    ],
)
def test_every_kind_of_file_gives_the_same_incidents(table, tmp_path, kind):
    suffix = {
        "tsv": "tsv",
        "xlsx": "xlsx",
        "parquet": "parquet",
        "jsonl": "jsonl",
        "json": "json",
    }.get(kind, "csv")
    path = tmp_path / f"events.{suffix}"
    match kind:
        case "tsv":
            table.to_csv(path, sep="\t", index=False)
        case "semicolons":
            table.to_csv(path, sep=";", index=False)
        case "bom":
            table.to_csv(path, index=False, encoding="utf-8-sig")
        case "utf-16":
            table.to_csv(path, sep="\t", index=False, encoding="utf-16")
        case "crlf":
            table.to_csv(path, index=False, lineterminator="\r\n")
        case "xlsx":
            table.assign(date=pd.to_datetime(table["date"])).to_excel(path, index=False)
        case "parquet":
            table.assign(date=pd.to_datetime(table["date"])).to_parquet(path)
        case "jsonl":
            table.to_json(path, orient="records", lines=True)
        case "json":
            table.to_json(path, orient="records")
        case _:
            table.to_csv(path, index=False)
    incidents = read_incidents(table if kind == "frame" else path, window=WINDOW)
    got = incidents.table
    assert got["date_start"].dt.strftime("%Y-%m-%d").tolist() == table["date"].tolist()
    assert got["killed"].tolist()[:2] == [0, 3]
    assert np.isnan(got["killed"].iloc[2])
    assert got["place"].tolist() == table["place"].tolist()
    assert got["extra"].iloc[0] == "a"
    assert got["date_start"].dtype == "datetime64[us]"
    assert any(
        "date_start = 'date', killed = 'deaths'" in rule for rule in incidents.problems["rule"]
    )
    assert set(incidents.problems["severity"]) == {"note"}


def test_a_frame_is_not_changed_and_its_types_are_kept():
    frame = pd.DataFrame(
        {"flag": [True, False], "killed": [1, 2]},
        index=pd.DatetimeIndex(["2020-02-01", "2020-02-02"], name="date"),
    )
    before = frame.copy(deep=True)
    got = read_incidents(frame, window=WINDOW).table
    pd.testing.assert_frame_equal(frame, before)
    assert got["flag"].dtype == bool
    assert first_day(read_incidents(frame, window=WINDOW)) == "2020-02-01"


def test_replies_of_interfaces_are_unwrapped(ucdp, acled, written):
    for rows, key in ((ucdp(), "Result"), (acled(), "data")):
        reply = json.dumps({"TotalCount": 3, key: rows.to_dict("records")})
        assert len(read_incidents(written(reply, f"{key}.json"), window=WINDOW)) == 3


# -- dates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["2020-03-11", "2020-3-11", "2020/03/11", "2020.03.11", "20200311", "11 March 2020", "11-Mar-2020",
     "March 11, 2020",
     "Mar 11 2020", "11th March 2020", "Wednesday 11 March 2020", "2020-03-11T00:00:00", "2020-03-11 00:00:00.000",
     "2020-03-11T00:00:00Z", " 2020-03-11 "],
)  # fmt: skip
def test_days_are_understood(written, text):
    incidents = read_incidents(written(f'date,n\n"{text}",1\n'), window=WINDOW)
    assert first_day(incidents) == "2020-03-11"
    assert incidents.table["date_precision"].tolist() == ["day"]


@pytest.mark.parametrize(
    ("text", "first", "last", "precision"),
    [("2020-03", "2020-03-01", "2020-03-31", "month"), ("March 2020", "2020-03-01", "2020-03-31", "month"),
     ("02/2020", "2020-02-01", "2020-02-29", "month"), ("2020", "2020-01-01", "2020-12-31", "year")],
)  # fmt: skip
def test_months_and_years_are_intervals_never_the_first(written, text, first, last, precision):
    incidents = read_incidents(written(f"date,n\n{text},1\n2020-05-01,1\n"), window=WINDOW)
    row = incidents.table[incidents.table["date_precision"] == precision].iloc[0]
    assert (f"{row['date_start']:%Y-%m-%d}", f"{row['date_end']:%Y-%m-%d}") == (first, last)
    assert incidents.n_uncertain("1D") == 1


def test_times_of_day_are_kept_where_some_row_has_one(written):
    table = read_incidents(
        written(
            "date,n\n2020-03-11 19:35,1\n2020-03-12 00:00,1\n2020-03-13,1\n2020-03-14 07:05 PM,1\n"
        ),
        window=WINDOW,
    ).table
    assert table["date_precision"].tolist() == ["time", "time", "day", "time"]
    assert table["date_start"].iloc[0] == pd.Timestamp("2020-03-11 19:35")
    assert table["date_start"].iloc[3] == pd.Timestamp("2020-03-14 19:05")


def test_ambiguous_dates_are_an_error_with_a_remedy(written):
    path = written("date,deaths\n03/04/2020,1\n05/05/2020,2\n")
    with pytest.raises(ReadError, match="dayfirst=True") as caught:
        read_incidents(path, window=WINDOW)
    assert errors(caught) == {(2, "date")}  # 5 May is the same either way
    assert first_day(read_incidents(path, window=WINDOW, dayfirst=True)) == "2020-04-03"
    assert first_day(read_incidents(path, window=WINDOW, dayfirst=False)) == "2020-03-04"


def test_another_row_decides_and_the_result_says_so(written):
    incidents = read_incidents(written("date,deaths\n03/04/2020,1\n25/12/2020,2\n"), window=WINDOW)
    assert first_day(incidents) == "2020-04-03"
    assert any("day first, because 25/12/2020" in rule for rule in incidents.problems["rule"])
    american = read_incidents(
        written("date,deaths\n03/04/2020,1\n12/25/2020,2\n", "b.csv"), window=WINDOW
    )
    assert first_day(american) == "2020-03-04"


def test_rows_that_contradict_each_other_decide_nothing(written):
    with pytest.raises(ReadError, match="some dates put the day first"):
        read_incidents(written("date,n\n13/01/2020,1\n01/13/2020,1\n"), window=WINDOW)


@pytest.mark.parametrize(
    ("text", "rule"),
    [("2020-02-30", "no such day"), ("31/31/2020", "no such day"), ("05-06-20", "two digits"), ("43901", "day number"),
     ("soon", "not a date"), ("0020-03-11", "not between"), ("2020-03-11 25:00", "no such day"),
     ("2020-13", "no such day"), ("2020-03-11 10:00 approx", "not a date")],
)  # fmt: skip
def test_impossible_dates_are_reported_with_row_and_reason(written, text, rule):
    with pytest.raises(ReadError, match=rule) as caught:
        read_incidents(written(f"id,date\n1,2020-01-05\n2,{text}\n"), window=WINDOW)
    assert errors(caught) == {(3, "date")}


def test_blank_and_unknown_dates_are_errors(written):
    with pytest.raises(ReadError, match="date is missing") as caught:
        read_incidents(written("date,n\n,1\nunknown,2\n2020-01-05,3\n"), window=WINDOW)
    assert errors(caught) == {(2, "date"), (3, "date")}


def test_end_before_start(written):
    with pytest.raises(ReadError, match="end comes before the start"):
        read_incidents(written("date_start,date_end\n2020-02-05,2020-02-01\n"), window=WINDOW)


def test_a_later_end_without_precision_is_an_interval_with_a_warning(written):
    with pytest.warns(ReadWarning, match="last possible day"):
        incidents = read_incidents(
            written("date_start,date_end\n2020-02-05,2020-02-08\n"), window=WINDOW
        )
    assert incidents.table["date_precision"].tolist() == ["days"]
    lasted = read_incidents(
        written("date_start,date_end,date_precision\n2020-02-05,2020-02-08,day\n", "b.csv"),
        window=WINDOW,
    )
    assert lasted.n_uncertain("1D") == 0


def test_precision_words_widen_lone_days(written):
    text = "date_start,date_precision\n2020-02-12,week\n2020-03-12,month\n2020-04-12,\n"
    table = read_incidents(written(text), window=WINDOW).table
    assert table["date_precision"].tolist() == ["week", "month", "day"]
    assert table["date_end"].dt.strftime("%Y-%m-%d").tolist() == [
        "2020-02-15",
        "2020-03-31",
        "2020-04-12",
    ]


@pytest.mark.parametrize(
    ("word", "day"), [("4", "2020-02-12"), ("days", "2020-02-12"), ("day", "2020-02")]
)
def test_precision_that_cannot_be_is_an_error(written, word, day):
    with pytest.raises(ReadError, match="date_precision"):
        read_incidents(written(f"date_start,date_precision\n{day},{word}\n"), window=WINDOW)


# -- numbers ---------------------------------------------------------------------------------------------------


def test_numbers_as_people_write_them(written):
    cells = ['"1,234"', "unknown", "NA", "", "0", "1 000"]
    text = "date,killed\n" + "".join(
        f"2020-01-{k + 1:02d},{cell}\n" for k, cell in enumerate(cells)
    )
    incidents = read_incidents(written(text), window=WINDOW)
    killed = incidents.table["killed"]
    assert killed.isna().tolist() == [False, True, True, True, False, False]
    assert killed.dropna().tolist() == [1234, 0, 1000]
    assert any("not as zero" in rule for rule in incidents.problems["rule"])


def test_what_is_no_count_is_reported(written):
    text = "date,killed,wounded\n2020-01-01,-1,2\n2020-01-02,about 5,3-4\n2020-01-03,2,inf\n"
    with pytest.raises(ReadError, match="4 errors") as caught:
        read_incidents(written(text), window=WINDOW)
    assert errors(caught) == {(2, "killed"), (3, "killed"), (3, "wounded"), (4, "wounded")}


def test_codes_for_unknown_can_be_named(written):
    path = written("date,killed\n2020-01-01,-99\n2020-01-02,1\n")
    with pytest.raises(ReadError, match=r"never negative.*unknown="):
        read_incidents(path, window=WINDOW)
    table = read_incidents(path, window=WINDOW, unknown=[-99]).table
    assert table["killed"].isna().tolist() == [True, False]


def test_truth_values_are_no_counts():
    mixed = pd.DataFrame({"date": ["2020-01-01"] * 2, "killed": pd.Series([1, True], dtype=object)})
    with pytest.raises(ReadError, match="not a number") as caught:
        read_incidents(mixed, window=WINDOW)
    assert errors(caught) == {(1, "killed")}
    with pytest.raises(ReadError, match="not a number"):
        read_incidents(pd.DataFrame({"date": ["2020-01-01"], "killed": [True]}), window=WINDOW)


def test_fractions_are_kept_with_a_warning(written):
    with pytest.warns(ReadWarning, match="whole number"):
        table = read_incidents(written("date,killed\n2020-01-01,1.5\n"), window=WINDOW).table
    assert table["killed"].tolist() == [1.5]


def test_coordinates_out_of_range_become_unknown(written):
    text = 'date,lat,lon\n2020-01-01,33.3,44.4\n2020-01-02,333,44.4\n2020-01-03,"33,312",east\n'
    with pytest.warns(ReadWarning, match="coordinate"):
        table = read_incidents(written(text), window=WINDOW).table
    assert table["latitude"].fillna(-1).tolist() == [33.3, -1, 33.312]
    assert table["longitude"].isna().tolist() == [False, False, True]


def test_intervals_are_completed_and_reconciled(written):
    text = "date,killed,killed_low,killed_high\n2020-01-01,5,6,7\n2020-01-02,,3,3\n2020-01-03,,2,4\n2020-01-04,,9,8\n"
    with pytest.warns(ReadWarning, match="contradict"):
        table = read_incidents(written(text), window=WINDOW).table
    assert table["killed"].fillna(-1).tolist() == [5, 3, -1, -1]
    assert table["killed_low"].tolist() == [5, 3, 2, 8]
    assert table["killed_high"].tolist() == [7, 3, 4, 9]


# -- columns ---------------------------------------------------------------------------------------------------


def test_mapping_names_the_columns(written):
    path = written("when;dead;where;source\n2020-03-11;3;Taji;wire\n")
    incidents = read_incidents(
        path,
        columns={"date_start": "when", "killed": "dead", "place": "where"},
        window=Window(*WINDOW),
    )
    assert incidents.table.columns.tolist() == [
        "date_start",
        "date_end",
        "date_precision",
        "killed",
        "place",
        "source",
    ]
    assert len(incidents.problems) == 0


def test_mapping_errors_tell_the_way_out(written):
    path = written("when,dead\n2020-03-11,3\n")
    with pytest.raises(OptionError, match="other way round"):
        read_incidents(path, columns={"when": "date_start"}, window=WINDOW)
    with pytest.raises(OptionError, match="no canonical column"):
        read_incidents(path, columns={"deaths": "dead"}, window=WINDOW)
    with pytest.raises(OptionError, match="several canonical"):
        read_incidents(path, columns={"date_start": "when", "date_end": "when"}, window=WINDOW)
    with pytest.raises(ReadError, match="does not have"):
        read_incidents(path, columns={"date_start": "day"}, window=WINDOW)


def test_unknown_columns_show_an_example_that_works(written):
    path = written("when,how_many_dead,what\n2020-03-11,3,rocket\n2020-03-12,0,mortar\n")
    with pytest.raises(ReadError) as caught:
        read_incidents(path, window=WINDOW)
    message = str(caught.value)
    assert "'when', 'how_many_dead', 'what'" in message
    start = message.index("columns={") + len("columns=")
    mapping = json.loads(message[start : message.index("}", start) + 1])
    assert mapping == {"date_start": "when", "killed": "how_many_dead"}
    assert len(read_incidents(path, columns=mapping, window=WINDOW)) == 2


def test_two_columns_that_could_be_the_date_are_an_error(written):
    path = written("date,event_date\n2020-01-01,2020-01-02\n")
    with pytest.raises(ReadError, match="several columns could be date_start"):
        read_incidents(path, window=WINDOW)
    assert len(read_incidents(path, columns={"date_start": "event_date"}, window=WINDOW)) == 1


def test_two_columns_that_could_be_deaths_are_left_alone_and_said(written):
    incidents = read_incidents(written("date,deaths,fatalities\n2020-01-01,1,2\n"), window=WINDOW)
    assert "killed" not in incidents.table
    assert any("could be killed" in rule for rule in incidents.problems["rule"])


def test_schema_tempo_guesses_nothing(written):
    with pytest.raises(ReadError, match="canonical names only"):
        read_incidents(written("date,deaths\n2020-01-01,1\n"), schema="tempo", window=WINDOW)


def test_repeated_names_and_nameless_columns(written):
    with pytest.raises(ReadError, match="more than once"):
        read_incidents(written("date,killed,killed\n2020-01-01,1,2\n"), window=WINDOW)
    table = read_incidents(written(",date,\n0,2020-01-01,\n", "b.csv"), window=WINDOW).table
    assert table.columns.tolist() == ["date_start", "date_end", "date_precision", "column_1"]


def test_a_column_of_ones_own_beside_a_published_schema(ucdp, written):
    rows = ucdp().assign(salvo=["10", "2", ""], note=["x", "y", "z"])
    incidents = read_incidents(
        written(rows), columns={"munitions": "salvo", "note": "note"}, window=WINDOW
    )
    assert incidents.table["munitions"].fillna(-1).tolist() == [10, 2, -1]
    assert incidents.table["note"].tolist() == ["x", "y", "z"]


def test_codes_stay_text_and_long_numbers_keep_their_digits(written):
    table = read_incidents(
        written(
            "date,code,big\n2020-01-01,007,12345678901234567890\n2020-01-02,012,12345678901234567891\n"
        ),
        window=WINDOW,
    ).table
    assert table["code"].tolist() == ["007", "012"]
    assert table["big"].iloc[1] == "12345678901234567891"


def test_text_stays_plain_data(written):
    nasty = "=cmd|' /C calc'!A0 #set $x$ <b> @import"
    table = read_incidents(
        written(pd.DataFrame({"date": ["2020-01-01"], "note": [nasty]})), window=WINDOW
    ).table
    assert table["note"].tolist() == [nasty]


# -- windows and duplicates ------------------------------------------------------------------------------------


def test_window_is_demanded_and_the_dates_are_told(written):
    with pytest.raises(WindowError) as caught:
        read_incidents(written("date,n\n2020-01-26,1\n2020-03-11,1\n"))
    message = str(caught.value)
    assert "2020-01-26" in message
    assert "2020-03-11" in message
    assert 'window=("2020-01-01", "2020-04-01")' in message


def test_rows_outside_the_window_are_left_out_and_told(written):
    text = "date,n\n2019-12-31,1\n2020-01-01,1\n2020-12-31,1\n2021-01-01,1\n"
    with pytest.warns(ReadWarning, match="outside the window"):
        incidents = read_incidents(written(text), window=WINDOW)
    assert len(incidents) == 2
    assert incidents.problems["row"].dropna().tolist() == [2, 5]
    assert any("outside the window" in note for note in incidents.notes)


def test_gaps_and_intervals_at_the_edge(written):
    window = Window("2020-01-01", "2021-01-01", gaps=[("2020-06-01", "2020-07-01")])
    with pytest.warns(ReadWarning, match="when nobody watched"):
        incidents = read_incidents(
            written("date,n\n2020-06-15,1\n2020-05-15,1\n2020,1\n2019,1\n2020-12,1\n"),
            window=window,
        )
    assert len(incidents) == 3  # the day in the gap and the year before are out
    with pytest.warns(ReadWarning, match="reaches over an end") as record:
        read_incidents(
            written("date_start,date_end,date_precision\n2019-12-20,2020-01-20,month\n", "b.csv"),
            window=window,
        )
    assert len(record) == 1


def test_exact_duplicates_are_dropped_and_others_stop(written):
    text = "id,date,killed\nA,2020-01-01,1\nA,2020-01-01,1\nB,2020-01-02,1\n"
    with pytest.warns(ReadWarning, match="repeats an earlier one"):
        assert len(read_incidents(written(text), window=WINDOW)) == 2
    with pytest.raises(ReadError, match="same id") as caught:
        read_incidents(written(text + "B,2020-01-03,1\n", "b.csv"), window=WINDOW)
    assert errors(caught) == {(4, "id"), (5, "id")}


def test_likely_duplicates_are_kept_with_a_warning(written):
    text = "id,date,place,actor,killed\nA,2020-01-01,Taji,X,1\nB,2020-01-01,Taji,X,1\nC,2020-01-01,Taji,X,2\n"
    with pytest.warns(ReadWarning, match="perhaps a duplicate"):
        incidents = read_incidents(written(text), window=WINDOW)
    assert len(incidents) == 3
    assert incidents.problems.set_index("row")["value"].to_dict()[3] == "as row 2"


def test_bare_dates_that_agree_are_no_duplicates(written):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (
            len(read_incidents(written("date,n\n2020-01-01,1\n2020-01-01,1\n"), window=WINDOW)) == 2
        )


# -- the report ------------------------------------------------------------------------------------------------


def test_all_problems_come_in_one_report(written):
    text = "id,date,killed,lat\n1,2020-02-31,-1,99\n\n1,03/04/2020,x,33\n3,2020-01-01,2,33\n"
    with pytest.raises(ReadError) as caught:
        read_incidents(written(text), window=WINDOW)
    frame = caught.value.problems
    assert tuple(frame.columns) == PROBLEM_COLUMNS
    assert errors(caught) == {
        (2, "date"),
        (4, "date"),
        (2, "killed"),
        (4, "killed"),
        (2, "id"),
        (4, "id"),
    }
    assert (frame["remedy"].str.len() > 0).all()
    assert "row 2: '2020-02-31'" in str(caught.value)


def test_one_warning_sums_up_many(written):
    rows = "".join(f"2019-01-{k:02d},1\n" for k in range(1, 29))
    with pytest.warns(ReadWarning) as record:
        read_incidents(written("date,n\n" + rows + "2020-01-01,1\n"), window=WINDOW)
    assert len(record) == 1
    assert "28 warnings" in str(record[0].message)
    assert "and 23 more" in str(record[0].message)
    assert record[0].filename == __file__


def test_check_never_raises_for_a_bad_file_and_tells_the_same(written, tmp_path):
    check = check_file(tmp_path / "none.csv")
    assert not check.ok
    assert "does not exist" in check.problems["rule"].iloc[0]
    path = written("date,killed\n2020-02-31,-1\n")
    with pytest.raises(ReadError) as caught:
        read_incidents(path, window=WINDOW)
    pd.testing.assert_frame_equal(check_file(path, window=WINDOW).problems, caught.value.problems)
    good = check_file(written("date,killed\n2020-02-03,1\n", "b.csv"), window=WINDOW)
    assert good.ok
    assert len(good.incidents) == 1
    assert "1 attack between" in good.describe()
    assert "can be used" in check_file(written("date\n2020-02-03\n", "c.csv")).describe()


# -- bad files -------------------------------------------------------------------------------------------------


def truncated_xlsx(tmp_path) -> bytes:
    path = tmp_path / "whole.xlsx"
    pd.DataFrame({"date": ["2020-01-01"] * 200, "n": range(200)}).to_excel(path, index=False)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"\n\n  \n", "is empty"),
        ("a.csv", b"date,killed\n", "no rows"),
        ("a.csv", b"date,killed\n,\n", "no rows|empty"),
        ("a.csv", b"\xef\xbb\xbf", "is empty"),
        ("a.csv", b"name,size\nx,1\n", "no column is known"),
        ("a.csv", b'date,note\n2020-01-01,"never closed\n2020-01-02,b\n', "quotation mark"),
        ("a.csv", bytes(range(256)) * 20, "binary data"),
        ("a.csv", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "a picture"),
        ("a.csv", b"%PDF-1.7 ...", "a PDF"),
        ("a.csv", b"<!DOCTYPE html><html><body>Please log in</body></html>", "web page"),
        ("a.csv", b"\xff\xfed\x00a\x00t\x00e", "cannot|no rows|UTF-16"),
        ("a.xlsx", b"not a workbook at all", "not one"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512, "password"),
        ("a.xlsx", b"PK\x03\x04" + b"garbage" * 40, "damaged"),
        ("a.parquet", b"PAR1" + b"\x15" * 40 + b"PAR1", "damaged"),
        ("a.parquet", b"date,killed\n2020-01-01,1\n", "not one"),
        ("a.csv.gz", b"\x1f\x8b\x08" + b"\0" * 30, "compressed"),
        ("a.pkl", b"anything", "pickle"),
        ("a.jsonl", b"{not json}\n", "not JSON"),
        ("a.jsonl", b"[1, 2, 3]", "no incidents"),
        ("a.json", b"[" * 100_000, "no incidents|not JSON"),
    ],
)
def test_bad_files_end_in_a_clear_message(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ReadError, match=message) as caught:
        read_incidents(path, window=WINDOW)
    assert len(caught.value.problems) >= 1
    assert not check_file(path).ok


def test_truncated_workbooks_and_archives(tmp_path):
    whole = truncated_xlsx(tmp_path)
    path = tmp_path / "cut.xlsx"
    for share in (0.3, 0.6, 0.95):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(ReadError, match="damaged"):
            read_incidents(path, window=WINDOW)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("events.csv", "date\n2020-01-01\n")
    with pytest.raises(ReadError, match="Unpack"):
        read_incidents(tmp_path / "a.zip", window=WINDOW)


def test_a_pickle_is_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (exec, ("raise SystemExit('opened')",))

    for name in ("trap.pkl", "trap.csv"):
        (tmp_path / name).write_bytes(pickle.dumps(Trap()))
        with pytest.raises(ReadError, match="pickle"):
            read_incidents(tmp_path / name, window=WINDOW)


def test_missing_folder_address_and_wrong_type(tmp_path):
    (tmp_path / "other.csv").write_text("x")
    with pytest.raises(ReadError, match=r"does not exist.*other\.csv"):
        read_incidents(tmp_path / "none.csv", window=WINDOW)
    with pytest.raises(ReadError, match="is a folder"):
        read_incidents(tmp_path, window=WINDOW)
    with pytest.raises(ReadError, match="Download"):
        read_incidents("https://example.org/events.csv", window=WINDOW)
    with pytest.raises(ReadError, match="expected the path"):
        read_incidents(3, window=WINDOW)  # type: ignore[arg-type]
    with pytest.raises(ReadError, match="cannot be found"):
        read_incidents("~nobody-of-that-name/events.csv", window=WINDOW)
    with pytest.raises(ReadError, match="cannot be opened"):
        read_incidents("a\0b.csv", window=WINDOW)


def test_rows_of_other_lengths(written):
    with pytest.raises(ReadError, match="more cells") as caught:
        read_incidents(written("date,note\n2020-01-01,a\n2020-01-02,one, two\n"), window=WINDOW)
    assert (3, "") in errors(caught)
    with pytest.warns(ReadWarning, match="fewer cells"):
        incidents = read_incidents(
            written("date,killed,note\n2020-01-01,1\n2020-01-02,2,b\n", "b.csv"), window=WINDOW
        )
    assert len(incidents) == 2


def test_quoted_line_breaks_do_not_shift_rows(written):
    text = 'date,note\n2020-01-01,"two\nlines"\n2020-02-31,b\n'
    with pytest.raises(ReadError) as caught:
        read_incidents(written(text), window=WINDOW)
    assert errors(caught) == {(3, "date")}


def test_encodings(written):
    content = "date,place\n2020-01-01,Mosul é\n".encode("cp1252")
    path = written(content)
    with pytest.warns(ReadWarning, match="Latin-1"):
        assert read_incidents(path, window=WINDOW).table["place"].tolist() == ["Mosul é"]
    assert read_incidents(path, window=WINDOW, encoding="cp1252").table["place"].tolist() == [
        "Mosul é"
    ]
    with pytest.raises(ReadError, match="not text in the encoding"):
        read_incidents(path, window=WINDOW, encoding="utf-8")
    with pytest.raises(OptionError, match="encoding"):
        read_incidents(path, window=WINDOW, encoding="klingon")
    arabic = "date,place\n2020-01-01,التاجي\n".encode("cp1256")
    assert read_incidents(written(arabic, "b.csv"), window=WINDOW, encoding="cp1256").table[
        "place"
    ].tolist() == ["التاجي"]


def test_sheets_and_formulas(tmp_path):
    path = tmp_path / "book.xlsx"
    frame = pd.DataFrame({"date": ["2020-01-01"], "killed": ["=1+2"]})
    with pd.ExcelWriter(path) as book:
        pd.DataFrame().to_excel(book, sheet_name="cover", index=False)
        frame.to_excel(book, sheet_name="events", index=False)
        frame.assign(date="2020-05-05").to_excel(book, sheet_name="more", index=False)
    with pytest.warns(ReadWarning, match="no stored value"):
        incidents = read_incidents(path, window=WINDOW)
    assert incidents.table["killed"].isna().tolist() == [True, True]
    assert incidents.table["sheet"].tolist() == ["events", "more"]
    assert any("same header" in rule for rule in incidents.problems["rule"])
    with pytest.warns(ReadWarning):
        assert first_day(read_incidents(path, window=WINDOW, sheet="more")) == "2020-05-05"
    with pytest.raises(OptionError, match="sheet"):
        read_incidents(path, window=WINDOW, sheet="none")


@pytest.mark.parametrize(
    ("option", "value"),
    [("schema", "gedx"), ("dayfirst", "yes"), ("unknown", "-99"), ("columns", ["date"])],
)
def test_wrong_options(written, option, value):
    with pytest.raises(OptionError, match=option):
        read_incidents(written("date\n2020-01-01\n"), window=WINDOW, **{option: value})


def test_wrong_window_is_told_before_the_file_is_read():
    with pytest.raises(WindowError):
        read_incidents("none.csv", window=("2021-01-01", "2020-01-01"))


# -- odd but legal ---------------------------------------------------------------------------------------------


def test_one_event_and_all_on_one_day(written):
    assert len(read_incidents(written("date\n2020-01-01\n"), window=WINDOW)) == 1
    many = read_incidents(written("date\n" + "2020-01-01\n" * 500, "b.csv"), window=WINDOW)
    assert many.counts("1D").iloc[0] == 500


def test_every_row_outside_leaves_an_empty_list(written):
    with pytest.warns(ReadWarning):
        assert len(read_incidents(written("date\n1999-01-01\n"), window=WINDOW)) == 0


def test_a_hundred_thousand_rows(tmp_path):
    n = 100_000
    dates = (np.datetime64("2000-01-01") + np.arange(n) % 7300).astype(str)
    frame = pd.DataFrame(
        {
            "id": np.arange(n),
            "date": dates,
            "killed": np.arange(n) % 5,
            "place": "x",
            "actor": np.arange(n),
        }
    )
    frame.to_csv(tmp_path / "big.csv", index=False)
    assert len(read_incidents(tmp_path / "big.csv", window=("2000-01-01", "2020-01-01"))) == n


# -- fuzzing: only errors of tempo come out --------------------------------------------------------------------

FUZZ = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def survives(source) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ReadWarning)
        try:
            incidents = read_incidents(source, window=WINDOW)
        except TempoError:
            return
    table = incidents.table
    assert (table["date_start"] <= table["date_end"]).all()
    for name in ("killed", "wounded", "munitions"):
        if f"{name}_low" in table:
            low, best, high = (table[part] for part in (f"{name}_low", name, f"{name}_high"))
            assert not ((best < low) | (best > high) | (low > high)).any()


@FUZZ
@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.builds(
            lambda magic, rest: magic + rest,
            st.sampled_from(
                [
                    b"PAR1",
                    b"PK\x03\x04",
                    b"\xff\xfe",
                    b"date,killed\n",
                    b'{"date": ',
                    b"date\tkilled\n",
                    b"\xef\xbb\xbf",
                ]
            ),
            st.binary(max_size=100),
        ),
    ),
    suffix=st.sampled_from([".csv", ".tsv", ".json", ".jsonl", ".xlsx", ".parquet", ""]),
)
def test_any_bytes(tmp_path, content, suffix):
    path = tmp_path / f"fuzz{suffix}"
    path.write_bytes(content)
    survives(path)


CELL = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", "2020-03-11", "2020-02-30", "03/04/2020", "13/04/2020", "2020", "2020-03", "-3", "1,234", "unknown",
         "NA", "1e400", "nan", "inf", "5", "0", "day", "month", "0001-01-01", "9999-12-31", "2020-03-11 24:00",
         "２０２０", "#date", "1.5"]
    ),
)  # fmt: skip
NAME = st.sampled_from(["date", "date_start", "date_end", "date_precision", "killed", "killed_low", "killed_high", "id",
                        "place", "actor", "lat", "reported_at", "", "x"])  # fmt: skip


@FUZZ
@given(data=st.data())
def test_any_table_of_text(tmp_path, data):
    names = data.draw(st.lists(NAME, min_size=1, max_size=6))
    rows = data.draw(st.lists(st.lists(CELL, min_size=len(names), max_size=len(names)), max_size=5))
    path = tmp_path / "fuzz.csv"
    pd.DataFrame(rows, columns=names).to_csv(path, index=False)
    survives(path)


@FUZZ
@given(data=st.data(), schema=st.sampled_from(["ucdp", "acled", "gtd"]))
def test_any_cells_in_published_schemas(ucdp, acled, gtd, data, schema):
    rows = {"ucdp": ucdp, "acled": acled, "gtd": gtd}[schema](2)
    for _ in range(data.draw(st.integers(1, 4))):
        column = data.draw(st.sampled_from(list(rows.columns)))
        rows[column] = rows[column].astype(object)
        rows.loc[data.draw(st.integers(0, 1)), column] = data.draw(
            st.one_of(
                CELL, st.none(), st.floats(), st.integers(-1000, 10**20), st.dates(), st.booleans()
            )
        )
    survives(rows)


def test_a_folder_is_called_a_folder_once(tmp_path):
    with pytest.raises(ReadError) as caught:
        read_incidents(tmp_path, window=("2020-01-01", "2021-01-01"))
    assert str(caught.value) == f"{tmp_path} is a folder. Give the path of a file inside it."


# -- files that were made to harm --------------------------------------------------------------------------------


def test_a_cell_of_many_digits_is_refused_as_fast_as_it_is_read(written):
    path = written("date,killed,other\n2020-01-01," + "1" * 60_000 + "x," + "1" * 60_000 + "x\n")
    began = time.process_time()
    with pytest.raises(ReadError, match="not a number"):
        read_incidents(path, window=WINDOW)
    assert (
        time.process_time() - began < 5
    )  # it was two minutes, and four times that for twice the digits


def test_a_workbook_that_would_fill_the_memory_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/worksheets/sheet1.xml", " " * 150_000_000)
    with pytest.raises(ReadError, match="would unpack from"):
        read_incidents(path, window=WINDOW)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_devices_and_pipes_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(ReadError, match="a pipe that nobody writes to"):
        read_incidents(tmp_path / "pipe.csv", window=WINDOW)
    with pytest.raises(ReadError, match="a device"):
        read_incidents("/dev/zero", window=WINDOW)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"date": "2020-01-01", "killed": 1, "killed": 99}\n', "stands twice"),
        ('{"date": "\\ud800"}\n', "the date is missing"),
        (
            "date," + ",".join(f"c{k}" for k in range(3000)) + "\n2020-01-01" + "," * 3000 + "\n",
            "3,001 columns",
        ),
    ],
)
def test_odd_texts_end_in_a_message(tmp_path, content, message):
    path = tmp_path / ("odd.jsonl" if content.startswith("{") else "odd.csv")
    path.write_text(content)
    with pytest.raises(ReadError, match=message):
        read_incidents(path, window=WINDOW)


def test_lists_inside_cells_and_names_that_are_no_text_end_in_a_message(tmp_path):
    with pytest.raises(ReadError, match="not a number"):
        read_incidents(pd.DataFrame({"date": ["2020-01-01"], "killed": [[1, 2]]}), window=WINDOW)
    kept = read_incidents(
        pd.DataFrame({"date": ["2020-01-01"], "x": [{"a": np.arange(2)}]}), window=WINDOW
    )
    assert kept.table["x"].tolist() == ['{"a": [0, 1]}']
    for name in ("x" * 5000 + ".csv", os.fsdecode(b"\xff.csv"), "a\x00b.csv"):
        with pytest.raises(ReadError):
            read_incidents(tmp_path / name, window=WINDOW)
