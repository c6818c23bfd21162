"""Joint draws of one family of tails and of the chance that anyone is killed, and their mixture over families."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from tempo.models.laplace import pareto_smooth
from tempo.models.lethality_any import AnyDraws
from tempo.models.lethality_draws import TailDraws
from tempo.models.lethality_effects import (
    Effects,
    no_effects,
    regression_posterior,
    rough_evidence,
)
from tempo.models.lethality_next import NextAttack, one_sort
from tempo.models.lethality_reading import Record
from tempo.models.lethality_tails import Body, power_posterior, smooth_posterior
from tempo.models.posterior_rows import DrawRows

__all__ = ["Block", "Sorts", "finished", "mixed", "next_attack", "severity", "sorts_ahead"]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

#: Beginnings of a power law that are sampled with covariates: the most probable by their Laplace approximation.
MOST_BEGINNINGS = 4
#: Sorts of attack that stand for the next one, and how many of them, the deadliest, stay alone where there are more.
MOST_SORTS, ALONE = 256, 64


@dataclass(frozen=True, eq=False)
class Block(DrawRows):
    """Joint posterior draws.

    Attributes
    ----------
    tail : TailDraws
        Of an average attack.
    effects : Effects
        What makes an attack deadlier.
    anyone : AnyDraws
        What decides whether it kills anyone.
    log_evidence : float
        Log marginal likelihood of the tolls of attacks that killed, under one family.
    """

    tail: TailDraws
    effects: Effects
    anyone: AnyDraws
    log_evidence: float

    def __len__(self) -> int:
        return len(self.tail)

    def exceeds(self, record: Record, rows: Ints, k: Floats) -> Floats:
        """Give the probability that attacks of the data killed at least so many.

        Parameters
        ----------
        record : Record
            The data.
        rows : ndarray of int, shape (n,)
            Which attacks.
        k : ndarray, shape (n,)
            A number for each, from 1 up.

        Returns
        -------
        ndarray, shape (s, n)
            Probabilities.
        """
        chance = self.anyone.chance(record.anyone.matrix[rows], record.group[rows])
        return np.asarray(chance * self.tail.survival(k, self.shift(record, rows)))

    def shift(self, record: Record, rows: Ints) -> Floats | None:
        """Give how much deadlier attacks of the data are.

        Parameters
        ----------
        record : Record
            The data.
        rows : ndarray of int, shape (n,)
            Which attacks.

        Returns
        -------
        ndarray, shape (s, n), or None
            None where all are alike.
        """
        if self.effects.none:
            return None
        return self.effects.shift(record.many.matrix[rows], record.group[rows])


def severity(
    family: str, record: Record, begins: list[int], draws: int, rng: np.random.Generator
) -> tuple[TailDraws, Effects, float, float]:
    """Sample a tail, with its covariates and groups, from the attacks that killed.

    Parameters
    ----------
    family : str
        Which.
    record : Record
        The data.
    begins : list of int
        Where it may begin.
    draws : int
        How many draws.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    tail : TailDraws
        Of equal weight.
    effects : Effects
        That belong to them.
    log_evidence : float
        Log marginal likelihood; intervals across a later beginning are not yet in it.
    khat : float
        Whether the approximation can be trusted: below 0.7.
    """
    rows = record.lethal()
    tolls = record.tolls.at(record.tolls.some & record.many.used)
    if rows.design.shape[1] == 0 and not record.n_groups:
        if family == "power":
            tail, evidence, _ = power_posterior(tolls, begins, draws, rng)
            return tail, no_effects(draws), evidence, -math.inf
        tail, evidence, khat = smooth_posterior(family, tolls, draws, rng)
        return tail, no_effects(draws), evidence, khat
    bodies = {x_min: Body.of(tolls, x_min) for x_min in begins}
    chosen = begins
    if len(begins) > MOST_BEGINNINGS:
        rough = {
            x_min: rough_evidence(rows.at(rows.tolls.low >= x_min), record.n_groups, x_min)
            + bodies[x_min].log_evidence
            for x_min in begins
        }
        chosen = sorted(sorted(begins, key=rough.__getitem__)[-MOST_BEGINNINGS:])
    parts = []
    for x_min in chosen:
        late = rows.at(rows.tolls.low >= x_min)
        tail, effects, evidence, khat = regression_posterior(
            family, late, record.n_groups, x_min, draws, rng
        )
        body = bodies[x_min]
        parts.append(
            (
                replace(tail, body=body.sample(draws, rng)),
                effects,
                evidence + body.log_evidence,
                khat,
            )
        )
    evidences = np.array([evidence for _, _, evidence, _ in parts])
    total = float(special.logsumexp(evidences))
    rows_of = _shares(np.exp(evidences - total), draws, rng)
    order = rng.permutation(draws)
    tail = TailDraws.joined([part[0].take(at) for part, at in zip(parts, rows_of, strict=True)])
    effects = Effects.joined([part[1].take(at) for part, at in zip(parts, rows_of, strict=True)])
    khat = max(part[3] for part, at in zip(parts, rows_of, strict=True) if len(at))
    return tail.take(order), effects.take(order), total - math.log(len(begins)), khat


def finished(
    block: Block,
    record: Record,
    open_rows: NDArray[np.bool_],
    draws: int,
    rng: np.random.Generator,
) -> tuple[Block, float]:
    """Weigh joint draws by the rows that neither part could take in alone, and resample them.

    An attack that killed at most h, perhaps nobody, has probability 1 - chance * P(X > h); an interval that reaches
    below the place where a power law begins has what both sides of it give. Weights are bounded by 1.

    Parameters
    ----------
    block : Block
        More draws than are asked for, or as many if nothing is left to weigh.
    record : Record
        The data.
    open_rows : ndarray of bool, shape (n,)
        Attacks that killed at most so many, perhaps nobody.
    draws : int
        How many to give.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    block : Block
        Of equal weight.
    khat : float
        Whether the weights can be trusted: below 0.7.
    """
    if len(block) == draws:
        return block, -math.inf
    log_weights = _across(block, record)
    at = np.flatnonzero(open_rows)
    for row in at:
        own = np.array([row])
        beyond = block.exceeds(record, own, record.tolls.high[own] + 1.0)
        log_weights = log_weights + np.log1p(-beyond[:, 0])
    smoothed, khat = pareto_smooth(log_weights)
    marks = (rng.random() + np.arange(draws)) / draws
    rows = np.minimum(np.searchsorted(np.cumsum(np.exp(smoothed)), marks), len(block) - 1)
    evidence = block.log_evidence + float(special.logsumexp(log_weights)) - math.log(len(block))
    return replace(block.take(rng.permutation(rows)), log_evidence=evidence), khat


def _across(block: Block, record: Record) -> Floats:
    """Log-likelihood of the intervals that reach below each draw's x_min; 0 where that is 1."""
    result = np.zeros(len(block))
    rows = record.lethal()
    wide = rows.at(~rows.tolls.exact)
    for x_min in np.unique(block.tail.x_min):
        left = wide.at(wide.tolls.low < x_min)
        if len(left.tolls):
            mine = np.flatnonzero(block.tail.x_min == x_min)
            some = block.take(mine)
            shift = None if some.effects.none else some.effects.shift(left.design, left.group)
            result[mine] = some.tail.log_probability(left.tolls, shift) @ left.number_of
    return result


