"""Lines of a table that are no records: titles above the header, headers inside, totals below, sheets apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.dates import parse_date
from tempo.data.problems import Problems

__all__ = ["first_table_line", "header_position", "not_records", "stack_sheets"]

_BYTE_ORDER = "\N{ZERO WIDTH NO-BREAK SPACE}"
_TOTAL = re.compile(
    r"(?:grand\s+|sub-?)?totale?s?\s*:?|sum(?:me|a)?\s*:?|gesamt(?:summe)?\s*:?|итого\s*:?|المجموع\s*:?", re.IGNORECASE
)  # fmt: skip
_MOST_TITLES = 10


def first_table_line(lines: Sequence[str], marks: Sequence[str]) -> tuple[int, str | None]:
    """Find where the header stands and how it is parted, when titles stand above it.

    Parameters
    ----------
    lines : sequence of str
        The first lines of a text file.
    marks : sequence of str
        Separators that may be used.

    Returns
    -------
    tuple of int and str
        Lines to leave out and the separator, which is None if the first line is the header.

    Examples
    --------
    >>> first_table_line(["Attacks in 2020", "", "date;killed", "2020-01-05;3", "2020-01-09;1"], ",;")
    (2, ';')
    """
    if len(lines) and (match := re.fullmatch(r'"?sep=(.)"?', lines[0].strip(), re.IGNORECASE)):
        return 1, match[1]
    first = next((k for k, line in enumerate(lines) if line.strip()), 0)
    if not lines or ('"' in lines[first] and lines[first].count('"') % 2):
        return 0, None
    for k in range(first + 1, min(first + 1 + _MOST_TITLES, len(lines) - 1)):
        for mark in marks:
            n = lines[k].count(mark)
            if (
                not n
                or lines[k + 1].count(mark) != n
                or any('"' in line for line in lines[first:k])
            ):
                continue
            above = [line.rstrip(mark + " ").count(mark) for line in lines[first:k] if line.strip()]
            other = max((lines[first].rstrip(m + " ").count(m) for m in marks), default=0)
            if max(above) == 0 and other < n:
                return k, mark
        if lines[first].strip() and max(lines[first].rstrip(m + " ").count(m) for m in marks) > 1:
            return 0, None
    return 0, None


def header_position(text: pd.DataFrame) -> int:
    """Give the row of the header: below rows that hold one cell alone where the table has several columns.

    Examples
    --------
    >>> header_position(pd.DataFrame([["Attacks in 2020", ""], ["date", "killed"], ["2020-01-05", "3"]]))
    1
    """
    filled = (text != "").to_numpy().sum(axis=1)
    if text.shape[1] < 2:
        return 0
    for k in range(min(_MOST_TITLES, len(text) - 1)):
        if filled[k] > 1:
            return k if k == 0 or filled[k + 1] > 1 else 0
    return 0


def not_records(
    text: pd.DataFrame, rows: NDArray[np.int64], problems: Problems
) -> NDArray[np.bool_]:
    """Find rows that repeat the header, as files laid one behind the other have, and totals at the foot.

    Parameters
    ----------
    text : pandas.DataFrame of str
        Cells under their names.
    rows : ndarray of int
        Row of each record as the user sees it.
    problems : Problems
        Takes what is found.

    Returns
    -------
    ndarray of bool
        Rows that are no records.
    """
    names = np.array([str(name).strip(_BYTE_ORDER).lower() for name in text.columns], dtype=object)
    none = np.zeros(len(text), dtype=bool)
    if not len(text) or not len(names):
        return none
    lead = text.iloc[:, 0].str.strip(_BYTE_ORDER).str.lower()
    header = none.copy()
    for k in np.flatnonzero((lead == names[0]).to_numpy()):
        cells = text.iloc[k].str.strip(_BYTE_ORDER).str.lower().to_numpy()
        header[k] = bool((cells == names).all())
    problems.warn(
        "the header stands again inside the file and was left out; perhaps files were laid one behind the other",
        "Check that the parts do not overlap.",
        rows=rows[header],
    )
    total = none.copy()
    for at in range(max(0, len(text) - 3), len(text)):
        words = [str(cell) for cell in text.iloc[at] if cell]
        total[at] = (
            len(text) > 1
            and bool(words)
            and _TOTAL.fullmatch(words[0]) is not None
            and not any(parse_date(cell, dayfirst=True).precision == "day" for cell in words)
        )
    problems.warn(
        "the row is a total at the foot of the table, no record, and was left out",
        "Nothing to do if that is right.",
        rows=rows[total],
        values=[" ".join(cell for cell in text.iloc[k] if cell) for k in np.flatnonzero(total)],
    )
    return header | total


def stack_sheets(
    tables: Mapping[str, Callable[[], pd.DataFrame]],
    chosen: str,
    table: pd.DataFrame,
    problems: Problems,
) -> pd.DataFrame:
    """Lay sheets with the same header below each other; say which other sheets were left out.

    Parameters
    ----------
    tables : mapping of str to callable
        Gives each sheet of the workbook, as cells.
    chosen : str
        The sheet that is read in any case.
    table : pandas.DataFrame
        Its cells, the header among them.
    problems : Problems
        Takes a note on what was joined, and a warning on sheets that are alike but not the same.

    Returns
    -------
    pandas.DataFrame
        The cells of all, with a column ``sheet`` if there are several.
    """
    top, header = _header(table)
    parts, joined, alike, others = [table], [chosen], [], []
    where = {chosen: 1}
    at = len(table) + 1
    columns = [*range(table.shape[1])]
    for name, read in tables.items():
        if name == chosen:
            continue
        sheet = read()
        if not len(sheet):
            continue
        start, names = _header(sheet)
        plain, mine = [_plain(n) for n in header], [_plain(n) for n in names]
        named = [n for n in plain if n]
        if (
            named
            and sorted(n for n in mine if n) == sorted(named)
            and len(set(named)) == len(named)
        ):
            body = sheet.iloc[start + 1 :]
            ordered = pd.DataFrame(
                {
                    k: body.iloc[:, mine.index(plain[k])].to_numpy(dtype=object)
                    if k < len(plain) and plain[k]
                    else np.array([""] * len(body), dtype=object)
                    for k in columns
                },
                dtype=object,
            )
            if not len(ordered):
                continue
            parts.append(ordered)
            joined.append(name)
            where[name] = at
            at += len(ordered)
        elif named and 2 * len(set(mine) & set(named)) >= len(set(named)):
            alike.append(name)
        else:
            others.append(name)
    if len(joined) > 1:
        first = ", ".join(f"{name!r} from row {row}" for name, row in list(where.items())[:12])
        problems.note(
            f"{len(joined)} sheets have the same header and were read below each other; rows are numbered on ({first})",
            "For one of them alone pass sheet=.",
        )
    if alike:
        problems.warn(
            f"sheets with a like header were left out ({', '.join(map(repr, alike[:6]))}); "
            f"{', '.join(map(repr, joined[:6]))} was read",
            "Give them the same header to have all read, or choose with sheet=.",
        )
    if others or (len(tables) > 1 and len(joined) == 1 and not alike):
        problems.note(
            f"the workbook has {len(tables)} sheets ({', '.join(list(tables)[:6])}) and "
            f"{', '.join(map(repr, joined[:6]))} {'was' if len(joined) == 1 else 'were'} read",
            "For another one pass sheet=.",
        )
    if len(joined) == 1:
        return table
    whole = pd.concat(parts, ignore_index=True)
    if "sheet" not in [_plain(name) for name in header]:
        marks = np.concatenate(
            [
                np.array([name] * len(part), dtype=object)
                for name, part in zip(joined, parts, strict=True)
            ]
        )
        marks[:top] = ""
        marks[top] = "sheet"
        whole[table.shape[1]] = marks
    return whole


def _plain(name: object) -> str:
    return " ".join(str(name).split()).lower()


def _header(table: pd.DataFrame) -> tuple[int, list[str]]:
    text = table.astype("str")
    text = text.apply(lambda column: column.str.strip())
    filled = (text != "").to_numpy().any(axis=1)
    first = int(np.argmax(filled)) if filled.any() else 0
    top = first + header_position(text.iloc[first:])
    return top, [str(cell) for cell in text.iloc[top]]
