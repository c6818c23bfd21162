"""Published schemas: every trap of UCDP GED, ACLED and GTD, on rows that are made up."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pandas as pd
import pytest

from tempo.data.readers import check_file, read_incidents
from tempo.data.schema_gtd import approximate_interval
from tempo.data.schema_ucdp import LAYOUTS
from tempo.errors import OptionError, ReadError, ReadWarning

WINDOW = ("2020-01-01", "2021-01-01")


def quietly(*args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReadWarning)
        return read_incidents(*args, **kwargs)


def days(series) -> list[str]:
    return pd.Series(series).dt.strftime("%Y-%m-%d").tolist()


# -- UCDP ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["{}", "{} 00:00:00.000", "{}T00:00:00"])
def test_ucdp_date_formats_mean_the_same_day(ucdp, written, form):
    rows = ucdp()
    plain = rows["date_start"].tolist()
    rows = rows.assign(
        date_start=[form.format(d) for d in plain], date_end=[form.format(d) for d in plain]
    )
    incidents = read_incidents(written(rows), window=WINDOW)
    assert days(incidents.table["date_start"]) == plain
    assert set(incidents.table["date_precision"]) == {"day"}
    assert incidents.source == "UCDP GED, events.csv"


@pytest.mark.parametrize("columns", [49, 45])
def test_ucdp_estimates_are_found_by_name_in_both_layouts(ucdp, written, columns):
    # "low best high" in the old layout, "best high low" in the new one.
    incidents = read_incidents(written(ucdp(columns=columns)), window=WINDOW)
    row = incidents.table.iloc[0]
    assert (row["killed_low"], row["killed"], row["killed_high"]) == (1, 2, 3)
    assert row["kind"] == "state-based"
    assert (row["actor"], row["target"]) == ("Government of Nowhere", "Band of Nobody")


def test_ucdp_columns_may_stand_in_any_order(ucdp, written):
    rows = ucdp()
    shuffled = rows[list(reversed(rows.columns))]
    expected = read_incidents(written(rows), window=WINDOW).table
    got = read_incidents(written(shuffled, "b.csv"), window=WINDOW).table
    pd.testing.assert_frame_equal(got[expected.columns], expected)


@pytest.mark.parametrize("columns", [49, 45])
def test_ucdp_without_header_is_recognised_by_content(ucdp, tmp_path, columns):
    path = tmp_path / "candidate.csv"
    ucdp(columns=columns).to_csv(path, index=False, header=False)
    incidents = read_incidents(path, window=WINDOW)
    assert len(incidents) == 3
    assert incidents.table["killed_high"].tolist() == [3, 3, 3]
    assert any("no header" in rule for rule in incidents.problems["rule"])


def test_headerless_rows_that_do_not_prove_the_layout_are_not_taken_by_position(ucdp, tmp_path):
    path = tmp_path / "candidate.csv"
    rows = ucdp()
    rows.loc[1, "date_prec"] = "7"
    rows.to_csv(path, index=False, header=False)
    with pytest.raises(ReadError, match="first row holds data"):
        read_incidents(path, window=WINDOW)


def test_hxl_row_is_skipped_and_row_numbers_stay(ucdp, written):
    rows = ucdp(best=["2", "2", "-2"])
    tags = pd.DataFrame(
        [
            dict.fromkeys(rows, "")
            | {"id": "#meta+id", "date_start": "#date+start", "best": "#affected+killed"}
        ]
    )
    path = written(pd.concat([tags, rows]))
    check = check_file(path)
    error = check.problems[check.problems["severity"] == "error"]
    assert error["row"].tolist() == [5]  # header 1, tags 2, rows 3 to 5
    assert error["column"].tolist() == ["best"]
    good = read_incidents(written(pd.concat([tags, ucdp()]), "good.csv"), window=WINDOW)
    assert len(good) == 3


def test_ucdp_precision_codes_become_intervals(ucdp, written):
    rows = ucdp(
        5,
        date_prec=["1", "2", "3", "4", "5"],
        date_start=["2020-02-03", "2020-02-03", "2020-02-03", "2020-02-01", "2020-01-01"],
        date_end=["2020-02-05", "2020-02-05", "2020-02-09", "2020-02-29", "2020-12-31"],
    )
    incidents = read_incidents(written(rows), window=WINDOW)
    table = incidents.table.set_index("id").loc[[str(100 + k) for k in range(5)]]
    assert table["date_precision"].tolist() == ["day", "days", "week", "month", "year"]
    assert days(table["date_end"])[0] == "2020-02-05"  # it lasted, and began on the third
    assert incidents.n_uncertain("1D") == 4


def test_ucdp_imprecise_date_without_interval_is_widened(ucdp, written):
    rows = ucdp(
        4,
        date_prec=["2", "3", "4", "5"],
        date_start=["2020-02-10"] * 4,
        date_end=["2020-02-10"] * 4,
    )
    with pytest.warns(ReadWarning, match="widened"):
        incidents = read_incidents(written(rows), window=WINDOW)
    table = incidents.table.set_index("id").sort_index()
    assert days(table["date_start"]) == ["2020-02-07", "2020-02-07", "2020-02-01", "2020-01-01"]
    assert days(table["date_end"]) == ["2020-02-13", "2020-02-13", "2020-02-29", "2020-12-31"]


def test_best_below_low_widens_the_interval_and_keeps_best(ucdp, written):
    rows = ucdp(best=["1", "5", "2"], low=["3", "1", "1"], high=["3", "4", "3"])
    with pytest.warns(ReadWarning, match="contradict"):
        incidents = read_incidents(written(rows), window=WINDOW)
    table = incidents.table
    assert table[["killed_low", "killed", "killed_high"]].to_numpy().tolist() == [
        [1, 1, 3],
        [1, 5, 5],
        [1, 2, 3],
    ]
    assert incidents.problems["row"].tolist() == [2, 3]
    assert incidents.problems["value"].tolist()[0] == "best 1, low 3, high 3"


def test_blank_best_is_unknown_and_unrecorded_sources_are_missing(ucdp, written):
    rows = ucdp(
        best=["", "2", "2"],
        low=["", "1", "1"],
        high=["", "3", "3"],
        number_of_sources=["-1", "2", "3"],
    )
    table = read_incidents(written(rows), window=WINDOW).table
    assert np.isnan(table["killed"].iloc[0])
    assert table["number_of_sources"].isna().tolist() == [True, False, False]


def test_wrong_codes_are_errors_with_rows(ucdp, written):
    rows = ucdp(date_prec=["1", "9", "x"], type_of_violence=["1", "2", "4"])
    with pytest.raises(ReadError) as caught:
        read_incidents(written(rows), window=WINDOW)
    problems = caught.value.problems
    assert set(zip(problems["row"], problems["column"], strict=True)) == {
        (3, "date_prec"),
        (4, "date_prec"),
        (4, "type_of_violence"),
    }


def test_other_columns_are_kept_with_their_types(ucdp, written):
    table = read_incidents(written(ucdp()), window=WINDOW).table
    assert table["dyad_name"].iloc[0].startswith("Government of Nowhere")
    assert table["deaths_a"].dtype == np.int64
    assert table["year"].tolist() == [2020, 2020, 2020]


def test_schema_named_but_not_there(written):
    path = written("date,deaths\n2020-01-01,1\n")
    with pytest.raises(ReadError, match="not a UCDP GED file"):
        read_incidents(path, schema="ucdp-ged", window=WINDOW)


def test_real_ucdp_file_is_read_fast_and_whole(shared_data):
    path = shared_data / "ucdp" / "ucdp_ged_iraq_1989_2018.csv"
    window = ("1989-01-01", "2019-01-01")
    best = np.inf
    for _ in range(4):  # processor time, so that a busy machine does not decide
        begin = time.process_time()
        incidents = quietly(path, window=window)
        best = min(best, time.process_time() - begin)
    assert len(incidents) == 7473
    assert best < 1.0
    table = incidents.table
    assert (
        (table["killed_low"] <= table["killed"]) & (table["killed"] <= table["killed_high"])
    ).all()
    counted = table["date_precision"].value_counts()
    assert counted.to_dict() == {"day": 6846, "days": 441, "month": 115, "week": 38, "year": 33}
    contradictions = incidents.problems["rule"].str.contains("contradict").sum()
    raw = pd.read_csv(path, usecols=["low", "best", "high"])
    assert contradictions == ((raw["best"] < raw["low"]) | (raw["best"] > raw["high"])).sum()


def test_real_ucdp_with_hxl_row_and_clock_times(shared_data):
    hxl = quietly(
        shared_data / "ucdp" / "ucdp_hdx_raw_iraq_first_rows.csv",
        window=("1989-01-01", "2020-01-01"),
    )
    assert len(hxl) == 148
    v23 = quietly(
        shared_data / "ucdp" / "ucdp_ged_v23_1_sample1000.csv", window=("1989-01-01", "2023-01-01")
    )
    assert len(v23) == 1000
    assert "time" not in set(v23.table["date_precision"])


# -- ACLED -----------------------------------------------------------------------------------------------------


def test_acled_both_date_formats_and_bom(acled, written):
    plain = read_incidents(written(acled()), window=WINDOW).table
    rows = acled(event_date=["1 March 2020", "02 March 2020", "3 Mar 2020"])
    content = "\N{ZERO WIDTH NO-BREAK SPACE}" + rows.to_csv(index=False)
    web = read_incidents(written(content.encode(), "web.csv"), window=WINDOW).table
    assert (
        days(web["date_start"])
        == days(plain["date_start"])
        == ["2020-03-01", "2020-03-02", "2020-03-03"]
    )
    assert web["id"].tolist() == ["NOW0", "NOW1", "NOW2"]


def test_acled_time_precision_becomes_intervals(acled, written):
    rows = acled(time_precision=["1", "2", "3"], event_date=["2020-03-15"] * 3)
    table = read_incidents(written(rows), window=WINDOW).table.set_index("id").sort_index()
    assert table["date_precision"].tolist() == ["day", "week", "month"]
    assert days(table["date_start"]) == ["2020-03-15", "2020-03-12", "2020-03-01"]
    assert days(table["date_end"]) == ["2020-03-15", "2020-03-18", "2020-03-31"]


def test_acled_actor_codes_become_the_words_of_newer_files(acled, written):
    old = acled(inter1=["3", "1", "0"], inter2=["7", "2", ""])
    table = read_incidents(written(old), window=WINDOW).table
    assert table["inter1"].tolist()[:2] == ["Political militia", "State forces"]
    assert table["inter1"].isna().tolist() == [False, False, True]
    new = read_incidents(written(acled(), "new.csv"), window=WINDOW).table
    assert set(new["inter1"]) == {"Political militia"}


def test_acled_timestamp_is_when_the_row_was_changed(acled, written):
    incidents = read_incidents(written(acled()), window=WINDOW)
    assert incidents.table["changed_at"].iloc[0] == pd.Timestamp("2020-09-13 12:26:40")
    # It is no date of report: an event that was edited later was known all the same.
    assert "reported_at" not in incidents.table or incidents.table["reported_at"].isna().all()
    cut = incidents.table["date_start"].max() + pd.Timedelta("1D")
    assert len(incidents.before(cut)) == len(incidents)
    assert incidents.table["kind"].iloc[0] == "Explosions/Remote violence"
    assert incidents.table["note"].iloc[0] == "Made up."
    assert any("last changed" in rule for rule in incidents.problems["rule"])


def test_acled_keeps_the_newest_version_of_an_event(acled, written):
    rows = acled(
        event_id_cnty=["A", "A", "B"],
        fatalities=["0", "4", "1"],
        timestamp=["1600000000", "1600000500", "1600000000"],
    )
    with pytest.warns(ReadWarning, match="older version"):
        table = read_incidents(written(rows), window=WINDOW).table
    assert table.set_index("id")["killed"].to_dict() == {"A": 4, "B": 1}


def test_acled_upper_case_names(acled, written):
    rows = acled().rename(columns=str.upper)
    assert len(read_incidents(written(rows), window=WINDOW)) == 3


# -- GTD -------------------------------------------------------------------------------------------------------


def test_gtd_unknown_day_and_month_become_intervals(gtd, written):
    rows = gtd(iday=["5", "0", "0"], imonth=["1", "6", "0"])
    table = read_incidents(written(rows), window=WINDOW).table.set_index("id").sort_index()
    assert table["date_precision"].tolist() == ["day", "month", "year"]
    assert days(table["date_start"]) == ["2020-01-05", "2020-06-01", "2020-01-01"]
    assert days(table["date_end"]) == ["2020-01-05", "2020-06-30", "2020-12-31"]


@pytest.mark.parametrize(
    ("text", "first", "last", "precision"),
    [
        ("June 19-20, 2020", "2020-06-19", "2020-06-20", "days"),
        ("Early June 2020", "2020-06-01", "2020-06-10", "month"),
        ("mid-June 2020", "2020-06-11", "2020-06-20", "month"),
        ("late June, 2020", "2020-06-21", "2020-06-30", "month"),
        ("06/03/2020-06/09/2020", "2020-06-03", "2020-06-09", "week"),
        ("between June 3 and June 4, 2020", "2020-06-03", "2020-06-04", "days"),
        ("June 2020", "2020-06-01", "2020-06-30", "month"),
        ("12 June 2020", "2020-06-12", "2020-06-12", "day"),
        ("July 2020", "2020-06-01", "2020-06-30", "month"),  # contradicts the coded month
        ("after the rains", "2020-06-01", "2020-06-30", "month"),
        ("June 31-32, 2020", "2020-06-01", "2020-06-30", "month"),
    ],
)
def test_gtd_approximate_dates_narrow_the_interval(gtd, written, text, first, last, precision):
    rows = gtd(1, iday=["0"], imonth=["6"], approxdate=[text])
    row = read_incidents(written(rows), window=WINDOW).table.iloc[0]
    assert (
        f"{row['date_start']:%Y-%m-%d}",
        f"{row['date_end']:%Y-%m-%d}",
        row["date_precision"],
    ) == (first, last, precision)


def test_gtd_coded_day_that_approxdate_doubts(gtd, written):
    rows = gtd(1, iday=["15"], imonth=["12"], approxdate=["December 15-16, 2020"])
    with pytest.warns(ReadWarning, match="several days"):
        row = read_incidents(written(rows), window=WINDOW).table.iloc[0]
    assert row["date_precision"] == "days"
    assert f"{row['date_end']:%Y-%m-%d}" == "2020-12-16"


def test_gtd_extended_attack_keeps_an_exact_beginning(gtd, written):
    rows = gtd(extended=["1", "0", "1"], resolution=["2020-02-01", "2020-02-01", "1/20/2020"])
    incidents = read_incidents(written(rows), window=WINDOW)
    table = incidents.table
    assert set(table["date_precision"]) == {"day"}
    assert days(table["date_end"]) == ["2020-02-01", "2020-01-02", "2020-01-20"]
    assert incidents.n_uncertain("1D") == 0


def test_gtd_resolution_before_the_attack_is_ignored(gtd, written):
    rows = gtd(1, extended=["1"], resolution=["2019-12-01"])
    with pytest.warns(ReadWarning, match="before the attack"):
        table = read_incidents(written(rows), window=WINDOW).table
    assert days(table["date_end"]) == ["2020-01-01"]


def test_gtd_blank_deaths_and_codes_are_unknown_and_attackers_apart(gtd, written):
    rows = gtd(
        5,
        iday=["1", "2", "3", "4", "5"],
        nkill=["", "-99", "3", "0", "4"],
        nkillter=["0", "0", "1", "", ""],
        nperps=["-99", "-9", "4", "2", "1"],
        longitude=["-9", "44", "44", "44", "44"],
    )
    table = read_incidents(written(rows), window=WINDOW).table
    assert table["killed"].isna().tolist() == [True, True, False, False, False]
    assert table["killed_others"].tolist()[2:4] == [2, 0]
    assert table["killed_others"].isna().tolist() == [True, True, False, False, True]
    assert table["killed_attackers"].tolist()[2] == 1
    assert table["nperps"].isna().tolist() == [True, True, False, False, False]
    assert table["longitude"].iloc[0] == -9  # a place, not a code


def test_gtd_doubtful_and_coordinated_attacks_are_announced(gtd, written):
    rows = gtd(doubtterr=["1", "0", "-9"], multiple=["1", "1", "0"])
    with pytest.warns(ReadWarning, match="coordinated"):
        incidents = read_incidents(written(rows), window=WINDOW)
    assert any("doubtful" in rule for rule in incidents.problems["rule"])
    assert incidents.table["doubtterr"].isna().tolist() == [False, False, True]
    assert len(incidents) == 3


def test_gtd_coordinated_attacks_can_be_counted_as_one(gtd, written):
    ids = ["202001010001", "202001010002", "202001010003", "202001020001"]
    rows = gtd(
        4,
        eventid=ids,
        iday=["1", "1", "1", "2"],
        multiple=["1", "1", "0", "1"],
        related=[f"{ids[0]}, {ids[1]}, {ids[3]}", f"{ids[1]},{ids[0]}", "", ids[0]],
        nkill=["2", "", "1", "5"],
        nwound=["2", "3", "1", "1"],
    )
    incidents = quietly(written(rows), window=WINDOW, merge_coordinated=True)
    table = incidents.table
    assert table["id"].tolist() == [ids[0], ids[2], ids[3]]  # another day is another attack
    assert table["attacks_merged"].tolist() == [2, 1, 1]
    assert np.isnan(table["killed"].iloc[0])  # one of the two is unknown ...
    assert table["killed_low"].iloc[0] == 2  # ... so two is the least
    assert table["wounded"].tolist() == [5, 1, 1]
    assert "coordinated" in incidents.rule


def test_merging_needs_gtd(acled, written):
    with pytest.raises(OptionError, match="merge_coordinated"):
        read_incidents(written(acled()), window=WINDOW, merge_coordinated=True)


def test_gtd_1993_is_a_gap_and_changes_of_method_are_announced(gtd, written):
    rows = gtd(iyear=["1992", "1995", "2010"])
    with pytest.warns(ReadWarning, match="collected changed"):
        incidents = read_incidents(written(rows), window=("1990-01-01", "2012-01-01"))
    assert incidents.window.gaps == ((pd.Timestamp("1993-01-01"), pd.Timestamp("1994-01-01")),)
    text = " ".join(incidents.problems["rule"])
    for day in ("1998-01-01", "2008-04-01", "2011-11-01"):
        assert day in text
    with_1993 = quietly(
        written(gtd(iyear=["1992", "1993", "2010"]), "b.csv"), window=("1990-01-01", "2012-01-01")
    )
    assert with_1993.window.gaps == ()


def test_gtd_impossible_day_and_missing_year(gtd, written):
    rows = gtd(iyear=["2020", "", "2020"], imonth=["2", "1", "13"], iday=["30", "1", "1"])
    with pytest.raises(ReadError) as caught:
        read_incidents(written(rows), window=WINDOW)
    problems = caught.value.problems
    errors = problems[problems["severity"] == "error"]
    assert set(zip(errors["row"], errors["column"], strict=True)) == {
        (2, "iday"),
        (3, "iyear"),
        (4, "imonth"),
    }


def test_gtd_ids_rounded_by_a_spreadsheet_do_not_look_like_duplicates(gtd, written):
    rows = gtd(eventid=["2.02E+11", "2.02E+11", "2.02E+11"])
    with pytest.warns(ReadWarning, match="rounded by a spreadsheet"):
        incidents = read_incidents(written(rows), window=WINDOW)
    assert len(incidents) == 3


def test_gtd_latin1_copy(gtd, written):
    rows = gtd(city=["Córdoba", "Bogotá", "Ñuñoa"])
    content = rows.to_csv(index=False).encode("latin-1")
    with pytest.warns(ReadWarning, match="Latin-1"):
        table = read_incidents(written(content), window=WINDOW).table
    assert table["place"].tolist() == ["Córdoba", "Bogotá", "Ñuñoa"]


def test_gtd_as_excel_with_numbers(gtd, tmp_path):
    path = tmp_path / "gtd.xlsx"
    rows = gtd()
    for name in ("eventid", "iyear", "imonth", "iday", "nkill"):
        rows[name] = pd.to_numeric(rows[name])
    rows.to_excel(path, index=False)
    table = read_incidents(path, window=WINDOW).table
    assert table["id"].tolist() == ["202001010001", "202001020001", "202001030001"]
    assert table["killed"].tolist() == [1, 1, 1]


def test_approximate_interval_gives_none_for_what_it_cannot_read():
    for text in ("", "Ramadan", "late Brumaire 1999", "June 20-19, 2020", "13/45/2020-13/46/2020"):
        assert approximate_interval(text) is None


def test_layouts_are_those_of_the_published_files(shared_data):
    for n, name in ((49, "ucdp_ged_v23_1_sample1000"), (45, "ucdp_ged_iraq_1989_2018")):
        header = pd.read_csv(shared_data / "ucdp" / f"{name}.csv", nrows=0)
        assert LAYOUTS[n] == tuple(header.columns)


def test_acled_says_which_of_its_kinds_are_no_attacks(acled, written):
    """Protests are counted with a word; the rule that the word offers leaves out exactly those rows."""
    kinds = ["Battles", "Protests", "Riots"]
    with pytest.warns(ReadWarning, match="Protests"):
        mixed = read_incidents(written(acled(event_type=kinds)), window=WINDOW)
    (said,) = mixed.problems[mixed.problems["rule"].str.contains("no attack")].to_dict("records")
    assert said["rule"].endswith("Protests (1), Riots (1)")
    rule = said["remedy"].partition("by a rule: ")[2].rstrip(".")
    assert mixed.where(rule).table["kind"].tolist() == ["Battles"]
    plain = read_incidents(written(acled(event_type=["Battles"] * 3), "plain.csv"), window=WINDOW)
    assert not plain.problems["rule"].str.contains("no attack").any()
