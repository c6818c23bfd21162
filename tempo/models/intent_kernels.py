"""Two latent classes of attacks: Gibbs sampler and sequential estimate of the evidence. Arrays only.

Class 0 is harassment, class 1 lethal intent. Given its class, an attack's salvo is geometric (from 1 up), each category
is drawn from the shares of that class, and each outcome (anyone killed, anyone wounded) happens with the chance of
that class; these are independent of each other. Every parameter has a conjugate prior of its own in each class, which
is what gives the classes their names.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["classify", "gibbs", "gibbs_apart", "log_evidence"]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

#: Salvos beyond this are as unlikely as makes no difference; an open interval ends here.
LONGEST_SALVO = 100_000


@njit(cache=True)
def _log_salvo(low: int, high: int, stop: float) -> float:
    """Log probability that a geometric salvo lies in an interval (inclusive; high 0: no upper end)."""
    log_on = math.log1p(-stop)
    value = (low - 1) * log_on
    if high > 0:
        value += math.log(-math.expm1((high - low + 1) * log_on))
    return value


@njit(cache=True)
def _draw_salvo(low: int, high: int, stop: float, uniform: float) -> int:
    """Draw a geometric salvo inside an interval."""
    log_on = math.log1p(-stop)
    inside = -math.expm1((high - low + 1) * log_on) if high > 0 else 1.0
    salvo = low + int(math.log1p(-uniform * inside) / log_on)
    if high > 0:
        salvo = min(salvo, high)
    return min(salvo, LONGEST_SALVO)


@njit(cache=True)
def _shares(weights: Floats, generator: np.random.Generator, into: Floats) -> None:
    total = 0.0
    for k in range(len(weights)):
        into[k] = max(generator.standard_gamma(weights[k]), 1e-300)
        total += into[k]
    for k in range(len(weights)):
        into[k] /= total


@njit(cache=True)
def _chance(a: float, b: float, generator: np.random.Generator) -> float:
    return min(max(generator.beta(a, b), 1e-12), 1.0 - 1e-12)


@njit(cache=True)
def _log_classes(
    i: int,
    low: Ints,
    high: Ints,
    categories: Ints,
    starts: Ints,
    outcomes: Ints,
    share: float,
    stop: Floats,
    mix: Floats,
    happens: Floats,
) -> tuple[float, float]:
    """Log probability of an attack, classes summed over, and the probability that it is of class 1."""
    first = second = 0.0
    for k in range(2):
        value = math.log(share) if k == 1 else math.log1p(-share)
        if low[i] > 0:
            value += _log_salvo(low[i], high[i], stop[k])
        for c in range(len(starts)):
            if categories[i, c] >= 0:
                value += math.log(mix[k, starts[c] + categories[i, c]])
        for o in range(outcomes.shape[1]):
            if outcomes[i, o] == 1:
                value += math.log(happens[k, o])
            elif outcomes[i, o] == 0:
                value += math.log1p(-happens[k, o])
        if k == 0:
            first = value
        else:
            second = value
    top = max(first, second)
    total = top + math.log(math.exp(first - top) + math.exp(second - top))
    return total, math.exp(second - total)


@njit(cache=True)
def _starts(levels: Ints) -> Ints:
    """First column of each category."""
    starts = np.zeros(len(levels), dtype=np.int64)
    for c in range(1, len(levels)):
        starts[c] = starts[c - 1] + levels[c - 1]
    return starts


@njit(cache=True)
def gibbs_apart(
    low: Ints,
    high: Ints,
    categories: Ints,
    levels: Ints,
    outcomes: Ints,
    share_prior: Floats,
    salvo_prior: Floats,
    outcome_prior: Floats,
    concentration: float,
    warm_up: int,
    draws: int,
    thin: int,
    side: Ints,
    sides: int,
    generator: np.random.Generator,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Sample classes and parameters in turn, where each of some groups of attacks has a share of its own.

    What distinguishes the classes is common to all groups.

    Parameters
    ----------
    low, high : ndarray of int, shape (n,)
        Salvo of each attack as an interval; low 0: unknown, high 0: no upper end.
    categories : ndarray of int, shape (n, c)
        Level of each category, -1 unknown.
    levels : ndarray of int, shape (c,)
        Number of levels of each.
    outcomes : ndarray of int, shape (n, o)
        1 happened, 0 did not, -1 unknown.
    share_prior : ndarray, shape (2,)
        Beta prior of the share of class 1.
    salvo_prior : ndarray, shape (2, 2)
        Beta prior of the chance that a salvo ends with each round, for each class.
    outcome_prior : ndarray, shape (2, o, 2)
        Beta prior of each outcome in each class.
    concentration : float
        Dirichlet prior of each level of a category.
    warm_up, draws, thin : int
        Sweeps that are thrown away; draws that are kept, and sweeps for each.
    side : ndarray of int, shape (n,)
        Group of each attack.
    sides : int
        Number of groups.
    generator : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    share : ndarray, shape (draws, sides)
    stop : ndarray, shape (draws, 2)
    mix : ndarray, shape (draws, 2, sum of levels)
    happens : ndarray, shape (draws, 2, o)
        Share of class 1, stopping chances, shares of the levels, and chances of the outcomes.
    """
    n, n_categories, n_outcomes = len(low), len(levels), outcomes.shape[1]
    width = int(levels.sum())
    starts = _starts(levels)
    kept_share, kept_stop = np.empty((draws, sides)), np.empty((draws, 2))
    kept_mix, kept_happens = np.empty((draws, 2, width)), np.empty((draws, 2, n_outcomes))
    share = np.empty(sides)
    for j in range(sides):
        share[j] = _chance(share_prior[0], share_prior[1], generator)
    stop = np.empty(2)
    mix = np.empty((2, width))
    happens = np.empty((2, n_outcomes))
    for k in range(2):
        stop[k] = _chance(salvo_prior[k, 0], salvo_prior[k, 1], generator)
        for c in range(n_categories):
            part = mix[k, starts[c] : starts[c] + levels[c]]
            _shares(np.full(levels[c], concentration), generator, part)
        for o in range(n_outcomes):
            happens[k, o] = _chance(outcome_prior[k, o, 0], outcome_prior[k, o, 1], generator)
    for sweep in range(warm_up + draws * thin):
        members = np.zeros((sides, 2))
        salvos, rounds = np.zeros(2), np.zeros(2)
        seen = np.full((2, width), concentration)
        tally = outcome_prior.copy()
        for i in range(n):
            _, second = _log_classes(
                i, low, high, categories, starts, outcomes, share[side[i]], stop, mix, happens
            )
            k = 1 if generator.random() < second else 0
            members[side[i], k] += 1
            if low[i] > 0:
                salvos[k] += 1
                rounds[k] += _draw_salvo(low[i], high[i], stop[k], generator.random()) - 1
            for c in range(n_categories):
                if categories[i, c] >= 0:
                    seen[k, starts[c] + categories[i, c]] += 1
            for o in range(n_outcomes):
                if outcomes[i, o] >= 0:
                    tally[k, o, 1 - outcomes[i, o]] += 1
        for j in range(sides):
            share[j] = _chance(
                share_prior[0] + members[j, 1], share_prior[1] + members[j, 0], generator
            )
        for k in range(2):
            stop[k] = _chance(
                salvo_prior[k, 0] + salvos[k], salvo_prior[k, 1] + rounds[k], generator
            )
            for c in range(n_categories):
                cells = slice(starts[c], starts[c] + levels[c])
                _shares(seen[k, cells], generator, mix[k, cells])
            for o in range(n_outcomes):
                happens[k, o] = _chance(tally[k, o, 0], tally[k, o, 1], generator)
        at = (sweep - warm_up) // thin
        if sweep >= warm_up and (sweep - warm_up) % thin == thin - 1:
            kept_share[at] = share
            kept_stop[at] = stop
            kept_mix[at] = mix
            kept_happens[at] = happens
    return kept_share, kept_stop, kept_mix, kept_happens


