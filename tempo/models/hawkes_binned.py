"""The engine of ``Hawkes`` for counts in bins: everything that a fit needs from data of one series."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.counts import Counts
from tempo.models import hawkes_daily as daily
from tempo.models import observation as obs
from tempo.models.checks import count_checks
from tempo.models.hawkes_mle import Optimum, branching_interval, maximum_likelihood
from tempo.models.hawkes_posterior import HawkesPrior, laplace
from tempo.models.hawkes_simulation import discrete_counts
from tempo.models.laplace import Resampled

if TYPE_CHECKING:
    from tempo.models.nuts import Sampled

__all__ = ["BinnedEngine"]

type Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BinnedEngine:
    """A Hawkes model of the counts of one series.

    Attributes
    ----------
    counts : Counts
        The series.
    negbin : bool
        Whether counts scatter more than Poisson.
    """

    counts: Counts
    negbin: bool

    @cached_property
    def data(self) -> daily.BinnedData:
        """The counts as the compiled code wants them."""
        return daily.prepare(
            self.counts.to_numpy(dtype=float),
            self.counts.exposure.to_numpy(dtype=float),
            self.counts.bin_days,
        )

    @cached_property
    def optimum(self) -> Optimum:
        """Maximum of the likelihood."""
        return maximum_likelihood(self.data, negbin=self.negbin)

    def branching_interval(self, prob: float) -> tuple[float, float]:
        """Profile-likelihood interval of the branching ratio."""
        return branching_interval(self.data, self.optimum, negbin=self.negbin, prob=prob)

    def laplace(self, prior: HawkesPrior, draws: int, rng: np.random.Generator) -> Resampled:
        """Posterior by importance resampling."""
        return laplace(self.data, prior, negbin=self.negbin, draws=draws, rng=rng)

    def nuts(
        self, prior: HawkesPrior, draws: int, rng: np.random.Generator, progress: bool | None
    ) -> Sampled:
        """Posterior by sampling."""
        from tempo.models.hawkes_nuts import sample

        return sample(self.data, prior, negbin=self.negbin, draws=draws, rng=rng, progress=progress)

    def total_log_likelihood(self, theta: Floats) -> Floats:
        """Log-likelihood at each row of log parameters, shape (draws, 4)."""
        return np.asarray(daily.evaluate(*self.data.arrays, np.ones(6), 0.0, self.negbin, theta))

    def means(self, parameters: Floats) -> tuple[Floats, Floats]:
        """Give the expected attacks of whole bins given those before: baseline and triggered, each (draws, n)."""
        data = self.data
        triggered = daily.excitation(data.counts, data.bin_days, data.width, parameters)
        return parameters[:, :1] * data.bin_days, triggered

    def log_likelihood(self, parameters: Floats) -> Floats:
        """Log-likelihood of each observed bin given those before, shape (draws, n observed)."""
        data = self.data
        seen = data.observed
        _, triggered = self.means(parameters)
        mean = parameters[:, :1] * data.days[seen] + triggered[:, seen]
        return obs.log_pmf(data.counts[seen], mean, parameters[:, 3:])

    def simulate(
        self, parameters: Floats, n_bins: int, rng: np.random.Generator, cap: float
    ) -> NDArray[np.int64]:
        """Simulate the bins after the last one, one path for each row of parameters."""
        data = self.data
        return discrete_counts(
            n_bins,
            len(parameters),
            parameters[:, 0] * data.width,
            parameters[:, 1],
            parameters[:, 2] * data.width,
            daily.final_state(data.counts, data.bin_days, data.width, parameters),
            rng,
            dispersion=parameters[:, 3] if self.negbin else None,
            cap=cap,
        )

    def check(self, parameters: Floats, rng: np.random.Generator) -> pd.DataFrame:
        """Check table for residuals and dispersion, averaged over draws."""
        data = self.data
        _, triggered = self.means(parameters)
        mean = parameters[:, :1] * data.days + triggered
        dispersion = parameters[:, 3:]
        y = np.nan_to_num(data.counts)
        return count_checks(
            data.counts,
            np.where(data.observed, 1.0, 0.0),
            obs.cdf(y - 1, mean, dispersion).mean(axis=0),
            obs.cdf(y, mean, dispersion).mean(axis=0),
            mean.mean(axis=0),
            obs.variance(mean, dispersion).mean(axis=0),
            rng,
        )
