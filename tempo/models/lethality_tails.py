"""Posteriors of severity tails: exact rows first, with their evidence. Arrays only.

A power law that begins at ``x_min`` says nothing about smaller numbers. They get a probability each, Dirichlet
distributed around a power law of exponent 2.5 with the weight of one attack, so that tails that begin at different
places, and the other families, explain the same data and their evidences can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from tempo.models import severity_kernels as kernels
from tempo.models import severity_tails as tails
from tempo.models.hawkes_kernels_random import seeds
from tempo.models.laplace import Resampled, importance_resample
from tempo.models.lethality_reading import Tolls

__all__ = [
    "TailDraws",
    "joint_posterior",
    "not_in_power",
    "power_posterior",
    "simulated_tolls",
    "smooth_posterior",
    "stacked",
    "x_min_candidates",
]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

BODY_EXPONENT, BODY_WEIGHT = 2.5, 1.0
LEAST_TAIL = 10
MOST_CANDIDATES = 40
NODES = 600
SMALLEST = 1e-12


@dataclass(frozen=True, eq=False)
class TailDraws:
    """Posterior draws of tails, each with its family.

    Attributes
    ----------
    family : ndarray of int, shape (s,)
        Code of each draw.
    theta : ndarray, shape (s, 2)
        Unconstrained parameters; the second is 0 for the power law.
    x_min : ndarray of int, shape (s,)
        1 but for power laws that begin later.
    body : ndarray, shape (s, w)
        ``P(X <= k | X >= 1)`` at ``k = 1 … w``, for k below x_min.
    """

    family: Ints
    theta: Floats
    x_min: Ints
    body: Floats

    def __len__(self) -> int:
        return len(self.family)

    def take(self, rows: Ints) -> TailDraws:
        """Give some of the draws.

        Parameters
        ----------
        rows : ndarray of int
            Which.

        Returns
        -------
        TailDraws
            In that order.
        """
        return TailDraws(self.family[rows], self.theta[rows], self.x_min[rows], self.body[rows])

    def parameters(self) -> Floats:
        """Give the natural parameters, as the compiled kernels take them.

        Returns
        -------
        ndarray, shape (s, 2)
            The second is 1 for power laws.
        """
        result = np.ones((len(self), 2))
        for name, (code, names) in tails.FAMILIES.items():
            mine = self.family == code
            result[mine, : len(names)] = tails.natural(name, self.theta[mine, : len(names)])
        return result

    def survival(self, k: Floats) -> Floats:
        """Give ``P(X >= k | X >= 1)`` under each draw.

        Parameters
        ----------
        k : ndarray, shape (u,)
            Whole numbers, or infinity.

        Returns
        -------
        ndarray, shape (s, u)
            Probabilities.
        """
        k = np.asarray(k, dtype=float)
        result = np.empty((len(self), len(k)))
        for name, x_min, mine in self._alike():
            width = len(tails.FAMILIES[name][1])
            chance = np.exp(tails.log_survival(name, self.theta[mine, :width], k, x_min=x_min))
            if x_min > 1:
                body = self.body[mine]
                chance *= 1.0 - body[:, x_min - 2 : x_min - 1]
                early = k < x_min
                at = np.maximum(k[early], 1.0).astype(int)
                chance[:, early] = 1.0 - np.where(at > 1, body[:, at - 2], 0.0)
            result[mine] = chance
        return result

    def log_probability(self, tolls: Tolls) -> Floats:
        """Give ``log P(low <= X <= high | X >= 1)`` under each draw.

        Parameters
        ----------
        tolls : Tolls, length u
            With ``low`` at least 1.

        Returns
        -------
        ndarray, shape (s, u)
            Log probabilities.
        """
        result = np.empty((len(self), len(tolls)))
        for name, x_min, mine in self._alike():
            theta = self.theta[mine, : len(tails.FAMILIES[name][1])]
            late = tolls.low >= x_min
            block = np.empty((len(theta), len(tolls)))
            block[:, late] = tails.log_interval(
                name, theta, tolls.low[late], tolls.high[late], x_min=x_min
            )
            if x_min > 1:
                body = self.body[mine]
                with np.errstate(divide="ignore"):
                    block[:, late] += np.log1p(-body[:, x_min - 2 : x_min - 1])
                    early = tolls.at(~late)
                    some = self.take(np.flatnonzero(mine))
                    both = some.survival(np.concatenate([early.low, early.high + 1.0]))
                    block[:, ~late] = np.log(both[:, : len(early)] - both[:, len(early) :])
            result[mine] = block
        return result

    def endless_mean(self) -> NDArray[np.bool_]:
        """Tell which draws have no finite mean.

        Returns
        -------
        ndarray of bool, shape (s,)
            Power laws with an exponent of 2 or less.
        """
        return np.asarray((self.family == tails.FAMILIES["power"][0]) & (self.theta[:, 0] <= 0.0))

    def _alike(self) -> list[tuple[str, int, NDArray[np.bool_]]]:
        groups: list[tuple[str, int, NDArray[np.bool_]]] = []
        for name, (code, _) in tails.FAMILIES.items():
            of_family = self.family == code
            groups += [
                (name, int(x_min), of_family & (self.x_min == x_min))
                for x_min in np.unique(self.x_min[of_family])
            ]
        return groups


def stacked(parts: list[TailDraws]) -> TailDraws:
    """Join draws.

    Parameters
    ----------
    parts : list of TailDraws
        At least one.

    Returns
    -------
    TailDraws
        One after the other.
    """
    width = max(part.body.shape[1] for part in parts)
    return TailDraws(
        np.concatenate([part.family for part in parts]),
        np.concatenate([part.theta for part in parts]),
        np.concatenate([part.x_min for part in parts]),
        np.concatenate(
            [np.pad(p.body, ((0, 0), (0, width - p.body.shape[1])), mode="edge") for p in parts]
        ),
    )


def simulated_tolls(
    tail: TailDraws, chance: Floats, attacks: Ints, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Simulate how many are killed in each cell of a table of attacks.

    Parameters
    ----------
    tail : TailDraws, length s
        One draw for each row.
    chance : ndarray, shape (s,)
        That an attack kills anyone.
    attacks : ndarray of int, shape (s, n)
        How many attacks.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    total, deadliest : ndarray of int64, shape (s, n)
        Killed in all, and in the deadliest attack.
    """
    simulated: tuple[Ints, Ints] = kernels.simulate(
        np.ascontiguousarray(attacks, dtype=np.int64),
        chance,
        tail.family,
        tail.parameters(),
        tail.x_min,
        tail.body,
        seeds(rng, len(tail)),
    )
    return simulated


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

    sampled = _sampled(log_likelihood, mean, sd, draws, rng)
    return _drawn(family, sampled.draws), sampled.log_evidence, sampled.khat


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

    sampled = _sampled(log_likelihood, mean, sd, draws, rng)
    chance = chance_of(sampled.draws[:, -1])
    return _drawn(family, sampled.draws[:, :-1]), chance, sampled.log_evidence, sampled.khat


