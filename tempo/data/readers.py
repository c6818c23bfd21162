"""Reading a file of incidents, with everything that is wrong with it in one report.

Files are CSV (commas, semicolons, tabs; UTF-8, UTF-16 or Latin-1), Excel, Parquet or JSON lines, or a pandas DataFrame.
Columns are found by name. The mapping of each published schema to canonical columns is documented with it:
UCDP GED in `tempo.data.schema_ucdp`, ACLED in `tempo.data.schema_acled`, GTD in `tempo.data.schema_gtd`, files of
one's own in `tempo.data.schema_plain`.
"""

from __future__ import annotations

import datetime as dt
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data import schemas
from tempo.data.dates import FAILURES
from tempo.data.filecheck import FileCheck, extent
from tempo.data.files import Raw, open_file, open_frame
from tempo.data.incidents import Incidents
from tempo.data.paging import INCOMPLETE
from tempo.data.problems import Problems
from tempo.data.rounding import counted
from tempo.data.schema_gtd import known_breaks
from tempo.data.validation import (
    CONFLICTING,
    cut_to_window,
    drop_duplicates,
    hold_contract,
    merge_coordinated,
    question_tolls,
    reconcile,
)
from tempo.data.window import DAY, DateLike, Window
from tempo.data.zones import zone_of
from tempo.errors import OptionError, ReadError, ReadWarning, WindowError

__all__ = ["FileCheck", "check_file", "read_incidents"]

#: How the report begins where a row was dropped.
DROPPED = "the row was dropped"
AMBIGUOUS = FAILURES["ambiguous"][0]


def read_incidents(
    path: str | os.PathLike[str] | pd.DataFrame,
    schema: str = "auto",
    columns: Mapping[str, str] | None = None,
    window: Window | Sequence[DateLike] | None = None,
    *,
    label: str = "attacks",
    dayfirst: bool | None = None,
    unknown: Sequence[str | float] = (),
    sheet: str | int | None = None,
    encoding: str | None = None,
    merge_coordinated: bool = False,
    cutoff: DateLike | None = None,
    timezone: str | None = None,
    on_error: Literal["raise", "drop"] = "raise",
) -> Incidents:
    """Read incidents from a file, with all its problems in one report.

    Parameters
    ----------
    path : str, path or pandas.DataFrame
        CSV (also with tabs or semicolons), Excel (.xlsx), Parquet or JSON lines; or a table in memory.
    schema : {"auto", "ucdp-ged", "acled", "gtd", "tempo"}, default "auto"
        What the columns mean. "auto" looks at their names; if they are those of no published schema, canonical
        names are used, and obvious ones (``date``, ``deaths``) where there is no doubt. "tempo" takes canonical
        names only.
    columns : mapping of canonical name to column of the file, optional
        For files of one's own, ``{"date_start": "day", "killed": "dead"}``; beside a published schema it replaces
        single columns.
    window : Window or (start, end)
        The half-open stretch of days that the file covers. It is demanded, because the first and the last event
        are no ends of observation: taking them would bias every rate.
    label : str, default "attacks"
        What the incidents are, in the plural.
    dayfirst : bool, optional
        How to read ``03/04/2020``. Without it such dates are an error, unless another row (``25/12/2019``) decides.
    unknown : sequence of str or number, optional
        More cell values that mean unknown, such as ``["-99"]``.
    sheet : str or int, optional
        Sheet of an Excel workbook; the first that holds anything when left out.
    encoding : str, optional
        Of a text file; UTF-8 is tried first, then Latin-1, when left out.
    merge_coordinated : bool, default False
        GTD only: count attacks that belong together (``related``) and began on one day as one.
    cutoff : date-like, optional
        The data are as they stood before this date, for example the day of the download.
    timezone : str, optional
        Zone of the dates, such as ``"Asia/Baghdad"``, ``"UTC"`` or ``"+03:00"``: times that carry another one are
        taken to it. Without it times of several zones are an error.
    on_error : {"raise", "drop"}, default "raise"
        What to do with rows that have errors: "drop" leaves them out, lists each on ``problems`` and counts them on
        ``n_dropped``. Errors that are not of single rows are raised all the same, and so are they if more than half
        of the rows have some, for that is no matter of single rows.

    Returns
    -------
    Incidents
        On the window, with warnings and assumptions on ``problems``.

    Raises
    ------
    ReadError
        If the file cannot be read, or has errors; ``.problems`` holds all of them with row, column, value, rule
        and remedy. Rows are numbered as a spreadsheet shows them (the header is row 1), those of a data frame as
        ``.iloc`` does, those of Parquet and JSON from 1.
    WindowError
        If there is no window; the message tells the first and last date.
    OptionError
        If an option has a value that is not known.

    Warns
    -----
    ReadWarning
        If the file was read with doubts. One warning sums them up.

    Examples
    --------
    >>> table = pd.DataFrame({"when": ["2020-01-26", "2020-03-11"], "dead": [0, 3]})
    >>> read_incidents(
    ...     table, columns={"date_start": "when", "killed": "dead"}, window=("2020-01-01", "2020-04-01")
    ... )
    Incidents: 2 attacks in [2020-01-01, 2020-04-01), 91 observed days
    """
    observed = None if window is None else Window.of(window)
    problems = Problems()
    try:
        result = _read(
            path,
            problems,
            schema=schema,
            columns=columns,
            dayfirst=dayfirst,
            unknown=unknown,
            sheet=sheet,
            encoding=encoding,
            merge=merge_coordinated,
            timezone=timezone,
            on_error=on_error,
        )
    except ReadError as error:
        if error.problems is None:
            message = str(error)
            problems.error(message, "")
            raise ReadError(message, problems.frame()) from error
        raise
    if result is None or problems.n("error"):
        n = problems.n("error")
        raise ReadError(
            f"{name_of(path)} cannot be used; it has {n:,} error{'' if n == 1 else 's'} (each with row, column, value "
            f"and remedy is on .problems of this error, or run: tempo check FILE):\n{problems.summary('error')}"
            + _can_be_dropped(problems, on_error),
            problems.frame(),
        )
    if observed is None:
        raise WindowError(_no_window(result, name_of(path)))
    incidents = _on_window(result, observed, problems, label=label, cutoff=cutoff)
    n = problems.n("warning")
    if n:
        warnings.warn(
            ReadWarning(
                f"{result.name} was read with {n:,} warning{'' if n == 1 else 's'}, kept on .problems:\n"
                f"{problems.summary('warning')}"
            ),
            stacklevel=2,
        )
    return incidents


