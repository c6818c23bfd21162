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

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.cells import as_text
from tempo.data.delimited import split_records
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
    name = path.name
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
    cells = pd.DataFrame({k: as_text(frame.iloc[:, k]) for k in range(frame.shape[1])})
    return _without_blank_rows(cells, np.arange(1, len(frame) + 1), name)


def _bytes(path: Path) -> bytes:
    if path.is_dir():
        raise ReadError(f"{path} is a folder. Give the path of a file inside it.")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        near = ""
        if path.parent.is_dir():
            others = sorted(
                other.name
                for other in path.parent.iterdir()
                if other.suffix.lower() in {".csv", ".tsv", ".xlsx", ".parquet", ".jsonl"}
            )[:5]
            near = f" Tables beside it: {', '.join(others)}." if others else ""
        raise ReadError(
            f"{path} does not exist. Check the path; the working folder is {Path.cwd()}.{near}"
        ) from None
    except (OSError, ValueError) as error:
        raise ReadError(
            f"{path} cannot be opened: {error}. Check its name and permissions."
        ) from error


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
        frame = pq.read_table(io.BytesIO(data)).to_pandas()
    except (*_PARSER_FAILURES, pa.ArrowException) as error:
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
    whole = _whole_json(text, problems)
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
                record = json.loads(line)
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
    table = pd.DataFrame(
        {
            k: pd.Series([_flat(record.get(key)) for record in records], dtype=object)
            for k, key in enumerate(columns)
        }
    )
    text_frame = pd.DataFrame({k: as_text(table[k]) for k in table.columns}, index=table.index)
    text_frame.columns = pd.Index([str(key) for key in columns], dtype="object")
    return Raw(text_frame, np.array(rows, dtype=np.int64), True, None, name)


def _whole_json(text: str, problems: Problems) -> list[object] | None:
    """Give the records of a file that is one array, or the reply of an API with the records inside; else None."""
    start = text.lstrip()[:1]
    if start not in {"[", "{"}:
        return None
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    reply = records_of_reply(content, problems)
    if reply is not None:
        return reply
    return [content] if isinstance(content, dict) else list(content)


def _flat(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
