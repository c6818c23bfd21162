"""Numbers and units in words, as rates, durations, chances and onsets share them: "3-5", "one or two", "about 4"."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from tempo.errors import ScenarioError

__all__ = ["DAYS_PER", "Amount", "amount", "amount_of", "days_per", "require_range", "value_of"]

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
_OTHERS = {"a": 1.0, "an": 1.0, "once": 1.0, "twice": 2.0}

NUMBER = rf"(?:\d+(?:\.\d+)?|{'|'.join(_WORDS)})"
TO = r"\s*(?:-|–|to)\s*"
UNIT = r"(?:day|week|month|year)s?"
ABOUT = r"(?:(?:about|around|roughly|approximately)\s+|~\s*)"

#: How far a single number may be off in either direction: "every 10 days", and "about every 10 days".
_QUARTER, _HALF = 0.25, 0.5


@dataclass(frozen=True, slots=True)
class Amount:
    """How many somebody said: a range, or a single number.

    Attributes
    ----------
    low, high : float
        Ends of the range; equal for a single number.
    about : bool
        Whether a single number was said to be rough.
    """

    low: float
    high: float
    about: bool = False

    @property
    def single(self) -> bool:
        """Whether it is a single number."""
        return self.low == self.high

    def spread(self, about: bool = False) -> tuple[float, float]:
        """Give the ends, of a single number give or take a quarter, or half where it is rough.

        Parameters
        ----------
        about : bool, default False
            Whether something else said that it is rough.

        Returns
        -------
        tuple of float
            Low and high.

        Examples
        --------
        >>> Amount(4, 4).spread(), Amount(4, 4, about=True).spread(), Amount(3, 5).spread()
        ((3.0, 5.0), (2.0, 6.0), (3, 5))
        """
        if not self.single:
            return self.low, self.high
        share = _HALF if about or self.about else _QUARTER
        return self.low * (1 - share), self.high * (1 + share)


def amount(name: str, number: str = NUMBER) -> str:
    """Give the pattern of a range or a single number.

    Parameters
    ----------
    name : str
        What its groups begin with, for ``amount_of``.
    number : str
        Pattern of each number.

    Returns
    -------
    str
        To be compiled without regard to case.

    Examples
    --------
    >>> match = re.fullmatch(amount("n"), "between 3 and 5")
    >>> match["n_from"], match["n_until"]
    ('3', '5')
    """
    return (
        rf"(?:between\s+(?P<{name}_from>{number})\s+and\s+(?P<{name}_until>{number})"
        rf"|(?:from\s+)?(?P<{name}_low>{number}){TO}(?P<{name}_high>{number})"
        rf"|(?P<{name}_one>{number})\s+or\s+(?P<{name}_next>{number})"
        rf"|(?P<{name}_about>{ABOUT})?(?P<{name}_single>{number}))"
    )


def amount_of(match: re.Match[str], name: str) -> Amount | None:
    """Give the amount that a pattern of ``amount`` has found.

    Parameters
    ----------
    match : re.Match
        Of a pattern that holds ``amount(name)``.
    name : str
        What its groups begin with.

    Returns
    -------
    Amount or None
        None where nothing was said.

    Raises
    ------
    ScenarioError
        If a range does not rise from above 0, or "or" stands between numbers that do not follow each other.

    Examples
    --------
    >>> amount_of(re.fullmatch(amount("n"), "about four"), "n")
    Amount(low=4.0, high=4.0, about=True)
    """
    said = match.groupdict()
    if said[f"{name}_single"] is not None:
        value = value_of(said[f"{name}_single"])
        return Amount(value, value, said[f"{name}_about"] is not None)
    for first, last in (("from", "until"), ("low", "high"), ("one", "next")):
        if said[f"{name}_{first}"] is None:
            continue
        low, high = value_of(said[f"{name}_{first}"]), value_of(said[f"{name}_{last}"])
        require_range(low, high, match.string)
        if first == "one" and high != low + 1:
            raise ScenarioError(
                f"{match.string!r} is one of two numbers that do not follow each other. Write a range: '2-4'."
            )
        return Amount(low, high)
    return None


def value_of(text: str) -> float:
    """Give the value of a number in digits or in words.

    Parameters
    ----------
    text : str
        What ``NUMBER`` finds; also "a", "once", "twice" and "half a".

    Returns
    -------
    float
        Its value.

    Raises
    ------
    ScenarioError
        If it is too large for a float.

    Examples
    --------
    >>> value_of("Twelve"), value_of("0.5"), value_of("half a")
    (12.0, 0.5, 0.5)
    """
    said = text.lower().strip()
    if said.startswith("half"):
        return 0.5
    if said in _OTHERS:
        return _OTHERS[said]
    value = float(_WORDS.index(said) + 1) if said in _WORDS else float(said)
    if math.isinf(value):
        raise ScenarioError(
            f"the number {text[:20]}… is too large. Write a smaller one, or a rarer unit."
        )
    return value


def days_per(unit: str) -> float:
    """Give the length of a unit.

    Parameters
    ----------
    unit : str
        What ``UNIT`` finds.

    Returns
    -------
    float
        In days.

    Examples
    --------
    >>> days_per("Weeks")
    7.0
    """
    return DAYS_PER[unit.lower().removesuffix("s")]


def require_range(low: float, high: float, text: str, example: str = "'2-3 months'") -> None:
    """Refuse a range that does not rise from above 0.

    Parameters
    ----------
    low, high : float
        Its ends.
    text : str
        What was said.
    example : str
        What may be said.

    Raises
    ------
    ScenarioError
        With the example.

    Examples
    --------
    >>> require_range(2, 3, "2-3 months")
    """
    if not 0 < low < high:
        raise ScenarioError(
            f"{text!r} is not a range from a smaller to a larger number above 0. Write for example {example}."
        )
