"""Incidents: selection, as-of cuts without leakage, uncertain dates, and that nothing of the user's is changed."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tempo.data.incidents import Incidents, concat
from tempo.data.window import Window
from tempo.errors import (
    AbsentValueWarning,
    DataError,
    ImputedDatesWarning,
    OptionError,
    RuleError,
    UndecidedRowsWarning,
    WindowError,
)

WINDOW = Window("2020-01-01", "2020-07-01")


def month(start: str, end: str, precision: str = "month", window=WINDOW, n: int = 1) -> Incidents:
    rows = {"date_start": [start] * n, "date_end": [end] * n, "date_precision": [precision] * n}
    return Incidents(pd.DataFrame(rows), window)


@pytest.fixture
def doubtful() -> Incidents:
    table = pd.DataFrame(
        {
            "date_start": ["2020-01-05", "2020-01-09", "2020-02-01", "2020-03-01", "2020-04-01"],
            "killed": [0, None, 5, 3, None],
            "killed_low": [0, None, 2, None, 4],
            "killed_high": [0, None, 9, None, None],
            "kind": ["rocket", "mortar", "rocket", None, "mortar"],
        }
    )
    return Incidents(table, WINDOW)


# -- rules ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("undecided", "killed", "open_rows"),
    [("exclude", ["2020-04-01"], 2),
     ("include", ["2020-01-09", "2020-02-01", "2020-03-01", "2020-04-01"], 3),
     ("best", ["2020-02-01", "2020-04-01"], 1)],
)  # fmt: skip
def test_undecided_rows_are_treated_as_told_counted_and_reported(
    doubtful, undecided, killed, open_rows
):
    # 0 is decided; nothing known, 2..9 around 5, and exactly 3 without ends, are read against "more than 3".
    rule = "killed > 3" if undecided != "include" else "killed >= 3 and not killed == 100"
    with pytest.warns(
        UndecidedRowsWarning, match=f"{open_rows if undecided != 'include' else 3} of 5 rows"
    ):
        chosen = doubtful.where(rule, label="grave attacks", undecided=undecided)
    assert chosen.table["date_start"].dt.strftime("%Y-%m-%d").tolist() == killed
    assert chosen.label == "grave attacks"
    assert len(doubtful) == 5
    if undecided == "best":
        assert chosen.undecided["date_start"].dt.month.tolist() == [1]
    assert "cannot decide" in chosen.describe()
    assert (undecided == "exclude") == ("[undecided" not in chosen.rule)


def test_decided_rules_do_not_warn_and_chain_into_one_text(doubtful):
    chosen = doubtful.where("date < '2020-02-15'").where("kind == 'rocket'")
    assert chosen.rule == "(date < '2020-02-15') and (kind == 'rocket')"
    assert chosen.table["killed"].tolist() == [0, 5]
    assert len(chosen.undecided) == 0


def test_chained_selection_decides_like_one_rule():
    rng = np.random.default_rng(2)
    table = pd.DataFrame(
        {"date_start": ["2020-02-01"] * 200, "killed": rng.integers(0, 4, 200).astype(float),
         "munitions": rng.integers(0, 20, 200).astype(float)}
    )  # fmt: skip
    table.loc[rng.random(200) < 0.3, "killed"] = np.nan
    table.loc[rng.random(200) < 0.3, "munitions"] = np.nan
    incidents = Incidents(table, WINDOW)
    with pytest.warns(UndecidedRowsWarning):
        one = incidents.where("killed > 0 and munitions >= 10")
    with warnings.catch_warnings(action="ignore"):
        two = incidents.where("killed > 0").where("munitions >= 10")
    pd.testing.assert_frame_equal(one.table, two.table)
    with pytest.raises(OptionError, match="undecided is"):
        incidents.where("killed > 0", undecided="maybe")


# -- as-of cuts ----------------------------------------------------------------------------------------------------


def snapshot(incidents: Incidents):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return (
            incidents.table.to_csv(), incidents.undecided.to_csv(), repr(incidents), incidents.describe(),
            incidents.kinds, incidents.window, incidents.notes, incidents.counts("1D").fingerprint,
            incidents.n_uncertain("1D"),
            [c.fingerprint for c in incidents.imputed_counts("7D", 3, 1)],
            {k: repr(v) for k, v in incidents.by_kind().items()},
        )  # fmt: skip


ROW = st.tuples(
    st.integers(0, 181), st.integers(0, 30), st.sampled_from(["day", "days", "month"]),
    st.sampled_from([None, 0, 1, 5]),
    st.sampled_from([None, "rocket", "mortar"]), st.none() | st.integers(0, 60),
)  # fmt: skip


def built(rows) -> Incidents:
    start = pd.to_datetime("2020-01-01") + pd.to_timedelta([r[0] for r in rows], unit="D")
    table = pd.DataFrame(
        {
            "date_start": start,
            "date_end": [s + pd.Timedelta(days=r[1]) for s, r in zip(start, rows, strict=True)],
            "date_precision": [r[2] for r in rows],
            "killed": pd.Series([r[3] for r in rows], dtype=float),
            "kind": pd.Series([r[4] for r in rows], dtype="str"),
            "reported_at": pd.Series(
                [
                    pd.NaT if r[5] is None else s + pd.Timedelta(days=r[5])
                    for s, r in zip(start, rows, strict=True)
                ],
                dtype="datetime64[us]",
            ),
        }
    )
    return Incidents(table, WINDOW)


@given(st.lists(ROW, max_size=12), st.lists(ROW, max_size=6), st.integers(1, 181), st.booleans())
@settings(max_examples=10, deadline=None)
def test_rows_after_the_cut_change_nothing_of_what_was_known(rows, others, cut, select_first):
    """The leakage test: later rows are altered, removed and added, whole intervals and notes included."""
    day = pd.Timestamp("2020-01-01") + pd.Timedelta(days=cut)
    rule = "killed > 0 or kind == 'mortar'"
    past = [row for row in rows if row[0] < cut]
    future = [(max(row[0], cut), *row[1:]) for row in others]

    def cut_of(incidents):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if select_first:
                return incidents.where(rule, allow_empty=True).before(day)
            return incidents.before(day).where(rule, allow_empty=True)

    assert snapshot(cut_of(built(past))) == snapshot(cut_of(built(past + future)))
    known = cut_of(built(past + future))
    assert known.window.end == day
    assert (known.table["date_start"] < day).all()
    assert not (known.table["reported_at"] >= day).any()
    assert not (known.undecided["date_start"] >= day).any()


def test_late_reports_and_crossing_intervals_are_left_out_and_said():
    table = pd.DataFrame(
        {
            "date_start": ["2020-01-05", "2020-01-06", "2020-02-01", "2020-02-25"],
            "date_end": ["2020-01-05", "2020-01-06", "2020-02-29", "2020-03-20"],
            "date_precision": ["day", "day", "month", "day"],
            "reported_at": ["2020-01-06", "2020-02-15", None, None],
        }
    )
    incidents = Incidents(table, WINDOW)
    cut = incidents.before("2020-02-15")
    assert cut.table["date_start"].dt.day.tolist() == [5]
    assert any("reported only after" in note for note in cut.notes)
    assert any("reaches past the cut-off" in note for note in cut.notes)
    assert len(incidents.before("2020-02-16")) == 2  # reported the day before
    assert len(incidents.before("2020-03-01")) == 4  # the last one began on a known day and lasted
    assert cut.before("2020-06-01").cutoff == pd.Timestamp("2020-02-15")
    assert incidents.before("2020-07-01").window == WINDOW
    with pytest.raises(WindowError):
        incidents.before("2020-01-01")


def test_edges_are_half_open_with_times_of_day():
    times = ["2019-12-31 23:59:59", "2020-01-01 00:00", "2020-06-30 23:59:59.5", "2020-07-01 00:00"]
    incidents = Incidents(pd.DataFrame({"date_start": times, "date_precision": "time"}), WINDOW)
    counts = incidents.counts("1D")
    assert (counts.iloc[0], counts.iloc[-1], counts.sum()) == (1, 1, 2)
    assert len(incidents.before("2020-06-30")) == 2
    assert "in no count: 2 of 4" in incidents.describe()
    part = incidents.between("2020-01-01", "2020-06-30")
    assert len(part) == 1


# -- uncertain dates -----------------------------------------------------------------------------------------------


def places(incidents, freq="1D", n=1500, seed=1):
    drawn = np.stack([c.to_numpy(dtype=float) for c in incidents.imputed_counts(freq, n, seed)])
    return np.nansum(drawn, axis=0), n


def test_a_month_is_drawn_uniformly_over_its_days():
    found, n = places(month("2020-02-01", "2020-02-29"))
    days = pd.date_range("2020-01-01", "2020-06-30")
    inside = (days >= "2020-02-01") & (days <= "2020-02-29")
    assert found[~inside].sum() == 0
    assert stats.chisquare(found[inside], np.full(29, n / 29)).pvalue > 1e-3


def test_one_series_warns_and_does_not_put_months_on_their_first_day():
    incidents = month("2020-02-01", "2020-02-29", n=200)
    with pytest.warns(ImputedDatesWarning, match="200 of 200"):
        counts = incidents.counts("1D")
    assert counts.events == counts.n_imputed == 200
    assert counts["2020-02-01"] < 25
    assert "200 uncertain dates drawn" in counts.rule
    with warnings.catch_warnings(action="ignore"):
        assert incidents.counts("1D").fingerprint == counts.fingerprint
        assert incidents.counts("1D", rng=5).fingerprint != counts.fingerprint
    assert incidents.counts("MS").n_imputed == 0  # and no warning


@pytest.mark.parametrize(
    ("start", "end", "window", "freq", "share", "uncertain"),
    [
        ("2019-12-22", "2020-01-10", WINDOW, "1D", 10 / 20, 1),  # crosses the start
        ("2020-06-21", "2020-07-10", WINDOW, "1D", 10 / 20, 1),  # crosses the end
        (
            "2020-06-21",
            "2020-07-10",
            WINDOW,
            "YS",
            10 / 20,
            1,
        ),  # in one bin, but only partly in the window
        (
            "2020-01-01",
            "2020-01-20",
            Window("2020-01-11", "2020-03-01"),
            "MS",
            10 / 20,
            1,
        ),  # first bin is partial
        (
            "2020-01-01",
            "2020-01-20",
            Window("2020-01-01", "2020-03-01", [("2020-01-01", "2020-01-11")]),
            "MS",
            0.5,
            1,
        ),
        (
            "2020-01-01",
            "2020-01-20",
            Window("2020-01-01", "2020-03-01", [("2020-01-06", "2020-01-11")]),
            "YS",
            0.75,
            1,
        ),
        (
            "2020-01-02",
            "2020-01-04",
            Window("2020-01-01", "2020-03-01", [("2020-01-01", "2020-01-11")]),
            "1D",
            0,
            0,
        ),
        ("2019-11-01", "2019-12-31", WINDOW, "1D", 0, 0),
        ("2020-03-03", "2020-03-03", WINDOW, "1D", 1, 0),
        ("2020-03-03", "2020-03-09", WINDOW, "MS", 1, 0),
    ],
)
def test_the_share_of_draws_that_count_is_the_share_of_days_watched(
    start, end, window, freq, share, uncertain
):
    incidents = month(start, end, "days", window)
    assert incidents.n_uncertain(freq) == uncertain
    found, n = places(incidents, freq, n=1500 if uncertain else 3)
    low, high = stats.binom.interval(0.9999, n, share)
    assert low <= found.sum() <= high


def test_lasting_attacks_count_once_where_they_began():
    counts = month("2020-01-30", "2020-02-10", "day").counts("MS")
    assert counts.tolist() == [1, 0, 0, 0, 0, 0]


def test_imputation_keeps_exact_dates_and_is_reproducible():
    exact = pd.DataFrame(
        {"date_start": ["2020-03-03"] * 2, "date_end": ["2020-03-03"] * 2, "date_precision": "day"}
    )
    vague = pd.DataFrame(
        {"date_start": ["2020-02-01"], "date_end": ["2020-02-29"], "date_precision": "month"}
    )
    incidents = Incidents(pd.concat([exact, vague]), WINDOW)
    series = incidents.imputed_counts("1D", 8, rng=3)
    assert all(c["2020-03-03"] == 2 and c.events == 3 for c in series)
    assert len({c.fingerprint for c in series}) > 3
    again = incidents.imputed_counts("1D", 8, rng=3)
    assert [c.fingerprint for c in series] == [c.fingerprint for c in again]
    with pytest.raises(OptionError, match="at least 1"):
        incidents.imputed_counts("1D", 0)


# -- copies, joins, words ------------------------------------------------------------------------------------------


def test_nothing_of_the_users_reaches_in_and_nothing_handed_out_reaches_back(doubtful):
    given_table = pd.DataFrame({"date_start": ["2020-01-05", "2020-02-05"], "killed": [1.0, 2.0]})
    problems = pd.DataFrame({"row": [1]})
    incidents = Incidents(given_table, WINDOW, problems=problems)
    before = snapshot(incidents)
    given_table.loc[0, "killed"] = 99
    problems.loc[0, "row"] = 99
    handed = incidents.table
    handed.loc[0, "killed"] = 77
    handed["killed"] = 5
    handed.loc[5] = handed.loc[0]
    handed.index = handed.index[::-1]
    doubts = incidents.problems
    doubts.loc[0, "row"] = 55
    assert snapshot(incidents) == before
    assert incidents.problems["row"].tolist() == [1]
    with pytest.warns(UndecidedRowsWarning):
        chosen = doubtful.where("killed > 3")
    handed = chosen.undecided
    handed["killed"] = 1000.0
    assert chosen.undecided["killed"].max() == 5
    with pytest.raises(AttributeError):
        incidents.label = "other"


def test_equality_is_identity_and_never_a_pandas_traceback(doubtful):
    same = doubtful.between("2020-01-01", "2020-07-01")
    assert doubtful != same
    assert doubtful == doubtful
    assert len({doubtful, same}) == 2


def test_kinds_are_ordered_by_number_then_name_and_carry_their_own_undecided_rows(doubtful):
    assert doubtful.kinds == list(doubtful.by_kind()) == ["mortar", "rocket"]
    with pytest.warns(UndecidedRowsWarning):
        parts = doubtful.where("killed > 3", undecided="include").by_kind()
    assert {kind: (len(part), len(part.undecided)) for kind, part in parts.items()} == {
        "mortar": (2, 1),
        "rocket": (1, 1),
    }
    odd = Incidents(pd.DataFrame({"date_start": ["2020-01-05"], "kind": ['the "big" one']}), WINDOW)
    part = odd.by_kind()['the "big" one']
    assert len(odd.where(part.rule)) == 1
    both = """the "big" one's"""
    odd = Incidents(pd.DataFrame({"date_start": ["2020-01-05"], "kind": [both]}), WINDOW)
    assert len(odd.where(odd.by_kind()[both].rule)) == 1
    assert Incidents(pd.DataFrame({"date_start": ["2020-01-05"]}), WINDOW).kinds == []


