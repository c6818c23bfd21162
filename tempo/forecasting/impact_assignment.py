"""Pauses that several attacks may have led to: every assignment weighed by its likelihood, drawn by Gibbs sampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tempo.forecasting.impact_elicited import (
    RATIO_WEIGHTS,
    RATIOS,
    BetaChance,
    ChanceMixture,
    Durations,
)
from tempo.forecasting.impact_links import Links

__all__ = ["Assignments", "assignments", "still_to_come"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

_KEPT = 3000  # draws; of a record so crowded that they take long, fewer
_FEWEST = 500
_THIN = 2
_BURN = 1000
_WORK = 2e9
_MOST_WORK = 2e6  # more than a thousand attacks in reach of one pause
_UNEVEN = 0.25  # standard deviations between the halves of the draws
_POOLED = 300  # draws that the density of the durations is averaged over


@dataclass(frozen=True, slots=True, eq=False)
class Assignments:
    """Joint draws of the parameters of stand-downs, and of what past attacks still bring.

    Attributes
    ----------
    chance : ChanceMixture
        Probability of a stand-down: a Beta distribution for each number of attacks that led to one.
    durations : Durations
        How long they last.
    probability, middle, spread : ndarray, shape (draws,)
        Draws of the parameters, jointly.
    begins : ndarray of int, shape (draws, attacks)
        First day of a stand-down that has not begun, or -1.
    left : ndarray of int, shape (draws, pauses that go on)
        Days that each has yet to last.
    """

    chance: ChanceMixture
    durations: Durations
    probability: Floats
    middle: Floats
    spread: Floats
    begins: Integers
    left: Integers

    @property
    def uneven(self) -> bool:
        """Whether the first half of the draws and the second disagree, so that more would be needed."""
        half = len(self.probability) // 2
        return any(
            abs(float(values[:half].mean() - values[half:].mean())) > _UNEVEN * float(values.std())
            for values in (self.probability, self.middle)
        )


def assignments(
    links: Links, chance: BetaChance, durations: Durations, rng: np.random.Generator
) -> Assignments | None:
    r"""Draw which attack led to which pause, with the parameters.

    The likelihood is that of the model itself: each attack leads to a stand-down with probability :math:`p`, which
    begins on a day of its window and lasts a log-normal time in whole days; stand-downs that touch are one pause. What
    would have begun and ended within a pause is not seen, and what would have begun on any other watched day is ruled
    out. Given the assignment, probability and durations have their usual posteriors.

    Parameters
    ----------
    links : Links
        Attacks, and the pauses that they may have led to.
    chance, durations : BetaChance, Durations
        What was thought before.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Assignments or None
        3000 draws, fewer where hundreds of attacks share one pause; ``None`` where more than a thousand do.

    Notes
    -----
    Tanner and Wong (1987), *Journal of the American Statistical Association* 82, for data augmentation.
    """
    from tempo.forecasting.impact_kernels import assign

    kind = np.select([links.future | links.hidden, links.joins], [1, 2], 0).astype(np.int64)
    informs = ((kind == 2) | links.future) & (links.chance > 0)
    sites = np.flatnonzero(informs.any(axis=1) | ((links.ruled_out > 0) & ~links.did_not))
    settled = int(links.did_not.sum())
    kind, first, weights = kind[sites], links.first[sites], links.chance[sites]
    known = np.column_stack(
        [links.start_from, links.start_to, links.shortest, links.longest]
    ).astype(np.int64)
    days = first[:, None] + np.arange(weights.shape[1])
    over = np.minimum(links.start_to + links.longest, 0)
    near = np.zeros((len(known), 2), dtype=np.int64)
    for j, (low, high) in enumerate(zip(links.start_from, over, strict=True)):
        inside = (kind == 2) & (weights > 0) & (days >= low) & (days < high)
        rows = np.flatnonzero(inside.any(axis=1))
        near[j] = rows.min(), rows.max() + 1
    lengths = np.where(links.goes_on | (links.longest > 2**30), -links.start_from, links.longest)
    most = int(max(lengths.max(initial=1), 1)) + weights.shape[1]
    work = float((np.diff(near, axis=1) ** 2).sum() + len(sites) * (len(known) + weights.shape[1]))
    if work > _MOST_WORK:
        return None
    kept = int(np.clip(_WORK / max(work, 1.0) / _THIN, _FEWEST, _KEPT))
    state = _start(links, sites)
    out = np.empty((kept, 6))
    led = np.empty(kept, dtype=np.int64)
    begins = np.empty((kept, len(sites)), dtype=np.int64)
    last = np.empty((kept, len(known)), dtype=np.int64)
    assign(
        rng, first, np.ascontiguousarray(weights), kind, known, links.goes_on, near,
        int(np.diff(near, axis=1).max(initial=2)), *state, np.array([chance.a, chance.b + settled]),
        durations.centre, durations.scale, RATIOS, np.log(RATIO_WEIGHTS), most, min(_BURN, kept), _THIN, out, led,
        begins, last,
    )  # fmt: skip
    numbers, times = np.unique(led, return_counts=True)
    counts = numbers.astype(np.float64)
    every = np.linspace(0, kept - 1, _POOLED).astype(int)
    return Assignments(
        chance=ChanceMixture(
            np.asarray(chance.a + counts),
            np.asarray(chance.b + settled + len(sites) - counts),
            times / times.sum(),
        ),
        durations=durations.pooled(*out[every, 3:].T),
        probability=out[:, 0].copy(),
        middle=out[:, 1].copy(),
        spread=out[:, 2].copy(),
        begins=begins,
        left=np.maximum(last[:, links.goes_on], 0),
    )


def _start(links: Links, sites: Integers) -> tuple[Integers, Integers, Integers]:
    """Give an assignment to begin with: the attack that was found for each pause leads to all of it."""
    pause = np.full(len(sites), -1, dtype=np.int64)
    start, stop = np.zeros_like(pause), np.zeros_like(pause)
    for j, i in enumerate(links.leader):
        place = int(np.searchsorted(sites, i))
        days = links.first[i] + np.flatnonzero(links.chance[i] > 0)
        days = days[(days >= links.start_from[j]) & (days <= links.start_to[j]) & (days < 0)]
        begun = int(days[len(days) // 2])
        end = begun + int(links.shortest[j])
        pause[place], start[place] = j, begun
        stop[place] = max(end, 0) if links.goes_on[j] else end
    return pause, start, stop


def still_to_come(
    found: Assignments, rows: Integers, rng: np.random.Generator
) -> tuple[Integers, Integers, Integers]:
    """Give the stand-downs that past attacks bring after the end of the data, in some of the draws.

    Parameters
    ----------
    found : Assignments
        All draws.
    rows : ndarray of int, shape (futures,)
        The draw of each future.
    rng : numpy.random.Generator
        Draws how long those last that have not begun.

    Returns
    -------
    who, start, days : ndarray of int
        The future, the first day and the days of each.
    """
    who, attack = np.nonzero(found.begins[rows] >= 0)
    begins = found.begins[rows][who, attack]
    drawn = np.exp(
        found.middle[rows[who]] + found.spread[rows[who]] * rng.standard_normal(len(who))
    )
    days = np.maximum(np.rint(np.minimum(drawn, 1e6)), 1).astype(np.int64)
    on, one = np.nonzero(found.left[rows] > 0)
    left = found.left[rows][on, one]
    return (
        np.concatenate([who, on]),
        np.concatenate([begins, np.zeros_like(left)]),
        np.concatenate([days, left]),
    )
