"""The chance that an attack kills anyone: one number, one for each group, or a logistic regression. Arrays only.

Without covariates and groups the posterior is a Beta distribution. Groups share a Beta distribution whose mean and
weight are learned (on a grid), which pulls each group towards the others by as much as they are alike. With covariates
the regression is sampled by its Laplace approximation and importance resampling; group effects are then normal, with a
scale on a grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from tempo.models.lethality_sampling import Prior, sampled
from tempo.models.posterior_rows import DrawRows

__all__ = ["AnyDraws", "beta_posterior", "grouped_posterior", "logistic_posterior"]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

#: Weight of the distribution that groups share, in attacks: log-normal with median 10, 90 % between 2 and 52.
WEIGHT_PRIOR = (math.log(10.0), 1.0)
#: Standard deviations of the normal priors of intercept and coefficients, and of the half-normal one of the scale
#: of group effects, all in log odds.
INTERCEPT_SD, COEFFICIENT_SD, EFFECT_SD = 1.5, 1.0, 1.0
MEAN_NODES, WEIGHT_NODES, SCALE_NODES = 100, 48, 16
SMALLEST = 1e-12


@dataclass(frozen=True, eq=False)
class AnyDraws(DrawRows):
    """Posterior draws of what decides whether an attack kills anyone.

    Attributes
    ----------
    level : ndarray, shape (s, g)
        Chance of each group (without covariates), or intercept plus group effect in log odds.
    newcomer : ndarray, shape (s,)
        The same for a group that was never seen.
    coefficients : ndarray or None, shape (s, p)
        Of the covariates.
    log_evidence : float
        Log marginal likelihood of who died at all.
    khat : float
        Whether draws can be trusted: below 0.7; minus infinity where they are exact.
    """

    level: Floats
    newcomer: Floats
    coefficients: Floats | None
    log_evidence: float
    khat: float = -math.inf

    def __len__(self) -> int:
        return len(self.newcomer)

    def chance(self, design: Floats, group: Ints) -> Floats:
        """Give the chance that each of some attacks kills anyone.

        Parameters
        ----------
        design : ndarray, shape (n, p)
            Covariates; p is 0 where there are none.
        group : ndarray of int, shape (n,)
            Group of each; -1 is one that was never seen.

        Returns
        -------
        ndarray, shape (s, n)
            Probabilities.
        """
        levels = np.concatenate([self.level, self.newcomer[:, None]], axis=1)[:, group]
        if self.coefficients is None:
            return levels
        return np.asarray(special.expit(levels + self.coefficients @ design.T))


def beta_posterior(
    some: int, none: int, prior: tuple[float, float], draws: int, rng: np.random.Generator
) -> AnyDraws:
    """Sample the chance from its Beta posterior.

    Parameters
    ----------
    some, none : int
        Attacks that killed, and that killed nobody.
    prior : (float, float)
        Of the Beta distribution.
    draws : int
        How many.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    AnyDraws
        With one group.
    """
    a, b = prior
    chance = np.clip(rng.beta(a + some, b + none, draws), SMALLEST, 1 - SMALLEST)
    evidence = float(special.betaln(a + some, b + none) - special.betaln(a, b))
    return AnyDraws(chance[:, None], chance, None, evidence)


def grouped_posterior(
    some: Ints, none: Ints, prior: tuple[float, float], draws: int, rng: np.random.Generator
) -> AnyDraws:
    """Sample the chances of groups that share a Beta distribution.

    ``chance_g ~ Beta(mean * weight, (1 - mean) * weight)``; the mean has the Beta ``prior``, the weight a log-normal
    one.

    Parameters
    ----------
    some, none : ndarray of int, shape (g,)
        Attacks of each group that killed, and that killed nobody.
    prior : (float, float)
        Of the mean.
    draws : int
        How many.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    AnyDraws
        Exact up to the grid of means and weights.
    """
    # Equal steps in the prior's quantiles: every cell weighs the same beforehand, and none lies at infinity.
    at = (np.arange(MEAN_NODES) + 0.5) / MEAN_NODES
    means = np.clip(stats.beta.ppf(at, *prior), SMALLEST, 1 - SMALLEST)
    weights = np.exp(stats.norm.ppf((np.arange(WEIGHT_NODES) + 0.5) / WEIGHT_NODES, *WEIGHT_PRIOR))
    a = (means[:, None] * weights)[..., None]
    b = ((1 - means)[:, None] * weights)[..., None]
    log_mass = (special.betaln(a + some, b + none) - special.betaln(a, b)).sum(axis=-1)
    total = float(special.logsumexp(log_mass))
    cells = rng.choice(log_mass.size, draws, p=np.exp(log_mass - total).ravel())
    i, j = np.unravel_index(cells, log_mass.shape)
    alpha, beta = a[i, j], b[i, j]
    level = np.clip(rng.beta(alpha + some, beta + none), SMALLEST, 1 - SMALLEST)
    newcomer = np.clip(rng.beta(alpha[:, 0], beta[:, 0]), SMALLEST, 1 - SMALLEST)
    return AnyDraws(level, newcomer, None, total - math.log(log_mass.size))


def logistic_posterior(
    design: Floats, lethal: Floats, group: Ints, n_groups: int, draws: int, rng: np.random.Generator
) -> AnyDraws:
    """Sample a logistic regression, with normal group effects where there are several groups.

    Parameters
    ----------
    design : ndarray, shape (n, p)
        Covariates, without intercept.
    lethal : ndarray, shape (n,)
        1 where the attack killed, else 0.
    group : ndarray of int, shape (n,)
        Group of each attack.
    n_groups : int
        How many groups; 0 where there are no effects.
    draws : int
        How many.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    AnyDraws
        In log odds.
    """
    matrix = np.column_stack([np.ones(len(lethal)), design])
    if n_groups:
        matrix = np.column_stack([matrix, np.eye(n_groups)[group]])
    # Attacks that are alike are computed once.
    rows, number_of = np.unique(np.column_stack([matrix, lethal]), axis=0, return_counts=True)
    x, sign, times = rows[:, :-1], 2 * rows[:, -1] - 1, number_of.astype(float)

    def log_likelihood(theta: Floats) -> Floats:
        return np.asarray(-np.logaddexp(0.0, -(theta @ x.T) * sign) @ times)

    fixed = np.array([INTERCEPT_SD] + [COEFFICIENT_SD] * design.shape[1])
    levels = (np.arange(SCALE_NODES) + 0.5) / SCALE_NODES
    scales = EFFECT_SD * stats.halfnorm.ppf(levels) if n_groups else np.ones(1)
    own = np.tile(scales[:, None], n_groups)
    prior = Prior(np.zeros(x.shape[1]), np.column_stack([np.tile(fixed, (len(scales), 1)), own]))
    found = sampled(log_likelihood, prior, draws, rng)
    theta, p = found.draws, len(fixed)
    level = theta[:, :1] + (theta[:, p:] if n_groups else 0.0)
    newcomer = theta[:, 0].copy()
    if n_groups:
        newcomer += rng.normal(0.0, scales[prior.scale_of(theta, rng)])
    return AnyDraws(level, newcomer, theta[:, 1:p], found.log_evidence, found.khat)