def test_joining_adds_counts_and_refuses_what_would_mislead():
    def some(label, ids, window=WINDOW):
        return Incidents(
            pd.DataFrame({"date_start": ["2020-01-05"] * len(ids), "id": ids}), window, label=label
        )

    joined = concat([some("rockets", [1, 2]), some("mortars", [3])])
    assert (len(joined), joined.label, joined.counts("MS").tolist()) == (
        3,
        "rockets and mortars",
        [3, 0, 0, 0, 0, 0],
    )
    assert concat([some("a", [1]), some("b", [2])], label="both").label == "both"
    plain = Incidents(pd.DataFrame({"date_start": ["2020-01-05"]}), WINDOW)
    assert (
        len(concat([plain, some("b", [2, 2])])) == 3
    )  # repeats inside one source are that source's business
    with pytest.raises(DataError, match=r"1 ids stand in more than one part .first: 2"):
        concat([some("a", [1, 2]), some("b", [2])])
    with pytest.raises(DataError, match="windows differ"):
        concat([some("a", [1]), some("b", [2], Window("2020-01-01", "2020-07-02"))])
    with pytest.raises(DataError, match="windows differ"):
        concat([some("a", [1]), some("b", [2]).before("2020-07-01")])
    with pytest.raises(DataError, match="nothing to join"):
        concat([])


