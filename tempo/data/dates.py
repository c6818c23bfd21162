"""What a date in a file says: a day, a moment, a month or a year, and never a guess.

Understood: ISO dates and times (``2020-03-11``, ``2020-03-11T19:35``, ``2020-03-11 00:00:00.000``, ``20200311``,
``2020/3/11``), month names (``11 March 2020``, ``Mar 11, 2020``), numbers with the year last (``31/12/2020``), and
dates that are only a month or a year (``2020-03``, ``March 2020``, ``2020``), which become intervals.
``03/04/2020`` means two days; it is read only if another row of the file, or the user, says which. Two days in one
cell (``12.03.2024 – 14.03.2024``) are an interval. A time with a zone is taken to the zone that the user declares;
where none is declared the clock time stays as it is written, which callers allow only if all times carry the same zone.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.cells import BLANK, UNKNOWN_WORDS
from tempo.data.zones import offset_of

__all__ = [
    "FAILURES",
    "Dates",
    "Parsed",
    "month_end",
    "month_number",
    "parse_date",
    "parse_dates",
    "year_order",
]

FIRST_YEAR, LAST_YEAR = 1800, 2100

_NAMES = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_MONTHS = (
    {name: k + 1 for k, name in enumerate(_NAMES)}
    | {name[:3]: k + 1 for k, name in enumerate(_NAMES)}
    | {"sept": 9}
)

_TIME = re.compile(
    r"[T\s]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([ap]\.?m\.?)?\s*(Z|UTC|GMT|[+-]\d{2}:?(?:\d{2})?)?",
    re.IGNORECASE | re.ASCII,
)
_WEEKDAY = re.compile(
    r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+", re.IGNORECASE
)
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})", re.ASCII)
_COMPACT = re.compile(r"((?:1[89]|20)\d{2})(\d{2})(\d{2})", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})", re.ASCII)
_SHORT_YEAR = re.compile(r"\d{1,2}([-/.])(?:\d{1,2}|[A-Za-z]{3,9})\1\d{2}", re.ASCII)
_DAY_NAME = re.compile(
    r"(\d{1,2})(?:st|nd|rd|th)?[\s./-]+([A-Za-z]{3,9})\.?,?[\s./-]+(\d{4})", re.ASCII
)
_NAME_DAY = re.compile(r"([A-Za-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})", re.ASCII)
_MONTH = re.compile(
    r"(\d{4})[-/](\d{1,2})|(\d{1,2})[-/](\d{4})|([A-Za-z]{3,9})\.?[\s,/-]+(\d{4})", re.ASCII
)
_YEAR = re.compile(r"(\d{4})", re.ASCII)
_RANGE = re.compile(r"\s+(?:-|to|until|till|bis)\s+|\s*[–—]\s*|/(?=\d{4}-)", re.IGNORECASE)
_SERIAL = re.compile(r"\d{5}(?:\.\d+)?", re.ASCII)

#: Why a date cannot be read: what the report says, and what to do.
FAILURES = {
    "no date": (
        "this is not a date",
        "Write it year first, as 2020-03-11; where only the month is known, as 2020-03.",
    ),
    "impossible": ("there is no such day", "Correct it in the file."),
    "ambiguous": (
        "day and month cannot be told apart",
        "Pass dayfirst=True (3/4/2020 is 3 April) or dayfirst=False (it is March 4), or write dates year first.",
    ),
    "backwards": ("the interval ends before it begins", "Swap or correct the two dates."),
    "short year": (
        "the year has only two digits",
        "Write years with four digits, because 05-06-20 means many things.",
    ),
    "serial": (
        "this looks like the day number of a spreadsheet",
        "Format the column as a date in the spreadsheet, and save it again.",
    ),
    "year": (
        f"the year is not between {FIRST_YEAR} and {LAST_YEAR}",
        "Correct it in the file.",
    ),
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """One date: the first moment and the last day it may mean, or why it could not be read."""

    first: dt.datetime | None = None
    last: dt.datetime | None = None
    precision: str = ""  # "day", "month" or "year"; "days" or "week" for two days in one cell
    clock: bool = False  # a time of day is written
    failure: str = ""
    offset: dt.timedelta | None = None  # from UTC, as written behind the time


@dataclass(frozen=True)
class Dates:
    """Dates read from a column.

    Parameters
    ----------
    first, last : ndarray of datetime64[us], shape (n,)
        First moment and last day; NaT where there is none.
    precision : ndarray of str, shape (n,)
        "time", "day", "month", "year", or "" where there is no date.
    failure : ndarray of str, shape (n,)
        Key of `FAILURES`, or "".
    zones : tuple of str
        Offsets from UTC written behind times, "" for times without one; empty if no row has a time of day.
    """

    first: NDArray[np.datetime64]
    last: NDArray[np.datetime64]
    precision: NDArray[np.object_]
    failure: NDArray[np.object_]
    zones: tuple[str, ...] = ()


def month_number(name: str) -> int | None:
    """Give the number of a month from its English name or abbreviation, or None.

    Examples
    --------
    >>> month_number("Sept"), month_number("Spring")
    (9, None)
    """
    return _MONTHS.get(name.lower())


def month_end(year: int, month: int) -> dt.datetime:
    """Give the last day of a month.

    Examples
    --------
    >>> month_end(2020, 2).day
    29
    """
    following = dt.datetime(year + month // 12, month % 12 + 1, 1)
    return following - dt.timedelta(days=1)


def year_order(texts: pd.Series) -> tuple[bool | None, str, str]:
    """Find out whether dates with the year last put the day first, from those that allow only one reading.

    Parameters
    ----------
    texts : pandas.Series of str
        The dates of a file.

    Returns
    -------
    dayfirst : bool or None
        None if nothing decides, or if rows contradict each other.
    day_example, month_example : str
        A date that can only be read day first, and one that can only be read month first ("" if there is none).

    Examples
    --------
    >>> year_order(pd.Series(["03/04/2020", "25/12/2019"], dtype="str"))
    (True, '25/12/2019', '')
    """
    day_example = month_example = ""
    pieces = (piece for text in texts.unique() for piece in _RANGE.split(text))
    for text in pieces:
        match = _YEAR_LAST.match(text)
        if match is None:
            continue
        one, two = int(match[1]), int(match[3])
        if one > 12 >= two:
            day_example = day_example or text
        elif two > 12 >= one:
            month_example = month_example or text
        if day_example and month_example:
            return None, day_example, month_example
    decided = bool(day_example) if day_example or month_example else None
    return decided, day_example, month_example


def parse_date(text: str, *, dayfirst: bool | None = None) -> Parsed:
    """Read one date.

    Parameters
    ----------
    text : str
        What the cell says.
    dayfirst : bool, optional
        How to read ``03/04/2020``; without it such a date fails as ambiguous.

    Returns
    -------
    Parsed
        The interval the date means, or why it could not be read.

    Examples
    --------
    >>> parse_date("16 May 2025").first.date().isoformat(), parse_date("2020-02").last.day
    ('2025-05-16', 29)
    >>> parse_date("03/04/2020").failure, parse_date("2020-02-30").failure
    ('ambiguous', 'impossible')
    """
    text = _WEEKDAY.sub("", text.strip(), count=1) if text[:1].isalpha() else text.strip()
    time = _TIME.search(text)
    clock = dt.timedelta(0)
    if len(parts_of := _RANGE.split(text)) == 2 and all(parts_of):
        return _interval(parts_of[0], parts_of[1], dayfirst)
    offset = None
    if time is not None and time.end() == len(text):
        text = text[: time.start()]
        hour, minute, second = int(time[1]), int(time[2]), int(time[3] or 0)
        if time[5]:
            if not 1 <= hour <= 12:
                return Parsed(failure="impossible")
            hour = hour % 12 + (12 if time[5].lower().startswith("p") else 0)
        if hour > 23 or minute > 59 or second > 59:
            return Parsed(failure="impossible")
        if time[6]:
            offset = offset_of(time[6])
            if offset is None:
                return Parsed(failure="impossible")
        micro = int((time[4] or "0").ljust(6, "0")[:6])
        clock = dt.timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micro)
    elif time is not None:
        return Parsed(failure="no date")
    parts = _day_parts(text, dayfirst)
    if isinstance(parts, str):
        if parts == "no date" and time is None:
            return _month_or_year(text)
        return Parsed(failure=parts)
    year, month, day = parts
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return Parsed(failure="year")
    try:
        midnight = dt.datetime(year, month, day)
    except ValueError:
        return Parsed(failure="impossible")
    return Parsed(midnight + clock, midnight, "day", clock=time is not None, offset=offset)


def _interval(first: str, last: str, dayfirst: bool | None) -> Parsed:
    """Read two days in one cell as an interval of possible days."""
    one, two = (parse_date(text, dayfirst=dayfirst) for text in (first, last))
    for part in (one, two):
        if part.failure or part.first is None or part.last is None or part.precision != "day":
            return Parsed(failure=part.failure or "no date")
    assert one.last is not None
    assert two.last is not None
    span = (two.last - one.last).days
    if span < 0:
        return Parsed(failure="backwards")
    if span == 0:
        return one
    unit = "days" if span <= 5 else "week" if span <= 6 else "month" if span <= 30 else "year"
    return Parsed(one.last, two.last, unit)


def _in_zone(parsed: Parsed, zone: dt.tzinfo | None) -> Parsed:
    """Take a moment with an offset to the declared zone; its calendar day may become another."""
    if zone is None or parsed.offset is None or parsed.first is None:
        return parsed
    moment = parsed.first.replace(tzinfo=dt.timezone(parsed.offset)).astimezone(zone)
    local = moment.replace(tzinfo=None)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return Parsed(local, midnight, parsed.precision, parsed.clock, parsed.failure, parsed.offset)


def _zone_text(parsed: Parsed) -> str:
    if parsed.offset is None:
        return ""
    minutes = round(parsed.offset.total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    return "UTC" if not minutes else f"{'-' if minutes < 0 else '+'}{hours:02d}:{rest:02d}"


def _day_parts(text: str, dayfirst: bool | None) -> tuple[int, int, int] | str:
    """Take a day apart, or say why that fails."""
    if match := _YEAR_FIRST.fullmatch(text):
        return int(match[1]), int(match[3]), int(match[4])
    if match := _COMPACT.fullmatch(text):
        return int(match[1]), int(match[2]), int(match[3])
    if match := _YEAR_LAST.fullmatch(text):
        one, two, year = int(match[1]), int(match[3]), int(match[4])
        if one > 12 and two > 12:
            return "impossible"
        if one != two and one <= 12 and two <= 12 and dayfirst is None:
            return "ambiguous"
        day_leads = one > 12 or (two <= 12 and bool(dayfirst))
        return (year, two, one) if day_leads else (year, one, two)
    if match := _DAY_NAME.fullmatch(text):
        month = month_number(match[2])
        return "no date" if month is None else (int(match[3]), month, int(match[1]))
    if match := _NAME_DAY.fullmatch(text):
        month = month_number(match[1])
        return "no date" if month is None else (int(match[3]), month, int(match[2]))
    if _SHORT_YEAR.fullmatch(text):
        return "short year"
    if _SERIAL.fullmatch(text):
        return "serial"
    return "no date"


def _month_or_year(text: str) -> Parsed:
    if match := _YEAR.fullmatch(text):
        year = int(match[1])
        if not FIRST_YEAR <= year <= LAST_YEAR:
            return Parsed(failure="year")
        return Parsed(dt.datetime(year, 1, 1), dt.datetime(year, 12, 31), "year")
    if match := _MONTH.fullmatch(text):
        year = int(match[1] or match[4] or match[6])
        month = month_number(match[5]) if match[5] else int(match[2] or match[3])
        if month is None:
            return Parsed(failure="no date")
        if not 1 <= month <= 12:
            return Parsed(failure="impossible")
        if not FIRST_YEAR <= year <= LAST_YEAR:
            return Parsed(failure="year")
        return Parsed(dt.datetime(year, month, 1), month_end(year, month), "month")
    return Parsed(failure="no date")


def parse_dates(
    texts: pd.Series,
    *,
    dayfirst: bool | None = None,
    unknown: frozenset[str] = frozenset(),
    zone: dt.tzinfo | None = None,
) -> Dates:
    """Read a column of dates.

    A time of day counts only if some row has one that is not midnight: ``2020-03-11 00:00:00.000`` in every row is a
    day, not a moment.

    Parameters
    ----------
    texts : pandas.Series of str
        As `tempo.data.cells.as_text` gives them.
    dayfirst : bool, optional
        How to read ``03/04/2020``.
    unknown : frozenset of str
        More texts that mean unknown, in lower case.
    zone : datetime.tzinfo, optional
        The declared zone, to which times that carry one are taken.

    Returns
    -------
    Dates
        Missing where the cell is blank or says unknown.

    Examples
    --------
    >>> dates = parse_dates(pd.Series(["2020-03-11 19:35", "2020-03-12 00:00", "2020-03", ""], dtype="str"))
    >>> dates.precision.tolist()
    ['time', 'time', 'month', '']
    """
    codes, distinct = pd.factorize(texts)
    if not len(distinct):
        empty = np.array([], dtype="datetime64[us]")
        return Dates(empty, empty.copy(), np.array([], dtype=object), np.array([], dtype=object))
    silent = BLANK | UNKNOWN_WORDS | unknown
    parsed = [
        Parsed() if text.lower() in silent else parse_date(text, dayfirst=dayfirst)
        for text in distinct
    ]
    timed = any(
        one.clock and one.first is not None and one.first.time() != dt.time() for one in parsed
    )
    zones = tuple(sorted({_zone_text(one) for one in parsed if one.clock})) if timed else ()
    if timed:
        parsed = [_in_zone(one, zone) for one in parsed]
    first = np.array([one.first for one in parsed], dtype="datetime64[us]")
    last = np.array([one.last for one in parsed], dtype="datetime64[us]")
    precision = ["time" if timed and one.clock else one.precision for one in parsed]
    failure = [one.failure for one in parsed]
    return Dates(
        first[codes],
        last[codes],
        np.array(precision, dtype=object)[codes],
        np.array(failure, dtype=object)[codes],
        zones,
    )
