"""How often, in words: rates ("3-5 a week", "one every 2-3 months") and multiples of an earlier one ("x3 to x8")."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tempo.data.rounding import interval, number
from tempo.errors import ScenarioError
from tempo.forecasting.amounts import (
    ABOUT,
    NUMBER,
    TO,
    UNIT,
    Amount,
    amount,
    amount_of,
    days_per,
    require_range,
    value_of,
)

__all__ = [
    "MULTIPLE_FORMS",
    "MultipleInterval",
    "RateInterval",
    "multiple_interval",
    "rate_interval",
]

_NOUN = r"(?:heavy\s+)?(?:attack|strike|incident|event|raid|bombing)s?"
_PERIOD = rf"(?:{amount('period')}\s+)?(?P<unit>{UNIT})"
#: "3-5 attacks" "every" "2 weeks"
_PARTED = re.compile(
    rf"(?P<count>.*?)\s*(?P<link>/|\b(?:an?|per|each|every)\b)\s*{_PERIOD}", re.IGNORECASE
)
_GAP = re.compile(_PERIOD, re.IGNORECASE)
_COUNT = re.compile(rf"{amount('count')}(?:\s+(?:times|{_NOUN}))?", re.IGNORECASE)
_ONE_WORD = re.compile(
    rf"(?P<about>{ABOUT})?(?:(?P<word>once|twice)|an?\s+{_NOUN}|one)", re.IGNORECASE
)
_ADVERB = re.compile(rf"(?P<about>{ABOUT})?(?P<word>daily|weekly|monthly|yearly)", re.IGNORECASE)
_ADVERBS = {"daily": "day", "weekly": "week", "monthly": "month", "yearly": "year"}

_PARTS = {
    "half": 1 / 2,
    "third": 1 / 3,
    "quarter": 1 / 4,
    "fifth": 1 / 5,
    "tenth": 1 / 10,
    "two thirds": 2 / 3,
    "three quarters": 3 / 4,
    "double": 2.0,
    "triple": 3.0,
}
_PERCENT = r"(?:%|per\s?cent)"
_PART = (
    r"(?:(?:an?|one)\s+)?(?:half|third|quarter|fifth|tenth)|two thirds|three quarters|double|triple"
)
_MARK = rf"[x×]\s*\d|\d\s*[x×]|{_PERCENT}|{_PART}"
_FACTOR = rf"(?:[x×]\s*\d+(?:\.\d+)?|\d+(?:\.\d+)?\s*(?:[x×]|{_PERCENT})?|{_PART}|{NUMBER})"
_MULTIPLE = re.compile(
    rf"(?:between\s+(?P<from>{_FACTOR})\s+and\s+(?P<until>{_FACTOR})"
    rf"|(?:from\s+)?(?P<first>{_FACTOR}){TO}(?P<last>{_FACTOR})"
    rf"|(?P<about>{ABOUT})?(?P<single>{_FACTOR}|twice))(?P<times>\s+times)?"
    r"(?P<base>\s+(?:of\s+)?the\s+(?:earlier|first)\s+rate"
    r"|\s+(?:of\s+|(?:of\s+)?the\s+(?:rate\s+of\s+the\s+)?)(?:last|past)"
    rf"\s+(?:(?P<many>{NUMBER})\s+)?(?P<unit>{UNIT}))?",
    re.IGNORECASE,
)

_RATE_FORMS = (
    "'2-3 months', 'one every 10 to 20 days', 'every 10 days', 'about every 10 days', 'every other day' (gaps), "
    "'3-5 a week', '3-5/week', '3-5 times a week', '2-3 attacks a month', 'between 1 and 2 per month', "
    "'one or two a month', '1-2 every 3 months', '4 a month', 'about 4 a month', 'twice a week', 'weekly' "
    "(frequencies), with day, week, month or year"
)
#: What ``multiple_interval`` reads, for messages.
MULTIPLE_FORMS = (
    "'x3 to x8', '×3-8', '3 to 8 times the earlier rate', 'double to triple', 'half to a third', "
    "'10-30 % of the last year', 'x3 to x8 of the last 6 months', 'x5' (multiples of an earlier rate)"
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


def rate_interval(text: str) -> RateInterval:
    """Understand how often somebody says that something happens.

    Parameters
    ----------
    text : str
        A gap ("2-3 months", "one every two to three weeks") or a frequency ("3-5 a week", "2-3 attacks a month"). A
        range says how sure one is; a single number is read as give or take a quarter ("every 10 days", "4 a month",
        "weekly"), with "about" as give or take half.

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
    >>> rate_interval("3-5 times a week").words, rate_interval("about 4 a month").words
    ('3 to 5 a week', '2 to 6 a month')
    """
    said = " ".join(text.split()) if isinstance(text, str) else ""
    adverb = _ADVERB.fullmatch(said)
    if adverb is not None:
        said = f"{adverb['about'] or ''}one a {_ADVERBS[adverb['word'].lower()]}"
    said = re.sub(r"\bevery other (?=(?:day|week|month|year)$)", "every 2 ", said, flags=re.I)
    match = _PARTED.fullmatch(said) or _GAP.fullmatch(said)
    count = None if match is None else _count(match)
    period = None if match is None else amount_of(match, "period")
    if match is None or count is None or (not count.single and period and not period.single):
        raise ScenarioError(
            f"cannot read the rate {text!r}. Accepted forms: {_RATE_FORMS}; {MULTIPLE_FORMS}. A range says how sure "
            "you are, of the number or of the time but not of both; a single number is read as give or take a quarter, "
            "and with 'about' as give or take half."
        )
    unit = match["unit"].lower().removesuffix("s")
    days = days_per(unit)
    if period is not None and (not period.single or (count.single and count.low == 1)):
        low, high = (end / count.low for end in period.spread(count.about))
        require_range(low, high, text)
        words = f"one every {interval(low, high, unit + 's', digits=6)}"
        return RateInterval(1 / (high * days), 1 / (low * days), words)
    often = 1.0 if period is None else period.low
    low, high = count.spread(period is not None and period.about)
    require_range(low, high, text)
    if not often > 0:
        require_range(often, often, text)
    each = f"a {unit}" if often == 1 else f"every {number(often, 6)} {unit}s"
    words = f"{interval(low, high, digits=6)} {each}"
    return RateInterval(low / (often * days), high / (often * days), words)


def _count(match: re.Match[str]) -> Amount | None:
    """Give how many there are in each period: one, where only the gap is said; None where it is not understood."""
    period = amount_of(match, "period")
    if (
        "link" not in match.re.groupindex
    ):  # a gap alone, "2-3 months"; "2 months" may mean many things
        return None if period is None or period.single else Amount(1, 1)
    said, link = match["count"].strip(), match["link"].lower()
    if period is not None and link not in {"per", "every"}:
        return None
    if link == "every" and (not said or re.fullmatch(ABOUT, f"{said} ", re.IGNORECASE)):
        found: Amount | None = Amount(1, 1, bool(said))
    elif word := _ONE_WORD.fullmatch(said):
        value = value_of(word["word"] or "one")
        found = Amount(value, value, word["about"] is not None)
    else:
        number_of = _COUNT.fullmatch(said)
        found = None if number_of is None else amount_of(number_of, "count")
    rough = found is not None and found.about and period is not None and not period.single
    many = found is not None and not found.single and period is not None and period.about
    return None if rough or many else found


def multiple_interval(text: str) -> MultipleInterval | None:
    """Understand how somebody says that a rate is a multiple of an earlier one.

    Parameters
    ----------
    text : str
        "x3 to x8", "3 to 8 times the last year", "half to a third", "10-30 % of the last 6 months", "double to
        triple". A single one, "x5", is read as give or take a quarter, "about x5" as give or take half.

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
    >>> multiple_interval("x5").words
    '3.75 to 6.25 times the earlier rate'
    >>> multiple_interval("3-5 a week")
    """
    match = _MULTIPLE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        return None
    first, last = match["from"] or match["first"], match["until"] or match["last"]
    single = match["single"]
    marked = [part for part in (first, last, single) if part and re.search(_MARK, part, re.I)]
    named = match["base"] is not None
    if single is None and not (match["times"] or marked):
        return None
    if single is not None and not (
        marked or (named and (match["times"] or single.lower() == "twice"))
    ):
        return None
    if single is not None:
        value = _factor(single, re.search(_PERCENT, single, re.I) is not None)
        low, high = Amount(value, value, match["about"] is not None).spread()
    else:
        percent = re.search(_PERCENT, last, re.IGNORECASE) is not None
        if re.search(_PERCENT, first, re.IGNORECASE) and not percent:
            raise ScenarioError(f"{text!r} has a percentage and a number. Write '10-30 %'.")
        low, high = _factor(first, percent), _factor(last, percent)
        if max(low, high) < 1:  # "half to a third" falls, and is said in that order
            low, high = min(low, high), max(low, high)
    require_range(low, high, text, "'x3 to x8'")
    days = None
    if match["unit"]:
        many = value_of(match["many"]) if match["many"] else 1.0
        days = max(round(many * days_per(match["unit"])), 1)
    times_what = (
        "the earlier rate" if days is None else f"the rate of the last {number(days, 12)} days"
    )
    return MultipleInterval(low, high, days, f"{interval(low, high, digits=6)} times {times_what}")


def _factor(text: str, percent: bool) -> float:
    said = re.sub(r"^(?:an?|one)\s+(?=[a-z])", "", text.strip().lower())
    if said in _PARTS:
        return _PARTS[said]
    value = value_of(re.sub(rf"[x×]|{_PERCENT}", "", said))
    return value / 100 if percent else value
