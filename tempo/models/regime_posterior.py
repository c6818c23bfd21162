"""Priors of the regime model, draws from them, and the posterior by Laplace approximation with its evidence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln
from scipy.stats import norm

from tempo.errors import OptionError
from tempo.models.laplace import Resampled, importance_resample
from tempo.models.regime_data import RegimeData
from tempo.models.regime_density import add_log_prior, log_posterior, n_theta, to_theta
from tempo.models.regime_mle import Optimum, bounds, climb, covariance, in_order

__all__ = ["RegimesPrior", "laplace", "mode"]

type Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RegimesPrior:
    """What is believed about regimes before their data are seen: proper, weak, and yours to change.

    * The log of each regime's rate is normal around ``log(rate_median_per_day)`` with sd ``rate_log_sd``, the same for
      all; regimes are then put in order. The default puts 90 % between one attack in 600 days and six a day.
    * Each row of the transition matrix is Dirichlet with weight ``stickiness`` for staying and 1 for each other regime.
      The default expects two regimes to last 11 bins, 90 % between 3.9 and 195.
    * ``stay_days``, where given, replaces the prior of staying: the expected stay in a regime is log-normal, and lies
      between these two numbers of days with probability 0.9. Jumps stay uniform over the other regimes.
    * Dispersion and branching ratio are half-normal; the log of the half-life is normal, as in ``HawkesPrior``.

    Attributes
    ----------
    rate_median_per_day, rate_log_sd : float
        Attacks per day in a regime.
    stickiness : float
        Dirichlet weight of staying for another bin.
    stay_days : (low, high) or None
        Central 90 % of the expected stay.
    dispersion_sd, branching_sd : float
        Scales of the half-normals.
    half_life_median_days, half_life_log_sd : float
        Time in which the excitation halves.

    Examples
    --------
    >>> drawn = RegimesPrior().sample(20_000, np.random.default_rng(1), n_regimes=2)
    >>> stay = 1 + np.exp(-drawn[:, 2])
    >>> np.quantile(stay, [0.05, 0.95]).round(0).tolist()
    [4.0, 197.0]
    """

    rate_median_per_day: float = 0.1
    rate_log_sd: float = 2.5
    stickiness: float = 10.0
    stay_days: tuple[float, float] | None = None
    dispersion_sd: float = 1.0
    branching_sd: float = 0.5
    half_life_median_days: float = 5.0
    half_life_log_sd: float = 1.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name == "stay_days":
                continue
            if not (math.isfinite(value) and value > 0):
                raise OptionError(
                    f"prior {name} is {value!r}; medians, scales and weights are positive and finite."
                )
        if self.stay_days is not None:
            stay = tuple(float(value) for value in self.stay_days)
            if len(stay) != 2 or not 0 < stay[0] < stay[1] < math.inf:
                raise OptionError(
                    f"prior stay_days is {self.stay_days!r}; expected (low, high), two growing numbers of days."
                )
            object.__setattr__(self, "stay_days", stay)

    def array(self, n_regimes: int, stages: int, bin_days: float) -> Floats:
        """Give hyperparameters per bin, in the order that the compiled code expects.

        Parameters
        ----------
        n_regimes, stages : int
            Regimes, and hidden states in a row for each.
        bin_days : float
            Length of a bin.

        Returns
        -------
        ndarray
            See ``regime_density.add_log_prior``.
        """
        mean, sd, possible = 0.0, 0.0, 0.0
        if self.stay_days is not None:
            low, high = (math.log(days / bin_days) for days in self.stay_days)
            mean, sd = 0.5 * (low + high), (high - low) / (2 * float(norm.ppf(0.95)))
            possible = float(norm.logsf(math.log(stages), mean, sd))
        return np.array(
            [
                math.log(self.rate_median_per_day * bin_days),
                self.rate_log_sd,
                self.stickiness,
                mean,
                sd,
                possible,
                self.dispersion_sd,
                self.branching_sd,
                math.log(math.log(2) * bin_days / self.half_life_median_days),
                self.half_life_log_sd,
                float(betaln(max(n_regimes - 1, 1), self.stickiness)),
                float(gammaln(max(n_regimes - 1, 1))),
            ]
        )

    def sample(
        self,
        draws: int,
        rng: np.random.Generator,
        *,
        n_regimes: int,
        stages: int = 1,
        negbin: bool = False,
        contagion: bool = False,
        bin_days: float = 1.0,
    ) -> Floats:
        """Draw unbounded parameters from the prior, regimes in no order.

        Parameters
        ----------
        draws : int
            How many.
        rng : numpy.random.Generator
            Source of randomness.
        n_regimes, stages : int
            Regimes, and hidden states in a row for each.
        negbin, contagion : bool
            What the model has.
        bin_days : float
            Length of a bin.

        Returns
        -------
        ndarray, shape (draws, p)
            Log rates, log-odds of leaving, log ratios of jump probabilities, and what else the model has.
        """
        prior = self.array(n_regimes, stages, bin_days)
        k = n_regimes
        parts = [prior[0] + prior[1] * rng.standard_normal((draws, k))]
        if k > 1:
            if self.stay_days is None:
                leave = rng.beta(k - 1, self.stickiness, (draws, k))
                leave = np.clip(leave, 1e-300, 1 - 1e-15)
                parts.append(np.log(leave) - np.log1p(-leave))
            else:
                # The logarithm of the stay is normal, cut off where a stay would be shorter than its stages.
                upper = rng.random((draws, k)) * math.exp(prior[5])
                log_leave = math.log(stages) - norm.isf(upper, prior[3], prior[4])
                log_leave = np.minimum(log_leave, -1e-15)
                parts.append(log_leave - np.log(-np.expm1(log_leave)))
            for _ in range(k if k > 2 else 0):
                jump = np.log(rng.dirichlet(np.ones(k - 1), draws))
                parts.append(jump[:, 1:] - jump[:, :1])
        if negbin:
            parts.append(np.log(prior[6] * np.abs(rng.standard_normal((draws, 1)))))
        if contagion:
            parts.append(np.log(prior[7] * np.abs(rng.standard_normal((draws, 1)))))
            parts.append(prior[8] + prior[9] * rng.standard_normal((draws, 1)))
        return np.concatenate(parts, axis=1)


def mode(data: RegimeData, prior: Floats, optimum: Optimum) -> tuple[Floats, Floats, float]:
    """Climb the posterior from the maximum of the likelihood.

    Parameters
    ----------
    data : RegimeData
        Counts.
    prior : ndarray
        From ``RegimesPrior.array``.
    optimum : Optimum
        The maximum of the likelihood.

    Returns
    -------
    theta : ndarray, shape (p,)
        The peak, regimes in order.
    covariance : ndarray, shape (p, p)
        Inverse of its curvature.
    height : float
        Log posterior density there.
    """
    lower, upper = bounds(data)
    k, _, negbin, contagion = data.shape
    # From a bound, a climb hardly gets away: start in the middle of what is not known.
    middle = _typical(data, prior)
    starts = (optimum.theta, np.where(optimum.free, optimum.theta, middle))
    tops = [climb(data, np.clip(start, lower + 1e-3, upper - 1e-3), prior) for start in starts]
    theta, height, _ = max(tops, key=lambda top: top[1])
    theta = in_order(data, theta)
    free = np.ones(n_theta(k, negbin, contagion), dtype=bool)
    spread, _ = covariance(data, theta, free, prior)
    return theta, spread, height


def laplace(
    data: RegimeData,
    prior: RegimesPrior,
    optimum: Optimum,
    bin_days: float,
    draws: int,
    rng: np.random.Generator,
) -> Resampled:
    """Draw from the posterior by importance resampling around its peak, and give its evidence.

    Parameters
    ----------
    data : RegimeData
        Counts.
    prior : RegimesPrior
        Prior.
    optimum : Optimum
        The maximum of the likelihood.
    bin_days : float
        Length of a bin.
    draws : int
        How many.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Resampled
        Unbounded parameters, regimes in order of their rates. The evidence counts every labelling of the regimes,
        which are the same by symmetry.
    """
    k, stages, negbin, contagion = data.shape
    hyper = prior.array(k, stages, bin_days)
    peak = mode(data, hyper, optimum)
    labellings = float(gammaln(k + 1))
    scratch = np.zeros(len(peak[0]))

    def log_target(places: Floats) -> Floats:
        out = np.full(len(places), -np.inf)
        for row in np.flatnonzero((np.diff(places[:, :k], axis=1) >= 0).all(axis=1)):
            out[row] = log_posterior(*data.arrays, hyper, places[row], scratch) + labellings
        return out

    def log_prior(places: Floats) -> Floats:
        """Density of the prior with its regimes put in order."""
        out = np.full(len(places), -np.inf)
        for row in np.flatnonzero((np.diff(places[:, :k], axis=1) >= 0).all(axis=1)):
            out[row] = add_log_prior(*data.shape, hyper, places[row], scratch) + labellings
        return out

    def prior_sample(number: int, generator: np.random.Generator) -> Floats:
        places = prior.sample(
            number,
            generator,
            n_regimes=k,
            stages=stages,
            negbin=negbin,
            contagion=contagion,
            bin_days=bin_days,
        )
        return np.array([in_order(data, place) for place in places]).reshape(number, -1)

    return importance_resample(log_target, [peak], prior_sample, log_prior, draws, rng)


def _typical(data: RegimeData, prior: Floats) -> Floats:
    """Give a plausible place under the prior: every parameter in the middle."""
    k, stages, negbin, contagion = data.shape
    stay = math.exp(prior[3]) if prior[4] > 0 else 1.0 + prior[2]
    leave = min(max(stages / stay, 1e-6), 0.9)
    jump = (np.ones((k, k)) - np.eye(k)) / max(k - 1, 1)
    rates = np.full(k, math.exp(prior[0]))
    rest = [prior[6] * 0.67, prior[7] * 0.67, math.exp(-math.exp(prior[8]))]
    natural = np.concatenate([rates, np.full(k, leave), jump.ravel(), rest])
    return to_theta(natural, k, negbin, contagion)
