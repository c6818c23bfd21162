"""Opening a file of incidents: CSV and its kin, Excel, Parquet, JSON lines, told apart by content, not by name.

Nothing here runs or unpacks what a file brings along: formulas give the values stored beside them, pickles are refused.
"""

from __future__ import annotations

import io
import json
import re
import struct
import warnings
import xml.etree.ElementTree as ET
import zipfile
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.cells import as_text
from tempo.data.delimited import split_records
from tempo.data.doors import read_bytes, shown
from tempo.data.layout import stack_sheets
from tempo.data.paging import records_of_reply
from tempo.data.problems import Problems
from tempo.errors import OptionError, ReadError

__all__ = ["Raw", "open_file", "open_frame"]

# What parsers raise on damaged input, apart from what they document: a broken workbook or Parquet file can end in
# nearly any of these deep inside the parser, and none of them would help the user.
_PARSER_FAILURES = (
    ArithmeticError, AssertionError, AttributeError, EOFError, ET.ParseError, ImportError, LookupError, MemoryError,
    OSError, RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_REFUSED = {
    ".pkl": "a Python pickle, which can run code when it is opened",
    ".pickle": "a Python pickle, which can run code when it is opened",
    ".joblib": "a Python pickle, which can run code when it is opened",
    ".rds": "an R file",
    ".rdata": "an R file",
    ".dta": "a Stata file",
    ".sav": "an SPSS file",
}
_MAGIC = {
    b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls) or one protected by a password",
    b"\x1f\x8b": "a compressed file (gzip)",
    b"BZh": "a compressed file (bzip2)",
    b"7z\xbc\xaf": "a compressed archive (7z)",
    b"\xfd7zXZ": "a compressed file (xz)",
    b"Rar!": "a compressed archive (rar)",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"SQLite format 3": "a database (SQLite)",
    b"\x80\x04\x95": "a Python pickle, which can run code when it is opened",
    b"\x80\x05\x95": "a Python pickle, which can run code when it is opened",
}
_MOST_COLUMNS = 2_000
_MOST_UNPACKED, _MOST_RATIO = 1_000_000_000, 200
_KINDS = "CSV (or tab-separated), Excel (.xlsx), Parquet or JSON lines"


@dataclass(frozen=True)
class Raw:
    """A table as it stands in a file, before anything is interpreted.

    Parameters
    ----------
    text : pandas.DataFrame of str, shape (n, columns)
        Every cell as text; columns are named only if ``named``.
    rows : ndarray of int, shape (n,)
        The row of each record as the user sees it.
    named : bool
        False where the first record may or may not be a header: columns are then 0, 1, 2, …
    original : pandas.DataFrame or None, same rows
        The cells in the types of their source, where it has types.
    name : str
        For messages.
    """

    text: pd.DataFrame
    rows: NDArray[np.int64]
    named: bool
    original: pd.DataFrame | None
    name: str


def open_frame(frame: pd.DataFrame, name: str = "the data frame") -> Raw:
    """Take a table that is already in memory; rows are counted from 0, as ``.iloc`` does.

    Parameters
    ----------
    frame : pandas.DataFrame
        Not changed. A named index becomes columns.
    name : str
        For messages.

    Returns
    -------
    Raw
        The table as text, and as it was.

    Raises
    ------
    ReadError
        If its column names have several levels.
    """
    if isinstance(frame.columns, pd.MultiIndex):
        raise ReadError(
            f"{name}: the column names have {frame.columns.nlevels} levels; expected one name for each column. "
            "Join the levels first."
        )
    named = [label for label in frame.index.names if label is not None]
    if named and not {str(label) for label in named} & {str(label) for label in frame.columns}:
        frame = frame.reset_index()
    original = frame.reset_index(drop=True)
    columns = [str(label) for label in original.columns]
    _few_enough(len(columns), name)
    for k in range(len(columns)):
        values = original.iloc[:, k]
        if values.dtype == object and values.map(_nested).any():
            original.isetitem(k, list(values.map(_flat)))
    text = pd.DataFrame(
        {k: as_text(original.iloc[:, k]) for k in range(len(columns))}, index=original.index
    )
    text.columns = pd.Index(columns, dtype="object")
    original = original.set_axis(pd.Index(columns, dtype="object"), axis=1)
    return Raw(text, np.arange(len(original), dtype=np.int64), True, original, name)


