"""Hawkes: attacks that trigger attacks. The specification and its ``fit``."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.incidents import Incidents
from tempo.errors import OptionError, StationarityWarning
from tempo.models.hawkes_binned import BinnedEngine
from tempo.models.hawkes_engine import Engine
from tempo.models.hawkes_fit import HawkesFit
from tempo.models.hawkes_fitting import (
    doubts,
    fit_each,
    pooled_diagnostics,
    pooled_stats,
    remarks,
)
from tempo.models.hawkes_posterior import HawkesPrior
from tempo.models.hawkes_timestamps import TimestampEngine
from tempo.models.inputs import few_events_note, imputed_series
from tempo.models.provenance import Provenance
from tempo.randomness import RNGLike, resolve, spawn

__all__ = ["Hawkes"]

type Floats = NDArray[np.float64]

METHODS = ("nuts", "laplace", "mle")


@dataclass(frozen=True)
class Hawkes:
    """Attacks that trigger attacks: a baseline rate, and an excitation that each attack adds and that fades.

    In bins (the default for dates), with ``e_t`` the observed days of bin ``t`` and lags in bins,

        Y_t | past ~ Poisson(m_t) or NegBin(m_t, variance m_t + dispersion m_t^2)
        m_t = e_t baseline + branching sum_k h_k Y_{t-k},   h_k = (1 - exp(-decay w)) exp(-decay w (k - 1)),

    with ``w`` the days in a bin; in continuous time (for timestamps) the intensity is
    ``baseline + branching sum_i decay exp(-decay (t - t_i))``. Baseline and decay are per day, whatever the bins. A bin
    that nobody watched enters the history as its conditional mean. Attacks before the first bin are not known, so the
    excitation starts at zero.

    Parameters
    ----------
    kernel : {"exponential"}
        How the excitation fades.
    baseline : {"constant"}
        How the rate of attacks that nothing triggered moves.
    observation : {"poisson", "negbin"}
        How counts scatter around their mean.
    time : {"auto", "daily", "continuous"}
        ``"auto"`` takes continuous time only where every incident has a time of day and no two coincide; the choice and
        its reason are on the fit.
    prior : HawkesPrior
        Proper and stated; used by "nuts" and "laplace".

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

    kernel: Literal["exponential"] = "exponential"
    baseline: Literal["constant"] = "constant"
    observation: Literal["poisson", "negbin"] = "poisson"
    time: Literal["auto", "daily", "continuous"] = "auto"
    prior: HawkesPrior = field(default_factory=HawkesPrior)

    def __post_init__(self) -> None:
        for name, value, known in (
            ("kernel", self.kernel, ("exponential",)),
            ("baseline", self.baseline, ("constant",)),
            ("observation", self.observation, ("poisson", "negbin")),
            ("time", self.time, ("auto", "daily", "continuous")),
        ):
            if value not in known:
                raise OptionError(f"{name} is {value!r}; expected one of {', '.join(known)}.")
        if not isinstance(self.prior, HawkesPrior):
            raise OptionError(
                f"prior is {self.prior!r}; expected tempo.models.hawkes_posterior.HawkesPrior(...)."
            )
        if self.time == "continuous" and self.observation == "negbin":
            raise OptionError(
                "a negative binomial describes counts in bins, and in continuous time there are none. Use "
                "time='daily', or observation='poisson'."
            )

    def fit(
        self,
        data: Incidents | pd.Series,
        *,
        method: Literal["nuts", "laplace", "mle"] = "nuts",
        rng: RNGLike = None,
        imputations: int = 20,
        draws: int = 1_000,
        progress: bool | None = None,
    ) -> HawkesFit:
        """Fit the model.

        Parameters
        ----------
        data : Incidents, Counts or Series
            What happened. Incidents are counted by day, or taken as timestamps (see ``time``).
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
        chosen, reason = self._choose_time(data)
        if chosen == "continuous":
            assert isinstance(data, Incidents)
            engines: list[Engine] = [TimestampEngine.of(data)]
            notes = [reason]
        else:
            series, notes = imputed_series(data, imputations, randomness.generator)
            engines = [BinnedEngine(counts, self.observation == "negbin") for counts in series]
            notes = [reason, *notes]
        notes += few_events_note(engines[0].counts, stacklevel=2)
        parts = fit_each(
            self, engines, method, draws, spawn(randomness.generator, len(engines)), progress
        )
        diagnostics = pooled_diagnostics(self, parts)
        notes += doubts(diagnostics, method, stacklevel=2)
        notes += remarks(engines[0].optimum) if method == "mle" else []
        fit = HawkesFit(
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
        self, parameters: Floats | list[float], *, n_bins: int, rng: RNGLike = None
    ) -> NDArray[np.int64]:
        """Simulate days from known parameters, with an empty past.

        Parameters
        ----------
        parameters : sequence of float
            Baseline per day, branching ratio, decay per day, and dispersion for negbin.
        n_bins : int
            Days to simulate.
        rng : int, Generator or None
            Source of randomness.

        Returns
        -------
        ndarray of int64, shape (n_bins,)
            Attacks on each day.
        """
        from tempo.models.hawkes_simulation import discrete_counts

        values = np.asarray(parameters, dtype=float)
        expected = 4 if self.observation == "negbin" else 3
        if values.shape != (expected,):
            raise OptionError(
                f"parameters are {values.tolist()}; expected {expected} numbers: baseline per day, branching ratio, "
                f"decay per day{', dispersion' if expected == 4 else ''}."
            )
        path: NDArray[np.int64] = discrete_counts(
            n_bins,
            1,
            values[0],
            values[1],
            values[2],
            0.0,
            resolve(rng).generator,
            dispersion=values[3] if expected == 4 else None,
        )[0]
        return path

    def prior_predictive(
        self, n_bins: int, draws: int = 1_000, rng: RNGLike = None
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

        Returns
        -------
        ndarray of int64, shape (draws, n_bins)
            Attacks on each day; a path that explodes stops at 100,000 a day.
        """
        from tempo.models.hawkes_simulation import discrete_counts

        generator = resolve(rng).generator
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

    def _choose_time(
        self, data: Incidents | pd.Series
    ) -> tuple[Literal["daily", "continuous"], str]:
        if not isinstance(data, Incidents):
            if self.time == "continuous":
                raise OptionError(
                    "time='continuous' needs the time of each incident, and counts have none. Pass Incidents, or use "
                    "time='daily'."
                )
            return "daily", "Time is in bins, because counts were given."
        if self.time == "daily":
            return "daily", "Time is in days, as asked."
        obstacle = TimestampEngine.obstacle(data)
        if self.time == "continuous":
            if obstacle:
                raise OptionError(
                    f"time='continuous' is not possible: {obstacle}. Use time='daily'."
                )
            return "continuous", "Time is continuous, as asked."
        if self.observation == "negbin":
            return "daily", "Time is in days, because a negative binomial describes counts in bins."
        if obstacle:
            return "daily", f"Time is in days, because {obstacle}."
        return (
            "continuous",
            "Time is continuous, because every incident has a time of day and no two coincide.",
        )
