"""What a check of a file found: its problems, and what it holds if it can be read."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from tempo.data.incidents import Incidents
from tempo.data.table import latest_onset

__all__ = ["FileCheck", "extent"]


@dataclass(frozen=True, repr=False)
class FileCheck:
    """What is wrong with a file, row by row, and what it holds if it can be read.

    Parameters
    ----------
    name : str
        The file.
    schema : str
        Which schema it follows; "" if it could not be read.
    problems : pandas.DataFrame
        One row for each problem: ``row``, ``column``, ``value``, ``rule``, ``remedy``, ``severity`` ("error",
        "warning" or "note"); errors first.
    table : pandas.DataFrame or None
        The incidents in canonical columns; None if there are errors.
    incidents : Incidents or None
        The same on the window; None if there are errors or no window was given.
    """

    name: str
    schema: str
    problems: pd.DataFrame
    table: pd.DataFrame | None = field(default=None, compare=False)
    incidents: Incidents | None = field(default=None, compare=False)

    @property
    def ok(self) -> bool:
        """Whether the file can be used (there may be warnings)."""
        return not bool((self.problems["severity"] == "error").any())

    def count(self, severity: str) -> int:
        """Give the number of problems of one severity: "error", "warning" or "note"."""
        return int((self.problems["severity"] == severity).sum())

    def describe(self) -> str:
        """Say in a few lines what the file holds and how many problems it has.

        Returns
        -------
        str
            Plain text.

        Examples
        --------
        >>> from tempo.data.readers import check_file
        >>> frame = pd.DataFrame({"date": ["2020-01-26", "2020-03-11"], "deaths": [0, 3]})
        >>> print(check_file(frame).describe())
        the data frame can be used: 0 errors, 0 warnings, 2 notes.
        2 incidents from 2020-01-26 to 2020-03-11, in no published schema.
        Killed: 3 in 1 incident that killed; unknown for 0 of 2.
        """
        verdict = "can be used" if self.ok else "cannot be used"
        tally = ", ".join(
            f"{self.count(severity):,} {severity}{'' if self.count(severity) == 1 else 's'}"
            for severity in ("error", "warning", "note")
        )
        lines = [f"{self.name} {verdict}: {tally}."]
        if self.table is None:
            return lines[0]
        if self.incidents is not None:
            return "\n".join([*lines, self.incidents.describe()])
        table = self.table
        first, last = extent(table)
        in_schema = "no published schema" if self.schema == "tempo" else f"the schema {self.schema}"
        lines.append(
            f"{len(table):,} incident{'' if len(table) == 1 else 's'} from {first:%Y-%m-%d} to {last:%Y-%m-%d}, in "
            f"{in_schema}."
        )
        vague = int((~table["date_precision"].isin(["time", "day"])).sum())
        if vague:
            lines.append(f"Dates known only to an interval: {vague:,} of {len(table):,}.")
        for column in ("killed", "wounded"):
            if column in table and table[column].notna().any():
                some = int((table[column] > 0).sum())
                lines.append(
                    f"{column.capitalize()}: {table[column].sum():,.0f} in {some:,} incident{'' if some == 1 else 's'} "
                    f"that {column}; unknown for {int(table[column].isna().sum()):,} of {len(table):,}."
                )
        return "\n".join(lines)

    def __repr__(self) -> str:
        state = "ok" if self.ok else "not usable"
        return (
            f"FileCheck: {self.name}, {state}, {self.count('error')} errors, {self.count('warning')} warnings, "
            f"{self.count('note')} notes; see .problems"
        )


def extent(table: pd.DataFrame) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Give the first and the last day on which an incident of a canonical table may have begun."""
    return table["date_start"].min().normalize(), latest_onset(table).max().normalize()
