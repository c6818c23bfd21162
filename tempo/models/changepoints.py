"""Changepoints: a rate that is constant between sudden changes, with an exact posterior.

Counts ``y_t`` in bins of exposure ``e_t`` are Poisson with mean ``e_t`` times the rate of the current regime. A new
regime begins with each bin with probability ``hazard``; its rate is drawn afresh from ``rate_prior``. All ``2^(n-1)``
placements of the changes are summed over, without sampling: Fearnhead (2006), *Exact and efficient Bayesian inference
for multiple changepoint problems*, Statistics and Computing 16; Adams & MacKay (2007), arXiv:0710.3742.

A changepoint is labelled by the first bin of the new regime that was observed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.counts import Counts
from tempo.data.incidents import Incidents
from tempo.errors import DataError, OptionError
from tempo.models.changepoint_covariates import (
    Design,
    Exposed,
    Fitted,
    Shifted,
    fit_covariates,
    formula_of,
)
from tempo.models.changepoint_events import fit_gaps, fit_severity
from tempo.models.changepoint_fit import ChangepointsFit
from tempo.models.changepoint_given import most_changes
from tempo.models.changepoint_grid import Bins, Grid
from tempo.models.changepoint_level_grid import level_grid
from tempo.models.changepoint_level_posterior import solve_levels
from tempo.models.changepoint_posterior import solve
from tempo.models.changepoint_priors import learned_grid, refined
from tempo.models.inputs import few_events_note, imputed_series
from tempo.randomness import RNGLike, resolve

__all__ = ["Changepoints"]

type Floats = NDArray[np.float64]

type Observation = Literal["poisson", "negbin", "zip", "bernoulli", "gaps", "severity"]

_OBSERVATIONS = ("poisson", "negbin", "zip", "bernoulli", "gaps", "severity")
_COARSE, _REACH = (
    200,
    1.0,
)  # levels that carry the estimate of covariates, and how far these may shift them


@dataclass(frozen=True)
class Changepoints:
    """A rate that is constant between sudden changes; ``fit`` gives the exact posterior of everything.

    Parameters
    ----------
    observation : {"poisson", "negbin", "zip", "bernoulli", "gaps", "severity"}
        ``"negbin"``: counts with variance ``m + dispersion m² / exposure``, the dispersion shared by all regimes and
        averaged over a grid as fine as the data can tell: with probability 1/2 there is none to speak of, so that it
        holds Poisson counts too; otherwise it is half-normal. ``"zip"``: zero-inflated Poisson; a share of all bins is
        idle, averaged over a grid from 0.02 to 0.98, and ``rate`` is the mean, idle bins included.
        ``"bernoulli"``: whether a bin has an event at all (attack days). ``"gaps"``:
        exponential waiting times between attacks, for ``Incidents``; a change may begin after each attack, and
        rates are per day. ``"severity"``: log deaths of deadly attacks, normal with a mean and a spread of each
        regime (Normal-Gamma prior), for ``Incidents`` or a Series with one toll for each attack.
    hazard : float, optional
        Probability that a new regime begins with any one bin. Left out, it is averaged over a grid: the expected
        number of changes in the series is exponential with mean 1, so that no change has prior probability 1/2, one
        change 1/4, two 1/8 and so on. Across a gap of ``g`` bins the odds of a change are ``g`` times as large.
    rate_prior : (shape, rate), optional
        Gamma prior of the rate of each regime, in events per bin (Beta prior of the probability for
        ``"bernoulli"``). Left out, it is averaged over a grid: shapes 1/2, 1, 2, 4, means 1/4 to 4 times the average
        of the series. A vague prior hides changes; ``fit.grid`` shows the weights, ``fit.sensitivity()`` what they do.
    n_changes : int, optional
        Condition on this number of changes, all placements alike. The hazard is then not used.
    min_length : int, default 1
        No regime is shorter than this many bins (for ``"gaps"`` and ``"severity"``: attacks), but for the first and the
        last, which the window may cut. The hazard counts from there on; with ``n_changes``, all placements that are
        left are alike.
    season : {"week", "year"}, optional
        Factors of the days of the week, or two waves over the year, estimated together with the changes. They
        multiply the mean of counts, the rate of gaps, the odds of attack days and the typical number of deaths.
    formula : str, optional
        Other covariates of the same kind, such as ``"years"`` (a trend) or ``"C(weekday) + rain"``: calendar columns
        (``weekday``, ``years``, ``sin1``, ``cos1``, ``sin2``, ``cos2``) and those passed to ``fit``. With
        either, the mean of a negbin regime has a Gamma prior.

    Examples
    --------
    >>> weeks = pd.date_range("2020-01-06", periods=60, freq="7D")
    >>> counts = pd.Series([1, 0, 2, 1, 0] * 6 + [5, 7, 4, 6, 8] * 6, index=weeks)
    >>> fit = Changepoints(hazard=1 / 50, rate_prior=(1, 1)).fit(counts)
    >>> fit.segments["start"].dt.strftime("%Y-%m-%d").tolist(), fit.segments["rate"].round(2).tolist()
    (['2020-01-06', '2020-08-03'], [0.81, 5.84])
    >>> round(fit.log_evidence, 2)
    -105.35
    """

    observation: Observation = "poisson"
    hazard: float | None = None
    rate_prior: tuple[float, float] | None = None
    n_changes: int | None = None
    min_length: int = 1
    season: Literal["week", "year"] | None = None
    formula: str | None = None

    def __post_init__(self) -> None:
        if self.observation not in _OBSERVATIONS:
            known = ", ".join(repr(name) for name in _OBSERVATIONS)
            raise OptionError(f"observation is {self.observation!r}; expected one of {known}.")
        if self.hazard is not None and not (
            isinstance(self.hazard, int | float | np.floating) and 0 < self.hazard < 1
        ):
            raise OptionError(
                f"hazard is {self.hazard!r}; expected a probability between 0 and 1 that a new regime begins with any "
                "one bin, such as 1/50, or None to learn it. For no change at all, pass n_changes=0."
            )
        if self.rate_prior is not None:
            prior = tuple(float(value) for value in self.rate_prior)
            if len(prior) != 2 or not all(math.isfinite(p) and p > 0 for p in prior):
                raise OptionError(
                    f"rate_prior is {self.rate_prior!r}; expected (shape, rate) of a Gamma distribution, both "
                    "positive, in events per bin: its mean is shape / rate."
                )
            object.__setattr__(self, "rate_prior", prior)
        if self.n_changes is not None and (
            isinstance(self.n_changes, bool)
            or not isinstance(self.n_changes, int | np.integer)
            or self.n_changes < 0
        ):
            raise OptionError(
                f"n_changes is {self.n_changes!r}; expected a whole number from 0 up, or None to average over it."
            )
        if isinstance(self.min_length, bool) or not (
            isinstance(self.min_length, int | np.integer) and self.min_length >= 1
        ):
            raise OptionError(
                f"min_length is {self.min_length!r}; expected a whole number of bins from 1 up."
            )
        if self.season not in {None, "week", "year"}:
            raise OptionError(f"season is {self.season!r}; expected 'week', 'year' or None.")
        if self.n_changes is not None and self.hazard is not None:
            raise OptionError(
                "hazard and n_changes are both given; a number of changes leaves nothing for the hazard to decide. "
                "Pass one of them."
            )

    def fit(
        self,
        data: Incidents | pd.Series,
        *,
        method: Literal["exact"] = "exact",
        rng: RNGLike = None,
        imputations: int = 20,
        covariates: pd.DataFrame | None = None,
    ) -> ChangepointsFit:
        """Compute the posterior.

        Parameters
        ----------
        data : Incidents, Counts or Series
            What happened. Incidents are counted by day (not for ``"gaps"`` and ``"severity"``). Bins that were not
            observed (missing, exposure 0) contribute nothing and stay missing.
        method : {"exact"}
            There is only one.
        rng : int, Generator or None
            Draws dates that are known only to an interval; nothing else in a fit is random.
        imputations : int, default 20
            How many series to average over where dates are uncertain.
        covariates : DataFrame, optional
            What ``formula`` names: one row for each bin (for ``"gaps"`` and ``"severity"``: day), indexed by its start.

        Returns
        -------
        ChangepointsFit
            Evidence, number and dates of changes, rates, draws, forecasts. For ``"gaps"`` and ``"severity"`` an
            :class:`~tempo.models.changepoint_events.EventChangepointsFit`, which is read the same way.

        Raises
        ------
        DataError
            If no bin was observed.
        OptionError
            If ``n_changes`` is larger than the series allows.

        Warns
        -----
        FewEventsWarning
            With fewer than 25 events.
        """
        if method != "exact":
            raise OptionError(f"method is {method!r}; changepoints have an exact answer: 'exact'.")
        if self.observation == "gaps":
            return fit_gaps(self, data, covariates)
        if self.observation == "severity":
            return fit_severity(self, data, covariates)
        randomness = resolve(rng)
        series, notes = imputed_series(data, imputations, randomness.generator)
        bins = [self._bins(counts) for counts in series]
        if self.observation == "bernoulli" and any((c > 1).any() for c in series):
            notes = [
                *notes,
                "Bins with more than one event are counted as one: attack days, not attacks.",
            ]
        notes = [*notes, *few_events_note(series[0], stacklevel=2)]
        grid = learned_grid(self, bins[0], by_levels=self._by_levels)
        effects = None
        if self._terms:
            starts, seen = series[0].bin_starts, np.zeros(len(series[0]), dtype=bool)
            seen[bins[0].position] = True
            design, matrix = Design.of(self._terms, starts, seen, covariates)
            found, grid = self._covariates(bins[0], grid, design, matrix)
            effects, notes = found.effects, [*notes, *found.notes]
            bins = [self._carrier(b, grid, matrix).bins(effects.mode) for b in bins]
        else:
            grid = refined(grid, bins[0])
        parts = tuple(solve_levels(b, grid) if self._by_levels else solve(b, grid) for b in bins)
        random = len(series) > 1
        return ChangepointsFit(
            model=self,
            parts=parts,
            base=series[0],
            seed=randomness.record if random else "",
            notes=tuple(notes),
            effects=effects,
        )

    def _carrier(self, bins: Bins, grid: Grid, matrix: Floats) -> Exposed:
        if not self._by_levels:
            return Exposed(bins, matrix[bins.position])
        reach = Bins.of(bins.counts, bins.exposure, np.full(len(bins), _REACH))
        return Shifted(bins, matrix[bins.position], level_grid(reach, grid, _COARSE))

    def _covariates(
        self, bins: Bins, grid: Grid, design: Design, matrix: Floats
    ) -> tuple[Fitted, Grid]:
        carrier = self._carrier(bins, grid, matrix)
        found = fit_covariates(carrier, grid, design, matrix)
        closer = refined(grid, carrier.bins(found.effects.mode))
        if closer is not grid:  # dispersion and covariates explain the same scatter
            found = fit_covariates(carrier, closer, design, matrix, found.effects.mode)
        return found, closer

    @property
    def _by_levels(self) -> bool:
        """Whether segments have no closed form, so that their levels are put on a grid."""
        curved = self.observation in {"negbin", "bernoulli"} and self._terms is not None
        return self.observation == "zip" or curved

    @property
    def _terms(self) -> str | None:
        return formula_of(self.season, self.formula)

    def _bins(self, counts: Counts) -> Bins:
        values = counts.to_numpy(dtype=float)
        exposure = np.where(np.isnan(values), 0.0, counts.exposure.to_numpy(dtype=float))
        if not (exposure > 0).any():
            raise DataError(
                f"none of the {len(counts)} bins was observed (exposure 0 throughout). Choose a window that "
                "was watched."
            )
        if self.observation == "bernoulli":
            partial = (exposure > 0) & (exposure < 1)
            if partial.any():
                first = counts.index[partial][0]
                raise DataError(
                    f"{int(partial.sum())} bins were observed only in part (first: {first:%Y-%m-%d}), so that a bin "
                    "without an event says little. Use shorter bins, or observation='poisson'."
                )
            values = np.minimum(values, 1.0)
        bins = Bins.of(np.nan_to_num(values), exposure)
        self.check_room(bins, "observed bins")
        return bins

    def check_room(self, bins: Bins, unit: str) -> None:
        """Refuse a number of changes for which there is no room.

        Parameters
        ----------
        bins : Bins
            What was observed.
        unit : str
            What to call the bins in the message: "days", "attacks".
        """
        room = most_changes(bins, self.min_length)
        if self.n_changes is not None and self.n_changes > room:
            apart = f", {self.min_length} apart," if self.min_length > 1 else ""
            raise OptionError(
                f"n_changes is {self.n_changes}, but {len(bins)} {unit}{apart} have room for {room} at most."
            )
