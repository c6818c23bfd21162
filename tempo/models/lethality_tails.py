"""Posteriors of severity tails: exact rows first, with their evidence. Arrays only.

A power law that begins at ``x_min`` says nothing about smaller numbers. They get a probability each, Dirichlet
distributed around a power law of exponent 2.5 with the weight of one attack, so that tails that begin at different
places, and the other families, explain the same data and their evidences can be compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from tempo.models import severity_tails as tails
from tempo.models.lethality_draws import TailDraws
from tempo.models.lethality_reading import Tolls
from tempo.models.lethality_sampling import Prior, sampled

__all__ = [
    "Body",
    "drawn",
    "joint_posterior",
    "power_posterior",
    "smooth_posterior",
    "x_min_candidates",
]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

BODY_EXPONENT, BODY_WEIGHT = 2.5, 1.0
LEAST_TAIL = 10
MOST_CANDIDATES = 40
NODES = 600
SMALLEST = 1e-12


def smooth_posterior(
    family: str, tolls: Tolls, draws: int, rng: np.random.Generator
) -> tuple[TailDraws, float, float]:
    """Sample the posterior of a tail that begins at 1.

    Parameters
    ----------
    family : str
        Which.
    tolls : Tolls
        Attacks with at least one killed.
    draws : int
        How many draws.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    draws : TailDraws
        Of equal weight.
    log_evidence : float
        Log marginal likelihood.
    khat : float
        Whether the approximation can be trusted: below 0.7.
    """
    distinct, number_of = tolls.tallied()
    mean, sd = (np.array(column) for column in zip(*tails.PRIORS[family], strict=True))

    def log_likelihood(theta: Floats) -> Floats:
        return np.asarray(
            tails.log_interval(family, theta, distinct.low, distinct.high) @ number_of
        )

    found = sampled(log_likelihood, Prior(mean, sd[None]), draws, rng)
    return drawn(family, found.draws), found.log_evidence, found.khat


def joint_posterior(
    family: str, tolls: Tolls, prior: tuple[float, float], draws: int, rng: np.random.Generator
) -> tuple[TailDraws, Floats, float, float]:
    """Sample a tail that begins at 1 together with the chance that an attack kills anyone.

    Attacks that killed at most so many, perhaps nobody, tie the two together.

    Parameters
    ----------
    family : str
        Which.
    tolls : Tolls
        All attacks.
    prior : (float, float)
        Beta prior of the chance.
    draws : int
        How many draws.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    draws : TailDraws
        Of equal weight.
    chance : ndarray, shape (draws,)
        The chance that belongs to each.
    log_evidence : float
        Log marginal likelihood, without that of the attacks of which it is known whether they killed.
    khat : float
        Whether the approximation can be trusted: below 0.7.
    """
    some, number_some = tolls.at(tolls.some).tallied()
    open_, number_open = tolls.at(tolls.open).tallied()
    # The chance is sampled on the normal scale of its Beta posterior from the attacks that are known.
    known = stats.beta(prior[0] + int(tolls.some.sum()), prior[1] + int(tolls.none.sum()))
    mean, sd = (
        np.array([*column, extra])
        for column, extra in zip(zip(*tails.PRIORS[family], strict=True), (0.0, 1.0), strict=True)
    )

    def chance_of(z: Floats) -> Floats:
        return np.clip(known.ppf(special.ndtr(z)), SMALLEST, 1 - SMALLEST)

    def log_likelihood(theta: Floats) -> Floats:
        chance = chance_of(theta[:, -1:])
        beyond = np.exp(tails.log_survival(family, theta[:, :-1], open_.high + 1.0))
        rows = tails.log_interval(family, theta[:, :-1], some.low, some.high) @ number_some
        return np.asarray(rows + np.log1p(-chance * beyond) @ number_open)

    found = sampled(log_likelihood, Prior(mean, sd[None]), draws, rng)
    chance = chance_of(found.draws[:, -1])
    return drawn(family, found.draws[:, :-1]), chance, found.log_evidence, found.khat


def drawn(family: str, theta: Floats, x_min: int = 1) -> TailDraws:
    """Make draws of parameters draws of a tail.

    Parameters
    ----------
    family : str
        Which.
    theta : ndarray, shape (s, p)
        Unconstrained parameters.
    x_min : int, default 1
        Where a power law begins; nothing is said of smaller tolls.

    Returns
    -------
    TailDraws
        Of one family.
    """
    ones = np.ones(len(theta), dtype=np.int64)
    padded = np.zeros((len(theta), 2))
    padded[:, : theta.shape[1]] = theta
    body = np.zeros((len(theta), max(x_min - 1, 1)))
    return TailDraws(tails.FAMILIES[family][0] * ones, padded, x_min * ones, body)


def x_min_candidates(tolls: Tolls) -> list[int]:
    """Give the places at which a power law might begin.

    Parameters
    ----------
    tolls : Tolls
        Attacks with at least one killed.

    Returns
    -------
    list of int
        1, and the exact numbers that leave ten in the tail, thinned where they are many.

    Examples
    --------
    >>> x = np.repeat([1.0, 2.0, 5.0], 8)
    >>> x_min_candidates(Tolls(x, x))
    [1, 2]
    """
    exact = tolls.at(tolls.exact).low
    values, number_of = np.unique(exact, return_counts=True)
    behind = np.cumsum(number_of[::-1])[::-1]
    places = [int(v) for v in values[behind >= LEAST_TAIL] if v > 1]
    if len(places) > MOST_CANDIDATES:
        chosen = np.unique(np.geomspace(1, len(places), MOST_CANDIDATES).astype(int)) - 1
        places = [places[i] for i in chosen]
    return [1, *places]


def power_posterior(
    tolls: Tolls, candidates: list[int], draws: int, rng: np.random.Generator
) -> tuple[TailDraws, float, Floats]:
    """Sample the posterior of a power law, averaged over where it begins.

    Intervals that reach below ``x_min`` are not yet in it: see ``lethality_blocks.finished``.

    Parameters
    ----------
    tolls : Tolls
        Attacks with at least one killed.
    candidates : list of int
        Values of x_min, each as probable as the others beforehand.
    draws : int
        How many draws.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    draws : TailDraws
        Of equal weight.
    log_evidence : float
        Averaged over the candidates.
    weights : ndarray
        Posterior probability of each candidate.
    """
    solved = [_power_from(tolls, x_min) for x_min in candidates]
    evidence = np.array([s.log_evidence for s in solved])
    total = float(special.logsumexp(evidence))
    weights = np.exp(evidence - total)
    share = np.bincount(
        np.searchsorted(np.cumsum(weights), (rng.random() + np.arange(draws)) / draws).clip(
            max=len(weights) - 1
        ),
        minlength=len(weights),
    )
    parts = [s.sample(int(n), rng) for s, n in zip(solved, share, strict=True) if n]
    return (
        TailDraws.joined(parts).take(rng.permutation(draws)),
        total - math.log(len(candidates)),
        weights,
    )


@dataclass(frozen=True, eq=False)
class Body:
    """Posterior of the probabilities below ``x_min``, which a power law leaves free.

    Attributes
    ----------
    cells : ndarray, shape (x_min,)
        Dirichlet parameters of 1 … x_min - 1, and of the tail.
    log_evidence : float
        Log marginal likelihood of which tolls lie below, and of how many do not.
    """

    cells: Floats
    log_evidence: float

    @classmethod
    def of(cls, tolls: Tolls, x_min: int) -> Body:
        """Update the prior.

        Parameters
        ----------
        tolls : Tolls
            Attacks with at least one killed; intervals that reach below ``x_min`` are left out.
        x_min : int
            Where the tail begins.

        Returns
        -------
        Body
            With nothing in it where x_min is 1.
        """
        fixed = tolls.at(tolls.exact & (tolls.low < x_min)).low
        prior = np.arange(1.0, x_min) ** -BODY_EXPONENT / special.zeta(BODY_EXPONENT, 1)
        prior = BODY_WEIGHT * np.append(prior, 1.0 - prior.sum())
        seen = np.bincount(fixed.astype(int), minlength=x_min)[1:x_min].astype(float)
        seen = np.append(seen, float((tolls.low >= x_min).sum()))
        evidence = 0.0
        if x_min > 1:
            evidence = float(
                special.gammaln(prior.sum())
                - special.gammaln(prior.sum() + seen.sum())
                + (special.gammaln(prior + seen) - special.gammaln(prior)).sum()
            )
        return cls(prior + seen, evidence)

    def sample(self, draws: int, rng: np.random.Generator) -> Floats:
        """Draw probabilities.

        Parameters
        ----------
        draws : int
            How many times.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray, shape (draws, max(x_min - 1, 1))
            ``P(X <= k | X >= 1)`` at ``k = 1 … x_min - 1``.
        """
        if len(self.cells) == 1:
            return np.zeros((draws, 1))
        return np.minimum(np.cumsum(rng.dirichlet(self.cells, draws)[:, :-1], axis=1), 1.0)


@dataclass(frozen=True, eq=False)
class _Power:
    x_min: int
    nodes: Floats
    weight: Floats
    body: Body
    log_evidence: float

    def sample(self, draws: int, rng: np.random.Generator) -> TailDraws:
        step = self.nodes[1] - self.nodes[0]
        theta = rng.choice(self.nodes, draws, p=self.weight) + step * (rng.random(draws) - 0.5)
        plain = drawn("power", theta[:, None], self.x_min)
        return replace(plain, body=self.body.sample(draws, rng))


def _power_from(tolls: Tolls, x_min: int) -> _Power:
    ((mean, sd),) = tails.PRIORS["power"]
    tail, number_of = tolls.at(tolls.low >= x_min).tallied()

    def log_density(nodes: Floats) -> Floats:
        rows = tails.log_interval("power", nodes[:, None], tail.low, tail.high, x_min=x_min)
        return np.asarray(stats.norm.logpdf(nodes, mean, sd) + rows @ number_of)

    nodes = np.linspace(mean - 8 * sd, mean + 8 * sd, NODES)
    height = log_density(nodes)
    # The second grid covers only where the mass is.
    holds = np.flatnonzero(height > height.max() - 40.0)
    nodes = np.linspace(nodes[max(holds[0] - 1, 0)], nodes[min(holds[-1] + 1, NODES - 1)], NODES)
    height = log_density(nodes)
    evidence = float(special.logsumexp(height)) + math.log(nodes[1] - nodes[0])
    weight = np.exp(height - height.max())
    body = Body.of(tolls, x_min)
    return _Power(x_min, nodes, weight / weight.sum(), body, evidence + body.log_evidence)
