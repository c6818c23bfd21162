"""Durations and intervals in words: "90D", "2-3 months", "3-5 a week"."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

import pandas as pd

from tempo.data.rounding import interval
from tempo.data.window import DAY
from tempo.errors import OptionError, ScenarioError

__all__ = ["DAYS_PER", "RateInterval", "days_of", "duration_interval", "rate_interval"]

#: Length of each unit in days; a month is a twelfth of 365.25 days.
DAYS_PER = {"day": 1.0, "week": 7.0, "month": 365.25 / 12, "year": 365.25}

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
_NUMBER = rf"(\d+(?:\.\d+)?|{'|'.join(_WORDS)})"
_RANGE = rf"{_NUMBER}\s*(?:-|–|to)\s*{_NUMBER}"
_UNIT = r"(day|week|month|year)s?"
_GAP = re.compile(rf"(?:(?:(?:one|once)\s+)?every\s+)?{_RANGE}\s+{_UNIT}", re.IGNORECASE)
_FREQUENCY = re.compile(rf"{_RANGE}\s+(?:an?|per|each|every)\s+{_UNIT}", re.IGNORECASE)


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


def days_of(value: str | dt.timedelta, what: str = "horizon") -> int:
    """Give a duration in whole days.

    Parameters
    ----------
    value : str or datetime.timedelta (a pandas.Timedelta is one)
        ``"90D"``, ``"12W"``, ``"90 days"``; months have no fixed length and are not accepted.
    what : str
        What it is, for the message of the error.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    OptionError
        If it is not a positive whole number of days.

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
    except ValueError as error:
        raise OptionError(f"{what} is {value!r}, which is not a duration. {remedy}") from error
    if pd.isna(length) or length < DAY or length % DAY != pd.Timedelta(0):
        raise OptionError(
            f"{what} is {value!r}; expected a whole number of days, at least one. {remedy}"
        )
    return int(length // DAY)


def rate_interval(text: str) -> RateInterval:
    """Understand how often somebody says that something happens.

    Parameters
    ----------
    text : str
        A gap ("2-3 months", "one every two to three weeks") or a frequency ("3-5 a week"). A range is needed, because
        a single number says nothing about how sure it is.

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
    >>> rate_interval("3-5 a week").words
    '3 to 5 a week'
    """
    gap = _GAP.fullmatch(text.strip()) if isinstance(text, str) else None
    frequency = _FREQUENCY.fullmatch(text.strip()) if isinstance(text, str) else None
    match = gap or frequency
    if match is None:
        raise ScenarioError(
            f"cannot read the rate {text!r}. Accepted forms: '2-3 months', 'one every 10 to 20 days' (gaps), "
            "'3-5 a week', '1 to 2 per month' (frequencies), with day, week, month or year. Always give a range: "
            "it is what says how sure you are."
        )
    low, high, unit = _value(match.group(1)), _value(match.group(2)), match.group(3).lower()
    _require_range(low, high, text)
    if gap:
        days = DAYS_PER[unit]
        return RateInterval(
            1 / (high * days),
            1 / (low * days),
            f"one every {interval(low, high, unit + 's', digits=6)}",
        )
    return RateInterval(
        low / DAYS_PER[unit], high / DAYS_PER[unit], f"{interval(low, high, digits=6)} a {unit}"
    )


def duration_interval(text: str) -> tuple[float, float]:
    """Understand how long somebody says that something lasts.

    Parameters
    ----------
    text : str
        For example ``"2-6 weeks"``.

    Returns
    -------
    tuple of float
        Shortest and longest duration of the interval, in days.

    Raises
    ------
    ScenarioError
        If the words are not understood.

    Examples
    --------
    >>> duration_interval("2-6 weeks")
    (14.0, 42.0)
    """
    match = (
        re.fullmatch(rf"{_RANGE}\s+{_UNIT}", text.strip(), re.IGNORECASE)
        if isinstance(text, str)
        else None
    )
    if match is None:
        raise ScenarioError(
            f"cannot read the duration {text!r}. Give a range with its unit: '2-6 weeks', '10 to 30 days'."
        )
    low, high, unit = _value(match.group(1)), _value(match.group(2)), match.group(3).lower()
    _require_range(low, high, text)
    return low * DAYS_PER[unit], high * DAYS_PER[unit]


def _value(text: str) -> float:
    return float(_WORDS.index(text.lower()) + 1) if text.lower() in _WORDS else float(text)


def _require_range(low: float, high: float, text: str) -> None:
    if not 0 < low < high:
        raise ScenarioError(
            f"{text!r} is not a range from a smaller to a larger number above 0. Write for example '2-3 months'."
        )
