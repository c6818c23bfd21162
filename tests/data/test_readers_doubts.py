"""Files that look like a list of attacks and are less, more or something else: pages, sheets, zones, dots, bad rows."""

from __future__ import annotations

import datetime as dt
import json
import zoneinfo

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tempo.data.paging import INCOMPLETE
from tempo.data.readers import check_file, read_incidents
from tempo.data.separators import reading_of_dots
from tempo.errors import OptionError, ReadError, ReadWarning

WINDOW = ("2020-01-01", "2021-01-01")


def frame(**columns) -> pd.DataFrame:
    return pd.DataFrame(columns)


def stamps(incidents) -> list[str]:
    return incidents.table["date_start"].dt.strftime("%Y-%m-%d %H:%M").tolist()


def file_of(tmp_path, text: str, name: str = "list.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


# -- pages of a longer reply -------------------------------------------------------------------------------------

RECORDS = [{"date": f"2020-01-0{k}", "killed": k} for k in range(1, 4)]


@pytest.mark.parametrize(
    "reply",
    [
        {"TotalCount": 13, "TotalPages": 5, "NextPageUrl": "x", "Result": RECORDS},
        {"TotalCount": 13, "Result": RECORDS},
        {"NextPageUrl": "https://example.org/?page=1", "Result": RECORDS},
        {"success": True, "count": 5, "data": RECORDS},
        {"meta": {"total": 4}, "data": RECORDS},
        {"count": 4, "next": None, "results": RECORDS},
        {"results": RECORDS, "links": {"next": "https://example.org/2"}},
        {"records": RECORDS, "has_more": True},
        {"limit": 3, "items": RECORDS},
        [{"TotalCount": 9, "Result": RECORDS[:2]}, {"TotalCount": 9, "Result": RECORDS[2:]}],
    ],
)
def test_one_page_of_a_longer_reply_is_said_loudly_and_stays_with_the_data(tmp_path, reply):
    path = file_of(tmp_path, json.dumps(reply), "page.json")
    with pytest.warns(ReadWarning, match=INCOMPLETE):
        incidents = read_incidents(path, window=WINDOW)
    assert len(incidents) == 3
    assert any(INCOMPLETE[4:] in note for note in incidents.where("killed > 0").notes)


@pytest.mark.parametrize(
    "reply",
    [
        {"TotalCount": 3, "NextPageUrl": "", "Result": RECORDS},
        {"success": True, "count": 3, "data": RECORDS},
        {"count": 3, "next": None, "results": RECORDS},
        [
            {"TotalCount": 3, "NextPageUrl": "x", "Result": RECORDS[:2]},
            {"TotalCount": 3, "NextPageUrl": "", "Result": RECORDS[2:]},
        ],
    ],
)
def test_whole_replies_are_read_without_a_warning(tmp_path, reply):
    incidents = read_incidents(file_of(tmp_path, json.dumps(reply), "page.json"), window=WINDOW)
    assert incidents.table["killed"].tolist() == [1, 2, 3]


def test_a_failed_request_is_no_data(tmp_path):
    path = file_of(
        tmp_path, json.dumps({"success": False, "data": [], "error": "no access"}), "x.json"
    )
    with pytest.raises(ReadError):
        read_incidents(path, window=WINDOW)


def test_acled_file_of_exactly_one_page(acled):
    with pytest.warns(ReadWarning, match=INCOMPLETE):
        read_incidents(acled(5_000), window=WINDOW)


# -- sheets ------------------------------------------------------------------------------------------------------


def book_of(tmp_path, sheets: dict[str, list[list[object]]]):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, lines in sheets.items():
        sheet = book.create_sheet(name)
        for line in lines:
            sheet.append(line)
    path = tmp_path / "book.xlsx"
    book.save(path)
    return path


def test_sheets_with_one_header_are_read_together_and_columns_go_by_name(tmp_path):
    path = book_of(
        tmp_path,
        {
            "Jan": [["date", "killed"], [dt.date(2020, 1, 5), 1]],
            "Feb": [["Killed", "Date"], [2, dt.date(2020, 2, 5)], [3, dt.date(2020, 2, 6)]],
            "Notes": [["about"], ["nothing"]],
        },
    )
    incidents = read_incidents(path, window=WINDOW)
    assert incidents.table["killed"].tolist() == [1, 2, 3]
    assert incidents.table["sheet"].tolist() == ["Jan", "Feb", "Feb"]


def test_a_sheet_with_a_like_header_is_not_left_out_in_silence(tmp_path):
    head = ["date", "killed", "place"]
    path = book_of(
        tmp_path,
        {
            "Jan": [head, [dt.date(2020, 1, 5), 1, "A"]],
            "Feb": [["date", "dead", "place"], [dt.date(2020, 2, 5), 1, "A"]],
        },
    )
    with pytest.warns(ReadWarning, match="like header were left out"):
        assert len(read_incidents(path, window=WINDOW)) == 1


# -- zones -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dates",
    [
        ["2020-03-11T23:30:00Z", "2020-03-12T02:30:00+03:00"],
        ["2020-03-31T22:30:00Z", "2020-04-01 01:30"],
        [
            pd.Timestamp("2020-03-31 22:30", tz="UTC"),
            pd.Timestamp("2020-03-31 22:30", tz="Asia/Baghdad"),
        ],
    ],
)
@pytest.mark.parametrize("turn", [1, -1])
def test_mixed_zones_are_refused_in_any_order(dates, turn):
    with pytest.raises(ReadError, match=r"several zones.*timezone="):
        read_incidents(frame(date=dates[::turn]), window=WINDOW)


