"""Estimative words: from a probability to the term that a reader was taught.

Two vocabularies are known, and one briefing uses one of them:

``"icd203"``
    The first column of the table in US Intelligence Community Directive 203 (2015). Its second
    column of synonyms is never used: the directive asks that the two are not mixed.
``"phia"``
    The yardstick of the UK Professional Head of Intelligence Assessment.

Rules, the same everywhere in tempo:

* The word belongs to the **printed** number. A probability is rounded to whole percents first
  (`tempo.data.rounding.percent`), then the word is looked up, so the two can never disagree.
* ICD 203 lets neighbouring bands share an edge. Here **bands are half-open: an edge belongs to
  the band above it** (5 % is "very unlikely", 55 % is "likely").
* ICD 203 has no word below 1 % or above 99 %. The outermost words are used there, with
  "under 1 %" and "over 99 %".
* The PHIA bands leave **gaps** on purpose. A number in a gap gets the word of the nearest band,
  and is marked: 22 % lies two points above "highly unlikely" (10–20 %) and three below
  "unlikely" (25–35 %), so it is printed as "highly unlikely (22 %, between two bands)".
  "Realistic possibility" ends below 50 %, so its
  last whole percent is 49; 52 %, three points from either neighbour, goes to the lower band,
  whose true edge is 50. No other whole percent lies midway.
* A printed number **within one point of the edge between two ICD 203 bands** names the other
  band too: "likely (55 %, on the edge of a roughly even chance)" and "roughly even chance (54 %,
  on the edge of likely)", for a little more data could have given the other word. PHIA's words
  change only inside the gaps, whose numbers are marked already.
* A likelihood and a level of confidence never stand in one sentence: see
  `tempo.briefing.confidence`.

References
----------
Office of the Director of National Intelligence (2015). *Intelligence Community Directive 203:
Analytic standards*.
UK Professional Head of Intelligence Assessment (2019). *Probability yardstick*.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tempo.data.rounding import percent
from tempo.errors import OptionError

__all__ = [
    "SCALES",
    "Scale",
    "Term",
    "explain_scale",
    "term",
    "words_for_interval",
]

type Scale = Literal["icd203", "phia"]

# Word, first and last whole percent of its band. ICD 203's shared edges go to the band above.
_ICD203: tuple[tuple[str, int, int], ...] = (
    ("almost no chance", 0, 4),
    ("very unlikely", 5, 19),
    ("unlikely", 20, 44),
    ("roughly even chance", 45, 54),
    ("likely", 55, 79),
    ("very likely", 80, 94),
    ("almost certain", 95, 100),
)
_PHIA: tuple[tuple[str, int, int], ...] = (
    ("remote chance", 0, 5),
    ("highly unlikely", 10, 20),
    ("unlikely", 25, 35),
    ("realistic possibility", 40, 49),
    ("likely", 55, 75),
    ("highly likely", 80, 90),
    ("almost certain", 95, 100),
)
_BANDS: dict[str, tuple[tuple[str, int, int], ...]] = {"icd203": _ICD203, "phia": _PHIA}
_NAMES = {"icd203": "ICD 203", "phia": "PHIA"}
SCALES: tuple[str, ...] = tuple(_BANDS)

# Words that are nouns need another opening than "It is likely that …".
_NOUNS = {
    "almost no chance": "There is almost no chance",
    "roughly even chance": "There is a roughly even chance",
    "remote chance": "There is a remote chance",
    "realistic possibility": "There is a realistic possibility",
}


@dataclass(frozen=True, slots=True)
class Term:
    """A word of estimative probability, tied to the number it was chosen for.

    Attributes
    ----------
    word : str
        The term, for example ``"likely"``.
    scale : str
        ``"icd203"`` or ``"phia"``.
    probability : float
        The probability as computed, between 0 and 1.
    first_percent, last_percent : int
        First and last whole percent of the band, both included.
    in_gap : bool
        Whether the number lies between two bands (PHIA only) and took the word of the nearest.
    beside : str
        Word of the band whose edge is within one point of the printed number (ICD 203 only), or
        nothing.
    """

    word: str
    scale: str
    probability: float
    first_percent: int
    last_percent: int
    in_gap: bool
    beside: str = ""

    @property
    def percent(self) -> str:
        """The number as printed, for example ``"37 %"``."""
        return percent(self.probability)

    @property
    def text(self) -> str:
        """The word with its number, and a note where the number lies between two bands or on an edge."""
        return f"{self.word} ({self.percent}{self._note})"

    @property
    def opening(self) -> str:
        """Opening of a sentence: "It is likely (62 %)" or "There is a remote chance (3 %)"."""
        start = _NOUNS.get(self.word, f"It is {self.word}")
        return f"{start} ({self.percent}{self._note})"

    @property
    def clause(self) -> str:
        """The opening inside a sentence: "it is likely (62 %)"."""
        return self.opening[:1].lower() + self.opening[1:]

    @property
    def _note(self) -> str:
        if self.in_gap:
            return ", between two bands"
        if not self.beside:
            return ""
        return f", on the edge of {_NOUNS.get(self.beside, self.beside).removeprefix('There is ')}"

    def __str__(self) -> str:
        return self.text


def term(probability: float, scale: str = "icd203") -> Term:
    """Give the estimative word for a probability.

    Parameters
    ----------
    probability : float
        Between 0 and 1.
    scale : {"icd203", "phia"}, default "icd203"
        The vocabulary.

    Returns
    -------
    Term
        The word, its band and the number.

    Raises
    ------
    OptionError
        The vocabulary is not known, or the number is not a probability.

    Examples
    --------
    >>> term(0.62).text
    'likely (62 %)'
    >>> term(0.2).word, term(0.199).word, term(0.194).word
    ('unlikely', 'unlikely', 'very unlikely')
    >>> term(0.22, "phia").text
    'highly unlikely (22 %, between two bands)'
    >>> term(0.546).text
    'likely (55 %, on the edge of a roughly even chance)'
    >>> term(0.999).opening
    'It is almost certain (over 99 %)'
    """
    bands = _bands(scale)
    if math.isnan(probability) or not 0 <= probability <= 1:
        raise OptionError(
            f"A probability must lie between 0 and 1, got {probability!r}. "
            "Pass a share, not a percentage."
        )
    shown = whole_percent(probability)
    word, first, last = min(bands, key=lambda band: max(band[1] - shown, shown - band[2], 0))
    # Gaps part all of PHIA's bands, so that only ICD 203's begin where the one below has ended.
    beside = next(
        (
            other
            for other, low, high in bands
            if (low == last + 1 and shown == last)
            or (high == first - 1 and shown in (first, first + 1))
        ),
        "",
    )
    return Term(word, scale, probability, first, last, not first <= shown <= last, beside)


def whole_percent(probability: float) -> int:
    """Round a probability to whole percents as `percent` prints it: half goes up.

    Examples
    --------
    >>> whole_percent(0.445), whole_percent(0.444)
    (45, 44)
    """
    return math.floor(100 * probability + 0.5)


def words_for_interval(low: float, high: float, scale: str = "icd203") -> str:
    """Give the words that a range of probabilities spans.

    Parameters
    ----------
    low, high : float
        Ends of the range, between 0 and 1.
    scale : {"icd203", "phia"}, default "icd203"
        The vocabulary.

    Returns
    -------
    str
        One word where both ends fall in one band, otherwise "from … to …".

    Raises
    ------
    OptionError
        The ends are out of order, or not probabilities.

    Examples
    --------
    >>> words_for_interval(0.22, 0.41), words_for_interval(0.22, 0.71)
    ('unlikely', 'from unlikely to likely')
    """
    if low > high:
        raise OptionError(f"The ends of an interval must be in order, got {low!r} above {high!r}.")
    lower, upper = term(low, scale), term(high, scale)
    return lower.word if lower.word == upper.word else f"from {lower.word} to {upper.word}"


def explain_scale(scale: str = "icd203") -> str:
    """Give the note that a briefing prints about its vocabulary.

    Parameters
    ----------
    scale : {"icd203", "phia"}, default "icd203"
        The vocabulary.

    Returns
    -------
    str
        Every word with its band, and the rules for edges and gaps.

    Examples
    --------
    >>> explain_scale("phia")[:72]
    'Words of likelihood follow the PHIA yardstick: remote chance up to 5 %, '
    """
    bands = _bands(scale)
    if scale == "icd203":
        shown = ", ".join(
            f"{word} {max(first, 1)}–{min(last + 1, 99)} %" for word, first, last in bands
        )
        return (
            f"Words of likelihood follow ICD 203: {shown}. A number on an edge takes the band "
            "above; within one point of an edge the other band is named too. The word is chosen for "
            "the number as printed."
        )
    inner = [f"{word} {first}–{last} %" for word, first, last in bands[1:-1]]
    inner[2] = "realistic possibility 40 to under 50 %"
    return (
        f"Words of likelihood follow the PHIA yardstick: {bands[0][0]} up to {bands[0][2]} %, "
        f"{', '.join(inner)}, {bands[-1][0]} {bands[-1][1]} % or more. A number between two bands "
        "takes the word of the nearest and is marked. The word is chosen for the number as printed."
    )


def _bands(scale: str) -> tuple[tuple[str, int, int], ...]:
    if scale not in _BANDS:
        known = " or ".join(repr(name) for name in _BANDS)
        raise OptionError(f"The vocabulary {scale!r} is not known. Use words={known}.")
    return _BANDS[scale]
