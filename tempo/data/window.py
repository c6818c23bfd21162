"""The observation window: when incidents were watched for, and when they were not."""

from __future__ import annotations

import numbers
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.errors import WindowError

__all__ = ["DAY", "DateLike", "Window", "as_date", "unsaid"]

type DateLike = str | pd.Timestamp | np.datetime64 | Any  # also datetime.date and datetime.datetime

DAY = pd.Timedelta("1D")

#: More days than any record of attacks has; years 1 to 9999 would take hours and all memory.
_MOST_DAYS = 100_000

_VAGUE = re.compile(r"\d{4}(?P<month>[-/]\d{1,2})?")
_COARSE = {"Y": "year", "M": "month", "W": "week"}


def unsaid(value: object) -> str:
    """Say which stretch a value names where it names no day.

    pandas takes the first day of it, which nobody said: "September" is not the first of September.

    Parameters
    ----------
    value : object
        What may be a date.

    Returns
    -------
    str
        "year", "month" or "week"; empty where it names a day, or is no date at all.

    Examples
    --------
    >>> unsaid("2020-03"), unsaid("2020"), unsaid("2020-03-12")
    ('month', 'year', '')
    """
    if isinstance(value, np.datetime64):
        return _COARSE.get(np.datetime_data(value)[0], "")
    match = _VAGUE.fullmatch(value.strip()) if isinstance(value, str) else None
    return "" if match is None else "month" if match["month"] else "year"


def as_date(value: DateLike, what: str = "date") -> pd.Timestamp:
    """Give the calendar date of a date-like value, at midnight and without a zone.

    Parameters
    ----------
    value : str, datetime.date, pandas.Timestamp or numpy.datetime64
        A calendar date. Text must be ISO 8601 (``2020-03-12``), because ``03/04/2020`` means two things. A month or a
        year is refused, because it names no day.
    what : str
        What the date is, for the message of the error.

    Returns
    -------
    pandas.Timestamp
        The day.

    Raises
    ------
    WindowError
        If it is not a date, names no day, has a time of day, or carries a time zone.

    Examples
    --------
    >>> as_date("2020-03-12")
    Timestamp('2020-03-12 00:00:00')
    """
    remedy = "Give a calendar date such as '2020-03-12'."
    if isinstance(value, numbers.Number | np.bool_) or value is None:
        raise WindowError(f"{what} is {value!r}, which is not a date. {remedy}")
    if isinstance(value, str) and not value.strip()[:1].isdigit():
        raise WindowError(f"{what} is {value!r}, which is not a date. {remedy}")  # 'today' moves
    try:
        stamp = (
            pd.to_datetime(value, format="ISO8601")
            if isinstance(value, str)
            else pd.Timestamp(value)
        )
    except (ValueError, TypeError) as error:
        raise WindowError(f"{what} is {value!r}, which is not a date. {remedy}") from error
    if pd.isna(stamp):
        raise WindowError(f"{what} is missing. {remedy}")
    if stretch := unsaid(value):
        raise WindowError(
            f"{what} is {str(value)!r}, a {stretch} and not a day. Give the day: '{stamp:%Y-%m-%d}' is its first."
        )
    if stamp.tzinfo is not None:
        raise WindowError(
            f"{what} is {value!r}, which carries a time zone; dates are calendar dates in one zone. "
            "Convert it to the local date first."
        )
    if stamp != stamp.normalize():
        raise WindowError(
            f"{what} is {value!r}, which has a time of day; windows start and end at midnight. {remedy}"
        )
    return stamp.as_unit("us")


