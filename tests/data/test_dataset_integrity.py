"""The shipped files agree with their descriptor, their codebook, their coding rules and published counts.

Read with the standard library alone, so that nothing of tempo stands between the files and the checks.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2] / "datasets"
FOLDER = ROOT / "iraq-coalition"
DESCRIPTOR: dict[str, Any] = json.loads((FOLDER / "datapackage.json").read_text(encoding="utf-8"))
RESOURCES: list[dict[str, Any]] = DESCRIPTOR["resources"]
DENIED = {"IQ048", "IQ059"}

type Row = dict[str, str]


def rows(name: str) -> list[Row]:
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def number(text: str) -> float | None:
    return float(text) if text else None


INCIDENTS = rows("incidents")
by_resource = pytest.mark.parametrize("resource", RESOURCES, ids=[r["name"] for r in RESOURCES])


@by_resource
def test_checksums(resource: dict[str, Any]) -> None:
    content = (FOLDER / resource["path"]).read_bytes()
    found = f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert (resource["bytes"], resource["hash"]) == (len(content), found), (
        f"put bytes {len(content)} and hash {found} of {resource['path']} into datapackage.json"
    )


@by_resource
def test_files_are_clean_text(resource: dict[str, Any]) -> None:
    content = (FOLDER / resource["path"]).read_bytes()
    text = content.decode("utf-8", errors="strict")
    assert not content.startswith(b"\xef\xbb\xbf")
    assert "\r" not in text
    assert text.endswith("\n")
    assert "\t" not in text
    cells = [cell for row in csv.reader(text.splitlines()) for cell in row]
    assert all(cell == cell.strip() for cell in cells)


@by_resource
def test_header_is_the_schema_and_each_column_is_described(resource: dict[str, Any]) -> None:
    fields = resource["schema"]["fields"]
    with (FOLDER / resource["path"]).open(encoding="utf-8", newline="") as file:
        header, *body = csv.reader(file)
    assert header == [field["name"] for field in fields]
    assert all(len(row) == len(header) for row in body)
    assert len({tuple(row) for row in body}) == len(body)
    codebook = (FOLDER / "CODEBOOK.md").read_text(encoding="utf-8")
    section = codebook.split(f"### `{resource['path']}`")[1].split("\n#")[0]
    for field in fields:
        assert len(field["description"]) > 10
        description = field["description"].replace("|", "\\|")
        assert f"| `{field['name']}` | {field['type']} | {description} |" in section


@by_resource
def test_values_obey_the_schema(resource: dict[str, Any]) -> None:
    table = rows(Path(resource["path"]).stem)
    for field in resource["schema"]["fields"]:
        rules = field.get("constraints", {})
        values = [row[field["name"]] for row in table]
        given = [value for value in values if value]
        if rules.get("required"):
            assert given == values, field["name"]
        if rules.get("unique"):
            assert len(set(given)) == len(given), field["name"]
        if field["type"] == "date":
            assert [date.fromisoformat(value).isoformat() for value in given] == given
        if field["type"] == "integer":
            assert all(int(value) >= rules.get("minimum", 0) for value in given), field["name"]
        if "enum" in rules:
            assert set(given) <= {str(value) for value in rules["enum"]}, field["name"]
        if "pattern" in rules:
            assert all(re.fullmatch(rules["pattern"], value) for value in given), field["name"]


def test_every_file_is_listed_and_the_package_describes_itself() -> None:
    files = {path.name for path in FOLDER.iterdir()}
    listed = {resource["path"] for resource in RESOURCES}
    assert files == listed | {"datapackage.json", "CODEBOOK.md"}
    names = [resource["name"] for resource in RESOURCES]
    assert len(set(names)) == len(names) == 7
    assert DESCRIPTOR["name"] == FOLDER.name
    assert DESCRIPTOR["licenses"][0]["name"] == "CC-BY-4.0"
    codebook = (FOLDER / "CODEBOOK.md").read_text(encoding="utf-8")
    assert f"Version {DESCRIPTOR['version']}." in codebook
    assert f"> {DESCRIPTOR['citation']}" in codebook
    assert f"]({FOLDER.name}/CODEBOOK.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_coverage_periods_hold_their_rows() -> None:
    periods = DESCRIPTOR["coverage"]
    assert all(a["end"] <= b["start"] for a, b in pairwise(periods))
    assert [p["completeness"] for p in periods] == ["census", "partial", "sample"]
    counts = []
    for period in periods:
        inside = [row for row in INCIDENTS if row["window"] == period["window"]]
        assert all(period["start"] <= row["date_start"] for row in inside)
        assert all(row["date_end"] < period["end"] for row in inside)
        counts.append(len(inside))
    assert counts == [110, 31, 9]


def test_dates_and_their_precision() -> None:
    widths: dict[str, set[int]] = {"1": set(), "2": set(), "3": set(), "4": set()}
    for row in INCIDENTS:
        start, end = (date.fromisoformat(row[name]) for name in ("date_start", "date_end"))
        widths[row["date_prec"]].add((end - start).days + 1)
        assert bool(row["date"]) == (row["date_prec"] in {"1", "2"}), row["id"]
        if row["date"]:
            assert row["date_start"] <= row["date"] <= row["date_end"], row["id"]
    assert widths == {"1": {1}, "2": {2}, "3": {8, 15, 16}, "4": {28}}


def test_ranges_and_sums() -> None:
    for row in INCIDENTS:
        for name in ("munitions", "wounded"):
            low, high = number(row[f"{name}_min"]), number(row[f"{name}_max"])
            assert low is not None or high is None, row["id"]
            assert high is None or (low is not None and low <= high), row["id"]
        parts = [number(row[f"killed_{part}"]) for part in ("total", "coalition", "other")]
        total, *rest = parts
        if total is None:
            assert rest == [None, None], row["id"]
        else:
            assert total == sum(part or 0 for part in rest), row["id"]
            assert None not in rest, row["id"]


def test_severity_follows_its_rule() -> None:
    exceptions = set()
    for row in INCIDENTS:
        killed, fewest = number(row["killed_total"]), number(row["munitions_min"])
        assert row["heavy_by_fatality"] == str(int(bool(killed))), row["id"]
        if row["heavy_by_salvo"] != str(int((fewest or 0) >= 10)):
            exceptions.add(row["id"])
        expected = (
            "lethal"
            if killed
            else "heavy_nonlethal"
            if row["heavy_by_salvo"] == "1"
            else "unknown"
            if killed is None and fewest is None
            else "harassment"
        )
        if row["class"] != expected:
            exceptions.add(row["id"])
    # IQ090: two sources on either side of ten. IQ131: a death that one outlet alone reports.
    assert exceptions == {"IQ090", "IQ131"}


def test_sources() -> None:
    for row in INCIDENTS:
        assert row["url"].startswith("http"), row["id"]
        if row["class"] in {"lethal", "heavy_nonlethal"}:
            assert row["source2"], row["id"]
        if row["source_rating"][1] == "5":
            assert row["disputed"] == "1", row["id"]
    assert {row["id"] for row in INCIDENTS if row["source_rating"][1] == "5"} == DENIED
    second = {row["id"]: row["source2"] for row in INCIDENTS if row["source2"]}
    assert {row["id"]: row["source2"] for row in rows("source2_urls")} == second


def touching(first: str, last: str, *, denied: bool, weapon: str | None = None) -> tuple[int, int]:
    """Rows certainly within both days, and rows whose interval touches them."""
    chosen = [
        row
        for row in INCIDENTS
        if (denied or row["id"] not in DENIED) and weapon in (None, row["weapon"])
    ]
    certain = [r for r in chosen if first <= r["date_start"] and r["date_end"] <= last]
    possible = [r for r in chosen if r["date_end"] >= first and r["date_start"] <= last]
    return len(certain), len(possible)


@pytest.mark.parametrize(
    ("first", "last", "certain", "every", "counted"),
    [
        ("2019-10-01", "2019-12-27", 10, 10, 10),
        ("2019-10-28", "2019-12-27", 10, 10, 10),
        ("2019-10-28", "2020-02-16", 22, 22, 22),
        ("2019-10-28", "2020-03-11", 28, 28, 28),
        ("2020-01-01", "2020-03-11", 17, 17, 17),
        ("2020-06-08", "2020-06-22", 6, 6, 6),
        ("2020-07-23", "2020-09-24", 39, 41, 40),
        ("2020-09-01", "2020-09-30", 21, 23, 23),
        ("2019-10-28", "2020-11-17", 95, 95, 93),
    ],
)
def test_checks_against_published_counts(
    first: str, last: str, certain: int, every: int, counted: int
) -> None:
    """The compilers' own comparison with counts of AFP, Military Times, Rudaw and others, in the codebook."""
    assert touching(first, last, denied=True) == (certain, every)
    assert touching(first, last, denied=False)[1] == counted
    published = {(row["from"], row["to"]) for row in rows("reported_tallies")}
    assert (first, last) in published