def open_file(
    path: Path,
    problems: Problems,
    *,
    sheet: str | int | None = None,
    encoding: str | None = None,
) -> Raw:
    """Read a file into a table of text.

    Parameters
    ----------
    path : Path
        The file.
    problems : Problems
        Takes what is wrong with single rows.
    sheet : str or int, optional
        Sheet of an Excel workbook, by name or counted from 0; the first one that holds anything when left out.
    encoding : str, optional
        Of a text file; UTF-8 is tried first, then Latin-1, when left out.

    Returns
    -------
    Raw
        The table.

    Raises
    ------
    ReadError
        If the file is missing, empty, a folder, or not a table that can be read.
    """
    name = shown(path.name)
    data = _bytes(path)
    if not data.strip(b"\x00\r\n\t \xef\xbb\xbf"):
        raise ReadError(f"{name} is empty. Expected {_KINDS} with one row for each incident.")
    suffix = path.suffix.lower()
    if suffix in _REFUSED:
        raise ReadError(f"{name} is {_REFUSED[suffix]}. Save it as {_KINDS} first.")
    for magic, what in _MAGIC.items():
        if data.startswith(magic):
            raise ReadError(f"{name} is {what}. Save it, unpacked, as {_KINDS} first.")
    if data.startswith(b"PAR1"):
        return _parquet(data, name)
    if data.startswith(b"PK\x03\x04"):
        return _excel(data, name, problems, sheet)
    if suffix in {".xlsx", ".xlsm", ".parquet"}:
        raise ReadError(
            f"{name} is named like {'Parquet' if suffix == '.parquet' else 'an Excel workbook'}, but its content "
            f"is not one: it is damaged or was saved under the wrong name. Save it again as {_KINDS}."
        )
    text = _decode(data, name, problems, encoding)
    start = text.lstrip()[:200].lower()
    if start.startswith(("<!doctype", "<html", "<?xml")):
        raise ReadError(
            f"{name} is a web page or XML, not a table: perhaps a log-in or error page was saved in its place. "
            f"Download the data again as {_KINDS}."
        )
    if suffix in {".json", ".jsonl", ".ndjson"} or start.startswith(("{", '[{"')):
        return _json(text, name, problems)
    frame = split_records(text, name, problems)
    _few_enough(frame.shape[1], name)
    cells = pd.DataFrame({k: as_text(frame.iloc[:, k]) for k in range(frame.shape[1])})
    return _without_blank_rows(cells, np.arange(1, len(frame) + 1), name)


def _few_enough(columns: int, name: str) -> None:
    if columns > _MOST_COLUMNS:
        raise ReadError(
            f"{name} has {columns:,} columns; the limit is {_MOST_COLUMNS:,}. Keep those that describe the incidents: "
            "their dates, tolls, kind, place and source."
        )


def _bytes(path: Path) -> bytes:
    try:
        return read_bytes(path, ReadError)
    except FileNotFoundError:
        near = ""
        if path.parent.is_dir():
            others = sorted(
                other.name
                for other in path.parent.iterdir()
                if other.suffix.lower() in {".csv", ".tsv", ".xlsx", ".parquet", ".jsonl"}
            )[:5]
            near = f" Tables beside it: {', '.join(map(shown, others))}." if others else ""
        raise ReadError(
            f"{shown(path)} does not exist. Check the path; the working folder is {Path.cwd()}.{near}"
        ) from None


def _decode(data: bytes, name: str, problems: Problems, encoding: str | None) -> str:
    if encoding is not None:
        try:
            return _printable(
                data.decode(encoding).removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}"), name
            )
        except LookupError:
            raise OptionError(
                f"encoding is {encoding!r}, which Python does not know; expected a name such as 'utf-8' or 'cp1256'."
            ) from None
        except (UnicodeError, TypeError) as error:
            raise ReadError(
                f"{name} is not text in the encoding {encoding!r}: {error}. Leave encoding= away, or name the one it "
                "was saved in."
            ) from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return _printable(data.decode("utf-16"), name)
        except UnicodeError:
            raise ReadError(
                f"{name} is not a table that can be read: damaged UTF-16. Save it as {_KINDS}."
            ) from None
    try:
        return _printable(data.decode("utf-8-sig"), name)
    except UnicodeDecodeError as error:
        at = error.start
    try:
        text, used = data.decode("cp1252"), "Latin-1 (Windows-1252)"
    except UnicodeDecodeError:
        text, used = data.decode("latin-1"), "Latin-1"
    text = _printable(text, name)
    line = data[:at].count(b"\n") + 1
    problems.warn(
        f"the file is not UTF-8 (first in line {line}) and was read as {used}",
        "Check names with accents; if they look wrong pass encoding=, or save the file as UTF-8.",
    )
    return text


