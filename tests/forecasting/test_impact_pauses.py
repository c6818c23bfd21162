"""Documented pauses: words that no row holds, days that are none, and spans in which nobody could see."""

from __future__ import annotations

import pandas as pd
import pytest

import tempo
from tempo.errors import DataError, OptionError, ReadError

TABLE = pd.DataFrame(
    {
        "start": ["2020-01-05", "2020-01-05", "2020-03-20", "2020-02-01"],
        "end": ["2020-01-15", "2020-01-30", None, "2020-02-10"],
        "cause": ["rocket attacks", "same", "virus", "flood"],
        "scope": ["operations", "joint operations", "operations", "training"],
    }
)


def spans(pauses: tempo.Pauses) -> list[tuple[str, str]]:
    return [(f"{start:%Y-%m-%d}", f"{end:%Y-%m-%d}") for start, end in pauses.blind]


@pytest.mark.parametrize(
    ("words", "known"),
    [
        ({"cause": "rocket attack on"}, "'rocket attacks'; 'virus'; 'flood'"),
        ({"cause": "rocket", "scope": "patrols"}, "'operations'; 'joint operations'"),
        ({"cause": "rocket", "scope": "training"}, "with the cause 'rocket'"),
    ],
)
@pytest.mark.parametrize("before", [None, "2019-01-01", "2020-05-01"])
def test_words_that_no_pause_holds_are_refused_with_those_that_are_stated(
    words, known, before
) -> None:
    with pytest.raises(OptionError) as raised:
        tempo.Pauses.from_table(TABLE, before=before, **words)
    assert known in str(raised.value)


def test_a_cause_that_is_stated_later_gives_no_pause_yet() -> None:
    early = tempo.Pauses.from_table(TABLE, cause="rocket", before="2019-12-01")
    assert (len(early), early.blind) == (0, ())


def test_a_mistyped_cause_of_the_shipped_pauses_is_refused() -> None:
    with pytest.raises(OptionError, match="repeated rocket attacks"):
        tempo.Pauses.load("iraq-coalition", cause="rocket attack on", before="2020-03-12")


@pytest.mark.parametrize("wrong", [{"cause": 3}, {"cause": None}, {"cause": "rocket", "scope": 3}])
def test_words_must_be_words(wrong) -> None:
    with pytest.raises(OptionError, match="expected words"):
        tempo.Pauses.from_table(TABLE, **wrong)


def test_other_causes_in_the_same_scope_are_blind_spans() -> None:
    pauses = tempo.Pauses.from_table(TABLE, cause="rocket", scope="operations", before="2020-05-01")
    assert spans(pauses) == [("2020-03-20", "2020-05-01")]
    (note,) = (note for note in pauses.notes if "Other causes" in note)
    assert "(virus) stopped or cut operations from 2020-03-20 to 2020-04-30" in note
    assert "neither as having led" in note
    every = tempo.Pauses.from_table(TABLE, cause="rocket", before="2020-05-01")
    assert spans(every) == [("2020-02-01", "2020-02-10"), ("2020-03-20", "2020-05-01")]
    ignored = tempo.Pauses.from_table(
        TABLE, cause="rocket", scope="operations", other_causes="ignored"
    )
    assert ignored.blind == ()
    early = tempo.Pauses.from_table(TABLE, cause="rocket", scope="operations", before="2020-03-12")
    assert early.blind == ()
    endless = tempo.Pauses.from_table(TABLE, cause="rocket", scope="operations")
    assert any("from 2020-03-20 on" in note for note in endless.notes)


def test_the_shipped_pandemic_is_blind_from_march_2020() -> None:
    words = {"cause": "rocket attacks", "scope": "operations"}
    late = tempo.Pauses.load("iraq-coalition", **words, before="2020-05-01")
    assert spans(late) == [("2020-03-01", "2020-05-01")]
    # Late March, the day not stated, was not known on the 12th.
    assert tempo.Pauses.load("iraq-coalition", **words, before="2020-03-12").blind == ()


def test_blind_spans_can_be_stated() -> None:
    pauses = tempo.Pauses.from_table(
        TABLE,
        cause="rocket",
        scope="operations",
        before="2020-05-01",
        blind=[("2020-03-10", "2020-03-25"), ("2019-12-01", "2019-12-10")],
    )
    assert spans(pauses) == [("2019-12-01", "2019-12-10"), ("2020-03-10", "2020-05-01")]
    for wrong in ([("2020-03-10",)], "2020-03-10", [("2020-03-10", "2020-03-01")], ["2020-03-10"]):
        with pytest.raises(OptionError, match="blind span"):
            tempo.Pauses.from_table(TABLE, cause="rocket", blind=wrong)
    with pytest.raises(OptionError, match="other_causes is 'seen'"):
        tempo.Pauses.from_table(TABLE, cause="rocket", other_causes="seen")


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("start", "sometime"),
        ("start", "05/01/2020"),
        ("start", "2020-13-05"),
        ("end", "2020-02-30"),
        ("end", "2020-02"),
        ("end", 7),
    ],
)
def test_a_date_that_is_none_is_named_with_its_row(column, said) -> None:
    table = TABLE.astype(object)
    table.loc[1, column] = said
    with pytest.raises(DataError, match=rf"{str(said)!r} in row 1"):
        tempo.Pauses.from_table(table, cause="rocket")


def test_a_month_is_some_day_of_that_month() -> None:
    table = TABLE.iloc[:1].assign(start="2020-01", end="2020-02-15")
    (pause,) = tempo.Pauses.from_table(table, cause="rocket")
    assert (f"{pause.start_from:%d}", f"{pause.start_to:%d}") == ("01", "31")
    assert (pause.shortest_days, pause.longest_days) == (15.0, 45.0)


def test_pauses_are_read_from_a_file(tmp_path) -> None:
    file = tmp_path / "pauses.csv"
    TABLE.to_csv(file, index=False)
    read = tempo.Pauses.read(file, cause="rocket", scope="operations", before="2020-05-01")
    given = tempo.Pauses.from_table(TABLE, cause="rocket", scope="operations", before="2020-05-01")
    assert read == given
    TABLE[["start", "end"]].to_csv(file, index=False)
    assert len(tempo.Pauses.read(file)) == 3
    with pytest.raises(ReadError, match="cannot be read"):
        tempo.Pauses.read(tmp_path / "none.csv")
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises((ReadError, DataError)):
        tempo.Pauses.read(file)