def test_html_escapes_what_stands_in_the_data():
    bad = "<script>alert(1)</script>&"
    table = pd.DataFrame(
        {"date_start": ["2020-01-05"] * 20, "kind": bad, "place": bad, "target": bad}
    )
    page = Incidents(table, WINDOW, label=bad, source=bad, rule=bad, notes=[bad])._repr_html_()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "12 more" in page


@pytest.mark.parametrize(
    "empty",
    [pd.DataFrame({"date_start": []}), pd.DataFrame(columns=["date_start", "killed", "kind"])],
)
def test_no_incidents_are_a_legal_and_quiet_past(empty):
    incidents = Incidents(empty, WINDOW, label="raid")
    assert incidents.counts("MS").tolist() == [0] * 6
    assert (len(incidents), incidents.n_uncertain(), incidents.kinds, incidents.by_kind()) == (
        0,
        0,
        [],
        {},
    )
    assert repr(incidents).startswith("Incidents: 0 raids in")
    assert "0 raids between" in incidents.describe()
    assert "0 raids" in incidents._repr_html_()
    for other in (
        incidents.before("2020-03-01"),
        incidents.between("2020-02-01", "2020-03-01"),
        concat([incidents, incidents]),
    ):
        assert len(other) == 0
    assert len(incidents.where("date > '2020-01-01'")) == 0