def test_zones_of_start_and_end_are_judged_together():
    table = frame(
        date_start=["2020-03-11T23:30:00Z"],
        date_end=["2020-03-12T04:30:00+03:00"],
        date_precision="time",
    )
    with pytest.raises(ReadError, match="several zones"):
        read_incidents(table, window=WINDOW)


def test_one_instant_in_two_offsets_is_one_time_in_the_declared_zone():
    table = frame(date=["2020-03-11T23:30:00Z", "2020-03-12T02:30:00+03:00", "2020-03-12 02:30"])
    assert (
        stamps(read_incidents(table, window=WINDOW, timezone="Asia/Baghdad"))
        == ["2020-03-12 02:30"] * 3
    )
    assert (
        stamps(read_incidents(table[:2], window=WINDOW, timezone="UTC")) == ["2020-03-11 23:30"] * 2
    )


def test_one_zone_for_all_is_kept_and_said():
    incidents = read_incidents(
        frame(date=["2020-03-31T22:30:00Z", "2020-04-02T01:00:00Z"]), window=WINDOW
    )
    assert stamps(incidents) == ["2020-03-31 22:30", "2020-04-02 01:00"]
    assert incidents.problems["rule"].str.contains("carry the zone UTC").any()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.datetimes(dt.datetime(2020, 1, 2), dt.datetime(2020, 12, 30)), min_size=2, max_size=8
    ),
    st.sampled_from(["Europe/Berlin", "Asia/Baghdad", "America/New_York", "+05:30"]),
    st.randoms(),
)
def test_any_offsets_land_on_the_clocks_of_the_declared_zone(moments, name, random):
    """zoneinfo by itself is the judge, over summer time and midnight."""
    moments = sorted({moment.replace(second=0, microsecond=0) for moment in moments})
    zone = (
        dt.timezone(dt.timedelta(hours=5, minutes=30))
        if name == "+05:30"
        else zoneinfo.ZoneInfo(name)
    )
    aware = [moment.replace(tzinfo=dt.UTC) for moment in moments]
    texts = [
        moment.astimezone(dt.timezone(dt.timedelta(hours=random.randint(-11, 12)))).isoformat()
        for moment in aware
    ]
    if all(text[11:16] == "00:00" for text in texts):
        return
    found = read_incidents(frame(date=texts), window=("2019-12-01", "2021-02-01"), timezone=name)
    assert stamps(found) == [moment.astimezone(zone).strftime("%Y-%m-%d %H:%M") for moment in aware]


@pytest.mark.parametrize("name", ["Asia/Bagdad", "", "../etc", 3, "+99:00"])
def test_zones_that_do_not_exist(name):
    with pytest.raises(OptionError, match="timezone"):
        read_incidents(frame(date=["2020-01-05"]), window=WINDOW, timezone=name)


# -- dots --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "continental", "reading"),
    [
        (["1.000"], True, "thousands"),
        (["2.500"], True, "thousands"),
        (["1.000", "3"], False, "thousands"),
        (["1.234.567"], False, "thousands"),
        (["1.000"], False, "unclear"),
        (["1.000", "0.000"], True, "decimals"),
        (["1.000", "2.5"], True, "decimals"),
        (["1.000", "1234.000"], False, "decimals"),
        (["1.234.567", "2.5"], True, "both"),
        (["2.375"], False, "decimals"),
        (["3", "17"], True, ""),
    ],
)
def test_dots_are_read_from_the_whole_column(cells, continental, reading):
    assert reading_of_dots(pd.Series(cells, dtype="str"), continental=continental) == reading


def test_a_continental_export_counts_in_thousands_and_says_so(tmp_path):
    path = file_of(tmp_path, "date;killed\n11.03.2020;1.000\n25.03.2020;12.000\n")
    with pytest.warns(ReadWarning, match=r"row 2: '1.000', row 3: '12.000'"):
        incidents = read_incidents(path, window=WINDOW)
    assert incidents.table["killed"].tolist() == [1000, 12000]


