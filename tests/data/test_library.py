"""Loading shipped data sets: what comes out, what is refused, what is left behind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from tempo.data import library, shipped
from tempo.data.incidents import Incidents
from tempo.data.library import copy_dataset, dataset_info, list_datasets, load_dataset, load_table
from tempo.data.window import Window
from tempo.errors import (
    DatasetError,
    OptionError,
    ReadWarning,
    TempoError,
    UndecidedRowsWarning,
    WindowError,
)

NAME = "iraq-coalition"
HEAVY = "killed > 0 or munitions >= 10"
CUT = pd.Timestamp("2020-03-12")


@pytest.fixture(scope="module")
def incidents() -> Incidents:
    return load_dataset(NAME)


@pytest.fixture
def copied(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shipped data sets that a test may spoil."""
    root = tmp_path / "datasets"
    shutil.copytree(repository / "datasets", root)
    monkeypatch.setattr(shipped, "_root", lambda: root)
    return root / NAME


def select(incidents: Incidents, rule: str, undecided: str = "exclude") -> Incidents:
    with pytest.warns(UndecidedRowsWarning):
        return incidents.where(rule, undecided=undecided)


def beyond_census() -> Incidents:
    with pytest.warns(ReadWarning, match="Fit no rates"):
        return load_dataset(NAME, window=("2019-05-01", "2022-02-01"), allow_incomplete=True)


def test_census_is_loaded_without_the_denied_attacks(incidents: Incidents) -> None:
    assert incidents.window == Window("2019-05-01", "2021-01-01")
    assert len(incidents) == 108
    assert not set(incidents.table["id"]) & {"IQ048", "IQ059"}
    assert "IQ048, IQ059" in incidents.notes[0]
    assert "iraq" in incidents.source.lower()
    assert set(incidents.table["window"]) == {"core_2019_2020"}


def test_denied_attacks_can_be_kept() -> None:
    kept = load_dataset(NAME, include_denied=True)
    assert len(kept) == 110
    assert not any("denied" in note for note in kept.notes)


def test_columns_mean_what_the_codebook_says(incidents: Incidents) -> None:
    table = incidents.table.set_index("id")
    raw = load_table(NAME, "incidents").set_index("id").loc[table.index]
    pd.testing.assert_series_equal(table["killed"], raw["killed_total"], check_names=False)
    assert table["killed"].isna().sum() == 20
    for column in ("killed_low", "killed_high"):
        pd.testing.assert_series_equal(table[column], table["killed"], check_names=False)
    for column in ("munitions", "wounded"):
        best, low, high = (table[column + end] for end in ("", "_low", "_high"))
        assert (best.dropna() >= low[best.notna()]).all()
        assert (best.dropna() <= high[best.notna()]).all()
        assert best[low == high].notna().all()
    assert table.loc["IQ033", ["munitions_low", "munitions_high"]].tolist() == [15, 30]
    assert pd.isna(table.loc["IQ033", "munitions"])
    assert table.loc["IQ090", "munitions"] == 21
    assert table.loc["IQ034", "munitions_low"] == 25
    assert pd.isna(table.loc["IQ034", "munitions_high"])
    assert table["date_precision"].value_counts().to_dict() == {"day": 98, "days": 8, "month": 2}
    assert table.loc["IQ136", "date_precision"] == "month"
    assert pd.isna(table.loc["IQ136", "date_best"])
    for column in ("class", "target_type", "governorate", "killed_coalition", "claimed_by", "url"):
        assert column in table


