"""A changepoint fit: what the exact posterior says, as tables that carry dates."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp

from tempo.data.counts import Counts, as_counts
from tempo.data.rounding import counted, interval, number, percent, plural
from tempo.errors import DataError, OptionError
from tempo.models.changepoint_covariates import Covariates
from tempo.models.changepoint_draws import Partitions, most_probable
from tempo.models.changepoint_forecast import one_step, simulate, waiting
from tempo.models.changepoint_grid import Bins, Grid
from tempo.models.changepoint_level_posterior import LevelPosterior
from tempo.models.changepoint_posterior import Posterior
from tempo.models.changepoint_predictive import BERNOULLI
from tempo.models.changepoint_tables import (
    grid_table,
    posterior_tree,
    rate_limits,
    sampled,
    segment_table,
    sensitivity,
)
from tempo.models.changepoint_words import told
from tempo.models.checks import count_checks
from tempo.models.intervals import require_prob
from tempo.models.provenance import Provenance
from tempo.randomness import RNGLike, resolve

if TYPE_CHECKING:
    import xarray as xr

    from tempo.models.changepoints import Changepoints

__all__ = ["ChangepointsFit"]

type Floats = NDArray[np.float64]

_PROB = 0.9
_CHECKED = 5  # imputed series are checked
_DRAWS = 4_000  # joint draws behind intervals of rates


@dataclass(frozen=True, eq=False, repr=False)
class ChangepointsFit:
    """The exact posterior of a rate with changepoints.

    Nothing is sampled except where it says so: evidence, number of changes, their dates with intervals, and mean
    rates are exact. Limits of rates are quantiles of 4,000 exact joint draws, always the same ones.

    Attributes
    ----------
    model : Changepoints
        The specification.
    parts : tuple of Posterior
        One posterior, or one for each imputed series; their mixture is reported.
    base : Counts
        What was fitted first (the first series where dates were imputed).
    seed : str
        What to pass as ``rng`` to get the same fit; empty where nothing was random.
    notes : tuple of str
        Choices and doubts, as sentences.
    added : tuple of Counts or int
        Bins that came by ``update``.
    effects : Covariates or None
        Estimated effects of season and formula; rates are then those of a bin whose covariates are average.
    """

    model: Changepoints
    parts: tuple[Posterior, ...] = field(repr=False)
    base: Counts = field(repr=False)
    seed: str = ""
    notes: tuple[str, ...] = ()
    added: tuple[Counts | int, ...] = field(default=(), repr=False)

    name: str = "Changepoints"
    effects: Covariates | None = field(default=None, repr=False)

    # ------------------------------------------------------------------ what was fitted

    @cached_property
    def counts(self) -> Counts:
        """What was fitted, with the bins that came by ``update``."""
        if not self.added:
            return self.base
        step = pd.tseries.frequencies.to_offset(self.base.freq)
        values: list[float] = [float(v) for v in self.base.to_numpy(dtype=float)]
        exposure: list[float] = [float(v) for v in self.base.exposure]
        for more in self.added:
            if isinstance(more, Counts):
                values.extend(float(v) for v in more.to_numpy(dtype=float))
                exposure.extend(float(v) for v in more.exposure)
            else:
                values.append(float(more))
                exposure.append(1.0)
        return Counts.build(
            np.nan_to_num(np.array(values)),
            pd.date_range(self.base.index[0], periods=len(values), freq=step, unit="us"),
            np.array(exposure),
            freq=self.base.freq,
            window=None,
            label=self.base.label,
            rule=self.base.rule,
            source=self.base.source,
            cutoff=None,
            n_imputed=self.base.n_imputed,
        )

    @cached_property
    def provenance(self) -> Provenance:
        """How to make this fit again."""
        return Provenance.of(
            self.counts, model=self.model, method="exact", seed=self.seed, notes=self.notes
        )

    @cached_property
    def grid(self) -> pd.DataFrame:
        """The priors that were averaged over: prior and posterior probability, log evidence, one row for each cell.

        Columns ``shape``, ``rate``, ``prior_mean`` (per bin), ``dispersion`` for negbin, ``hazard`` (not with
        ``n_changes``), ``prior``, ``log_evidence``, ``probability``.
        """
        return grid_table(self.parts)

    # ------------------------------------------------------------------ exact answers

    @cached_property
    def log_evidence(self) -> float:
        """Log marginal likelihood of the counts, everything else averaged over (covariates by Laplace's method)."""
        values = [part.log_evidence for part in self.parts]
        occam = self.effects.occam if self.effects else 0.0
        return float(logsumexp(values) - math.log(len(values))) + occam

    @cached_property
    def log_evidence_bound(self) -> float:
        """How much larger the log evidence may be at most, because runs of negligible weight were dropped."""
        return max(part.log_evidence_bound for part in self.parts)

    @cached_property
    def n_changes(self) -> pd.Series:
        """P(k changes), indexed by k, up to the last number that matters."""
        numbers = [part.number for part in self.parts]
        longest = max(len(n) for n in numbers)
        mean = np.mean([np.pad(n, (0, longest - len(n))) for n in numbers], axis=0)
        mean = mean[: int(np.flatnonzero(mean > 1e-12)[-1]) + 1]
        index = pd.RangeIndex(mean.size, name="n_changes")
        return pd.Series(mean, index=index, name="probability")

    @cached_property
    def change_probability(self) -> pd.Series:
        """P(a new regime begins with each bin), indexed by bin start; missing where nothing was observed."""
        mean = np.mean([part.change_probability for part in self.parts], axis=0)
        return self._by_bin(mean).rename("change_probability")

    @cached_property
    def most_probable(self) -> pd.DatetimeIndex:
        """First bins of the new regimes in the single most probable placement, its number of changes included.

        At the most probable cell of the grid (and first imputed series). It tends to have fewer changes than are
        expected, because two half-certain dates are each left out; see ``segments`` for the most probable number.
        """
        part = self.parts[0]
        return self._index[part.bins.position[most_probable(part, self._priors.n_changes)]]

    @property
    def segments(self) -> pd.DataFrame:
        """The regimes at the most probable number of changes, with 90 % intervals; see ``segment_table``."""
        return self.segment_table(_PROB)

    @property
    def rate(self) -> pd.DataFrame:
        """The rate in each bin: mean, and 90 % limits; see ``rate_table``."""
        return self.rate_table(_PROB)

    def segment_table(self, prob: float = _PROB) -> pd.DataFrame:
        """Tabulate the regimes, given the most probable number of changes.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        pandas.DataFrame
            One row for each regime: ``start`` (first bin, in the most probable placement of that number of changes),
            ``start_low`` and ``start_high`` (the shortest stretch of bins around it that holds the date with
            probability ``prob``, among the dates nearer to it than to the next change; no two stretches overlap),
            ``rate``, ``rate_low``, ``rate_high`` (events per bin: posterior mean and central interval in the middle of
            the regime, uncertainty about the dates included), the same ``rate_per_day``, and ``probability`` (that
            the rate changed between ``start_low`` and ``start_high`` at all, whatever the number of changes; 1 for the
            first row). ``attrs`` holds ``prob``, ``n_changes`` and ``p_n_changes``.
        """
        require_prob(prob)
        tables: dict[float, pd.DataFrame] = self.__dict__.setdefault("_segments", {})
        if prob not in tables:
            days = float(np.mean(self._step_days))
            tables[prob] = segment_table(
                self.parts, self.n_changes.to_numpy(), self._drawn, self._index, days, prob
            )
        return tables[prob].copy()

    def rate_table(self, prob: float = _PROB) -> pd.DataFrame:
        """Tabulate the rate in each bin.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the interval.

        Returns
        -------
        pandas.DataFrame
            Indexed by bin start: ``mean`` (exact), ``low``, ``high`` (events per whole bin), and ``per_day`` (the
            mean); missing where nothing was observed.
        """
        require_prob(prob)
        tables: dict[float, pd.DataFrame] = self.__dict__.setdefault("_rates", {})
        if prob not in tables:
            mean = np.mean([part.rate_moments[0] for part in self.parts], axis=0)
            low, high = rate_limits(self._drawn, len(self.parts[0].bins), prob)
            table = pd.DataFrame(
                {
                    "mean": self._by_bin(mean),
                    "low": self._by_bin(low),
                    "high": self._by_bin(high),
                }
            )
            table["per_day"] = table["mean"] / self._step_days
            table.attrs = {"prob": prob}
            tables[prob] = table
        return tables[prob].copy()

    # ------------------------------------------------------------------ draws, updates, forecasts

    def sample(self, draws: int = 1_000, rng: RNGLike = None) -> pd.DataFrame:
        """Draw changes and rates together from their exact joint posterior.

        Parameters
        ----------
        draws : int, default 1000
            Independent draws.
        rng : int, Generator or None
            Source of randomness.

        Returns
        -------
        pandas.DataFrame
            One row for each regime of each draw: ``draw``, ``segment`` (1, 2, …), ``start`` (first bin), ``rate``
            (events per bin).

        Examples
        --------
        >>> from tempo.models.changepoints import Changepoints
        >>> weeks = pd.date_range("2020-01-06", periods=40, freq="7D")
        >>> fit = Changepoints(n_changes=1).fit(pd.Series([1] * 20 + [9] * 20, index=weeks))
        >>> fit.sample(500, rng=1).groupby("segment")["start"].median().dt.strftime("%Y-%m-%d").tolist()
        ['2020-01-06', '2020-05-25']
        """
        if draws < 1:
            raise OptionError(f"draws is {draws}; expected at least 1.")
        drawn = sampled(self.parts, draws, resolve(rng).generator)
        start = np.concatenate([found.start for found in drawn])
        start = np.where(start == 0, 0, self.parts[0].bins.position[start])
        draw = np.concatenate([found.draw for found in drawn])
        opening = np.flatnonzero(np.append(True, draw[1:] != draw[:-1]))
        segment = np.arange(draw.size) - np.repeat(opening, np.diff(np.append(opening, draw.size)))
        return pd.DataFrame(
            {
                "draw": draw,
                "segment": segment + 1,
                "start": self._index[start],
                "rate": np.concatenate([found.rate for found in drawn]),
            }
        )

    def update(self, counts: pd.Series | int) -> ChangepointsFit:
        """Add the bins that follow, without starting again: the run-length filter takes one bin at a time.

        The priors stay those of this fit, also where they were learned from the series so far.

        Parameters
        ----------
        counts : Counts, Series or int
            The bins right after the last one; a whole number stands for the next bin, fully observed.

        Returns
        -------
        ChangepointsFit
            A new fit, the same as one to the whole series under the same priors.
        """
        if isinstance(counts, int | np.integer):  # the quick way: no pandas
            if counts < 0:
                raise DataError(f"the count of the next bin is {counts}; expected 0 or more.")
            more: Counts | int = int(counts)
            values, exposure = np.array([float(counts)]), np.ones(1)
        else:
            more = self._following(counts)
            values = more.to_numpy(dtype=float)
            exposure = np.where(np.isnan(values), 0.0, more.exposure.to_numpy(dtype=float))
            values = np.nan_to_num(values)
        if self._priors.family == BERNOULLI:
            values = np.minimum(values, 1.0)
        shift: Floats | None = None
        if self.effects is not None:
            shift = self.effects.design.matrix(self._after(len(values))) @ self.effects.mode
            if not isinstance(self.parts[0], LevelPosterior):
                exposure, shift = exposure * np.exp(shift), None
        bins = Bins.of(values, exposure, shift)
        return ChangepointsFit(
            self.model,
            tuple(part.updated(bins) for part in self.parts),
            self.base,
            self.seed,
            self.notes,
            (*self.added, more),
            effects=self.effects,
        )

    def covariates(self, prob: float = _PROB) -> pd.DataFrame:
        """Tabulate what season and formula do to the rate, to the odds of an attack day, or to the deaths.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        pandas.DataFrame
            Indexed by covariate: ``factor`` by which one unit of it multiplies the rate (for ``"bernoulli"`` the odds,
            for ``"severity"`` the typical number of deaths), ``low``, ``high``, and
            ``log_sd`` of its logarithm; empty without covariates.
        """
        require_prob(prob)
        if self.effects is None:
            return pd.DataFrame(columns=["factor", "low", "high", "log_sd"], dtype=float)
        return self.effects.table(prob)

    def next_change(self, n_bins: int = 365) -> pd.Series:
        """Give the distribution of the waiting time to the next change.

        Parameters
        ----------
        n_bins : int, default 365
            How many later bins.

        Returns
        -------
        pandas.Series
            P(at least one change from the end of the data to the end of each bin), by bin start. With a learned
            hazard it is a mixture of geometric distributions, weighted by what the past says; how long the
            present regime has lasted counts only with ``min_length``.
        """
        if self._priors.n_changes is not None:
            raise OptionError(
                "with n_changes given, no more changes are to come. Leave n_changes out."
            )
        if n_bins < 1:
            raise OptionError(f"n_bins is {n_bins}; expected at least 1.")
        chance = np.mean([waiting(part, n_bins) for part in self.parts], axis=0)
        return pd.Series(chance, index=self._after(n_bins), name="probability")

    def simulate(self, n_bins: int, draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Simulate the bins after the last one.

        A new regime may begin with each of them, with the hazard; given a number of changes, none does.

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
            Events in each bin, uncertainty about everything included.
        """
        shares = rng.permutation(np.arange(draws) % len(self.parts))
        out = np.empty((draws, n_bins), dtype=np.int64)
        for i, part in enumerate(self.parts):
            mine = shares == i
            number = int(mine.sum())
            factors: Floats | float = 1.0
            if self.effects is not None:
                factors = self.effects.factors(self._after(n_bins), number, rng)
            out[mine] = simulate(part, n_bins, number, rng, factors)
        return out

    # ------------------------------------------------------------------ judging and reporting

    def check(self, rng: RNGLike = 0) -> pd.DataFrame:
        """Check one-step predictions, each bin from those before it, at the most probable cell of the grid.

        Parameters
        ----------
        rng : int or Generator, default 0
            For the randomised residuals.

        Returns
        -------
        pandas.DataFrame
            One row for each check: statistic, threshold, passed, meaning. Where dates were imputed, that of the series
            with the median statistic, of up to five.
        """
        generator = resolve(rng).generator
        tables = [
            count_checks(part.bins.counts, part.bins.exposure, *one_step(part), generator)
            for part in self.parts[:_CHECKED]
        ]
        rows = []
        for name in tables[0].index:
            order = sorted((table.loc[name] for table in tables), key=lambda row: row["statistic"])
            rows.append(order[len(order) // 2])
        return pd.DataFrame(rows).rename_axis("check").astype(tables[0].dtypes.to_dict())

    def sensitivity(self) -> pd.DataFrame:
        """Show what other priors would have said.

        Returns
        -------
        pandas.DataFrame
            One row for each hazard (a quarter, once and four times the posterior mean) and shape of the rate prior
            (1/2, 1, 2, mean as fitted): ``hazard``, ``shape``, ``rate``, ``log_evidence``, ``expected_changes``,
            ``p_no_change`` and ``most_probable`` number of changes.
        """
        return sensitivity(self.parts[0])

    @cached_property
    def posterior(self) -> xr.DataTree:
        """A thousand joint draws with log-likelihood and data, as ArviZ expects them.

        Variables ``n_changes``, ``rate_first``, ``rate_last`` (events per bin) and ``changed`` (the last rate over
        the first). The log-likelihood of each bin is given the rate of its regime in that draw.
        ``az.loo`` may warn of a large Pareto k for bins next to a change, because leaving one out moves the change:
        compare models by ``log_evidence`` instead, which is exact.
        """
        attributes = {"model": repr(self.model), "method": "exact"}
        return posterior_tree(self.parts[0], self.counts, attributes)

    def summary(self, prob: float = _PROB) -> pd.DataFrame:
        """Tabulate the regimes and the number of changes.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        pandas.DataFrame
            One row for each regime, as in ``segment_table``.
        """
        return self.segment_table(prob)

    def describe(self) -> str:
        """Say in a few sentences what was found, "no change" included.

        Of more than five changes, the largest are told.

        Returns
        -------
        str
            For a reader who is no statistician.
        """
        table = self.segments
        k, chance = table.attrs["n_changes"], table.attrs["p_n_changes"]
        events = counted(self.counts.events, self.counts.label)
        unit, scale = self._unit
        none = float(self.n_changes.iloc[0])

        def pace(row: int) -> str:
            r = table.iloc[row]
            limits = interval(scale * r["rate_low"], scale * r["rate_high"])
            return f"{number(scale * r['rate'])} {unit} ({limits})"

        if k == 0:
            text = [
                f"The {events} show no clear change of pace: {percent(none)} that there was none.",
                f"The pace is about {pace(0)}, 90 % interval.",
            ]
        else:
            fixed = self._priors.n_changes is not None
            which = (
                f"The number of changes was fixed at {k}"
                if fixed
                else f"The most probable number of changes is {k} ({percent(chance)})"
            )
            text = [
                f"The pace of {plural(self.counts.label)} changed: {percent(1 - none)} that it did.",
                f"{which}; then, with 90 % intervals:",
                f"it began at {pace(0)};",
                *told(table, "rate", pace),
            ]
        return " ".join([*text, *self.notes])

    def __repr__(self) -> str:
        table = self.n_changes
        k = int(table.to_numpy().argmax())
        return (
            f"ChangepointsFit({self.model.observation}: {counted(k, 'change')} most probable "
            f"({percent(float(table.iloc[k]))}), none {percent(float(table.iloc[0]))}, "
            f"{self.counts.events} events, {len(self.counts)} bins)"
        )

    # ------------------------------------------------------------------ inside

    @property
    def _priors(self) -> Grid:
        return self.parts[0].grid

    @property
    def _index(self) -> pd.DatetimeIndex:
        return self.counts.bin_starts

    @property
    def _step_days(self) -> Floats:
        """Days that a rate of 1 stands for."""
        return self.counts.bin_days

    @property
    def _unit(self) -> tuple[str, float]:
        days = float(np.mean(self._step_days))
        if days < 27:
            return "in 30 days", 30 / days
        return ("a year", 1.0) if 360 < days < 370 else ("in each bin", 1.0)

    def _after(self, n_bins: int) -> pd.DatetimeIndex:
        """Give the starts of the bins after the last one."""
        step = pd.tseries.frequencies.to_offset(self.base.freq)
        return pd.date_range(self.counts.end, periods=n_bins, freq=step, unit="us")

    def _by_bin(self, values: Floats) -> pd.Series:
        out = np.full(self.parts[0].bins.n_bins, np.nan)
        out[self.parts[0].bins.position] = values
        return pd.Series(out, index=self._index)

    def _following(self, counts: pd.Series) -> Counts:
        end = self.counts.end
        more = counts
        if not isinstance(counts, Counts) and isinstance(counts, pd.Series) and len(counts) < 3:
            more = counts.copy()  # too short to tell its frequency, which is ours
            if isinstance(more.index, pd.DatetimeIndex) and len(more):
                step = pd.tseries.frequencies.to_offset(self.base.freq)
                regular = pd.date_range(more.index[0], periods=len(more), freq=step)
                if (regular == more.index).all():
                    more.index = regular
        checked = as_counts(more)
        if checked.bin_starts[0] != end or checked.freq != self.base.freq:
            raise DataError(
                f"the new bins start {checked.bin_starts[0]:%Y-%m-%d} with frequency {checked.freq!r}; expected "
                f"bins of {self.base.freq!r} from {end:%Y-%m-%d} on, where this fit ends. "
                "Fill bins that nobody watched with NaN."
            )
        return checked

    @cached_property
    def _drawn(self) -> list[Partitions]:
        return sampled(self.parts, _DRAWS, np.random.default_rng(0))
