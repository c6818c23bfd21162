"""The engine of ``Hawkes`` in continuous time, for everything beyond an exponential kernel on a constant baseline."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import gammaln
from scipy.stats import expon

from tempo.models import hawkes_continuous_ages as ages
from tempo.models import hawkes_continuous_reading as reading
from tempo.models.checks import check_table, residual_checks
from tempo.models.hawkes_continuous_layout import TimedLayout, pack_times
from tempo.models.hawkes_continuous_paths import Past, timed_paths
from tempo.models.hawkes_general_engine import GeneralEngine, Realisation
from tempo.models.hawkes_kernels_random import seeds
from tempo.models.hawkes_layout import pack

__all__ = ["TimedEngine", "TimedRealisation"]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

MOST_PAIRS = 30_000_000  # ages that a check looks at, over all draws
FORGOTTEN = 45.0  # memories after which an attack excites nothing that could be seen


@dataclass(frozen=True, eq=False)
class TimedRealisation(Realisation):
    """One series of times, in days from the start of its window.

    Attributes
    ----------
    times : ndarray, shape (n,)
        Of the attacks that are scored, rising.
    sources : tuple of ndarray
        Times of everything that excites, rising: first the attacks with those of the history, then each input.
    marks : ndarray
        ``log(1 + mark)`` of each attack of the first source, NaN where it is unknown or there is none.
    """

    times: Floats
    sources: tuple[Floats, ...]
    marks: Floats


@dataclass(frozen=True, eq=False)
class TimedEngine(GeneralEngine):
    """A general Hawkes model of the times of one series, or of several with shared parameters.

    Its data are ``TimedRealisation`` and its layout is a ``TimedLayout``; what climbs, samples and approximates is that
    of the model in bins.
    """

    @property
    def plan(self) -> TimedLayout:
        """What the parameters mean."""
        return cast("TimedLayout", self.layout)

    @property
    def series(self) -> tuple[TimedRealisation, ...]:
        """The data."""
        return cast("tuple[TimedRealisation, ...]", self.realisations)

    @property
    def one(self) -> TimedRealisation:
        """The series that is shown."""
        return self.series[self.shown]

    @property
    def classes(self) -> int:
        """Classes of attacks by mark; those of unknown mark are the first."""
        return 1 + len(self._mark_table) if self.layout.marked else 1

    def codes(self, part: TimedRealisation, source: int) -> Ints:
        """Give the class of each event of a source."""
        if source or not self.layout.marked:
            return np.zeros(len(part.sources[source]), dtype=np.int64)
        known = np.isfinite(part.marks)
        at = np.searchsorted(self._mark_table, part.marks[known])
        out = np.zeros(len(part.marks), dtype=np.int64)
        out[known] = 1 + at
        return out

    @cached_property
    def _by_day(self) -> list[list[Floats]]:
        """Sums over the grid of ages for each day, by series and source: (classes, days, levels)."""
        plan = self.plan
        out = []
        for part in self.series:
            rows = []
            for j, source in enumerate(part.sources):
                laid = np.zeros((1 if j else self.classes, len(part), len(plan.masses)))
                ages.lay_days(
                    plan.smooth,
                    plan.nodes,
                    len(part),
                    source + plan.delay_days,
                    self.codes(part, j),
                    laid,
                )
                rows.append(laid)
            out.append(rows)
        return out

    def _of_source(self, j: int) -> list[Floats]:
        """Give what a source adds to the block."""
        plan = self.plan
        if plan.chain:
            return [
                np.concatenate(
                    [
                        [len(part.sources[j])],
                        part.sources[j] + plan.delay_days,
                        self.codes(part, j).astype(float),
                    ]
                )
                for part in self.series
            ]
        classes = 1 if j else self.classes
        total = sum(len(part.times) for part in self.series)
        laid = np.zeros((classes, total, len(plan.masses)))
        first = 0
        for part in self.series:
            here = np.zeros((classes, len(part.times), len(plan.masses)))
            ages.lay_ages(
                plan.smooth,
                plan.nodes,
                part.times,
                part.sources[j] + plan.delay_days,
                self.codes(part, j),
                here,
            )
            laid[:, first : first + len(part.times)] = here
            first += len(part.times)
        integrals = sum(rows[j].sum(axis=1) for rows in self._by_day)
        return [np.concatenate([laid[v].ravel(), np.asarray(integrals)[v]]) for v in range(classes)]

    @cached_property
    def block(self) -> Floats:
        """All data and the prior, as the compiled code wants them."""
        series, layout = self.series, self.plan
        lengths = [len(part) for part in series]
        days = sum(lengths)
        sources = [piece for j in range(1 + len(layout.inputs)) for piece in self._of_source(j)]
        times = pack_times(
            layout,
            self._days,
            np.concatenate([part.times for part in series]),
            np.cumsum([len(part.times) for part in series]).tolist(),
            lengths,
            sources,
            self.classes,
        )
        distinct = self._mark_table if layout.marked else np.empty(0)
        numbers = np.bincount(self._codes, minlength=len(distinct)).astype(float)
        empty = np.empty(0)
        return pack(
            layout,
            np.concatenate([part.columns for part in series]),
            np.concatenate(
                [np.zeros((1, days)), np.concatenate([p.inputs for p in series], axis=1)]
            ),
            np.concatenate([part.values for part in series]),
            np.ones(days),
            np.ones(days),
            np.full(days, float(days)),
            (empty, empty, distinct, numbers if layout.marked else empty),
            layout.prior(self.prior),
            times,
        )

    @cached_property
    def _days(self) -> Ints:
        """Day of each attack, counted through all series."""
        out, first = [], 0
        for part in self.series:
            out.append(first + np.minimum(part.times.astype(np.int64), len(part) - 1))
            first += len(part)
        return np.concatenate(out)

    # -- reading -------------------------------------------------------------------------------------------------

    def weights(self, theta: Floats) -> Floats:
        """Give the weight of each class of attacks, shape (draws, classes)."""
        out = np.ones((len(theta), self.classes))
        if self.layout.marked:
            out[:, 1:] = self._mark_weights(theta)
        return out

    def responses(self, theta: Floats) -> Floats:
        """Give branching ratio and responses to inputs, shape (draws, sources)."""
        return np.exp(theta[:, self.layout.at_branching : self.layout.at_shape])

    def event_parts(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Give the intensity at each attack of the shown series by source, per day.

        Parameters
        ----------
        theta : ndarray, shape (draws, size)
            Unbounded.

        Returns
        -------
        baseline, triggered, inputs : ndarray, shape (draws, n)
            They add up to the intensity.
        """
        parts = reading.intensities(
            self.block, np.ascontiguousarray(theta), 1 + len(self.layout.inputs)
        )
        before = sum(len(part.times) for part in self.series[: self.shown])
        here = parts[:, :, before : before + len(self.one.times)]
        return here[:, 0], here[:, 1], here[:, 2:].sum(axis=1)

    def parts_of_mean(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Give the integrated intensity of each day of the shown series by source: each (draws, days)."""
        return self._integrals(np.ascontiguousarray(theta), self.shown)

    def _integrals(self, theta: Floats, which: int) -> tuple[Floats, Floats, Floats]:
        part, plan = self.series[which], self.plan
        linear = theta[:, :1] + theta[:, 1 : plan.at_branching] @ part.columns.T
        weights, responses = self.weights(theta), self.responses(theta)
        excited = []
        for j in range(1 + len(plan.inputs)):
            if plan.chain:
                days = np.arange(1.0, len(part) + 1.0)
                found = self._compensated(theta, part, j, weights, days)
            else:
                levels = plan.levels(theta, j)
                rows = self._by_day[which][j]
                own = weights if j == 0 else np.ones((len(theta), 1))
                found = sum(own[:, v, None] * (levels @ laid.T) for v, laid in enumerate(rows))
            excited.append(responses[:, j, None] * np.asarray(found))
        forced = np.sum(excited[1:], axis=0) if len(excited) > 1 else np.zeros_like(excited[0])
        return np.exp(linear), excited[0], np.asarray(forced)

    def _compensated(
        self, theta: Floats, part: TimedRealisation, j: int, weights: Floats, at: Floats
    ) -> Floats:
        """Excitation of a source, integrated between the times ``at`` (from 0 on), for each draw."""
        plan = self.plan
        codes, source = self.codes(part, j), part.sources[j] + plan.delay_days
        own = weights if j == 0 else np.ones((len(theta), 1))
        if plan.chain:
            chained = reading.chain_integrals(at, source, codes, own, *plan.mixture(theta, j))
            return np.asarray(chained)
        levels = plan.levels(theta, j)
        gridded = reading.grid_integrals(plan.smooth, plan.nodes, at, source, codes, own, levels)
        return np.asarray(gridded)

    def log_likelihood(self, theta: Floats) -> Floats:
        """Log-likelihood of each day of all series given what was before, shape (draws, days).

        It is that of the number of attacks and of their places within the day against evenly spread ones, so that it
        can be compared with that of a model of counts: the sum over days is the log-likelihood less ``sum log(y!)``.
        """
        theta = np.ascontiguousarray(theta)
        parts = reading.intensities(self.block, theta, 1 + len(self.layout.inputs))
        integrals = np.concatenate(
            [sum(self._integrals(theta, i)) for i in range(len(self.series))], axis=1
        )
        with np.errstate(divide="ignore"):
            logs = np.log(parts.sum(axis=1))
        out = -integrals
        np.add.at(out.T, self._days, logs.T)
        return np.asarray(out - gammaln(np.concatenate([p.values for p in self.series]) + 1.0))

    def check(self, theta: Floats, rng: np.random.Generator) -> pd.DataFrame:  # noqa: ARG002
        """Check table for time-rescaled gaps of the shown series, averaged over draws."""
        if not len(self.one.times):
            return check_table(residual_checks(np.empty(0)))
        return check_table(residual_checks(expon.cdf(self.gaps(theta)).mean(axis=0)))

    def gaps(self, theta: Floats) -> Floats:
        """Give the intensity integrated between attacks, unit exponential if the model is right: (draws, n)."""
        part, plan = self.one, self.plan
        if not plan.chain:
            pairs = len(part.times) * sum(map(len, part.sources))
            theta = theta[: max(MOST_PAIRS // max(pairs, 1), 1)]
        theta = np.ascontiguousarray(theta)
        weights, responses = self.weights(theta), self.responses(theta)
        rates = np.exp(theta[:, :1] + theta[:, 1 : plan.at_branching] @ part.columns.T)
        sums = np.concatenate([np.zeros((len(rates), 1)), rates.cumsum(axis=1)], axis=1)
        day = np.minimum(part.times.astype(np.int64), len(part) - 1)
        reached = sums[:, day] + rates[:, day] * (part.times - day)
        out = np.diff(reached, axis=1, prepend=0.0)
        for j in range(1 + len(plan.inputs)):
            between = self._compensated(theta, part, j, weights, part.times)
            out += responses[:, j, None] * between
        return np.asarray(out)

    # -- forward -------------------------------------------------------------------------------------------------

    def simulate(
        self, theta: Floats, n_bins: int, rng: np.random.Generator, cap: float
    ) -> NDArray[np.int64]:
        """Simulate the days after the window, one path for each row: attacks on each day."""
        out = np.zeros((len(theta), n_bins), dtype=np.int64)
        self._paths(theta, n_bins, rng, cap, out)
        return out

    def simulate_times(
        self, theta: Floats, n_days: int, rng: np.random.Generator, cap: float
    ) -> Floats:
        """Simulate the times of the attacks after the window, in days from its end, for one row of parameters."""
        nothing = np.zeros((1, n_days), dtype=np.int64)
        return np.sort(self._paths(theta[:1], n_days, rng, cap, nothing))

    def _paths(
        self, theta: Floats, n_days: int, rng: np.random.Generator, cap: float, out: Ints
    ) -> Floats:
        theta = np.ascontiguousarray(theta)
        plan, part, future = self.plan, self.one, self.future
        index = pd.date_range(part.counts.end, periods=n_days, freq="1D")
        columns = self.terms.columns_at(index, future.covariates if future else None)
        linear = theta[:, :1] + theta[:, 1 : plan.at_branching] @ columns.T
        sources = len(part.sources)
        place = np.stack([plan.place(theta, j) for j in range(sources)], axis=1)
        seen = self.codes(part, 0)
        return np.asarray(
            timed_paths(
                np.exp(np.minimum(linear, math.log(cap))),
                self._past(theta, index),
                self.responses(theta),
                self.weights(theta),
                seen[seen > 0],
                plan.kind,
                plan.parts,
                place,
                plan.nodes,
                plan.masses,
                plan.delay_days,
                seeds(rng, len(theta)),
                int(cap),
                out,
            )
        )

    def _past(self, theta: Floats, index: pd.DatetimeIndex) -> Past:
        """Everything known that may excite the days to come, by time from the end of the window."""
        plan, part = self.plan, self.one
        span = float(len(part))
        ahead = self._inputs_ahead(index)
        at, source, code = [], [], []
        for j, times in enumerate(part.sources):
            rows = [times - span]
            codes = [self.codes(part, j)]
            if j:
                extra = spread_over_days(ahead[j - 1])
                rows.append(extra)
                codes.append(np.zeros(len(extra), dtype=np.int64))
            at.append(np.concatenate(rows) + plan.delay_days)
            code.append(np.concatenate(codes))
            source.append(np.full(len(at[-1]), j, dtype=np.int64))
        when = np.concatenate(at)
        memory = plan.nodes[-1] if not plan.chain else math.inf
        if plan.chain:
            slowest = min(plan.mixture(theta, j)[0].min() for j in range(len(part.sources)))
            memory = FORGOTTEN / slowest
        kept = (when > -memory) & (when < len(index))
        return Past(when[kept], np.concatenate(source)[kept], np.concatenate(code)[kept])

    def shown_as(self, realisation: int) -> TimedEngine:
        """Give the same engine as seen from another of its series."""
        return dataclasses.replace(self, shown=realisation)


def spread_over_days(counts: Floats) -> Floats:
    """Give times for events of which only the day is known: evenly spread over it.

    Parameters
    ----------
    counts : ndarray, shape (days,)
        Events on each day.

    Returns
    -------
    ndarray
        Times in days from the first midnight, rising.

    Examples
    --------
    >>> spread_over_days(np.array([2.0, 0.0, 1.0]))
    array([0.25, 0.75, 2.5 ])
    """
    numbers = np.rint(counts).astype(np.int64)
    within = [(np.arange(k) + 0.5) / k for k in numbers]
    return np.concatenate([np.empty(0), *(day + places for day, places in enumerate(within))])