_CONTROL = re.compile("[\x00-\x08\x0e-\x19\x1b-\x1f\x7f]")


def _printable(text: str, name: str) -> str:
    if found := _CONTROL.search(text):
        raise ReadError(
            f"{name} is not a table that can be read: it holds binary data (a byte {ord(found[0])} in line "
            f"{text.count(chr(10), 0, found.start()) + 1}). Expected {_KINDS}."
        )
    return text


def _without_blank_rows(text: pd.DataFrame, rows: NDArray[np.int64], name: str) -> Raw:
    filled = (text != "").to_numpy().any(axis=1) if text.shape[1] else np.zeros(0, dtype=bool)
    if not filled.any():
        raise ReadError(f"{name} is empty. Expected {_KINDS} with one row for each incident.")
    return Raw(text[filled].reset_index(drop=True), rows[filled], False, None, name)


def _excel(data: bytes, name: str, problems: Problems, sheet: str | int | None) -> Raw:
    remedy = f"Open it in a spreadsheet program and save it again, or save it as {_KINDS}."
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.namelist()
            if "[Content_Types].xml" not in members or not any(
                m.startswith("xl/") for m in members
            ):
                raise ReadError(
                    f"{name} is a zip archive ({len(members)} files in it), not an Excel workbook. Unpack it first."
                )
            unpacked = sum(member.file_size for member in archive.infolist())
            if unpacked > max(_MOST_RATIO * len(data), 50_000_000) or unpacked > _MOST_UNPACKED:
                raise ReadError(
                    f"{name} would unpack from {len(data) / 1e6:.1f} to {unpacked / 1e6:,.0f} MB: it is full of "
                    f"blank cells, damaged, or made to fill the memory. Save the rows that are needed as {_KINDS}."
                )
            uncomputed = sum(
                len(re.findall(rb"</f>(?:<v\s*/>|<v></v>)?</c>", archive.read(member)))
                for member in members
                if member.startswith("xl/worksheets/sheet")
            )
        with warnings.catch_warnings(), pd.ExcelFile(io.BytesIO(data), engine="openpyxl") as book:
            warnings.simplefilter(
                "ignore"
            )  # openpyxl remarks on styles and extensions that do not matter here
            names = [str(title) for title in book.sheet_names]
            if not names:
                raise ReadError(f"{name} holds no sheet with cells. {remedy}")
            wanted = range(len(names)) if sheet is None else [_sheet(sheet, names, name)]
            for chosen in wanted:
                table = book.parse(chosen, header=None, dtype=object, na_filter=False)
                page_name = names[chosen]
                if len(table):
                    break
            if sheet is None and len(names) > 1:
                sheets = {title: partial(_cells_of, book, k) for k, title in enumerate(names)}
                table = stack_sheets(sheets, page_name, table, problems)
    except _PARSER_FAILURES as error:
        if isinstance(error, ReadError | OptionError):
            raise
        raise ReadError(
            f"{name} is named or built like an Excel workbook, but is damaged ({type(error).__name__}). {remedy}"
        ) from error
    if uncomputed:
        problems.warn(
            f"{uncomputed} formulas in the workbook have no stored value and were read as blank",
            "Open it in a spreadsheet program, let it calculate, and save it.",
        )
    text = pd.DataFrame({k: as_text(table.iloc[:, k]) for k in range(table.shape[1])})
    return _without_blank_rows(text, np.arange(1, len(text) + 1), name)


def _cells_of(book: pd.ExcelFile, k: int) -> pd.DataFrame:
    return book.parse(k, header=None, dtype=object, na_filter=False)