def mixed(blocks: list[Block], weights: Floats, draws: int, rng: np.random.Generator) -> Block:
    """Draw from the mixture of families: each in proportion to its weight, give or take one.

    Parameters
    ----------
    blocks : list of Block
        One for each family, each with ``draws`` draws.
    weights : ndarray
        Of each, adding up to one.
    draws : int
        How many.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Block
        In random order.
    """
    ends = np.floor(np.cumsum(weights) * draws + rng.random()).astype(int)
    ends[-1] = draws
    ends = np.concatenate([[0], np.minimum(ends, draws)])
    spans = [np.arange(low, high) for low, high in itertools.pairwise(ends)]
    order = rng.permutation(draws)
    parts = [block.take(rows) for block, rows in zip(blocks, spans, strict=True)]
    return Block.joined(parts).take(order)


@dataclass(frozen=True, eq=False)
class Sorts:
    """Sorts of attack that may come next.

    Attributes
    ----------
    anyone : ndarray, shape (c, p)
        Covariates of the chance.
    many : ndarray, shape (c, q)
        Covariates of the number killed.
    group : ndarray of int, shape (c,)
        Group of each; -1 is one that was never seen.
    number_of : ndarray, shape (c,)
        How many attacks of the data are like it.
    """

    anyone: Floats
    many: Floats
    group: Ints
    number_of: Floats