@njit(cache=True)
def gibbs(
    low: Ints,
    high: Ints,
    categories: Ints,
    levels: Ints,
    outcomes: Ints,
    share_prior: Floats,
    salvo_prior: Floats,
    outcome_prior: Floats,
    concentration: float,
    warm_up: int,
    draws: int,
    thin: int,
    generator: np.random.Generator,
) -> tuple[Floats, Floats, Floats, Floats]:
    """Sample classes and parameters in turn.

    Parameters
    ----------
    low, high : ndarray of int, shape (n,)
        Salvo of each attack as an interval; low 0: unknown, high 0: no upper end.
    categories : ndarray of int, shape (n, c)
        Level of each category, -1 unknown.
    levels : ndarray of int, shape (c,)
        Number of levels of each.
    outcomes : ndarray of int, shape (n, o)
        1 happened, 0 did not, -1 unknown.
    share_prior : ndarray, shape (2,)
        Beta prior of the share of class 1.
    salvo_prior : ndarray, shape (2, 2)
        Beta prior of the chance that a salvo ends with each round, for each class.
    outcome_prior : ndarray, shape (2, o, 2)
        Beta prior of each outcome in each class.
    concentration : float
        Dirichlet prior of each level of a category.
    warm_up, draws, thin : int
        Sweeps that are thrown away; draws that are kept, and sweeps for each.
    generator : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    share : ndarray, shape (draws,)
    stop : ndarray, shape (draws, 2)
    mix : ndarray, shape (draws, 2, sum of levels)
    happens : ndarray, shape (draws, 2, o)
        Share of class 1, stopping chances, shares of the levels, and chances of the outcomes.
    """
    side = np.zeros(len(low), dtype=np.int64)
    share, stop, mix, happens = gibbs_apart(
        low,
        high,
        categories,
        levels,
        outcomes,
        share_prior,
        salvo_prior,
        outcome_prior,
        concentration,
        warm_up,
        draws,
        thin,
        side,
        1,
        generator,
    )
    return share[:, 0].copy(), stop, mix, happens


