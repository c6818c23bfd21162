"""The problem report of a file: everything that is wrong with it, at once, with what to do about each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["PROBLEM_COLUMNS", "SEVERITIES", "Problems", "empty_problems"]

PROBLEM_COLUMNS = ("row", "column", "value", "rule", "remedy", "severity")
SEVERITIES = ("error", "warning", "note")
_LONGEST_VALUE = 80
_ROWS_NAMED = 5
_GROUPS_NAMED = 6


def empty_problems() -> pd.DataFrame:
    """Give a problem report without any problem.

    Returns
    -------
    pandas.DataFrame
        No rows; the columns of every report.

    Examples
    --------
    >>> list(empty_problems().columns)
    ['row', 'column', 'value', 'rule', 'remedy', 'severity']
    """
    return _typed(pd.DataFrame({name: [] for name in PROBLEM_COLUMNS}))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    types = {name: "Int64" if name == "row" else "str" for name in PROBLEM_COLUMNS}
    return frame.astype(types)[list(PROBLEM_COLUMNS)]


class Problems:
    """Collects the problems of one file; errors stop the reading at its end, warnings and notes stay on the result.

    Each problem names its row as the user sees it in the file (missing when it concerns the whole file), the
    column, the value found, the rule it breaks and the remedy. Severity is ``"error"`` (no incidents are given),
    ``"warning"`` (read, with a doubt or a change) or ``"note"`` (what tempo assumed, nothing to worry about).

    Examples
    --------
    >>> problems = Problems()
    >>> problems.error("a count is never negative", "Correct it.", rows=[4], column="killed", values=["-3"])
    >>> problems.n("error"), problems.frame().loc[0, "row"]
    (1, np.int64(4))
    >>> print(problems.summary("error"))
    killed: a count is never negative (row 4: '-3'). Correct it.
    """

    def __init__(self) -> None:
        self._parts: list[pd.DataFrame] = []
        self._counts = dict.fromkeys(SEVERITIES, 0)

    def error(
        self,
        rule: str,
        remedy: str,
        *,
        rows: Iterable[int] | NDArray[Any] | None = None,
        column: str = "",
        values: Sequence[Any] | NDArray[Any] | pd.Series | None = None,
    ) -> None:
        """Record something that must be put right before the file can be used."""
        self._add("error", rule, remedy, rows, column, values)

    def warn(
        self,
        rule: str,
        remedy: str,
        *,
        rows: Iterable[int] | NDArray[Any] | None = None,
        column: str = "",
        values: Sequence[Any] | NDArray[Any] | pd.Series | None = None,
    ) -> None:
        """Record a doubt that does not prevent reading."""
        self._add("warning", rule, remedy, rows, column, values)

    def note(
        self,
        rule: str,
        remedy: str = "Nothing to do if that is right.",
        *,
        rows: Iterable[int] | NDArray[Any] | None = None,
        column: str = "",
        values: Sequence[Any] | NDArray[Any] | pd.Series | None = None,
    ) -> None:
        """Record an assumption that was made."""
        self._add("note", rule, remedy, rows, column, values)

    def _add(
        self,
        severity: str,
        rule: str,
        remedy: str,
        rows: Iterable[int] | NDArray[Any] | None,
        column: str,
        values: Sequence[Any] | NDArray[Any] | pd.Series | None,
    ) -> None:
        where = None if rows is None else np.asarray(list(rows), dtype=np.int64)
        if where is not None and not len(where):
            return
        n = 1 if where is None else len(where)
        shown = [""] * n if values is None else [_shown(value) for value in values]
        part = pd.DataFrame(
            {
                "row": pd.array([pd.NA] if where is None else where, dtype="Int64"),
                "column": column,
                "value": shown,
                "rule": rule,
                "remedy": remedy,
                "severity": severity,
            }
        )
        self._parts.append(part)
        self._counts[severity] += n

    def take(self, other: Problems) -> None:
        """Add the problems of another report."""
        self._parts.extend(other._parts)
        for severity in SEVERITIES:
            self._counts[severity] += other._counts[severity]

    def only(self, severity: str) -> Problems:
        """Give a report of the problems of one severity."""
        some = Problems()
        some._parts = [part for part in self._parts if (part["severity"] == severity).all()]
        some._counts[severity] = self._counts[severity]
        return some

    def demote_errors(self, consequence: str) -> None:
        """Make warnings of the errors, because what they name has been left out.

        Parameters
        ----------
        consequence : str
            What was done, put before each rule.
        """
        self._parts = [
            part.assign(
                severity="warning",
                rule=[f"{consequence}: {rule}" for rule in part["rule"]],
            )
            if (part["severity"] == "error").all()
            else part
            for part in self._parts
        ]
        self._counts["warning"] += self._counts["error"]
        self._counts["error"] = 0

    def n(self, severity: str) -> int:
        """Give the number of problems of one severity."""
        return self._counts[severity]

    def frame(self, *severities: str) -> pd.DataFrame:
        """Give the report as a table: errors first, then by row.

        Parameters
        ----------
        *severities : {"error", "warning", "note"}
            Which to give; all when none is named.

        Returns
        -------
        pandas.DataFrame
            Columns ``row`` (missing where the whole file is meant), ``column``, ``value``, ``rule``, ``remedy``,
            ``severity``.
        """
        if not self._parts:
            return empty_problems()
        frame = _typed(pd.concat(self._parts, ignore_index=True))
        if severities:
            frame = frame[frame["severity"].isin(severities)]
        order = frame["severity"].map({name: k for k, name in enumerate(SEVERITIES)})
        frame = frame.assign(_order=order).sort_values(
            ["_order", "row"], kind="stable", na_position="first"
        )
        return frame.drop(columns="_order").reset_index(drop=True)

    def summary(self, severity: str) -> str:
        """Write the problems of one severity, one line for each rule and column, with the first rows."""
        lines = []
        frame = self.frame(severity)
        groups = list(frame.groupby(["column", "rule", "remedy"], sort=False))
        for (column, rule, remedy), group in groups[:_GROUPS_NAMED]:
            lines.append(_line(str(column), str(rule), str(remedy), group))
        if len(groups) > _GROUPS_NAMED:
            lines.append(f"... and {len(groups) - _GROUPS_NAMED} more kinds of problem")
        return "\n".join(lines)


def _shown(value: object) -> str:
    """Write a value for the report: one line, never longer than the report can bear, never markup."""
    text = "" if value is None or value is pd.NaT else str(value)
    text = " ".join(text.split())
    text = "".join(sign if sign.isprintable() else "�" for sign in text)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _line(column: str, rule: str, remedy: str, group: pd.DataFrame) -> str:
    head = f"{column}: {rule}" if column else rule
    rows = group["row"].dropna()
    if len(rows):
        named = []
        for row, value in zip(rows[:_ROWS_NAMED], group["value"][:_ROWS_NAMED], strict=True):
            named.append(f"row {row}: {value!r}" if value else f"row {row}")
        more = f"; and {len(rows) - _ROWS_NAMED:,} more" if len(rows) > _ROWS_NAMED else ""
        head = f"{head} ({', '.join(named)}{more})"
    elif group["value"].iloc[0]:
        head = f"{head} ({group['value'].iloc[0]!r})"
    return f"{head}. {remedy}"
