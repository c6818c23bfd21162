"""Durations, chances and numbers killed in words: "90D", "2-6 weeks", "at least a month", "10-30 %", "1-6 killed"."""

from __future__ import annotations

import datetime as dt
import math
import numbers
import re
from collections.abc import Iterable, Mapping

import pandas as pd

from tempo.data.window import DAY
from tempo.errors import OptionError, ScenarioError
from tempo.forecasting.amounts import (
    ABOUT,
    NUMBER,
    UNIT,
    Amount,
    amount,
    amount_of,
    days_per,
    require_range,
    value_of,
)

__all__ = [
    "MOST_DAYS",
    "chance_interval",
    "check_draws",
    "check_whole",
    "count_interval",
    "days_of",
    "duration_interval",
    "is_number",
    "length_interval",
    "several",
]

#: A horizon holds at most so many days, or wider bins where the data are counted by them: ten years of days.
MOST_DAYS = 3660

#: Futures hold at most so many numbers, draws times days: 0.8 gigabytes for each quantity that is drawn.
MOST_CELLS = 100_000_000

_ARTICLE = r"half\s+an?|an?"
_DURATION = re.compile(
    rf"(?:{amount('long')}|(?P<about>{ABOUT})?(?P<article>{_ARTICLE}))\s+(?P<unit>{UNIT})",
    re.IGNORECASE,
)
_ONE_ENDED = re.compile(
    rf"(?P<end>at least|up to|at most)\s+(?P<long>{NUMBER}|{_ARTICLE})\s+(?P<unit>{UNIT})",
    re.IGNORECASE,
)
_SIGN = r"\s*(?:%|per\s?cent)"
_CHANCE = re.compile(
    rf"{amount('chance', rf'(?:[0-9]+(?:[.][0-9]+)?(?:{_SIGN})?)')}"
    rf"(?P<time>\s+(?:an?|per|each|every|in|within)\s+(?:(?P<long>{NUMBER})\s+)?(?P<unit>{UNIT}))?",
    re.IGNORECASE,
)
_DURATION_FORMS = (
    "'2-6 weeks', '10 to 30 days', 'between 2 and 6 weeks', '3 weeks' and 'a month' (give or take a quarter), "
    "'about 3 weeks' (give or take half), with day, week, month or year; for a phase of a scenario 'at least 30 days' "
    "and 'up to 2 weeks' too"
)
_CHANCE_FORMS = (
    "'10-30 %', '10 to 30 percent', 'between 10 and 30 %', '30 %' (give or take a quarter), 'about 30 %' (give or take "
    "half), and with a time '20-40 % a month', '20-40 % in 6 weeks'"
)


def is_number(value: object) -> bool:
    """Tell whether a value is a real number, of Python or of numpy.

    Parameters
    ----------
    value : object
        Anything.

    Returns
    -------
    bool
        False for words and None.

    Examples
    --------
    >>> is_number(0.5), is_number("half")
    (True, False)
    """
    return isinstance(value, numbers.Real)


def check_draws(draws: object, days: int = 1, what: str = "draws") -> None:
    """Refuse a number of futures that is none, or that memory does not hold.

    Parameters
    ----------
    draws : object
        How many.
    days : int, default 1
        Days, or bins, of each.
    what : str, default "draws"
        What they are called, for the message of the error.

    Raises
    ------
    OptionError
        If it is not a whole number, or below 1; or if draws times days passes 100 million.

    Examples
    --------
    >>> check_draws(10_000, 90)
    """
    if isinstance(draws, bool) or not isinstance(draws, numbers.Integral) or int(draws) < 1:
        raise OptionError(
            f"{what} is {draws!r}; expected at least 1, a whole number (10,000 gives percentages to one point)."
        )
    if int(draws) * days > MOST_CELLS:
        raise OptionError(
            f"{what} is {int(draws):,} for {days:,} days or bins, which is {int(draws) * days:,} numbers; expected at "
            f"most {MOST_CELLS:,}, so that they stay in memory. Take {MOST_CELLS // days:,} draws or fewer (10,000 "
            "give percentages to one point), or a shorter horizon."
        )


def check_whole(value: object, what: str) -> None:
    """Refuse what is no number of attacks, deaths or days.

    Parameters
    ----------
    value : object
        What was passed.
    what : str
        What it is, for the message of the error.

    Raises
    ------
    OptionError
        If it is not a whole number from 0 up.

    Examples
    --------
    >>> check_whole(3, "at_least")
    """
    number_ = float(value) if isinstance(value, numbers.Real) else math.nan
    if not (number_ >= 0 and number_.is_integer()):
        raise OptionError(f"{what} is {value!r}; expected a whole number from 0 up.")


