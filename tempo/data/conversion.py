"""Turning one file into canonical columns: the workbench that every schema works on.

A schema names the columns of the file; the workbench reads their cells, records every problem with its row, and keeps
what has been converted. Nothing is raised while it works, so that the report at the end is complete.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.cells import parse_numbers, parse_text, typed
from tempo.data.dates import FAILURES, Dates, parse_dates, year_order
from tempo.data.problems import Problems
from tempo.data.separators import dotted, reading_of_dots, writes_comma_decimals
from tempo.data.table import COLUMNS

__all__ = ["Conversion", "calendar_interval", "normal_name"]

_ZONE_MARK = re.compile(r":\d{2}.*(?:Z|UTC|GMT|[+-]\d{2}:?(?:\d{2})?)$", re.IGNORECASE | re.ASCII)
_LAST_UNIX = 4_102_444_800  # the year 2100, in seconds since 1970


def normal_name(name: str) -> str:
    """Give a column name without case, blanks and marks, as names are compared.

    Examples
    --------
    >>> normal_name(" Event Date ")
    'event_date'
    """
    return re.sub(r"[\s\-./]+", "_", name.strip().lower())


@dataclass
class Conversion:
    """The workbench for one file.

    Parameters
    ----------
    text : pandas.DataFrame of str, shape (n, columns)
        Cells as text, under the file's own names.
    rows : ndarray of int, shape (n,)
        Row of each record as the user sees it.
    problems : Problems
        Takes everything that is wrong.
    dayfirst : bool or None
        How to read ``03/04/2020``.
    unknown : frozenset of str
        More texts that mean unknown, in lower case.
    zone : datetime.tzinfo or None
        The zone that the user declared.
    out : dict of str to Series
        Canonical columns made so far.
    extra : dict of str to Series
        Columns of the file that a schema replaced by a cleaner version, under their own names.
    origin : dict of str to str
        Which column of the file a canonical one came from, for the report.
    used : set of str
        Columns of the file that became a canonical one unchanged, and need not be kept twice.
    """

    text: pd.DataFrame
    rows: NDArray[np.int64]
    problems: Problems
    dayfirst: bool | None = None
    unknown: frozenset[str] = frozenset()
    zone: dt.tzinfo | None = None
    out: dict[str, pd.Series] = field(default_factory=dict)
    extra: dict[str, pd.Series] = field(default_factory=dict)
    origin: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._names: dict[str, str] = {}
        for name in self.text.columns:
            self._names.setdefault(normal_name(name), name)

    def __len__(self) -> int:
        return len(self.text)

    def name(self, column: str) -> str | None:
        """Give the file's own name of a column, looked up without regard to case, or None."""
        if column in self.text.columns:
            return column
        return self._names.get(normal_name(column))

    def has(self, *columns: str) -> bool:
        """Tell whether the file has all these columns."""
        return all(self.name(column) is not None for column in columns)

    def cells(self, column: str) -> pd.Series:
        """Give the cells of a column as text; blank where the file has no such column."""
        name = self.name(column)
        if name is None:
            return pd.Series("", index=self.text.index, dtype="str")
        series: pd.Series = self.text[name]
        return series

    def words(self, *columns: str) -> pd.Series:
        """Give text from the first of these columns that has some, row by row; missing where none has."""
        result = pd.Series(np.nan, index=self.text.index, dtype="str")
        for column in columns:
            if self.has(column):
                result = result.fillna(parse_text(self.cells(column)))
        return result

    def _without_dots(self, column: str) -> pd.Series:
        """Give the cells of a column of counts with thousands written plainly; what cannot be told is an error."""
        cells = self.cells(column)
        if not cells.str.contains(".", regex=False).any():
            return cells
        where = dotted(cells)
        if not where.any():
            return cells
        reading = reading_of_dots(cells, continental=writes_comma_decimals(self.text))
        shown = self.name(column) or column
        plain = cells.mask(where, cells.str.replace(".", "", regex=False))
        if reading == "thousands":
            self.problems.warn(
                "dots were read as thousands (1.000 is one thousand), as the rest of the column or file is written",
                "If a decimal was meant, write it without (1).",
                rows=self.rows[where],
                column=shown,
                values=cells[where],
            )
            return plain
        if reading in {"unclear", "both"}:
            self.problems.error(
                "the dot may part thousands or decimals, and nothing in the column says which"
                if reading == "unclear"
                else "dots part thousands in some cells of the column and decimals in others",
                "Write counts without it: 1000 for a thousand, 1 for one.",
                rows=self.rows[where],
                column=shown,
                values=cells[where],
            )
            return plain
        return cells

    def numbers(
        self, column: str, unknown: Sequence[str] = (), cells: pd.Series | None = None
    ) -> NDArray[np.float64]:
        """Give numbers from a column; reports cells that are none, and words that say unknown."""
        cells = self.cells(column) if cells is None else cells
        read = parse_numbers(cells, self.unknown | frozenset(unknown))
        shown = self.name(column) or column
        self.problems.error(
            "this is not a number",
            "Write digits only, leave the cell blank where it is unknown, and put a range into the _low and _high "
            "columns.",
            rows=self.rows[read.bad],
            column=shown,
            values=cells[read.bad],
        )
        if read.words.any():
            said = ", ".join(sorted(set(cells[read.words]))[:5])
            self.problems.note(
                f"{int(read.words.sum()):,} cells say that the number is unknown ({said}); they were read as missing, "
                "not as zero",
                column=shown,
            )
        return read.values

    def counts(self, column: str, unknown: Sequence[str] = ()) -> NDArray[np.float64]:
        """Give numbers of people or things; reports fractional ones (negative ones are found at the end)."""
        shown = self.name(column) or column
        cells = self.cells(column)
        values = self.numbers(column, unknown, self._without_dots(column))
        with np.errstate(invalid="ignore"):
            broken = (values >= 0) & (values != np.floor(values))
        self.problems.warn(
            "a count is usually a whole number; kept as it is",
            "If a thousands separator was meant, leave it away (1234).",
            rows=self.rows[broken],
            column=shown,
            values=cells[broken],
        )
        return values

    def coordinates(self, column: str, limit: float) -> NDArray[np.float64]:
        """Give degrees; what cannot be a coordinate is reported and becomes unknown, for no model needs it."""
        cells = self.cells(column)
        # No coordinate has thousands, so that a comma can only be a decimal one.
        read = parse_numbers(
            cells.str.replace(r"^(-?\d{1,3}),(\d+)$", r"\1.\2", regex=True), self.unknown
        )
        with np.errstate(invalid="ignore"):
            wrong = read.bad | (np.abs(read.values) > limit)
        self.problems.warn(
            f"this is not a coordinate between -{limit:g} and {limit:g} degrees, and was read as unknown",
            "Write decimal degrees with a point, as 33.312.",
            rows=self.rows[wrong],
            column=self.name(column) or column,
            values=cells[wrong],
        )
        return np.where(wrong, np.nan, read.values)

    def codes(self, column: str, allowed: Sequence[int], meaning: str) -> NDArray[np.float64]:
        """Give codes from a short list; reports others as errors, and gives NaN for blanks."""
        cells = self.cells(column)
        read = parse_numbers(cells)
        wrong = (
            read.bad | read.words | (~np.isnan(read.values) & ~np.isin(read.values, list(allowed)))
        )
        listed = (
            ", ".join(map(str, allowed))
            if len(allowed) <= 12
            else f"the whole numbers from {min(allowed)} to {max(allowed)}"
        )
        self.problems.error(
            f"{meaning} is one of {listed}",
            "Correct the code; is this really that column?",
            rows=self.rows[wrong],
            column=self.name(column) or column,
            values=cells[wrong],
        )
        return np.where(wrong, np.nan, read.values)

    # -- dates -------------------------------------------------------------------------------------------------

    def decide_order(self, *columns: str) -> None:
        """Find out from all date columns together what their zone is, and whether the day or the month comes first."""
        self._decide_zone(*columns)
        if self.dayfirst is not None:
            return
        present = [self.cells(column) for column in columns if self.has(column)]
        if not present:
            return
        together = pd.concat(present, ignore_index=True)
        decided, day_example, month_example = year_order(together)
        if day_example and month_example:
            self.problems.error(
                f"some dates put the day first ({day_example}) and some the month ({month_example})",
                "Write all dates year first, as 2020-03-11.",
                column=", ".join(str(self.name(column)) for column in columns if self.has(column)),
            )
        self.dayfirst = decided
        if decided is not None:
            example = day_example if decided else month_example
            self.problems.note(
                f"dates with the year last were read {'day' if decided else 'month'} first, because {example} allows "
                "nothing else",
                "If that is wrong pass dayfirst=.",
                column=", ".join(str(self.name(column)) for column in columns if self.has(column)),
            )

    def _decide_zone(self, *columns: str) -> None:
        """Refuse times of several zones, unless the user declared one: they would be hours and days apart."""
        present = [self.cells(column) for column in columns if self.has(column)]
        if not present:
            return
        together = pd.concat(present, ignore_index=True)
        marked = together.str.contains(_ZONE_MARK, regex=True)
        if not marked.any():
            return
        zones = parse_dates(together, dayfirst=True, unknown=self.unknown).zones
        shown = ", ".join(str(self.name(column)) for column in columns if self.has(column))
        named = " and ".join(zone or "none" for zone in zones)
        if self.zone is not None:
            if any(zones):
                self.problems.note(
                    f"times that carry a zone ({named}) were taken to the zone {self.zone}; times without one were "
                    "left as they are written",
                    column=shown,
                )
        elif len(zones) > 1:
            self.problems.error(
                f"times are written in several zones ({named}), so that hours and days do not agree with each other",
                'Declare one: timezone="Asia/Baghdad" (or "UTC", "+03:00") takes all to the clocks of that zone.',
                column=shown,
            )
        elif zones and zones[0]:
            self.problems.note(
                f"all times carry the zone {zones[0]}, and days are those of that zone",
                'For the days of the place itself pass timezone=, such as timezone="Asia/Baghdad".',
                column=shown,
            )

    def dates(self, column: str, *, required: bool = False) -> Dates:
        """Give dates from a column; reports those that cannot be read, and blank ones if they are required."""
        cells = self.cells(column)
        shown = self.name(column) or column
        read = parse_dates(cells, dayfirst=self.dayfirst, unknown=self.unknown, zone=self.zone)
        for failure, (rule, remedy) in FAILURES.items():
            hit = read.failure == failure
            if hit.any():
                self.problems.error(
                    rule, remedy, rows=self.rows[hit], column=shown, values=cells[hit]
                )
        if required:
            missing = np.isnat(read.first) & (read.failure == "")
            self.problems.error(
                "the date is missing",
                "Give the day, or the month (2020-03) or year (2020) in which it must lie, or drop the row.",
                rows=self.rows[missing],
                column=shown,
                values=cells[missing],
            )
        return read

    def moments(self, column: str) -> pd.Series:
        """Give times at which something was reported: dates, or seconds since 1970 in UTC."""
        cells = self.cells(column)
        seconds = parse_numbers(cells).values
        with np.errstate(invalid="ignore"):
            is_unix = (seconds > 99_999_999) & (seconds < _LAST_UNIX)
        texts = cells.mask(is_unix, "")
        read = parse_dates(texts, dayfirst=self.dayfirst, unknown=self.unknown, zone=self.zone)
        shown = self.name(column) or column
        if self.zone is None and len(read.zones) > 1:
            read = parse_dates(texts, dayfirst=self.dayfirst, unknown=self.unknown, zone=dt.UTC)
            self.problems.warn(
                "times of report are written in several zones, and were all taken to UTC",
                "Declare one with timezone=.",
                column=shown,
            )
        values = read.first.copy()
        values[is_unix] = self._clock(seconds[is_unix])
        hit = read.failure != ""
        self.problems.warn(
            "this is not a time of report, and was read as unknown",
            "Write it as 2020-03-11, 2020-03-11 19:35, or seconds since 1970.",
            rows=self.rows[hit],
            column=self.name(column) or column,
            values=cells[hit],
        )
        return self.series(values)

    def _clock(self, seconds: NDArray[np.float64]) -> NDArray[np.datetime64]:
        """Give seconds since 1970 as times on the clocks of the declared zone, or of UTC."""
        stamps = pd.DatetimeIndex(seconds.astype("int64").astype("datetime64[s]"), tz="UTC")
        if self.zone is not None:
            stamps = stamps.tz_convert(self.zone)
        return np.asarray(stamps.tz_localize(None), dtype="datetime64[us]")

    def put_dates(
        self,
        first: NDArray[np.datetime64],
        last: NDArray[np.datetime64],
        precision: NDArray[np.object_],
    ) -> None:
        """Keep the dates of the incidents; an end before its start is reported."""
        first_day = first.astype("datetime64[D]")
        backwards = last.astype("datetime64[D]") < first_day
        ends = self.name("date_end") or "date_end"
        self.problems.error(
            "the end comes before the start",
            "Swap or correct the two dates.",
            rows=self.rows[backwards],
            column=ends,
            values=[
                f"{a} to {b}"
                for a, b in zip(
                    first_day[backwards], last[backwards].astype("datetime64[D]"), strict=True
                )
            ],
        )
        self.out["date_start"] = self.series(first)
        self.out["date_end"] = self.series(np.where(backwards, first, np.maximum(first, last)))
        self.out["date_precision"] = pd.Series(precision, index=self.text.index, dtype="str")

    def series(self, values: NDArray[np.generic]) -> pd.Series:
        """Give an array as a column of this file."""
        return pd.Series(values, index=self.text.index)

    # -- canonical columns by their own names ------------------------------------------------------------------

    def put(self, canonical: str, column: str) -> None:
        """Convert a column of the file to a canonical one that needs no schema: everything but the dates."""
        if canonical == "latitude":
            self.out[canonical] = self.series(self.coordinates(column, 90))
        elif canonical == "longitude":
            self.out[canonical] = self.series(self.coordinates(column, 180))
        elif canonical == "reported_at":
            self.out[canonical] = self.moments(column)
        elif canonical.split("_")[0] in {"killed", "wounded", "munitions"}:
            self.put_count(canonical, column)
        else:
            self.out[canonical] = self.words(column)

    def put_count(self, canonical: str, column: str, unknown: Sequence[str] = ()) -> None:
        """Convert a column of the file to a canonical column of counts."""
        self.out[canonical] = self.series(self.counts(column, unknown))
        self.origin[canonical] = self.name(column) or column

    def table(self, original: pd.DataFrame | None) -> pd.DataFrame:
        """Give everything: canonical columns first, then the file's other columns."""
        columns = {name: self.out[name] for name in COLUMNS if name in self.out}
        for name in self.text.columns:
            if name in columns or name in self.used:
                continue
            if name in self.extra:
                columns[name] = self.extra[name]
            elif original is not None:
                columns[name] = original[name]
            else:
                columns[name] = typed(self.text[name])
        for name, series in self.extra.items():
            columns.setdefault(name, series)
        return pd.DataFrame(columns, index=self.text.index)


