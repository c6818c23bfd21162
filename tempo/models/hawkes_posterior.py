"""Priors of the Hawkes model, draws from them, and the posterior by Laplace approximation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from tempo.errors import OptionError
from tempo.models import hawkes_climb as climb
from tempo.models import hawkes_daily as daily
from tempo.models.intervals import central_levels
from tempo.models.laplace import Resampled, importance_resample

__all__ = ["HawkesPrior", "laplace", "posterior_peaks"]

type Floats = NDArray[np.float64]

LOG_ROOT = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True)
class HawkesPrior:
    """What is believed about a Hawkes model before its data are seen: proper, weak, and yours to change.

    * ``log(baseline)`` is normal around ``log(baseline_median_per_day)`` with sd ``baseline_log_sd``. The default puts
      90 % between one attack in 600 days and six a day.
    * The branching ratio is half-normal with scale ``branching_sd``. The default puts its median at 0.34 and 5 % above
      1: runaway growth is unlikely but is not forbidden.
    * ``log(half-life)`` is normal around ``log(half_life_median_days)`` with sd ``half_life_log_sd``. The default puts
      90 % between one day and 26 days, the 2 to 6 weeks after which Lewis et al. (2012) saw excitation end.
    * The dispersion is half-normal with scale ``dispersion_sd``.
    * Coefficients of a baseline that moves are normal with sd ``coefficient_sd`` for each standard deviation of their
      column, or for half the distance where a column has two values. The default lets one standard deviation multiply
      the baseline by 0.3 to 3.2, and an event that is either there or not by 0.1 to 10 (90 %).
    * The exponent of a mark is normal around 0 with sd ``mark_exponent_sd``.
    * Log levels of a histogram kernel step down by 0.5 from one to the next, with sd ``histogram_step_sd``: the
      smaller, the smoother.
    * Other kernels: see ``docs/hawkes.md``; their mean lag has the prior of the half-life.

    Attributes
    ----------
    baseline_median_per_day, baseline_log_sd : float
        Attacks per day that nothing triggered.
    branching_sd : float
        Attacks triggered by one attack.
    half_life_median_days, half_life_log_sd : float
        Time in which the excitation halves; ``decay = log(2) / half-life``.
    dispersion_sd : float
        Excess variance of the negative binomial.
    coefficient_sd : float
        Effects of season, trend, steps and covariates on the log baseline.
    mark_exponent_sd : float
        How steeply productivity follows a mark.
    histogram_step_sd : float
        Roughness of a histogram kernel.

    Examples
    --------
    >>> HawkesPrior().quantiles(prob=0.9).round(3).loc["branching_ratio"].tolist()
    [0.031, 0.337, 0.98]
    """

    baseline_median_per_day: float = 0.1
    baseline_log_sd: float = 2.5
    branching_sd: float = 0.5
    half_life_median_days: float = 5.0
    half_life_log_sd: float = 1.0
    dispersion_sd: float = 1.0
    coefficient_sd: float = 0.7
    mark_exponent_sd: float = 0.5
    histogram_step_sd: float = 1.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value > 0):
                raise OptionError(
                    f"prior {name} is {value!r}; medians and standard deviations are positive and finite."
                )

    @property
    def array(self) -> Floats:
        """Hyperparameters in the order that the compiled code expects."""
        return np.array(
            [
                math.log(self.baseline_median_per_day),
                self.baseline_log_sd,
                self.branching_sd,
                math.log(math.log(2) / self.half_life_median_days),
                self.half_life_log_sd,
                self.dispersion_sd,
            ]
        )

    def sample(self, draws: int, rng: np.random.Generator) -> Floats:
        """Draw parameters from the prior.

        Parameters
        ----------
        draws : int
            How many.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray, shape (draws, 4)
            Columns baseline per day, branching ratio, decay per day, dispersion.
        """
        prior = self.array
        z = rng.standard_normal((draws, 4))
        return np.column_stack(
            [
                np.exp(prior[0] + prior[1] * z[:, 0]),
                prior[2] * np.abs(z[:, 1]),
                np.exp(prior[3] + prior[4] * z[:, 2]),
                prior[5] * np.abs(z[:, 3]),
            ]
        )

    def log_density(self, theta: Floats, *, negbin: bool) -> Floats:
        """Give the log prior density of log parameters, Jacobians included.

        Parameters
        ----------
        theta : ndarray, shape (draws, 4)
            Logs of the parameters.
        negbin : bool
            Whether the dispersion counts.

        Returns
        -------
        ndarray, shape (draws,)
            Log densities.
        """
        prior = self.array
        z = (theta[:, 0] - prior[0]) / prior[1]
        out = -0.5 * z**2 - math.log(prior[1]) - LOG_ROOT
        z = (theta[:, 2] - prior[3]) / prior[4]
        out = out - 0.5 * z**2 - math.log(prior[4]) - LOG_ROOT
        halves = [(1, prior[2])] + ([(3, prior[5])] if negbin else [])
        for column, scale in halves:
            z = np.exp(np.minimum(theta[:, column], 300.0)) / scale
            out = out + theta[:, column] - 0.5 * z**2 - math.log(scale) - LOG_ROOT + math.log(2)
        return np.asarray(out)

    def quantiles(self, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate what the prior allows.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the central interval.

        Returns
        -------
        pandas.DataFrame
            One row for each parameter: low, median, high.
        """
        chances = np.array(central_levels(prob))
        levels, halves = norm.ppf(chances), norm.ppf(0.5 + chances / 2)
        table = {
            "baseline": self.baseline_median_per_day * np.exp(self.baseline_log_sd * levels),
            "branching_ratio": self.branching_sd * halves,
            "half_life_days": self.half_life_median_days * np.exp(self.half_life_log_sd * levels),
            "dispersion": self.dispersion_sd * halves,
        }
        return pd.DataFrame.from_dict(table, orient="index", columns=["low", "median", "high"])