def sorts_ahead(block: Block, record: Record, group: int | None = None) -> Sorts:
    """Give the sorts of attack that the data hold, as they would be if they came after the last day.

    Parameters
    ----------
    block : Block
        Posterior draws, which tell what makes an attack deadly.
    record : Record
        The data.
    group : int, optional
        Group of the attack, where it is known; -1 for one that was never seen.

    Returns
    -------
    Sorts
        Where they are more than a few hundred, the deadliest stay as they are, and others that are about as deadly are
        taken together, at the mean of their covariates.
    """
    p, q = record.anyone.matrix.shape[1], record.many.matrix.shape[1]
    code, rows = record.group, np.flatnonzero(record.anyone.used & record.many.used)
    if group is not None:
        own = rows[record.group[rows] == group]
        rows = own if len(own) else rows  # of a new group only that it is an attack is known
        code = np.full(len(record.tolls), group)
    table = np.column_stack([record.anyone.ahead, record.many.ahead, code.astype(float)])[rows]
    alike, number_of = np.unique(table, axis=0, return_counts=True)
    codes, weight = alike[:, -1].astype(np.int64), number_of.astype(float)
    if len(alike) > MOST_SORTS:
        few = block.take(np.arange(0, len(block), -(-len(block) // 100)))
        chance = few.anyone.chance(alike[:, :p], codes)
        deadly = np.log(chance).mean(axis=0)
        deadly += few.effects.shift(alike[:, p : p + q], codes).mean(axis=0)
        order = np.lexsort((deadly, codes))
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.cumsum(weight[order]) * (MOST_SORTS - ALONE) // (weight.sum() + 1.0)
        place[np.argsort(deadly)[-ALONE:]] = MOST_SORTS + np.arange(ALONE)
        # Groups are never taken together.
        _, place = np.unique(np.column_stack([place, codes]), axis=0, return_inverse=True)
        total = np.bincount(place, weight)
        alike = np.column_stack([np.bincount(place, weight * column) / total for column in alike.T])
        codes, weight = np.round(alike[:, -1]).astype(np.int64), total
    return Sorts(alike[:, :p], alike[:, p : p + q], codes, weight)


def next_attack(block: Block, sorts: Sorts, rng: np.random.Generator) -> NextAttack:
    """Give what the next attack may be like, under each draw.

    What mix of groups and covariates comes next is uncertain too: attacks of the data are weighted by the Bayesian
    bootstrap.

    Parameters
    ----------
    block : Block
        Posterior draws.
    sorts : Sorts
        That may come.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    NextAttack
        Of each sort.
    """
    chance = block.anyone.chance(sorts.anyone, sorts.group)
    shift = block.effects.shift(sorts.many, sorts.group)
    if len(sorts.group) == 1:
        return one_sort(chance[:, 0], shift[:, 0])
    share = rng.standard_gamma(sorts.number_of, (len(block), len(sorts.group)))
    return NextAttack(share / share.sum(axis=1, keepdims=True), chance, shift)


def _shares(weights: Floats, draws: int, rng: np.random.Generator) -> list[Ints]:
    """Rows of each part, as many as its weight asks for."""
    marks = (rng.random() + np.arange(draws)) / draws
    part = np.searchsorted(np.cumsum(weights), marks).clip(max=len(weights) - 1)
    return [np.arange(int(n)) for n in np.bincount(part, minlength=len(weights))]
