"""The result of fitting `Regimes`: rates, transitions, where things stand now, what comes next."""

from __future__ import annotations

import datetime as dt
import math
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp

from tempo.data.counts import Counts, as_counts
from tempo.data.rounding import number
from tempo.errors import ConvergenceWarning, OptionError
from tempo.models import regime_reading as tables
from tempo.models.checks import count_checks
from tempo.models.intervals import interval_levels, require_prob
from tempo.models.laplace import Resampled
from tempo.models.posterior import CHAINS, assemble, deal
from tempo.models.provenance import Provenance
from tempo.models.regime_data import prepare
from tempo.models.regime_density import pointwise
from tempo.models.regime_engine import Reading, simulate, step_matrix
from tempo.models.regime_fitting import Part, scatter, unidentified
from tempo.models.regime_posterior import laplace
from tempo.models.sampled_fit import (
    CAP,
    require_posterior,
    thinned,
    warn_of_explosions,
)
from tempo.randomness import RNGLike, resolve

if TYPE_CHECKING:
    import xarray as xr

    from tempo.models.regimes import Regimes

__all__ = ["RegimesFit"]

type Floats = NDArray[np.float64]

SPREAD = 200  # draws over which probabilities by bin are averaged
FUTURES = 500  # draws of the parameters behind simulated paths
PROB = 0.9


