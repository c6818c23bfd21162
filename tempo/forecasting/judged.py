"""The days that judge scenarios: counts for each draw of uncertain dates, kinds, deaths, and how much was reported."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from tempo.data.counts import Counts
from tempo.data.incidents import Incidents
from tempo.data.rounding import counted
from tempo.data.window import DAY
from tempo.errors import ScenarioError
from tempo.forecasting.daily import daily_series
from tempo.forecasting.stories import Story

__all__ = ["Judged", "Record", "record_of"]

type Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """All days of the past, once for each draw of the uncertain dates.

    Attributes
    ----------
    series : tuple of Counts
        Daily counts.
    kinds : tuple of str
        Kinds that the scenarios tell apart.
    by_kind : ndarray of float, shape (series, days, kinds), or None
        Attacks of known kind.
    deadly, harmless : ndarray of float, shape (series, days), or None
        Attacks that killed for sure, and attacks that did not.
    """

    series: tuple[Counts, ...]
    kinds: tuple[str, ...] = ()
    by_kind: Floats | None = None
    deadly: Floats | None = None
    harmless: Floats | None = None

    def judged(
        self, start: pd.Timestamp, left_out: pd.Timestamp | None, curves: Floats | None
    ) -> Judged:
        """Give the days from ``start`` on.

        Parameters
        ----------
        start : pandas.Timestamp
            First day that judges.
        left_out : pandas.Timestamp or None
            A day whose number is not to count.
        curves : ndarray of float, shape (curves, days), or None
            Share of the attacks of each day (of all days) that has been reported by now.

        Returns
        -------
        Judged
            With what came before as its lead.
        """
        inside = np.asarray(self.series[0].bin_starts >= start)
        kept, copies = self._distinct()
        if len(kept) < len(self.series):
            return replace(
                Record(
                    tuple(self.series[s] for s in kept),
                    self.kinds,
                    *(
                        None if marks is None else marks[kept]
                        for marks in (self.by_kind, self.deadly, self.harmless)
                    ),
                ).judged(start, left_out, curves),
                log_share=self._log_share(start, left_out, kept, copies),
                share=copies / copies.sum(),
            )
        counts = tuple(one.select(inside) for one in self.series)
        every = np.array([np.nan_to_num(one.to_numpy(dtype=float)) for one in self.series])
        exposure = counts[0].exposure.to_numpy(dtype=float)[None, :]
        if curves is not None:
            exposure = exposure * curves[:, inside]
        hidden = np.asarray(counts[0].bin_starts == left_out)
        exposure = np.where(hidden, 0.0, exposure)
        shown = (exposure > 0).all(axis=0)

        def cut(marks: Floats | None) -> Floats | None:
            if marks is None:
                return None
            return np.where(shown.reshape((1, -1) + (1,) * (marks.ndim - 2)), marks[:, inside], 0.0)

        def lead(marks: Floats | None) -> Floats | None:
            return None if marks is None else marks[:, ~inside].sum(axis=1)

        by_kind, deadly, harmless = cut(self.by_kind), cut(self.deadly), cut(self.harmless)
        kinds_urn = toll_urn = None
        if by_kind is not None:
            before = lead(self.by_kind)
            assert before is not None
            kinds_urn = _urn(by_kind, 1.0 + before)
        if deadly is not None and harmless is not None:
            dead, not_dead = lead(self.deadly), lead(self.harmless)
            assert dead is not None
            assert not_dead is not None
            toll_urn = _urn(
                np.stack([deadly, harmless], axis=2), 0.5 + np.stack([dead, not_dead], axis=1)
            )
        return Judged(
            counts=counts,
            values=every[:, inside],
            lead=every[:, ~inside],
            exposure=np.ascontiguousarray(exposure),
            hidden=hidden,
            log_share=self._log_share(
                start, left_out, np.arange(len(counts)), np.ones(len(counts), dtype=np.int64)
            ),
            share=np.full(len(counts), 1 / len(counts)),
            kinds=self.kinds,
            by_kind=by_kind,
            deadly=deadly,
            harmless=harmless,
            kinds_urn=kinds_urn,
            toll_urn=toll_urn,
        )

    def _log_share(
        self,
        start: pd.Timestamp,
        left_out: pd.Timestamp | None,
        kept: NDArray[np.int64],
        copies: NDArray[np.int64],
    ) -> Floats:
        """Give the log of the worth of each distinct series, before any scenario has its say.

        Where an attack may have come before the days that judge, no scenario says how probable that was, so that the
        draws in which it did would count as if it had been certain. It is given the average rate of the earlier days
        (of all days, where there are none) instead. The worths sum to one.
        """
        starts = self.series[0].bin_starts
        watched = self.series[0].exposure.to_numpy(dtype=float)
        judges = np.asarray((starts >= start) & (starts != left_out)) & (watched > 0)
        every = np.array([np.nan_to_num(one.to_numpy(dtype=float)) for one in self.series])
        earlier = np.asarray(starts < start) & (watched > 0)
        base = earlier if earlier.any() else watched > 0
        per_day = (every[:, base].sum(axis=1).mean() + 0.5) / max(float(watched[base].sum()), 1.0)
        judging = every[kept][:, judges].sum(axis=1)
        logs = np.log(copies) - judging * np.log(per_day)
        return np.asarray(logs - special.logsumexp(logs))

    def _distinct(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give the first of all series that are alike, and how many they are."""
        parts = [np.array([np.nan_to_num(one.to_numpy(dtype=float)) for one in self.series])]
        parts += [
            marks.reshape(len(self.series), -1)
            for marks in (self.by_kind, self.deadly, self.harmless)
            if marks is not None
        ]
        _, first, copies = np.unique(
            np.concatenate(parts, axis=1), axis=0, return_index=True, return_counts=True
        )
        order = np.argsort(first)
        return first[order], copies[order]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The days that judge.

    Attributes
    ----------
    counts : tuple of Counts
        One for each draw of the uncertain dates.
    values : ndarray of float, shape (series, days)
        Attacks, 0 where nobody watched.
    lead : ndarray of float, shape (series, earlier days)
        Attacks before, whose offspring may fall on the days.
    exposure : ndarray of float, shape (curves, days)
        Share of each day that was observed, times the share of its attacks that has been reported.
    hidden : ndarray of bool, shape (days,)
        Days whose number is known, and excites later days, but does not judge; their exposure is 0.
    log_share : ndarray of float, shape (series,)
        Log of the worth of this series: its share of all draws of the dates, times what an attack that may have come
        before the days is worth there.
    share : ndarray of float, shape (series,)
        Share of this series in all draws of the dates.
    kinds, by_kind, deadly, harmless
        As in ``Record``.
    kinds_urn, toll_urn : ndarray of float, shape (series, days), or None
        Log-probability of the kinds, and of who died, up to each day under shares learned from all earlier days:
        what a story says that does not speak of them.
    """

    counts: tuple[Counts, ...]
    values: Floats
    lead: Floats
    exposure: Floats
    hidden: NDArray[np.bool_]
    log_share: Floats
    share: Floats
    kinds: tuple[str, ...]
    by_kind: Floats | None
    deadly: Floats | None
    harmless: Floats | None
    kinds_urn: Floats | None
    toll_urn: Floats | None

    @property
    def days(self) -> pd.DatetimeIndex:
        """The days."""
        return self.counts[0].bin_starts

    @property
    def speaks(self) -> bool:
        """Whether there is a day that judges."""
        return bool((self.exposure > 0).any())

    @property
    def events(self) -> float:
        """Attacks on these days, on average over the draws of uncertain dates."""
        return float(self.share @ self.values.sum(axis=1))

    @property
    def seen(self) -> str:
        """How many attacks there were, in words; where uncertain dates leave it open, the range and the mean."""
        totals = self.values.sum(axis=1)
        label, low, high = self.counts[0].label, totals.min(), totals.max()
        if low == high:
            return counted(float(low), label)
        return f"{low:,.0f} to {counted(float(high), label)}, on average {self.events:,.0f}"

    def mark_terms(self, story: Story, series: int) -> Floats | None:
        """Give the running log-probability of kinds and deaths, given how many attacks there were.

        Parameters
        ----------
        story : Story
            What the draws say about these days; its kinds in the order of ``kinds``.
        series : int
            Which draw of the dates.

        Returns
        -------
        ndarray of float, shape (draws or 1, days), or None
            None where nothing but numbers judges.
        """
        total: Floats | None = None
        if self.by_kind is not None and self.kinds_urn is not None:
            if story.shares is None:
                total = self.kinds_urn[series][None, :]
            else:
                n = self.by_kind[series]
                some = np.flatnonzero(n.any(axis=1))
                daily = np.zeros(story.rate.shape)
                daily[:, some] = special.xlogy(n[some], story.shares[:, some]).sum(axis=2)
                total = np.cumsum(daily, axis=1)
        if self.deadly is not None and self.harmless is not None and self.toll_urn is not None:
            if story.lethal is None:
                tolls = self.toll_urn[series][None, :]
            else:
                yes, no = self.deadly[series], self.harmless[series]
                some = np.flatnonzero(yes + no)
                daily = np.zeros(story.rate.shape)
                chance = story.lethal[:, some]
                daily[:, some] = special.xlogy(yes[some], chance) + special.xlog1py(
                    no[some], -chance
                )
                tolls = np.cumsum(daily, axis=1)
            total = tolls if total is None else total + tolls
        return total

    def default_marks(self, series: int) -> Floats:
        """Give the running log-probability of kinds and deaths under shares learned as they come, shape (days,)."""
        urns = [urn[series] for urn in (self.kinds_urn, self.toll_urn) if urn is not None]
        return np.sum(urns, axis=0) if urns else np.zeros(self.values.shape[1])


def _urn(counts: Floats, prior: Floats) -> Floats:
    """Give the running log-probability of categories, day by day, their shares being Dirichlet."""
    running = np.cumsum(counts, axis=1) + prior[:, None, :]
    total = running.sum(axis=2)
    start = prior.sum(axis=1)
    gain = special.gammaln(running) - special.gammaln(prior)[:, None, :]
    return np.asarray(
        gain.sum(axis=2) - special.gammaln(total) + special.gammaln(start)[:, None], dtype=float
    )


def record_of(
    past: Incidents | Counts | pd.Series,
    kinds: Sequence[str],
    *,
    tolls: bool,
    imputations: int,
    rng: np.random.Generator,
) -> Record:
    """Count the past by day, by kind and by whether anybody died.

    Parameters
    ----------
    past : Incidents, Counts or Series
        Attacks of one counting rule.
    kinds : sequence of str
        Kinds that the scenarios tell apart; empty where they do not.
    tolls : bool
        Whether deaths judge too.
    imputations : int
        Draws of uncertain dates, where there are any.
    rng : numpy.random.Generator
        Draws them.

    Returns
    -------
    Record
        All parts with the same drawn dates.

    Raises
    ------
    ScenarioError
        If the scenarios speak of kinds or deaths of which the data say nothing, or attacks are of a kind that
        they do not name.
    """
    before = copy.deepcopy(rng)
    series = daily_series(past, imputations, rng)
    if not kinds and not tolls:
        return Record(tuple(series))
    if not isinstance(past, Incidents):
        raise ScenarioError(
            "a scenario speaks of kinds or deaths, which counts do not hold. Pass the incidents themselves."
        )
    table = past.table
    onsets = past.imputed_onsets(len(series), before)
    days = series[0].bin_starts
    seen = (series[0].exposure > 0).to_numpy(dtype=bool)

    def per_day(rows: NDArray[np.bool_]) -> Floats:
        out = np.zeros((len(series), len(days)))
        for s, onset in enumerate(onsets):
            place = np.asarray((onset[rows] - days[0]) / DAY, dtype=int)
            place = place[(place >= 0) & (place < len(days))]
            out[s] = np.bincount(place, minlength=len(days)) * seen
        return out

    by_kind = deadly = harmless = None
    if kinds:
        by_kind = np.stack([per_day(rows) for rows in _kind_rows(table, kinds)], axis=2)
    if tolls:
        if "killed" not in table:
            raise ScenarioError(
                "a scenario speaks of lethal attacks, but the incidents have no column 'killed'. Add it, or leave "
                "lethality out of the scenario."
            )
        best = table["killed"].to_numpy(dtype=float, na_value=np.nan)
        ends = [
            np.where(np.isnan(end), best, end)
            for end in (
                table[name].to_numpy(dtype=float, na_value=np.nan) if name in table else best
                for name in ("killed_low", "killed_high")
            )
        ]
        deadly, harmless = per_day(ends[0] > 0), per_day(ends[1] == 0)
    return Record(tuple(series), tuple(kinds), by_kind, deadly, harmless)


def _kind_rows(table: pd.DataFrame, kinds: Sequence[str]) -> list[NDArray[np.bool_]]:
    if "kind" not in table:
        raise ScenarioError(
            "a scenario speaks of kinds, but the incidents have no column 'kind'. Add it, or leave kinds out of the "
            "scenario."
        )
    known = table["kind"].notna().to_numpy(dtype=bool)
    names = table["kind"].astype("str").to_numpy()
    rows = [known & (names == kind) for kind in kinds]
    rest = known & ~np.logical_or.reduce(rows)
    if "other" in kinds:
        place = list(kinds).index("other")
        rows[place] = rows[place] | rest
    elif rest.any():
        first = table[rest].iloc[0]
        raise ScenarioError(
            f"{int(rest.sum())} attacks are of a kind that the scenarios do not name (first: {first['kind']!r} on "
            f"{first['date_start']:%Y-%m-%d}; named: {', '.join(kinds)}). Give each kind a share, or name a kind "
            "'other' that holds the rest."
        )
    return rows
