"""Text with separators, taken apart into rows and cells: commas, semicolons, tabs or bars."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

import pandas as pd

from tempo.data.layout import first_table_line
from tempo.data.problems import Problems
from tempo.errors import ReadError

__all__ = ["split_records"]

_HEAD = 20_000  # signs in which titles and the header stand
_DELIMITERS = (",", "\t", ";", "|")


def split_records(text: str, name: str, problems: Problems) -> pd.DataFrame:
    r"""Take text apart into cells; the header, if there is one, is the first row.

    Parameters
    ----------
    text : str
        The content of a file. The separator is the one that parts its first record most often.
    name : str
        The file, for messages.
    problems : Problems
        Takes rows that are longer (errors) or shorter (warnings) than the first.

    Returns
    -------
    pandas.DataFrame of str
        One row for each record, blank lines included, so that row numbers are those of the file.

    Raises
    ------
    ReadError
        If a quotation mark is never closed.

    Examples
    --------
    >>> split_records("day;dead\n2020-03-11;3\n", "list.csv", Problems()).shape
    (2, 2)
    """
    above, mark = first_table_line(text[:_HEAD].splitlines()[:14], _DELIMITERS)
    if mark is None:
        mark = _delimiter(text)
    elif above:
        # Left as blank lines, so that row numbers are those of the file.
        lines = text.splitlines(keepends=True)
        title = [line.strip() for line in lines[:above]]
        text = "\n" * above + "".join(lines[above:])
        said = [
            k
            for k, line in enumerate(title)
            if line and not line.strip('"').lower().startswith("sep=")
        ]
        problems.note(
            "the line above the header was skipped as a title",
            rows=[k + 1 for k in said],
            values=[title[k] for k in said],
        )
    try:
        frame = pd.read_csv(
            io.StringIO(text, newline=""),
            sep=mark,
            header=None,
            index_col=False,
            dtype=str,
            keep_default_na=False,
            na_filter=False,
            skip_blank_lines=False,
            engine="c",
            low_memory=False,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError, OverflowError) as error:
        unclosed = re.search(r"EOF inside string starting at row (\d+)", str(error))
        if unclosed:
            raise _unclosed(
                name, f"text in quotation marks has no end, from row {int(unclosed[1]) + 1} on"
            ) from error
        frame = _records(text, name, mark)
    # A short record is filled up silently, so the widths are looked at wherever the last cell is blank.
    if bool((frame.iloc[:, -1] == "").any()):
        _report_widths(text, name, mark, problems)
    return frame


def _delimiter(text: str) -> str:
    """Take the sign that parts the first record, looking outside quotation marks only."""
    record, quoted = [], False
    for sign in text.lstrip("\r\n")[:100_000]:
        quoted ^= sign == '"'
        if sign in "\r\n" and not quoted:
            break
        if not quoted:
            record.append(sign)
    counts = {mark: record.count(mark) for mark in _DELIMITERS}
    return max(_DELIMITERS, key=lambda mark: counts[mark])


def _reader(text: str, mark: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=mark)


def _unclosed(name: str, what: str) -> ReadError:
    return ReadError(
        f"{name} cannot be taken apart into rows: {what}. Most likely a quotation mark is opened and never closed. "
        "Open it in a spreadsheet, correct it and save it again."
    )


def _records(text: str, name: str, mark: str) -> pd.DataFrame:
    """Read record by record where the quick reader gave up, in the width of the first record."""
    try:
        records = list(_reader(text, mark))
    except csv.Error as error:
        raise _unclosed(name, str(error)) from error
    width = next((len(record) for record in records if any(cell.strip() for cell in record)), 0)
    if not width:
        raise ReadError(f"{name} is empty. Expected a table with one row for each incident.")
    # The last cell is emptied where a record is too long, which makes the widths be looked at.
    padded = [
        (record + [""] * width)[:width] if len(record) <= width else [*record[: width - 1], ""]
        for record in records
    ]
    return pd.DataFrame(padded, dtype="str")


def _report_widths(text: str, name: str, mark: str, problems: Problems) -> None:
    """Report each record that has more or fewer cells than the first."""
    long: list[tuple[int, int]] = []
    short: list[tuple[int, int]] = []
    width = 0
    try:
        for k, record in enumerate(_reader(text, mark), start=1):
            n = len(record)
            if n == width or not any(cell.strip() for cell in record):
                continue
            if not width:
                width = n
            else:
                (long if n > width else short).append((k, n))
    except csv.Error as error:
        raise _unclosed(name, str(error)) from error
    separator = "tab" if mark == "\t" else repr(mark)
    problems.error(
        f"the row has more cells than the first row ({width})",
        f"Put quotation marks around text that holds the separator {separator}.",
        rows=[k for k, _ in long],
        values=[f"{n} cells" for _, n in long],
    )
    problems.warn(
        f"the row has fewer cells than the first row ({width}), and the last ones were read as blank",
        f"Check that no row was cut off; write the missing separators ({separator}).",
        rows=[k for k, _ in short],
        values=[f"{n} cells" for _, n in short],
    )
