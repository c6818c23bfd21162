"""Makers of rows in the published schemas; none of them is a row of any data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tempo.data.schema_ucdp import LAYOUTS

type Maker = Callable[..., pd.DataFrame]


def _ucdp(n: int = 3, columns: int = 49, **changes: list[Any]) -> pd.DataFrame:
    """UCDP GED rows as text; each change replaces one column."""
    base: dict[str, list[Any]] = {
        "id": [str(100 + k) for k in range(n)],
        "relid": [f"MUP-2020-1-{k}-1" for k in range(n)],
        "year": ["2020"] * n,
        "active_year": ["1"] * n,
        "code_status": ["Clear"] * n,
        "type_of_violence": ["1"] * n,
        "side_a": ["Government of Nowhere"] * n,
        "side_b": ["Band of Nobody"] * n,
        "dyad_name": ["Government of Nowhere - Band of Nobody"] * n,
        "number_of_sources": ["2"] * n,
        "source_office": ["Made-up Wire"] * n,
        "source_headline": ["Nothing happened"] * n,
        "where_coordinates": [f"Village {k}" for k in range(n)],
        "latitude": ["33.5"] * n,
        "longitude": ["44.25"] * n,
        "country": ["Nowhere"] * n,
        "date_prec": ["1"] * n,
        "date_start": [f"2020-02-{k % 28 + 1:02d}" for k in range(n)],
        "date_end": [f"2020-02-{k % 28 + 1:02d}" for k in range(n)],
        "deaths_a": ["1"] * n,
        "deaths_b": ["1"] * n,
        "deaths_civilians": ["0"] * n,
        "deaths_unknown": ["0"] * n,
        "best": ["2"] * n,
        "high": ["3"] * n,
        "low": ["1"] * n,
    } | changes
    cells = {name: base.get(name, [""] * n) for name in LAYOUTS[columns]}
    return pd.DataFrame(cells, dtype="str")


def _acled(n: int = 3, **changes: list[Any]) -> pd.DataFrame:
    """ACLED rows as text."""
    base: dict[str, list[Any]] = {
        "event_id_cnty": [f"NOW{k}" for k in range(n)],
        "event_date": [f"2020-03-{k % 28 + 1:02d}" for k in range(n)],
        "year": ["2020"] * n,
        "time_precision": ["1"] * n,
        "disorder_type": ["Political violence"] * n,
        "event_type": ["Explosions/Remote violence"] * n,
        "sub_event_type": ["Shelling/artillery/missile attack"] * n,
        "actor1": ["Made-up Militia"] * n,
        "inter1": ["Political militia"] * n,
        "actor2": ["Civilians (Nowhere)"] * n,
        "inter2": ["Civilians"] * n,
        "interaction": ["37"] * n,
        "country": ["Nowhere"] * n,
        "location": [f"Town {k}" for k in range(n)],
        "latitude": ["33.1"] * n,
        "longitude": ["44.1"] * n,
        "geo_precision": ["1"] * n,
        "source": ["Made-up Daily"] * n,
        "notes": ["Made up."] * n,
        "fatalities": ["0"] * n,
        "timestamp": ["1600000000"] * n,
    } | changes
    return pd.DataFrame(base, dtype="str")


def _gtd(n: int = 3, **changes: list[Any]) -> pd.DataFrame:
    """GTD rows as text."""
    base: dict[str, list[Any]] = {
        "eventid": [f"2020010{k + 1}0001" for k in range(n)],
        "iyear": ["2020"] * n,
        "imonth": ["1"] * n,
        "iday": [str(k + 1) for k in range(n)],
        "approxdate": [""] * n,
        "extended": ["0"] * n,
        "resolution": [""] * n,
        "country_txt": ["Nowhere"] * n,
        "provstate": ["Some Province"] * n,
        "city": [f"Place {k}" for k in range(n)],
        "latitude": ["33.1"] * n,
        "longitude": ["44.1"] * n,
        "summary": ["Made up."] * n,
        "doubtterr": ["0"] * n,
        "multiple": ["0"] * n,
        "attacktype1": ["3"] * n,
        "attacktype1_txt": ["Bombing/Explosion"] * n,
        "targtype1_txt": ["Military"] * n,
        "target1": ["A made-up base"] * n,
        "gname": ["Made-up Group"] * n,
        "nperps": ["-99"] * n,
        "nkill": ["1"] * n,
        "nkillter": ["0"] * n,
        "nwound": ["2"] * n,
        "scite1": ["Made-up source"] * n,
        "dbsource": ["Made-up collection"] * n,
        "related": [""] * n,
    } | changes
    return pd.DataFrame(base, dtype="str")


@pytest.fixture
def ucdp() -> Maker:
    """Make UCDP GED rows: ``ucdp(n, columns=49, best=[...])``."""
    return _ucdp


@pytest.fixture
def acled() -> Maker:
    """Make ACLED rows."""
    return _acled


@pytest.fixture
def gtd() -> Maker:
    """Make GTD rows."""
    return _gtd


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Write a table or bytes to a file, and give its path."""

    def write(content: pd.DataFrame | bytes | str, name: str = "events.csv") -> Path:
        path = tmp_path / name
        if isinstance(content, pd.DataFrame):
            content.to_csv(path, index=False)
        elif isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        else:
            path.write_bytes(content)
        return path

    return write