@dataclass(frozen=True, repr=False)
class Window:
    """The half-open stretch of days ``[start, end)`` in which every incident would have been recorded.

    A rate is events divided by the time in which they were watched for, so the window is stated and never taken
    from the first and last event: that would bias the rate and erase quiet edges.

    Parameters
    ----------
    start : date-like
        First observed day.
    end : date-like
        First day that is no longer observed.
    gaps : sequence of (start, end), optional
        Half-open stretches inside the window that nobody watched. They are missing, not quiet.

    Raises
    ------
    WindowError
        If the window is empty, longer than 100,000 days, or a gap lies outside it.

    Examples
    --------
    >>> window = Window("2019-05-01", "2021-01-01", gaps=[("2019-08-01", "2019-08-11")])
    >>> window.days, window.length_days
    (601.0, 611.0)
    >>> window
    Window('2019-05-01', '2021-01-01', gaps=[('2019-08-01', '2019-08-11')])
    """

    start: pd.Timestamp
    end: pd.Timestamp
    gaps: tuple[tuple[pd.Timestamp, pd.Timestamp], ...] = ()

    def __init__(
        self, start: DateLike, end: DateLike, gaps: Iterable[Sequence[DateLike]] = ()
    ) -> None:
        first, last = (
            as_date(start, "the start of the window"),
            as_date(end, "the end of the window"),
        )
        if last <= first:
            raise WindowError(
                f"the window [{first:%Y-%m-%d}, {last:%Y-%m-%d}) is empty. Windows are half-open: the end is the "
                "first day that is not observed, and must come after the start."
            )
        days = (last - first) // DAY
        if days > _MOST_DAYS:
            raise WindowError(
                f"the window [{first:%Y-%m-%d}, {last:%Y-%m-%d}) has {days:,} days; the limit is {_MOST_DAYS:,} "
                f"(some {_MOST_DAYS / 365.25:.0f} years). Give the days that were watched; is a year mistyped?"
            )
        object.__setattr__(self, "start", first)
        object.__setattr__(self, "end", last)
        object.__setattr__(self, "gaps", _merged_gaps(gaps, first, last))

    @classmethod
    def of(cls, value: Window | Sequence[DateLike]) -> Window:
        """Give a window from a window or from a pair of dates.

        Parameters
        ----------
        value : Window or (start, end)
            What the user passed as ``window=``.

        Returns
        -------
        Window
            The same window, or one without gaps.

        Raises
        ------
        WindowError
            If it is neither.

        Examples
        --------
        >>> Window.of(("2020-01-01", "2020-02-01")).days
        31.0
        """
        if isinstance(value, Window):
            return value
        if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != 2:
            raise WindowError(
                f"window is {value!r}; expected tempo.Window(start, end) or a pair such as "
                "('2019-05-01', '2021-01-01'), half-open."
            )
        return cls(value[0], value[1])

    @property
    def length_days(self) -> float:
        """Days from start to end, gaps included."""
        return float((self.end - self.start) / DAY)

    @property
    def days(self) -> float:
        """Observed days: the length without the gaps."""
        return self.length_days - sum(float((b - a) / DAY) for a, b in self.gaps)

    def exposure(
        self, bin_starts: pd.DatetimeIndex, bin_ends: pd.DatetimeIndex
    ) -> NDArray[np.float64]:
        """Give the observed share of each bin.

        Parameters
        ----------
        bin_starts, bin_ends : pandas.DatetimeIndex, length n
            Half-open bins.

        Returns
        -------
        ndarray of float, shape (n,)
            Between 0 (nobody watched) and 1 (watched throughout).

        Examples
        --------
        >>> window = Window("2020-01-01", "2020-01-11", gaps=[("2020-01-05", "2020-01-08")])
        >>> weeks = pd.DatetimeIndex(["2020-01-01", "2020-01-08"])
        >>> window.exposure(weeks, weeks + pd.Timedelta("7D")).round(3).tolist()
        [0.571, 0.429]
        """
        starts = np.asarray((bin_starts - self.start) / DAY, dtype=float)
        ends = np.asarray((bin_ends - self.start) / DAY, dtype=float)

        def overlap(low: float, high: float) -> NDArray[np.float64]:
            covered = np.minimum(ends, high) - np.maximum(starts, low)
            return np.asarray(np.maximum(covered, 0.0))

        observed = overlap(0.0, self.length_days)
        for gap_start, gap_end in self.gaps:
            observed -= overlap(
                float((gap_start - self.start) / DAY), float((gap_end - self.start) / DAY)
            )
        return np.asarray(np.maximum(observed, 0.0) / (ends - starts))

    def daily_exposure(self) -> pd.Series:
        """Give the exposure of each day of the window: 1, or 0 inside a gap.

        Returns
        -------
        pandas.Series
            Indexed by day.

        Examples
        --------
        >>> Window("2020-01-01", "2020-01-04", gaps=[("2020-01-02", "2020-01-03")]).daily_exposure().tolist()
        [1.0, 0.0, 1.0]
        """
        days = pd.date_range(self.start, self.end, freq="1D", inclusive="left", unit="us")
        return pd.Series(self.exposure(days, days + DAY), index=days, name="exposure")

    def observed(self, times: pd.Series | pd.DatetimeIndex) -> NDArray[np.bool_]:
        """Tell for each time whether it lies in the window and in no gap.

        Parameters
        ----------
        times : pandas.Series or DatetimeIndex, length n
            Times to test; a missing one is not observed.

        Returns
        -------
        ndarray of bool, shape (n,)
            True where observed.

        Examples
        --------
        >>> Window("2020-01-01", "2020-01-04").observed(pd.DatetimeIndex(["2020-01-03", "2020-01-04"])).tolist()
        [True, False]
        """
        values = pd.Series(times).reset_index(drop=True)
        inside = (values >= self.start) & (values < self.end)
        for gap_start, gap_end in self.gaps:
            inside &= ~((values >= gap_start) & (values < gap_end))
        return inside.to_numpy(dtype=bool)

    def before(self, date: DateLike) -> Window:
        """Give the part of the window before a date.

        Parameters
        ----------
        date : date-like
            The first day that is cut off.

        Returns
        -------
        Window
            ``[start, min(end, date))`` with the gaps that fall into it.

        Raises
        ------
        WindowError
            If nothing is left.

        Examples
        --------
        >>> Window("2020-01-01", "2021-01-01").before("2020-03-12")
        Window('2020-01-01', '2020-03-12')
        """
        return self.between(self.start, as_date(date, "the cut-off date"))

    def between(self, start: DateLike, end: DateLike) -> Window:
        """Give the part of the window in ``[start, end)``.

        Parameters
        ----------
        start, end : date-like
            Half-open.

        Returns
        -------
        Window
            The overlap, with the gaps that fall into it.

        Raises
        ------
        WindowError
            If there is no overlap.

        Examples
        --------
        >>> Window("2020-01-01", "2021-01-01").between("2020-06-01", "2022-01-01").days
        214.0
        """
        low, high = as_date(start), as_date(end)
        first, last = max(self.start, low), min(self.end, high)
        if last <= first:
            raise WindowError(
                f"nothing of the window [{self.start:%Y-%m-%d}, {self.end:%Y-%m-%d}) lies in "
                f"[{low:%Y-%m-%d}, {high:%Y-%m-%d}). Choose dates inside the window."
            )
        gaps = [(max(a, first), min(b, last)) for a, b in self.gaps if max(a, first) < min(b, last)]
        return Window(first, last, gaps)

    def __contains__(self, date: DateLike) -> bool:
        if unsaid(date):
            as_date(date)  # which refuses it
        return bool(self.observed(pd.DatetimeIndex([pd.Timestamp(date)]))[0])

    def __repr__(self) -> str:
        gaps = ""
        if self.gaps:
            pairs = ", ".join(f"('{a:%Y-%m-%d}', '{b:%Y-%m-%d}')" for a, b in self.gaps)
            gaps = f", gaps=[{pairs}]"
        return f"Window('{self.start:%Y-%m-%d}', '{self.end:%Y-%m-%d}'{gaps})"


