"""How long it takes until the question is decided: odds along simulated futures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from tempo.data.rounding import percent
from tempo.errors import OptionError
from tempo.forecasting.evidence import Account, Told
from tempo.forecasting.scenario_paths import attacks
from tempo.forecasting.spans import check_draws, is_number
from tempo.forecasting.watch_kernels import evidence_along, evidence_along_plain
from tempo.models.intervals import interval_levels, require_prob

__all__ = ["decision_table"]

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]

_CHECKS, _LATE_CHECKS = 60, 20
_BLOCK = 1000  # futures at a time
#: Draws of a story that tell its odds, at least and at most, and how many steps they may take in all.
_LEAST, _MOST_DRAWS = 256, 8192
_PLAIN_STEPS, _STEPS = 2_000_000_000, 700_000_000
_ALL = 0.995  # a day whose attacks are in the record to this share counts as whole
_CELLS = 4096  # distinct rates of a story whose rate stays


@dataclass(frozen=True, slots=True, eq=False)
class _Watch:
    """On which days one looks, and what is in the record by then.

    Attributes
    ----------
    checked : ndarray of int
        Days, from 0 on.
    share : ndarray of float, shape (ages,)
        Of the attacks of a day so many days later; the last one is 1.
    """

    checked: Ints
    share: Floats

    def by_check(self, days: int) -> Floats:
        """Give the share of each day that is in the record by each checked day, shape (days, checked)."""
        age = self.checked[None, :] - np.arange(days)[:, None]
        return np.where(age < 0, 0.0, self.share[np.clip(age, 0, len(self.share) - 1)])


@dataclass(frozen=True, slots=True, eq=False)
class _Reports:
    """Attacks of some futures as they come into the record: those of one future, day and first checked day together."""

    future: Ints
    check: Ints
    day: Ints
    number: Ints
    known: Ints  # by future, day and age

    @classmethod
    def of(cls, paths: Ints, watch: _Watch, rng: np.random.Generator) -> _Reports:
        ages = len(watch.share)
        future, day = np.nonzero(paths)
        number = paths[future, day]
        if ages == 1:
            known = paths[:, :, None]
            age = np.zeros(len(day), dtype=np.int64)
        else:
            future, day = np.repeat(future, number), np.repeat(day, number)
            age = np.searchsorted(watch.share, rng.random(len(day)), side="right")
            known = np.zeros((*paths.shape, ages), dtype=np.int64)
            np.add.at(known, (future, day, age), 1)
            known = np.cumsum(known, axis=2)
            number = np.ones(len(day), dtype=np.int64)
        check = np.searchsorted(watch.checked, day + age)
        seen = check < len(watch.checked)
        keys = np.stack([future, check, day])[:, seen]
        found, place = np.unique(keys, axis=1, return_inverse=True)
        many = np.bincount(place.ravel(), weights=number[seen], minlength=found.shape[1])
        return cls(found[0], found[1], found[2], many.astype(np.int64), known)

    def totals(self, checks: int) -> Ints:
        """Give the attacks in the record by each checked day, shape (futures, checked)."""
        out = np.zeros((len(self.known), checks), dtype=np.int64)
        np.add.at(out, (self.future, self.check), self.number)
        return np.cumsum(out, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class _Odds:
    """A story, ready to say how probable it makes a future."""

    told: Told
    worth: Floats
    state: Floats
    watch: _Watch
    stays: bool

    @classmethod
    def of(
        cls,
        account: Account,
        days: pd.DatetimeIndex,
        watch: _Watch,
        futures: int,
        rng: np.random.Generator,
    ) -> _Odds:
        """Take as many draws of the story as time allows."""
        few = account.told(np.arange(min(256, len(account.levels))), days)
        stays = few.plain and bool((few.rate == few.rate[:, :1]).all())
        if stays:
            size = len(account.levels)
        elif few.plain:
            size = _PLAIN_STEPS // (futures * len(watch.checked))
        else:
            late = len(watch.checked) * (len(watch.share) - 1)
            size = _STEPS // (futures * (len(days) + late))
        rows, worth, state = account.spread(
            int(np.clip(size, _LEAST, _MOST_DRAWS * 2 if stays else _MOST_DRAWS)), rng
        )
        told = account.told(rows, days)
        stays = stays and bool((told.rate == told.rate[:, :1]).all())
        return cls(told, worth, np.zeros(len(rows)) if state is None else state, watch, stays)

    def log_chance(self, reports: _Reports) -> Floats:
        """Give the log-probability of futures up to each checked day, shape (futures, checked)."""
        checks = self.watch.checked
        futures, days = reports.known.shape[:2]
        if self.stays:
            return self._steady(reports.totals(len(checks)), days)
        out = np.empty((futures, len(checks)))
        if self.told.plain:
            with np.errstate(divide="ignore"):
                logs = np.maximum(np.log(self.told.rate), -1e9)
            evidence_along_plain(
                np.searchsorted(reports.future, np.arange(futures + 1)),
                reports.check,
                reports.day,
                reports.number,
                np.ascontiguousarray(logs.T),
                np.ascontiguousarray((self.told.rate @ self.watch.by_check(days)).T),
                np.log(self.worth),
                out,
            )
            return out
        evidence_along(
            np.ascontiguousarray(reports.known),
            self.watch.share,
            self.told.rate,
            self.told.branching,
            self.told.decay,
            self.told.dispersion,
            self.state,
            self.worth,
            checks,
            out,
        )
        return out

    def _steady(self, totals: Ints, days: int) -> Floats:
        """Do so where the rate stays: the number of attacks says all."""
        rate, worth = _cells(self.told.rate[:, 0], self.worth)
        observed = self.watch.by_check(days).sum(axis=0)
        out = np.empty(totals.shape)
        with np.errstate(divide="ignore"):
            logs, log_worth = np.log(rate), np.log(worth)
        for c, column in enumerate(totals.T):
            n, place = np.unique(column, return_inverse=True)
            each = special.xlogy(n[:, None], rate) if np.isneginf(logs).any() else n[:, None] * logs
            out[:, c] = special.logsumexp(each - rate * observed[c] + log_worth, axis=1)[place]
        return out


def _cells(rate: Floats, worth: Floats) -> tuple[Floats, Floats]:
    """Join draws whose rates hardly differ."""
    if len(rate) <= _CELLS or rate.min() <= 0 or rate.min() == rate.max():
        return rate, worth
    edges = np.geomspace(rate.min(), rate.max(), _CELLS + 1)
    cell = np.clip(np.searchsorted(edges, rate, side="right") - 1, 0, _CELLS - 1)
    total = np.bincount(cell, weights=worth, minlength=_CELLS)
    mean = np.bincount(cell, weights=worth * rate, minlength=_CELLS)
    return mean[total > 0] / total[total > 0], total[total > 0]


def _futures(
    account: Account, days: pd.DatetimeIndex, futures: int, rng: np.random.Generator
) -> Ints:
    """Draw futures of reported attacks under what the observed days leave of a story."""
    rows, state = account.picked(futures, rng)
    told = account.told(rows, days)
    return np.asarray(attacks(account, rows, state, told, rng, reported_only=True), dtype=np.int64)


def decision_table(
    accounts: Sequence[Account],
    probabilities: pd.Series,
    days: pd.DatetimeIndex,
    rng: np.random.Generator,
    *,
    threshold: float,
    futures: int,
    prob: float,
    share: Floats | None = None,
) -> pd.DataFrame:
    """Simulate futures under each scenario, and see when their odds pass a threshold.

    Parameters
    ----------
    accounts : sequence of Account
        The scenarios.
    probabilities : pandas.Series
        What they are worth now.
    days : pandas.DatetimeIndex
        The future.
    rng : numpy.random.Generator
        Draws the futures.
    threshold : float
        Probability at which the question counts as decided.
    futures : int
        How many for each scenario.
    prob : float
        Probability of the interval from low to high.
    share : ndarray of float, shape (curves, days), optional
        Share of the attacks of a day that is in the record so many days later; the mean of the curves is taken.
        Without it all are.

    Returns
    -------
    pandas.DataFrame
        See ``Weights.time_to_decision``.
    """
    require_prob(prob)
    now = probabilities.to_numpy()
    if not is_number(threshold) or not 1 / len(now) < threshold < 1:
        raise OptionError(
            f"threshold is {threshold!r}; expected a probability above {1 / len(now):.2g} and below 1, such as 0.9."
        )
    n = len(days)
    check_draws(futures, n, "futures")
    plain = all(account.told(slice(0, 1), days).plain for account in accounts)
    # Where days hang together and reports come late, each look takes all that is not yet whole again.
    step = -(-n // (_CHECKS if plain or share is None else _LATE_CHECKS))
    checked = np.unique(np.append(np.arange(step - 1, n, step), n - 1))
    watch = _Watch(checked, _whole(share))
    draw, pick = rng.spawn(2)
    stories = [
        _Odds.of(account, days, watch, futures * len(accounts) ** 2, stream)
        for account, stream in zip(accounts, pick.spawn(len(accounts)), strict=True)
    ]
    names = list(probabilities.index)
    waits, winners = [], []
    for account, stream in zip(accounts, draw.spawn(len(accounts)), strict=True):
        paths = _futures(account, days, futures, stream)
        parts = []
        for first in range(0, futures, _BLOCK):
            reports = _Reports.of(paths[first : first + _BLOCK], watch, stream)
            parts.append(np.stack([story.log_chance(reports) for story in stories], axis=2))
        logs = np.concatenate(parts)
        # What no story gives any chance leaves the odds as they were.
        logs = np.where(np.isneginf(logs).all(axis=2, keepdims=True), 0.0, logs)
        odds = special.softmax(logs + np.log(now), axis=2)
        odds = np.concatenate([np.broadcast_to(now, (futures, 1, len(now))), odds], axis=1)
        passed = odds >= threshold
        some = passed.any(axis=2)
        first_ = some.argmax(axis=1)
        decided = some.any(axis=1)
        when = np.concatenate([[0], checked + 1])
        waits.append(np.where(decided, when[first_], np.inf))
        winner = odds[np.arange(futures), first_].argmax(axis=1)
        winners.append(np.where(decided, winner, -1))
    rows_ = {
        name: _decisions(waits[k], winners[k], np.full(futures, k), np.ones(futures), prob)
        for k, name in enumerate(names)
    }
    truth = np.repeat(np.arange(len(names)), futures)
    rows_["any"] = _decisions(
        np.concatenate(waits), np.concatenate(winners), truth, np.repeat(now, futures), prob
    )
    table = pd.DataFrame.from_dict(rows_, orient="index")
    table.index.name = "if this holds"
    table.attrs |= {
        "threshold": threshold,
        "horizon_days": n,
        "checked_every_days": step,
        "prob": prob,
        "notes": _incoherent(rows_["any"], threshold, futures * len(names)),
    }
    return table


def _whole(share: Floats | None) -> Floats:
    """Give the share in the record by age, up to the first age at which all is."""
    if share is None:
        return np.ones(1)
    mean = share.mean(axis=0)
    mean = np.where(mean > _ALL, 1.0, mean)
    return mean[: int(np.argmax(mean)) + 1] if mean[-1] == 1.0 else np.append(mean, 1.0)


def _incoherent(row: dict[str, float], threshold: float, futures: int) -> tuple[str, ...]:
    """Say so where more decisions are wrong than odds that were exact would allow."""
    decided = 1.0 - row["undecided"]
    if decided <= 0:
        return ()
    wrong, most = row["wrongly"] / decided, 1.0 - threshold
    if wrong <= most + 2 * np.sqrt(most * threshold / (decided * futures)):
        return ()
    note = (
        f"{percent(wrong)} of the decisions are wrong, and exact odds allow {percent(most)} at most: the draws of a "
        "story are too few for so many attacks, and decisions come out too early. Choose a shorter horizon, or fewer "
        "futures, which leaves time for more draws."
    )
    return (note,)


def _decisions(
    waits: Floats,
    winners: NDArray[np.int64],
    truth: NDArray[np.int64],
    weights: Floats,
    prob: float,
) -> dict[str, float]:
    share = weights / weights.sum()
    order = np.argsort(waits, kind="stable")
    reached = np.cumsum(share[order])

    def quantile(level: float) -> float:
        place = min(int(np.searchsorted(reached, level - 1e-12)), len(order) - 1)
        return float(waits[order][place])

    decided = winners >= 0
    chance = float(share[decided].sum())
    low, high = interval_levels(prob)
    return {
        "rightly": float(share[winners == truth].sum()),
        "wrongly": float(share[decided & (winners != truth)].sum()),
        "undecided": max(1.0 - chance, 0.0),
        "median_days": quantile(0.5),
        "low_days": quantile(low),
        "high_days": quantile(high),
        "mean_days_if_decided": float((share[decided] * waits[decided]).sum() / chance)
        if chance
        else np.nan,
    }
