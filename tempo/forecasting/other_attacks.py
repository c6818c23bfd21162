"""Stories that learned from other attacks than those that are to judge them, such as under another counting rule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tempo.data.counts import Counts
from tempo.data.incidents import Incidents
from tempo.data.rounding import counted, number
from tempo.data.window import DAY
from tempo.forecasting.daily import daily_series
from tempo.forecasting.laws import GammaRate, Multiple
from tempo.forecasting.scenarios import Scenario

__all__ = ["other_attacks"]

_LEARNED = 0.5  # what the Jeffreys prior adds to a number of attacks


def other_attacks(
    scenarios: Sequence[Scenario], past: Incidents | Counts | pd.Series
) -> tuple[str, ...]:
    """Say which stories learned a rate from attacks that cannot be those that are to judge them.

    The days that both know must hold the same number. Where the story learned from more days than the record holds,
    the record cannot hold more attacks of them, and where it learned from fewer, not fewer attacks; what could be the
    same attacks is not named. A record that has since received late reports may hold more.

    Parameters
    ----------
    scenarios : sequence of Scenario
        With what they learned.
    past : Incidents, Counts or Series
        The attacks that are to judge them.

    Returns
    -------
    tuple of str
        One sentence for each of them.

    Examples
    --------
    >>> days = pd.date_range("2020-01-01", periods=100)
    >>> all_attacks, few = pd.Series(1, index=days), pd.Series([1] + [0] * 99, index=days)
    >>> other_attacks([Scenario.escalation(few)], few)
    ()
    >>> print(other_attacks([Scenario.escalation(all_attacks)], few)[0][:94])
    'escalation' learned from 70 attacks in the 70 observed days before 2020-03-11; the data to be
    """
    learned = [(story, rate) for story in scenarios for rate in _rates(story)]
    if not learned:
        return ()
    series = daily_series(past, 20, 0)  # as the stories learn from them
    late = isinstance(past, Incidents) and "reported_at" in past.table
    label = series[0].label
    notes: dict[str, str] = {}
    for story, rate in learned:
        until = story.learned_until
        assert until is not None
        known, days = _held(series, until, int(rate.learned) if rate.learned.isdigit() else None)
        told = rate.shape - _LEARNED
        unsure = 1e-6 + 3.0 * float(np.sqrt(series[0].n_imputed))
        fewer = days > rate.rate_days - 0.5 and known < told - unsure
        more = 0 < days < rate.rate_days + 0.5 and known > told + unsure and not late
        if story.name not in notes and (fewer or more):
            notes[story.name] = (
                f"{story.name!r} learned from {counted(told, 'attacks')} in the {number(rate.rate_days, 3)} observed "
                f"days before {until:%Y-%m-%d}; the data to be judged hold {counted(known, label)} in "
                f"{number(days, 3)} observed days before then. It speaks of other attacks, such as another counting "
                "rule, and the odds compare what cannot be compared. Tell it about the same ones: scenario.about(past)."
            )
    return tuple(notes.values())


def _rates(story: Scenario) -> list[GammaRate]:
    if story.learned_until is None:
        return []
    rates = (
        phase.rate.base if isinstance(phase.rate, Multiple) else phase.rate
        for phase in story.phases
    )
    return [rate for rate in rates if isinstance(rate, GammaRate) and rate.learned]


def _held(series: Sequence[Counts], until: pd.Timestamp, last: int | None) -> tuple[float, float]:
    """Give the attacks, and the observed days, of the record before a date, or of its last so many days."""
    first = pd.Timestamp.min if last is None else until - last * DAY
    rows = np.asarray((series[0].bin_ends <= until) & (series[0].bin_starts >= first))
    values = [np.nansum(one.to_numpy(dtype=float)[rows]) for one in series]
    return float(np.mean(values)), float(series[0].exposure.to_numpy(dtype=float)[rows].sum())
