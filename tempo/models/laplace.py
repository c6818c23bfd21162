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
from scipy.special import gammaln, logsumexp

__all__ = ["KHAT_LIMIT", "Resampled", "importance_resample", "pareto_smooth"]

type Floats = NDArray[np.float64]

KHAT_LIMIT = 0.7
DEGREES = 5.0  # of the t distributions
PRIOR_SHARE = 0.1
ROUNDS = 3
GOOD_EFFICIENCY = 0.3
LEAST_PROPOSALS = 4_000


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
        If the first proposal fits badly, up to two more are tried, adapted to the weighted draws.
    """
    n = max(2 * draws, LEAST_PROPOSALS)
    heights = np.array(
        [height + 0.5 * np.linalg.slogdet(covariance)[1] for _, covariance, height in peaks]
    )
    shares = np.maximum(np.exp(heights - heights.max()), 0.05)
    components = [(place, _positive(covariance)) for place, covariance, _ in peaks]
    best: tuple[float, Floats, Floats, Floats] | None = None
    for _ in range(ROUNDS):
        shares = shares / shares.sum() * (1 - PRIOR_SHARE)
        places = _propose(components, shares, prior_sample, n, rng)
        log_q = _proposal_density(places, components, shares, log_prior)
        with np.errstate(invalid="ignore"):
            ratios = log_target(places) - log_q
        ratios[~np.isfinite(ratios)] = -np.inf
        smoothed, khat = pareto_smooth(ratios)
        if best is None or khat < best[0]:
            best = (khat, places, ratios, smoothed)
        weights = np.exp(smoothed)
        efficiency = 1.0 / (n * float((weights**2).sum()))
        if khat < 0.5 and efficiency > GOOD_EFFICIENCY:
            break
        centre = weights @ places
        spread = places - centre
        covariance = _positive((spread * weights[:, None]).T @ spread)
        components = [*components[:2], (centre, covariance)]
        shares = np.append(0.25 * shares[:2] / shares[:2].sum(), 0.75)
    assert best is not None
    khat, places, ratios, smoothed = best
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


def _positive(covariance: Floats) -> Floats:
    """Give the nearest covariance with eigenvalues in a sane range; a saddle gives a broad proposal, not an error."""
    values, vectors = np.linalg.eigh(0.5 * (covariance + covariance.T))
    values = np.clip(np.abs(values), 1e-8, 16.0)
    return np.asarray((vectors * values) @ vectors.T)


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
    log_prior: Callable[[Floats], Floats],
) -> Floats:
    p = places.shape[1]
    constant = (
        gammaln((DEGREES + p) / 2) - gammaln(DEGREES / 2) - 0.5 * p * math.log(DEGREES * math.pi)
    )
    terms = [math.log(PRIOR_SHARE) + log_prior(places)]
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
