"""Durations, rates, multiples and chances in words: "90D", "2-3 months", "3-5 a week", "x3 to x8 of the last year"."""

from __future__ import annotations

import datetime as dt
import numbers
import re
from dataclasses import dataclass

import pandas as pd

from tempo.data.rounding import interval, number
from tempo.data.window import DAY
from tempo.errors import OptionError, ScenarioError

__all__ = [
    "DAYS_PER",
    "MOST_DAYS",
    "MultipleInterval",
    "RateInterval",
    "chance_interval",
    "check_draws",
    "count_interval",
    "days_of",
    "duration_interval",
    "is_number",
    "length_interval",
    "multiple_interval",
    "rate_interval",
]

#: Length of each unit in days; a month is a twelfth of 365.25 days.
DAYS_PER = {"day": 1.0, "week": 7.0, "month": 365.25 / 12, "year": 365.25}

#: A horizon holds at most so many days, or wider bins where the data are counted by them: ten years of days.
MOST_DAYS = 3660

#: Futures hold at most so many numbers, draws times days: 0.8 gigabytes for each quantity that is drawn.
MOST_CELLS = 100_000_000

#: How far a single number may be off in either direction: "every 10 days", and "about every 10 days".
_GIVE_OR_TAKE = {"": 0.25, "about": 0.5}

