"""What makes a lethal attack deadlier: covariates and groups of the number killed. Arrays only.

Each family of tails has one parameter of location: the mean of the negative binomial, the median of the log-normal, the
mean logarithm of the power law. Covariates multiply it, ``exp(coefficients @ x)``; groups have normal effects on its
logarithm, whose scale lies on a grid of equal prior probability: summed over it, the prior of the effects is a mixture,
and one pass of importance resampling covers small scales and large ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tempo.models import severity_tails as tails
from tempo.models.lethality_draws import TailDraws
from tempo.models.lethality_reading import LethalRows
from tempo.models.lethality_sampling import Prior, laplace_evidence, sampled
from tempo.models.lethality_tails import drawn
from tempo.models.posterior_rows import DrawRows

__all__ = ["Effects", "no_effects", "regression_posterior", "rough_evidence"]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

#: Standard deviation of the normal prior of a coefficient, and scale of the half-normal prior of the standard deviation
#: of group effects, both on the logarithm of the location. The power law's is twice as sensitive.
EFFECT_SD = {"negbin": 1.0, "lognormal": 1.0, "power": 0.5}
SCALE_NODES = 16
MOST_CELLS = 2_000_000  # of one table of log-likelihoods


@dataclass(frozen=True, eq=False)
class Effects(DrawRows):
    """Posterior draws of what makes an attack deadlier, on the logarithm of the location.

    Attributes
    ----------
    coefficients : ndarray, shape (s, q)
        Of the covariates.
    level : ndarray, shape (s, g)
        Of each group.
    newcomer : ndarray, shape (s,)
        Of a group that was never seen.
    """

    coefficients: Floats
    level: Floats
    newcomer: Floats

    @property
    def none(self) -> bool:
        """Whether all attacks are alike."""
        return not (self.coefficients.shape[1] or self.level.any() or self.newcomer.any())

    def shift(self, design: Floats, group: Ints) -> Floats:
        """Give how much deadlier each of some attacks is.

        Parameters
        ----------
        design : ndarray, shape (n, q)
            Covariates; q is 0 where there are none.
        group : ndarray of int, shape (n,)
            Group of each; -1 is one that was never seen.

        Returns
        -------
        ndarray, shape (s, n)
            As ``severity_tails.shifted`` has it.
        """
        levels = np.concatenate([self.level, self.newcomer[:, None]], axis=1)[:, group]
        return np.asarray(levels + self.coefficients @ design.T)


def no_effects(draws: int) -> Effects:
    """Give the effects of a model that has neither covariates nor groups.

    Parameters
    ----------
    draws : int
        How many.

    Returns
    -------
    Effects
        Zero.

    Examples
    --------
    >>> no_effects(2).shift(np.zeros((3, 0)), np.zeros(3, dtype=int)).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    return Effects(np.zeros((draws, 0)), np.zeros((draws, 1)), np.zeros(draws))


def regression_posterior(
    family: str,
    rows: LethalRows,
    n_groups: int,
    x_min: int,
    draws: int,
    rng: np.random.Generator,
) -> tuple[TailDraws, Effects, float, float]:
    """Sample a tail with covariates or groups.

    Parameters
    ----------
    family : str
        Which.
    rows : LethalRows
        Attacks with at least ``x_min`` killed.
    n_groups : int
        How many groups; 0 where there are none.
    x_min : int
        Where a power law begins; 1 for the others.
    draws : int
        How many draws.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    tail : TailDraws
        Of an average attack, of equal weight; below ``x_min`` it says nothing.
    effects : Effects
        That belong to them.
    log_evidence : float
        Log marginal likelihood.
    khat : float
        Whether the approximation can be trusted: below 0.7.
    """
    p, q = len(tails.PRIORS[family]), rows.design.shape[1]
    log_likelihood, prior, scales = _posed(family, rows, n_groups, x_min)
    found = sampled(log_likelihood, prior, draws, rng)
    theta, zeros = found.draws, np.zeros(draws)
    effects = Effects(
        theta[:, p : p + q],
        theta[:, p + q :] if n_groups else zeros[:, None],
        rng.normal(0.0, scales[prior.scale_of(theta, rng)]) if n_groups else zeros,
    )
    return drawn(family, theta[:, :p], x_min), effects, found.log_evidence, found.khat


def rough_evidence(rows: LethalRows, n_groups: int, x_min: int) -> float:
    """Give the log evidence of a power law by its Laplace approximation, under a middling scale of group effects.

    Parameters
    ----------
    rows : LethalRows
        Attacks with at least ``x_min`` killed.
    n_groups : int
        How many groups; 0 where there are none.
    x_min : int
        Where the power law begins.

    Returns
    -------
    float
        Good enough to tell which beginnings are worth sampling.
    """
    log_likelihood, prior, _ = _posed("power", rows, n_groups, x_min)
    middle = len(prior.sd) // 2
    return laplace_evidence(log_likelihood, Prior(prior.mean, prior.sd[middle : middle + 1]))


def _posed(
    family: str, rows: LethalRows, n_groups: int, x_min: int
) -> tuple[Callable[[Floats], Floats], Prior, Floats]:
    """Likelihood, prior and the scales of group effects."""
    p, q = len(tails.PRIORS[family]), rows.design.shape[1]
    matrix = np.column_stack([rows.design, np.eye(max(n_groups, 1))[rows.group][:, :n_groups]])
    step = max(1, MOST_CELLS // max(len(rows.tolls), 1))

    def log_likelihood(theta: Floats) -> Floats:
        result = np.empty(len(theta))
        for begin in range(0, len(theta), step):
            part = theta[begin : begin + step]
            by_row = tails.log_interval(
                family,
                part[:, :p],
                rows.tolls.low,
                rows.tolls.high,
                x_min=x_min,
                shift=part[:, p:] @ matrix.T,
            )
            result[begin : begin + step] = by_row @ rows.number_of
        return result

    own_mean, own_sd = (np.array(column) for column in zip(*tails.PRIORS[family], strict=True))
    unit = EFFECT_SD[family]
    levels = (np.arange(SCALE_NODES) + 0.5) / SCALE_NODES
    scales = unit * stats.halfnorm.ppf(levels) if n_groups else np.ones(1)
    fixed = np.concatenate([own_sd, np.full(q, unit)])
    prior = Prior(
        np.concatenate([own_mean, np.zeros(q + n_groups)]),
        np.column_stack([np.tile(fixed, (len(scales), 1)), np.tile(scales[:, None], n_groups)]),
    )
    return log_likelihood, prior, scales
