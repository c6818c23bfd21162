"""The two scenarios that a briefing weighs when its author names none: continuation and escalation."""

from __future__ import annotations

import numpy as np

from tempo.data.incidents import Incidents
from tempo.data.rounding import number
from tempo.forecasting.scenarios import Scenario

__all__ = ["DEFAULT_PRIOR", "default_scenarios"]

#: Prior of the default scenarios: most months are no prelude, and a few events must not read as a trend.
DEFAULT_PRIOR = (0.9, 0.1)


def default_scenarios(past: Incidents) -> list[Scenario]:
    """Give the two scenarios that a briefing weighs when none are named.

    "Continuation" is the past rate, said as the central 80 % interval of its posterior under a Jeffreys prior;
    "escalation" is three to eight times that rate.

    Parameters
    ----------
    past : Incidents
        What is counted.

    Returns
    -------
    list of Scenario
        Continuation and escalation.
    """
    from scipy.stats import gamma

    low, high = gamma.ppf(np.array([0.1, 0.9]), len(past) + 0.5, scale=1 / past.window.days)
    # A short past still needs days before the onset, from which the earlier rate is learned.
    onset = min(30, max(int(past.window.length_days) // 3, 1))
    return [
        Scenario.every(_gap_in_words(1 / high, 1 / low), name="continuation"),
        Scenario.escalation(past, rate_multiplier=(3, 8), onset=f"{onset}D", name="escalation"),
    ]


def _gap_in_words(low_days: float, high_days: float) -> str:
    """Write a range of gaps in a unit that keeps its numbers readable, for example "2-3.5 months"."""
    if high_days < 2:
        return f"{_range(1 / high_days, 1 / low_days)} a day"
    for unit, length in (("months", 365.25 / 12), ("weeks", 7.0), ("days", 1.0)):
        if low_days >= 1.5 * length or unit == "days":
            break
    return f"{_range(low_days / length, high_days / length)} {unit}"


def _range(low: float, high: float) -> str:
    """Write a range with as few digits as still tell its ends apart."""
    for digits in range(2, 9):
        first, last = (number(value, digits).replace(",", "") for value in (low, high))
        if first != last:
            break
    return f"{first}-{last}"
