"""Hawkes by kind: which kinds of attacks trigger which. The specification and its ``fit``."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from tempo.data.incidents import Incidents
from tempo.errors import ConvergenceWarning, OptionError, StationarityWarning
from tempo.models.hawkes_kinds_data import kind_series
from tempo.models.hawkes_kinds_fit import HawkesKindsFit
from tempo.models.hawkes_kinds_fitting import (
    fit_series,
    pooled,
    remarks,
)
from tempo.models.hawkes_kinds_kernels import n_parameters
from tempo.models.hawkes_kinds_posterior import KindsPrior
from tempo.models.hawkes_kinds_recursions import EACH_PAIR, EACH_SOURCE, SHARED
from tempo.models.hawkes_kinds_simulation import kind_paths
from tempo.models.inputs import few_events_note
from tempo.models.provenance import Provenance
from tempo.randomness import RNGLike, resolve, spawn

__all__ = ["HawkesKinds"]

METHODS = ("nuts", "laplace", "mle")
MODES = {"shared": SHARED, "own": EACH_SOURCE, "pair": EACH_PAIR}


@dataclass(frozen=True)
class HawkesKinds:
    """Which kinds of attacks trigger which: a Hawkes model of several kinds, with a branching matrix.

    In bins, with ``e_t`` the observed days of bin ``t`` and lags in bins, counts of kind ``i`` have the mean

        m_{i,t} = e_t baseline_i + sum_j A_ij sum_k h_k Y_{j,t-k},   h_k = (1 - exp(-decay w)) exp(-decay w (k - 1)),

    with ``w`` the days in a bin. ``A_ij`` is the number of attacks of kind ``i`` (row) that one attack of kind ``j``
    (column) triggers directly. Its spectral radius plays the part of the branching ratio: below one, attacks die out.
    Attacks before the first bin are not known, so the excitation starts at zero; a bin that nobody watched enters the
    history as its conditional mean. Attacks of one bin do not trigger each other.

    Parameters
    ----------
    decay : {"shared", "own", "pair"}
        Whether the excitation fades alike for all, at a rate of its own for each kind that triggers, or for each pair.
        The last asks much of the data: with K kinds it has K x K decays.
    observation : {"poisson", "negbin"}
        How counts scatter around their mean; a negative binomial has a dispersion for each kind.
    prior : KindsPrior
        Proper, and sceptical of one kind triggering another; used by "nuts" and "laplace".

    Notes
    -----
    Hawkes (1971), J. R. Stat. Soc. B 33; Kirchner (2016), Stochastic Processes and their Applications 126. Kinds that
    share a season or an offensive look as if they triggered each other: the matrix describes what follows what, and
    names no cause.

    Examples
    --------
    >>> import tempo
    >>> attacks = tempo.load_dataset("iraq-coalition")
    >>> fit = tempo.HawkesKinds().fit(
    ...     attacks, method="laplace", kinds=["rocket", "IED"], imputations=2, rng=7
    ... )
    >>> fit.branching_matrix.round(1).loc["rocket", "rocket"].item()
    0.6
    >>> fit.triggers()["triggers"].to_dict()[("rocket", "IED")]
    'the data cannot tell'
    """

    decay: Literal["shared", "own", "pair"] = "shared"
    observation: Literal["poisson", "negbin"] = "poisson"
    prior: KindsPrior = field(default_factory=KindsPrior)

    def __post_init__(self) -> None:
        for name, value, known in (
            ("decay", self.decay, tuple(MODES)),
            ("observation", self.observation, ("poisson", "negbin")),
        ):
            if value not in known:
                raise OptionError(f"{name} is {value!r}; expected one of {', '.join(known)}.")
        if not isinstance(self.prior, KindsPrior):
            raise OptionError(
                f"prior is {self.prior!r}; expected tempo.models.hawkes_kinds_posterior.KindsPrior(...)."
            )

    def fit(
        self,
        data: Incidents | pd.DataFrame | Mapping[str, pd.Series],
        *,
        method: Literal["nuts", "laplace", "mle"] = "nuts",
        rng: RNGLike = None,
        kinds: Sequence[str] | None = None,
        imputations: int = 20,
        draws: int = 1_000,
        progress: bool | None = None,
    ) -> HawkesKindsFit:
        """Fit the model.

        Parameters
        ----------
        data : Incidents, DataFrame, or mapping of str to Counts or Series
            Incidents are counted by day and kind. A DataFrame has one column of counts for each kind, on a regular
            index of dates; a mapping may hold ``Counts`` with exposures.
        method : {"nuts", "laplace", "mle"}
            Sampling; Laplace approximation with Pareto-smoothed importance resampling, which falls back to sampling
            when its k-hat passes 0.7 (and always with more than 60 parameters: eight kinds and more); or maximum
            likelihood.
        rng : int, Generator or None
            Reproduces the fit.
        kinds : sequence of str, optional
            Which kinds, and in what order; all of them when left out.
        imputations : int, default 20
            Where dates are known only to an interval: how many series with drawn dates to average over.
        draws : int, default 1000
            Posterior draws in each of four chains.
        progress : bool, optional
            Progress bar of the sampler; left out, only in interactive use.

        Returns
        -------
        HawkesKindsFit
            Frozen. It carries ``branching_matrix``, ``triggers()``, ``spectral_radius()``, ``simulate()`` and the rest.

        Warns
        -----
        FewEventsWarning
            Fewer than 25 events in all.
        ConvergenceWarning
            The optimiser, sampler or approximation missed its own standard.
        StationarityWarning
            The spectral radius is one or more.
        """
        if method not in METHODS:
            raise OptionError(f"method is {method!r}; expected one of {', '.join(METHODS)}.")
        if draws < 50:
            raise OptionError(f"draws is {draws}; expected at least 50 for each of four chains.")
        randomness = resolve(rng)
        series, notes = kind_series(data, kinds, imputations, randomness.generator)
        notes += few_events_note(series[0].total, stacklevel=2)
        mode, negbin = MODES[self.decay], self.observation == "negbin"
        arrays = [each.arrays(mode, negbin=negbin) for each in series]
        prior = self.prior.array(len(series[0].kinds))
        parts = fit_series(
            arrays, prior, method, draws, spawn(randomness.generator, len(arrays)), progress
        )
        diagnostics = pooled(parts)
        for text in diagnostics.doubts(method):
            warnings.warn(ConvergenceWarning(text), stacklevel=2)
            notes.append(text[0].upper() + text[1:])
        notes += remarks(series[0], parts[0].optimum)
        provenance = Provenance.of(
            series[0].total,
            model=self,
            method=diagnostics.method,
            seed=randomness.record,
            notes=notes,
        )
        provenance = dataclasses.replace(provenance, fingerprint=series[0].fingerprint)
        fit = HawkesKindsFit(
            model=self,
            counts=series[0].total,
            series=tuple(series),
            provenance=provenance,
            method=diagnostics.method,
            arrays=tuple(arrays),
            optima=tuple(part.optimum for part in parts),
            chains=np.concatenate([part.chains for part in parts], axis=1),
            origin=np.repeat(np.arange(len(parts)), [part.chains.shape[1] for part in parts]),
            diagnostics=diagnostics,
            sample_stats=_joined([part.stats for part in parts]),
        )
        radius = fit.spectral_radius()
        if radius["estimate"] >= 1:
            text = (
                f"the spectral radius of the branching matrix is {radius['estimate']:.2f}: taken at its word, attacks "
                "multiply without end. A baseline that moves is the usual reason; compare with Changepoints, and do "
                "not forecast far."
            )
            warnings.warn(StationarityWarning(text), stacklevel=2)
            fit = fit.with_note(text[0].upper() + text[1:])
        return fit

    def simulate(
        self,
        baseline: ArrayLike,
        branching: ArrayLike,
        decay: ArrayLike,
        *,
        n_bins: int,
        dispersion: ArrayLike | None = None,
        rng: RNGLike = None,
    ) -> NDArray[np.int64]:
        """Simulate days from known parameters, with an empty past.

        Parameters
        ----------
        baseline : array-like, shape (K,)
            Attacks per day of each kind that nothing triggered.
        branching : array-like, shape (K, K)
            Row: the kind that is triggered; column: the kind that triggers.
        decay : array-like
            Per day: one number, or (K,) for ``decay="own"``, or (K, K) for ``decay="pair"``.
        n_bins : int
            Days to simulate.
        dispersion : array-like, shape (K,), optional
            For the negative binomial.
        rng : int, Generator or None
            Source of randomness.

        Returns
        -------
        ndarray of int64, shape (n_bins, K)
            Attacks of each kind on each day.

        Raises
        ------
        OptionError
            If shapes do not fit together, or a parameter is negative.
        """
        mu = np.atleast_1d(np.asarray(baseline, dtype=float))
        k = len(mu)
        matrix = np.asarray(branching, dtype=float)
        memory = np.asarray(decay, dtype=float)
        shapes = {"shared": (), "own": (k,), "pair": (k, k)}
        wanted = shapes[self.decay]
        negbin = self.observation == "negbin"
        if mu.ndim != 1 or matrix.shape != (k, k) or memory.shape != wanted:
            raise OptionError(
                f"baseline, branching and decay have shapes {mu.shape}, {matrix.shape} and {memory.shape}; with {k} "
                f"kinds and decay={self.decay!r} they must be ({k},), ({k}, {k}) and {wanted}."
            )
        if negbin != (dispersion is not None):
            raise OptionError(
                f"observation is {self.observation!r} and dispersion {dispersion!r}; a dispersion for each kind goes "
                "with observation='negbin', and only with it."
            )
        parts = [mu, matrix.ravel(), memory.ravel()]
        if dispersion is not None:
            parts.append(np.broadcast_to(np.asarray(dispersion, dtype=float), (k,)))
        parameters = np.concatenate(parts)
        if not (np.isfinite(parameters).all() and (parameters >= 0).all()):
            raise OptionError("parameters must be finite and not negative; one of them is not.")
        assert len(parameters) == n_parameters(k, MODES[self.decay], negbin=negbin)
        rows = k if self.decay == "pair" else 1
        path: NDArray[np.int64] = kind_paths(
            parameters[None],
            np.zeros((1, rows, k)),
            MODES[self.decay],
            1.0,
            n_bins,
            resolve(rng).generator,
            negbin=negbin,
            cap=1e6,
        )[0]
        return path


def _joined(stats: Sequence[dict[str, NDArray[np.float64]]]) -> dict[str, NDArray[np.float64]]:
    names = set.intersection(*(set(each) for each in stats))
    return {name: np.concatenate([each[name] for each in stats], axis=1) for name in sorted(names)}