def test_a_dot_that_nothing_decides_stops_the_reading(tmp_path):
    with pytest.raises(ReadError, match=r"killed: the dot may part thousands or decimals.*row 2"):
        read_incidents(file_of(tmp_path, "date;killed\n2020-03-11;1.000\n"), window=WINDOW)


# -- versions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stamp", [1_600_000_000, None])
@pytest.mark.parametrize("turn", [1, -1])
def test_equal_stamps_say_nothing_about_which_version_is_newer(acled, stamp, turn):
    table = acled(2, event_id_cnty=["A", "A"], timestamp=[stamp, stamp], fatalities=["1", "40"])
    with pytest.raises(ReadError, match="same id stands in several rows that differ"):
        read_incidents(table[::turn], window=WINDOW)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)])
def test_an_event_changed_and_changed_back_is_read_as_it_stands_last(acled, order):
    table = acled(
        3,
        event_id_cnty=["A"] * 3,
        event_date=["2020-03-01"] * 3,
        location=["X"] * 3,
        fatalities=["1", "40", "1"],
        timestamp=["1600000000", "1600000100", "1600000200"],
    )
    with pytest.warns(ReadWarning):
        assert read_incidents(table.iloc[list(order)], window=WINDOW).table["killed"].tolist() == [
            1
        ]


# -- tolls -------------------------------------------------------------------------------------------------------


def test_a_toll_that_no_attack_has_is_questioned_with_its_row():
    with pytest.warns(ReadWarning, match=r"larger than any attack.*row 1: '202003110001'"):
        read_incidents(
            frame(date=["2020-01-05", "2020-03-11"], killed=[3, 202003110001]), window=WINDOW
        )


def test_a_column_of_running_numbers_is_questioned_once():
    days = [f"2020-01-{k:02d}" for k in range(1, 8)]
    with pytest.warns(ReadWarning, match="looks like an id"):
        found = read_incidents(frame(date=days, killed=range(41_000, 41_007)), window=WINDOW)
    assert (found.problems["severity"] == "warning").sum() == 1


def test_heavy_but_possible_tolls_are_not_questioned():
    read_incidents(frame(date=["2020-01-05", "2020-03-11"], killed=[3, 2_977]), window=WINDOW)


# -- bad rows ----------------------------------------------------------------------------------------------------


def test_bad_rows_are_dropped_listed_and_counted_through_every_selection():
    table = frame(
        date=["2020-01-05", "", "2020-02-31", "2020-03-01", "2020-04-01", "2020-05-01"],
        killed=["1", "1", "1", "2", "x", "3"],
    ).assign(kind="rocket")
    with pytest.raises(ReadError, match=r'on_error="drop"'):
        read_incidents(table, window=WINDOW)
    with pytest.warns(ReadWarning, match="the row was dropped"):
        incidents = read_incidents(table, window=WINDOW, on_error="drop")
    assert incidents.table["killed"].tolist() == [1, 2, 3]
    listed = incidents.problems[incidents.problems["rule"].str.startswith("the row was dropped")]
    assert listed["row"].tolist() == [1, 2, 4]
    heavy = incidents.where("killed > 1").before("2020-06-01").between("2020-01-01", "2020-05-15")
    assert (incidents.n_dropped, heavy.n_dropped) == (3, 3)
    assert heavy.by_kind()["rocket"].n_dropped == 3
    assert any(note.startswith("3 rows of the file have errors") for note in heavy.notes)
    assert check_file(table, window=WINDOW, on_error="drop").ok


def test_what_is_left_is_read_as_if_the_bad_rows_had_never_been_there():
    good = frame(date=["2020-01-05", "2020-03-01", "2020-05-01"], killed=["1", "2", "3"])
    bad = frame(date=["?", "2020-13-01"], killed=["1.2.3", "-4"])
    with pytest.warns(ReadWarning):
        mixed = read_incidents(pd.concat([bad, good]), window=WINDOW, on_error="drop")
    pd.testing.assert_frame_equal(mixed.table, read_incidents(good, window=WINDOW).table)


@pytest.mark.parametrize(
    "table",
    [
        frame(date=["03/04/2020", "05/06/2020"]),
        frame(date=["2020-01-05", "x", "y"]),
        frame(nothing=["a", "b"]),
    ],
)
def test_what_is_no_matter_of_single_rows_is_not_dropped(table):
    with pytest.raises(ReadError):
        read_incidents(table, window=WINDOW, on_error="drop")


