"""Prior of the Hawkes model by kind, its peaks, and the posterior by Laplace approximation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import halfnorm, lomax, norm

from tempo.errors import OptionError
from tempo.models import hawkes_kinds_kernels as kernels
from tempo.models.hawkes_kinds_mle import KindsArrays
from tempo.models.intervals import central_levels
from tempo.models.laplace import Resampled, importance_resample

__all__ = ["KindsPrior", "laplace_kinds", "posterior_peaks"]

type Floats = NDArray[np.float64]

STEP = 1e-4


@dataclass(frozen=True)
class KindsPrior:
    """What is believed about several kinds before their data are seen: proper, and sceptical of cross-triggering.

    * ``log(baseline)`` of each kind is normal around ``log(baseline_median_per_day)`` with sd ``baseline_log_sd``.
    * What a kind triggers of its own (the diagonal of the branching matrix) is half-normal with scale ``own_sd``.
    * What it triggers of each other kind has a Lomax density, ``(c / s) (1 + x / s)^-(c + 1)``: a peak at zero and a
      long tail, as in Bayesian adaptive shrinkage (Armagan, Dunson & Lee 2013, *Statistica Sinica* 23). Its mean is
      ``cross_mean / (K - 1)``: however many kinds there are, an attack triggers ``cross_mean`` of the others in all.
      ``c = cross_shape``: smaller means more weight at zero and longer tails.
    * ``log(half-life)`` is normal around ``log(half_life_median_days)`` with sd ``half_life_log_sd``.
    * Each dispersion is half-normal with scale ``dispersion_sd``.

    Attributes
    ----------
    baseline_median_per_day, baseline_log_sd : float
        Attacks per day that nothing triggered.
    own_sd : float
        Attacks of its own kind triggered by one attack.
    cross_mean, cross_shape : float
        Attacks of all other kinds triggered by one attack.
    half_life_median_days, half_life_log_sd : float
        Time in which the excitation halves.
    dispersion_sd : float
        Excess variance of the negative binomial.

    Examples
    --------
    >>> KindsPrior().quantiles(n_kinds=4, prob=0.9).round(3).loc["another kind"].tolist()
    [0.002, 0.035, 0.229]
    """

    baseline_median_per_day: float = 0.1
    baseline_log_sd: float = 2.5
    own_sd: float = 0.5
    cross_mean: float = 0.2
    cross_shape: float = 3.0
    half_life_median_days: float = 5.0
    half_life_log_sd: float = 1.0
    dispersion_sd: float = 1.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value > 0):
                raise OptionError(
                    f"prior {name} is {value!r}; medians, means, scales and shapes are positive and finite."
                )
        if self.cross_shape <= 1:
            raise OptionError(
                f"prior cross_shape is {self.cross_shape!r}; it must be above 1, or cross_mean would be infinite."
            )

    def array(self, n_kinds: int) -> Floats:
        """Give the numbers of the prior in the order that the compiled code expects.

        Parameters
        ----------
        n_kinds : int
            How many kinds share ``cross_mean``.

        Returns
        -------
        ndarray, shape (8,)
            Hyperparameters.
        """
        mean = self.cross_mean / max(n_kinds - 1, 1)
        return np.array(
            [
                math.log(self.baseline_median_per_day),
                self.baseline_log_sd,
                self.own_sd,
                mean * (self.cross_shape - 1),
                self.cross_shape,
                math.log(math.log(2) / self.half_life_median_days),
                self.half_life_log_sd,
                self.dispersion_sd,
            ]
        )

    def probability_above(self, branching: float, n_kinds: int) -> Floats:
        """Give the prior probability that an entry of the branching matrix is larger.

        Parameters
        ----------
        branching : float
            Attacks triggered by one attack.
        n_kinds : int
            Size of the matrix.

        Returns
        -------
        ndarray, shape (n_kinds, n_kinds)
            Probabilities.
        """
        numbers = self.array(n_kinds)
        out = np.full((n_kinds, n_kinds), lomax.sf(branching / numbers[3], numbers[4]))
        np.fill_diagonal(out, halfnorm.sf(branching / numbers[2]))
        return out

    def quantiles(self, n_kinds: int, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate what the prior allows.

        Parameters
        ----------
        n_kinds : int
            How many kinds.
        prob : float, default 0.9
            Probability of the central interval.

        Returns
        -------
        pandas.DataFrame
            Low, median and high of a baseline, of what a kind triggers of its own and of another kind, of the
            half-life and of a dispersion.
        """
        levels = central_levels(prob)
        numbers = self.array(n_kinds)
        table = {
            "baseline": self.baseline_median_per_day
            * np.exp(self.baseline_log_sd * norm.ppf(levels)),
            "its own kind": self.own_sd * halfnorm.ppf(levels),
            "another kind": numbers[3] * lomax.ppf(levels, numbers[4]),
            "half_life_days": self.half_life_median_days
            * np.exp(self.half_life_log_sd * norm.ppf(levels)),
            "dispersion": self.dispersion_sd * halfnorm.ppf(levels),
        }
        return pd.DataFrame.from_dict(table, orient="index", columns=["low", "median", "high"])


