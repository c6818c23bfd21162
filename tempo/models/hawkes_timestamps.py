"""The engine of ``Hawkes`` for incidents with a time of day: continuous time, exact times, no bins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import gammaln
from scipy.stats import expon

from tempo.data.counts import Counts
from tempo.data.incidents import Incidents
from tempo.data.window import DAY
from tempo.models import hawkes_continuous as continuous
from tempo.models.checks import check_table, residual_checks
from tempo.models.hawkes_kernels_times import by_day, evaluate_times, log_posterior_of_times
from tempo.models.hawkes_mle import Optimum
from tempo.models.hawkes_posterior import HawkesPrior
from tempo.models.hawkes_residuals import rescaled_gaps
from tempo.models.hawkes_simulation import continuous_counts
from tempo.models.laplace import Resampled, importance_resample

if TYPE_CHECKING:
    from tempo.models.nuts import Sampled

__all__ = ["TimestampEngine"]

type Floats = NDArray[np.float64]

NO_HISTORY = np.empty(0)


@dataclass(frozen=True, eq=False)
class TimestampEngine:
    """A Hawkes model of the times of one list of incidents.

    Attributes
    ----------
    counts : Counts
        The incidents by day, for tables and charts.
    times : ndarray, shape (n,)
        Days from the start of the window, increasing.
    end : float
        Length of the window in days.
    """

    counts: Counts
    times: Floats
    end: float

    @staticmethod
    def obstacle(incidents: Incidents) -> str:
        """Say what stands against continuous time, or nothing.

        Parameters
        ----------
        incidents : Incidents
            The data.

        Returns
        -------
        str
            Empty if nothing does.
        """
        table = incidents.table
        untimed = int((table["date_precision"] != "time").sum())
        if not len(table):
            return "there are no incidents, and none has a time of day"
        if untimed:
            return f"{untimed} of {len(table)} incidents have no time of day"
        tied = int(table["date_start"].duplicated(keep=False).sum())
        if tied:
            return f"{tied} incidents share their time with another"
        if incidents.window.gaps:
            return (
                "the window has gaps, and what happened in them would have to be known (pass the stretches between "
                "them, incidents.between(start, end), as several series)"
            )
        return ""

    @classmethod
    def of(cls, incidents: Incidents) -> TimestampEngine:
        """Lay out incidents that have no obstacle.

        Parameters
        ----------
        incidents : Incidents
            The data.

        Returns
        -------
        TimestampEngine
            The engine.
        """
        times = (incidents.table["date_start"] - incidents.window.start) / DAY
        sorted_times: Floats = np.sort(times.to_numpy(dtype=np.float64))
        # Midnight of the first day is inside the half-open window but would be time zero, which is history.
        sorted_times[:1] = np.maximum(sorted_times[:1], 1e-9)
        return cls(incidents.counts("1D"), sorted_times, incidents.window.length_days)

    @cached_property
    def optimum(self) -> Optimum:
        """Maximum of the likelihood, in the layout of the binned engine."""
        fit = continuous.fit_exponential(self.times, self.end)
        parameters = np.array([fit.baseline, fit.branching, fit.decay, 0.0])
        with np.errstate(divide="ignore"):
            theta = np.log(np.where(np.isnan(parameters), 1.0, parameters))
        theta[3] = 0.0
        theta[:2] = np.maximum(theta[:2], -40.0)
        covariance = np.full((4, 4), math.nan)
        with np.errstate(divide="ignore", invalid="ignore"):  # without attacks there is no baseline
            covariance[:3, :3] = fit.covariance / np.outer(parameters[:3], parameters[:3])
        free = np.isfinite(np.diag(covariance))
        modes = np.insert(fit.modes, 3, 0.0, axis=1)
        return Optimum(
            parameters,
            theta,
            covariance,
            fit.llf,
            fit.llf_poisson,
            modes,
            fit.converged,
            (bool(free[0]), bool(free[1]), bool(free[2]), False),
        )

    def branching_interval(self, prob: float) -> tuple[float, float]:
        """Profile-likelihood interval of the branching ratio."""
        fit = continuous.fit_exponential(self.times, self.end)
        low, high = continuous.branching_interval(fit, prob=prob)
        return float(low), float(high)

    def laplace(self, prior: HawkesPrior, draws: int, rng: np.random.Generator) -> Resampled:
        """Posterior by importance resampling."""

        def padded(theta: Floats) -> Floats:
            return np.column_stack([theta, np.zeros(len(theta))])

        found = importance_resample(
            lambda theta: np.asarray(evaluate_times(self.times, self.end, prior.array, 1.0, theta)),
            self._peaks(prior),
            lambda n, generator: np.log(prior.sample(n, generator)[:, :3]),
            lambda theta: prior.log_density(padded(theta), negbin=False),
            draws,
            rng,
        )
        parameters = np.column_stack([np.exp(found.draws), np.zeros(draws)])
        return Resampled(
            parameters, found.khat, found.effective, found.log_evidence, found.log_evidence_error
        )

    def _peaks(self, prior: HawkesPrior) -> list[tuple[Floats, Floats, float]]:
        hyper = prior.array

        def downhill(theta: Floats) -> tuple[float, Floats]:
            gradient = np.zeros(3)
            value = log_posterior_of_times(self.times, self.end, hyper, 1.0, theta, gradient)
            return -value, -gradient

        rate = (len(self.times) + 0.5) / (self.end + 1.0)
        found: list[tuple[Floats, Floats, float]] = []
        for shift in (-3.0, 0.0, 3.0):  # memories from hours to weeks
            start = np.array([math.log(0.7 * rate), math.log(0.3), hyper[3] + shift])
            best = minimize(
                downhill,
                start,
                jac=True,
                method="L-BFGS-B",
                bounds=[(-25, 15), (-40, 3), (-12, 12)],
            )
            theta = np.asarray(best.x)
            if any(np.abs(theta - place).max() < 0.05 for place, _, _ in found):
                continue
            step = 1e-4
            information = np.array(
                [
                    (downhill(theta + step * unit)[1] - downhill(theta - step * unit)[1])
                    / (2 * step)
                    for unit in np.eye(3)
                ]
            )
            values, vectors = np.linalg.eigh(0.5 * (information + information.T))
            covariance = (vectors / np.maximum(np.abs(values), 1e-2)) @ vectors.T
            found.append((theta, np.asarray(covariance), -float(best.fun)))
        found.sort(key=lambda peak: -peak[2])
        return [peak for peak in found if peak[2] > found[0][2] - 12.0]

    def nuts(
        self, prior: HawkesPrior, draws: int, rng: np.random.Generator, progress: bool | None
    ) -> Sampled:
        """Posterior by sampling."""
        from tempo.models.hawkes_nuts import sample_times

        place, covariance, _ = self._peaks(prior)[0]
        return sample_times(
            self.times, self.end, prior, place, covariance, draws=draws, rng=rng, progress=progress
        )

    def total_log_likelihood(self, theta: Floats) -> Floats:
        """Log-likelihood at each row of log parameters, shape (draws, 4)."""
        return np.asarray(evaluate_times(self.times, self.end, np.ones(6), 0.0, theta))

    def means(self, parameters: Floats) -> tuple[Floats, Floats]:
        """Give the expected attacks of each day given those before: baseline and triggered, each (draws, n)."""
        triggered, _ = by_day(self.times, len(self.counts), parameters)
        return np.repeat(parameters[:, :1], len(self.counts), axis=1), triggered

    def log_likelihood(self, parameters: Floats) -> Floats:
        """Log-likelihood of each day given those before, shape (draws, n).

        It is that of the number of attacks and of their places within the day against evenly spread ones, so that it
        can be compared with that of a model of counts: the sum over days is the log-likelihood less ``sum log(y!)``.
        """
        triggered, log_intensity = by_day(self.times, len(self.counts), parameters)
        orders = gammaln(self.counts.to_numpy(dtype=float) + 1.0)
        return np.asarray(log_intensity - parameters[:, :1] - triggered - orders)

    def simulate(
        self, parameters: Floats, n_bins: int, rng: np.random.Generator, cap: float
    ) -> NDArray[np.int64]:
        """Simulate the days after the window, one path for each row of parameters."""
        return continuous_counts(
            np.arange(0.0, n_bins + 1.0),
            parameters[:, 0],
            parameters[:, 1],
            parameters[:, 2],
            rng,
            history=self.times - self.end,
            cap=int(cap),
        )

    def check(self, parameters: Floats, rng: np.random.Generator) -> pd.DataFrame:  # noqa: ARG002
        """Check table for time-rescaled gaps, averaged over draws."""
        if not len(self.times):
            return check_table(residual_checks(NO_HISTORY))
        gaps = [rescaled_gaps(self.times, self.end, *row[:3]) for row in parameters]
        return check_table(residual_checks(expon.cdf(np.array(gaps)).mean(axis=0)))