def test_no_unknown_became_zero(incidents: Incidents) -> None:
    """Total deaths are those of the file, and blanks are still blank."""
    table = incidents.table
    assert table["killed"].sum() == 14
    assert table["killed_coalition"].sum() == 4
    blank = table["id"].isin(["IQ028", "IQ029", "IQ032", "IQ131"])
    assert table.loc[blank, ["killed", "killed_low", "killed_high"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("rule", "gaps"),
    [
        ("killed > 0", [58, 75]),
        ("killed_coalition > 0", [75]),
        (HEAVY, [9, 49, 75]),
    ],
)
def test_gaps_before_12_march_2020(incidents: Incidents, rule: str, gaps: list[int]) -> None:
    past = select(incidents, rule).before(CUT)
    assert past.table["date_start"].diff().dt.days.dropna().tolist() == gaps
    assert past.table["id"].iloc[-1] == "IQ033"


@pytest.mark.parametrize(
    ("rule", "first", "day", "within"),
    [
        ("killed > 0", "2020-08-21", 162, [0, 0, 0, 1]),
        ("killed_coalition > 0", "2021-02-15", 340, [0, 0, 0, 0]),
        (HEAVY, "2020-03-14", 2, [1, 1, 1, 2]),
    ],
)
def test_what_came_after_12_march_2020(rule: str, first: str, day: int, within: list[int]) -> None:
    """The table 'the counting rule decides the answer', from the file; one answer lies outside the census."""
    dates = select(beyond_census(), rule).table["date_start"]
    later = dates[dates >= CUT]
    assert later.iloc[0] == pd.Timestamp(first)
    assert (later.iloc[0] - CUT).days == day
    assert [int((later < CUT + pd.Timedelta(days=n)).sum()) for n in (30, 60, 90, 180)] == within


def test_heavy_attacks_and_the_one_that_sources_disagree_on(incidents: Incidents) -> None:
    certain = ["IQ007", "IQ010", "IQ015", "IQ033", "IQ034", "IQ068", "IQ085", "IQ089"]
    heavy = select(incidents, HEAVY)
    assert heavy.table["id"].tolist() == certain
    assert "IQ090" in set(heavy.undecided["id"])
    best = select(incidents, HEAVY, undecided="best")
    assert best.table["id"].tolist() == [*certain, "IQ090"]
    by_class = incidents.where('class in ("lethal", "heavy_nonlethal")')
    assert by_class.table["id"].tolist() == best.table["id"].tolist()
    assert select(incidents, "munitions >= 10", undecided="best").table["id"].tolist() == (
        incidents.where("heavy_by_salvo == 1").table["id"].tolist()
    )


def test_kind_can_be_another_column(incidents: Incidents) -> None:
    assert set(incidents.kinds) == {"rocket", "mortar", "IED", "gunfire"}
    by_class = load_dataset(NAME, kind="class")
    assert set(by_class.kinds) == {"harassment", "heavy_nonlethal", "lethal", "unknown"}
    with pytest.raises(OptionError, match=r"'weapn'.*Did you mean 'weapon'"):
        load_dataset(NAME, kind="weapn")
    with pytest.raises(OptionError, match="no column of text"):
        load_dataset(NAME, kind="killed_total")


def test_dates_known_to_an_interval_stay_intervals(incidents: Incidents) -> None:
    assert incidents.n_uncertain("1D") == 10
    drawn = incidents.imputed_counts("1D", 5, rng=1)
    assert all(int(series.sum()) == 108 for series in drawn)
    assert any((drawn[0] != other).any() for other in drawn[1:])


def test_a_window_inside_the_census() -> None:
    part = load_dataset(NAME, window=("2020-01-01", "2020-03-12"))
    assert len(part) == 17
    assert part.window.days == 71
    assert not any("denied" in note for note in part.notes)


def test_windows_are_half_open() -> None:
    assert load_dataset(NAME, window=("2020-03-11", "2020-03-14")).table["id"].tolist() == ["IQ033"]
    touched = load_dataset(NAME, window=("2019-11-16", "2019-11-17")).table["id"].tolist()
    assert touched == ["IQ127", "IQ009"]  # both are dated to an interval that holds the day


@pytest.mark.parametrize(
    "window",
    [("2020-01-01", "2021-01-02"), ("2021-02-01", "2021-03-01"), ("2019-05-01", "2024-02-01")],
)
def test_outside_the_census_is_refused(window: tuple[str, str]) -> None:
    with pytest.raises(WindowError, match=r"census \[2019-05-01, 2021-01-01\).*allow_incomplete"):
        load_dataset(NAME, window=window)


@pytest.mark.parametrize("window", [("2019-04-30", "2020-01-01"), ("2023-10-17", "2024-02-02")])
def test_beyond_the_data_is_refused_whatever_is_allowed(window: tuple[str, str]) -> None:
    with pytest.raises(WindowError, match="covers"):
        load_dataset(NAME, window=window, allow_incomplete=True)


def test_years_that_nobody_searched_are_not_quiet() -> None:
    with pytest.raises(WindowError, match="not searched at all"):
        load_dataset(NAME, window=("2022-06-01", "2022-09-01"), allow_incomplete=True)
    with pytest.warns(ReadWarning):
        every = load_dataset(
            NAME, window=("2019-05-01", "2024-02-01"), include_denied=True, allow_incomplete=True
        )
    assert len(every) == 150
    assert every.window.gaps == ((pd.Timestamp("2022-02-01"), pd.Timestamp("2023-10-17")),)
    assert any("incomplete" in note and "partial" not in note.split()[0] for note in every.notes)
    monthly = every.imputed_counts("MS", 1, rng=1)[0]
    assert pd.isna(monthly["2022-06-01"])
    assert monthly.dropna().sum() == 150


def test_information_is_complete_and_readable() -> None:
    listed = list_datasets()
    assert listed.index.tolist() == [NAME]
    assert listed.loc[NAME, "end"] == pd.Timestamp("2021-01-01")
    info = dataset_info(NAME)
    assert "CC BY 4.0" in info.citation
    assert info.licence_url.startswith("https://creativecommons.org/")
    assert [part.completeness for part in info.coverage] == ["census", "partial", "sample"]
    for word in ("census", "stand-downs", "cite as"):
        assert word in repr(info)


def test_tables_have_types(incidents: Incidents) -> None:
    for table in dataset_info(NAME).tables:
        assert len(load_table(NAME, table)) > 0
    tallies = load_table(NAME, "reported-tallies")
    assert tallies["from"].dtype == "datetime64[us]"
    assert tallies["count"].dtype == "int64"
    assert load_table(NAME, "operations-tempo")["value"].isna().sum() == 4


def test_unknown_names_are_refused_with_a_hint() -> None:
    with pytest.raises(DatasetError, match=r"Did you mean 'iraq-coalition'.*read_incidents"):
        load_dataset("iraq_coalition")
    with pytest.raises(DatasetError, match="Did you mean 'stand-downs'"):
        load_table(NAME, "stand_downs")
    for name in ("", "..", "../iraq-coalition", "iraq-coalition/"):
        with pytest.raises(DatasetError):
            dataset_info(name)


def test_a_changed_file_is_refused(copied: Path) -> None:
    file = copied / "incidents.csv"
    content = file.read_bytes()
    file.write_bytes(content.replace(b"2020-03-11", b"2020-03-12", 1))
    with pytest.raises(DatasetError, match=r"incidents\.csv.*was changed.*sha256:"):
        load_dataset(NAME)
    file.write_bytes(content.replace(b"\n", b"\r\n"))
    with pytest.raises(DatasetError, match="line ends"):
        load_dataset(NAME)
    file.unlink()
    with pytest.raises(DatasetError, match=r"incidents\.csv.*cannot be read"):
        load_dataset(NAME)


def test_a_broken_descriptor_is_refused(copied: Path) -> None:
    (copied / "datapackage.json").write_text("{")
    with pytest.raises(DatasetError, match=r"datapackage\.json.*cannot be read"):
        load_dataset(NAME)


def test_copy_is_whole(tmp_path: Path, repository: Path) -> None:
    target = copy_dataset(NAME, tmp_path)
    assert target == tmp_path / NAME
    original = repository / "datasets" / NAME
    assert {p.name: p.read_bytes() for p in target.iterdir()} == {
        p.name: p.read_bytes() for p in original.iterdir()
    }
    assert [p.name for p in tmp_path.iterdir()] == [NAME]
    with pytest.raises(DatasetError, match="is there already"):
        copy_dataset(NAME, tmp_path)


def test_copy_leaves_nothing_behind_when_it_fails(
    tmp_path: Path, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    write, calls = Path.write_bytes, []

    def full_disk(self: Path, data: bytes) -> int:
        calls.append(self.name)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(DatasetError, match=r"No space left on device.*Nothing was left"):
        copy_dataset(NAME, place)
    monkeypatch.undo()
    assert len(calls) == 3
    assert not list(place.iterdir())


def test_copy_refuses_a_spoiled_data_set_and_a_missing_folder(tmp_path: Path, copied: Path) -> None:
    with pytest.raises(DatasetError, match="not a folder"):
        copy_dataset(NAME, tmp_path / "nowhere")
    (copied / "stand_downs.csv").write_text("start\n")
    place = tmp_path / "place"
    place.mkdir()
    with pytest.raises(DatasetError, match="was changed"):
        copy_dataset(NAME, place)
    assert not list(place.iterdir())


def test_missing_data_sets_are_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "a" / "b" / "shipped.py"))
    monkeypatch.setattr(shipped.resources, "files", lambda _: tmp_path)
    with pytest.raises(TempoError, match="without its data sets"):
        library.list_datasets()


@pytest.mark.slow
def test_an_installed_wheel_brings_the_data(repository: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")],
        cwd=repository,
        check=True,
        capture_output=True,
    )
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    code = (
        "import json, tempo; i = tempo.load_dataset('iraq-coalition'); "
        "t = tempo.load_table('iraq-coalition', 'context-events'); "
        "print(json.dumps([tempo.__file__, len(i), len(t)]))"
    )
    # From the unpacked files, and straight from the zip: neither may depend on the checkout.
    for place in (site, wheel):
        run = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={"PYTHONPATH": str(place), "PATH": ""},
            check=True,
            capture_output=True,
            text=True,
        )
        origin, n_incidents, n_context = json.loads(run.stdout)
        assert origin.startswith(str(place))
        assert (n_incidents, n_context) == (108, 32)