def test_rockets_and_bombs_of_mid_august_2020() -> None:
    """The Institute for the Study of War has 5 and 5: convoy bombs are undercounted, and the codebook says so."""
    week = ("2020-08-12", "2020-08-18")
    assert touching(*week, denied=False, weapon="rocket") == (5, 5)
    assert touching(*week, denied=False, weapon="IED") == (2, 2)


def test_serial_counts_do_not_fall() -> None:
    """One agency's running count from 28 October 2019 can only grow."""
    serial = [
        (row["to"], int(row["count"]))
        for row in rows("reported_tallies")
        if row["from"] == "2019-10-28" and row["source"].startswith("AFP")
    ]
    assert len(serial) == 5
    assert sorted(serial) == serial
    assert all(a[1] < b[1] for a, b in pairwise(serial))


def test_derived_strikes_are_differences_of_the_totals() -> None:
    table = rows("operations_tempo")
    totals = {
        row["period_end"]: int(row["value"])
        for row in table
        if row["series"] == "cjtf_oir_strikes_cumulative"
    }
    derived = [row for row in table if row["series"] == "cjtf_oir_strikes_derived"]
    assert len(derived) == len(totals) - 1 == 9
    for row in derived:
        start, end = (date.fromisoformat(row[f"period_{side}"]) for side in ("start", "end"))
        before = (start - timedelta(days=1)).isoformat()
        value = int(row["value"])
        assert value == totals[row["period_end"]] - totals[before]
        stated = float(re.findall(r"([\d.]+) per 30\.4 days", row["note"])[0])
        # "30.4 days" stands for the mean month of 30.4375 days.
        assert stated == pytest.approx(value * 30.4375 / ((end - start).days + 1), abs=0.051)