def check_file(
    path: str | os.PathLike[str] | pd.DataFrame,
    schema: str = "auto",
    columns: Mapping[str, str] | None = None,
    window: Window | Sequence[DateLike] | None = None,
    *,
    label: str = "attacks",
    dayfirst: bool | None = None,
    unknown: Sequence[str | float] = (),
    sheet: str | int | None = None,
    encoding: str | None = None,
    merge_coordinated: bool = False,
    cutoff: DateLike | None = None,
    timezone: str | None = None,
    on_error: Literal["raise", "drop"] = "raise",
) -> FileCheck:
    """Say what is wrong with a file, row by row, without raising and without warning.

    Parameters
    ----------
    path, schema, columns, window, label, dayfirst, unknown, sheet, encoding, merge_coordinated, cutoff, timezone
        As for `read_incidents`. A window is not demanded here; without one nothing is said about dates outside it.
    on_error : {"raise", "drop"}
        As for `read_incidents`; "drop" lists the rows that would be left out, and checks the others.

    Returns
    -------
    FileCheck
        All problems, and what the file holds if it can be used.

    Raises
    ------
    OptionError
        If an option has a value that is not known.
    WindowError
        If the window is not one.

    Examples
    --------
    >>> check = check_file(pd.DataFrame({"date": ["2020-01-26", "2020-02-31"], "killed": [0, -3]}))
    >>> check
    FileCheck: the data frame, not usable, 2 errors, 0 warnings, 1 notes; see .problems
    >>> check.problems[["row", "column", "value", "rule"]].head(2)
       row  column       value                      rule
    0    1    date  2020-02-31      there is no such day
    1    1  killed          -3  a count is never negative
    """
    observed = None if window is None else Window.of(window)
    problems = Problems()
    name = name_of(path)
    try:
        result = _read(
            path,
            problems,
            schema=schema,
            columns=columns,
            dayfirst=dayfirst,
            unknown=unknown,
            sheet=sheet,
            encoding=encoding,
            merge=merge_coordinated,
            timezone=timezone,
            on_error=on_error,
        )
    except ReadError as error:
        if error.problems is None:
            problems.error(str(error), "")
        return FileCheck(name, "", problems.frame())
    if result is None or problems.n("error"):
        return FileCheck(name, "" if result is None else result.schema, problems.frame())
    if observed is None:
        problems.note(
            "no window was given, so nothing can be said about coverage",
            "Pass window=(first day, first day after the last).",
        )
        return FileCheck(name, result.schema, problems.frame(), result.table)
    incidents = _on_window(result, observed, problems, label=label, cutoff=cutoff)
    return FileCheck(name, result.schema, problems.frame(), result.table, incidents)


