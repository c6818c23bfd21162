"""Small pieces of prose: dates, nouns, lists and spans, written the same way everywhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from tempo.data.rounding import number, percent
from tempo.data.rounding import plural as plural_of
from tempo.data.window import DAY, Window

__all__ = [
    "Noun",
    "day_span",
    "joined",
    "long_date",
    "observed_span",
    "percents",
    "plural",
    "spelled_dates",
]

# Spelled out, because calendar.month_name and strftime follow the locale of the machine.
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


_NAMED = re.compile(r"events? \((.*)\)", re.DOTALL)
_ISO = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")


def long_date(date: pd.Timestamp, *, year: bool = True) -> str:
    """Write a date as it is printed, in every locale alike.

    Parameters
    ----------
    date : pandas.Timestamp
        A calendar date.
    year : bool, default True
        Whether to write the year.

    Returns
    -------
    str
        For example ``"12 March 2020"``.

    Examples
    --------
    >>> long_date(pd.Timestamp("2020-03-12"))
    '12 March 2020'
    """
    text = f"{date.day} {_MONTHS[date.month - 1]}"
    return f"{text} {date.year}" if year else text


def day_span(start: pd.Timestamp, end: pd.Timestamp) -> str:
    """Write a half-open stretch by its first and last day.

    Parameters
    ----------
    start, end : pandas.Timestamp
        Half-open: the last day written is the one before ``end``.

    Returns
    -------
    str
        The year is written once where both days share it.

    Examples
    --------
    >>> day_span(pd.Timestamp("2020-03-12"), pd.Timestamp("2020-04-11"))
    '12 March to 10 April 2020'
    >>> day_span(pd.Timestamp("2019-05-01"), pd.Timestamp("2020-03-12"))
    '1 May 2019 to 11 March 2020'
    """
    last = end - DAY
    if last <= start:
        return long_date(start)
    return f"{long_date(start, year=start.year != last.year)} to {long_date(last)}"


def spelled_dates(text: str) -> str:
    """Write the ISO dates in a sentence as all other dates are written.

    Parameters
    ----------
    text : str
        A sentence; not a counting rule, which is quoted as it is.

    Returns
    -------
    str
        The sentence.

    Examples
    --------
    >>> spelled_dates("from a day between 2020-02-11 and 2020-03-11")
    'from a day between 11 February 2020 and 11 March 2020'
    """
    return _ISO.sub(lambda found: _spelled(found.group()), text)


def _spelled(date: str) -> str:
    try:
        return long_date(pd.Timestamp(date))
    except ValueError:  # digits that look like a date and are none
        return date


def observed_span(window: Window) -> str:
    """Write an observation window with its observed days and gaps.

    Parameters
    ----------
    window : Window
        The window.

    Returns
    -------
    str
        First and last day, and the number of days.

    Examples
    --------
    >>> observed_span(Window("2019-05-01", "2020-03-12"))
    '1 May 2019 to 11 March 2020, 316 days'
    >>> observed_span(Window("2020-01-01", "2020-02-01", gaps=[("2020-01-05", "2020-01-08")]))
    '1 January to 31 January 2020, 28 of 31 days'
    """
    span = day_span(window.start, window.end)
    total = number(window.length_days, 6)
    if window.gaps:
        return f"{span}, {number(window.days, 6)} of {total} days"
    return f"{span}, {total} day{'' if window.length_days == 1 else 's'}"


def joined(items: Sequence[str], last: str = "and") -> str:
    """Join items as a sentence does.

    Parameters
    ----------
    items : sequence of str
        Any number.
    last : str, default "and"
        The word before the last one.

    Returns
    -------
    str
        The list.

    Examples
    --------
    >>> joined(["30", "60", "90"]), joined(["one"])
    ('30, 60 and 90', 'one')
    """
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def percents(low: float, high: float) -> str:
    """Write a range of probabilities, with one sign.

    Parameters
    ----------
    low, high : float
        Between 0 and 1.

    Returns
    -------
    str
        For example ``"21 to 66 %"``; one number where both are printed alike.

    Examples
    --------
    >>> percents(0.21, 0.66), percents(0.002, 0.4), percents(0.331, 0.333)
    ('21 to 66 %', 'under 1 % to 40 %', '33 %')
    """
    first, last = percent(low), percent(high)
    if first == last:
        return first
    return (
        f"{first.removesuffix(' %')} to {last}"
        if first[0].isdigit() and last[0].isdigit()
        else f"{first} to {last}"
    )


def plural(count: float, one: str, many: str | None = None) -> str:
    """Write a count with its noun.

    Parameters
    ----------
    count : float
        A whole number.
    one : str
        The noun for one.
    many : str, optional
        The noun for any other count; "s" is added when left out.

    Returns
    -------
    str
        For example ``"3 checks"``.

    Examples
    --------
    >>> plural(1, "check"), plural(1200, "row")
    ('1 check', '1,200 rows')
    """
    return f"{count:,.0f} {one if count == 1 else many or f'{one}s'}"


@dataclass(frozen=True, slots=True)
class Noun:
    """What is counted, for one and for several.

    Attributes
    ----------
    one, many : str
        For example ``"heavy strike"`` and ``"heavy strikes"``.
    """

    one: str
    many: str

    @classmethod
    def of(cls, label: str) -> Noun:
        """Make both forms from a label that is either.

        A label that is no plain English noun is kept as a name: "event (هجوم)".

        Parameters
        ----------
        label : str
            The label of the incidents.

        Returns
        -------
        Noun
            Both forms.

        Examples
        --------
        >>> Noun.of("heavy strike"), Noun.of("attacks"), Noun.of("casualties").one
        (Noun(one='heavy strike', many='heavy strikes'), Noun(one='attack', many='attacks'), 'casualty')
        >>> Noun.of("attacks on the coalition").one
        'attack on the coalition'
        >>> Noun.of("attacks: rocket").many
        'events (attacks: rocket)'
        """
        plain = label.strip()
        if not plain:
            return cls("event", "events")
        if named := _NAMED.fullmatch(plain):  # a form made here, handed in again
            plain = named[1]
        elif all(letter.isascii() and (letter.isalpha() or letter in " -'") for letter in plain):
            return cls(plural_of(plain, one=True), plural_of(plain))
        return cls(f"event ({plain})", f"events ({plain})")

    def counted(self, count: float) -> str:
        """Write a count of them.

        Parameters
        ----------
        count : float
            A whole number.

        Returns
        -------
        str
            For example ``"4 heavy strikes"``.
        """
        return plural(count, self.one, self.many)