def test_description_names_unknowns_and_gaps():
    window = Window("2020-01-01", "2020-07-01", [("2020-02-01", "2020-02-11")])
    table = pd.DataFrame(
        {"date_start": ["2020-01-05", "2020-02-05"], "killed": [None, 2], "kind": ["a", "b"]}
    )
    words = Incidents(table, window, source="me").before("2020-06-01").describe()
    for part in (
        "10 not observed",
        "unknown for 1 of 2",
        "before 2020-06-01",
        "Kinds: a 1, b 1.",
        "Source: me.",
        "in no count: 1 of 2",
    ):
        assert part in words


@pytest.mark.parametrize("label", ["", "  ", 3, None])
def test_a_label_says_what_is_counted(label):
    table = pd.DataFrame({"date_start": ["2020-01-05"]})
    with pytest.raises(OptionError, match="what is counted"):
        Incidents(table, WINDOW, label=label)


def test_a_label_is_one_line():
    table = pd.DataFrame({"date_start": ["2020-01-05"]})
    assert Incidents(table, WINDOW, label="heavy\n strikes ").label == "heavy strikes"


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(-5, 45), st.integers(0, 20)), min_size=1, max_size=12),
    st.booleans(),
    st.integers(0, 99),
)
def test_drawn_onsets_are_the_days_that_are_counted(intervals, gap, seed):
    start = pd.Timestamp("2020-01-01")
    first = [start + pd.Timedelta(days=day) for day, _ in intervals]
    table = pd.DataFrame(
        {"date_start": first, "date_precision": "days", "label": range(len(first))}
    )
    table["date_end"] = [
        day + pd.Timedelta(days=long) for day, (_, long) in zip(first, intervals, strict=True)
    ]
    gaps = [(start + pd.Timedelta(days=10), start + pd.Timedelta(days=14))] if gap else []
    window = Window(start, start + pd.Timedelta(days=42), gaps=gaps)
    incidents = Incidents(table, window)
    onsets = incidents.imputed_onsets(3, rng=seed)
    for freq in ("1D", "7D"):
        for onset, counts in zip(onsets, incidents.imputed_counts(freq, 3, rng=seed), strict=True):
            rows = incidents.table
            assert ((onset >= rows["date_start"]) & (onset <= rows["date_end"])).all()
            watched = (onset >= window.start) & (onset < window.end)
            for low, high in window.gaps:
                watched &= ~((onset >= low) & (onset < high))
            exact = Incidents(pd.DataFrame({"date_start": onset[watched]}), window).counts(freq)
            np.testing.assert_array_equal(exact, counts)