@dataclass(frozen=True)
class _Result:
    table: pd.DataFrame
    rows: NDArray[np.int64]
    schema: str
    title: str
    name: str
    rule: str
    n_dropped: int = 0


def _can_be_dropped(problems: Problems, on_error: str) -> str:
    """Offer to leave bad rows out where all errors are of single rows."""
    errors = problems.frame("error")
    systematic = errors["rule"].isin([AMBIGUOUS, CONFLICTING])  # dropping would lose what happened
    if on_error == "drop" or errors["row"].isna().any() or systematic.any():
        return ""
    n = errors["row"].nunique()
    return (
        f"\nTo leave {'that row' if n == 1 else f'those {n:,} rows'} out, which is then counted and listed, pass "
        'on_error="drop".'
    )


def name_of(path: object) -> str:
    if isinstance(path, pd.DataFrame):
        return "the data frame"
    return Path(path).name if isinstance(path, str | os.PathLike) else repr(path)


def _read(
    path: str | os.PathLike[str] | pd.DataFrame,
    problems: Problems,
    *,
    schema: str,
    columns: Mapping[str, str] | None,
    dayfirst: bool | None,
    unknown: Sequence[str | float],
    sheet: str | int | None,
    encoding: str | None,
    merge: bool,
    timezone: str | None,
    on_error: str,
) -> _Result | None:
    """Take a file to canonical rows; errors are on ``problems`` when it returns."""
    if schema not in schemas.SCHEMAS:
        raise OptionError(
            f"schema is {schema!r}; expected one of {', '.join(map(repr, schemas.SCHEMAS))}."
        )
    if dayfirst is not None and not isinstance(dayfirst, bool):
        raise OptionError(f"dayfirst is {dayfirst!r}; expected True, False or None.")
    if isinstance(unknown, str):
        raise OptionError(f'unknown is {unknown!r}; expected a list such as ["-99", "n/k"].')
    if on_error not in {"raise", "drop"}:
        raise OptionError(f"on_error is {on_error!r}; expected 'raise' or 'drop'.")
    mapping = schemas.check_mapping(columns)
    zone = zone_of(timezone)
    raw = schemas.named(open_source(path, problems, sheet, encoding), problems, schema)

    def interpret(raw: Raw, problems: Problems) -> _Result | None:
        return _interpret(
            raw,
            problems,
            schema=schema,
            columns=mapping,
            dayfirst=dayfirst,
            unknown=frozenset(str(text).strip().lower() for text in unknown),
            zone=zone,
            merge=merge,
        )

    if on_error == "raise":
        return interpret(raw, problems)
    return _without_bad_rows(raw, problems, interpret)


def _without_bad_rows(
    raw: Raw, problems: Problems, interpret: Callable[[Raw, Problems], _Result | None]
) -> _Result | None:
    """Interpret a table without the rows that have errors; what is left is interpreted anew, as if it were the file."""
    before = problems.frame("error")
    bad = set(before["row"].dropna().astype(int)) if before["row"].notna().all() else set()
    if len(bad) and not before["row"].isna().any():
        problems.demote_errors(DROPPED)
    n_rows = len(raw.rows)
    dropped = np.isin(raw.rows, list(bad))
    lost: list[Problems] = []
    while True:  # each turn drops at least one more row
        kept = _rows_of(raw, ~dropped)
        trial = Problems()
        result = interpret(kept, trial) if len(kept.rows) else None
        errors = trial.frame("error")
        whole_file = bool(errors["row"].isna().any()) or bool(
            errors["rule"].isin([AMBIGUOUS]).any()
        )
        newly = np.isin(raw.rows, errors["row"].dropna().astype(int).to_list()) & ~dropped
        too_many = 2 * int((dropped | newly).sum()) > n_rows
        if errors.empty or whole_file or too_many or not newly.any():
            for part in lost:
                problems.take(part)
            problems.take(trial)
            if too_many and not whole_file:
                problems.error(
                    f"{int((dropped | newly).sum()):,} of {n_rows:,} rows have errors, which is no matter of single "
                    "rows, so that none was dropped",
                    "Find out what they have in common: a column read as another, a format, a code for unknown.",
                )
                return None
            unread = len(bad - set(raw.rows.tolist()))  # lines that gave no row at all
            n = int(dropped.sum()) + unread
            if result is not None and n:
                result = replace(result, n_dropped=n)
            return result
        errors_only = trial.only("error")
        errors_only.demote_errors(DROPPED)
        lost.append(errors_only)
        dropped |= newly