@njit(cache=True)
def classify(
    low: Ints,
    high: Ints,
    categories: Ints,
    levels: Ints,
    outcomes: Ints,
    share: Floats,
    stop: Floats,
    mix: Floats,
    happens: Floats,
) -> tuple[Floats, Floats]:
    """Classify the attacks under each draw of the parameters.

    Parameters
    ----------
    low, high, categories, levels, outcomes
        As in ``gibbs``.
    share, stop, mix, happens
        From ``gibbs``.

    Returns
    -------
    classified : ndarray, shape (draws, n)
        Probability of class 1 for each attack.
    log_likelihood : ndarray, shape (draws, n)
        Of each attack, classes summed over.
    """
    starts = _starts(levels)
    classified, likelihood = np.empty((len(share), len(low))), np.empty((len(share), len(low)))
    for d in range(len(share)):
        for i in range(len(low)):
            likelihood[d, i], classified[d, i] = _log_classes(
                i, low, high, categories, starts, outcomes, share[d], stop[d], mix[d], happens[d]
            )
    return classified, likelihood


@njit(cache=True)
def _log_longer(a: float, b: float, k: int) -> float:
    """Log probability that a salvo has at least k rounds, its stopping chance being Beta(a, b)."""
    return (
        math.lgamma(b + k - 1.0)
        - math.lgamma(b)
        + math.lgamma(a + b)
        - math.lgamma(a + b + k - 1.0)
    )


@njit(cache=True)
def _predictive_salvo(low: int, high: int, a: float, b: float) -> float:
    value = math.exp(_log_longer(a, b, low))
    if high > 0:
        value -= math.exp(_log_longer(a, b, high + 1))
    return max(value, 1e-300)


@njit(cache=True)
def _draw_predictive(low: int, high: int, a: float, b: float, uniform: float) -> int:
    """Draw a salvo inside an interval from its predictive distribution, by bisection on the tail."""
    last = high if high > 0 else LONGEST_SALVO
    first_tail = math.exp(_log_longer(a, b, low))
    inside = first_tail - math.exp(_log_longer(a, b, last + 1))
    wanted = first_tail - uniform * inside
    lower, upper = low, last
    while lower < upper:
        middle = (lower + upper) // 2
        if math.exp(_log_longer(a, b, middle + 1)) <= wanted:
            upper = middle
        else:
            lower = middle + 1
    return lower