def _sheet(sheet: str | int, names: list[str], name: str) -> int:
    if isinstance(sheet, str) and sheet in names:
        return names.index(sheet)
    if isinstance(sheet, int) and not isinstance(sheet, bool) and 0 <= sheet < len(names):
        return sheet
    raise OptionError(
        f"sheet is {sheet!r}, which {name} does not have; expected one of {', '.join(map(repr, names))}, "
        f"or a number from 0 to {len(names) - 1}."
    )


def _parquet(data: bytes, name: str) -> Raw:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(data))
        twice = {column for column in table.column_names if table.column_names.count(column) > 1}
        if twice:
            raise ReadError(
                f"{name} has several columns named {', '.join(sorted(twice)[:5])}. Rename all but one."
            )
        _few_enough(table.num_columns, name)
        frame = table.to_pandas()
    except (*_PARSER_FAILURES, pa.ArrowException) as error:
        if isinstance(error, ReadError):
            raise
        raise ReadError(
            f"{name} starts like a Parquet file, but is damaged ({type(error).__name__}). Write it again."
        ) from error
    if frame.empty:
        raise ReadError(f"{name} has no rows. Expected one row for each incident.")
    raw = open_frame(frame, name)
    return Raw(raw.text, raw.rows + 1, True, raw.original, name)


def _json(text: str, name: str, problems: Problems) -> Raw:
    records: list[dict[str, object]] = []
    rows: list[int] = []
    whole = _whole_json(text, name, problems)
    if whole is not None:
        for k, record in enumerate(whole, start=1):
            if isinstance(record, dict):
                records.append(record)
                rows.append(k)
            else:
                problems.error(
                    "a record is not an object in braces",
                    'Write each incident as {"column": value, …}.',
                    rows=[k],
                    values=[record],
                )
    else:
        for k, line in enumerate(text.split("\n"), start=1):
            if not line.strip():
                continue
            try:
                record = _loads(line)
            except (ValueError, RecursionError) as error:
                problems.error(
                    "the line is not JSON",
                    f"Write one object in braces on each line ({str(error).split(':')[0]}).",
                    rows=[k],
                    values=[line[:60]],
                )
                continue
            if isinstance(record, dict):
                records.append(record)
                rows.append(k)
            else:
                problems.error(
                    "the line is not an object in braces",
                    'Write each incident as {"column": value, …}.',
                    rows=[k],
                    values=[line[:60]],
                )
    if not records:
        detail = f"\n{problems.summary('error')}" if problems.n("error") else ""
        raise ReadError(
            f"{name} holds no incidents: no JSON object was found in it. Write one object in braces on each "
            f"line.{detail}",
            problems.frame(),
        )
    columns = list(dict.fromkeys(key for record in records for key in record))
    _few_enough(len(columns), name)
    table = pd.DataFrame(
        {
            k: pd.Series([_flat(record.get(key)) for record in records], dtype=object)
            for k, key in enumerate(columns)
        }
    )
    text_frame = pd.DataFrame({k: as_text(table[k]) for k in table.columns}, index=table.index)
    text_frame.columns = pd.Index([str(key) for key in columns], dtype="object")
    return Raw(text_frame, np.array(rows, dtype=np.int64), True, None, name)


def _whole_json(text: str, name: str, problems: Problems) -> list[object] | None:
    """Give the records of a file that is one array, or the reply of an API with the records inside; else None."""
    start = text.lstrip()[:1]
    if start not in {"[", "{"}:
        return None
    try:
        content = _loads(text)
    except _TwiceError as error:
        raise ReadError(f"{name}: {error}. Give each key once.") from None
    except (ValueError, RecursionError):
        return None
    reply = records_of_reply(content, problems)
    if reply is not None:
        return reply
    return [content] if isinstance(content, dict) else list(content)


class _TwiceError(ValueError):
    """A key stands twice in one object."""


def _loads(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Give an object whose every key stands once, its texts without halves of letters."""
    found: dict[str, object] = {}
    for key, value in pairs:
        name = key.encode("utf-8", "replace").decode("utf-8")
        if name in found:
            raise _TwiceError(f"the key {name[:60]!r} stands twice in one object")
        found[name] = (
            value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
        )
    return found


def _nested(value: object) -> bool:
    return isinstance(value, dict | list | tuple | set | np.ndarray)


def _flat(value: object) -> object:
    return json.dumps(value, ensure_ascii=False, default=_plain) if _nested(value) else value


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray) else str(value)
