"""Laplace approximation, corrected by Pareto-smoothed importance resampling.

A posterior of a few parameters is approximated by multivariate t distributions at its peaks, with a share of the
prior mixed in, so that no region that the prior allows is left out. Draws from that proposal are weighted by the
exact posterior, the largest weights are smoothed by a generalised Pareto distribution, and the draws are resampled.
The shape of that distribution, k-hat, tells whether the weights can be trusted: below 0.7 they can.

Zhang & Stephens (2009), Technometrics 51; Vehtari, Simpson, Gelman, Yao & Gabry (2024), Pareto smoothed importance
sampling, JMLR 25.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp, softmax

__all__ = ["KHAT_LIMIT", "Resampled", "importance_resample", "pareto_smooth", "positive_definite"]

type Floats = NDArray[np.float64]

KHAT_LIMIT = 0.7
DEGREES = 5.0  # of the t distributions
PRIOR_SHARE = 0.1
ROUNDS = 5
GOOD_EFFICIENCY = 0.3
GOOD_KHAT = 0.4
PIECES = 4  # of the mixture that is fitted to weighted draws
STEPS = 15  # of that fit
FITTED = 2_000  # draws behind it
LEAST_BEHIND_A_FIT = 15  # effective draws for each parameter
LEAST_PROPOSALS = 4_000
MOST_TEMPERED = 60  # steps towards equal weights; then even logarithms of 1e-9 part no two draws


@dataclass(frozen=True, eq=False)
class Resampled:
    """Draws of equal weight from a posterior, and how far to trust them.

    Attributes
    ----------
    draws : ndarray, shape (draws, p)
        In random order.
    khat : float
        Shape of the tail of the importance weights.
    effective : float
        Effective number of independent draws, before resampling.
    log_evidence : float
        Log of the marginal likelihood, where target and prior are normalised.
    log_evidence_error : float
        Its Monte Carlo standard error.
    """

    draws: Floats
    khat: float
    effective: float
    log_evidence: float
    log_evidence_error: float


def importance_resample(
    log_target: Callable[[Floats], Floats],
    peaks: Sequence[tuple[Floats, Floats, float]],
    prior_sample: Callable[[int, np.random.Generator], Floats],
    log_prior: Callable[[Floats], Floats],
    draws: int,
    rng: np.random.Generator,
) -> Resampled:
    """Draw from a posterior by weighting draws from its Laplace approximation.

    Parameters
    ----------
    log_target : callable
        Log of prior times likelihood at each row, shape (s, p) to (s,).
    peaks : sequence of (place, covariance, height)
        Local maxima of ``log_target``, each with the inverse of its negative Hessian.
    prior_sample, log_prior : callable
        Draws from the prior, shape (s, p), and its log density at each row.
    draws : int
        How many to give back.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Resampled
        If the first proposal fits badly, up to four more are added, each a mixture fitted to the weighted draws so
        far (Cornuet, Marin, Mira & Robert 2012, Scandinavian Journal of Statistics 39).
    """
    n = max(2 * draws, LEAST_PROPOSALS)
    heights = np.array(
        [height + 0.5 * np.linalg.slogdet(covariance)[1] for _, covariance, height in peaks]
    )
    shares = np.maximum(np.exp(heights - heights.max()), 0.05)
    components = [(place, positive_definite(covariance)) for place, covariance, _ in peaks]
    places = np.empty((0, len(components[0][0])))
    targets = np.empty(0)
    best: tuple[float, Floats, Floats] | None = None
    proposals: list[tuple[list[tuple[Floats, Floats]], Floats]] = []
    for _ in range(ROUNDS):
        proposals.append((components, shares / shares.sum() * (1 - PRIOR_SHARE)))
        fresh = _propose(*proposals[-1], prior_sample, n, rng)
        places = np.concatenate([places, fresh])
        targets = np.append(targets, log_target(fresh))
        # Draws of every round are weighed against the mixture of all proposals: none is thrown away.
        prior = log_prior(places)
        log_q = [_proposal_density(places, *proposal, prior) for proposal in proposals]
        with np.errstate(invalid="ignore"):
            ratios = targets - logsumexp(log_q, axis=0) + math.log(len(proposals))
        ratios[~np.isfinite(ratios)] = -np.inf
        smoothed, khat = pareto_smooth(ratios)
        weights = np.exp(smoothed)
        if best is None or khat < best[0]:
            best = khat, ratios, smoothed
        if khat < GOOD_KHAT and 1.0 / float((weights**2).sum()) > GOOD_EFFICIENCY * n:
            break
        components, shares = _adapted(places, smoothed, components[0], rng)
    assert best is not None
    khat, ratios, smoothed = best
    n = len(ratios)  # draws of the rounds so far
    weights = np.exp(smoothed)
    # Systematic resampling adds the least noise; the order is then shuffled.
    marks = (rng.random() + np.arange(draws)) / draws
    chosen = np.minimum(np.searchsorted(np.cumsum(weights), marks), n - 1)
    evidence = float(logsumexp(ratios) - math.log(n))
    relative = np.exp(ratios - evidence)
    return Resampled(
        places[rng.permutation(chosen)],
        khat,
        1.0 / float((weights**2).sum()),
        evidence,
        float(relative.std() / math.sqrt(n)),
    )


def pareto_smooth(log_ratios: Floats) -> tuple[Floats, float]:
    """Replace the largest importance weights by expected order statistics of a fitted Pareto tail.

    Parameters
    ----------
    log_ratios : ndarray, shape (s,)
        Logs of raw importance ratios.

    Returns
    -------
    log_weights : ndarray, shape (s,)
        Smoothed, their exponentials sum to one.
    khat : float
        Shape of the tail; ``-inf`` where all weights are equal.

    Examples
    --------
    >>> import numpy as np
    >>> weights, khat = pareto_smooth(-np.random.default_rng(1).standard_exponential(4000))
    >>> bool(khat < 0), float(np.exp(weights).sum().round(9))
    (True, 1.0)
    """
    size = len(log_ratios)
    weights = log_ratios - log_ratios.max()
    n_tail = int(min(0.2 * size, 3 * math.sqrt(size)))
    order = np.argsort(weights, kind="stable")
    tail = order[-n_tail:]
    cutoff = math.exp(max(weights[order[-n_tail - 1]], -700.0))
    excess = np.exp(weights[tail]) - cutoff
    if n_tail < 5 or excess[-1] <= 1e-12 * cutoff:
        return np.asarray(weights - logsumexp(weights)), -math.inf
    khat, sigma = _fit_pareto(np.maximum(excess, 0.0))
    if math.isfinite(khat):
        p = (np.arange(n_tail) + 0.5) / n_tail
        quantiles = -np.log1p(-p) if abs(khat) < 1e-12 else np.expm1(-khat * np.log1p(-p)) / khat
        weights = weights.copy()
        weights[tail] = np.minimum(np.log(cutoff + sigma * quantiles), 0.0)
    return np.asarray(weights - logsumexp(weights)), khat


def _fit_pareto(excess: Floats) -> tuple[float, float]:
    """Shape and scale of a generalised Pareto distribution: Zhang and Stephens' empirical Bayes, ascending data."""
    n = len(excess)
    n_grid = 30 + int(math.sqrt(n))
    quarter = excess[int(n / 4 + 0.5) - 1]
    if quarter <= 0:
        return math.inf, math.nan
    grid = 1.0 - np.sqrt(n_grid / (np.arange(1, n_grid + 1) - 0.5))
    grid = grid / (3.0 * quarter) + 1.0 / excess[-1]
    shapes = np.log1p(-grid[:, None] * excess).mean(axis=1)
    profile = n * (np.log(-grid / shapes) - shapes - 1.0)
    with np.errstate(over="ignore"):  # a node that is hopelessly worse than another has no share
        share = 1.0 / np.exp(profile - profile[:, None]).sum(axis=1)
    share = np.where(share >= 10 * np.finfo(float).eps, share, 0.0)
    slope = float((grid * share / share.sum()).sum())
    shape = float(np.log1p(-slope * excess).mean())
    sigma = -shape / slope
    return (n * shape + 5.0) / (n + 10.0), sigma  # a weak prior pulls the shape towards 0.5


