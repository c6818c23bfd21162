"""The result of fitting a general ``Hawkes``: as ``HawkesFit``, with more parameters and sources."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from tempo.data.counts import as_counts
from tempo.data.incidents import Incidents
from tempo.data.rounding import about, interval, number, plural
from tempo.errors import DataError, OptionError
from tempo.models import hawkes_reading as reading
from tempo.models.hawkes_fit import PATHS, HawkesFit
from tempo.models.hawkes_general_engine import Future, GeneralEngine
from tempo.models.intervals import central_levels, interval_levels
from tempo.models.posterior import assemble
from tempo.models.sampled_fit import require_posterior
from tempo.randomness import RNGLike, resolve

if TYPE_CHECKING:
    import xarray as xr

    from tempo.models.hawkes_engine import Engine

__all__ = ["GeneralHawkesFit"]

type Floats = NDArray[np.float64]

LONGEST_LAG = 3_650  # bins over which a half-life is looked for


@dataclass(frozen=True, eq=False, repr=False)
class GeneralHawkesFit(HawkesFit):
    """A fitted Hawkes model with any kernel, baseline, inputs, marks and observation.

    It has everything that ``HawkesFit`` has, and ``kernel()``, ``sources()``, ``with_future()`` and ``of()`` beside.
    ``chains`` holds draws of the unbounded parameters, shape (4, draws, size); ``draws`` those of the natural ones.
    ``baseline`` is the number of attacks per day that nothing triggered, where every column of the baseline is at its
    mean over the fitted bins; the coefficient of a column is its effect on the log of that.
    """

    @property
    def _first(self) -> GeneralEngine:
        return cast("GeneralEngine", self.engines[0])

    @property
    def _optima(self) -> list[Any]:
        return [engine.optimum for engine in self.engines]

    @property
    def parameter_names(self) -> list[str]:
        """Names of the natural parameters, in order."""
        return self._first.layout.names

    @cached_property
    def draws(self) -> Floats:
        """Draws of the natural parameters, shape (4, draws, parameters)."""
        flat = self.chains.reshape(-1, self.chains.shape[-1])
        return self._first.layout.natural(flat).reshape(*self.chains.shape[:2], -1)

    @cached_property
    def params(self) -> pd.Series:
        """Estimates: the maximum of the likelihood, or posterior medians."""
        if self.method == "mle":
            values = np.mean([optimum.parameters for optimum in self._optima], axis=0)
        else:
            values = np.median(self.draws, axis=(0, 1))
        return pd.Series(values, index=self.parameter_names, name="params")

    @cached_property
    def bse(self) -> pd.Series:
        """Standard errors by the delta method (Rubin's rules over imputed series), or posterior sds."""
        if self.method != "mle":
            values = self.draws.std(axis=(0, 1))
        else:
            estimates = np.array([optimum.parameters for optimum in self._optima])
            within = np.mean([optimum.errors**2 for optimum in self._optima], axis=0)
            m = len(estimates)
            between = estimates.var(axis=0, ddof=1) * (1 + 1 / m) if m > 1 else 0.0
            values = np.sqrt(within + between)
        return pd.Series(values, index=self.parameter_names, name="bse")

    def conf_int(self, prob: float = 0.9) -> pd.DataFrame:
        """Give intervals of the parameters.

        Parameters
        ----------
        prob : float, default 0.9
            Probability.

        Returns
        -------
        pandas.DataFrame
            Columns low and high. Maximum likelihood: for the branching ratio by profile likelihood, which may reach 0;
            for coefficients, shares and masses from standard errors, for what is positive from those of its logarithm.
        """
        levels = interval_levels(prob)
        names = self.parameter_names
        if self.method != "mle":
            limits = np.quantile(self.draws, levels, axis=(0, 1))
            return pd.DataFrame(limits.T, index=names, columns=["low", "high"])
        z = float(norm.ppf(levels[1]))
        estimate, error = self.params.to_numpy(), self.bse.to_numpy()
        additive = np.array([self._additive(name) for name in names])
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            spread = np.exp(z * error / estimate)
            low = np.where(additive, estimate - z * error, estimate / spread)
            high = np.where(additive, estimate + z * error, estimate * spread)
        shares = np.array([name.startswith(("share_", "lag[")) for name in names])
        low, high = (
            np.where(shares, np.maximum(low, 0), low),
            np.where(shares, np.minimum(high, 1), high),
        )
        table = pd.DataFrame({"low": low, "high": high}, index=names)
        if len(self.engines) == 1:
            table.loc["branching_ratio"] = self._first.branching_interval(prob)
        else:
            centre, half = self.params["branching_ratio"], z * self.bse["branching_ratio"]
            table.loc["branching_ratio"] = [max(centre - half, 0.0), centre + half]
        if len(self._first.realisations) == 1 and not self.counts.events:
            table.loc["baseline"] = reading.none_seen(self.counts, prob)
        return table

    def _additive(self, name: str) -> bool:
        layout = self._first.layout
        return (
            name in layout.columns or name == "mark_exponent" or name.startswith(("share_", "lag["))
        )

    @property
    def nobs(self) -> int:
        """Bins that were observed, in all realisations."""
        return sum(int(part.counts.notna().sum()) for part in self._first.realisations)

    @property
    def n_free(self) -> int:
        """Parameters that were estimated."""
        return self._first.layout.size

    @property
    def aic(self) -> float:
        """Akaike's information criterion at the maximum."""
        return 2 * self.n_free - 2 * self.llf

    @property
    def bic(self) -> float:
        """Bayesian information criterion at the maximum."""
        return math.log(max(self.nobs, 1)) * self.n_free - 2 * self.llf

    @cached_property
    def modes(self) -> pd.DataFrame:
        """Every peak of the likelihood (of the first series), highest first."""
        found = self._first.optimum.modes
        values = self._first.layout.natural(np.array([theta for theta, _ in found]))
        return pd.DataFrame(values, columns=self.parameter_names).assign(
            llf=[height for _, height in found]
        )

    @cached_property
    def posterior(self) -> xr.DataTree:
        """Draws, log-likelihood, data and sampler statistics, as ArviZ expects them."""
        require_posterior(self.method)
        parameters = {
            name: np.ascontiguousarray(self.draws[:, :, i])
            for i, name in enumerate(self.parameter_names)
        }
        chains, draws = self.chains.shape[:2]
        log_likelihood = self._over(
            np.arange(chains * draws), lambda engine, rows: engine.log_likelihood(rows)
        )
        return assemble(
            parameters,
            pd.concat([pd.Series(part.counts) for part in self._first.realisations]),
            log_likelihood=log_likelihood.reshape(chains, draws, -1),
            sample_stats=self.sample_stats,
            attributes={
                "model": repr(self.model),
                "method": self.method,
                "fingerprint": self.provenance.fingerprint,
            },
        )

    # -- reading it ----------------------------------------------------------------------------------------------

    def kernel(self, n_bins: int = 30, prob: float = 0.9) -> pd.DataFrame:
        """Give how what one attack triggers is spread over the bins after it.

        Parameters
        ----------
        n_bins : int, default 30
            Bins.
        prob : float, default 0.9
            Probability of the interval.

        Returns
        -------
        pandas.DataFrame
            Indexed by lag in bins: ``weight`` (share of all that is triggered), ``low``, ``high``, and ``triggered``,
            the expected attacks at that lag.
        """
        levels = interval_levels(prob)
        theta = self._some()
        weights = self._first.layout.kernel(theta, n_bins)
        low, high = np.quantile(weights, levels, axis=0)
        amount = np.exp(theta[:, self._first.layout.at_branching])[:, None] * weights
        table = pd.DataFrame(
            {
                "weight": weights.mean(axis=0),
                "low": low,
                "high": high,
                "triggered": amount.mean(axis=0),
            },
            index=pd.RangeIndex(1, n_bins + 1, name="lag"),
        )
        table.attrs["prob"] = prob
        return table

    def sources(self, prob: float = 0.9) -> pd.DataFrame:
        """Give the share of attacks that each source explains.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the interval.

        Returns
        -------
        pandas.DataFrame
            Indexed by source (baseline, earlier attacks, inputs): share, low, high.
        """
        levels = interval_levels(prob)
        engine = self._first
        part = engine.realisations[engine.shown]
        y = np.nan_to_num(part.values[len(part.history) :])
        pieces = engine.parts_of_mean(self._some())
        total = sum(pieces)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = np.array(
                [(y * np.where(total > 0, piece / total, 0.0)).sum(axis=1) for piece in pieces]
            ) / max(y.sum(), 1.0)
        low, high = np.quantile(shares, levels, axis=1)
        table = pd.DataFrame(
            {"share": shares.mean(axis=1), "low": low, "high": high},
            index=pd.Index(["baseline", "earlier attacks", "inputs"], name="source"),
        )
        table.attrs["prob"] = prob
        return table if engine.layout.inputs else table.iloc[:2]

    def _some(self) -> Floats:
        """Give some draws of unbounded parameters, of the first series."""
        rows = self._thinned(PATHS)
        origin = np.tile(self.origin, self.chains.shape[0])[rows]
        return np.ascontiguousarray(
            self.chains.reshape(-1, self.chains.shape[-1])[rows[origin == 0]]
        )

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
        theta = self._some()
        residuals = self._first.check(theta[:: max(len(theta) // 50, 1)], resolve(rng).generator)
        above = float((self.chains[:, :, self._first.layout.at_branching] >= 0).mean())
        return reading.with_convergence(residuals, self.diagnostics, above)

    def _half_lives(self) -> Floats:
        """Lags by which half, and nine tenths, of what is triggered has come: (draws, 2), in days."""
        layout = self._first.layout
        theta = self._some()
        if layout.kind == 0:
            decay = np.exp(theta[:, layout.at_shape])
            delay = layout.delay * layout.width
            return np.log([[2.0, 10.0]]) / decay[:, None] + delay
        lags = layout.lags + layout.delay if layout.kind > 1 else LONGEST_LAG
        reached = np.cumsum(layout.kernel(theta, lags), axis=1)
        out = [(reached < level - 1e-9).sum(axis=1) + 1.0 for level in (0.5, 0.9)]
        return np.column_stack(out) * layout.width

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate the estimates.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        pandas.DataFrame
            One row for each parameter, and ``half_life_days`` and ``nine_tenths_days``, by which half and nine tenths
            of what is triggered has come: estimate, std_error, low, high. ``attrs`` holds llf, aic, bic, nobs, method.
        """
        table = self.conf_int(prob)
        table.insert(0, "estimate", self.params)
        table.insert(1, "std_error", self.bse)
        lives = self._half_lives()
        limits = np.quantile(lives, central_levels(prob), axis=0)
        if self.method == "mle" and all(optimum.at_boundary for optimum in self._optima):
            lives, limits = np.full_like(lives, math.nan), np.full_like(limits, math.nan)
        rows = pd.DataFrame(
            [[limits[1, i], lives[:, i].std(), limits[0, i], limits[2, i]] for i in range(2)],
            index=["half_life_days", "nine_tenths_days"],
            columns=table.columns,
        )
        table = pd.concat([table, rows])
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
        summary = self.summary(prob)
        background, _ = self._expected
        monthly = 30.0 * (background / self.counts.bin_days).mean(axis=1)
        low, high = np.quantile(monthly, interval_levels(prob))
        seen = self.counts.events > 0
        if seen or self.method != "mle":
            summary.loc["baseline"] = [monthly.mean() / 30, math.nan, low / 30, high / 30]
        text = reading.describe(self.counts, summary, self.triggered(prob), prob)
        what = plural(self.counts.label) if self.counts.label != "counts" else "attacks"
        if self._first.layout.columns and seen:
            level = self.intensity(prob)["baseline"]
            text += (
                f" The baseline moves between {number(30 * float(level.min()))} and {number(30 * float(level.max()))} "
                f"{what} in 30 days."
            )
        if self._first.layout.inputs and seen:
            row = self.sources(prob).loc["inputs"].to_numpy(dtype=float)
            share, low, high = float(row[0]), float(row[1]), float(row[2])
            text += (
                f" {about(share).capitalize()} of {what} ({interval(100 * low, 100 * high)} %) followed "
                f"{', '.join(self._first.layout.inputs)}."
            )
        return text

    # -- forward -------------------------------------------------------------------------------------------------

    def with_future(
        self,
        covariates: pd.DataFrame | None = None,
        inputs: Mapping[str, pd.Series | Incidents] | None = None,
    ) -> GeneralHawkesFit:
        """Give the same fit, which knows what a forecast must be told about the days to come.

        Parameters
        ----------
        covariates : pandas.DataFrame, optional
            What the baseline depends on, indexed by date; it must cover every bin of the forecast.
        inputs : mapping of str to Series or Incidents, optional
            Events of the inputs after the data; an input that is left out has none.

        Returns
        -------
        GeneralHawkesFit
            A copy for ``forecast``.
        """
        layout = self._first.layout
        unknown = sorted(set(inputs or {}) - set(layout.inputs))
        if unknown:
            raise OptionError(
                f"inputs {', '.join(unknown)} are not in the model; it has {', '.join(layout.inputs) or 'none'}."
            )
        given = {name: pd.Series(as_counts(data)) for name, data in (inputs or {}).items()}
        future = Future(covariates, given)
        engines = cast(
            "tuple[Engine, ...]",
            tuple(cast("GeneralEngine", engine).with_future(future) for engine in self.engines),
        )
        return dataclasses.replace(self, engines=engines)

    def of(self, realisation: int) -> GeneralHawkesFit:
        """Give the same fit as seen from another of the series that it was fitted to.

        Parameters
        ----------
        realisation : int
            0 for the first.

        Returns
        -------
        GeneralHawkesFit
            Its ``counts``, tables, checks and forecasts are those of that series.
        """
        n = len(self._first.realisations)
        if not 0 <= realisation < n:
            raise DataError(f"there are {n} series, numbered from 0; got {realisation}.")
        shown = [
            dataclasses.replace(cast("GeneralEngine", engine), shown=realisation)
            for engine in self.engines
        ]
        engines = cast("tuple[Engine, ...]", tuple(shown))
        return dataclasses.replace(self, engines=engines, counts=engines[0].counts)
