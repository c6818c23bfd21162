"""Sampling the posterior of a severity tail: normal priors, peaks by climbing, importance resampling. Arrays only."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from tempo.models.laplace import Resampled, importance_resample

__all__ = ["Prior", "laplace_evidence", "sampled"]

type Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Prior:
    """Independent normal distributions; with several scales, a mixture of as many products of them.

    Attributes
    ----------
    mean : ndarray, shape (d,)
        Of each parameter.
    sd : ndarray, shape (k, d)
        Standard deviations under each scale; scales are as probable as each other.
    """

    mean: Floats
    sd: Floats

    def near(self, theta: Floats) -> NDArray[np.bool_]:
        """Tell which parameters are worth a likelihood.

        Parameters
        ----------
        theta : ndarray, shape (n, d)
            Parameters.

        Returns
        -------
        ndarray of bool, shape (n,)
            A dozen standard deviations out special functions overflow, and nothing is lost.
        """
        return np.asarray((np.abs(theta - self.mean) < 12 * self.sd.max(axis=0)).all(axis=1))

    def given(self, scale: int, theta: Floats) -> Floats:
        """Give the log density under one scale.

        Parameters
        ----------
        scale : int
            Row of ``sd``.
        theta : ndarray, shape (n, d)
            Parameters.

        Returns
        -------
        ndarray, shape (n,)
            The probability of the scale included.
        """
        density = np.asarray(stats.norm.logpdf(theta, self.mean, self.sd[scale]))
        return np.asarray(density.sum(axis=1) - math.log(len(self.sd)))

    def by_scale(self, theta: Floats) -> Floats:
        """Give the log density under each scale.

        Parameters
        ----------
        theta : ndarray, shape (n, d)
            Parameters.

        Returns
        -------
        ndarray, shape (n, k)
            The probability of the scale included.
        """
        return np.column_stack([self.given(scale, theta) for scale in range(len(self.sd))])

    def log(self, theta: Floats) -> Floats:
        """Give the log density.

        Parameters
        ----------
        theta : ndarray, shape (n, d)
            Parameters.

        Returns
        -------
        ndarray, shape (n,)
            Over all scales.
        """
        return np.asarray(special.logsumexp(self.by_scale(theta), axis=1))

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw from it.

        Parameters
        ----------
        n : int
            How many.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray, shape (n, d)
            Parameters.
        """
        if len(self.sd) == 1:
            return rng.normal(self.mean, self.sd[0], (n, len(self.mean)))
        return rng.normal(self.mean, self.sd[rng.integers(len(self.sd), size=n)])

    def scale_of(self, theta: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the scale that each row of parameters belongs to.

        Parameters
        ----------
        theta : ndarray, shape (n, d)
            Posterior draws.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray of int, shape (n,)
            Row of ``sd``.
        """
        share = np.cumsum(special.softmax(self.by_scale(theta), axis=1), axis=1)
        chosen = (share < rng.random((len(theta), 1))).sum(axis=1)
        return np.asarray(np.minimum(chosen, len(self.sd) - 1))


def sampled(
    log_likelihood: Callable[[Floats], Floats], prior: Prior, draws: int, rng: np.random.Generator
) -> Resampled:
    """Sample a posterior.

    Parameters
    ----------
    log_likelihood : callable
        Of each row of parameters, shape (m, d) to (m,).
    prior : Prior
        Of the parameters.
    draws : int
        How many.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Resampled
        By its Laplace approximation and importance resampling.
    """

    def log_target(theta: Floats) -> Floats:
        near = prior.near(theta)
        value = np.full(len(theta), -np.inf)
        value[near] = prior.log(theta[near]) + log_likelihood(theta[near])
        return np.where(np.isnan(value), -np.inf, value)

    # Given its scale the posterior is nearly normal; the proposal is a mixture of what it is under each.
    peaks: list[tuple[Floats, Floats, float]] = []
    place = _start(_losses(log_likelihood, prior, len(prior.sd) - 1), prior)
    for scale in reversed(range(len(prior.sd))):
        losses = _losses(log_likelihood, prior, scale)
        place, loss = _climbed(losses, place)
        peaks.append((place, np.linalg.pinv(_curvature(losses, place)), -loss))
    return importance_resample(log_target, peaks, prior.sample, prior.log, draws, rng)


def laplace_evidence(log_likelihood: Callable[[Floats], Floats], prior: Prior) -> float:
    """Give the log evidence by the Laplace approximation at the peak.

    Parameters
    ----------
    log_likelihood : callable
        Of each row of parameters, shape (m, d) to (m,).
    prior : Prior
        With one scale.

    Returns
    -------
    float
        Exact for a normal posterior.

    Examples
    --------
    >>> prior = Prior(np.zeros(1), np.ones((1, 1)))
    >>> round(laplace_evidence(lambda theta: stats.norm.logpdf(1.0, theta[:, 0], 1.0), prior), 6)
    -1.515512
    """
    losses = _losses(log_likelihood, prior, 0)
    place, loss = _climbed(losses, _start(losses, prior))
    _, log_volume = np.linalg.slogdet(_curvature(losses, place))
    return 0.5 * (len(place) * math.log(2 * math.pi) - float(log_volume)) - loss


def _losses(
    log_likelihood: Callable[[Floats], Floats], prior: Prior, scale: int
) -> Callable[[Floats], Floats]:
    """Minus the log of prior times likelihood, under one scale."""

    def losses(theta: Floats) -> Floats:
        value = np.full(len(theta), 1e300)
        near = prior.near(theta)
        value[near] = -prior.given(scale, theta[near]) - log_likelihood(theta[near])
        return np.where(np.isfinite(value), np.minimum(value, 1e300), 1e300)

    return losses


def _start(losses: Callable[[Floats], Floats], prior: Prior) -> Floats:
    """Start where the loss is least on a coarse grid: from the prior mean a long list's likelihood may underflow."""
    own = min(len(prior.mean), 3)
    offsets = np.meshgrid(*[np.linspace(-4.0, 4.0, 9)] * own, indexing="ij")
    starts = np.tile(prior.mean, (9**own, 1))
    starts[:, :own] += prior.sd[-1, :own] * np.stack(offsets, axis=-1).reshape(-1, own)
    return np.asarray(starts[int(np.argmin(losses(starts)))])


def _climbed(losses: Callable[[Floats], Floats], start: Floats) -> tuple[Floats, float]:
    """Go from a start to the least loss."""

    def loss(theta: Floats) -> float:
        return float(losses(theta[None])[0])

    def slope(theta: Floats) -> Floats:
        return _slope(losses, theta)

    found = optimize.minimize(loss, start, jac=slope, method="BFGS", tol=1e-3)
    return np.asarray(found.x), float(found.fun)


def _slope(losses: Callable[[Floats], Floats], place: Floats, step: float = 1e-4) -> Floats:
    """First derivatives by central differences."""
    moves = step * np.eye(len(place))
    up, down = np.split(losses(np.concatenate([place + moves, place - moves])), 2)
    return np.asarray((up - down) / (2 * step))


def _curvature(losses: Callable[[Floats], Floats], place: Floats, step: float = 1e-3) -> Floats:
    """Second derivatives by central differences."""
    p = len(place)
    moves = step * np.eye(p)
    i, j = np.triu_indices(p)
    corners = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
    at = np.concatenate([place + a * moves[i] + b * moves[j] for a, b in corners])
    values = losses(at).reshape(4, -1)
    hessian = np.empty((p, p))
    hessian[i, j] = hessian[j, i] = (values[0] - values[1] - values[2] + values[3]) / (4 * step**2)
    return hessian