# -- lines that are no records, dates in pieces ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Attacks in 2020\n\ndate;killed\n2020-01-05;3\n2020-01-09;1\n",
        "sep=;\ndate;killed\n2020-01-05;3\n2020-01-09;1\n",
        "Attacks in 2020,,\ndate,killed,place\n2020-01-05,3,A\n2020-01-09,1,B\n",
        "Attacks, all\ndate;killed;x\n2020-01-05;3;\n2020-01-09;1;\n",
        "DATE,KILLED\n#Date,#Affected+Killed\n2020-01-05,3\n2020-01-09,1\n",
        "date,killed\n2020-01-05,3\n2020-01-09,1\n",
        "Year,Month,Day,killed\n2020,1,5,3\n2020,January,09,1\n",
        "jahr;monat;tag;killed\n2020;01;05;3\n2020;01;09;1\n",
    ],
)
def test_the_same_two_attacks(tmp_path, text):
    incidents = read_incidents(file_of(tmp_path, text), window=WINDOW)
    assert incidents.table["date_start"].dt.strftime("%m-%d").tolist() == ["01-05", "01-09"]
    assert incidents.table["killed"].tolist() == [3, 1]


def test_rows_keep_their_numbers_below_a_title(tmp_path):
    path = file_of(tmp_path, "Attacks\n\ndate;killed\n2020-01-05;x\n2020-01-09;1\n")
    with pytest.raises(ReadError, match="row 4: 'x'"):
        read_incidents(path, window=WINDOW)


def test_headers_inside_and_totals_below_are_no_records(tmp_path):
    text = "date,killed\n2020-01-05,3\n\ufeffdate,killed\n2020-01-09,1\nTotal,4\n"
    with pytest.warns(ReadWarning, match="header stands again"):
        incidents = read_incidents(file_of(tmp_path, text), window=WINDOW)
    assert incidents.table["killed"].tolist() == [3, 1]


def test_an_actor_named_total_is_a_record(tmp_path):
    text = "target,date\nTotal,2020-01-05\nTotal,2020-01-09\n"
    assert len(read_incidents(file_of(tmp_path, text), window=WINDOW)) == 2


@pytest.mark.parametrize(
    "cell",
    [
        "12.03.2020 – 14.03.2020",
        "2020-03-12 to 2020-03-14",
        "12 March 2020 - 14 March 2020",
        "2020-03-12/2020-03-14",
    ],
)
def test_two_days_in_one_cell_are_an_interval(cell):
    table = read_incidents(frame(date=[cell]), window=WINDOW).table
    assert table["date_start"].iloc[0] == pd.Timestamp("2020-03-12")
    assert table["date_end"].iloc[0] == pd.Timestamp("2020-03-14")
    assert table["date_precision"].tolist() == ["days"]


def test_an_interval_that_runs_backwards_is_an_error():
    with pytest.raises(ReadError, match="ends before it begins"):
        read_incidents(frame(date=["2020-03-14 – 2020-03-12"]), window=WINDOW)


def test_unknown_day_and_month_in_columns_are_intervals():
    table = frame(year=[2020, 2020], month=[2, 0], day=[0, 0])
    found = read_incidents(table, window=WINDOW).table
    assert found["date_precision"].tolist() == ["year", "month"]
    assert np.array_equal(found["date_end"].dt.strftime("%m-%d"), ["12-31", "02-29"])


def test_real_incidents_lose_only_rows_without_a_time(shared_data):
    """Rows and blanks counted by pandas alone are the judge."""
    path = shared_data / "sigacts" / "sigacts_iraq_2004_2007.csv"
    if not path.exists():
        pytest.skip("no SIGACTs here")
    blank = int(pd.read_csv(path)["time"].isna().sum())
    with pytest.warns(ReadWarning, match="the date is missing"):
        incidents = read_incidents(
            path,
            columns={"date_start": "time"},
            window=("2004-01-01", "2008-01-01"),
            on_error="drop",
        )
    assert (incidents.n_dropped, len(incidents)) == (blank, len(pd.read_csv(path)) - blank)


def test_lines_that_are_no_json_and_rows_that_are_too_long_are_dropped_too(tmp_path):
    lines = '{"date": "2020-01-05"}\n{"date": \n{"date": "x"}\n{"date": "2020-01-07"}\n{"date": "2020-01-08"}\n'
    with pytest.warns(ReadWarning, match="the row was dropped"):
        found = read_incidents(file_of(tmp_path, lines, "x.jsonl"), window=WINDOW, on_error="drop")
    assert (len(found), found.n_dropped) == (3, 2)
    text = "date,place\n2020-01-05,A\n2020-01-06,B,C\n2020-01-07,D\n2020-01-08,\n"
    with pytest.warns(ReadWarning, match="the row was dropped"):
        found = read_incidents(file_of(tmp_path, text), window=WINDOW, on_error="drop")
    assert (found.n_dropped, found.table["date_start"].dt.day.tolist()) == (1, [5, 7, 8])
