"""The schema of the Global Terrorism Database (GTD): the main Excel file, and copies of it as CSV.

=================  =========================================================================================
canonical          from
=================  =========================================================================================
id                 ``eventid``
dates, precision   ``iyear``, ``imonth``, ``iday``; 0 is unknown and gives the month or the year as an interval,
                   narrowed by ``approxdate`` where that text can be read. Where ``extended`` is 1, ``resolution``
                   becomes the end of the attack; its beginning stays exact.
kind               ``attacktype1_txt``
killed             ``nkill``: everyone who died, **attackers included**. ``killed_attackers`` (``nkillter``) and
                   ``killed_others`` (the difference, unknown if either is) stand among the other columns.
wounded            ``nwound``, attackers included
actor              ``gname``
target             ``target1``, or ``targtype1_txt``
place              ``city``, or ``provstate``, or ``country_txt``
source, note       ``scite1``, ``summary``
=================  =========================================================================================

Blank deaths are unknown, never zero. -9, -99 and -999 are codes for unknown: they become missing in every column but
the coordinates. Attacks that belong together (``multiple``, ``related``) look like contagion; pass
``merge_coordinated=True`` to count those of one day as one attack.
"""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.cells import BLANK, parse_numbers, typed
from tempo.data.conversion import Conversion
from tempo.data.dates import month_end, month_number, parse_date
from tempo.data.problems import Problems
from tempo.data.window import Window

__all__ = [
    "CHANGES",
    "REQUIRED",
    "UNKNOWN_CODES",
    "approximate_interval",
    "convert",
    "known_breaks",
]

REQUIRED = frozenset({"eventid", "iyear", "imonth", "iday"})
UNKNOWN_CODES = ("-9", "-99", "-999", "-9.0", "-99.0", "-999.0")

#: Days on which the way of collecting changed: level shifts there need not be changes in the world.
CHANGES = ("1998-01-01", "2008-04-01", "2011-11-01")

_ATTACKS = {
    1: "Assassination",
    2: "Armed Assault",
    3: "Bombing/Explosion",
    4: "Hijacking",
    5: "Hostage Taking (Barricade Incident)",
    6: "Hostage Taking (Kidnapping)",
    7: "Facility/Infrastructure Attack",
    8: "Unarmed Assault",
    9: "Unknown",
}
_PART = {"early": (1, 10), "mid": (11, 20), "middle": (11, 20), "late": (21, 31)}
_PART_OF_MONTH = re.compile(
    r"(early|mid|middle|late)[\s-]+(?:of\s+|in\s+)?([a-z]{3,9})\.?,?\s+(\d{4})"
)
_DAYS_OF_MONTH = re.compile(
    r"([a-z]{3,9})\.?\s+(\d{1,2})\s*(?:-|–|to|or|and)\s*(\d{1,2}),?\s+(\d{4})"
)
_DAYS_OF_TWO = re.compile(
    r"([a-z]{3,9})\.?\s+(\d{1,2})(?:,?\s+(\d{4}))?\s*(?:-|–|to|or|and)\s*([a-z]{3,9})\.?\s+(\d{1,2}),?\s+(\d{4})"
)
_SLASHES = re.compile(r"(\d{1,2}/\d{1,2}/\d{4})\s*(?:-|–|to|or|and)\s*(\d{1,2}/\d{1,2}/\d{4})")


def approximate_interval(text: str) -> tuple[dt.datetime, dt.datetime] | None:
    """Read the text of ``approxdate`` as an inclusive interval of days, or give None.

    Parameters
    ----------
    text : str
        American English, as ``"June 1978"``, ``"January 19-20, 1970"``, ``"late May 2004"``.

    Returns
    -------
    tuple of datetime or None
        First and last day.

    Examples
    --------
    >>> [day.day for day in approximate_interval("January 19-20, 1970")]
    [19, 20]
    >>> approximate_interval("some time in spring") is None
    True
    """
    said = (
        " ".join(text.lower().split()).removeprefix("between ").removeprefix("circa ").strip(" .")
    )
    try:
        if match := _PART_OF_MONTH.fullmatch(said):
            month, year = month_number(match[2]), int(match[3])
            if month is None:
                return None
            low, high = _PART[match[1]]
            end = month_end(year, month)
            return dt.datetime(year, month, low), dt.datetime(year, month, min(high, end.day))
        if match := _DAYS_OF_MONTH.fullmatch(said):
            month, year = month_number(match[1]), int(match[4])
            if month is None:
                return None
            pair = dt.datetime(year, month, int(match[2])), dt.datetime(year, month, int(match[3]))
        elif match := _DAYS_OF_TWO.fullmatch(said):
            one, two, year = month_number(match[1]), month_number(match[4]), int(match[6])
            if one is None or two is None:
                return None
            pair = (
                dt.datetime(int(match[3] or year), one, int(match[2])),
                dt.datetime(year, two, int(match[5])),
            )
        elif match := _SLASHES.fullmatch(said):
            low_date, high_date = (parse_date(match[k], dayfirst=False) for k in (1, 2))
            if low_date.first is None or high_date.last is None:
                return None
            pair = low_date.first, high_date.last
        else:
            parsed = parse_date(said, dayfirst=False)
            return (
                None if parsed.first is None or parsed.last is None else (parsed.first, parsed.last)
            )
    except (ValueError, OverflowError):  # a day or year that no calendar has
        return None
    return pair if pair[0] <= pair[1] else None


