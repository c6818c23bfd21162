"""The constant rate: the dull baseline that every forecast must beat."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from tempo.data.counts import Counts
from tempo.data.incidents import Incidents
from tempo.data.rounding import interval, number
from tempo.errors import OptionError
from tempo.models import observation as obs
from tempo.models.checks import count_checks
from tempo.models.inputs import imputed_series
from tempo.models.intervals import interval_levels
from tempo.models.posterior import CHAINS, assemble, deal
from tempo.models.provenance import Provenance
from tempo.randomness import RNGLike, resolve

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["ConstantRate", "ConstantRateFit"]

type Floats = NDArray[np.float64]

# Negative binomial: nodes of the quadrature over log dispersion and log rate.
DISPERSION_NODES = 96
RATE_NODES = 192


@dataclass(frozen=True)
class ConstantRate:
    """Attacks at a rate that never changes: the model that others must beat.

    Counts are ``Y_t ~ Poisson(rate * exposure_t)`` with ``rate ~ Gamma(shape, rate)`` per bin, for which posterior,
    evidence and forecast are exact, or negative binomial with variance ``m + dispersion m^2`` and a half-normal
    dispersion, for which they are exact up to quadrature on a grid.

    Parameters
    ----------
    observation : {"poisson", "negbin"}
        How counts scatter around the rate.
    rate_prior : (shape, rate), optional
        Gamma prior of the rate, in events per bin. Left out, it is ``Gamma(0.5, 1 / day)``: half an event in one day,
        whatever the bin. That puts 90 % between 0.002 and 1.9 attacks a day.
    dispersion_sd : float, default 1
        Scale of the half-normal prior of the dispersion, as in ``Hawkes``.

    Examples
    --------
    >>> days = pd.date_range("2020-01-01", periods=100, freq="1D")
    >>> fit = ConstantRate(rate_prior=(1, 1)).fit(pd.Series([0, 1] * 50, index=days))
    >>> float(round(fit.rate["mean"], 3)), round(fit.log_evidence, 3)
    (0.505, -86.893)
    """

    observation: Literal["poisson", "negbin"] = "poisson"
    rate_prior: tuple[float, float] | None = None
    dispersion_sd: float = 1.0

    def __post_init__(self) -> None:
        if self.observation not in {"poisson", "negbin"}:
            raise OptionError(
                f"observation is {self.observation!r}; expected 'poisson' or 'negbin'."
            )
        if self.rate_prior is not None:
            prior = tuple(float(value) for value in self.rate_prior)
            if len(prior) != 2 or not all(math.isfinite(p) and p > 0 for p in prior):
                raise OptionError(
                    f"rate_prior is {self.rate_prior!r}; expected (shape, rate) of a Gamma distribution, both "
                    "positive, in events per bin: its mean is shape / rate."
                )
            object.__setattr__(self, "rate_prior", prior)
        if not self.dispersion_sd > 0:
            raise OptionError(
                f"dispersion_sd is {self.dispersion_sd!r}; expected a positive number."
            )

    def fit(
        self,
        data: Incidents | pd.Series,
        *,
        method: Literal["exact"] = "exact",
        rng: RNGLike = None,
        imputations: int = 20,
        draws: int = 4_000,
    ) -> ConstantRateFit:
        """Fit the rate.

        Parameters
        ----------
        data : Incidents, Counts or Series
            What happened. Incidents are counted by day.
        method : {"exact"}
            There is only one.
        rng : int, Generator or None
            For posterior draws, and for dates that are known only to an interval.
        imputations : int, default 20
            How many series to average over where dates are uncertain.
        draws : int, default 4000
            Posterior draws that the fit carries.

        Returns
        -------
        ConstantRateFit
            Posterior, evidence, checks, forecasts.
        """
        if method != "exact":
            raise OptionError(
                f"method is {method!r}; the constant rate has an exact answer: 'exact'."
            )
        if draws < CHAINS:
            raise OptionError(f"draws is {draws}; expected at least {CHAINS}.")
        randomness = resolve(rng)
        series, notes = imputed_series(data, imputations, randomness.generator)
        draws -= draws % CHAINS
        # Each imputed series is its own posterior; a draw picks one of them first.
        share = np.arange(draws) % len(series)
        parameters = np.empty((draws, 2))
        evidences = []
        gamma = None
        for i, counts in enumerate(series):
            mine = share == i
            solved = _solve(self, counts)
            parameters[mine] = solved.sample(int(mine.sum()), randomness.generator)
            evidences.append(solved.log_evidence)
            if isinstance(solved, _Gamma) and len(series) == 1:
                gamma = (solved.shape, solved.rate)
        parameters = parameters[randomness.generator.permutation(draws)]
        provenance = Provenance.of(
            series[0], model=self, method="exact", seed=randomness.record, notes=notes
        )
        evidence = float(special.logsumexp(evidences) - math.log(len(series)))
        return ConstantRateFit(self, series[0], provenance, parameters, evidence, gamma)


@dataclass(frozen=True, eq=False, repr=False)
class ConstantRateFit:
    """A fitted constant rate.

    Attributes
    ----------
    model : ConstantRate
        The specification.
    counts : Counts
        What it was fitted to (the first series where dates were imputed).
    provenance : Provenance
        How to make it again.
    draws : ndarray, shape (draws, 2)
        Posterior draws of rate per bin and dispersion (0 for Poisson).
    log_evidence : float
        Log marginal likelihood.
    gamma : (shape, rate) or None
        The posterior of the rate per bin, where it is one Gamma distribution.
    """

    model: ConstantRate
    counts: Counts
    provenance: Provenance
    draws: Floats = field(repr=False)
    log_evidence: float
    gamma: tuple[float, float] | None = None

    name: str = "ConstantRate"

    @property
    def rate(self) -> pd.Series:
        """Events per bin: mean, low and high of the central 90 %."""
        return self._rate(0.9)

    @property
    def rate_per_day(self) -> pd.Series:
        """Events per day: mean, low and high of the central 90 %."""
        return self._rate(0.9) / self._bin_days

    @property
    def params(self) -> pd.Series:
        """Posterior means: ``rate`` per bin, ``rate_per_day``, and ``dispersion`` for negbin."""
        rate = self.rate["mean"]
        values = {"rate": rate, "rate_per_day": rate / self._bin_days}
        if self.model.observation == "negbin":
            values["dispersion"] = self.draws[:, 1].mean()
        return pd.Series(values, name="params")

    @cached_property
    def posterior(self) -> xr.DataTree:
        """Draws with log-likelihood and data, as ArviZ expects them."""
        values, exposure = _arrays(self.counts)
        seen = exposure > 0
        log_likelihood = obs.log_pmf(
            values[seen], self.draws[:, :1] * exposure[seen], self.draws[:, 1:]
        )
        parameters = {"rate": self.draws[:, 0].reshape(CHAINS, -1)}
        if self.model.observation == "negbin":
            parameters["dispersion"] = self.draws[:, 1].reshape(CHAINS, -1)
        return assemble(
            parameters,
            self.counts,
            log_likelihood=log_likelihood.reshape(CHAINS, -1, int(seen.sum())),
            attributes={"model": repr(self.model), "method": "exact"},
        )

    def simulate(self, n_bins: int, draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Simulate the bins after the last one, uncertainty about the rate included.

        Parameters
        ----------
        n_bins : int
            How many bins.
        draws : int
            How many paths.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray of int64, shape (draws, n_bins)
            Events in each bin.
        """
        chosen = self.draws[deal(len(self.draws), draws, rng)]
        return obs.draw(np.repeat(chosen[:, :1], n_bins, axis=1), chosen[:, 1:], rng)

    def log_none(self, n_bins: int) -> NDArray[np.float64]:
        """Give the log-probability of no event up to the end of each bin after the last one, for each draw.

        Parameters
        ----------
        n_bins : int
            How many bins.

        Returns
        -------
        ndarray of float, shape (draws, n_bins)
            Bins are independent given the rate.
        """
        one = obs.log_pmf(0, self.draws[:, :1], self.draws[:, 1:])
        return np.asarray(one * np.arange(1, n_bins + 1))

    def check(self, rng: RNGLike = 0) -> pd.DataFrame:
        """Check the fit: residuals and dispersion.

        Parameters
        ----------
        rng : int or Generator, default 0
            For the randomised residuals.

        Returns
        -------
        pandas.DataFrame
            One row for each check: statistic, threshold, passed, meaning.
        """
        values, exposure = _arrays(self.counts)
        few = self.draws[:: max(len(self.draws) // 100, 1)]
        mean = few[:, :1] * exposure
        dispersion = few[:, 1:]
        return count_checks(
            values,
            exposure,
            obs.cdf(values - 1, mean, dispersion).mean(axis=0),
            obs.cdf(values, mean, dispersion).mean(axis=0),
            mean.mean(axis=0),
            obs.variance(mean, dispersion).mean(axis=0),
            resolve(rng).generator,
        )

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate the posterior.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the central interval.

        Returns
        -------
        pandas.DataFrame
            One row for each parameter: mean, sd, low, high.
        """
        rate, days = self._rate(prob), self._bin_days
        sd = self.draws[:, 0].std()
        rows = {
            "rate": [rate["mean"], sd, rate["low"], rate["high"]],
            "rate_per_day": [
                rate["mean"] / days,
                sd / days,
                rate["low"] / days,
                rate["high"] / days,
            ],
        }
        if self.model.observation == "negbin":
            draws = self.draws[:, 1]
            limits = self._interval(draws, prob)
            rows["dispersion"] = [limits["mean"], draws.std(), limits["low"], limits["high"]]
        return pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "sd", "low", "high"])

    def describe(self) -> str:
        """Say in a sentence what was found.

        Returns
        -------
        str
            For a reader who is no statistician.
        """
        per_month = self.rate_per_day * 30
        return (
            f"If nothing but chance moved the pace, there were about {number(per_month['mean'])} attacks in 30 days "
            f"({interval(per_month['low'], per_month['high'])}, 90 % interval), from {self.counts.events} events."
        )

    @property
    def _bin_days(self) -> float:
        return float(self.counts.bin_days.mean())

    def _rate(self, prob: float) -> pd.Series:
        if self.gamma is None:
            return self._interval(self.draws[:, 0], prob)
        shape, rate = self.gamma
        levels = np.array(interval_levels(prob))
        limits = stats.gamma.ppf(levels, shape, scale=1 / rate)
        return pd.Series({"mean": shape / rate, "low": limits[0], "high": limits[1]})

    @staticmethod
    def _interval(draws: Floats, prob: float) -> pd.Series:
        low, high = np.quantile(draws, interval_levels(prob))
        return pd.Series({"mean": float(draws.mean()), "low": float(low), "high": float(high)})

    def __repr__(self) -> str:
        rate = self.rate_per_day
        return (
            f"ConstantRateFit({self.model.observation}: {number(rate['mean'])} a day, 90 % interval "
            f"{interval(rate['low'], rate['high'])}, {self.counts.events} events)"
        )


@dataclass(frozen=True, eq=False)
class _Gamma:
    shape: float
    rate: float
    log_evidence: float

    def sample(self, draws: int, rng: np.random.Generator) -> Floats:
        return np.column_stack([rng.gamma(self.shape, 1 / self.rate, draws), np.zeros(draws)])


@dataclass(frozen=True, eq=False)
class _Grid:
    log_rate: Floats  # (dispersions, rates)
    log_dispersion: Floats
    weight: Floats  # posterior probability of each cell
    log_evidence: float

    def sample(self, draws: int, rng: np.random.Generator) -> Floats:
        cells = rng.choice(self.weight.size, draws, p=self.weight.ravel())
        i, j = np.unravel_index(cells, self.weight.shape)
        step_a = self.log_dispersion[1] - self.log_dispersion[0]
        step_r = self.log_rate[i, 1] - self.log_rate[i, 0]
        jitter = rng.random((2, draws)) - 0.5
        return np.column_stack(
            [
                np.exp(self.log_rate[i, j] + step_r * jitter[0]),
                np.exp(self.log_dispersion[i] + step_a * jitter[1]),
            ]
        )


def _arrays(counts: Counts) -> tuple[Floats, Floats]:
    values = counts.to_numpy(dtype=float)
    exposure = counts.exposure.to_numpy(dtype=float)
    return values, np.where(np.isnan(values), 0.0, exposure)


def _solve(model: ConstantRate, counts: Counts) -> _Gamma | _Grid:
    values, exposure = _arrays(counts)
    seen = exposure > 0
    y, e = values[seen], exposure[seen]
    shape, rate = model.rate_prior or (0.5, 1.0 / float(counts.bin_days.mean()))
    total = float(y.sum())
    if model.observation == "poisson":
        evidence = (
            special.xlogy(y, e).sum()
            - special.gammaln(y + 1).sum()
            + shape * math.log(rate)
            - special.gammaln(shape)
            + special.gammaln(shape + total)
            - (shape + total) * math.log(rate + e.sum())
        )
        return _Gamma(shape + total, rate + float(e.sum()), float(evidence))
    return _solve_negbin(y, e, shape, rate, model.dispersion_sd)


def _solve_negbin(y: Floats, e: Floats, shape: float, rate: float, dispersion_sd: float) -> _Grid:
    """Integrate over log rate and log dispersion; bins that are alike are computed once."""
    pairs, number_of = np.unique(np.column_stack([y, e]), axis=0, return_counts=True)
    alike = (pairs[:, 0], pairs[:, 1], number_of.astype(float))
    prior = (shape, rate, dispersion_sd)
    coarse = np.linspace(
        math.log(1e-8 * dispersion_sd), math.log(6 * dispersion_sd), DISPERSION_NODES
    )
    log_rate, log_density = _grid_density(alike, prior, coarse)
    # A long record pins the dispersion down between two nodes: the second grid covers only where the mass is.
    mass = special.logsumexp(log_density, axis=1)
    holds = np.flatnonzero(mass > mass.max() - 35.0)
    low, high = max(holds[0] - 1, 0), min(holds[-1] + 1, DISPERSION_NODES - 1)
    fine = np.linspace(coarse[low], coarse[high], DISPERSION_NODES)
    log_rate, log_density = _grid_density(alike, prior, fine)
    evidence = float(special.logsumexp(log_density))
    weight = np.exp(log_density - evidence)
    return _Grid(log_rate, fine, weight / weight.sum(), evidence)


def _grid_density(
    alike: tuple[Floats, Floats, Floats], prior: tuple[float, float, float], log_a: Floats
) -> tuple[Floats, Floats]:
    """Log of posterior mass in each cell of (dispersion, rate), and the log rates, shape (dispersions, rates)."""
    y, e, number_of = alike
    shape, rate, dispersion_sd = prior
    total, exposure = float(number_of @ y), float(number_of @ e)
    dispersion = np.exp(log_a)
    # The width of the posterior of the log rate grows with the dispersion, so each has its own range.
    centre = math.log((shape + total) / (rate + exposure))
    precision = shape + total / (1 + dispersion * total / max(float(number_of.sum()), 1.0))
    sd = np.sqrt(special.polygamma(1, precision))
    log_rate = np.linspace(centre - 9 * sd - 2 / precision, centre + 9 * sd, RATE_NODES, axis=1)
    log_density = (
        shape * math.log(rate) - special.gammaln(shape) + shape * log_rate - rate * np.exp(log_rate)
    )
    for yi, ei, ni in zip(y, e, number_of, strict=True):
        log_density += ni * obs.log_pmf(yi, ei * np.exp(log_rate), dispersion[:, None])
    log_density += (stats.halfnorm.logpdf(dispersion, scale=dispersion_sd) + log_a)[:, None]
    log_density += np.log(log_rate[:, 1] - log_rate[:, 0])[:, None] + math.log(log_a[1] - log_a[0])
    return log_rate, log_density
