"""Hawkes: attacks that trigger attacks. The specification and its ``fit``."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.incidents import Incidents
from tempo.data.window import DateLike, as_date
from tempo.errors import OptionError, StationarityWarning
from tempo.models.hawkes_binned import BinnedEngine
from tempo.models.hawkes_continuous_data import blank_timed_engine, obstacle, timed_engine
from tempo.models.hawkes_continuous_fit import TimedHawkesFit
from tempo.models.hawkes_fit import HawkesFit
from tempo.models.hawkes_fitting import (
    doubts,
    fit_each,
    pooled_diagnostics,
    pooled_stats,
    remarks,
    remarks_on,
)
from tempo.models.hawkes_general_data import blank_engine, general_engines
from tempo.models.hawkes_general_engine import GeneralEngine, sample_prior
from tempo.models.hawkes_general_fit import GeneralHawkesFit
from tempo.models.hawkes_layout import OBSERVATIONS
from tempo.models.hawkes_posterior import HawkesPrior
from tempo.models.hawkes_shapes import KINDS
from tempo.models.hawkes_terms import check_steps
from tempo.models.hawkes_timestamps import TimestampEngine
from tempo.models.inputs import few_events_note, imputed_series
from tempo.models.provenance import Provenance
from tempo.models.sampled_fit import CAP
from tempo.randomness import RNGLike, resolve, spawn

__all__ = ["Hawkes"]

type Floats = NDArray[np.float64]

METHODS = ("nuts", "laplace", "mle")


@dataclass(frozen=True)
class Hawkes:
    """Attacks that trigger attacks: a baseline rate, and an excitation that each attack adds and that fades.

    In bins (the default for dates), with ``e_t`` the observed days of bin ``t`` and lags in bins,

        Y_t | past ~ Poisson(m_t) or NegBin(m_t, variance m_t + dispersion m_t^2) or a hurdle
        m_t = e_t baseline_t + branching sum_k h_k Y_{t-k} + sum_j response_j sum_k h_jk Z_{j,t-k}

    with a kernel ``h`` that sums to one, ``h_k = (1 - exp(-decay w)) exp(-decay w (k - 1))`` if it is exponential and a
    bin has ``w`` days, and inputs ``Z_j`` that excite but are not modelled. In continuous time (for timestamps) the
    intensity per day is

        baseline_day(t) + branching sum_i h(t - t_i) + sum_j response_j sum_i h_j(t - s_ji)

    with a kernel ``h`` that integrates to one, ``decay exp(-decay x)`` if it is exponential. Baseline and decay are per
    day, whatever the bins. A bin that nobody watched enters the history as its conditional mean. Without a
    ``history``, the excitation starts at zero.

    Parameters
    ----------
    kernel : {"exponential", "sum_exponential", "power", "gamma", "histogram"}
        How the excitation fades; the page "Hawkes models: choosing and reading one" has the equations.
    baseline : str
        How the rate of attacks that nothing triggered moves: "constant", "weekly", "yearly", "trend", or a formula for
        its logarithm, such as ``"1 + weekday + season + trend + curfew"``. ``weekday``, ``season`` (two yearly waves)
        and ``trend`` (years) are made by tempo; other names are columns of ``covariates``. A formula is code: take
        none from strangers.
    observation : {"poisson", "negbin", "hurdle", "hurdle-poisson", "hurdle-negbin"}
        How counts scatter around their mean. A hurdle says whether a day has attacks, with probability
        ``1 - exp(-m_t / day_size)``, and then how many: geometric (plain "hurdle"), Poisson or negative binomial, each
        without its zero and with mean ``day_size``.
    time : {"auto", "daily", "continuous"}
        ``"auto"`` takes continuous time where every incident has a time of day, no two coincide, the window has no
        gaps and the observation is Poisson; the choice and its reason are on the fit. In continuous time a baseline
        that moves is constant within a day, and inputs and history are Incidents with times.
    prior : HawkesPrior
        Proper and stated; used by "nuts" and "laplace".
    baseline_steps : sequence of dates
        First days of new levels of the baseline.
    components : {2, 3}
        Exponentials of "sum_exponential".
    lag_edges : sequence of int
        For "histogram": first lag (in bins) of each level, and the first lag beyond the last. The first is 1. With
        ``time="continuous"`` they may begin at 0 instead and are then ages in days, such as ``(0, 0.1, 1, 7, 30)``;
        lag 1 stands for ages up to one day.
    longest_lag_days : float, default 365
        Where "power" and "gamma" end; what is left is rescaled, so that they still sum (integrate) to one.
    delay_days : float, default 0
        Days after an attack before it excites anything.
    mark : str, optional
        Column of the incidents on which productivity depends: an attack with mark ``x`` weighs
        ``(1 + x)^mark_exponent``, divided by the mean of that over all attacks whose mark is known. An unknown mark
        weighs one. Where dates are uncertain a mark moves with the drawn day of its attack.
    input_kernel : {"shared", "own"}
        Whether inputs fade like the attacks or have kernel parameters of their own.

    Notes
    -----
    Hawkes (1971), Biometrika 58; White, Porter & Mazerolle (2013), J. Quant. Criminol. 29, for *risk* (baseline),
    *volatility* (branching) and *resilience* (decay). A changing baseline looks like contagion to this model: compare
    it with ``Changepoints`` before believing it.

    Examples
    --------
    >>> days = pd.date_range("2020-01-01", periods=400, freq="1D")
    >>> counts = Hawkes().simulate([0.2, 0.5, 0.3], n_bins=400, rng=5)
    >>> fit = Hawkes().fit(pd.Series(counts, index=days), method="mle")
    >>> fit.params.round(2).to_dict()
    {'baseline': 0.17, 'branching_ratio': 0.51, 'decay': 0.3}
    """

    kernel: Literal["exponential", "sum_exponential", "power", "gamma", "histogram"] = "exponential"
    baseline: str = "constant"
    observation: Literal["poisson", "negbin", "hurdle", "hurdle-poisson", "hurdle-negbin"] = (
        "poisson"
    )
    time: Literal["auto", "daily", "continuous"] = "auto"
    prior: HawkesPrior = field(default_factory=HawkesPrior)
    baseline_steps: tuple[Any, ...] = ()
    components: int = 2
    lag_edges: tuple[float, ...] = (1, 2, 4, 8, 15, 31, 61)
    longest_lag_days: float = 365.0
    delay_days: float = 0.0
    mark: str | None = None
    input_kernel: Literal["shared", "own"] = "shared"

    def __post_init__(self) -> None:
        for name, value, known in (
            ("kernel", self.kernel, tuple(KINDS)),
            ("observation", self.observation, tuple(OBSERVATIONS)),
            ("time", self.time, ("auto", "daily", "continuous")),
            ("input_kernel", self.input_kernel, ("shared", "own")),
            ("components", self.components, (2, 3)),
        ):
            if value not in known:
                raise OptionError(
                    f"{name} is {value!r}; expected one of {', '.join(map(str, known))}."
                )
        if not isinstance(self.prior, HawkesPrior):
            raise OptionError(
                f"prior is {self.prior!r}; expected tempo.models.hawkes_posterior.HawkesPrior(...)."
            )
        if not isinstance(self.baseline, str) or not self.baseline.strip():
            raise OptionError(
                f"baseline is {self.baseline!r}; expected 'constant', 'weekly', 'yearly', 'trend' or a formula such as "
                "'1 + season + trend'."
            )
        object.__setattr__(self, "baseline_steps", check_steps(self.baseline_steps))
        edges = tuple(self.lag_edges)
        ages = len(edges) > 0 and edges[0] == 0 and self.time == "continuous"
        whole = all(float(edge).is_integer() for edge in edges)
        if (
            len(edges) < 2
            or not (ages or (edges[0] == 1 and whole))
            or any(b <= a for a, b in itertools.pairwise(edges))
        ):
            raise OptionError(
                f"lag_edges are {edges}; expected whole numbers that rise from 1, such as (1, 2, 4, 8, 15, 31, 61), or "
                "with time='continuous' ages in days that rise from 0."
            )
        object.__setattr__(self, "lag_edges", edges)
        if not (self.longest_lag_days >= 2 and 0 <= self.delay_days < 3_650):
            raise OptionError(
                f"longest_lag_days is {self.longest_lag_days!r} and delay_days {self.delay_days!r}; expected at least "
                "2, and 0 or more."
            )
        if self.time == "continuous" and self.observation != "poisson":
            raise OptionError(
                f"observation={self.observation!r} is for counts in bins, and in continuous time there are none: "
                "attacks that come together are what the kernel is for. Use time='daily', or observation='poisson' "
                "with a kernel that may be fast, such as 'sum_exponential'."
            )

    def _beyond_the_basics(self) -> str:
        """Say which choice needs a general engine, or nothing."""
        choices = {
            f"kernel={self.kernel!r}": self.kernel != "exponential",
            f"baseline={self.baseline!r}": self.baseline not in {"constant", "1"},
            "baseline_steps": bool(self.baseline_steps),
            f"observation={self.observation!r}": self.observation not in {"poisson", "negbin"},
            "delay_days": self.delay_days > 0,
            "mark": self.mark is not None,
        }
        return next((name for name, chosen in choices.items() if chosen), "")

    def fit(
        self,
        data: Incidents | pd.Series | Sequence[Incidents | pd.Series],
        *,
        method: Literal["nuts", "laplace", "mle"] = "nuts",
        rng: RNGLike = None,
        imputations: int = 20,
        draws: int = 1_000,
        progress: bool | None = None,
        covariates: pd.DataFrame | Sequence[pd.DataFrame] | None = None,
        inputs: Mapping[str, Incidents | pd.Series] | Sequence[Mapping[str, Any]] | None = None,
        history: Incidents | pd.Series | Sequence[Incidents | pd.Series] | None = None,
    ) -> HawkesFit:
        """Fit the model.

        Parameters
        ----------
        data : Incidents, Counts or Series
            What happened. Incidents are counted by day, or taken as timestamps (see ``time``). A list holds several
            independent series (countries, years) that share all parameters.
        method : {"nuts", "laplace", "mle"}
            Sampling; Laplace approximation with Pareto-smoothed importance resampling, which falls back to sampling
            when its k-hat passes 0.7; or maximum likelihood.
        rng : int, Generator or None
            Reproduces the fit, whatever the number of cores.
        imputations : int, default 20
            Where dates are known only to an interval: how many series with drawn dates to average over. Posteriors are
            pooled; maximum-likelihood estimates are combined by Rubin's rules.
        draws : int, default 1000
            Posterior draws in each of four chains.
        progress : bool, optional
            Progress bar of the sampler; left out, only in interactive use.
        covariates : DataFrame, optional
            Columns that the baseline uses, indexed by date; they must cover every bin.
        inputs : mapping of str to Incidents or Series, optional
            Processes that excite this one and are not modelled (strikes by the other side). An input can only excite:
            what calms belongs to ``covariates``.
        history : Incidents, Counts or Series, optional
            Attacks before the data, which excite but are not scored; it ends where the data begin. With a list of
            series, ``covariates``, ``inputs`` and ``history`` may be lists too.

        Returns
        -------
        HawkesFit
            Frozen. It carries ``params``, ``posterior``, ``check()``, ``simulate()`` and the rest.

        Warns
        -----
        FewEventsWarning
            Fewer than 25 events.
        ConvergenceWarning
            The optimiser, sampler or approximation missed its own standard.
        StationarityWarning
            The fitted branching ratio is one or more.
        """
        if method not in METHODS:
            raise OptionError(f"method is {method!r}; expected one of {', '.join(METHODS)}.")
        if draws < 50:
            raise OptionError(f"draws is {draws}; expected at least 50 for each of four chains.")
        randomness = resolve(rng)
        series: list[Any] = list(data) if isinstance(data, (list, tuple)) else [data]
        beside = {
            "covariates": _for_each("covariates", covariates, len(series)),
            "inputs": _for_each("inputs", inputs, len(series)),
            "history": _for_each("history", history, len(series)),
        }
        given = any(item is not None for items in beside.values() for item in items)
        general = isinstance(data, (list, tuple)) or given or bool(self._beyond_the_basics())
        chosen, reason = self._choose_time(series, beside["inputs"], beside["history"])
        engines: list[Any]
        if general and chosen == "continuous":
            timed, notes = timed_engine(self, series, **beside)
            engines, notes = [timed], [reason, *notes]
        elif general:
            found, notes = general_engines(
                self, series, imputations=imputations, rng=randomness.generator, **beside
            )
            engines, notes = list(found), [reason, *notes]
        elif chosen == "continuous":
            assert isinstance(data, Incidents)
            engines = [TimestampEngine.of(data)]
            notes = [reason]
        else:
            assert not isinstance(data, (list, tuple))
            counted, notes = imputed_series(
                cast("pd.Series", data), imputations, randomness.generator
            )
            engines = [BinnedEngine(counts, self.observation == "negbin") for counts in counted]
            notes = [reason, *notes]
        notes += few_events_note(engines[0].counts, stacklevel=2)
        parts = fit_each(
            self, engines, method, draws, spawn(randomness.generator, len(engines)), progress
        )
        diagnostics = pooled_diagnostics(self, parts, logarithms=not general)
        notes += doubts(diagnostics, method, stacklevel=2)
        if method == "mle":
            notes += remarks_on(engines[0]) if general else remarks(engines[0].optimum)
        kind: type[HawkesFit] = HawkesFit
        if general:
            kind = TimedHawkesFit if chosen == "continuous" else GeneralHawkesFit
        fit = kind(
            model=self,
            counts=engines[0].counts,
            provenance=Provenance.of(
                engines[0].counts,
                model=self,
                method=diagnostics.method,
                seed=randomness.record,
                notes=notes,
            ),
            method=diagnostics.method,
            time=chosen,
            time_reason=reason,
            engines=tuple(engines),
            chains=np.concatenate([part.chains for part in parts], axis=1),
            origin=np.concatenate(
                [np.full(part.chains.shape[1], i) for i, part in enumerate(parts)]
            ),
            diagnostics=diagnostics,
            sample_stats=pooled_stats(parts),
        )
        branching = float(fit.params["branching_ratio"])
        if branching >= 1:
            text = (
                f"the fitted branching ratio is {branching:.2f}: taken at its word, attacks multiply without end. A "
                "baseline that moves is the usual reason; compare with Changepoints, and do not forecast far."
            )
            warnings.warn(StationarityWarning(text), stacklevel=2)
            fit = fit.with_note(text[0].upper() + text[1:])
        return fit

    def simulate(
        self,
        parameters: Floats | Sequence[float] | Mapping[str, float],
        *,
        n_bins: int,
        rng: RNGLike = None,
        start: DateLike = "2000-01-01",
        covariates: pd.DataFrame | None = None,
        inputs: Mapping[str, pd.Series] | None = None,
    ) -> NDArray[np.int64]:
        """Simulate days from known parameters, with an empty past.

        Parameters
        ----------
        parameters : sequence of float, or mapping of name to float
            Baseline per day, branching ratio, decay per day, and dispersion for negbin; of other models, what
            ``fit.params`` has, in its order or by name.
        n_bins : int
            Days to simulate.
        rng : int, Generator or None
            Source of randomness.
        start : date, default 2000-01-01
            First day, for seasons, trends, steps and covariates.
        covariates : DataFrame, optional
            Columns that the baseline uses, indexed by date.
        inputs : mapping of str to Series, optional
            Events of exciting inputs, indexed by date.

        Returns
        -------
        ndarray of int64, shape (n_bins,)
            Attacks on each day.
        """
        from tempo.models.hawkes_simulation import discrete_counts

        generator = resolve(rng).generator
        engine = None
        names = ["baseline", "branching_ratio", "decay"]
        names += ["dispersion"] if self.observation == "negbin" else []
        if self._beyond_the_basics() or inputs or self.time == "continuous":
            engine = self._blank(n_bins, start, covariates, inputs)
            names = engine.layout.names
        values = _values(parameters, names)
        if engine is not None:
            theta = engine.layout.unbounded(values)[None]
            return np.asarray(engine.simulate(theta, n_bins, generator, CAP)[0])
        path: NDArray[np.int64] = discrete_counts(
            n_bins,
            1,
            values[0],
            values[1],
            values[2],
            0.0,
            generator,
            dispersion=values[3] if self.observation == "negbin" else None,
        )[0]
        return path

    def prior_predictive(
        self,
        n_bins: int,
        draws: int = 1_000,
        rng: RNGLike = None,
        *,
        start: DateLike = "2000-01-01",
        covariates: pd.DataFrame | None = None,
        inputs: Mapping[str, pd.Series] | None = None,
    ) -> NDArray[np.int64]:
        """Simulate days from the prior alone: what the model believes before it has seen anything.

        Parameters
        ----------
        n_bins : int
            Days.
        draws : int, default 1000
            Paths.
        rng : int, Generator or None
            Source of randomness.
        start, covariates, inputs
            As for ``simulate``.

        Returns
        -------
        ndarray of int64, shape (draws, n_bins)
            Attacks on each day; a path that explodes stops at 100,000 a day.
        """
        from tempo.models.hawkes_simulation import discrete_counts

        generator = resolve(rng).generator
        if self._beyond_the_basics() or inputs or self.time == "continuous":
            engine = self._blank(n_bins, start, covariates, inputs)
            theta = sample_prior(engine.layout, self.prior, draws, generator)
            return engine.simulate(theta, n_bins, generator, CAP)
        drawn = self.prior.sample(draws, generator)
        return discrete_counts(
            n_bins,
            draws,
            drawn[:, 0],
            drawn[:, 1],
            drawn[:, 2],
            0.0,
            generator,
            dispersion=drawn[:, 3] if self.observation == "negbin" else None,
        )

    def simulate_times(
        self,
        parameters: Floats | Sequence[float] | Mapping[str, float],
        *,
        n_days: int,
        rng: RNGLike = None,
        start: DateLike = "2000-01-01",
        covariates: pd.DataFrame | None = None,
        inputs: Mapping[str, pd.Series] | None = None,
    ) -> pd.DatetimeIndex:
        """Simulate attacks in continuous time from known parameters, with an empty past.

        Parameters
        ----------
        parameters : sequence of float, or mapping of name to float
            What ``fit.params`` has, in its order or by name.
        n_days : int
            Days to simulate.
        rng, start, covariates, inputs
            As for ``simulate``.

        Returns
        -------
        DatetimeIndex
            Times of the attacks, rising, to the microsecond.

        Examples
        --------
        >>> times = Hawkes(kernel="gamma", time="continuous").simulate_times(
        ...     [0.2, 0.5, 2.0, 3.0], n_days=1_000, rng=1
        ... )
        >>> 300 < len(times) < 500
        True
        """
        if self.time != "continuous":
            raise OptionError(
                f"time is {self.time!r}: times are simulated in continuous time only. Use Hawkes(time='continuous')."
            )
        generator = resolve(rng).generator
        engine = blank_timed_engine(self, n_days, start, covariates, inputs)
        theta = engine.layout.unbounded(_values(parameters, engine.layout.names))[None]
        times = engine.simulate_times(theta, n_days, generator, CAP)
        return pd.DatetimeIndex(as_date(start) + pd.to_timedelta(times, unit="D")).as_unit("us")

    def _blank(
        self,
        n_bins: int,
        start: DateLike,
        covariates: pd.DataFrame | None,
        inputs: Mapping[str, pd.Series] | None,
    ) -> GeneralEngine:
        make = blank_timed_engine if self.time == "continuous" else blank_engine
        return make(self, n_bins, start, covariates, inputs)

    def _choose_time(
        self, series: list[Any], inputs: list[Any], history: list[Any]
    ) -> tuple[Literal["daily", "continuous"], str]:
        if self.time == "daily":
            return "daily", "Time is in days, as asked."
        reason = obstacle(self, series, inputs, history)
        if self.time == "continuous":
            if reason:
                raise OptionError(
                    f"time='continuous' is not possible: {reason}. It needs the time of each incident; use "
                    "time='daily'."
                )
            return "continuous", "Time is continuous, as asked."
        if reason == "counts were given":
            return "daily", "Time is in bins, because counts were given."
        if reason:
            return "daily", f"Time is in days, because {reason}."
        return (
            "continuous",
            "Time is continuous, because every incident has a time of day and no two coincide.",
        )


def _values(
    parameters: Floats | Sequence[float] | Mapping[str, float], names: Sequence[str]
) -> Floats:
    """Give parameters in the order of their names."""
    given = parameters
    if isinstance(given, Mapping):
        if set(given) != set(names):
            raise OptionError(f"parameters are {sorted(given)}; expected {', '.join(names)}.")
        given = [given[name] for name in names]
    values = np.asarray(given, dtype=float)
    if values.shape != (len(names),):
        raise OptionError(
            f"parameters are {values.tolist()}; expected {len(names)} numbers: {', '.join(names)}."
        )
    return values


def _for_each(name: str, given: Any, n: int) -> list[Any]:
    """Give one item for each series: the same for all, or those of a list."""
    if isinstance(given, (list, tuple)):
        if len(given) != n:
            raise OptionError(
                f"{name} has {len(given)} items for {n} series; expected one for each."
            )
        return list(given)
    if given is not None and n > 1 and name == "history":
        raise OptionError("history is one series for several; give a list with one for each.")
    return [given] * n