def convert(work: Conversion) -> None:
    """Fill the canonical columns from a GTD file.

    Parameters
    ----------
    work : Conversion
        The file; problems are recorded on it.
    """
    _clean_codes(work)
    work.out["id"] = work.words("eventid")
    _dates(work)
    kind = work.words("attacktype1_txt")
    if work.has("attacktype1") and not work.has("attacktype1_txt"):
        codes = work.codes("attacktype1", tuple(_ATTACKS), "attacktype1")
        kind = work.series(codes).map(_ATTACKS).astype("str")
    work.out["kind"] = kind
    work.put_count("killed", "nkill", UNKNOWN_CODES)
    work.put_count("wounded", "nwound", UNKNOWN_CODES)
    work.out["actor"] = work.words("gname")
    work.out["target"] = work.words("target1", "targtype1_txt")
    work.out["place"] = work.words("city", "provstate", "country_txt")
    work.put("latitude", "latitude")
    work.put("longitude", "longitude")
    work.out["source"] = work.words("scite1", "dbsource")
    work.out["note"] = work.words("summary")
    if work.has("nkillter"):
        attackers = work.series(work.counts("nkillter", UNKNOWN_CODES))
        killed = work.out["killed"]
        contradiction = (attackers > killed).to_numpy()
        work.problems.warn(
            "more attackers died than people in all; killed_others is unknown there",
            "Correct nkill or nkillter.",
            rows=work.rows[contradiction],
            column=str(work.name("nkillter")),
            values=work.cells("nkillter")[contradiction],
        )
        others = (killed - attackers).mask(contradiction).where(killed != 0, 0.0)
        work.extra["killed_attackers"] = attackers
        work.origin["killed_attackers"] = str(work.name("nkillter"))
        work.extra["killed_others"] = others
    _warn_of_traps(work)


def _clean_codes(work: Conversion) -> None:
    """Make the codes for unknown missing in every column of numbers that tempo keeps but does not interpret."""
    for name in work.text.columns:
        cells = work.text[name]
        if (
            name.lower() in {"latitude", "longitude", "eventid"}
            or not cells.isin(UNKNOWN_CODES).any()
        ):
            continue
        cleaned = typed(cells.mask(cells.isin(UNKNOWN_CODES), ""))
        if pd.api.types.is_numeric_dtype(cleaned.dtype):
            work.extra[name] = cleaned


def _dates(work: Conversion) -> None:
    year = work.codes("iyear", range(1900, 2101), "iyear")
    work.problems.error(
        "the year is missing",
        "Give the year, or drop the row.",
        rows=work.rows[np.isnan(year) & work.cells("iyear").str.lower().isin(BLANK).to_numpy()],
        column=str(work.name("iyear")),
    )
    month = np.nan_to_num(work.codes("imonth", range(13), "imonth"))
    day = np.where(month == 0, 0, np.nan_to_num(work.codes("iday", range(32), "iday")))

    years = np.where(np.isnan(year), 1970, year).astype("int64") - 1970
    first_month = (years * 12 + np.maximum(month, 1).astype("int64") - 1).astype("datetime64[M]")
    last_month = np.where(month == 0, (years * 12 + 11).astype("datetime64[M]"), first_month)
    low = first_month.astype("datetime64[D]")
    high = (last_month + np.timedelta64(1, "M")).astype("datetime64[D]") - np.timedelta64(1, "D")
    exact = low + (np.maximum(day, 1).astype("int64") - 1).astype("timedelta64[D]")
    impossible = (day > 0) & (exact > high)
    work.problems.error(
        "there is no such day",
        "Correct iday, or write 0 where the day is not known.",
        rows=work.rows[impossible],
        column=str(work.name("iday")),
        values=[
            f"{int(y) + 1970}-{int(m)}-{int(d)}"
            for y, m, d in zip(years[impossible], month[impossible], day[impossible], strict=True)
        ],
    )
    known = (day > 0) & ~impossible
    first, last = np.where(known, exact, low), np.where(known, exact, high)
    precision = np.where(known, "day", np.where(month == 0, "year", "month")).astype(object)
    first, last, precision = _narrow(work, first, last, precision, known)
    last = _resolution(work, first, last, precision)
    missing = np.isnan(year)
    first, last = (np.where(missing, np.datetime64("NaT", "D"), days) for days in (first, last))
    work.put_dates(first.astype("datetime64[us]"), last.astype("datetime64[us]"), precision)