def _merged_gaps(
    gaps: Iterable[Sequence[DateLike]], first: pd.Timestamp, last: pd.Timestamp
) -> tuple[tuple[pd.Timestamp, pd.Timestamp], ...]:
    """Sort gaps and join those that touch, so that no day is subtracted twice."""
    pairs = []
    for gap in gaps:
        if isinstance(gap, str) or len(gap) != 2:
            raise WindowError(f"a gap is {gap!r}; expected a pair (start, end), half-open.")
        a, b = as_date(gap[0], "the start of a gap"), as_date(gap[1], "the end of a gap")
        if not (first <= a < b <= last):
            raise WindowError(
                f"the gap [{a:%Y-%m-%d}, {b:%Y-%m-%d}) is empty or lies outside the window "
                f"[{first:%Y-%m-%d}, {last:%Y-%m-%d}). Gaps are half-open stretches inside the window."
            )
        pairs.append((a, b))
    merged: list[tuple[pd.Timestamp, pd.Timestamp]] = []
    for a, b in sorted(pairs):
        if merged and a <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], b))
        else:
            merged.append((a, b))
    if merged == [(first, last)]:
        raise WindowError(
            f"the gaps cover the whole window [{first:%Y-%m-%d}, {last:%Y-%m-%d}): nothing was observed."
        )
    return tuple(merged)