def test_periods_run_forwards() -> None:
    for name, first, last in [
        ("context_events", "date_start", "date_end"),
        ("claims_unverified", "date_start", "date_end"),
        ("reported_tallies", "from", "to"),
        ("operations_tempo", "period_start", "period_end"),
        ("stand_downs", "start_from", "start_to"),
    ]:
        assert all(row[first] <= row[last] for row in rows(name)), name


def test_stand_downs_begin_within_what_is_stated() -> None:
    for row in rows("stand_downs"):
        assert row["start_from"].startswith(row["start"])
        if len(row["start"]) == 10:
            assert row["start_to"] == row["start"]
        if row["end"]:
            assert row["start_to"] <= row["end"]
    pause = [row for row in rows("stand_downs") if row["start"] == "2020-01-05"]
    assert [row["end"] for row in pause] == ["2020-01-15", "2020-01-30", "2020-03-19"]


def test_codebook_table_of_heavy_attacks() -> None:
    heavy = [
        row["id"]
        for row in INCIDENTS
        if row["window"] == "core_2019_2020" and row["class"] in {"lethal", "heavy_nonlethal"}
    ]
    codebook = (FOLDER / "CODEBOOK.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| \d+ \w+ \d{4} \| \*?(IQ\d{3})", codebook, re.MULTILINE) == heavy
