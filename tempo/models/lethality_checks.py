"""Checks of a lethality fit: shape of the tail, its largest toll, and the chance through time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.models.checks import LEVEL, check_table, row
from tempo.models.lethality_any import AnyDraws
from tempo.models.lethality_blocks import Block
from tempo.models.lethality_draws import TailDraws
from tempo.models.lethality_next import NextAttack, one_sort
from tempo.models.lethality_reading import Record

if TYPE_CHECKING:
    from tempo.models.lethality_fit import LethalityFit

__all__ = ["checks"]

type Floats = NDArray[np.float64]

FEWEST = 8  # lethal attacks that are worth testing
REPLICATES = 400
MOST_TESTED = 300  # attacks, where each may be of a sort of its own
MOST_POINTS = 100  # at which distributions are compared


def checks(
    fit: LethalityFit, block: Block, record: Record, rng: np.random.Generator
) -> pd.DataFrame:
    """Compare the data with what the fit expects.

    Parameters
    ----------
    fit : LethalityFit
        The fit.
    block : Block
        Its draws.
    record : Record
        The data.
    rng : numpy.random.Generator
        Simulates.

    Returns
    -------
    pandas.DataFrame
        A check table.
    """
    tolls, said = record.tolls, fit.words
    seen = np.flatnonzero(tolls.some & tolls.exact & record.many.used)
    rows = []
    if len(seen) < FEWEST:
        for name in ("shape of the tail (KS)", "largest toll"):
            meaning = f"Only {len(seen)} exact numbers of {said.toll}: too few to test."
            rows.append(row(name, math.nan, LEVEL, True, meaning))
    else:
        p_shape, p_largest = _tail_checks(block, record, seen, rng)
        ok = p_shape >= LEVEL
        rows.append(
            row(
                "shape of the tail (KS)",
                p_shape,
                LEVEL,
                ok,
                f"Numbers of {said.toll} {'are' if ok else 'are not'} distributed as the tail says.",
            )
        )
        ok = p_largest >= LEVEL
        rows.append(
            row(
                "largest toll",
                p_largest,
                LEVEL,
                ok,
                "The largest toll is one that the tail expects."
                if ok
                else "The largest toll is not one that the tail expects among so many.",
            )
        )
    rows.append(_through_time(block.anyone, record, said.any, rng))
    rows.append(
        row(
            "approximation (k-hat)",
            fit.khat,
            0.7,
            not fit.khat > 0.7,
            "The posterior draws can be trusted."
            if not fit.khat > 0.7
            else "The posterior draws are doubtful.",
        )
    )
    return check_table(rows)


def _tail_checks(
    block: Block, record: Record, rows: NDArray[np.int64], rng: np.random.Generator
) -> tuple[float, float]:
    """Posterior predictive p-values of the distance to the fitted tail, and of the largest toll (two-sided)."""
    few = block.take(rng.choice(len(block), REPLICATES))
    if not few.effects.none and len(rows) > MOST_TESTED:
        rows = rng.choice(rows, MOST_TESTED, replace=False)
    # Attacks that are alike are simulated together.
    covariates = np.column_stack([record.many.matrix[rows], record.group[rows].astype(float)])
    _, first, sort, number_of = np.unique(
        covariates, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    shift = few.effects.shift(record.many.matrix[rows[first]], record.group[rows[first]])
    seen = record.tolls.low[rows]
    new = np.empty((REPLICATES, len(rows)))
    for i, n in enumerate(number_of):
        one_each = np.ones((REPLICATES, n), dtype=np.int64)
        like_it = one_sort(np.ones(REPLICATES), shift[:, i])
        new[:, sort == i] = like_it.simulate(few.tail, one_each, rng)[0]
    share = np.tile(number_of / len(rows), (REPLICATES, 1))
    average = NextAttack(share, np.ones(share.shape), shift)
    distances = _distances(average, few.tail, np.concatenate([seen[None], new]))
    shape = (1 + float((distances[1:] >= distances[0]).sum())) / (REPLICATES + 1)
    top = new.max(axis=1)
    above = (1 + float((top >= seen.max()).sum())) / (REPLICATES + 1)
    below = (1 + float((top <= seen.max()).sum())) / (REPLICATES + 1)
    return shape, min(1.0, 2 * min(above, below))


def _distances(attack: NextAttack, tail: TailDraws, values: Floats) -> Floats:
    """Kolmogorov-Smirnov distance of each row of numbers to the average tail."""
    points = np.unique(values)
    points = points[:: -(-len(points) // MOST_POINTS)]
    at_most = 1.0 - attack.exceeds(tail, points + 1.0).mean(axis=0)
    less = 1.0 - attack.exceeds(tail, points).mean(axis=0)
    result = np.empty(len(values))
    for i, numbers in enumerate(values):
        ordered = np.sort(numbers)
        at = np.searchsorted(ordered, points, side="right") / len(ordered)
        under = np.searchsorted(ordered, points, side="left") / len(ordered)
        result[i] = max(np.abs(at - at_most).max(), np.abs(under - less).max())
    return result


def _through_time(
    anyone: AnyDraws, record: Record, any_: str, rng: np.random.Generator
) -> tuple[str, float, float, bool, str]:
    """Test whether lethal attacks come in stretches: the largest running excess over expectation, by simulation."""
    name, tolls = "chance through time (CUSUM)", record.tolls
    known = np.flatnonzero((tolls.some | tolls.none) & record.anyone.used)
    known = known[np.argsort(record.dates[known], kind="stable")]
    lethal = tolls.some[known]
    if min(lethal.sum(), (~lethal).sum()) < 3:
        meaning = f"Too few attacks of which it is known whether one {any_}: nothing to test."
        return row(name, math.nan, LEVEL, True, meaning)
    few = anyone.take(rng.choice(len(anyone), REPLICATES))
    chance = few.chance(record.anyone.matrix[known], record.group[known])
    expected = chance.mean(axis=0)

    def largest(happened: NDArray[np.bool_]) -> Floats:
        excess = np.cumsum(happened - expected, axis=-1)
        # Only the course counts: the total is what the fit was made to match.
        end = excess[..., -1:] * np.arange(1, len(known) + 1) / len(known)
        return np.asarray(np.abs(excess - end).max(axis=-1))

    new = largest(rng.random(chance.shape) < chance)
    p_value = (1 + float((new >= largest(lethal)).sum())) / (REPLICATES + 1)
    ok = p_value >= LEVEL
    meaning = (
        f"The share of attacks of which each {any_} does not drift through time."
        if ok
        else f"The share of attacks of which each {any_} drifts: see changes(), or give a change date in the formula."
    )
    return row(name, p_value, LEVEL, ok, meaning)