_WORDS = (
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
_PARTS = {
    "half": 1 / 2,
    "third": 1 / 3,
    "quarter": 1 / 4,
    "fifth": 1 / 5,
    "tenth": 1 / 10,
    "two thirds": 2 / 3,
    "three quarters": 3 / 4,
}
_NUMBER = rf"(\d+(?:\.\d+)?|{'|'.join(_WORDS)})"
_TO = r"\s*(?:-|–|to)\s*"
_RANGE = rf"{_NUMBER}{_TO}{_NUMBER}"
_UNIT = r"(day|week|month|year)s?"
_PER = r"(?:an?|per|each|every)"
_ABOUT = r"(?:(about|around|roughly)\s+)?"
_GAP = re.compile(rf"(?:(?:(?:one|once)\s+)?every\s+)?{_RANGE}\s+{_UNIT}", re.IGNORECASE)
_FREQUENCY = re.compile(rf"{_RANGE}\s+{_PER}\s+{_UNIT}", re.IGNORECASE)
_ONE_GAP = re.compile(rf"{_ABOUT}(?:(?:one|once)\s+)?every\s+{_NUMBER}\s+{_UNIT}", re.IGNORECASE)
_ONE_FREQUENCY = re.compile(
    rf"{_ABOUT}{_NUMBER.replace('|one', '|once|twice|one', 1)}\s+{_PER}\s+{_UNIT}", re.IGNORECASE
)
_FRACTION = r"(?:(?:an?|one)\s+)?(?:half|third|quarter|fifth|tenth)|two thirds|three quarters"
_FACTOR = rf"([x×]\s*\d+(?:\.\d+)?|\d+(?:\.\d+)?\s*[x×%]?|{_FRACTION}|{'|'.join(_WORDS)})"
_MULTIPLE = re.compile(
    rf"{_FACTOR}{_TO}{_FACTOR}(\s+times)?"
    rf"(?:\s+(?:of\s+)?the\s+(?:(?:earlier|first)\s+rate|(?:rate\s+of\s+the\s+)?(last|past)\s+(?:{_NUMBER}\s+)?{_UNIT}))?",
    re.IGNORECASE,
)
_RATE_FORMS = (
    "'2-3 months', 'one every 10 to 20 days', 'every 10 days', 'about every 10 days' (gaps), '3-5 a week', "
    "'1 to 2 per month', '4 a month', 'about 4 a month', 'twice a week' (frequencies), with day, week, month or year"
)
_MULTIPLE_FORMS = (
    "'x3 to x8', '×3-8', '3 to 8 times the earlier rate', 'half to a third', '10-30 % of the last year', 'x3 to x8 of "
    "the last 6 months' (multiples of an earlier rate)"
)


@dataclass(frozen=True, slots=True)
class MultipleInterval:
    """An interval of multiples of an earlier rate, as somebody said it.

    Attributes
    ----------
    low, high : float
        Ends of the interval.
    base_days : int or None
        The rate is that of so many last days; None: the earlier rate of the story.
    words : str
        The interval in words.
    """

    low: float
    high: float
    base_days: int | None
    words: str


@dataclass(frozen=True, slots=True)
class RateInterval:
    """An interval of rates, as somebody said it.

    Attributes
    ----------
    low_per_day, high_per_day : float
        Ends of the interval, in attacks per day.
    words : str
        The interval in words.
    """

    low_per_day: float
    high_per_day: float
    words: str


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
    if not isinstance(draws, numbers.Integral) or int(draws) < 1:
        raise OptionError(
            f"{what} is {draws!r}; expected at least 1, a whole number (10,000 gives percentages to one point)."
        )
    if int(draws) * days > MOST_CELLS:
        raise OptionError(
            f"{what} is {int(draws):,} for {days:,} days or bins, which is {int(draws) * days:,} numbers; expected at "
            f"most {MOST_CELLS:,}, so that they stay in memory. Take {MOST_CELLS // days:,} draws or fewer (10,000 "
            "give percentages to one point), or a shorter horizon."
        )


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


def rate_interval(text: str) -> RateInterval:
    """Understand how often somebody says that something happens.

    Parameters
    ----------
    text : str
        A gap ("2-3 months", "one every two to three weeks") or a frequency ("3-5 a week"). A range says how sure one
        is; a single number is read as give or take a quarter ("every 10 days", "4 a month"), with "about" as give or
        take half.

    Returns
    -------
    RateInterval
        Rates per day.

    Raises
    ------
    ScenarioError
        If the words are not understood; the message lists the accepted forms.

    Examples
    --------
    >>> said = rate_interval("one every 2-3 months")
    >>> round(1 / said.high_per_day, 1), round(1 / said.low_per_day, 1)
    (60.9, 91.3)
    >>> rate_interval("3-5 a week").words, rate_interval("about 4 a month").words
    ('3 to 5 a week', '2 to 6 a month')
    """
    said = text.strip() if isinstance(text, str) else ""
    gap, frequency = _GAP.fullmatch(said), _FREQUENCY.fullmatch(said)
    one_gap, one_frequency = _ONE_GAP.fullmatch(said), _ONE_FREQUENCY.fullmatch(said)
    if gap or frequency:
        match = gap or frequency
        assert match is not None
        low, high, unit = _value(match[1]), _value(match[2]), match[3].lower()
    elif one_gap or one_frequency:
        match = one_gap or one_frequency
        assert match is not None
        low, high = _around(_value(match[2]), bool(match[1]))
        unit = match[3].lower()
    else:
        raise ScenarioError(
            f"cannot read the rate {text!r}. Accepted forms: {_RATE_FORMS}; {_MULTIPLE_FORMS}. A range says how sure "
            "you are; a single number is read as give or take a quarter, and with 'about' as give or take half."
        )
    _require_range(low, high, said)
    days = DAYS_PER[unit]
    if gap or one_gap:
        words = f"one every {interval(low, high, unit + 's', digits=6)}"
        return RateInterval(1 / (high * days), 1 / (low * days), words)
    return RateInterval(low / days, high / days, f"{interval(low, high, digits=6)} a {unit}")


def multiple_interval(text: str) -> MultipleInterval | None:
    """Understand how somebody says that a rate is a multiple of an earlier one.

    Parameters
    ----------
    text : str
        "x3 to x8", "3 to 8 times the last year", "half to a third", "10-30 % of the last 6 months".

    Returns
    -------
    MultipleInterval or None
        None where the words do not speak of a multiple.

    Raises
    ------
    ScenarioError
        If they do, but give no range.

    Examples
    --------
    >>> said = multiple_interval("x3 to x8 of the last year")
    >>> said.low, said.high, said.base_days
    (3.0, 8.0, 365)
    >>> multiple_interval("half to a third").words
    '0.333333 to 0.5 times the earlier rate'
    >>> multiple_interval("3-5 a week")
    """
    match = _MULTIPLE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        return None
    first, last, times, base, how_many, unit = match.groups()
    marks = re.compile(rf"[x×%]|{_FRACTION}", re.IGNORECASE)
    if not (times or marks.search(first) or marks.search(last)):
        return None
    percent = "%" in last
    if "%" in first and not percent:
        raise ScenarioError(f"{text!r} has a percentage and a number. Write '10-30 %'.")
    low, high = _factor(first, percent), _factor(last, percent)
    if max(low, high) < 1:  # "half to a third" falls, and is said in that order
        low, high = min(low, high), max(low, high)
    _require_range(low, high, text, "'x3 to x8'")
    days = None
    if base:
        days = max(round((_value(how_many) if how_many else 1.0) * DAYS_PER[unit.lower()]), 1)
    times_what = (
        "the earlier rate" if days is None else f"the rate of the last {number(days, 12)} days"
    )
    return MultipleInterval(low, high, days, f"{interval(low, high, digits=6)} times {times_what}")


def duration_interval(text: str) -> tuple[float, float]:
    """Understand how long somebody says that something lasts.

    Parameters
    ----------
    text : str
        "2-6 weeks", or "about 3 weeks" (give or take half).

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
    >>> duration_interval("2-6 weeks"), duration_interval("about 4 weeks")
    ((14.0, 42.0), (14.0, 42.0))
    """
    said = text.strip() if isinstance(text, str) else ""
    match = re.fullmatch(rf"{_RANGE}\s+{_UNIT}", said, re.IGNORECASE)
    if match is not None:
        low, high, unit = _value(match[1]), _value(match[2]), match[3].lower()
        _require_range(low, high, text)
        return low * DAYS_PER[unit], high * DAYS_PER[unit]
    one = re.fullmatch(rf"(?:about|around|roughly)\s+{_NUMBER}\s+{_UNIT}", said, re.IGNORECASE)
    if one is None or not _value(one[1]) > 0:
        raise ScenarioError(
            f"cannot read the duration {text!r}. Give a range with its unit. Accepted forms: '2-6 weeks', '10 to 30 "
            "days', 'about 3 weeks' (give or take half), with day, week, month or year; for a phase of a scenario "
            "'at least 30 days' and 'up to 2 weeks' too."
        )
    return _around(_value(one[1]) * DAYS_PER[one[2].lower()], about=True)


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
    said = text.strip() if isinstance(text, str) else ""
    one = re.fullmatch(rf"(at least|up to|at most)\s+{_NUMBER}\s+{_UNIT}", said, re.IGNORECASE)
    if one is None or not _value(one[2]) > 0:
        return duration_interval(text)
    days = _value(one[2]) * DAYS_PER[one[3].lower()]
    return (days, float("inf")) if one[1].lower() == "at least" else (0.0, days)


def chance_interval(text: str) -> tuple[float, float, float | None]:
    """Understand how probable somebody says that something is.

    Parameters
    ----------
    text : str
        "10-30 %", or with a time in which it has that chance: "20-40 % a month", "10 to 20 % in 2 weeks".

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
    >>> chance_interval("10-30 %"), chance_interval("20-40 % in 2 weeks")
    ((0.1, 0.3, None), (0.2, 0.4, 14.0))
    """
    number_ = r"(\d+(?:\.\d+)?)"
    match = (
        re.fullmatch(
            rf"{number_}\s*%?{_TO}{number_}\s*%(?:\s+(?:{_PER}|in|within)\s+(?:{_NUMBER}\s+)?{_UNIT})?",
            text.strip(),
            re.IGNORECASE,
        )
        if isinstance(text, str)
        else None
    )
    if match is None:
        raise ScenarioError(
            f"cannot read the chance {text!r}. Accepted forms: '10-30 %', '10 to 30 %', and with a time '20-40 % a "
            "month', '20-40 % in 6 weeks'."
        )
    low, high = float(match[1]) / 100, float(match[2]) / 100
    if not 0 < low < high < 1:
        raise ScenarioError(
            f"{text!r} is not a range of chances between 0 and 100 %, the lower one first. Write for example '10-30 %'."
        )
    if match[4] is None:
        return low, high, None
    return low, high, (_value(match[3]) if match[3] else 1.0) * DAYS_PER[match[4].lower()]


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
        re.fullmatch(rf"{_RANGE}(?:\s+(?:killed|deaths|dead))?", text.strip(), re.IGNORECASE)
        if isinstance(text, str)
        else None
    )
    if match is None or any("." in part for part in match.groups()):
        raise ScenarioError(
            f"cannot read the number {text!r}. Accepted forms: '1-6', '1 to 6 killed', '1 to 6 deaths'."
        )
    low, high = int(_value(match[1])), int(_value(match[2]))
    _require_range(low, high, text, "'1-6 killed'")
    return low, high


def _value(text: str) -> float:
    said = text.lower()
    if said in {"once", "twice"}:
        return 1.0 if said == "once" else 2.0
    return float(_WORDS.index(said) + 1) if said in _WORDS else float(said)


def _factor(text: str, percent: bool) -> float:
    said = re.sub(r"^(?:an?|one)\s+(?=[a-z])", "", text.strip().lower())
    if said in _PARTS:
        return _PARTS[said]
    value = _value(said.strip("x×% "))
    return value / 100 if percent else value


def _around(value: float, about: bool) -> tuple[float, float]:
    share = _GIVE_OR_TAKE["about" if about else ""]
    return value * (1 - share), value * (1 + share)


def _require_range(low: float, high: float, text: str, example: str = "'2-3 months'") -> None:
    if not 0 < low < high:
        raise ScenarioError(
            f"{text!r} is not a range from a smaller to a larger number above 0. Write for example {example}."
        )