def several[T](values: Iterable[T], what: str, example: str) -> list[T]:
    """Give a list of what was passed, where one by itself is a mistake: the letters of a word are no list.

    Parameters
    ----------
    values : iterable
        What was passed.
    what : str
        What it is, for the message of the error.
    example : str
        A good one, for the message.

    Returns
    -------
    list
        May be empty.

    Raises
    ------
    OptionError
        If it is a string, or nothing that has parts.

    Examples
    --------
    >>> several(("30D", "60D"), "horizons", "['30D', '60D']")
    ['30D', '60D']
    """
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise OptionError(f"{what} is {values!r}; expected a list such as {example}.")
    return list(values)


def days_of(
    value: str | dt.timedelta, what: str = "horizon", *, longest: int | None = MOST_DAYS
) -> int:
    """Give a duration in whole days.

    Parameters
    ----------
    value : str or datetime.timedelta (a pandas.Timedelta is one)
        ``"90D"``, ``"12W"``, ``"90 days"``; months have no fixed length and are not accepted.
    what : str
        What it is, for the message of the error.
    longest : int or None, default 3660
        No longer than so many days, because each of them is simulated; None: any length, for what is only looked up.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    OptionError
        If it is not a positive whole number of days, or longer than ``longest``.

    Examples
    --------
    >>> days_of("90D"), days_of("4 weeks")
    (90, 28)
    """
    remedy = "Write it in days or weeks: '30D', '90 days', '12 weeks'."
    if not isinstance(value, str | dt.timedelta):  # a pandas Timedelta is one
        raise OptionError(f"{what} is {value!r}, which has no unit. {remedy}")
    text: str | dt.timedelta = value
    if isinstance(value, str):  # pandas is particular about the case and number of units
        text = re.sub(r"(?i)days?\b|d\b", "D", re.sub(r"(?i)weeks?\b|w\b", "W", value.strip()))
    try:
        length = pd.Timedelta(text)
    except (pd.errors.OutOfBoundsTimedelta, OverflowError) as error:
        raise OptionError(_too_long(value, what, longest)) from error
    except ValueError as error:
        raise OptionError(f"{what} is {value!r}, which is not a duration. {remedy}") from error
    if pd.isna(length) or length < DAY or length % DAY != pd.Timedelta(0):
        raise OptionError(
            f"{what} is {value!r}; expected a whole number of days, at least one. {remedy}"
        )
    days = int(length // DAY)
    if longest is not None and days > longest:
        raise OptionError(_too_long(value, what, longest))
    return days


def _too_long(value: str | dt.timedelta, what: str, longest: int | None) -> str:
    if longest is None:
        return f"{what} is {value!r}, which is longer than any calendar. Write it shorter, such as '365D'."
    return (
        f"{what} is {value!r}; expected at most {longest:,} days, because each day or bin is simulated. Ask for less, "
        "such as '365D'. A model that was fitted to wider bins, incidents.counts('7D'), reaches further."
    )


def duration_interval(text: str) -> tuple[float, float]:
    """Understand how long somebody says that something lasts.

    Parameters
    ----------
    text : str
        "2-6 weeks"; a single number, "3 weeks" or "a month", is read as give or take a quarter, "about 3 weeks" as give
        or take half.

    Returns
    -------
    tuple of float
        Shortest and longest duration of the interval, in days.

    Raises
    ------
    ScenarioError
        If the words are not understood; the message lists the accepted forms.

    Examples
    --------
    >>> duration_interval("2-6 weeks"), duration_interval("about 4 weeks"), duration_interval("4 weeks")
    ((14.0, 42.0), (14.0, 42.0), (21.0, 35.0))
    """
    match = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    said = None if match is None else amount_of(match, "long")
    if match is not None and match["article"]:
        value = value_of(match["article"])
        said = Amount(value, value, match["about"] is not None)
    if match is None or said is None or not said.low > 0:
        raise ScenarioError(
            f"cannot read the duration {text!r}. Give it with its unit, best as a range. Accepted forms: "
            f"{_DURATION_FORMS}."
        )
    low, high = said.spread()
    days = days_per(match["unit"])
    return low * days, high * days


def length_interval(text: str) -> tuple[float, float]:
    """Understand how long somebody says that a phase lasts, where it may have only one end.

    Parameters
    ----------
    text : str
        As for ``duration_interval``; "at least 30 days", which has no longest duration; "up to 2 weeks" or "at most 2
        weeks", whose shortest is 0.

    Returns
    -------
    tuple of float
        Shortest and longest duration of the interval, in days; the longest may be infinite, the shortest 0.

    Raises
    ------
    ScenarioError
        If the words are not understood; the message lists the accepted forms.

    Examples
    --------
    >>> length_interval("at least 30 days"), length_interval("up to 2 weeks")
    ((30.0, inf), (0.0, 14.0))
    """
    match = _ONE_ENDED.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None or not value_of(match["long"]) > 0:
        return duration_interval(text)
    days = value_of(match["long"]) * days_per(match["unit"])
    return (days, float("inf")) if match["end"].lower() == "at least" else (0.0, days)


def chance_interval(text: str) -> tuple[float, float, float | None]:
    """Understand how probable somebody says that something is.

    Parameters
    ----------
    text : str
        "10-30 %", or with a time in which it has that chance: "20-40 % a month", "10 to 20 percent in 2 weeks". A
        single one is read as give or take a quarter of itself or of its opposite, whichever is less likely ("20 %": 15
        to 25 %; "80 %": 75 to 85 %), with "about" as give or take half.

    Returns
    -------
    low, high : float
        Ends of the interval, between 0 and 1.
    days : float or None
        The time, where one was said.

    Raises
    ------
    ScenarioError
        If the words are not understood.

    Examples
    --------
    >>> chance_interval("10-30 %"), chance_interval("20-40 % in 2 weeks"), chance_interval("80 %")
    ((0.1, 0.3, None), (0.2, 0.4, 14.0), (0.75, 0.85, None))
    """
    match = _CHANCE.fullmatch(text.strip()) if isinstance(text, str) else None
    ends = [] if match is None else _percents(match)
    if match is None or not ends or not re.search(_SIGN, ends[-1], re.IGNORECASE):
        raise ScenarioError(f"cannot read the chance {text!r}. Accepted forms: {_CHANCE_FORMS}.")
    low, high = (
        float(re.sub(_SIGN, "", end, flags=re.IGNORECASE)) / 100 for end in (ends[0], ends[-1])
    )
    if len(ends) == 1 and 0 < low < 1:
        rare = Amount(min(low, 1 - low), min(low, 1 - low), match["chance_about"] is not None)
        off = rare.spread()[1] - rare.low
        low, high = round(low - off, 12), round(high + off, 12)
    if not 0 < low < high < 1:
        raise ScenarioError(
            f"{text!r} is not a range of chances between 0 and 100 %, the lower one first. Write for example '10-30 %'."
        )
    if match["time"] is None:
        return low, high, None
    return low, high, (value_of(match["long"]) if match["long"] else 1.0) * days_per(match["unit"])


def _percents(match: re.Match[str]) -> list[str]:
    """Give the one or two percentages that were said; "10 or 30 %" is no range."""
    pairs = (("from", "until"), ("low", "high"), ("single", "single"))
    for first, last in pairs:
        if match[f"chance_{first}"] is not None:
            ends = [match[f"chance_{first}"], match[f"chance_{last}"]]
            return ends[:1] if first == last else ends
    return []


def count_interval(text: str) -> tuple[int, int]:
    """Understand how many somebody says that are killed.

    Parameters
    ----------
    text : str
        "1-6", "one to six killed", "1 to 6 deaths".

    Returns
    -------
    tuple of int
        Ends of the interval.

    Raises
    ------
    ScenarioError
        If the words are not understood.

    Examples
    --------
    >>> count_interval("one to six killed")
    (1, 6)
    """
    match = (
        re.fullmatch(
            rf"{amount('toll')}(?:\s+(?:killed|deaths|dead))?", text.strip(), re.IGNORECASE
        )
        if isinstance(text, str)
        else None
    )
    said = None if match is None or "." in text else amount_of(match, "toll")
    if said is None or said.single:
        raise ScenarioError(
            f"cannot read the number {text!r}. Accepted forms: '1-6', '1 to 6 killed', '1 to 6 deaths'."
        )
    require_range(said.low, said.high, text, "'1-6 killed'")
    return int(said.low), int(said.high)
