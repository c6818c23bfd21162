"""The result of fitting ``Hawkes``: estimates, posterior, decomposition, checks, words, simulation."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import norm

from tempo.data.counts import Counts, as_counts
from tempo.data.rounding import number
from tempo.data.window import DateLike
from tempo.errors import OptionError
from tempo.models import hawkes_reading as reading
from tempo.models.hawkes_engine import Diagnostics, Engine
from tempo.models.hawkes_parents import attacks_table, parents_table, place_of, sources_of
from tempo.models.hawkes_predictive import check_follows, log_mass_ahead, score_by_bin
from tempo.models.hawkes_timestamps import TimestampEngine
from tempo.models.intervals import interval_levels, require_prob
from tempo.models.posterior import assemble, deal
from tempo.models.provenance import Provenance
from tempo.models.sampled_fit import (
    CAP,
    over_series,
    require_posterior,
    thinned,
    warn_of_explosions,
    with_one_more,
)
from tempo.randomness import RNGLike, resolve

if TYPE_CHECKING:
    import xarray as xr

    from tempo.data.incidents import Incidents
    from tempo.models.hawkes import Hawkes

__all__ = ["HawkesFit"]

type Floats = NDArray[np.float64]

PATHS = 400  # posterior draws behind an interval by bin


@dataclass(frozen=True, eq=False, repr=False)
class HawkesFit:
    """A fitted Hawkes model: reads like statsmodels, and like ArviZ where it is Bayesian.

    Attributes
    ----------
    model : Hawkes
        The specification.
    counts : Counts
        What it was fitted to (the first series where dates were imputed).
    provenance : Provenance
        How to make it again; its ``notes`` say what was chosen and what is doubtful.
    method : {"nuts", "laplace", "mle"}
        The engine that gave the answer.
    time : {"daily", "continuous"}
        How time was treated, and ``time_reason`` why.
    engines : tuple
        The data of each series.
    chains : ndarray, shape (4, draws, 4)
        Draws of baseline per day, branching ratio, decay per day and dispersion (0 for Poisson). For "mle" they scatter
        as the standard errors say, and serve simulation only.
    origin : ndarray of int, shape (draws,)
        The series that each draw belongs to.
    diagnostics : Diagnostics
        How well the engine did.
    """

    model: Hawkes
    counts: Counts
    provenance: Provenance
    method: Literal["nuts", "laplace", "mle"]
    time: Literal["daily", "continuous"]
    time_reason: str
    engines: tuple[Engine, ...] = field(repr=False)
    chains: Floats = field(repr=False)
    origin: NDArray[np.int64] = field(repr=False)
    diagnostics: Diagnostics
    sample_stats: dict[str, NDArray[Any]] = field(default_factory=dict, repr=False)

    name: str = "Hawkes"

    # -- estimates -----------------------------------------------------------------------------------------------

    @property
    def parameter_names(self) -> list[str]:
        """Names of the parameters, in order."""
        names = ["baseline", "branching_ratio", "decay"]
        return [*names, "dispersion"] if self.model.observation == "negbin" else names

    @cached_property
    def params(self) -> pd.Series:
        """Estimates: the maximum of the likelihood, or posterior medians. Baseline and decay are per day."""
        p = len(self.parameter_names)
        if self.method == "mle":
            every = np.array([engine.optimum.parameters for engine in self.engines])
            with warnings.catch_warnings():  # a decay that no series identifies stays missing
                warnings.simplefilter("ignore", RuntimeWarning)
                values = np.nanmean(every, axis=0)[:p]
        else:
            values = np.median(self.chains, axis=(0, 1))[:p]
        return pd.Series(values, index=self.parameter_names, name="params")

    @cached_property
    def bse(self) -> pd.Series:
        """Standard errors from the observed information (Rubin's rules over imputed series), or posterior sds."""
        p = len(self.parameter_names)
        if self.method == "mle":
            return pd.Series(self._standard_errors()[:p], index=self.parameter_names, name="bse")
        values = self.chains.std(axis=(0, 1))[:p]
        return pd.Series(values, index=self.parameter_names, name="bse")

    def _standard_errors(self) -> Floats:
        estimates = np.array([engine.optimum.parameters for engine in self.engines])
        variances = np.array([np.diag(e.optimum.covariance) for e in self.engines]) * estimates**2
        m = len(self.engines)
        if m == 1:
            return np.asarray(np.sqrt(variances[0]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            within = np.nanmean(variances, axis=0)
            between = np.nanvar(estimates, axis=0, ddof=1)
        return np.asarray(np.sqrt(within + (1 + 1 / m) * between))

    def conf_int(self, prob: float = 0.9) -> pd.DataFrame:
        """Give intervals of the parameters.

        Parameters
        ----------
        prob : float, default 0.9
            Probability.

        Returns
        -------
        pandas.DataFrame
            Columns low and high. Maximum likelihood: for the branching ratio by profile likelihood, which may reach 0,
            for the others from standard errors of the logarithm. Posteriors: central intervals.
        """
        levels = interval_levels(prob)
        names = self.parameter_names
        if self.method != "mle":
            limits = np.quantile(self.chains, levels, axis=(0, 1))
            return pd.DataFrame(limits.T[: len(names)], index=names, columns=["low", "high"])
        z = float(norm.ppf(levels[1]))
        estimate, error = self.params, self.bse
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            # A parameter on its boundary or beyond what the data tell has the widest interval there is.
            spread = np.exp((z * error / estimate).to_numpy())
            table = pd.DataFrame({"low": estimate / spread, "high": estimate * spread})
        if len(self.engines) == 1:
            table.loc["branching_ratio"] = self.engines[0].branching_interval(prob)
        else:
            centre, half = estimate["branching_ratio"], z * error["branching_ratio"]
            table.loc["branching_ratio"] = [max(centre - half, 0.0), centre + half]
        if not self.counts.events:
            table.loc["baseline"] = reading.none_seen(self.counts, prob)
        return table

    @property
    def llf(self) -> float:
        """Maximum of the log-likelihood, whatever the engine (the mean over imputed series)."""
        return float(np.mean([engine.optimum.llf for engine in self.engines]))

    @property
    def nobs(self) -> int:
        """Bins that were observed."""
        return int(self.counts.notna().sum())

    @property
    def aic(self) -> float:
        """Akaike's information criterion at the maximum."""
        return 2 * len(self.parameter_names) - 2 * self.llf

    @property
    def bic(self) -> float:
        """Bayesian information criterion at the maximum."""
        return math.log(max(self.nobs, 1)) * len(self.parameter_names) - 2 * self.llf

    @cached_property
    def modes(self) -> pd.DataFrame:
        """Every peak of the likelihood (of the first series), highest first."""
        rows = self.engines[0].optimum.modes
        columns = ["baseline", "branching_ratio", "decay", "dispersion", "llf"]
        table = pd.DataFrame(rows, columns=columns)
        return table if self.model.observation == "negbin" else table.drop(columns="dispersion")

    @cached_property
    def log_evidence(self) -> float:
        """Log marginal likelihood by importance sampling; missing for maximum likelihood."""
        if self.method == "mle":
            return math.nan
        if math.isfinite(self.diagnostics.log_evidence):
            return self.diagnostics.log_evidence
        rng = np.random.default_rng(0)
        every = [e.laplace(self.model.prior, 4_000, rng).log_evidence for e in self.engines]
        return float(logsumexp(every) - math.log(len(every)))

    # -- posterior -----------------------------------------------------------------------------------------------

    @cached_property
    def posterior(self) -> xr.DataTree:
        """Draws, log-likelihood, data and sampler statistics, as ArviZ expects them."""
        require_posterior(self.method)
        parameters = {
            name: np.ascontiguousarray(self.chains[:, :, i])
            for i, name in enumerate(self.parameter_names)
        }
        parameters["half_life_days"] = math.log(2) / parameters["decay"]
        chains, draws = self.chains.shape[:2]
        everything = np.arange(chains * draws)
        log_likelihood = self._over(everything, lambda engine, rows: engine.log_likelihood(rows))
        return assemble(
            parameters,
            self.counts,
            log_likelihood=log_likelihood.reshape(chains, draws, -1),
            sample_stats=self.sample_stats,
            attributes={
                "model": repr(self.model),
                "method": self.method,
                "fingerprint": self.provenance.fingerprint,
            },
        )

    def _over(
        self, rows: NDArray[np.int64], function: Callable[[Engine, Floats], NDArray[np.generic]]
    ) -> Floats:
        """Apply a function to draws, each with the series that it belongs to; rows keep their order."""
        return over_series(self.engines, self.chains, self.origin, rows, function)

    def _thinned(self, wanted: int) -> NDArray[np.int64]:
        total = self.chains.shape[0] * self.chains.shape[1]
        return thinned(total, wanted)

    @cached_property
    def _expected(self) -> tuple[Floats, Floats]:
        """Baseline and triggered attacks per whole bin for some draws, each (draws, n)."""
        both = self._over(
            self._thinned(PATHS), lambda engine, rows: np.stack(engine.means(rows), axis=1)
        )
        return both[:, 0], both[:, 1]

    # -- reading it ----------------------------------------------------------------------------------------------

    def intensity(self, prob: float = 0.9) -> pd.DataFrame:
        """Give the rate that the model expected in each bin, knowing everything before it.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the interval, which holds the uncertainty about the parameters.

        Returns
        -------
        pandas.DataFrame
            Indexed by bin, in attacks per day: ``intensity`` (mean), ``low``, ``high``, and ``baseline``, the part that
            nothing triggered. ``attrs["prob"]`` is the probability.
        """
        require_prob(prob)
        baseline, triggered = self._expected
        return reading.intensity_table(self.counts, baseline, triggered, prob)

    def triggered(self, prob: float = 0.9) -> pd.DataFrame:
        """Split the attacks of each bin into those of the baseline and those that earlier ones triggered.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the interval, which holds the uncertainty about the parameters.

        Returns
        -------
        pandas.DataFrame
            Indexed by bin: ``count``, ``baseline`` and ``triggered`` (expected numbers that add up to it), ``low`` and
            ``high`` of the triggered, and ``probability`` that an attack of that bin was triggered. ``attrs`` holds
            ``share``, ``share_low`` and ``share_high`` of all attacks, and ``prob``.
        """
        require_prob(prob)
        baseline, triggered = self._expected
        return reading.triggered_table(self.counts, baseline, triggered, prob)

    def parents(self, date: DateLike, prob: float = 0.9) -> pd.DataFrame:
        """Give the earlier bins that the attacks of one bin probably followed.

        Parameters
        ----------
        date : date-like
            A date in the bin that is asked about.
        prob : float, default 0.9
            Probability of the intervals, which hold the uncertainty about the parameters.

        Returns
        -------
        pandas.DataFrame
            Indexed by earlier bin, the most probable first: ``count`` of its attacks (missing in a history),
            ``probability`` that an attack of the day was triggered by one of them, ``low``, ``high``. ``attrs`` holds
            the probabilities ``baseline``, ``inputs`` and ``triggered``, and ``date``, ``attacks``, ``prob``. A bin
            that nobody watched can be a parent, too.

        Raises
        ------
        OptionError
            If the date is not among the fitted bins, was not watched, or time is continuous.
        """
        require_prob(prob)
        if self.time == "continuous":
            raise OptionError(
                "in continuous time every attack has its own parents: look at fit.attacks(), or fit with time='daily'."
            )
        place = place_of(self.counts, date)
        sources = self._over(
            self._thinned(PATHS), lambda engine, rows: sources_of(engine, rows, place)
        )
        return parents_table(sources, self.counts, date, sources.shape[1] - 2 - place, prob)

    def attacks(self, prob: float = 0.9) -> pd.DataFrame:
        """Give for each attack the probability that an earlier one triggered it, and which one most probably.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the interval, which holds the uncertainty about the parameters.

        Returns
        -------
        pandas.DataFrame
            Indexed by time of the attack, in order: ``baseline`` and ``triggered`` (probabilities that add up to one),
            ``low`` and ``high`` of the triggered, ``parent``, the time of the earlier attack that most probably
            triggered it (missing where there is none), and ``parent_probability``. With an exponential kernel that is
            the attack before. "Triggered" means "followed, beyond what chance explains": it names no cause.

        Raises
        ------
        OptionError
            If time is in bins, where attacks of one bin cannot be told apart.
        """
        require_prob(prob)
        engine = self.engines[0]
        if not isinstance(engine, TimestampEngine):
            raise OptionError(
                "attacks of one bin cannot be told apart: ask for those of a day with fit.parents(date), and see "
                "fit.triggered()."
            )
        rows = self.chains.reshape(-1, self.chains.shape[-1])[self._thinned(PATHS)]
        return attacks_table(engine.times, self.counts.bin_starts[0], rows, prob)

    def check(self, rng: RNGLike = 0) -> pd.DataFrame:
        """Check the fit: residuals, dispersion, convergence, stationarity.

        Parameters
        ----------
        rng : int or Generator, default 0
            For randomised residuals; the default makes a check repeatable.

        Returns
        -------
        pandas.DataFrame
            Indexed by check: statistic, threshold, passed, meaning.
        """
        rows = self._thinned(50)
        origin = np.tile(self.origin, self.chains.shape[0])[rows]
        first = self.chains.reshape(-1, 4)[rows[origin == 0]]
        residuals = self.engines[0].check(first, resolve(rng).generator)
        above = float((self.chains[:, :, 1] >= 1).mean())
        return reading.with_convergence(residuals, self.diagnostics, above)

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate the estimates.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        pandas.DataFrame
            One row for each parameter and the half-life: estimate, std_error, low, high. ``attrs`` holds llf, aic, bic,
            nobs and method.
        """
        table = self.conf_int(prob)
        table.insert(0, "estimate", self.params)
        table.insert(1, "std_error", self.bse)
        log2 = math.log(2)
        estimate, error, low, high = table.loc["decay"].to_numpy(dtype=float)
        mle = self.method == "mle"
        error = log2 * error / estimate**2 if mle else (log2 / self.chains[:, :, 2]).std()
        half_life = pd.DataFrame(
            [[log2 / estimate, error, log2 / high, log2 / low]],
            index=["half_life_days"],
            columns=table.columns,
        )
        table = pd.concat([table, half_life])
        table.attrs.update(
            prob=prob, llf=self.llf, aic=self.aic, bic=self.bic, nobs=self.nobs, method=self.method
        )
        return table

    def describe(self, prob: float = 0.9) -> str:
        """Say what was found in an analyst's words: risk, volatility, resilience.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        str
            A few sentences. "Triggered" means "followed, beyond what chance explains": it names no cause.
        """
        return reading.describe(self.counts, self.summary(prob), self.triggered(prob), prob)

    # -- forward -------------------------------------------------------------------------------------------------

    def simulate(self, n_bins: int, draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Simulate the bins after the last one, given what happened and uncertain parameters.

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
            Some path exploded and was stopped at 100,000 expected attacks a bin.
        """
        rows = deal(self.chains.shape[0] * self.chains.shape[1], draws, rng)
        out: NDArray[np.int64] = self._over(
            rows, lambda engine, drawn: engine.simulate(drawn, n_bins, rng, CAP)
        ).astype(np.int64)
        # The binned engine caps the mean of a bin, the continuous one the events of a path.
        size = out.max(axis=1, initial=0) if self.time == "daily" else out.sum(axis=1)
        exploded = int((size >= 0.9 * CAP).sum())
        warn_of_explosions(exploded, draws, "branching ratio")
        return out

    def log_predictive(self, future: Incidents | pd.Series) -> pd.Series:
        """Score counts that came after the fitted ones: how probable the fit held what then happened.

        Parameters
        ----------
        future : Incidents, Counts or Series
            Counts in bins of the same length, from the end of the fitted ones on.

        Returns
        -------
        pandas.Series
            For each bin the log of its predictive probability, given everything before it and averaged over draws of
            the parameters. The sum is the log score of all bins together; 0 for a bin that nobody watched.

        Raises
        ------
        DataError
            If the bins do not follow on the fitted ones.
        OptionError
            In continuous time.

        Examples
        --------
        >>> import tempo
        >>> days = pd.Series([0, 1, 0, 2, 1, 0, 0, 1] * 12, index=pd.date_range("2020-01-01", periods=96))
        >>> fit = tempo.Hawkes().fit(days[:90], method="laplace", rng=1)
        >>> round(float(fit.log_predictive(days[90:]).sum()), 1)
        -6.4
        """
        after = as_counts(future, self.counts.freq)
        check_follows(self.counts, after)
        every = np.arange(self.chains.shape[0] * self.chains.shape[1])
        mass = self._over(every, lambda engine, rows: log_mass_ahead(engine, rows, after))
        return score_by_bin(mass, after)

    def with_note(self, note: str) -> HawkesFit:
        """Give the same fit with one more note in its provenance.

        Parameters
        ----------
        note : str
            A sentence.

        Returns
        -------
        HawkesFit
            A copy.
        """
        return dataclasses.replace(self, provenance=with_one_more(self.provenance, note))

    def __repr__(self) -> str:
        params = self.params
        parts = ", ".join(f"{name} {number(value)}" for name, value in params.items())
        return f"HawkesFit({self.method}, {self.time}: {parts}; {self.counts.events} events in {self.nobs} bins)"