def calendar_interval(
    day: NDArray[np.datetime64], unit: str
) -> tuple[NDArray[np.datetime64], NDArray[np.datetime64]]:
    """Give the first and last day of the stretch that a day stands for when its date is imprecise.

    Parameters
    ----------
    day : ndarray of datetime64
        The day in the file.
    unit : {"days", "week", "month", "year"}
        "days" and "week" reach three days to either side; "month" and "year" are the calendar's.

    Returns
    -------
    tuple of ndarray of datetime64[us]
        Both inclusive.

    Examples
    --------
    >>> first, last = calendar_interval(np.array(["2020-02-15"], dtype="datetime64[D]"), "month")
    >>> str(first[0])[:10], str(last[0])[:10]
    ('2020-02-01', '2020-02-29')
    """
    days = day.astype("datetime64[D]")
    if unit in {"days", "week"}:
        reach = np.timedelta64(3, "D")
        first, last = days - reach, days + reach
    else:
        # Counted in months, because a year and a month have no length in days.
        month = days.astype("datetime64[M]" if unit == "month" else "datetime64[Y]").astype(
            "datetime64[M]"
        )
        length = np.timedelta64(1 if unit == "month" else 12, "M")
        first = month.astype("datetime64[D]")
        last = (month + length).astype("datetime64[D]") - np.timedelta64(1, "D")
    return first.astype("datetime64[us]"), last.astype("datetime64[us]")
