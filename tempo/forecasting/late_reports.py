"""Late reports: the share of each day's attacks that is in the record by now, and what was learned from such days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.counts import Counts
from tempo.data.incidents import Incidents
from tempo.data.reporting import ReportingDelay, reporting_delay
from tempo.data.rounding import counted
from tempo.data.window import DAY
from tempo.errors import ScenarioError
from tempo.forecasting.resolving import reported_by_now
from tempo.forecasting.scenarios import Scenario
from tempo.forecasting.spans import length_interval

__all__ = ["late_notes", "reported_by_age", "reported_curves", "reported_story", "said_delay"]

type Floats = NDArray[np.float64]

_LATE = 0.995  # a day whose attacks are reported to this share counts as whole


def said_delay(
    delay: ReportingDelay | str | None, past: Incidents | Counts | pd.Series
) -> ReportingDelay | None:
    """Understand a reporting delay in any accepted form.

    Parameters
    ----------
    delay : ReportingDelay, str or None
        What was said: "2-14 days", "learn", or a distribution.
    past : Incidents, Counts or Series
        What it is learned from.

    Returns
    -------
    ReportingDelay or None
        None where all attacks are in the record.

    Raises
    ------
    ScenarioError
        If it is not understood, or the past cannot say.

    Examples
    --------
    >>> said_delay("2-14 days", pd.Series(dtype=float)).days_until(0.5)
    5
    """
    if delay is None or isinstance(delay, ReportingDelay):
        return delay
    if delay == "learn":
        if not isinstance(past, Incidents):
            raise ScenarioError(
                "delay='learn' needs the dates on which attacks were reported, which counts do not hold. Pass the "
                "incidents, or state the delay, such as '2-14 days'."
            )
        return reporting_delay(past)
    return ReportingDelay.within(*length_interval(delay))


def reported_curves(
    delay: ReportingDelay | None, counts: Counts, past: Incidents | Counts | pd.Series
) -> Floats | None:
    """Give the share of the attacks of each day that is in the record by now.

    Parameters
    ----------
    delay : ReportingDelay or None
        How long attacks take to be reported.
    counts : Counts
        Daily counts of the record.
    past : Incidents, Counts or Series
        The record, which may hold reports of later days than its last one.

    Returns
    -------
    ndarray of float, shape (curves, days), or None
        Shares above 0.995 are taken for 1; None without a delay.

    Examples
    --------
    >>> from tempo.data.counts import as_counts
    >>> past = as_counts(pd.Series(1, index=pd.date_range("2020-01-01", periods=40)))
    >>> reported_curves(ReportingDelay.within(2, 14), past, past)[0, [0, -6, -1]].round(2).tolist()
    [1.0, 0.58, 0.0]
    """
    if delay is None:
        return None
    last = counts.end - DAY  # on which reports were taken in
    if isinstance(past, Incidents) and past.cutoff is None and "reported_at" in past.table:
        latest = past.table["reported_at"].max()
        if pd.notna(latest):  # a record that was not cut holds what was reported after its last day
            last = max(last, latest.normalize())
    age = np.asarray((last - counts.bin_starts) / DAY, dtype=int)
    curves = delay.reported_share(age)
    return np.where(curves > _LATE, 1.0, curves)


def reported_by_age(delay: ReportingDelay | None, days: int) -> Floats | None:
    """Give the share of the attacks of a day that is in the record so many days later.

    Parameters
    ----------
    delay : ReportingDelay or None
        How long attacks take to be reported.
    days : int
        How many.

    Returns
    -------
    ndarray of float, shape (curves, days), or None
        After 0, 1, 2, … days. Shares above 0.995 are taken for 1; None without a delay.

    Examples
    --------
    >>> reported_by_age(ReportingDelay.within(2, 14), 40)[0, [0, 5, 39]].round(2).tolist()
    [0.0, 0.58, 1.0]
    """
    if delay is None:
        return None
    share = delay.reported_share(np.arange(days))
    return np.where(share > _LATE, 1.0, share)


def reported_story(story: Scenario, watched: Counts, curves: Floats | None) -> Scenario:
    """Let the days from which a story learned its rates count for the share of their attacks that is reported.

    Parameters
    ----------
    story : Scenario
        With what it learned.
    watched : Counts
        Daily counts of the record.
    curves : ndarray of float, shape (curves, days), or None
        Share of the attacks of each day that is in the record by now.

    Returns
    -------
    Scenario
        The same one where nothing is missing.

    Examples
    --------
    >>> from tempo.data.counts import as_counts
    >>> past = as_counts(pd.Series(1, index=pd.date_range("2020-01-01", periods=40)))
    >>> truce = Scenario.ceasefire(past)
    >>> reported_story(truce, past, np.full((1, 40), 0.5)).rate.rate_days
    20.0
    """
    if curves is None or story.learned_until is None:
        return story
    phases = reported_by_now(story.phases, story.learned_until, watched, curves)
    return story if phases == story.phases else replace(story, phases=phases)


def late_notes(
    scenarios: Sequence[Scenario], watched: Counts, curves: Floats | None
) -> tuple[str, ...]:
    """Say which stories learned from days whose attacks are not all in the record yet.

    Parameters
    ----------
    scenarios : sequence of Scenario
        Before they are corrected.
    watched : Counts
        Daily counts of the record.
    curves : ndarray of float, shape (curves, days), or None
        Share of the attacks of each day that is in the record by now.

    Returns
    -------
    tuple of str
        One note for each of them.

    Examples
    --------
    >>> late_notes([Scenario.every("2-3 months", name="sporadic")], None, None)
    ()
    """
    if curves is None:
        return ()
    partly = (curves.mean(axis=0) < 1) & (watched.exposure.to_numpy(dtype=float) > 0)
    notes = []
    for story in scenarios:
        if story.learned_until is None:
            continue
        days = int(np.sum(partly & np.asarray(watched.bin_starts < story.learned_until)))
        if not days:
            continue
        many = counted(days, "days")
        if story.continues_fit:
            notes.append(
                f"The fit that {story.name!r} continues read its last {many} as whole, although reports come late, so "
                "that its rate may be too low. Fit the model to days that are fully reported."
            )
        elif reported_story(story, watched, curves) is not story:
            notes.append(
                f"What {story.name!r} learned of the rate counts its last {many} only in part, because reports come "
                "late."
            )
    return tuple(notes)