@dataclass(frozen=True, eq=False, repr=False)
class RegimesFit:
    """Fitted regimes: reads like statsmodels, and like ArviZ where it is Bayesian.

    Attributes
    ----------
    model : Regimes
        The specification.
    counts : Counts
        What it was fitted to (the first series where dates were imputed).
    provenance : Provenance
        How to make it again; its ``notes`` say what was chosen and what is doubtful.
    method : {"mle", "laplace", "nuts"}
        The engine that gave the answer.
    stages : int
        Hidden states in a row for each regime: 1 for geometric stays.
    parts : tuple
        The fit of each series.
    """

    model: Regimes
    counts: Counts
    provenance: Provenance
    method: Literal["mle", "laplace", "nuts"]
    stages: int
    parts: tuple[Part, ...] = field(repr=False)

    name: str = "Regimes"

    # -- estimates -----------------------------------------------------------------------------------------------

    @cached_property
    def chains(self) -> Floats:
        """Draws of the natural parameters, shape (4, draws, q); for "mle" as the standard errors say."""
        every = [
            scatter(part, CHAINS * part.kept).reshape(CHAINS, part.kept, -1)
            if part.chains is None
            else part.chains
            for part in self.parts
        ]
        return np.concatenate(every, axis=1)

    @property
    def _origin(self) -> NDArray[np.int64]:
        """The series that each row of the flattened chains belongs to."""
        one = np.repeat(np.arange(len(self.parts)), [part.kept for part in self.parts])
        return np.tile(one, CHAINS)

    @cached_property
    def _natural(self) -> Floats:
        """One set of natural parameters that stands for all: the maximum, or posterior means."""
        if self.method == "mle":
            return np.asarray(np.mean([part.optimum.natural for part in self.parts], axis=0))
        return np.asarray(self.chains.mean(axis=(0, 1)))

    @property
    def n_regimes(self) -> int:
        """Number of regimes."""
        return int(self.model.n_regimes)

    @property
    def bin_days(self) -> float:
        """Mean length of a bin in days."""
        return float(self.counts.bin_days.mean())

    @property
    def rates(self) -> pd.Series:
        """Events per bin in each regime, ascending: the maximum of the likelihood, or posterior means."""
        index = pd.RangeIndex(self.n_regimes, name="regime")
        return pd.Series(self._natural[: self.n_regimes], index=index, name="rate")

    @property
    def unidentified(self) -> list[int]:
        """Regimes that the data do not tell at the maximum of the likelihood: hardly a bin, or any rate would do."""
        return sorted({i for part in self.parts for i in unidentified(part)})

    @property
    def rates_per_day(self) -> pd.Series:
        """Events per day in each regime, ascending."""
        return (self.rates / self.bin_days).rename("rate_per_day")

    @property
    def transition(self) -> pd.DataFrame:
        """P(regime of the next bin | regime of this one), rows sum to one; with stages, averaged over a stay."""
        matrix = tables.transitions(self._natural[None], self.n_regimes, self.stages)[0]
        index = pd.RangeIndex(self.n_regimes, name="regime")
        return pd.DataFrame(matrix, index=index, columns=index.rename("next"))

    @cached_property
    def params(self) -> pd.Series:
        """Every parameter under one name: rates, transitions, and what else the model has (decay per day)."""
        values = self._table(self._natural[None])[0]
        return pd.Series(values, index=self.parameter_names, name="params")

    @property
    def parameter_names(self) -> list[str]:
        """Names of the parameters, in order."""
        return tables.names(
            self.n_regimes,
            negbin=self.model.observation == "negbin",
            contagion=self.model.contagion,
        )

    @cached_property
    def bse(self) -> pd.Series:
        """Standard errors from the observed information (missing on a bound), or posterior sds."""
        if self.method == "mle" and len(self.parts) == 1:
            values = tables.delta(self.parts[0], self._table)
        else:
            values = self._table(self._flat).std(axis=0)
        return pd.Series(values, index=self.parameter_names, name="bse")

    def conf_int(self, prob: float = PROB) -> pd.DataFrame:
        """Give intervals of the parameters.

        Parameters
        ----------
        prob : float, default 0.9
            Probability.

        Returns
        -------
        pandas.DataFrame
            Columns low and high: quantiles of the posterior, or of the normal approximation on the unbounded scale;
            missing for what has no standard error.
        """
        levels = interval_levels(prob)
        limits = np.quantile(self._table(self._flat), levels, axis=0)
        table = pd.DataFrame(limits.T, index=self.parameter_names, columns=["low", "high"])
        table.loc[self.bse.isna()] = math.nan
        return table

    @property
    def llf(self) -> float:
        """Maximum of the log-likelihood, whatever the engine (the mean over imputed series)."""
        return float(np.mean([part.optimum.llf for part in self.parts]))

    @property
    def n_parameters(self) -> int:
        """Free parameters; a shape of the stays that was learned is one."""
        learned = self.model.duration == "negbin" and self.model.stages is None
        return len(self.parts[0].optimum.theta) + int(learned and self.n_regimes > 1)

    @property
    def nobs(self) -> int:
        """Bins that were observed."""
        return int(self.counts.notna().sum())

    @property
    def aic(self) -> float:
        """Akaike's information criterion at the maximum."""
        return 2 * self.n_parameters - 2 * self.llf

    @property
    def bic(self) -> float:
        """Bayesian information criterion at the maximum."""
        return math.log(max(self.nobs, 1)) * self.n_parameters - 2 * self.llf

    @cached_property
    def _evidence(self) -> list[Resampled]:
        return [
            laplace(
                part.data,
                self.model.prior,
                part.optimum,
                self.bin_days,
                1_000,
                np.random.default_rng(part.seed),
            )
            for part in self.parts
        ]

    @property
    def log_evidence(self) -> float:
        """Log marginal likelihood under the prior, by importance sampling; see ``evidence_khat``."""
        values = [one.log_evidence for one in self._evidence]
        return float(logsumexp(values) - math.log(len(values)))

    @property
    def evidence_error(self) -> float:
        """Monte Carlo standard error of the log evidence."""
        return float(max(one.log_evidence_error for one in self._evidence))

    @property
    def evidence_khat(self) -> float:
        """Tail of the importance weights behind the evidence: above 0.7 it cannot be trusted."""
        return float(max(one.khat for one in self._evidence))

    # -- where things stand --------------------------------------------------------------------------------------

    @cached_property
    def filtered(self) -> pd.DataFrame:
        """P(regime) in each bin, given this and earlier bins and no later ones: what could be known at the time."""
        return self._by_bin(np.mean([one.filtered for one in self._readings], axis=0))

    @cached_property
    def smoothed(self) -> pd.DataFrame:
        """P(regime) in each bin, given all bins: hindsight."""
        return self._by_bin(np.mean([one.smoothed for one in self._readings], axis=0))

    @cached_property
    def most_probable(self) -> pd.Series:
        """The single most probable path of regimes, as a whole (Viterbi), at the maximum of the likelihood."""
        part = self.parts[0]
        path = Reading(part.data, part.optimum.natural).most_probable()
        return pd.Series(path, index=self.counts.index, name="regime")

    @property
    def episodes(self) -> pd.DataFrame:
        """Stays of the most probable path: start, end (first day after), regime, bins observed, counts, per day."""
        return tables.episodes(self.counts, self.most_probable.to_numpy())

    def filter(self, data: pd.Series) -> pd.DataFrame:
        """Give P(regime) in each bin of other counts, under the parameters found here.

        Parameters
        ----------
        data : Counts or Series
            For example the same series with new bins at its end; bins of the same length.

        Returns
        -------
        pandas.DataFrame
            Filtered probabilities, as ``filtered``.
        """
        counts = as_counts(data)
        values = counts.to_numpy(dtype=float)
        exposure = np.where(np.isnan(values), 0.0, counts.exposure.to_numpy(dtype=float))
        _, stages, negbin, contagion = self.parts[0].data.shape
        other = prepare(
            values, exposure, self.n_regimes, stages, negbin=negbin, contagion=contagion
        )
        found = [Reading(other, one.natural).filtered for one in self._readings]
        return self._by_bin(np.mean(found, axis=0), counts)

    def sample_paths(self, draws: int, rng: RNGLike = None) -> NDArray[np.int64]:
        """Draw whole paths of regimes from their joint distribution, given all bins.

        Parameters
        ----------
        draws : int
            How many.
        rng : int, Generator or None
            Source of randomness.

        Returns
        -------
        ndarray of int64, shape (draws, n)
            The regime of each bin.
        """
        generator = resolve(rng).generator
        chosen = deal(len(self._readings), draws, generator)
        out = np.empty((draws, len(self.counts)), dtype=np.int64)
        for i, one in enumerate(self._readings):
            mine = np.flatnonzero(chosen == i)
            if len(mine):
                out[mine] = one.paths(len(mine), generator)
        return out

    def durations(self, prob: float = PROB) -> pd.DataFrame:
        """Tabulate how long a stay in each regime is expected to last.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the interval.

        Returns
        -------
        pandas.DataFrame
            Indexed by regime, in days: ``mean_days`` (estimate of the expected stay), ``low``, ``high``, and
            ``visits``, the expected number of stays in the record, on which that knowledge rests.
        """
        require_prob(prob)
        part = self.parts[0]
        visits = Reading(part.data, part.optimum.natural).visits
        stays = tables.stays(self._flat, self.n_regimes, self.stages) * self.bin_days
        centre = tables.stays(self._natural[None], self.n_regimes, self.stages)[0] * self.bin_days
        return tables.durations(centre, stays, visits, prob)

    # -- what comes next -----------------------------------------------------------------------------------------

    def ahead(self, n_bins: int) -> pd.DataFrame:
        """Give P(regime) in each of the bins after the last one, uncertain parameters included.

        Parameters
        ----------
        n_bins : int
            How many bins.

        Returns
        -------
        pandas.DataFrame
            Indexed by bin start, one column for each regime.
        """
        if n_bins < 1:
            raise OptionError(f"n_bins is {n_bins}; expected at least 1.")
        out = np.zeros((n_bins, self.n_regimes))
        naturals, states, _ = self._last
        for natural, state in zip(naturals[:SPREAD], states[:SPREAD], strict=True):
            step = step_matrix(natural, self.n_regimes, self.stages)
            for t in range(n_bins):
                state = state @ step
                out[t] += state.reshape(self.n_regimes, self.stages).sum(axis=1)
        step_bins = pd.tseries.frequencies.to_offset(self.counts.freq)
        index = pd.date_range(self.counts.end, periods=n_bins, freq=step_bins, unit="us")
        return pd.DataFrame(out / len(naturals[:SPREAD]), index=index, columns=self.rates.index)

    def probability_in(self, regime: int, horizon: str | int | dt.timedelta) -> float:
        """Give the probability of being in a regime some time ahead.

        Parameters
        ----------
        regime : int
            Its number; 0 is the quietest, ``-1`` the busiest.
        horizon : str, int or timedelta
            How far ahead: ``"30D"``, or a number of bins. 0 is the last bin.

        Returns
        -------
        float
            P(regime in the bin ``horizon`` after the last).
        """
        k = self.n_regimes
        if not -k <= regime < k:
            raise OptionError(
                f"regime is {regime!r}; there are {k}, numbered from 0 by their rate."
            )
        if isinstance(horizon, int | np.integer):
            bins = int(horizon)
        else:
            try:
                days = pd.Timedelta(horizon) / pd.Timedelta("1D")
            except ValueError as error:
                raise OptionError(
                    f"horizon is {horizon!r}; expected a duration such as '30D', or a number of bins."
                ) from error
            bins = round(days / self.bin_days)
        if bins < 0:
            raise OptionError(f"horizon is {horizon!r}; expected 0 or more.")
        if bins == 0:
            return float(self.filtered.to_numpy()[-1, regime])
        return float(self.ahead(bins).to_numpy()[-1, regime])

    def simulate(self, n_bins: int, draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Simulate the bins after the last one, from the regime that is filtered there, with uncertain parameters.

        Parameters
        ----------
        n_bins : int
            How many bins, of the length of those fitted.
        draws : int
            How many paths.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        ndarray of int64, shape (draws, n_bins)
            Attacks in each bin.

        Warns
        -----
        StationarityWarning
            With contagion: some path exploded and was stopped at 100,000 expected attacks a bin.
        ConvergenceWarning
            By maximum likelihood: the rate of a regime is not identified.
        """
        naturals, states, excited = self._last
        rows = deal(len(naturals), draws, rng)
        shape = (self.n_regimes, self.stages)
        out = simulate(naturals[rows], states[rows], excited[rows], shape, n_bins, CAP, rng)
        exploded = int((out.max(axis=1, initial=0) >= 0.9 * CAP).sum())
        if self.model.contagion:
            warn_of_explosions(exploded, draws, "branching ratio")
        if self.method == "mle" and self.unidentified:
            names = " and ".join(str(i) for i in self.unidentified)
            text = (
                f"the rate of regime {names} is not identified: hardly a bin is in it, or any rate would do. The draws "
                "behind this forecast keep it within the counts that were seen. Fit fewer regimes, or method='laplace'."
            )
            warnings.warn(ConvergenceWarning(text), stacklevel=2)
        return out

    # -- reading it ----------------------------------------------------------------------------------------------

    @cached_property
    def posterior(self) -> xr.DataTree:
        """Draws, log-likelihood (of each bin given those before), data and sampler statistics, for ArviZ."""
        require_posterior(self.method)
        table = self._table(self._flat).reshape(CHAINS, -1, len(self.parameter_names))
        parameters = {name: table[:, :, i] for i, name in enumerate(self.parameter_names)}
        seen = self.parts[0].data.index >= 0
        log_likelihood = np.array(
            [
                pointwise(*self.parts[i].data.arrays, natural)[seen]
                for natural, i in zip(self._flat, self._origin, strict=True)
            ]
        )
        stats = set.intersection(*(set(part.stats) for part in self.parts))
        return assemble(
            parameters,
            self.counts,
            log_likelihood=log_likelihood.reshape(CHAINS, -1, int(seen.sum())),
            sample_stats={
                name: np.concatenate([part.stats[name] for part in self.parts], axis=1)
                for name in sorted(stats)
            },
            attributes={
                "model": repr(self.model),
                "method": self.method,
                "fingerprint": self.provenance.fingerprint,
            },
        )

    def check(self, rng: RNGLike = 0) -> pd.DataFrame:
        """Check the fit: residuals of one-step predictions, dispersion, regimes that are there, convergence.

        Parameters
        ----------
        rng : int or Generator, default 0
            For randomised residuals; the default makes a check repeatable.

        Returns
        -------
        pandas.DataFrame
            Indexed by check: statistic, threshold, passed, meaning.
        """
        values = self.counts.to_numpy(dtype=float)
        exposure = np.where(np.isnan(values), 0.0, self.counts.exposure.to_numpy(dtype=float))
        first = [one for one in self._readings if one.data is self.parts[0].data][:50]
        steps = [one.one_step(values, exposure) for one in first]
        below, at, mean, second = (np.mean(column, axis=0) for column in zip(*steps, strict=True))
        residuals = count_checks(
            values, exposure, below, at, mean, second - mean**2, resolve(rng).generator
        )
        explosive = float((self._flat[:, -2] >= 1).mean()) if self.model.contagion else math.nan
        return tables.with_regimes(residuals, self.parts, explosive)

    def summary(self, prob: float = PROB) -> pd.DataFrame:
        """Tabulate the estimates.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        pandas.DataFrame
            One row for each parameter, and for the expected stay in each regime: estimate, std_error, low, high.
            ``attrs`` holds llf, aic, bic, nobs, stages and method.
        """
        table = self.conf_int(prob)
        table.insert(0, "estimate", self.params)
        table.insert(1, "std_error", self.bse)
        if self.n_regimes > 1:
            stays = self.durations(prob)
            rows = pd.DataFrame(
                {"estimate": stays["mean_days"], "std_error": math.nan, "low": stays["low"], "high": stays["high"]}
            )  # fmt: skip
            rows.index = pd.Index([f"stay_days_{i}" for i in range(self.n_regimes)])
            table = pd.concat([table, rows])
        table.attrs.update(
            prob=prob, llf=self.llf, aic=self.aic, bic=self.bic, nobs=self.nobs, stages=self.stages,
            method=self.method,
        )  # fmt: skip
        return table

    def describe(self, prob: float = PROB) -> str:
        """Say what was found in an analyst's words, and which regime it is now, without hindsight.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        str
            A few sentences.
        """
        rates = self.conf_int(prob).iloc[: self.n_regimes] / self.bin_days
        return tables.describe(
            self.counts,
            self.rates_per_day.to_numpy(),
            rates,
            self.durations(prob),
            self.filtered.iloc[-1].to_numpy(),
            prob,
            self.provenance.notes,
            self.conf_int(prob).assign(estimate=self.params).T["branching_ratio"]
            if self.model.contagion
            else None,
        )

    def __repr__(self) -> str:
        rates = ", ".join(number(rate) for rate in self.rates_per_day)
        return (
            f"RegimesFit({self.method}: {self.n_regimes} regimes, {rates} a day; {self.counts.events} events in "
            f"{self.nobs} bins)"
        )

    # -- working parts -------------------------------------------------------------------------------------------

    @property
    def _flat(self) -> Floats:
        return self.chains.reshape(-1, self.chains.shape[2])

    def _table(self, naturals: Floats) -> Floats:
        return tables.values(
            naturals,
            self.n_regimes,
            self.stages,
            self.bin_days,
            negbin=self.model.observation == "negbin",
            contagion=self.model.contagion,
        )

    @cached_property
    def _readings(self) -> list[Reading]:
        """What each series says: at its maximum, or over draws from the posterior."""
        if self.method == "mle":
            return [Reading(part.data, part.optimum.natural) for part in self.parts]
        return [
            Reading(self.parts[self._origin[i]].data, self._flat[i]) for i in self._thinned(SPREAD)
        ]

    def _thinned(self, wanted: int) -> NDArray[np.int64]:
        return thinned(len(self._flat), wanted)

    @cached_property
    def _last(self) -> tuple[Floats, Floats, Floats]:
        """For some draws: natural parameters, hidden states in the last bin, excitation of the next."""
        rows = np.random.default_rng(self.parts[0].seed).permutation(self._thinned(FUTURES))
        states, excited = [], []
        for i in rows:
            one = Reading(self.parts[self._origin[i]].data, self._flat[i])
            states.append(one.states[-1].copy())
            excited.append(one.excited[-1])
        return self._flat[rows], np.array(states), np.array(excited)

    def _by_bin(self, values: Floats, counts: Counts | None = None) -> pd.DataFrame:
        index = self.counts.index if counts is None else counts.index
        return pd.DataFrame(values, index=index, columns=self.rates.index)
