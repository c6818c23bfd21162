"""The engine of ``Hawkes`` for everything beyond an exponential kernel on a constant baseline."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.counts import Counts
from tempo.errors import OptionError
from tempo.models import hawkes_general as general
from tempo.models import hurdle
from tempo.models import observation as obs
from tempo.models.checks import count_checks
from tempo.models.hawkes_general_paths import general_paths, known_ahead
from tempo.models.hawkes_kernels_random import seeds
from tempo.models.hawkes_layout import Layout, pack
from tempo.models.hawkes_peaks import (
    GeneralOptimum,
    maximum_likelihood,
    posterior_peaks,
    profile_interval,
)
from tempo.models.hawkes_posterior import HawkesPrior
from tempo.models.hawkes_terms import BaselineTerms
from tempo.models.laplace import Resampled, importance_resample

if TYPE_CHECKING:
    from tempo.models.nuts import Sampled

__all__ = ["Future", "GeneralEngine", "Realisation", "sample_prior"]

type Floats = NDArray[np.float64]

OVERSAMPLED = 2


@dataclass(frozen=True, eq=False)
class Realisation:
    """One series, with what is known beside it. Arrays begin with the history, then come the bins of ``counts``.

    Attributes
    ----------
    counts : Counts
        The bins that are scored.
    history : ndarray, shape (h,)
        Attacks in the bins before.
    inputs : ndarray, shape (inputs, h + n)
        Events of other processes.
    mark_bins : ndarray of int, shape (attacks,)
        Bin of each attack whose mark is known.
    mark_values : ndarray, shape (attacks,)
        ``log(1 + mark)`` of those.
    columns : ndarray, shape (n, q)
        Standardised columns of the baseline.
    """

    counts: Counts
    history: Floats
    inputs: Floats
    mark_bins: NDArray[np.int64]
    mark_values: Floats
    columns: Floats

    @cached_property
    def values(self) -> Floats:
        """Attacks of all bins, NaN where nobody watched."""
        y = self.counts.to_numpy(dtype=float).copy()
        y[~(self.counts.exposure.to_numpy(dtype=float) > 0)] = np.nan
        return np.concatenate([self.history, y])

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, eq=False)
class Future:
    """What a forecast is told about the days to come.

    Attributes
    ----------
    covariates : DataFrame or None
        Indexed by date.
    inputs : mapping of str to Series
        Events of other processes; those left out have none.
    """

    covariates: pd.DataFrame | None = None
    inputs: Mapping[str, pd.Series] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class GeneralEngine:
    """A general Hawkes model of one series, or of several with shared parameters.

    Attributes
    ----------
    realisations : tuple of Realisation
        The data.
    layout : Layout
        What the parameters mean.
    terms : BaselineTerms
        How to make the columns of the baseline.
    prior : HawkesPrior
        The prior.
    shown : int
        Which realisation tables and forecasts speak of.
    future : Future, optional
        What a forecast may know.
    """

    realisations: tuple[Realisation, ...]
    layout: Layout
    terms: BaselineTerms
    prior: HawkesPrior
    shown: int = 0
    future: Future | None = None

    @property
    def counts(self) -> Counts:
        """Counts of the realisation that is shown."""
        return self.realisations[self.shown].counts

    @cached_property
    def block(self) -> Floats:
        """All data and the prior, as the compiled code wants them."""
        lengths = [len(part) for part in self.realisations]
        ends = np.cumsum(lengths)
        values = np.concatenate([part.values for part in self.realisations])
        days, role = zip(*(_roles(part) for part in self.realisations), strict=True)
        design = np.concatenate(
            [
                np.concatenate([np.zeros((len(p.history), p.columns.shape[1])), p.columns])
                for p in self.realisations
            ]
        )
        inputs = np.concatenate([part.inputs for part in self.realisations], axis=1)
        begins = ends - lengths
        bins = [p.mark_bins + b for p, b in zip(self.realisations, begins, strict=True)]
        return self._pack(
            design,
            inputs,
            values,
            np.concatenate(days),
            np.concatenate(role),
            np.repeat(ends, lengths).astype(float),
            np.concatenate(bins),
            self._codes,
        )

    def _pack(
        self,
        design: Floats,
        inputs: Floats,
        values: Floats,
        days: Floats,
        role: Floats,
        stop: Floats,
        bins: NDArray[np.int64],
        codes: NDArray[np.int64],
    ) -> Floats:
        y = np.nan_to_num(values)
        unmarked = y.copy()
        if self.layout.marked:
            unmarked -= np.bincount(bins, minlength=len(y))
        distinct = self._mark_table
        marks = (
            bins.astype(float),
            codes.astype(float),
            distinct,
            np.bincount(self._codes, minlength=len(distinct)).astype(float),
        )
        empty = np.empty(0)
        return pack(
            self.layout,
            design,
            np.concatenate([unmarked[None], inputs]),
            y,
            days,
            role,
            stop,
            marks if self.layout.marked else (empty, empty, empty, empty),
            self.layout.prior(self.prior),
        )

    @cached_property
    def _mark_table(self) -> Floats:
        return np.unique(np.concatenate([part.mark_values for part in self.realisations]))

    @cached_property
    def _codes(self) -> NDArray[np.int64]:
        values = np.concatenate([part.mark_values for part in self.realisations])
        return np.asarray(np.searchsorted(self._mark_table, values), dtype=np.int64)

    @cached_property
    def rate_per_day(self) -> float:
        """Attacks per observed day, above zero."""
        events = sum(part.counts.events for part in self.realisations)
        days = sum(
            float((p.counts.exposure.to_numpy(dtype=float) * p.counts.bin_days).sum())
            for p in self.realisations
        )
        return (events + 0.1) / (days + 0.1)

    # -- inference -----------------------------------------------------------------------------------------------

    @cached_property
    def optimum(self) -> GeneralOptimum:
        """Maximum of the likelihood."""
        return maximum_likelihood(self.block, self.layout, self.rate_per_day)

    def branching_interval(self, prob: float) -> tuple[float, float]:
        """Profile-likelihood interval of the branching ratio."""
        return profile_interval(self.block, self.layout, self.optimum, prob)

    def laplace(self, prior: HawkesPrior, draws: int, rng: np.random.Generator) -> Resampled:
        """Posterior of the unbounded parameters by importance resampling."""
        kinds, means, sds = self.layout.prior(prior)

        def prior_sample(n: int, generator: np.random.Generator) -> Floats:
            return sample_prior(self.layout, prior, n, generator)

        def log_prior(theta: Floats) -> Floats:
            half = kinds == 1.0
            z = np.where(half, np.exp(np.minimum(theta, 300.0)) / sds, (theta - means) / sds)
            each = -0.5 * z**2 - np.log(sds) - 0.5 * math.log(2 * math.pi)
            return np.asarray((each + np.where(half, theta + math.log(2.0), 0.0)).sum(axis=1))

        return importance_resample(
            lambda theta: np.asarray(general.densities(self.block, 1, theta)),
            posterior_peaks(self.block, self.layout, self.rate_per_day),
            prior_sample,
            log_prior,
            draws,
            rng,
        )

    def nuts(
        self,
        prior: HawkesPrior,  # noqa: ARG002 - the block holds it
        draws: int,
        rng: np.random.Generator,
        progress: bool | None,
    ) -> Sampled:
        """Posterior of the unbounded parameters by sampling."""
        from tempo.models.hawkes_nuts import sample_block

        peaks = posterior_peaks(self.block, self.layout, self.rate_per_day)
        # Where branching may be near one the baseline vanishes, and its coefficients roam: the sampler moves slowly
        # there, so that it draws more than is kept.
        return sample_block(
            self.block, *peaks[0][:2], draws=OVERSAMPLED * draws, rng=rng, progress=progress
        )

    def total_log_likelihood(self, theta: Floats) -> Floats:
        """Log-likelihood at each row, shape (draws,)."""
        return np.asarray(general.densities(self.block, 0, np.ascontiguousarray(theta)))

    # -- reading -------------------------------------------------------------------------------------------------

    def _shown_bins(self) -> slice:
        before = sum(len(part) for part in self.realisations[: self.shown])
        part = self.realisations[self.shown]
        return slice(before + len(part.history), before + len(part))

    def parts_of_mean(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Give intensity of the shown bins by source: baseline, earlier attacks, inputs; each (draws, n)."""
        where = self._shown_bins()
        base, triggered, forced = general.expectations(self.block, np.ascontiguousarray(theta))
        return base[:, where], triggered[:, where], forced[:, where]

    def means(self, theta: Floats) -> tuple[Floats, Floats]:
        """Give expected attacks of whole bins given those before: background (inputs included) and triggered."""
        base, triggered, forced = self.parts_of_mean(theta)
        part = self.realisations[self.shown]
        share = np.where(np.isnan(part.values[len(part.history) :]), 1.0, part.counts.exposure)
        whole = base / share + forced
        if self.layout.code >= 2:
            typical, dispersion, _ = (v[:, None] for v in self.layout.sizes_at(theta))
            total = whole + triggered
            expected, _ = hurdle.moments(total, typical, dispersion)
            kept = expected / np.where(total > 0, total, 1.0)
            return whole * kept, triggered * kept
        return whole, triggered

    def log_likelihood(self, theta: Floats) -> Floats:
        """Log-likelihood of each observed bin of all realisations given those before, shape (draws, n observed)."""
        theta = np.ascontiguousarray(theta)
        mean = sum(general.expectations(self.block, theta))
        role = np.concatenate([_roles(part)[1] for part in self.realisations])
        values = np.concatenate([part.values for part in self.realisations])
        seen = role == general.SCORED
        return self._log_pmf(values[seen], np.asarray(mean)[:, seen], theta)

    def _log_pmf(self, counts: Floats, mean: Floats, theta: Floats) -> Floats:
        typical, dispersion, _ = (v[:, None] for v in self.layout.sizes_at(theta))
        if self.layout.code >= 2:
            return hurdle.log_pmf(counts, mean, typical, dispersion)
        return obs.log_pmf(counts, mean, dispersion)

    def check(self, theta: Floats, rng: np.random.Generator) -> pd.DataFrame:
        """Check table for residuals and dispersion of the shown bins, averaged over draws."""
        part = self.realisations[self.shown]
        values = part.values[len(part.history) :]
        mean = np.asarray(sum(self.parts_of_mean(theta)))
        y = np.nan_to_num(values)
        typical, dispersion, _ = (v[:, None] for v in self.layout.sizes_at(theta))
        if self.layout.code >= 2:
            below = hurdle.cdf(y - 1, mean, typical, dispersion)
            at = hurdle.cdf(y, mean, typical, dispersion)
            expected, variance = hurdle.moments(mean, typical, dispersion)
        else:
            below, at = obs.cdf(y - 1, mean, dispersion), obs.cdf(y, mean, dispersion)
            expected, variance = mean, obs.variance(mean, dispersion)
        return count_checks(
            values,
            np.where(np.isnan(values), 0.0, 1.0),
            below.mean(axis=0),
            at.mean(axis=0),
            expected.mean(axis=0),
            variance.mean(axis=0),
            rng,
        )

    # -- forward -------------------------------------------------------------------------------------------------

    def simulate(
        self, theta: Floats, n_bins: int, rng: np.random.Generator, cap: float
    ) -> NDArray[np.int64]:
        """Simulate the bins after the last one, one path for each row."""
        theta = np.ascontiguousarray(theta)
        layout = self.layout
        known = known_ahead(self.block_ahead(theta, n_bins), theta, n_bins)
        typical, dispersion, size = layout.sizes_at(theta)
        weights = self._mark_weights(theta)
        out = np.empty((len(theta), n_bins), dtype=np.int64)
        general_paths(
            known,
            layout.kernel(theta, n_bins),
            np.exp(theta[:, layout.at_branching]),
            layout.code,
            typical,
            dispersion,
            size,
            self._codes if layout.marked else np.empty(0, dtype=np.int64),
            weights,
            seeds(rng, len(theta)),
            cap,
            out,
        )
        return out

    def _mark_weights(self, theta: Floats) -> Floats:
        """Give the weight of each distinct mark, shape (draws, marks); one where there are none."""
        if not self.layout.marked:
            return np.ones((len(theta), 1))
        numbers = np.bincount(self._codes, minlength=len(self._mark_table))
        powers = np.exp(theta[:, self.layout.at_mark, None] * self._mark_table)
        return np.asarray(powers / (powers @ numbers / numbers.sum())[:, None])

    def exciting(self, theta: Floats) -> Floats:
        """Give what excites: attacks of each bin, history first, weighted by marks; (draws, h + n).

        A bin that nobody watched has its conditional mean.
        """
        part = self.realisations[self.shown]
        out = np.tile(np.nan_to_num(part.values), (len(theta), 1))
        unseen = np.flatnonzero(np.isnan(part.values))
        if len(unseen):
            mean = np.asarray(sum(self.parts_of_mean(theta)))
            out[:, unseen] = mean[:, unseen - len(part.history)]
        if self.layout.marked:
            begin = sum(len(p.mark_bins) for p in self.realisations[: self.shown])
            codes = self._codes[begin : begin + len(part.mark_bins)]
            weights = self._mark_weights(theta)
            for place, code in zip(part.mark_bins, codes, strict=True):
                out[:, place] += weights[:, code] - 1.0
        return out

    def block_ahead(self, theta: Floats, n_bins: int) -> Floats:
        """Pack what of the past still matters, and the bins to come with nothing known to happen in them."""
        part, layout = self.realisations[self.shown], self.layout
        index = pd.date_range(part.counts.end, periods=n_bins, freq=part.counts.freq)
        future = self.future
        columns = self.terms.columns_at(index, future.covariates if future else None)
        inputs = self._inputs_ahead(index)
        days, role = _roles(part)
        kept = len(part)
        if not (role == general.FILLED).any():
            kept = min(kept, self._memory(theta))
        first = len(part) - kept
        q = columns.shape[1]
        past = np.concatenate([np.zeros((len(part.history), q)), part.columns])[first:]
        here = part.mark_bins >= first
        begin = sum(len(p.mark_bins) for p in self.realisations[: self.shown])
        codes = self._codes[begin : begin + len(part.mark_bins)]
        total = kept + n_bins
        role[role == general.SCORED] = general.KNOWN
        return self._pack(
            np.concatenate([past, columns]),
            np.concatenate([part.inputs[:, first:], inputs], axis=1),
            np.concatenate([part.values[first:], np.zeros(n_bins)]),
            np.concatenate([days[first:], np.full(n_bins, layout.width)]),
            np.concatenate([role[first:], np.zeros(n_bins)]),
            np.full(total, float(total)),
            part.mark_bins[here] - first,
            codes[here],
        )

    def _memory(self, theta: Floats) -> int:
        """Bins after which the past is forgotten, in every draw."""
        layout = self.layout
        if layout.kind > 1:
            return layout.lags + layout.delay
        names = [i for i, name in enumerate(layout.names) if name.startswith("decay")]
        slowest = float(layout.natural(theta)[:, names].min())
        return layout.delay + math.ceil(min(45.0 / (slowest * layout.width), 1e9))

    def _inputs_ahead(self, index: pd.DatetimeIndex) -> Floats:
        names = self.layout.inputs
        if names and self.future is None:
            raise OptionError(
                f"the model is excited by {', '.join(names)}, which it does not forecast. Say what will happen with "
                "fit.with_future(inputs={name: Series}); inputs left out have no further events, so that "
                "fit.with_future() means none at all."
            )
        rows = [np.zeros(len(index)) for _ in names]
        for i, name in enumerate(names):
            given = self.future.inputs.get(name) if self.future else None
            if given is not None:
                rows[i] = given.reindex(index).fillna(0.0).to_numpy(dtype=float)
        return np.array(rows).reshape(len(names), len(index))

    def with_future(self, future: Future) -> GeneralEngine:
        """Give the same engine, which knows about the days to come."""
        return dataclasses.replace(self, future=future)


def sample_prior(
    layout: Layout, prior: HawkesPrior, draws: int, rng: np.random.Generator
) -> Floats:
    """Draw unbounded parameters from the prior.

    Parameters
    ----------
    layout : Layout
        What the parameters mean.
    prior : HawkesPrior
        Hyperparameters.
    draws : int
        How many.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (draws, size)
        Unbounded.
    """
    kinds, means, sds = layout.prior(prior)
    z = rng.standard_normal((draws, layout.size))
    with np.errstate(divide="ignore"):
        half = np.log(sds * np.abs(z))
    return np.asarray(np.where(kinds == 1.0, half, means + sds * z))


def _roles(part: Realisation) -> tuple[Floats, Floats]:
    """Days in which the baseline works, and the role of each bin."""
    bin_days = np.asarray(part.counts.bin_days, dtype=float)
    exposure = part.counts.exposure.to_numpy(dtype=float)
    missing = np.isnan(part.values[len(part.history) :])
    before = np.zeros(len(part.history))
    days = np.concatenate([before, np.where(missing, bin_days, bin_days * exposure)])
    role = np.where(missing, general.FILLED, general.SCORED)
    return days, np.concatenate([before + general.KNOWN, role])