def _rows_of(raw: Raw, keep: NDArray[np.bool_]) -> Raw:
    if keep.all():
        return raw
    original = None if raw.original is None else raw.original[keep].reset_index(drop=True)
    return replace(
        raw, text=raw.text[keep].reset_index(drop=True), rows=raw.rows[keep], original=original
    )


def _interpret(
    raw: Raw,
    problems: Problems,
    *,
    schema: str,
    columns: Mapping[str, str],
    dayfirst: bool | None,
    unknown: frozenset[str],
    zone: dt.tzinfo | None,
    merge: bool,
) -> _Result | None:
    """Take a named table to canonical rows; errors are on ``problems`` when it returns."""
    converted = schemas.convert(
        raw,
        problems,
        schema=schema,
        columns=columns,
        dayfirst=dayfirst,
        unknown=unknown,
        zone=zone,
    )
    if converted is None:
        return None
    table, rows = converted.table, converted.rows
    hold_contract(table, rows, problems, converted.origin)
    question_tolls(table, rows, problems, converted.origin)
    table = reconcile(table, rows, problems)
    keep = drop_duplicates(table, rows, problems)
    table, rows = table[keep].reset_index(drop=True), rows[keep]
    rule = "every row"
    if merge:
        if converted.schema != "gtd" or "related" not in table:
            raise OptionError(
                "merge_coordinated is True, but only GTD files with a column 'related' say which attacks belong "
                f"together; this one was read by the schema {converted.schema!r}. Leave it away."
            )
        if not problems.n("error"):
            table, rows = merge_coordinated(table, rows, problems)
            rule = "coordinated attacks of one day counted as one"
    return _Result(table, rows, converted.schema, converted.title, raw.name, rule)


def open_source(
    path: str | os.PathLike[str] | pd.DataFrame,
    problems: Problems,
    sheet: str | int | None,
    encoding: str | None,
) -> Raw:
    if isinstance(path, pd.DataFrame):
        return open_frame(path)
    if not isinstance(path, str | os.PathLike):
        raise ReadError(
            f"path is {type(path).__name__}; expected the path of a file, or a pandas DataFrame."
        )
    if isinstance(path, str) and path.lower().startswith(
        ("http://", "https://", "ftp://", "s3://")
    ):
        raise ReadError(f"{path} is an address. Download the file first, and give its path.")
    try:
        place = Path(path).expanduser()
    except RuntimeError as error:
        raise ReadError(f"{path} cannot be found: {error}. Give the whole path.") from error
    return open_file(place, problems, sheet=sheet, encoding=encoding)


def _no_window(result: _Result, name: str) -> str:
    first, last = extent(result.table)
    start, after = first.replace(day=1), (last + pd.offsets.MonthBegin(1)).normalize()
    return (
        f"no window was given for {name}. Its first incident is dated {first:%Y-%m-%d} and its last {last:%Y-%m-%d}, "
        "but those are not when watching began and ended, and rates taken between them are biased. Expected the "
        f'stretch in which every incident would be in the file, half-open; for example window=("{start:%Y-%m-%d}", '
        f'"{after:%Y-%m-%d}") if it covers {start:%-d %B %Y} to {after - DAY:%-d %B %Y}.'
    )


def _on_window(
    result: _Result,
    window: Window,
    problems: Problems,
    *,
    label: str,
    cutoff: DateLike | None,
) -> Incidents:
    """Cut to the window and build the incidents, with what is known about the collection of the data."""
    if result.schema == "gtd":
        window = known_breaks(result.table, window, problems)
    keep, notes = cut_to_window(result.table, result.rows, window, problems)
    source = f"{result.title}, {result.name}" if result.title else result.name
    report = problems.frame("warning", "note")
    parts = report["rule"][report["rule"].str.startswith(INCOMPLETE)].drop_duplicates()
    if result.n_dropped:
        n = result.n_dropped
        notes.insert(
            0,
            f"{counted(n, 'rows')} of the file {'has' if n == 1 else 'have'} errors and "
            f"{'was' if n == 1 else 'were'} dropped.",
        )
    notes = [*(f"{rule[0].upper()}{rule[1:]}." for rule in parts), *notes]
    return Incidents(
        result.table[keep],
        window,
        label=label,
        rule=result.rule,
        source=source,
        cutoff=cutoff,
        problems=report,
        notes=notes,
        n_dropped=result.n_dropped,
    )