def _drawn(family: str, theta: Floats) -> TailDraws:
    ones = np.ones(len(theta), dtype=np.int64)
    padded = np.zeros((len(theta), 2))
    padded[:, : theta.shape[1]] = theta
    return TailDraws(tails.FAMILIES[family][0] * ones, padded, ones, np.zeros((len(theta), 1)))


def _sampled(
    log_likelihood: Callable[[Floats], Floats],
    mean: Floats,
    sd: Floats,
    draws: int,
    rng: np.random.Generator,
) -> Resampled:
    """Sample a posterior with independent normal priors."""

    def log_prior(theta: Floats) -> Floats:
        return np.asarray(np.asarray(stats.norm.logpdf(theta, mean, sd)).sum(axis=1))

    def log_target(theta: Floats) -> Floats:
        # A dozen standard deviations out the special functions overflow, and nothing is lost.
        near = (np.abs(theta - mean) < 12 * sd).all(axis=1)
        value = np.full(len(theta), -np.inf)
        value[near] = log_prior(theta[near]) + log_likelihood(theta[near])
        return np.where(np.isnan(value), -np.inf, value)

    def loss(theta: Floats) -> float:
        value = float(log_target(theta[None])[0])
        return -value if math.isfinite(value) else 1e300

    # From the prior mean the likelihood of a long list may underflow: start where it is best on a coarse grid.
    offsets = np.linspace(-4.0, 4.0, 9)
    grid = np.stack(np.meshgrid(*[offsets] * len(mean), indexing="ij"), axis=-1)
    starts = mean + sd * grid.reshape(-1, len(mean))
    start = starts[int(np.argmax(log_target(starts)))]
    found = optimize.minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-4})
    place = np.asarray(found.x)
    return importance_resample(
        log_target,
        [(place, np.linalg.pinv(_curvature(loss, place)), -float(found.fun))],
        lambda n, source: source.normal(mean, sd, (n, len(mean))),
        log_prior,
        draws,
        rng,
    )


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

    Intervals that reach below ``x_min`` are not yet in it: see ``not_in_power``.

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
    joined = stacked(parts)
    return joined.take(rng.permutation(draws)), total - math.log(len(candidates)), weights