def posterior_peaks(data: KindsArrays, prior: Floats) -> list[tuple[Floats, Floats, float]]:
    """Find the peaks of the posterior of ``z``, in which the prior is standard normal.

    Parameters
    ----------
    data : KindsArrays
        Counts.
    prior : ndarray, shape (8,)
        From ``KindsPrior.array``.

    Returns
    -------
    list of (place, covariance, height)
        Highest first.
    """
    gradient = np.empty(data.n_parameters)

    def negative(z: Floats) -> tuple[float, Floats]:
        value = kernels.log_posterior(*data.arrays, prior, z, gradient)
        return -value, -gradient

    baselines, _, decays, _ = data.parts
    watched = np.maximum(data.days.sum(axis=0), 1e-9)
    found: list[tuple[float, Floats]] = []
    for memory in (-1.2, 0.0, 1.2):
        start = np.zeros(data.n_parameters)
        start[baselines] = (np.log(0.7 * (data.events + 0.3) / watched) - prior[0]) / prior[1]
        start[decays] = memory
        done = minimize(
            negative,
            start,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 500, "ftol": 1e-12, "gtol": 1e-5},
        )
        place = np.asarray(done.x)
        if all(np.abs(place - other).max() > 0.05 for _, other in found):
            found.append((-float(done.fun), place))
    found.sort(key=lambda each: -each[0])
    return [
        (place, _covariance(data, prior, place), height)
        for height, place in found
        if height > found[0][0] - 12.0
    ]


def _covariance(data: KindsArrays, prior: Floats, place: Floats) -> Floats:
    """Inverse of the negative Hessian by central differences; no direction is wider than the prior by much."""
    p = len(place)
    information = np.empty((p, p))
    above, below = np.empty(p), np.empty(p)
    for i in range(p):
        moved = place.copy()
        moved[i] += STEP
        kernels.log_posterior(*data.arrays, prior, moved, above)
        moved[i] -= 2 * STEP
        kernels.log_posterior(*data.arrays, prior, moved, below)
        information[i] = -(above - below) / (2 * STEP)
    values, vectors = np.linalg.eigh(0.5 * (information + information.T))
    return np.asarray((vectors / np.maximum(np.abs(values), 0.5)) @ vectors.T)


def laplace_kinds(
    data: KindsArrays, prior: Floats, *, draws: int, rng: np.random.Generator
) -> Resampled:
    """Draw from the posterior by Laplace approximation and importance resampling.

    Parameters
    ----------
    data : KindsArrays
        Counts.
    prior : ndarray, shape (8,)
        From ``KindsPrior.array``.
    draws : int
        How many draws.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Resampled
        Its draws are natural parameters, shape (draws, p).
    """
    p = data.n_parameters
    found = importance_resample(
        lambda z: np.asarray(kernels.evaluate(*data.arrays, prior, z)),
        posterior_peaks(data, prior),
        lambda n, generator: generator.standard_normal((n, p)),
        lambda z: np.asarray(norm.logpdf(z).sum(axis=1)),
        draws,
        rng,
    )
    parameters = kernels.natural_rows(found.draws, prior, data.n_kinds, data.negbin)
    return Resampled(
        parameters, found.khat, found.effective, found.log_evidence, found.log_evidence_error
    )