def posterior_peaks(
    data: daily.BinnedData, prior: HawkesPrior, *, negbin: bool
) -> list[tuple[Floats, Floats, float]]:
    """Find the peaks of the posterior on the log scale.

    Parameters
    ----------
    data : BinnedData
        Counts.
    prior : HawkesPrior
        Prior.
    negbin : bool
        Whether the dispersion is a parameter.

    Returns
    -------
    list of (place, covariance, height)
        Highest first; place and covariance over the three or four parameters.
    """
    p = 4 if negbin else 3
    hyper = prior.array
    _, upper = climb.bounds(data)
    lower = climb.LOG_LOWER
    upper = np.maximum(upper, climb.LOG_UPPER)
    free = np.array([True, True, True, negbin])
    rate = (data.n_events + 0.5) / (float(data.days.sum()) + 1.0)
    found: list[tuple[Floats, Floats, float]] = []
    for half_life in prior.half_life_median_days * np.exp(
        prior.half_life_log_sd * np.array([-1.5, 0.0, 1.5])
    ):
        start = np.array(
            [math.log(0.7 * rate), math.log(0.3), math.log(math.log(2) / half_life), math.log(0.3)]
        )
        theta, height, _ = climb.maximise(
            *data.arrays, hyper, 1.0, negbin, start, free, lower, upper, climb.MOST_STEPS
        )
        if any(np.abs(theta[:p] - place).max() < 0.05 for place, _, _ in found):
            continue
        information = -climb.hessian(data, hyper, 1.0, theta, negbin=negbin)[:p, :p]
        values, vectors = np.linalg.eigh(information)
        covariance = (vectors / np.maximum(np.abs(values), 1e-2)) @ vectors.T
        found.append((theta[:p], np.asarray(covariance), float(height)))
    found.sort(key=lambda peak: -peak[2])
    return [peak for peak in found if peak[2] > found[0][2] - 12.0]


def laplace(
    data: daily.BinnedData,
    prior: HawkesPrior,
    *,
    negbin: bool,
    draws: int,
    rng: np.random.Generator,
) -> Resampled:
    """Draw from the posterior by Laplace approximation and importance resampling.

    Parameters
    ----------
    data : BinnedData
        Counts.
    prior : HawkesPrior
        Prior.
    negbin : bool
        Whether the dispersion is a parameter.
    draws : int
        How many draws.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Resampled
        Its draws have four columns in natural parameters (dispersion 0 for Poisson).
    """
    p = 4 if negbin else 3
    hyper = prior.array

    def padded(theta: Floats) -> Floats:
        return np.column_stack([theta, np.zeros((len(theta), 4 - p))])

    found = importance_resample(
        lambda theta: np.asarray(daily.evaluate(*data.arrays, hyper, 1.0, negbin, padded(theta))),
        posterior_peaks(data, prior, negbin=negbin),
        lambda n, generator: np.log(prior.sample(n, generator)[:, :p]),
        lambda theta: prior.log_density(padded(theta), negbin=negbin),
        draws,
        rng,
    )
    parameters = np.zeros((draws, 4))
    parameters[:, :p] = np.exp(found.draws)
    return Resampled(
        parameters, found.khat, found.effective, found.log_evidence, found.log_evidence_error
    )
