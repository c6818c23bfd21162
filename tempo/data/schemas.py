"""Which schema a file follows, and how its rows become incidents.

Detection looks at names, never at positions, except for UCDP files that are published without a header: there the
content has to prove each place. The mapping of each schema stands in its own module: `tempo.data.schema_ucdp`,
`tempo.data.schema_acled`, `tempo.data.schema_gtd`, `tempo.data.schema_plain`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data import schema_acled, schema_gtd, schema_plain, schema_ucdp
from tempo.data.conversion import Conversion, normal_name
from tempo.data.dates import parse_date
from tempo.data.files import Raw
from tempo.data.layout import header_position, not_records
from tempo.data.problems import Problems
from tempo.data.rounding import counted
from tempo.data.table import COLUMNS
from tempo.errors import OptionError, ReadError

__all__ = ["SCHEMAS", "Converted", "check_mapping", "convert", "named"]

SCHEMAS = ("auto", "ucdp-ged", "acled", "gtd", "tempo")
_TITLES = {
    "ucdp-ged": "UCDP GED",
    "acled": "ACLED",
    "gtd": "Global Terrorism Database",
    "tempo": "",
}
_PUBLISHED: dict[str, tuple[frozenset[str], Callable[[Conversion], None]]] = {
    "ucdp-ged": (schema_ucdp.REQUIRED, schema_ucdp.convert),
    "acled": (schema_acled.REQUIRED, schema_acled.convert),
    "gtd": (schema_gtd.REQUIRED, schema_gtd.convert),
}
_HXL = re.compile(r"#[a-z][\w+ -]*", re.IGNORECASE)


@dataclass(frozen=True)
class Converted:
    """A file in canonical columns, before it is cut to a window.

    Parameters
    ----------
    table : pandas.DataFrame
        Canonical columns as far as the file has them, then its others.
    rows : ndarray of int
        Row of each record as the user sees it.
    schema : str
        Which schema it was read by.
    title : str
        Its name in words ("" for files of one's own).
    origin : dict of str to str
        Which column of the file a canonical column of counts came from.
    """

    table: pd.DataFrame
    rows: NDArray[np.int64]
    schema: str
    title: str
    origin: dict[str, str]


def named(raw: Raw, problems: Problems, schema: str) -> Raw:
    """Give a table whose columns are named: the header is found, and an HXL tag row below it is taken out.

    Parameters
    ----------
    raw : Raw
        As `tempo.data.files` gives it.
    problems : Problems
        Takes what is wrong with the header.
    schema : str
        One of `SCHEMAS`.

    Returns
    -------
    Raw
        With ``named`` true.

    Raises
    ------
    ReadError
        If there is no header, no row below it, or its names are not unique.
    """
    text, rows = raw.text, raw.rows
    if not raw.named:
        layout = schema_ucdp.headerless_layout(text) if schema in {"auto", "ucdp-ged"} else None
        if layout is not None:
            text = text.set_axis(pd.Index(layout, dtype="object"), axis=1)
            problems.note(
                f"the file has no header; its {len(layout)} columns were recognised as those of UCDP GED",
                "Nothing to do if that is right.",
            )
        else:
            top = header_position(text)
            if top:
                problems.note(
                    f"{counted(top, 'rows')} above the header {'was' if top == 1 else 'were'} skipped as a title",
                    rows=rows[:top],
                    values=[" ".join(cell for cell in text.iloc[k] if cell) for k in range(top)],
                )
                text, rows = text.iloc[top:].reset_index(drop=True), rows[top:]
            header = [str(name) for name in text.iloc[0]]
            dates = [name for name in header if parse_date(name, dayfirst=True).precision == "day"]
            if dates:
                raise ReadError(
                    f"{raw.name}: the first row holds data (such as {dates[0]!r}) where the names of the columns were "
                    "expected. Write the names into a row above it."
                )
            text = text.iloc[1:].reset_index(drop=True)
            rows = rows[1:]
            text, header = _without_nameless(text, header)
            text = text.set_axis(pd.Index(header, dtype="object"), axis=1)
    repeated = text.columns[text.columns.duplicated()].unique()
    if len(repeated):
        raise ReadError(
            f"{raw.name}: {counted(len(repeated), 'column names')} "
            f"{'stands' if len(repeated) == 1 else 'stand'} more than once ({', '.join(map(repr, repeated[:5]))}). "
            "Columns are found by name: rename one of each."
        )
    original = raw.original
    if len(text):
        first = text.iloc[0]
        filled = first[first != ""]
        if len(filled) and all(_HXL.fullmatch(cell) for cell in filled):
            problems.note("the row of HXL tags below the header was skipped", rows=[rows[0]])
            text, rows = text.iloc[1:].reset_index(drop=True), rows[1:]
            original = None if original is None else original.iloc[1:].reset_index(drop=True)
    if len(text):
        keep = ~not_records(text, rows, problems)
        if not keep.all():
            text, rows = text[keep].reset_index(drop=True), rows[keep]
            original = None if original is None else original[keep].reset_index(drop=True)
    if not len(text):
        columns = ", ".join(map(repr, list(text.columns)[:20])) or "none"
        raise ReadError(
            f"{raw.name} has a header but no rows (its columns: {columns}). Expected one row for each incident."
        )
    return Raw(text, rows, True, original, raw.name)


def _without_nameless(text: pd.DataFrame, header: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Drop columns without a name and without content; name those that have content."""
    keep, names = [], []
    for k, name in enumerate(header):
        if name or bool((text.iloc[:, k] != "").any()):
            keep.append(k)
            names.append(name or f"column_{k + 1}")
    return text.iloc[:, keep], names


def check_mapping(columns: Mapping[str, str] | None) -> dict[str, str]:
    """Check that a mapping goes from canonical names to names of the file.

    Parameters
    ----------
    columns : mapping or None
        What the user passed.

    Returns
    -------
    dict
        The mapping; empty for None.

    Raises
    ------
    OptionError
        If a key is no canonical column.
    """
    if columns is None:
        return {}
    if not isinstance(columns, Mapping):
        raise OptionError(
            f'columns is {columns!r}; expected a dict such as {{"date_start": "day", "killed": "dead"}}.'
        )
    for key, value in columns.items():
        if key not in COLUMNS:
            turned = value in COLUMNS
            hint = (
                f' The mapping goes the other way round: {{"{value}": "{key}"}}.'
                if turned
                else f" Canonical columns are: {', '.join(COLUMNS)}."
            )
            raise OptionError(f"columns names {key!r}, which is no canonical column.{hint}")
        if not isinstance(value, str):
            raise OptionError(
                f"columns gives {value!r} for {key!r}; expected the name of a column of the file."
            )
    repeated = {value for value in columns.values() if list(columns.values()).count(value) > 1}
    if repeated:
        raise OptionError(
            f"columns uses {min(repeated)!r} for several canonical columns; expected each column of the file once."
        )
    return dict(columns)


def _detect(names: set[str], mapping: Mapping[str, str]) -> str:
    if "date_start" in mapping:
        return "tempo"
    for schema, (required, _) in _PUBLISHED.items():
        if required <= names:
            return schema
    return "tempo"


def convert(
    raw: Raw,
    problems: Problems,
    *,
    schema: str,
    columns: Mapping[str, str],
    dayfirst: bool | None,
    unknown: frozenset[str],
    zone: dt.tzinfo | None = None,
) -> Converted | None:
    """Turn a named table into canonical columns.

    Parameters
    ----------
    raw : Raw
        A table with names.
    problems : Problems
        Takes everything that is wrong.
    schema : str
        One of `SCHEMAS`.
    columns : mapping of canonical name to file column
        What the user said about single columns.
    dayfirst : bool or None
        How to read ``03/04/2020``.
    unknown : frozenset of str
        Texts that mean unknown.
    zone : datetime.tzinfo or None
        The zone that the user declared.

    Returns
    -------
    Converted or None
        None if the columns are not there, which has then been recorded.
    """
    work = Conversion(raw.text, raw.rows, problems, dayfirst, unknown, zone)
    missing = {canonical: column for canonical, column in columns.items() if not work.has(column)}
    listed = ", ".join(map(repr, list(raw.text.columns)[:60]))
    for canonical, column in missing.items():
        problems.error(
            f"columns= says that {canonical} is the column {column!r}, which the file does not have",
            f"Its columns are: {listed}.",
        )
    if missing:
        return None
    names = {normal_name(name) for name in raw.text.columns}
    found = _detect(names, columns) if schema == "auto" else schema
    if found == "tempo":
        schema_plain.convert(work, columns, guess=schema == "auto", name=raw.name)
        if "date_start" not in work.out:
            return None
    else:
        required, fill = _PUBLISHED[found]
        absent = sorted(required - names)
        if absent:
            problems.error(
                f"this is not a {_TITLES[found]} file: it has no column {' or '.join(map(repr, absent))}",
                f'Its columns are: {listed}. Use schema="auto", or say which is which with '
                f"columns={schema_plain.example_mapping(work)}.",
            )
            return None
        fill(work)
        _overrides(work, columns)
    return Converted(work.table(raw.original), raw.rows, found, _TITLES[found], work.origin)


def _overrides(work: Conversion, columns: Mapping[str, str]) -> None:
    """Let single columns of a published schema be replaced, and take canonical names that users have added."""
    for canonical, column in columns.items():
        if canonical.startswith("date_"):
            work.problems.error(
                f"columns= cannot replace {canonical} alone, because the schema makes all three dates together",
                'Map all columns yourself with schema="tempo" and columns=.',
            )
            continue
        work.put(canonical, str(work.name(column)))
    for canonical in COLUMNS:
        if canonical not in work.out and canonical in work.text.columns:
            work.put(canonical, canonical)
