"""The result of fitting a general ``Hawkes`` to times: as ``GeneralHawkesFit``, with each attack on its own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.incidents import Incidents
from tempo.models.hawkes_continuous_engine import TimedEngine
from tempo.models.hawkes_general_fit import GeneralHawkesFit
from tempo.models.intervals import interval_levels
from tempo.randomness import RNGLike, resolve

__all__ = ["TimedHawkesFit"]

type Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class TimedHawkesFit(GeneralHawkesFit):
    """A fitted Hawkes model of times, with any kernel, baseline, inputs and marks.

    It has everything that ``GeneralHawkesFit`` has, and ``attacks()`` beside: for each attack whether it was triggered,
    and by which. Tables by bin are by day; the baseline is constant within a day.
    """

    @property
    def _timed(self) -> TimedEngine:
        return cast("TimedEngine", self.engines[0])

    @cached_property
    def _event_shares(self) -> Floats:
        """Share of the intensity at each attack by source, for some draws: (draws, 3, attacks)."""
        parts = np.stack(self._timed.event_parts(self._some()), axis=1)
        return np.asarray(parts / parts.sum(axis=1, keepdims=True))

    def _half_lives(self) -> Floats:
        """Ages by which half, and nine tenths, of what is triggered has come: (draws, 2), in days."""
        return self._timed.plan.quantiles(self._some(), [0.5, 0.9])

    def triggered(self, prob: float = 0.9) -> pd.DataFrame:
        """Split the attacks of each day into those of the baseline and those that earlier ones triggered.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the interval, which holds the uncertainty about the parameters.

        Returns
        -------
        pandas.DataFrame
            Indexed by day: ``count``, ``baseline`` (with inputs) and ``triggered`` (expected numbers that add up to
            it), ``low`` and ``high`` of the triggered, and ``probability`` that an attack of that day was triggered:
            the mean over its attacks, or what it would have been where there was none. ``attrs`` holds ``share``,
            ``share_low`` and ``share_high`` of all attacks, and ``prob``.
        """
        levels = interval_levels(prob)
        table = super().triggered(prob)
        each = self._event_shares[:, 1]
        day = np.minimum(self._timed.one.times.astype(np.int64), len(table) - 1)
        by_day = np.zeros((len(each), len(table)))
        np.add.at(by_day.T, day, each.T)
        count = table["count"].to_numpy(dtype=float)
        mean = by_day.mean(axis=0)
        low, high = np.quantile(by_day, levels, axis=0)
        some = count > 0
        table["triggered"], table["low"], table["high"] = mean, low, high
        table["baseline"] = count - mean
        table.loc[some, "probability"] = mean[some] / count[some]
        if some.any():
            shares = each.mean(axis=1)
            share_low, share_high = np.quantile(shares, levels)
            table.attrs.update(
                share=float(shares.mean()), share_low=float(share_low), share_high=float(share_high)
            )
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
        n = self._event_shares.shape[2]
        shares = self._event_shares.mean(axis=2) if n else np.full((1, 3), math.nan)
        low, high = np.quantile(shares, levels, axis=0)
        table = pd.DataFrame(
            {"share": shares.mean(axis=0), "low": low, "high": high},
            index=pd.Index(["baseline", "earlier attacks", "inputs"], name="source"),
        )
        table.attrs["prob"] = prob
        return table if self._timed.layout.inputs else table.iloc[:2]

    def attacks(self, prob: float = 0.9) -> pd.DataFrame:
        """Give for each attack the probability that an earlier one triggered it, and which one most probably.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the interval.

        Returns
        -------
        pandas.DataFrame
            Indexed by time of the attack, in order: ``baseline``, ``triggered`` and ``inputs`` (probabilities that add
            up to one), ``low`` and ``high`` of the triggered, ``parent``, the time of the earlier attack that most
            probably triggered it (missing where there is none), and ``parent_probability``, that it was this one. The
            most probable parent is found at the estimate of the parameters. "Triggered" means "followed, beyond what
            chance explains": it names no cause.
        """
        levels = interval_levels(prob)
        engine = self._timed
        part = engine.one
        start = pd.Timestamp(part.counts.bin_starts[0])
        low, high = np.quantile(self._event_shares[:, 1], levels, axis=0)
        mean = self._event_shares.mean(axis=0)
        parent, share = self._parents()
        before = np.full(len(parent), math.nan)
        before[parent >= 0] = part.sources[0][parent[parent >= 0]]
        table = pd.DataFrame(
            {
                "baseline": mean[0],
                "triggered": mean[1],
                "inputs": mean[2],
                "low": low,
                "high": high,
                "parent": _stamps(start, before),
                "parent_probability": share,
            },
            index=pd.DatetimeIndex(_stamps(start, part.times), name="time"),
        )
        table.attrs["prob"] = prob
        return table if engine.layout.inputs else table.drop(columns="inputs")

    def _parents(self) -> tuple[NDArray[np.int64], Floats]:
        """Most probable earlier attack of each attack (-1 where there is none), and its probability."""
        engine = self._timed
        part, plan = engine.one, engine.plan
        theta = self._estimate()
        weights = engine.weights(theta)[0][engine.codes(part, 0)]
        whole = np.sum(engine.event_parts(theta), axis=0)[0]
        response = float(engine.responses(theta)[0, 0])
        parent = np.full(len(part.times), -1, dtype=np.int64)
        share = np.zeros(len(part.times))
        reach = plan.delay_days + (
            float(plan.quantiles(theta, [1 - 1e-9])[0, 0]) if plan.chain else plan.nodes[-1]
        )
        for e, at in enumerate(part.times):
            first, last = np.searchsorted(part.sources[0], [at - reach, at])
            if last > first:
                ages = at - part.sources[0][first:last]
                each = response * weights[first:last] * plan.density(theta, ages)[0]
                best = int(np.argmax(each))
                if each[best] > 0:
                    parent[e], share[e] = first + best, each[best] / whole[e]
        return parent, share

    def _estimate(self) -> Floats:
        """Unbounded parameters of the estimate: the maximum, or the mean of the draws; shape (1, size)."""
        if self.method == "mle":
            return np.asarray(self._timed.optimum.theta[None])
        return np.asarray(self.chains.mean(axis=(0, 1))[None])

    def simulate_times(self, n_days: int, rng: RNGLike = None) -> pd.DatetimeIndex:
        """Simulate the times of the attacks after the window once, given what happened.

        Parameters
        ----------
        n_days : int
            Days after the end of the window.
        rng : int, Generator or None
            Source of randomness; it also chooses the parameters among the draws.

        Returns
        -------
        pandas.DatetimeIndex
            Times, rising. ``simulate`` gives many paths, as counts by day.
        """
        generator = resolve(rng).generator
        flat = self.chains.reshape(-1, self.chains.shape[-1])
        theta = flat[generator.integers(len(flat))][None]
        times = self._timed.simulate_times(theta, n_days, generator, 100_000.0)
        return _stamps(self.counts.end, times)

    def with_future(
        self,
        covariates: pd.DataFrame | None = None,
        inputs: Mapping[str, pd.Series | Incidents] | None = None,
    ) -> TimedHawkesFit:
        """Give the same fit, which knows what a forecast must be told about the days to come.

        Parameters
        ----------
        covariates : pandas.DataFrame, optional
            What the baseline depends on, indexed by date; it must cover every day of the forecast.
        inputs : mapping of str to Series or Incidents, optional
            Events of the inputs on each day after the data; within a day they are spread evenly. An input that is left
            out has none.

        Returns
        -------
        TimedHawkesFit
            A copy for ``forecast``.
        """
        return cast("TimedHawkesFit", super().with_future(covariates, inputs))


def _stamps(start: pd.Timestamp, days: Floats) -> pd.DatetimeIndex:
    """Give times from days, to the millisecond."""
    stamps = pd.DatetimeIndex(start + pd.to_timedelta(days, unit="D"))
    return stamps.round("ms").as_unit("us")
