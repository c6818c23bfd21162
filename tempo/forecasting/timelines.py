"""From the levels of a draw to what it says on each day: when phases begin and end, and what holds in each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.window import DAY
from tempo.errors import ScenarioError
from tempo.forecasting.continuations import Continued
from tempo.forecasting.laws import Chance, GammaRate, Kinds, Length, Multiple, Spread
from tempo.forecasting.learning import rate_of_part
from tempo.forecasting.phases import Phase
from tempo.forecasting.stories import Story

__all__ = ["layout", "learned_rates", "tell"]

type Floats = NDArray[np.float64]
type Key = tuple[int, str]
type _Level = Callable[[int, str], Floats]

#: Columns that every scenario has, so that the draws of a simple one do not depend on what others hold.
_LEAST = 4


def layout(
    phases: Sequence[Phase], half_life: Length | None, dispersion: Spread | None
) -> tuple[dict[Key, slice], int]:
    """Say which column of the levels belongs to which uncertain quantity.

    Parameters
    ----------
    phases : sequence of Phase
        The story.
    half_life, dispersion : Length, Spread or None
        What holds for the whole story.

    Returns
    -------
    columns : dict of (phase, quantity) to slice
        The first rate, then rate, onset and duration of each later phase, then everything else.
    width : int
        How many columns there are.

    Examples
    --------
    >>> columns, width = layout([Phase("earlier"), Phase("later")], None, None)
    >>> list(columns), width
    ([(0, 'rate'), (1, 'rate'), (1, 'onset'), (1, 'duration')], 4)
    """
    sizes: dict[Key, int] = {(0, "rate"): 1}
    for i in range(1, len(phases)):
        sizes |= {(i, "rate"): 1, (i, "onset"): 1, (i, "duration"): 1}
    for i, phase in enumerate(phases):
        if _base_of(phases, i) == i:
            sizes[i, "base"] = 1
        if phase.breakdown is not None:
            sizes |= {(i, "breakdown chance"): 1, (i, "breakdown time"): 1}
        if phase.branching is not None:
            sizes[i, "branching"] = 1
        if isinstance(phase.lethality, Chance):
            sizes[i, "lethality"] = 1
        if isinstance(phase.kinds, Kinds):
            sizes[i, "kinds"] = len(phase.kinds.names)
    if half_life is not None:
        sizes[-1, "half-life"] = 1
    if dispersion is not None:
        sizes[-1, "dispersion"] = 1
    columns, at = {}, 0
    for key, size in sizes.items():
        columns[key] = slice(at, at + size)
        at += size
    return columns, max(at, _LEAST)


def tell(
    phases: Sequence[Phase],
    half_life: Length | None,
    dispersion: Spread | None,
    levels: Floats,
    days: pd.DatetimeIndex,
) -> Story:
    """Tell what each draw says about each day.

    Parameters
    ----------
    phases : sequence of Phase
        The story; the first phase holds wherever no other does.
    half_life, dispersion : Length, Spread or None
        What holds for the whole story.
    levels : ndarray, shape (draws, width)
        Between 0 and 1.
    days : pandas.DatetimeIndex, length n
        Days.

    Returns
    -------
    Story
        Rates, and whatever else the story holds.
    """
    columns, width = layout(phases, half_life, dispersion)
    if levels.ndim != 2 or levels.shape[1] < width:
        raise ScenarioError(
            f"the levels have shape {levels.shape}; this story has {width} columns. Take them from its draw method."
        )

    def level(phase: int, quantity: str) -> Floats:
        return np.asarray(levels[:, columns[phase, quantity].start])

    bases = _bases(phases, level)
    first = _first_rate(phases, level, days, bases)
    shape = (len(levels), len(days))
    source = phases[0].rate
    holds = _holding(phases, level, days, shape)

    rate = np.array(np.broadcast_to(first, shape))
    for i in range(1, len(phases)):
        base = bases.get(_base_of(phases, i), first)
        value = _later_rate(phases, i, level, base)
        if value is not None:
            rate = np.where(holds == i, value, rate)
    if any(phase.then == "end" for phase in phases):
        rate = np.where(holds < 0, 0.0, rate)

    def by_phase(quantity: str, start: Floats | None) -> Floats | None:
        """Put one chance for each phase on its days; a phase without one is as the first."""
        values = start
        for i in range(len(phases)):
            law = getattr(phases[i], quantity)
            if not isinstance(law, Chance):
                continue
            chance = law.quantile(level(i, quantity))[:, None]
            values = np.zeros(shape) if values is None else values
            values = (
                np.array(np.broadcast_to(chance, shape))
                if i == 0
                else np.where(holds == i, chance, values)
            )
        return values

    contagion = None
    decay = None if half_life is None else math.log(2) / half_life.quantile(level(-1, "half-life"))
    spread = None if dispersion is None else dispersion.quantile(level(-1, "dispersion"))
    if isinstance(source, Continued):
        rows = source.rows(level(0, "rate"))
        if source.branching is not None and source.decay is not None:
            contagion = np.array(np.broadcast_to(source.branching[rows][:, None], shape))
            decay = source.decay[rows]
        if source.dispersion is not None:
            spread = source.dispersion[rows]
    branching = by_phase("branching", contagion)
    if branching is not None and (holds < 0).any():  # what has ended sets off nothing more
        branching = np.where(holds < 0, 0.0, branching)
    return Story(
        rate=rate,
        branching=branching,
        decay=decay,
        dispersion=spread,
        shares=_shares(phases, levels, columns, holds),
        lethal=by_phase("lethality", None),
        learned=_learned(phases, holds),
    )


def learned_rates(phases: Sequence[Phase]) -> tuple[bool, ...]:
    """Say of which phases the rate was learned from the record.

    Parameters
    ----------
    phases : sequence of Phase
        Of one story, resolved.

    Returns
    -------
    tuple of bool
        One for each phase. A multiple is learned where the rate is of which it is one.

    Examples
    --------
    >>> learned_rates([Phase.of("lull", "1-2 a month", lethality="past"), Phase.of("as before", onset="2020-05-01")])
    (False, False)
    """
    found: list[bool] = []
    for phase in phases:
        rate = phase.rate
        if isinstance(rate, GammaRate):
            found.append(bool(rate.learned))
        elif isinstance(rate, Continued):
            found.append(True)
        else:
            found.append(found[0] if found and getattr(rate, "base", None) is None else True)
    return tuple(found)


def _learned(phases: Sequence[Phase], holds: NDArray[np.int8]) -> NDArray[np.bool_] | None:
    """Say on which days of which draws a rate holds that was learned from the record."""
    learned = np.array(learned_rates(phases))
    if not learned.any():
        return None
    if learned.all():
        return np.broadcast_to(np.array(True), holds.shape)
    return learned[np.maximum(holds, 0)]


def _base_of(phases: Sequence[Phase], place: int) -> int:
    """Give the first phase that is a multiple of the same learned rate; -1 where the phase is no multiple of any."""
    rate = phases[place].rate
    if not isinstance(rate, Multiple) or rate.base is None:
        return -1
    return next(
        i
        for i, other in enumerate(phases)
        if isinstance(other.rate, Multiple) and other.rate.base == rate.base
    )


def _bases(phases: Sequence[Phase], level: _Level) -> dict[int, Floats]:
    """Give the learned rates of which phases are multiples, by first phase, one column each.

    They were learned from the last days before one date, the shorter stretch from part of the attacks of the longer,
    and the earlier rate of the first phase from all of them. So each is drawn given the next longer one.
    """
    known: dict[int, GammaRate] = {}
    for i, phase in enumerate(phases):
        if isinstance(phase.rate, Multiple) and phase.rate.base is not None:
            known.setdefault(_base_of(phases, i), phase.rate.base)
    drawn: tuple[GammaRate, Floats] | None = None
    for i, phase in enumerate(phases):
        if drawn is None and isinstance(phase.rate, GammaRate) and phase.rate.learned:
            drawn = phase.rate, phase.rate.quantile(level(i, "rate"))
    bases = {}
    for i, base in sorted(known.items(), key=lambda item: -item[1].rate_days):
        column = level(i, "base")
        rates = base.quantile(column) if drawn is None else rate_of_part(*drawn, base, column)
        bases[i] = rates[:, None]
        drawn = base, rates
    return bases


def _first_rate(
    phases: Sequence[Phase], level: _Level, days: pd.DatetimeIndex, bases: dict[int, Floats]
) -> Floats:
    """Give the rate of the first phase: one column, or one for each day."""
    rate = phases[0].rate
    if isinstance(rate, Continued):
        return rate.on(level(0, "rate"), days)
    if isinstance(rate, Multiple):
        return np.asarray(bases[0] * rate.quantile(level(0, "rate"))[:, None])
    assert isinstance(rate, GammaRate)
    return np.asarray(rate.quantile(level(0, "rate")))[:, None]


def _later_rate(phases: Sequence[Phase], place: int, level: _Level, base: Floats) -> Floats | None:
    rate = phases[place].rate
    if isinstance(rate, Multiple):
        return np.asarray(base * rate.quantile(level(place, "rate"))[:, None])
    if isinstance(rate, GammaRate):
        if rate.learned:  # two phases with the rate of the past have the same one
            place = next(i for i, phase in enumerate(phases) if phase.rate == rate)
        return np.asarray(rate.quantile(level(place, "rate")))[:, None]
    return None


def _holding(
    phases: Sequence[Phase], level: _Level, days: pd.DatetimeIndex, shape: tuple[int, int]
) -> NDArray[np.int8]:
    """Say which phase holds on each day of each draw; -1 after the end of a story that ends."""
    holds = np.zeros(shape, dtype=np.int8)
    if len(phases) == 1:
        return holds
    origin = phases[1].onset[0] if isinstance(phases[1].onset, tuple) else days[0]
    day = np.asarray((days - origin) / DAY, dtype=float)[None, :]
    ends = np.zeros((shape[0], 1))
    for i, phase in enumerate(phases[1:], 1):
        if isinstance(phase.onset, tuple):
            first, stop = ((end - origin) / DAY for end in phase.onset)
            begins = first + np.floor(level(i, "onset") * (stop - first))[:, None]
        else:
            begins = ends
        lasts = np.full(shape[0], np.inf)
        if phase.duration is not None:
            lasts = phase.duration.whole_days(level(i, "duration"))
        if phase.breakdown is not None:
            chance = phase.breakdown.chance.quantile(level(i, "breakdown chance"))
            broken = np.log1p(-level(i, "breakdown time")) / np.log1p(-chance)
            lasts = np.minimum(lasts, broken * phase.breakdown.days)
        ends = begins + lasts[:, None]
        holds[day >= begins] = i
        holds[day >= ends] = -1 if phase.then == "end" else 0
    return holds


def _shares(
    phases: Sequence[Phase], levels: Floats, columns: dict[Key, slice], holds: NDArray[np.int8]
) -> Floats | None:
    shares: Floats | None = None
    for i, phase in enumerate(phases):
        if not isinstance(phase.kinds, Kinds):
            continue
        mine = phase.kinds.quantile(levels[:, columns[i, "kinds"]])[:, None, :]
        if shares is None:
            shares = np.array(np.broadcast_to(mine, (*holds.shape, mine.shape[2])))
        else:
            shares = np.where((holds == i)[:, :, None], mine, shares)
    return shares
