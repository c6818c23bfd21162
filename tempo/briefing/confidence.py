"""Confidence: how far the evidence carries the judgements, apart from how likely anything is.

Confidence is about the basis of a judgement (number of events, checks, agreement of models and of
counting rules, record of past forecasts). It is worked out by the rule of `assess_confidence`, printed
with its reasons, and never stands in one sentence with a likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tempo.briefing.phrases import plural
from tempo.briefing.wording import whole_percent
from tempo.data.rounding import percent

__all__ = ["Confidence", "Level", "assess_confidence"]

type Level = Literal["low", "moderate", "high"]
_LEVELS: tuple[Level, ...] = ("low", "moderate", "high")


@dataclass(frozen=True, slots=True)
class Confidence:
    """A level of confidence with its reasons.

    Attributes
    ----------
    level : {"low", "moderate", "high"}
        The level.
    reasons : tuple of str
        Why, one sentence each, the heaviest weakness first.
    """

    level: Level
    reasons: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The level in a sentence of its own, which holds no likelihood."""
        return f"Confidence in these judgements is {self.level}."


def assess_confidence(
    *,
    n_events: int,
    checks_failed: int,
    spread: float | None,
    n_inexact: int,
    n_undecided: int,
    gain_over_baseline: float | None,
    rules_agree: bool | None = None,
    checks_untested: int = 0,
    baseline_failed: bool = False,
) -> Confidence:
    """Give the level of confidence that the evidence supports, with its reasons.

    It starts at high and is capped by each weakness; the lowest cap holds.

    ====================================================  ========
    weakness                                              cap
    ====================================================  ========
    fewer than 25 events                                  low
    25 to 99 events                                       moderate
    a failed check                                        low
    a check that could not be run                         moderate
    models differ by more than 20 points                  low
    models differ by more than 10 points                  moderate
    more than a quarter of rows undecided, or of dates    low
    more than a tenth of rows undecided, or of dates      moderate
    only one model could be fitted                        moderate
    no gain over a constant rate, or none measured        moderate
    other counting rules give another answer              moderate
    ====================================================  ========

    Parameters
    ----------
    n_events : int
        Events that the models were fitted to.
    checks_failed : int
        Checks that failed of models other than the constant rate.
    spread : float or None
        Largest difference between the models' probabilities at one horizon, between 0 and 1;
        ``None`` where only one model could be fitted.
    n_inexact : int
        Counted events that are dated only to an interval of days.
    n_undecided : int
        Rows beside them that the counting rule could not decide.
    gain_over_baseline : float or None
        Out-of-sample log score against a constant rate, in nats; ``None`` where not measured.
    rules_agree : bool or None, optional
        Whether other counting rules lead to the same word; ``None`` where there was no other.
    checks_untested : int, default 0
        Model checks that could not be run, for want of events.
    baseline_failed : bool, default False
        Whether the constant rate failed a check, which is no weakness of the others.

    Returns
    -------
    Confidence
        Level and reasons.

    Examples
    --------
    >>> found = assess_confidence(
    ...     n_events=12, checks_failed=0, spread=0.04, n_inexact=0, n_undecided=0, gain_over_baseline=-0.4
    ... )
    >>> found.level
    'low'
    >>> found.reasons[0]
    'Only 12 events: too few to tell one kind of pattern from another, so much rests on assumptions.'
    """
    found = [
        _events(n_events),
        _checks(checks_failed, checks_untested, baseline_failed=baseline_failed),
        _agreement(spread),
        _baseline(gain_over_baseline),
    ]
    if n_undecided:
        share = n_undecided / (n_events + n_undecided)
        found.append(
            (
                0 if share > 0.25 else 1 if share > 0.1 else 2,
                f"The counting rule left {plural(n_undecided, 'row')} undecided, beside {n_events:,} counted.",
            )
        )
    if n_inexact:
        share = n_inexact / n_events
        found.append(
            (
                0 if share > 0.25 else 1 if share > 0.1 else 2,
                f"{percent(share)} of the events lack an exact day.",
            )
        )
    if rules_agree is not None:
        answer = "the same word" if rules_agree else "another word"
        found.append((2 if rules_agree else 1, f"Other counting rules lead to {answer}."))
    level = _LEVELS[min(cap for cap, _ in found)]
    found.sort(key=lambda item: item[0])
    return Confidence(level, tuple(text for _, text in found))


def _events(n: int) -> tuple[int, str]:
    if n < 25:
        counted = "No event at all" if n == 0 else f"Only {n} event{'' if n == 1 else 's'}"
        return 0, (
            f"{counted}: too few to tell one kind of pattern from another, so much rests on "
            "assumptions."
        )
    if n < 100:
        return 1, f"{n:,} events support a rate, but not the finer features of a pattern."
    return 2, f"{n:,} events are a broad basis."


def _checks(failed: int, untested: int, *, baseline_failed: bool) -> tuple[int, str]:
    if failed:
        return 0, f"{failed} model check{'' if failed == 1 else 's'} failed."
    if untested:
        return (
            1,
            f"{untested} model check{'' if untested == 1 else 's'} could not be run, for want of events.",
        )
    if baseline_failed:
        return 2, "The constant rate failed a check; all checks of the other models passed."
    return 2, "All model checks passed."


def _agreement(spread: float | None) -> tuple[int, str]:
    if spread is None:
        return 1, "Only one model could be fitted, so none could contradict it."
    points = whole_percent(spread)
    shown = f"{points} percentage point{'' if points == 1 else 's'}"
    if points > 10:
        return 0 if points > 20 else 1, f"The models differ by up to {shown} at the same horizon."
    shown = "less than one percentage point" if points < 1 else shown
    return 2, f"The models agree to within {shown} at every horizon."


def _baseline(gain: float | None) -> tuple[int, str]:
    if gain is None:
        return 1, "No comparison with a constant rate could be made."
    if gain <= 0:
        return 1, "Out of sample, the models were no better than a constant rate."
    return 2, "Out of sample, the models were better than a constant rate."