@njit(cache=True)
def log_evidence(
    low: Ints,
    high: Ints,
    categories: Ints,
    levels: Ints,
    outcomes: Ints,
    share_prior: Floats,
    salvo_prior: Floats,
    outcome_prior: Floats,
    concentration: float,
    particles: int,
    generator: np.random.Generator,
) -> float:
    """Estimate the marginal likelihood of two classes, or of one, by sequential importance resampling.

    Each particle carries the sufficient statistics of its own classification; an attack is weighted by its predictive
    probability under both classes, then classified (Chopin 2002; Carvalho and others 2010). The estimate of the
    evidence, not of its logarithm, is unbiased. Where ``share_prior`` is (0, 0) there is one class, with the priors of
    class 0.

    Parameters
    ----------
    low, high, categories, levels, outcomes, share_prior, salvo_prior, outcome_prior, concentration
        As in ``gibbs``.
    particles : int
        How many.
    generator : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    float
        Natural logarithm of the estimate.
    """
    n, n_categories, n_outcomes = len(low), len(levels), outcomes.shape[1]
    width = int(levels.sum())
    starts = _starts(levels)
    classes = 1 if share_prior[0] + share_prior[1] == 0 else 2
    members = np.zeros((particles, 2))
    salvo = np.empty((particles, 2, 2))
    seen = np.zeros((particles, 2, width))
    tally = np.empty((particles, 2, n_outcomes, 2))
    for p in range(particles):
        salvo[p] = salvo_prior
        tally[p] = outcome_prior
    log_weight = np.zeros(particles)
    value = np.empty(2)
    result = 0.0
    for i in range(n):
        for p in range(particles):
            for k in range(classes):
                if classes == 1:
                    chance = 1.0
                else:
                    chance = (share_prior[1 - k] + members[p, k]) / (
                        share_prior[0] + share_prior[1] + i
                    )
                if low[i] > 0:
                    chance *= _predictive_salvo(low[i], high[i], salvo[p, k, 0], salvo[p, k, 1])
                for c in range(n_categories):
                    if categories[i, c] >= 0:
                        total = 0.0
                        for cell in range(starts[c], starts[c] + levels[c]):
                            total += seen[p, k, cell] + concentration
                        chance *= (seen[p, k, starts[c] + categories[i, c]] + concentration) / total
                for o in range(n_outcomes):
                    if outcomes[i, o] >= 0:
                        both = tally[p, k, o, 0] + tally[p, k, o, 1]
                        chance *= tally[p, k, o, 1 - outcomes[i, o]] / both
                value[k] = chance
            total = value[0] if classes == 1 else value[0] + value[1]
            log_weight[p] += math.log(max(total, 1e-300))
            k = 0
            if classes == 2 and generator.random() * total >= value[0]:
                k = 1
            members[p, k] += 1
            if low[i] > 0:
                rounds = low[i]
                if high[i] != low[i]:
                    rounds = _draw_predictive(
                        low[i], high[i], salvo[p, k, 0], salvo[p, k, 1], generator.random()
                    )
                salvo[p, k, 0] += 1
                salvo[p, k, 1] += rounds - 1
            for c in range(n_categories):
                if categories[i, c] >= 0:
                    seen[p, k, starts[c] + categories[i, c]] += 1
            for o in range(n_outcomes):
                if outcomes[i, o] >= 0:
                    tally[p, k, o, 1 - outcomes[i, o]] += 1
        top = log_weight.max()
        weight = np.exp(log_weight - top)
        total = weight.sum()
        if total * total / (weight * weight).sum() < particles / 2 or i == n - 1:
            result += top + math.log(total / particles)
            chosen = np.empty(particles, dtype=np.int64)
            mark, running, source = generator.random(), weight[0], 0
            for p in range(particles):
                goal = (p + mark) * total / particles
                while running < goal and source < particles - 1:
                    source += 1
                    running += weight[source]
                chosen[p] = source
            members, salvo, seen, tally = (
                members[chosen],
                salvo[chosen],
                seen[chosen],
                tally[chosen],
            )
            log_weight[:] = 0.0
    return result