def positive_definite(covariance: Floats) -> Floats:
    """Give the nearest covariance with eigenvalues in a sane range; a saddle gives a broad proposal, not an error.

    Parameters
    ----------
    covariance : ndarray, shape (p, p)
        Perhaps not positive definite.

    Returns
    -------
    ndarray, shape (p, p)
        Symmetric, with eigenvalues between 1e-8 and 16.

    Examples
    --------
    >>> import numpy as np
    >>> positive_definite(np.diag([2.0, -0.5])).tolist()
    [[2.0, 0.0], [0.0, 0.5]]
    """
    values, vectors = np.linalg.eigh(0.5 * (covariance + covariance.T))
    values = np.clip(np.abs(values), 1e-8, 16.0)
    return np.asarray((vectors * values) @ vectors.T)


def _adapted(
    places: Floats, log_weights: Floats, peak: tuple[Floats, Floats], rng: np.random.Generator
) -> tuple[list[tuple[Floats, Floats]], Floats]:
    """Fit a mixture of normal distributions to weighted draws: a bent posterior is followed piece by piece."""
    p = places.shape[1]
    for step in range(MOST_TEMPERED):  # a few draws would be fitted as a point
        weights = softmax(0.7**step * log_weights)
        if 1.0 / float((weights**2).sum()) >= LEAST_BEHIND_A_FIT * p:
            break
    drawn = places[rng.choice(len(places), FITTED, p=weights)]
    whole = positive_definite(np.cov(drawn.T).reshape(p, p))
    root = np.linalg.cholesky(whole)
    z = np.linalg.solve(root, (drawn - drawn.mean(axis=0)).T).T
    # Pieces start one behind another along the direction in which the draws are most skewed.
    skewed = z @ (z * (z**2).sum(axis=1, keepdims=True)).mean(axis=0)
    order = np.argsort(skewed)
    member = np.zeros((FITTED, PIECES))
    member[order, np.arange(FITTED) * PIECES // FITTED] = 1.0
    floor = 0.05 * np.eye(p)
    for _ in range(STEPS):
        shares = member.mean(axis=0) + 1e-3
        logs = np.empty((FITTED, PIECES))
        pieces = []
        for k in range(PIECES):
            w = member[:, k] / max(member[:, k].sum(), 1e-12)
            centre = w @ z
            away = z - centre
            size = member[:, k].sum()
            spread = (away * w[:, None]).T @ away + floor
            spread = (size * spread + 2 * p * np.eye(p)) / (size + 2 * p)
            pieces.append((centre, spread))
            half = np.linalg.solve(np.linalg.cholesky(spread), away.T)
            logs[:, k] = (
                math.log(shares[k])
                - 0.5 * (half**2).sum(axis=0)
                - 0.5 * np.linalg.slogdet(spread)[1]
            )
        member = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
    mean = drawn.mean(axis=0)
    found = [(mean + root @ centre, root @ spread @ root.T) for centre, spread in pieces]
    shares = shares / shares.sum()
    return [peak, *found, (mean, 2.0 * whole)], np.concatenate([[0.1], 0.75 * shares, [0.15]])


def _propose(
    components: Sequence[tuple[Floats, Floats]],
    shares: Floats,
    prior_sample: Callable[[int, np.random.Generator], Floats],
    n: int,
    rng: np.random.Generator,
) -> Floats:
    numbers = np.diff(np.round(np.append(0.0, np.cumsum(shares)) * n).astype(int))
    blocks = []
    for (centre, covariance), number in zip(components, numbers, strict=True):
        root = np.linalg.cholesky(covariance)
        normal = rng.standard_normal((number, len(centre))) @ root.T
        blocks.append(centre + normal / np.sqrt(rng.chisquare(DEGREES, (number, 1)) / DEGREES))
    blocks.append(prior_sample(n - int(numbers.sum()), rng))
    return np.concatenate(blocks)


def _proposal_density(
    places: Floats,
    components: Sequence[tuple[Floats, Floats]],
    shares: Floats,
    log_prior: Floats,
) -> Floats:
    p = places.shape[1]
    constant = (
        gammaln((DEGREES + p) / 2) - gammaln(DEGREES / 2) - 0.5 * p * math.log(DEGREES * math.pi)
    )
    terms = [math.log(PRIOR_SHARE) + log_prior]
    for (centre, covariance), share in zip(components, shares, strict=True):
        away = np.linalg.solve(np.linalg.cholesky(covariance), (places - centre).T)
        distance = (away**2).sum(axis=0)
        terms.append(
            math.log(share)
            + constant
            - 0.5 * np.linalg.slogdet(covariance)[1]
            - 0.5 * (DEGREES + p) * np.log1p(distance / DEGREES)
        )
    return np.asarray(logsumexp(np.array(terms), axis=0))
