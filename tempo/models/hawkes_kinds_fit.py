"""The result of fitting ``HawkesKinds``: branching matrix, who triggers whom, checks, words, simulation."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from tempo.data.counts import Counts
from tempo.data.rounding import number
from tempo.errors import OptionError
from tempo.models import hawkes_kinds_reading as reading
from tempo.models import hawkes_kinds_recursions as recursions
from tempo.models import observation as obs
from tempo.models.checks import check_table, count_checks
from tempo.models.hawkes_kinds_checks import convergence_rows
from tempo.models.hawkes_kinds_data import KindCounts
from tempo.models.hawkes_kinds_fitting import KindsDiagnostics
from tempo.models.hawkes_kinds_mle import KindsArrays, KindsOptimum
from tempo.models.hawkes_kinds_simulation import kind_paths
from tempo.models.intervals import interval_levels, require_prob
from tempo.models.posterior import deal
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

    from tempo.models.hawkes_kinds import HawkesKinds

__all__ = ["HawkesKindsFit"]

type Floats = NDArray[np.float64]

PATHS = 200  # draws behind an interval by bin
SPLITS = 500  # draws behind the shares of the sources


@dataclass(frozen=True, eq=False, repr=False)
class HawkesKindsFit:
    """A fitted Hawkes model of several kinds of attacks.

    Attributes
    ----------
    model : HawkesKinds
        The specification.
    counts : Counts
        All kinds together (of the first series where dates were imputed).
    series : tuple of KindCounts
        What it was fitted to: one, or several where dates were imputed.
    provenance : Provenance
        How to make it again; its ``notes`` say what is doubtful. Its fingerprint covers every kind.
    method : {"nuts", "laplace", "mle"}
        The engine that gave the answer.
    arrays : tuple of KindsArrays
        The data of each series, as the compiled code takes them.
    optima : tuple of KindsOptimum
        Maximum of the likelihood of each series.
    chains : ndarray, shape (4, draws, p)
        Draws of baselines, branching matrix by rows, decays and dispersions. For "mle" they scatter as the standard
        errors say, and serve simulation and derived intervals.
    origin : ndarray of int, shape (draws,)
        The series that each draw belongs to.
    diagnostics : KindsDiagnostics
        How well the engine did.
    sample_stats : dict
        Sampler statistics, each of shape (4, draws).
    """

    model: HawkesKinds
    counts: Counts
    series: tuple[KindCounts, ...] = field(repr=False)
    provenance: Provenance
    method: Literal["nuts", "laplace", "mle"]
    arrays: tuple[KindsArrays, ...] = field(repr=False)
    optima: tuple[KindsOptimum, ...] = field(repr=False)
    chains: Floats = field(repr=False)
    origin: NDArray[np.int64] = field(repr=False)
    diagnostics: KindsDiagnostics
    sample_stats: dict[str, NDArray[Any]] = field(default_factory=dict, repr=False)

    name: str = "Hawkes by kind"

    # -- estimates -----------------------------------------------------------------------------------------------

    @property
    def kinds(self) -> list[str]:
        """Names of the kinds, in the order of every table."""
        return list(self.series[0].kinds)

    @property
    def n_events(self) -> pd.Series:
        """Attacks of each kind."""
        return self.series[0].events

    @property
    def parameter_names(self) -> list[str]:
        """Names of the parameters, in order: ``branching_ratio[kind, source]``."""
        kinds = self.kinds
        pairs = [f"{kind}, {source}" for kind in kinds for source in kinds]
        decays = {
            "shared": ["decay"],
            "own": [f"decay[{kind}]" for kind in kinds],
            "pair": [f"decay[{pair}]" for pair in pairs],
        }[self.model.decay]
        names = [f"baseline[{kind}]" for kind in kinds]
        names += [f"branching_ratio[{pair}]" for pair in pairs] + decays
        if self.model.observation == "negbin":
            names += [f"dispersion[{kind}]" for kind in kinds]
        return names

    @cached_property
    def params(self) -> pd.Series:
        """Estimates: the maximum of the likelihood, or posterior medians. Baselines and decays are per day.

        At the maximum a decay of which nothing is known, because nothing is triggered, is missing.
        """
        if self.method == "mle":
            every = np.array([optimum.parameters for optimum in self.optima])
            known = np.array([optimum.known for optimum in self.optima]).any(axis=0)
            values = every.mean(axis=0)
            decays = self.arrays[0].parts[2]
            values[decays] = np.where(known[decays], values[decays], math.nan)
        else:
            values = np.median(self._flat, axis=0)
        return pd.Series(values, index=self.parameter_names, name="params")

    @cached_property
    def bse(self) -> pd.Series:
        """Standard errors (Rubin's rules over imputed series; missing on the boundary), or posterior sds."""
        if self.method != "mle":
            values = self._flat.std(axis=0)
        else:
            within = np.mean([optimum.bse**2 for optimum in self.optima], axis=0)
            values = np.sqrt(within + self._between())
        return pd.Series(values, index=self.parameter_names, name="bse")

    def _between(self) -> Floats:
        """Variance that uncertain dates add."""
        m = len(self.optima)
        if m == 1:
            return np.zeros(len(self.parameter_names))
        every = np.array([optimum.parameters for optimum in self.optima])
        return np.asarray((1 + 1 / m) * every.var(axis=0, ddof=1))

    def conf_int(self, prob: float = 0.9) -> pd.DataFrame:
        """Give intervals of the parameters.

        Parameters
        ----------
        prob : float, default 0.9
            Probability.

        Returns
        -------
        pandas.DataFrame
            Columns low and high. Posteriors: central intervals. Maximum likelihood: from standard errors, and for a
            parameter at zero from the slope and curvature of the likelihood there, so that the upper limit says how
            much triggering is still possible; it is infinite where the data say nothing.
        """
        levels = interval_levels(prob)
        if self.method != "mle":
            low, high = np.quantile(self._flat, levels, axis=0)
        else:
            limits = [optimum.interval(prob) for optimum in self.optima]
            low = np.mean([each[0] for each in limits], axis=0)
            high = np.mean([each[1] for each in limits], axis=0)
            if len(self.optima) > 1:
                centre = np.mean([optimum.parameters for optimum in self.optima], axis=0)
                extra = float(norm.ppf(levels[1])) ** 2 * self._between()
                low = np.maximum(centre - np.sqrt((centre - low) ** 2 + extra), 0.0)
                high = centre + np.sqrt((high - centre) ** 2 + extra)
        return pd.DataFrame({"low": low, "high": high}, index=self.parameter_names)

    @property
    def llf(self) -> float:
        """Maximum of the log-likelihood, whatever the engine (the mean over imputed series)."""
        return float(np.mean([optimum.llf for optimum in self.optima]))

    @property
    def nobs(self) -> int:
        """Bins in which at least one kind was observed."""
        return int((~np.isnan(self.arrays[0].counts)).any(axis=1).sum())

    @property
    def aic(self) -> float:
        """Akaike's information criterion at the maximum; parameters at zero are counted too."""
        return 2 * len(self.parameter_names) - 2 * self.llf

    @property
    def bic(self) -> float:
        """Bayesian information criterion at the maximum."""
        return math.log(max(self.nobs, 1)) * len(self.parameter_names) - 2 * self.llf

    @property
    def log_evidence(self) -> float:
        """Log marginal likelihood from importance sampling (laplace); missing for the other engines."""
        return self.diagnostics.log_evidence

    @property
    def branching_matrix(self) -> pd.DataFrame:
        """Attacks of each kind (row) that one attack of each source (column) triggers directly."""
        k = len(self.kinds)
        return pd.DataFrame(
            self.params.to_numpy()[k : k + k * k].reshape(k, k),
            index=pd.Index(self.kinds, name="kind"),
            columns=pd.Index(self.kinds, name="source"),
        )

    def spectral_radius(self, prob: float = 0.9) -> pd.Series:
        """Give the spectral radius of the branching matrix: below one, attacks die out.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the interval.

        Returns
        -------
        pandas.Series
            ``estimate`` (at the maximum, or the posterior median), ``low``, ``high``, and ``above_one``, the share of
            draws at one or more.
        """
        levels = interval_levels(prob)
        radii = self._radii
        estimate = (
            float(_radius(self.branching_matrix.to_numpy()[None])[0])
            if self.method == "mle"
            else float(np.median(radii))
        )
        low, high = np.quantile(radii, levels)
        out = pd.Series(
            {
                "estimate": estimate,
                "low": min(float(low), estimate),
                "high": max(float(high), estimate),
                "above_one": float((radii >= 1).mean()),
            },
            name="spectral_radius",
        )
        out.attrs["prob"] = prob
        return out

    @cached_property
    def _flat(self) -> Floats:
        return self.chains.reshape(-1, self.chains.shape[2])

    @cached_property
    def _radii(self) -> Floats:
        k = len(self.kinds)
        return _radius(self._flat[:, k : k + k * k].reshape(-1, k, k))

    # -- who triggers whom ---------------------------------------------------------------------------------------

    def triggers(self, at_least: float = 0.05, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate who triggers whom, and where the data cannot tell.

        Parameters
        ----------
        at_least : float, default 0.05
            Attacks triggered by one attack that count as triggering.
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        pandas.DataFrame
            Indexed by (kind, source), largest first: ``branching_ratio``, ``low``, ``high``; ``probability`` that it
            exceeds ``at_least`` beside ``prior_probability``; ``triggers`` ("yes", "no" or "the data cannot tell");
            ``n_kind`` and ``n_source``, the attacks of both. "Yes" takes a probability of at least 0.9, odds that the
            data moved at least threefold, and five attacks of both kinds. For maximum likelihood there is no
            probability, and the interval must lie on one side of ``at_least``.
        """
        if not at_least > 0:
            raise OptionError(f"at_least is {at_least!r}; expected a positive number of attacks.")
        k = len(self.kinds)
        chosen = slice(k, k + k * k)
        limits = self.conf_int(prob).iloc[chosen].to_numpy().reshape(k, k, 2)
        probability = prior = None
        if self.method != "mle":
            probability = (self._flat[:, chosen] > at_least).mean(axis=0).reshape(k, k)
            prior = self.model.prior.probability_above(at_least, k)
        return reading.triggers_table(
            self.kinds,
            self.branching_matrix.to_numpy(),
            limits[:, :, 0],
            limits[:, :, 1],
            probability,
            prior,
            self.n_events.to_numpy(dtype=float),
            at_least,
            prob,
        )

    @cached_property
    def _split(self) -> Floats:
        return self._over(
            self._thinned(SPLITS),
            lambda data, rows: recursions.attribution(
                data.counts, data.days, data.bin_days, data.width, data.mode, rows
            ),
        )

    def triggered(self, prob: float = 0.9) -> pd.DataFrame:
        """Split the attacks of each kind by what triggered them.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the interval, which holds the uncertainty about the parameters.

        Returns
        -------
        pandas.DataFrame
            Indexed by (kind, source), the last source of a kind being the baseline: expected number of ``attacks`` with
            ``low`` and ``high``, and their ``share`` of that kind. ``attrs`` holds ``share``, ``share_low`` and
            ``share_high`` of all attacks that were triggered.
        """
        require_prob(prob)
        return reading.triggered_by(self.kinds, self._split, prob)

    def triggered_by_source(self, prob: float = 0.9) -> pd.DataFrame:
        """Give how much each kind triggered, of every kind.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the interval.

        Returns
        -------
        pandas.DataFrame
            Indexed by source, the baseline last: expected number of ``attacks``, their ``share`` of all attacks,
            ``low`` and ``high`` of that share.
        """
        require_prob(prob)
        return reading.source_table(self.kinds, self._split, prob)

    # -- posterior -----------------------------------------------------------------------------------------------

    @cached_property
    def posterior(self) -> xr.DataTree:
        """Draws, log-likelihood, data and sampler statistics, as ArviZ expects them; dims ``kind`` and ``source``."""
        require_posterior(self.method)
        from tempo.models.hawkes_kinds_checks import posterior_tree

        chains, draws, _ = self.chains.shape
        everything = np.arange(chains * draws)
        log_likelihood = self._over(
            everything,
            lambda data, rows: recursions.pointwise(
                data.counts, data.days, data.bin_days, data.width, data.mode, data.negbin, rows
            ),
        )
        return posterior_tree(
            self.kinds,
            self.chains,
            self._radii.reshape(chains, draws),
            self.arrays[0],
            self.counts.bin_starts,
            log_likelihood.reshape(chains, draws, -1),
            self.sample_stats,
            {
                "model": repr(self.model),
                "method": self.method,
                "fingerprint": self.provenance.fingerprint,
            },
        )

    def _over(
        self,
        rows: NDArray[np.int64],
        function: Callable[[KindsArrays, Floats], NDArray[np.generic]],
    ) -> Floats:
        """Apply a function to draws, each with the series that it belongs to; rows keep their order."""
        return over_series(self.arrays, self.chains, self.origin, rows, function)

    def _thinned(self, wanted: int) -> NDArray[np.int64]:
        return thinned(len(self._flat), wanted)

    # -- reading it ----------------------------------------------------------------------------------------------

    def intensity(self, kind: str | None = None, prob: float = 0.9) -> pd.DataFrame:
        """Give the rate that the model expected in each bin, knowing everything before it.

        Parameters
        ----------
        kind : str, optional
            One kind; all of them together when left out.
        prob : float, default 0.9
            Probability of the interval, which holds the uncertainty about the parameters.

        Returns
        -------
        pandas.DataFrame
            Indexed by bin, in attacks per day: ``intensity`` (mean), ``low``, ``high``, and ``baseline``, the part that
            nothing triggered.
        """
        levels = interval_levels(prob)
        if kind is not None and kind not in self.kinds:
            raise OptionError(f"kind is {kind!r}; the kinds are {', '.join(self.kinds)}.")
        k = len(self.kinds)
        chosen = slice(0, k) if kind is None else slice(self.kinds.index(kind), None)
        if kind is not None:
            chosen = slice(chosen.start, chosen.start + 1)
        rows = self._thinned(PATHS)
        triggered = self._over(
            rows,
            lambda data, drawn: recursions.expected(
                data.counts, data.bin_days, data.width, data.mode, drawn
            )[:, :, chosen].sum(axis=2),
        )
        length = self.counts.bin_days
        baseline = self._flat[rows, :k][:, chosen].sum(axis=1)
        total = baseline[:, None] + triggered / length
        low, high = np.quantile(total, levels, axis=0)
        table = pd.DataFrame(
            {
                "intensity": total.mean(axis=0),
                "low": low,
                "high": high,
                "baseline": float(baseline.mean()),
            },
            index=self.counts.bin_starts,
        )
        table.attrs["prob"] = prob
        return table

    def check(self, rng: RNGLike = 0) -> pd.DataFrame:
        """Check the fit: residuals and dispersion of each kind, convergence, stationarity.

        Each test is at one percent, so that with many kinds one of a good model fails now and then.

        Parameters
        ----------
        rng : int or Generator, default 0
            For randomised residuals; the default makes a check repeatable.

        Returns
        -------
        pandas.DataFrame
            Indexed by check, such as ``"rocket: residuals uniform (KS)"``: statistic, threshold, passed, meaning.
        """
        generator = resolve(rng).generator
        rows = self._thinned(50)
        first = self._flat[rows[np.tile(self.origin, self.chains.shape[0])[rows] == 0]]
        data = self.arrays[0]
        triggered = recursions.expected(data.counts, data.bin_days, data.width, data.mode, first)
        tables = []
        for i, kind in enumerate(self.kinds):
            mean = first[:, i : i + 1] * data.days[:, i] + triggered[:, :, i]
            spread = first[:, [data.n_parameters - len(self.kinds) + i]] if data.negbin else 0.0
            seen = ~np.isnan(data.counts[:, i])
            y = np.nan_to_num(data.counts[:, i])
            table = count_checks(
                data.counts[:, i],
                np.where(seen, 1.0, 0.0),
                obs.cdf(y - 1, mean, spread).mean(axis=0),
                obs.cdf(y, mean, spread).mean(axis=0),
                mean.mean(axis=0),
                obs.variance(mean, spread).mean(axis=0),
                generator,
            )
            table.index = pd.Index([f"{kind}: {check}" for check in table.index], name="check")
            tables.append(table)
        rest = check_table(convergence_rows(self.diagnostics, float((self._radii >= 1).mean())))
        return pd.concat([*tables, rest])

    def summary(self, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate the estimates.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        pandas.DataFrame
            One row for each parameter and the spectral radius: estimate, std_error, low, high. ``attrs`` holds llf,
            aic, bic, nobs and method.
        """
        table = self.conf_int(prob)
        table.insert(0, "estimate", self.params)
        table.insert(1, "std_error", self.bse)
        radius = self.spectral_radius(prob)
        row = [radius["estimate"], float(self._radii.std()), radius["low"], radius["high"]]
        table = pd.concat(
            [table, pd.DataFrame([row], index=["spectral_radius"], columns=table.columns)]
        )
        table.attrs.update(
            prob=prob, llf=self.llf, aic=self.aic, bic=self.bic, nobs=self.nobs, method=self.method
        )
        return table

    def describe(self, prob: float = 0.9) -> str:
        """Say what was found in an analyst's words: risk, who triggers whom, what the data cannot tell.

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
        k = len(self.kinds)
        baselines = summary.iloc[:k].set_axis(self.kinds, axis="index")
        sources = self.triggered_by_source(prob)
        place = 0
        if self.model.decay != "shared":
            by_kind = self._split[:, :, :k].sum(axis=1).mean(axis=0)
            place = int(np.argmax(by_kind))
            place = place * (k + 1) if self.model.decay == "pair" else place
        row = summary.iloc[k + k * k + place]
        log2 = math.log(2)
        with np.errstate(divide="ignore"):
            half_life = (
                float(log2 / row["estimate"]),
                float(np.divide(log2, row["high"])),
                float(np.divide(log2, row["low"])),
            )
        return reading.describe_kinds(
            self.counts.label, baselines, self.triggers(prob=prob), sources, half_life, prob
        )

    # -- forward -------------------------------------------------------------------------------------------------

    def simulate_kinds(
        self, n_bins: int, draws: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Simulate the bins after the last one, kind by kind, given what happened and uncertain parameters.

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
        ndarray of int64, shape (draws, n_bins, kinds)
            Attacks of each kind in each bin; the kinds of one path belong together.

        Warns
        -----
        StationarityWarning
            Some path exploded and was stopped at 100,000 expected attacks a bin.
        """
        rows = deal(len(self._flat), draws, rng)

        def paths(data: KindsArrays, drawn: Floats) -> NDArray[np.int64]:
            state = recursions.final_state(data.counts, data.bin_days, data.width, data.mode, drawn)
            return kind_paths(
                drawn, state, data.mode, data.width, n_bins, rng, negbin=data.negbin, cap=CAP
            )

        out: NDArray[np.int64] = self._over(rows, paths).astype(np.int64)
        exploded = int((out.max(axis=(1, 2), initial=0) >= 0.9 * CAP).sum())
        warn_of_explosions(exploded, draws, "spectral radius")
        return out

    def simulate(self, n_bins: int, draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Simulate the bins after the last one, all kinds together: what ``tempo.forecast`` takes.

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
        """
        return np.asarray(self.simulate_kinds(n_bins, draws, rng).sum(axis=2))

    def with_note(self, note: str) -> HawkesKindsFit:
        """Give the same fit with one more note in its provenance.

        Parameters
        ----------
        note : str
            A sentence.

        Returns
        -------
        HawkesKindsFit
            A copy.
        """
        return dataclasses.replace(self, provenance=with_one_more(self.provenance, note))

    def __repr__(self) -> str:
        radius = self.spectral_radius()["estimate"]
        events = ", ".join(f"{kind} {n}" for kind, n in self.n_events.items())
        return f"HawkesKindsFit({self.method}: {events} in {self.nobs} bins; spectral radius {number(radius)})"


def _radius(matrices: Floats) -> Floats:
    return np.asarray(np.abs(np.linalg.eigvals(matrices)).max(axis=-1))
