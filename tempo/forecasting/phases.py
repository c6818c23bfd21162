"""Phases: the parts of a scenario, each with its rate, its onset, its length, and what follows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

from tempo.data.rounding import interval, number
from tempo.data.window import DateLike
from tempo.errors import ScenarioError
from tempo.forecasting.amounts import DAYS_PER
from tempo.forecasting.continuations import Continued
from tempo.forecasting.laws import Chance, GammaRate, Kinds, Length, Multiple, require_interval
from tempo.forecasting.onsets import Onset, onset_words, said_onset
from tempo.forecasting.said_rates import MULTIPLE_FORMS, multiple_interval, rate_interval
from tempo.forecasting.spans import chance_interval, is_number, length_interval

__all__ = ["Breakdown", "Phase", "said_length", "said_multiple", "said_rate"]

type Rate = GammaRate | Multiple | Continued | Literal["past"] | None

_FOLLOWS = ("return", "next", "end")


@dataclass(frozen=True, slots=True)
class Breakdown:
    """How a phase may end before its time.

    Attributes
    ----------
    chance : Chance
        Probability that it breaks down within ``days``.
    days : float
        At a constant hazard, so that twice the time gives the same chance again.

    Examples
    --------
    >>> Breakdown(Chance(0.2, 0.4), 30).words
    'breaks down with a chance of 20 % to 40 % in 30 days'
    """

    chance: Chance
    days: float

    @property
    def words(self) -> str:
        """The chance in words."""
        unit = {days: f"a {name}" for name, days in DAYS_PER.items()}
        time = unit.get(self.days, f"in {number(self.days, 4)} days")
        return f"breaks down with a chance of {self.chance.words} {time}"


@dataclass(frozen=True, slots=True)
class Phase:
    """One part of a scenario, as it is stored; ``Phase.of`` makes one from words.

    What a phase leaves out (rate, kinds, branching, lethality) is as in the first phase.

    Attributes
    ----------
    name : str
        What to call it.
    rate : GammaRate, Multiple, Continued, "past" or None
        Attacks per day; "past": learned from the earlier days of the data that the scenario is told about.
    onset : (first, stop), str or None
        It begins on a day of this half-open stretch, each day alike; "after" the phase before it; "now", or days before
        or after now ("30D", "in 14 to 42 days"), until the scenario knows when that is. None: it is the first phase.
    duration : Length or None
        How long it lasts; None: until a later phase begins.
    then : {"return", "next", "end"}
        What follows its end: the first phase again, the next phase, or no attacks at all.
    breakdown : Breakdown or None
        How it may end before its time.
    kinds : Kinds, "past" or None
        Shares of the kinds of attack.
    branching : Chance or None
        Attacks that each attack sets off.
    lethality : Chance, "past" or None
        Probability that an attack kills anyone.

    Examples
    --------
    >>> Phase.of("campaign", "x3 to x8", onset="2020-03-01", duration="2-6 weeks").words
    '3 to 8 times the earlier rate, from 2020-03-01, for 14 to 42 days'
    """

    name: str
    rate: Rate = None
    onset: Onset = None
    duration: Length | None = None
    then: Literal["return", "next", "end"] = "return"
    breakdown: Breakdown | None = None
    kinds: Kinds | Literal["past"] | None = field(default=None)
    branching: Chance | None = None
    lethality: Chance | Literal["past"] | None = None

    @classmethod
    def of(
        cls,
        name: str,
        rate: str | tuple[float, float] | Rate = None,
        *,
        onset: str | DateLike | tuple[DateLike, DateLike] | None = None,
        duration: str | tuple[float, float] | None = None,
        then: Literal["return", "next", "end"] = "return",
        breakdown: str | tuple[float, float] | None = None,
        kinds: Mapping[str, float] | Kinds | Literal["past"] | None = None,
        branching: str | tuple[float, float] | None = None,
        lethality: str | tuple[float, float] | Literal["past"] | None = None,
        prob: float = 0.9,
    ) -> Self:
        """Make a phase from words and numbers.

        Parameters
        ----------
        name : str
            What to call it.
        rate : str, (low_per_day, high_per_day), optional
            "one every 2-3 months", "3-5 a week", "2-3 attacks a month"; "x3 to x8 of the last year", "half to a third"
            (of the first phase); "past": learned from the data; left out: as in the first phase.
        onset : str, date or (date, date), optional
            "now", a date, a month ("2020-03": on a day of it), two dates (of a pair the second is excluded; in words,
            "2020-03-01 to 2020-03-12", both are included), "30D" (within the last 30 days), "6-10 weeks ago", "in 2-6
            weeks", or "after" the phase before it.
        duration : str or (low, high) in days, optional
            "2-6 weeks", "3 weeks" (give or take a quarter), "about 3 weeks" (half), "at least a month", "up to 2
            weeks". Left out: it lasts.
        then : {"return", "next", "end"}, default "return"
            What follows its end: the first phase again, the next phase, no attacks at all.
        breakdown : str or (low, high) a month, optional
            "20-40 % a month": the chance that it ends before its time.
        kinds : mapping of str to float, Kinds or "past", optional
            Share of each kind; a mapping is worth 20 attacks.
        branching : str or (low, high), optional
            Attacks that each attack sets off, below 1: (0.3, 0.6) or "30-60 %".
        lethality : str, (low, high) or "past", optional
            Probability that an attack kills anyone: "10-30 %".
        prob : float, default 0.9
            Probability of every interval.

        Returns
        -------
        Phase
            With distributions in place of words.

        Raises
        ------
        ScenarioError
            If something is not understood; the message lists the accepted forms.
        """
        if not is_number(prob) or not 0 < prob < 1:
            raise ScenarioError(f"prob is {prob!r}; expected a probability between 0 and 1.")
        if then not in _FOLLOWS:
            raise ScenarioError(
                f"then is {then!r}; expected 'return' (the first phase again), 'next' (the next phase) or 'end' (no "
                "more attacks)."
            )
        return cls(
            name=str(name),
            rate=said_rate(rate, prob),
            onset=None if onset is None else said_onset(onset),
            duration=None if duration is None else said_length(duration, prob),
            then=then,
            breakdown=None if breakdown is None else _said_breakdown(breakdown, prob),
            kinds=Kinds.of(dict(kinds)) if isinstance(kinds, Mapping) else _kinds(kinds),
            branching=None if branching is None else _said_chance(branching, "branching", prob),
            lethality=None if lethality is None else _said_lethality(lethality, prob),
        )

    @property
    def when(self) -> str:
        """Its onset in words; empty for the first phase."""
        return onset_words(self.onset)

    @property
    def words(self) -> str:
        """The phase in words, without its name."""
        if isinstance(self.rate, GammaRate | Multiple | Continued):
            rate = self.rate.words
        else:
            rate = "the earlier rate" if self.rate is None else "the rate of the past"
        parts = [rate, self.when]
        if self.duration is not None:
            parts.append(f"for {self.duration.words}")
        if self.breakdown is not None:
            parts.append(self.breakdown.words)
        if self.branching is not None:
            low, high = self.branching.first, self.branching.second
            parts.append(f"each attack sets off {interval(low, high)} others")
        if self.lethality is not None:
            learned = not isinstance(self.lethality, Chance) or self.lethality.learned
            known = "the past share" if self.lethality == "past" else self.lethality.words
            parts.append(f"{known} of attacks kill{' (as in the past)' if learned else ''}")
        if self.kinds is not None:
            parts.append(
                self.kinds.words if isinstance(self.kinds, Kinds) else "kinds as in the past"
            )
        if self.then == "end" and (self.duration or self.breakdown):
            parts.append("and then no more attacks")
        return ", ".join(part for part in parts if part)


def said_rate(rate: str | tuple[float, float] | Rate, prob: float) -> Rate:
    """Understand a rate in any accepted form.

    Parameters
    ----------
    rate : str, (low_per_day, high_per_day), GammaRate, Multiple, Continued or None
        What was said.
    prob : float
        Probability of the interval.

    Returns
    -------
    GammaRate, Multiple, Continued, "past" or None
        A distribution, or the wish to learn one.

    Raises
    ------
    ScenarioError
        If it is not understood.

    Examples
    --------
    >>> said_rate("x3-8 of the last year", 0.9).base_days
    365
    """
    if rate is None or isinstance(rate, GammaRate | Multiple | Continued):
        return rate
    if isinstance(rate, str):
        if rate.strip().lower() == "past":
            return "past"
        multiple = multiple_interval(rate)
        if multiple is not None:
            return Multiple(multiple.low, multiple.high, prob, multiple.base_days)
        said = rate_interval(rate)
        return GammaRate.within(said.low_per_day, said.high_per_day, said.words, prob)
    try:
        low, high = (float(value) for value in rate)
    except (TypeError, ValueError) as error:
        raise ScenarioError(
            f"the rate is {rate!r}; expected words such as '2-3 months', or two rates per day."
        ) from error
    return GammaRate.within(low, high, f"{number(low)} to {number(high)} a day", prob)


def _kinds(kinds: Kinds | Literal["past"] | None) -> Kinds | Literal["past"] | None:
    if kinds is None or kinds == "past" or isinstance(kinds, Kinds):
        return kinds
    raise ScenarioError(f"kinds are {kinds!r}; expected a share for each kind, or 'past'.")


def said_length(duration: str | tuple[float, float], prob: float) -> Length:
    """Understand a length in any accepted form.

    Parameters
    ----------
    duration : str or (low, high) in days
        "2-6 weeks", "at least 30 days", (14, 42).
    prob : float
        Probability of the interval.

    Returns
    -------
    Length
        Log-normal, or open on one side.

    Raises
    ------
    ScenarioError
        If it is not understood.

    Examples
    --------
    >>> said_length("2-6 weeks", 0.9).words
    '14 to 42 days'
    """
    if isinstance(duration, str):
        return Length(*length_interval(duration), prob)
    example = "'2-6 weeks' or (14, 42) in days"
    return Length(*require_interval(duration, "duration", example=example), prob)


def said_multiple(ends: str | tuple[float, float], what: str, prob: float) -> Multiple:
    """Understand a multiple of an earlier rate in any accepted form.

    Parameters
    ----------
    ends : str or (low, high)
        "x3 to x8 of the last year", "a tenth to a half", (3, 8).
    what : str
        What it is, for the message.
    prob : float
        Probability of the interval.

    Returns
    -------
    Multiple
        Log-normal.

    Raises
    ------
    ScenarioError
        If it is not understood.

    Examples
    --------
    >>> said_multiple((3, 8), "rate_multiplier", 0.9).words
    '3 to 8 times the earlier rate'
    """
    if isinstance(ends, str):
        said = multiple_interval(ends)
        if said is None:
            raise ScenarioError(
                f"cannot read {what} {ends!r}. Accepted forms: {MULTIPLE_FORMS}; or two numbers such as (3, 8)."
            )
        return Multiple(said.low, said.high, prob, said.base_days)
    return Multiple(*require_interval(ends, what), prob)


def _said_breakdown(breakdown: str | tuple[float, float], prob: float) -> Breakdown:
    if isinstance(breakdown, str):
        low, high, days = chance_interval(breakdown)
        if days is None:
            raise ScenarioError(
                f"breakdown is {breakdown!r}, which gives no time. Write for example '20-40 % a month'."
            )
        return Breakdown(Chance(low, high, prob), days)
    low, high = require_interval(breakdown, "breakdown", below=1.0, example="'20-40 % a month'")
    return Breakdown(Chance(low, high, prob), DAYS_PER["month"])


def _said_lethality(said: str | tuple[float, float], prob: float) -> Chance | Literal["past"]:
    if isinstance(said, str) and said.strip().lower() == "past":
        return "past"
    return _said_chance(said, "lethality", prob)


def _said_chance(said: str | tuple[float, float], what: str, prob: float) -> Chance:
    if isinstance(said, str):
        if re.fullmatch(r"\s*0?\.\d+\s*(?:-|–|to)\s*0?\.\d+\s*", said):
            low, high = (float(part) for part in re.split(r"-|–|to", said))
            return Chance(
                *require_interval((low, high), what, below=1.0, example="(0.3, 0.6)"), prob
            )
        low, high, days = chance_interval(said)
        if days is not None:
            raise ScenarioError(
                f"{what} is {said!r}, a chance over a time. Write for example '10-30 %'."
            )
        return Chance(low, high, prob)
    return Chance(*require_interval(said, what, below=1.0, example="(0.1, 0.3)"), prob)