@dataclass(frozen=True, eq=False)
class _Power:
    x_min: int
    nodes: Floats
    weight: Floats
    cells: Floats  # Dirichlet parameters of 1 … x_min - 1 and of the tail
    log_evidence: float

    def sample(self, draws: int, rng: np.random.Generator) -> TailDraws:
        step = self.nodes[1] - self.nodes[0]
        theta = np.zeros((draws, 2))
        theta[:, 0] = rng.choice(self.nodes, draws, p=self.weight) + step * (
            rng.random(draws) - 0.5
        )
        ones = np.ones(draws, dtype=np.int64)
        body = np.zeros((draws, 1))
        if self.x_min > 1:
            body = np.minimum(np.cumsum(rng.dirichlet(self.cells, draws)[:, :-1], axis=1), 1.0)
        return TailDraws(tails.FAMILIES["power"][0] * ones, theta, self.x_min * ones, body)


def _power_from(tolls: Tolls, x_min: int) -> _Power:
    ((mean, sd),) = tails.PRIORS["power"]
    tail, number_of = tolls.at(tolls.low >= x_min).tallied()
    fixed = tolls.at(tolls.exact & (tolls.low < x_min)).low

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
    prior = np.arange(1.0, x_min) ** -BODY_EXPONENT / special.zeta(BODY_EXPONENT, 1)
    prior = BODY_WEIGHT * np.append(prior, 1.0 - prior.sum())
    seen = np.append(
        np.bincount(fixed.astype(int), minlength=x_min)[1:x_min], number_of.sum()
    ).astype(float)
    if x_min > 1:
        evidence += float(
            special.gammaln(prior.sum())
            - special.gammaln(prior.sum() + seen.sum())
            + (special.gammaln(prior + seen) - special.gammaln(prior)).sum()
        )
    return _Power(x_min, nodes, weight / weight.sum(), prior + seen, evidence)


def not_in_power(draws: TailDraws, tolls: Tolls) -> Floats:
    """Give the log-likelihood of the intervals that reach below each draw's x_min.

    Parameters
    ----------
    draws : TailDraws
        From ``power_posterior``.
    tolls : Tolls
        Attacks with at least one killed.

    Returns
    -------
    ndarray, shape (s,)
        0 where x_min is 1.
    """
    result = np.zeros(len(draws))
    wide = tolls.at(~tolls.exact)
    for x_min in np.unique(draws.x_min):
        left = wide.at(wide.low < x_min)
        if len(left):
            mine = np.flatnonzero(draws.x_min == x_min)
            distinct, number_of = left.tallied()
            result[mine] = draws.take(mine).log_probability(distinct) @ number_of
    return result


def _curvature(loss: Callable[[Floats], float], place: Floats, step: float = 1e-3) -> Floats:
    """Second derivatives by central differences."""
    p = len(place)
    hessian = np.empty((p, p))
    moves = step * np.eye(p)
    for i in range(p):
        for j in range(i, p):
            a, b = moves[i], moves[j]
            value = (
                loss(place + a + b)
                - loss(place + a - b)
                - loss(place - a + b)
                + loss(place - a - b)
            )
            hessian[i, j] = hessian[j, i] = value / (4 * step**2)
    return hessian
