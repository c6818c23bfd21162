"""Operating days lost: stand-downs laid over simulated futures of attacks, overlaps merged, and what follows."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from tempo.data.rounding import counted, interval, number, percent, plural, with_article
from tempo.errors import OptionError
from tempo.forecasting.impact_assignment import still_to_come
from tempo.forecasting.impact_standdown import StandDownFit
from tempo.forecasting.spans import check_whole
from tempo.models.intervals import central_levels

__all__ = ["LostDays", "changes_of", "lost_days", "rates_and_gaps"]

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

_AT_ONCE = 2_000_000  # stand-downs to hold at a time


@dataclass(frozen=True, repr=False, eq=False)
class LostDays:
    """What simulated futures of attacks do to operations: days lost to stand-downs, by scenario.

    Every number is conditional on its scenario, and on what is thought of stand-downs; ``labels`` says which of these
    are assumptions and which are estimates.

    Attributes
    ----------
    lost : dict of str to xarray.DataArray
        For each scenario, dims (draw, time): whether operations are stopped on that day of that future.
    absorbable_per_day : ndarray, shape (draws,)
        Attacks per day at which ``share`` of the days is lost in the long run.
    share : float
        Share of days whose loss is too much.
    model : StandDownFit
        What is thought of stand-downs.
    attacks : dict of str to ndarray
        Attacks that may lead to a stand-down, in each future.
    label, rule : str
        What the attacks are.
    cutoff : pandas.Timestamp
        Start of the horizon.
    horizon_days : int
        Its length.
    seed : str
        What reproduces the draws.
    notes : tuple of str
        Doubts.

    Examples
    --------
    >>> import tempo
    >>> days = pd.date_range("2020-01-01", periods=100, freq="1D")
    >>> counts = pd.Series(np.arange(100) % 10 == 0, index=days).astype(int)
    >>> outlook = tempo.forecast(tempo.ConstantRate().fit(counts), "60D", rng=1)
    >>> found = tempo.impact(outlook, tempo.StandDown("10-30 %", "5-30 days"), rng=1)
    >>> bool(0 < found.probability(lost_days=10)["ConstantRate"] < 1)
    True
    """

    lost: dict[str, xr.DataArray]
    absorbable_per_day: Floats
    share: float
    model: StandDownFit
    attacks: dict[str, Integers]
    label: str
    rule: str
    cutoff: pd.Timestamp
    horizon_days: int
    seed: str
    notes: tuple[str, ...] = field(default=())

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Names of the scenarios, in their order."""
        return tuple(self.lost)

    def days(self, scenario: str) -> Integers:
        """Give the operating days lost in each future of a scenario.

        Parameters
        ----------
        scenario : str
            Its name.

        Returns
        -------
        ndarray of int, shape (draws,)
            Over the whole horizon.

        Raises
        ------
        OptionError
            If there is no such scenario.
        """
        if scenario not in self.lost:
            raise OptionError(
                f"there is no scenario {scenario!r}; there are {', '.join(map(repr, self.lost))}."
            )
        return np.asarray(self.lost[scenario].to_numpy().sum(axis=1), dtype=np.int64)

    def probability(self, lost_days: int) -> pd.Series:
        """Give the probability that more than so many operating days are lost.

        Parameters
        ----------
        lost_days : int
            How many; 0 asks for any at all.

        Returns
        -------
        pandas.Series
            By scenario.

        Raises
        ------
        OptionError
            If it is not a whole number from 0 up.
        """
        check_whole(lost_days, "lost_days")
        return pd.Series(
            {name: float(np.mean(self.days(name) > lost_days)) for name in self.lost},
            name="probability",
        )

    def table(self, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate the days lost under each scenario.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the central interval.

        Returns
        -------
        pandas.DataFrame
            Indexed by scenario: ``mean_days, median_days, low_days, high_days``, ``share`` (mean share of days lost),
            ``probability_any`` and ``probability_over_share`` (more than ``share`` of the days), and ``status``.
        """
        levels = central_levels(prob)
        rows = {}
        for name in self.lost:
            days = self.days(name)
            low, median, high = np.quantile(days, levels, method="inverted_cdf")
            rows[name] = {
                "mean_days": float(days.mean()),
                "median_days": int(median),
                "low_days": int(low),
                "high_days": int(high),
                "share": float(days.mean() / self.horizon_days),
                "probability_any": float(np.mean(days > 0)),
                "probability_over_share": float(np.mean(days > self.share * self.horizon_days)),
                "status": self.status,
            }
        table = pd.DataFrame.from_dict(rows, orient="index")
        table.index.name = "scenario"
        table.attrs.update(prob=prob, share=self.share, horizon_days=self.horizon_days)
        return table

    def absorbable(self, prob: float = 0.9) -> pd.Series:
        """Give the absorbable tempo: the attack rate at which too many days are lost in the long run.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the central interval.

        Returns
        -------
        pandas.Series
            ``median_per_day, low_per_day, high_per_day``, and the same as gaps: ``median_gap_days, low_gap_days,
            high_gap_days`` (the low gap belongs to the high rate).
        """
        return rates_and_gaps(*np.quantile(self.absorbable_per_day, central_levels(prob)))

    @property
    def status(self) -> str:
        """``"estimate"`` where both parameters of stand-downs rest mostly on data, else ``"assumption"``."""
        return "estimate" if (self.model.status == "estimate").all() else "assumption"

    def labels(self) -> pd.DataFrame:
        """Say of each output whether it is an assumption or an estimate.

        Returns
        -------
        pandas.DataFrame
            Indexed by output: ``status``, ``from_data`` (share of what is known that comes from the data; the lesser of
            the two for what rests on both) and ``why``.
        """
        shares, status = self.model.from_data, self.model.status
        known = self.model.led + self.model.did_not
        rows = {
            "probability of a stand-down": (
                status["probability"],
                shares["probability"],
                f"{counted(known, self.label)} with a known outcome, {self.model.led} before a stand-down",
            ),
            "duration of a stand-down": (
                status["duration"],
                shares["duration"],
                counted(self.model.n_pauses, "documented pause"),
            ),
        }
        both = (self.status, float(shares.min()), "rests on both of the above")
        for name in self.lost:
            rows[f"days lost under {name}"] = (*both[:2], f"{both[2]}, given the scenario")
        rows["absorbable tempo"] = both
        return pd.DataFrame.from_dict(
            rows, orient="index", columns=["status", "from_data", "why"]
        ).rename_axis("output")

    def describe(self, prob: float = 0.9) -> str:
        """Say the days lost under each scenario, the absorbable tempo, and what they rest on.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the intervals.

        Returns
        -------
        str
            A few sentences.
        """
        table = self.table(prob)
        parts = [
            f"{name}: {interval(row['low_days'], row['high_days'])} (median {number(row['median_days'])}; more than "
            f"{percent(self.share)} of the days: {percent(row['probability_over_share'])})"
            for name, row in table.iterrows()
        ]
        rate = self.absorbable(prob)
        noun = plural(self.label, one=True)
        ends = (number(rate["low_gap_days"]), number(rate["high_gap_days"]))
        said = (
            f"Operating days lost in the {self.horizon_days} days from {self.cutoff:%Y-%m-%d} ({percent(prob)} "
            f"intervals): {'; '.join(parts)}. In the long run more than {percent(self.share)} of the days are "
            f"lost when {plural(self.label)} come more often than one every {number(rate['median_gap_days'])} days "
            f"({percent(prob)} interval {ends[0]} to {ends[1]})."
        )
        why = (
            f"These numbers are assumptions worked out: what was said of stand-downs after {with_article(noun)} "
            "outweighs what is documented."
            if self.status == "assumption"
            else "Probability and duration of stand-downs rest mostly on documented ones."
        )
        return f"{said}{self._begun()} {why} Each holds given its scenario."

    def _begun(self) -> str:
        """Say what the past may still cost."""
        parts = []
        if self.model.going_on_days:
            parts.append(
                f"{counted(len(self.model.going_on_days), 'stand-down')} had not ended on the first of these days."
            )
        if recent := len(self.model.pending):
            parts.append(
                f"{counted(recent, self.label)} before the first of these days may still lead to one, which is counted "
                "under every scenario."
            )
        return "".join(f" {part}" for part in parts)

    def __repr__(self) -> str:
        return f"LostDays ({self.status}s): {self.describe()}"

    def _repr_html_(self) -> str:
        text = repr(self).replace("&", "&amp;").replace("<", "&lt;")
        return f"<p>{text}</p>{self.table().to_html(border=0)}"


def lost_days(counts: Integers, model: StandDownFit, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Lay stand-downs over futures of attacks.

    Stand-downs that go on when the data end, and those that recent attacks may yet lead to, are laid over them too.

    Parameters
    ----------
    counts : ndarray of int, shape (draws, days)
        Attacks that may lead to a stand-down.
    model : StandDownFit
        Draws probability and duration, one of each for a future.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of bool, shape (draws, days)
        Whether operations are stopped.
    """
    draws, n_days = counts.shape
    (chance, middle, spread), begun = _from_the_past(model, draws, rng)
    first, last = model.model.delay_days
    changes = np.zeros((draws, n_days + 1), dtype=np.int64)
    for who, start, days in begun:
        changes += changes_of(who, start, days, draws, n_days)
    for block in _blocks(counts):
        where, day = np.nonzero(counts[block])
        stops = rng.binomial(counts[block][where, day], chance[block][where])
        who = np.repeat(where + block.start, stops)
        begins = np.repeat(day, stops) + rng.integers(first, last + 1, size=len(who))
        changes += changes_of(who, begins, _lengths(middle[who], spread[who], rng), draws, n_days)
    return np.asarray(changes.cumsum(axis=1)[:, :n_days] > 0)


def _lengths(middle: Floats, spread: Floats, rng: np.random.Generator) -> Integers:
    """Draw whole days, one at least."""
    drawn = np.exp(middle + spread * rng.standard_normal(len(middle)))
    return np.maximum(np.rint(np.minimum(drawn, 1e6)), 1).astype(np.int64)


def _from_the_past(
    model: StandDownFit, draws: int, rng: np.random.Generator
) -> tuple[tuple[Floats, Floats, Floats], list[tuple[Integers, Integers, Integers]]]:
    """Draw the parameters of each future, and the stand-downs that the past brings: future, first day and days."""
    begun = []
    going_on = model.going_on_days
    if model.sampled is None:
        chance, middle, spread = model.draw(draws, rng)
        for recent in model.recent:
            ahead = recent.begins.sum()
            yet = chance * ahead / (1 - chance * recent.ruled_out)
            who = np.flatnonzero(rng.random(draws) < yet)
            start = rng.choice(len(recent.begins), size=len(who), p=recent.begins / ahead)
            begun.append((who, start, _lengths(middle[who], spread[who], rng)))
    else:
        found = model.sampled
        rows = rng.integers(len(found.probability), size=draws)
        chance, middle, spread = found.probability[rows], found.middle[rows], found.spread[rows]
        begun.append(still_to_come(found, rows, rng))
        going_on = going_on[found.left.shape[1] :]
    for so_far in going_on:
        reached = (np.log(max(so_far - 0.5, 1e-9)) - middle) / spread
        tail = stats.norm.isf(rng.random(draws) * stats.norm.sf(reached))
        whole = np.rint(np.exp(np.minimum(middle + spread * tail, 14.0)))
        left = (whole - so_far).astype(np.int64)
        begun.append((np.arange(draws), np.zeros_like(left), left))
    return (chance, middle, spread), begun


def rates_and_gaps(low: float, median: float, high: float) -> pd.Series:
    """Tabulate the tempo that can be absorbed, as rates and as gaps.

    Parameters
    ----------
    low, median, high : float
        Attacks per day.

    Returns
    -------
    pandas.Series
        ``median_per_day, low_per_day, high_per_day, median_gap_days, low_gap_days, high_gap_days``; the low gap belongs
        to the high rate.

    Examples
    --------
    >>> float(rates_and_gaps(0.05, 0.1, 0.2)["low_gap_days"])
    5.0
    """
    return pd.Series(
        {
            "median_per_day": median,
            "low_per_day": low,
            "high_per_day": high,
            "median_gap_days": 1 / median,
            "low_gap_days": 1 / high,
            "high_gap_days": 1 / low,
        },
        name="absorbable",
    )


def changes_of(who: Integers, start: Integers, days: Integers, draws: int, n_days: int) -> Integers:
    """Give, for each future and day, how many stand-downs begin less how many have ended.

    Parameters
    ----------
    who : ndarray of int, shape (stand-downs,)
        The future that each belongs to.
    start, days : ndarray of int, shape (stand-downs,)
        First day, from 0, and length. What begins after the last day, or has no length, changes nothing.
    draws, n_days : int
        Futures and days.

    Returns
    -------
    ndarray of int, shape (draws, n_days + 1)
        Its running sum over days is the number of stand-downs in force; a day is lost where that is above 0, and once.

    Examples
    --------
    >>> found = changes_of(np.zeros(3, int), np.array([0, 1, 5]), np.array([2, 2, 9]), 1, 7)
    >>> (found.cumsum(axis=1)[0, :7] > 0).astype(int).tolist()
    [1, 1, 1, 0, 0, 1, 1]
    """
    inside = (start < n_days) & (days > 0)
    who, start, days = who[inside], start[inside], days[inside]
    row, size = who * (n_days + 1), draws * (n_days + 1)
    begun = np.bincount(row + start, minlength=size)
    ended = np.bincount(row + np.minimum(start + days, n_days), minlength=size)
    return np.asarray((begun - ended).reshape(draws, n_days + 1), dtype=np.int64)


def _blocks(counts: Integers) -> list[slice]:
    """Cut the draws into blocks that hold a bounded number of attacks."""
    total = np.cumsum(counts.sum(axis=1))
    if not len(total):
        return []
    edges = np.searchsorted(total, np.arange(_AT_ONCE, total[-1] + 1, _AT_ONCE), side="left") + 1
    places = np.unique(np.concatenate([[0], edges, [len(counts)]]))
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(places)]
