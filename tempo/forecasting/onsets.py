"""When a phase begins, in words: a date, a month, two dates, "30D", "in 2-6 weeks", "6-10 weeks ago"."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import pandas as pd

from tempo.data.dates import parse_date
from tempo.data.rounding import counted
from tempo.data.window import DAY, DateLike, as_date, unsaid
from tempo.errors import OptionError, ScenarioError, WindowError
from tempo.forecasting.amounts import NUMBER, UNIT, days_per, value_of
from tempo.forecasting.spans import days_of, duration_interval

__all__ = ["Onset", "begun", "onset_words", "said_onset"]

type Onset = tuple[pd.Timestamp, pd.Timestamp] | str | None

_FORMS = (
    "'now', 'after' (the phase before it), a date ('2020-03-12', '12 March 2020'), a day of a month or a year "
    "('2020-03', 'March 2020', '2020'), a day of a stretch ('2020-03-01 to 2020-03-12', both included; of a pair of "
    "dates in Python the second is excluded), 'within the last 30 days' or '30D', 'within the next 2 weeks', "
    "'in 2-6 weeks', '6-10 weeks ago'"
)
_SPAN = re.compile(
    rf"(?:(?:with)?in\s+)?(?:the\s+)?(?P<side>last|past|next)\s+(?P<many>{NUMBER})\s+(?P<unit>{UNIT})",
    re.IGNORECASE,
)
_AWAY = re.compile(r"in\s+(?P<ahead>.+)|(?P<ago>.+)\s+ago", re.IGNORECASE)
_DAYS = re.compile(r"(\d+) to (\d+) days", re.ASCII)
_PAIR = re.compile(
    r"between\s+(?P<first>.+?)\s+and\s+(?P<last>.+)|(?:from\s+)?(?P<one>.+?)(?:\s+(?:-|–|to)\s+|\s*–\s*)(?P<other>.+)",
    re.IGNORECASE,
)


def said_onset(onset: str | DateLike | tuple[DateLike, DateLike]) -> Onset:
    """Understand when somebody says that a phase begins.

    Parameters
    ----------
    onset : str, date or (date, date)
        "now", "after", a date, a month or a year, two dates, "30D" (within the last 30 days), "in 2-6 weeks", "6-10
        weeks ago". Two dates in words are both included; of a pair the second is excluded, as of all pairs.

    Returns
    -------
    (first, stop) or str
        A half-open stretch of days; or words that wait for "now": "now", "30D", "next 14 days", "in 14 to 42 days",
        "42 to 70 days ago"; or "after".

    Raises
    ------
    ScenarioError
        If it is not understood; the message lists the accepted forms.

    Examples
    --------
    >>> first, stop = said_onset("2020-03")
    >>> first.date().isoformat(), stop.date().isoformat()
    ('2020-03-01', '2020-04-01')
    >>> said_onset("in 2-6 weeks"), said_onset("within the last 2 weeks")
    ('in 14 to 42 days', '14D')
    """
    if isinstance(onset, tuple | list):
        return _pair(onset)
    if isinstance(onset, str):
        return _words(onset)
    try:
        if isinstance(onset, dt.timedelta):
            return f"{days_of(onset, 'onset', longest=None)}D"
        if isinstance(onset, np.datetime64) and unsaid(onset):
            onset = pd.Period(str(onset), freq=np.datetime_data(onset)[0])
        if isinstance(onset, pd.Period):
            first, after = (
                day.normalize().as_unit("us") for day in (onset.start_time, (onset + 1).start_time)
            )
            return first, max(after, first + DAY)
        day = as_date(onset, "the onset")
    except (OptionError, WindowError) as error:
        raise ScenarioError(f"{error} Accepted forms: {_FORMS}.") from error
    return day, day + DAY


def onset_words(onset: Onset) -> str:
    """Say when a phase begins.

    Parameters
    ----------
    onset : (first, stop), str or None
        From ``said_onset``.

    Returns
    -------
    str
        Empty for None.

    Examples
    --------
    >>> onset_words(said_onset("2020-03")), onset_words("in 14 to 42 days")
    ('from a day between 2020-03-01 and 2020-03-31', 'from a day 14 to 42 days from now')
    """
    if onset is None:
        return ""
    if isinstance(onset, tuple):
        first, last = onset[0], onset[1] - DAY
        if last == first:
            return f"from {first:%Y-%m-%d}"
        return f"from a day between {first:%Y-%m-%d} and {last:%Y-%m-%d}"
    if onset in {"now", "after"}:
        return "from now" if onset == "now" else "afterwards"
    if onset.startswith("next "):
        return f"from a day of the {onset}"
    if onset.startswith("in ") or onset.endswith(" ago"):
        low, high = _ends(onset)
        days = counted(high, "days") if low == high else f"{low} to {high} days"
        return f"from a day {days} {'from now' if onset.startswith('in ') else 'ago'}"
    return f"from a day of the last {counted(days_of(onset, longest=None), 'days')}"


def begun(onset: Onset, end: pd.Timestamp) -> Onset:
    """Put dates in place of words that wait for "now".

    Parameters
    ----------
    onset : (first, stop), str or None
        From ``said_onset``.
    end : pandas.Timestamp
        Now: the first day after the data.

    Returns
    -------
    (first, stop), "after" or None
        Half-open.

    Examples
    --------
    >>> first, stop = begun("in 14 to 42 days", pd.Timestamp("2020-03-12"))
    >>> first.date().isoformat(), stop.date().isoformat()
    ('2020-03-26', '2020-04-24')
    """
    if not isinstance(onset, str) or onset == "after":
        return onset
    if onset == "now":
        return end, end + DAY
    if onset.startswith("next "):
        return end, end + days_of(onset.removeprefix("next "), "onset", longest=None) * DAY
    if onset.startswith("in "):
        low, high = _ends(onset)
        return end + low * DAY, end + (high + 1) * DAY
    if onset.endswith(" ago"):
        low, high = _ends(onset)
        return end - high * DAY, end - (low - 1) * DAY
    return end - days_of(onset, "onset", longest=None) * DAY, end


def _ends(onset: str) -> tuple[int, int]:
    """Give the whole days of "in 14 to 42 days" and "42 to 70 days ago"."""
    match = _DAYS.search(onset)
    assert match is not None
    return int(match[1]), int(match[2])


def _pair(onset: tuple[DateLike, ...] | list[DateLike]) -> Onset:
    if len(onset) != 2:
        raise ScenarioError(f"the onset is {onset!r}; expected a date, or two dates.")
    try:
        first, stop = as_date(onset[0], "the onset"), as_date(onset[1], "the end of the onset")
    except WindowError as error:
        raise ScenarioError(
            f"{error} Of a pair of dates the second is excluded; in words, '2020-03 to 2020-05', both are included."
        ) from error
    if stop <= first:
        raise ScenarioError(
            f"the onset lies in [{first:%Y-%m-%d}, {stop:%Y-%m-%d}), which is empty. The end is exclusive."
        )
    return first, stop


def _words(onset: str) -> Onset:
    said = " ".join(onset.split())
    if said.lower() in {"now", "after"}:
        return said.lower()
    try:
        return f"{days_of(said, 'onset', longest=None)}D"
    except OptionError:  # not a duration in days or weeks
        pass
    if match := _SPAN.fullmatch(said):
        days = round(value_of(match["many"]) * days_per(match["unit"]))
        if days >= 1:
            return f"next {days} days" if match["side"].lower() == "next" else f"{days}D"
    elif match := _AWAY.fullmatch(said):
        if ends := _away(match["ahead"] or match["ago"]):
            low, high = max(ends[0], 1), max(ends[1], 1)
            return f"in {low} to {high} days" if match["ahead"] else f"{low} to {high} days ago"
    elif stretch := _stretch(said):
        return stretch
    elif match := _PAIR.fullmatch(said):
        first, last = (
            _stretch(match[one] or match[other])
            for one, other in (("first", "one"), ("last", "other"))
        )
        if first and last and first[0] < last[0] and first[1] < last[1]:
            return first[0], last[1]
    parsed = parse_date(said)
    why = ": there is no such day" if parsed.failure == "impossible" else ""
    if parsed.failure == "ambiguous":
        why = ", which means two days"
    raise ScenarioError(f"cannot read the onset {onset!r}{why}. Accepted forms: {_FORMS}.")


def _away(text: str) -> tuple[int, int] | None:
    """Give how many days something is away, in whole days; None where it is not understood."""
    if match := _DAYS.fullmatch(text):
        low, high = int(match[1]), int(match[2])
        return (low, high) if low <= high < 1e6 else None
    try:
        low_days, high_days = duration_interval(text)
    except ScenarioError:
        return None
    return (round(low_days), round(high_days)) if high_days < 1e6 else None


def _stretch(text: str) -> tuple[pd.Timestamp, pd.Timestamp] | None:
    """Give the half-open days that a date, a month or a year means; None where it is none, or means several."""
    parsed = parse_date(text)
    year_first = text[:4].isdigit() and len(text) >= 4
    if (
        parsed.first is None
        or parsed.last is None
        or not (year_first or re.search("[A-Za-z]{3}", text))
    ):
        return None
    if parsed.clock:  # midnight is a day; another time of day, or a zone, is none
        try:
            as_date(text)
        except WindowError:
            return None
    first, last = pd.Timestamp(parsed.first.date()), pd.Timestamp(parsed.last.date())
    return first.as_unit("us"), last.as_unit("us") + DAY