def _narrow(
    work: Conversion,
    first: NDArray[np.datetime64],
    last: NDArray[np.datetime64],
    precision: NDArray[np.object_],
    known: NDArray[np.bool_],
) -> tuple[NDArray[np.datetime64], NDArray[np.datetime64], NDArray[np.object_]]:
    """Use approxdate: it narrows a month or year, and widens a coded day that it says is only one of several."""
    if not work.has("approxdate"):
        return first, last, precision
    cells = work.cells("approxdate")
    said = ~cells.str.lower().isin(BLANK | {"0"}).to_numpy()
    first, last, precision = first.copy(), last.copy(), precision.copy()
    unread: list[int] = []
    unsure: list[int] = []
    for k in np.flatnonzero(said).tolist():
        span = approximate_interval(cells.iloc[k])
        if span is None:
            if not known[k]:
                unread.append(k)
            continue
        low, high = np.datetime64(span[0], "D"), np.datetime64(span[1], "D")
        if known[k]:
            if low <= first[k] <= high and low < high:
                unsure.append(k)
            else:
                continue
        elif high < first[k] or low > last[k]:
            unread.append(k)
            continue
        else:
            low, high = max(low, first[k]), min(high, last[k])
        first[k], last[k] = low, high
        precision[k] = _unit(int((high - low) / np.timedelta64(1, "D")))
    work.problems.note(
        "approxdate could not be read, or contradicts the year and month; the whole month or year was taken",
        rows=work.rows[unread],
        column=str(work.name("approxdate")),
        values=cells.iloc[unread],
    )
    work.problems.warn(
        "approxdate gives several days where iday names one; the date was taken as known to that interval",
        "Clear approxdate where the day is certain.",
        rows=work.rows[unsure],
        column=str(work.name("approxdate")),
        values=cells.iloc[unsure],
    )
    return first, last, precision


def _unit(span_days: int) -> str:
    if span_days == 0:
        return "day"
    if span_days <= 5:
        return "days"
    return "week" if span_days == 6 else "month" if span_days <= 30 else "year"


def _resolution(
    work: Conversion,
    first: NDArray[np.datetime64],
    last: NDArray[np.datetime64],
    precision: NDArray[np.object_],
) -> NDArray[np.datetime64]:
    """Give the end of attacks that lasted; the beginning keeps its own precision."""
    if not work.has("extended", "resolution"):
        return last
    lasted = parse_numbers(work.cells("extended")).values == 1
    cells = work.cells("resolution")
    ends = np.full(len(work), np.datetime64("NaT", "D"))
    for k in np.flatnonzero(lasted & (cells != "").to_numpy()).tolist():
        parsed = parse_date(cells.iloc[k], dayfirst=False)
        if parsed.last is not None:
            ends[k] = np.datetime64(parsed.last, "D")
    early = ends < first
    work.problems.warn(
        "the resolution comes before the attack, and was ignored",
        "Correct resolution.",
        rows=work.rows[early],
        column=str(work.name("resolution")),
        values=cells[early],
    )
    usable = ~np.isnat(ends) & ~early & (precision == "day")
    return np.where(usable, ends, last)


def _warn_of_traps(work: Conversion) -> None:
    if work.has("doubtterr"):
        doubtful = int((parse_numbers(work.cells("doubtterr")).values == 1).sum())
        if doubtful:
            work.problems.warn(
                f"{doubtful:,} attacks are marked as doubtful (doubtterr is 1), and are kept",
                'Leave them out with .where("doubtterr == 0") if terrorism in the narrow sense is meant.',
                column=str(work.name("doubtterr")),
            )
    if work.has("multiple"):
        linked = int((parse_numbers(work.cells("multiple")).values == 1).sum())
        if linked:
            work.problems.warn(
                f"{linked:,} attacks are part of coordinated ones (multiple is 1): counted one by one they look like "
                "contagion",
                "Count those of one day as one attack with merge_coordinated=True.",
                column=str(work.name("multiple")),
            )


def known_breaks(table: pd.DataFrame, window: Window, problems: Problems) -> Window:
    """Make the lost year of the GTD a gap in the window, and warn of days on which its collection changed.

    Parameters
    ----------
    table : pandas.DataFrame
        The incidents; where some are of 1993 (START publishes them apart), the year is no gap.
    window : Window
        What the user passed.
    problems : Problems
        Takes the warnings.

    Returns
    -------
    Window
        With the gap.
    """
    lost = pd.Timestamp("1993-01-01"), pd.Timestamp("1994-01-01")
    overlap = max(window.start, lost[0]), min(window.end, lost[1])
    has_1993 = bool((table["date_start"].dt.year == lost[0].year).any())
    if overlap[0] < overlap[1] and not has_1993:
        problems.warn(
            "the main file of the GTD lacks 1993; that year became a gap in the window",
            "Nothing to do: days in a gap are missing, not quiet.",
        )
        window = Window(window.start, window.end, [*window.gaps, overlap])
    crossed = [day for day in CHANGES if window.start < pd.Timestamp(day) < window.end]
    if crossed:
        problems.warn(
            f"the way the GTD was collected changed within the window (about {', '.join(crossed)}): a shift of level "
            "there need not be a change in the world",
            "Choose a window between two of these dates, or read changepoints near them with care.",
        )
    return window
