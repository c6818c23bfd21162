"""One way of rounding, for chart labels, tables and prose alike, so that they cannot disagree."""

from __future__ import annotations

import math
import re

__all__ = ["about", "counted", "interval", "number", "percent", "plural", "with_article"]

_SMALLEST = 1e-12

_PREPOSITION = re.compile(
    r"(?:\s(?:on|in|of|by|with|against|from|at|to|for|near|that|which)\s|\s*[:,(]).*", re.DOTALL
)


def number(value: float, digits: int = 2) -> str:
    """Write a number with the given significant digits, without exponent, and never more precise than that.

    Parameters
    ----------
    value : float
        Any number.
    digits : int, default 2
        Significant digits; whole numbers of more digits keep all of their integer part.

    Returns
    -------
    str
        The number, or ``"unknown"`` where it is missing.

    Examples
    --------
    >>> number(0.04567), number(1234.5), number(3.0), number(float("nan"))
    ('0.046', '1,234', '3', 'unknown')
    """
    if math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "unbounded" if value > 0 else "unbounded below"
    if value == 0:
        return "0"
    if abs(value) < _SMALLEST:  # a row of zeros says nothing
        return f"under {_SMALLEST:.12f}" if value > 0 else f"between -{_SMALLEST:.12f} and 0"
    magnitude = math.floor(math.log10(abs(value)))
    decimals = max(0, digits - 1 - magnitude)
    text = f"{value:,.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", "0"} else text


def percent(probability: float) -> str:
    """Write a probability as a percentage that claims no more precision than a forecast has.

    Whole percents between 1 and 99; outside, "under 1 %" and "over 99 %", because a forecast from incident
    counts is never that sure.

    Parameters
    ----------
    probability : float
        Between 0 and 1.

    Returns
    -------
    str
        For example ``"37 %"``.

    Examples
    --------
    >>> percent(0.374), percent(0.002), percent(0.999)
    ('37 %', 'under 1 %', 'over 99 %')
    """
    if math.isnan(probability):
        return "unknown"
    rounded = math.floor(100 * probability + 0.5)
    if rounded < 1:
        return "under 1 %"
    if rounded > 99:
        return "over 99 %"
    return f"{rounded} %"


def about(probability: float) -> str:
    """Write a percentage as a rough one, in words that fit a sentence.

    Parameters
    ----------
    probability : float
        Between 0 and 1.

    Returns
    -------
    str
        "about 37 %"; "under 1 %" and "over 99 %" are rough as they stand.

    Examples
    --------
    >>> about(0.374), about(0.002)
    ('about 37 %', 'under 1 %')
    """
    text = percent(probability)
    return f"about {text}" if text[0].isdigit() else text


def interval(low: float, high: float, unit: str = "", digits: int = 2) -> str:
    """Write an interval as "low to high unit".

    Parameters
    ----------
    low, high : float
        The ends.
    unit : str, optional
        Written once, after the upper end.
    digits : int, default 2
        Significant digits of each end.

    Returns
    -------
    str
        For example ``"2 to 3.5 a month"``.

    Examples
    --------
    >>> interval(2, 3.5, "a month")
    '2 to 3.5 a month'
    """
    text = f"{number(low, digits)} to {number(high, digits)}"
    return f"{text} {unit}" if unit else text


def plural(label: str, *, one: bool = False) -> str:
    """Give a label in the plural, or in the singular, whichever of the two the user wrote.

    The noun is the last word before the first preposition: "heavy strike on bases" becomes "heavy strikes on bases".

    Parameters
    ----------
    label : str
        What is counted.
    one : bool, default False
        Give the singular instead.

    Returns
    -------
    str
        The label with its noun changed; regular English nouns only. A name (a noun with a capital,
        parts joined by a dash) stays whole.

    Examples
    --------
    >>> plural("heavy strike"), plural("attacks"), plural("attacks on the coalition", one=True), plural("casualty")
    ('heavy strikes', 'attacks', 'attack on the coalition', 'casualties')
    """
    tail = _PREPOSITION.search(label)
    head = label[: tail.start()] if tail else label
    rest = label[tail.start() :] if tail else ""
    if not re.search(r"[A-Za-z]$", head) or re.search(r"\s[-–—]\s", label):
        return label  # a name, or another script: English endings do not belong there
    if head.split()[-1][0].isupper():
        return label  # the noun is a name or an abbreviation
    is_plural = head.endswith("s") and not head.endswith(("ss", "us", "is"))
    if one and is_plural:
        if re.search(r"[^aeiou]ies$", head):
            head = head[:-3] + "y"
        else:
            head = re.sub(r"(?<=ss|sh|ch|zz)es$|(?<=x)es$|s$", "", head)
    elif not one and not is_plural:
        hissing = head.endswith(("s", "sh", "ch", "x", "zz"))
        head = re.sub(r"(?<=[^aeiou])y$", "ie", head) + ("es" if hissing else "s")
    return head + rest


def counted(count: float, label: str) -> str:
    """Write how many of something there are.

    Parameters
    ----------
    count : float
        How many.
    label : str
        What is counted, in the singular or the plural.

    Returns
    -------
    str
        For example ``"1 heavy strike"``.

    Examples
    --------
    >>> counted(1, "attacks"), counted(4, "heavy strike")
    ('1 attack', '4 heavy strikes')
    """
    return f"{count:,.0f} {plural(label, one=count == 1)}"


def with_article(noun: str) -> str:
    """Write a noun with its indefinite article.

    Parameters
    ----------
    noun : str
        In the singular.

    Returns
    -------
    str
        With "an" before a vowel, as it is spelt, and "a" before everything else.

    Examples
    --------
    >>> with_article("attack"), with_article("heavy strike")
    ('an attack', 'a heavy strike')
    """
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