def _places() -> Incidents:
    table = pd.DataFrame(
        {
            "date_start": pd.date_range("2020-01-01", periods=5),
            "admin1": ["Baghdad", "Baghdad", "Kirkūk", "Basra", None],
            "killed": [0.0, 3, 1, 0, 2],
        }
    )
    return Incidents(table, ("2020-01-01", "2020-02-01"))


def test_a_rule_that_matches_nothing_is_no_all_clear():
    places = _places()
    with pytest.raises(
        RuleError, match=r"matches none of 5 rows.*'Baghdad' \(2\).*allow_empty=True"
    ):
        places.where("admin1 == 'Bagdad'", undecided="best")
    with pytest.warns(UndecidedRowsWarning), pytest.warns(AbsentValueWarning, match="Bagdad"):
        empty = places.where("admin1 == 'Bagdad'", allow_empty=True)
    assert len(empty) == 0
    with pytest.warns(AbsentValueWarning, match="'Basrah' never stands"):
        some = places.where("killed > 0 or admin1 == 'Basrah'")
    assert len(some) == 3
    # An early cut may hold nothing of what comes later: choose first.
    with pytest.warns(UndecidedRowsWarning):
        assert len(places.where("admin1 == 'Basra'").before("2020-01-03")) == 0


def test_rows_are_chosen_by_a_mask_or_a_function():
    places = _places()
    assert len(places.where(places.table["killed"] > 0, label="lethal")) == 3
    assert len(places.where(lambda table: table["killed"] > 2)) == 1
    assert len(places.where([True, False, False, False, True])) == 2
    with pytest.warns(UndecidedRowsWarning, match="1 of 5"):
        chosen = places.where(pd.array([True, None, False, False, False], dtype="boolean"))
    assert (len(chosen), len(chosen.undecided)) == (1, 1)
    for wrong in ([True], 3, lambda _: "x"):
        with pytest.raises(RuleError, match="expected True or False for each of 5 rows"):
            places.where(wrong)


def test_a_cut_after_the_data_is_refused():
    with pytest.raises(WindowError, match=r"lies after the end of the data, .* 2020-01-31"):
        _places().before("2030-01-01")
    assert len(_places().before("2020-02-01")) == 5
