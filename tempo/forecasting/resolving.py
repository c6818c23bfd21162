"""Making phases into a story: what is now, what is learned from the past, and whether they fit together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.counts import Counts
from tempo.data.incidents import Incidents
from tempo.errors import ScenarioError
from tempo.forecasting.continuations import Continued
from tempo.forecasting.daily import daily_series
from tempo.forecasting.killed import Killed
from tempo.forecasting.laws import Chance, GammaRate, Kinds, Length, Multiple, Spread
from tempo.forecasting.learning import learned_kinds, learned_lethality, learned_rate, of_reported
from tempo.forecasting.onsets import begun
from tempo.forecasting.phases import Phase

__all__ = ["check_story", "learns", "reported_by_now", "resolved", "unlearned"]

type Past = Incidents | Counts | pd.Series


def learns(phase: Phase) -> bool:
    """Say whether a phase learns, or has learned, anything from the past.

    Parameters
    ----------
    phase : Phase
        Resolved or not.

    Returns
    -------
    bool
        True where other data would change it.

    Examples
    --------
    >>> learns(Phase("earlier", "past")), learns(Phase.of("steady", "2-3 months"))
    (True, False)
    """
    return (
        unlearned(phase) != phase
        or any(value == "past" for value in (phase.rate, phase.kinds, phase.lethality))
        or (isinstance(phase.rate, Multiple) and phase.rate.base_days is not None)
    )


def unlearned(phase: Phase) -> Phase:
    """Give the phase with everything that was learned put back to what is to be learned.

    Parameters
    ----------
    phase : Phase
        Resolved.

    Returns
    -------
    Phase
        The same onset and length.

    Examples
    --------
    >>> unlearned(Phase("earlier", GammaRate(2.5, 30, "2 in 30 days", "past"))).rate
    'past'
    """
    rate, kinds, lethality = phase.rate, phase.kinds, phase.lethality
    if isinstance(rate, GammaRate) and rate.learned:
        rate = "past"
    elif isinstance(rate, Multiple) and rate.base is not None:
        rate = replace(rate, base=None)
    if isinstance(kinds, Kinds) and kinds.learned:
        kinds = "past"
    if isinstance(lethality, Chance) and lethality.learned:
        lethality = "past"
    return replace(phase, rate=rate, kinds=kinds, lethality=lethality)


def resolved(
    name: str,
    phases: tuple[Phase, ...],
    past: Past | None,
    until: pd.Timestamp | None = None,
) -> tuple[tuple[Phase, ...], pd.Timestamp | None]:
    """Put dates in place of "now", and distributions in place of "past".

    Parameters
    ----------
    name : str
        Of the story, for messages.
    phases : tuple of Phase
        As they were said.
    past : Incidents, Counts, Series or None
        The data that the story is about.
    until : pandas.Timestamp, optional
        Learn from the days before this one; left out, before the first on which the story may leave its first phase.

    Returns
    -------
    phases : tuple of Phase
        With nothing left open.
    learned_until : pandas.Timestamp or None
        Days before this one were used; None where nothing was learned.

    Raises
    ------
    ScenarioError
        If the past is needed and left out, or holds too little.

    Examples
    --------
    >>> days = pd.Series(1, index=pd.date_range("2020-01-01", periods=40))
    >>> _, until = resolved("s", (Phase("earlier", "past"), Phase.of("later", "x2-4", onset="30D")), days)
    >>> until.date().isoformat()
    '2020-01-11'
    """
    learning = any(learns(phase) for phase in phases)
    dated = any(isinstance(phase.onset, str) and phase.onset != "after" for phase in phases)
    fits = [phase.rate.start for phase in phases if isinstance(phase.rate, Continued)]
    if past is None:
        if learning or dated:
            what = "learns from the past" if learning else "begins now"
            raise ScenarioError(
                f"a phase of {name!r} {what}, but no past was given. Pass past=, the attacks up to now."
            )
        return phases, max(fits, default=None)
    series = daily_series(past, 20, 0)
    end = series[0].end
    told = [replace(phase, onset=begun(phase.onset, end)) for phase in phases]
    if not learning:
        return tuple(told), max(fits, default=None)
    if until is None:
        until = min([end, *(phase.onset[0] for phase in told if isinstance(phase.onset, tuple))])
    for i, phase in enumerate(told):
        rate, kinds, lethality = phase.rate, phase.kinds, phase.lethality
        if rate == "past":
            rate = learned_rate(series, until)
        elif isinstance(rate, Multiple) and rate.base_days is not None:
            rate = replace(rate, base=learned_rate(series, until, rate.base_days))
        if kinds == "past":
            kinds = learned_kinds(_incidents(past, "kinds"), until)
        if lethality == "past":
            lethality = learned_lethality(_incidents(past, "lethality"), until)
        told[i] = replace(phase, rate=rate, kinds=kinds, lethality=lethality)
    return tuple(told), max([until, *fits])


def reported_by_now(
    phases: tuple[Phase, ...], until: pd.Timestamp, watched: Counts, curves: NDArray[np.float64]
) -> tuple[Phase, ...]:
    """Correct the rates that phases learned for attacks that are not in the record yet.

    Parameters
    ----------
    phases : tuple of Phase
        Resolved.
    until : pandas.Timestamp
        Days before this one were used.
    watched : Counts
        Daily counts of the record.
    curves : ndarray of float, shape (curves, days)
        Share of the attacks of each day of the record that has been reported by now.

    Returns
    -------
    tuple of Phase
        Equal to what was given where nothing was learned, or everything is reported. Shares of kinds and of lethal
        attacks stay, because attacks of all kinds are taken to be reported alike.

    Examples
    --------
    >>> from tempo.data.counts import as_counts
    >>> days = as_counts(pd.Series(1, index=pd.date_range("2020-01-01", periods=40)))
    >>> phases, until = resolved("s", (Phase("steady", "past"),), days)
    >>> reported_by_now(phases, until, days, np.full((1, 40), 0.5))[0].rate.rate_days
    20.0
    """
    # Learning ends where the story may first leave its first phase; a fit that it continues may know later days.
    until = min([until, *(phase.onset[0] for phase in phases if isinstance(phase.onset, tuple))])
    told = []
    for phase in phases:
        rate = phase.rate
        if isinstance(rate, GammaRate) and rate.learned:
            rate = of_reported(rate, until, watched, curves)
        elif isinstance(rate, Multiple) and rate.base is not None:
            rate = replace(rate, base=of_reported(rate.base, until, watched, curves))
        told.append(replace(phase, rate=rate))
    return tuple(told)


def _incidents(past: Past, what: str) -> Incidents:
    if isinstance(past, Incidents):
        return past
    raise ScenarioError(
        f"{what} are to be learned from the past, which counts do not hold. Pass the incidents themselves."
    )


def check_story(
    name: str,
    phases: tuple[Phase, ...],
    half_life: Length | None,
    dispersion: Spread | None,
    deaths: Killed | None,
) -> None:
    """Refuse phases that do not make a story.

    Parameters
    ----------
    name : str
        Of the story.
    phases : tuple of Phase
        Resolved.
    half_life, dispersion, deaths : Length, Spread, Killed or None
        What holds for the whole story.

    Raises
    ------
    ScenarioError
        With what to change.

    Examples
    --------
    >>> check_story("s", (Phase.of("steady", "2-3 months"),), None, None, None)
    """
    if not isinstance(name, str) or not name.strip() or name.splitlines() != [name]:
        raise ScenarioError(
            f"a scenario is called {name!r}; expected a name on one line, which charts and sentences can show."
        )
    if not phases or not all(isinstance(phase, Phase) for phase in phases):
        raise ScenarioError(
            f"{name!r} has phases {phases!r}; expected at least one Phase. Make one with tempo.Phase.of(name, rate, …)."
        )
    first = phases[0]
    if first.onset is not None or first.duration is not None or first.breakdown is not None:
        raise ScenarioError(
            f"the first phase of {name!r} has an onset or an end, but it holds wherever no other phase does. Leave "
            "them out, and give the next phase its onset."
        )
    _check_rates(name, phases)
    _check_order(name, phases)
    contagious = any(phase.branching is not None for phase in phases)
    fitted = isinstance(first.rate, Continued) and first.rate.branching is not None
    if (contagious or half_life is not None) and fitted:
        raise ScenarioError(
            f"{name!r} continues a fit with contagion of its own. Leave branching and half_life out."
        )
    if contagious != (half_life is not None):
        raise ScenarioError(
            f"{name!r} has {'branching' if contagious else 'a half-life'} but no "
            f"{'half-life' if contagious else 'branching'}. Give both (half_life='3-14 days' holds for the whole "
            "story), or neither."
        )
    if half_life is not None and not 0 < half_life.low < half_life.high < float("inf"):
        raise ScenarioError(
            f"the half-life is {half_life.words}; expected two ends, such as '3-14 days'."
        )
    if (
        dispersion is not None
        and isinstance(first.rate, Continued)
        and first.rate.dispersion is not None
    ):
        raise ScenarioError(
            f"{name!r} continues a fit with an overdispersion of its own. Leave dispersion out."
        )
    for what in ("kinds", "lethality"):
        if getattr(first, what) is None and any(
            getattr(phase, what) is not None for phase in phases
        ):
            raise ScenarioError(
                f"a later phase of {name!r} has {what}, but the first phase has none to begin with. Give it to both."
            )
    names = {phase.kinds.names for phase in phases if isinstance(phase.kinds, Kinds)}
    if len(names) > 1:
        raise ScenarioError(
            f"the phases of {name!r} name different kinds: {sorted(names)}. Give each phase a share for every kind, in "
            "the same order."
        )
    if deaths is not None and first.lethality is None:
        raise ScenarioError(
            f"{name!r} says how many a lethal attack kills, but not how many attacks are lethal. Give the first phase "
            "a lethality, such as '10-30 %'."
        )


def _check_rates(name: str, phases: tuple[Phase, ...]) -> None:
    for i, phase in enumerate(phases):
        unlearnt = (
            "past" in (phase.rate, phase.kinds, phase.lethality)
            if not isinstance(phase.rate, Continued)
            else False
        )
        open_base = isinstance(phase.rate, Multiple) and (
            (phase.rate.base_days is None) != (phase.rate.base is None)
        )
        if unlearnt or open_base or (isinstance(phase.onset, str) and phase.onset != "after"):
            raise ScenarioError(
                f"the phase {phase.name!r} of {name!r} still has to learn something from the past. Use "
                "Scenario.of_phases(name, phases, past)."
            )
        if i == 0 and (
            phase.rate is None or (isinstance(phase.rate, Multiple) and phase.rate.base is None)
        ):
            raise ScenarioError(
                f"the first phase of {name!r} has no rate of its own. Give it one: '2-3 months', 'past', or 'x3 to x8 "
                "of the last year'."
            )
        if i > 0 and isinstance(phase.rate, Continued):
            raise ScenarioError(
                f"the phase {phase.name!r} of {name!r} continues a fit; only the first phase can."
            )


def _check_order(name: str, phases: tuple[Phase, ...]) -> None:
    latest = None
    for i, phase in enumerate(phases):
        follows = i + 1 < len(phases) and phases[i + 1].onset == "after"
        ends = phase.duration is not None or phase.breakdown is not None
        if i > 0 and phase.onset is None:
            raise ScenarioError(
                f"the phase {phase.name!r} of {name!r} has no onset. Give it 'now', a date, '30D' or 'after'."
            )
        if i > 0 and (phase.then == "next") != follows:
            raise ScenarioError(
                f"the phase {phase.name!r} of {name!r} has then={phase.then!r}, and the phase after it "
                f"{'begins' if follows else 'does not begin'} when it ends. Give then='next' and onset='after' "
                "together."
            )
        if follows and not ends:
            raise ScenarioError(
                f"the phase {phase.name!r} of {name!r} does not end, but {phases[i + 1].name!r} is to come after it. "
                "Give it a duration or a breakdown, or the later phase a date."
            )
        if isinstance(phase.onset, tuple):
            if latest is not None and phase.onset[0] < latest:
                raise ScenarioError(
                    f"the phase {phase.name!r} of {name!r} begins before the one that stands before it. Put them in "
                    "order of time."
                )
            latest = phase.onset[0]
