"""What would change our mind: chances of each number of attacks and of silence, and which of them lift a scenario."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from tempo.errors import ScenarioError
from tempo.forecasting.evidence import Account, blocks, curve_of
from tempo.forecasting.scenario_paths import MarksSeen, scenario_paths
from tempo.forecasting.story_kernels import silence
from tempo.forecasting.watch_kernels import late_silence, total_chances

__all__ = [
    "chance_table",
    "expected",
    "mixed_quantile",
    "silence_table",
    "silent",
    "threshold_table",
]

type Floats = NDArray[np.float64]

_MOST = 20_000  # attacks in a table of chances
_FUTURES = 20_000
_RARE = 5e-4
_STEPS = 15_000_000  # days, points and draws of a generating function, together
_LEAST_AND_MOST = (128, 8192)  # of its draws
_LATE_STEPS = 300_000_000  # draws and pairs of days of a silence under late reports, together


def expected(account: Account, days: pd.DatetimeIndex, curves: Floats | None = None) -> Floats:
    """Give the expected number of reported attacks on these days without offspring, for each draw.

    Parameters
    ----------
    account : Account
        The scenario.
    days : pandas.DatetimeIndex
        Days.
    curves : ndarray of float, shape (curves, days), optional
        Share of each that is observed; each draw has one of the curves. All of it when left out.

    Returns
    -------
    ndarray of float, shape (draws,)
        Totals.
    """
    draws = len(account.levels)
    shown = np.ones((1, len(days))) if curves is None else curves
    curve = curve_of(draws, len(shown))
    return np.concatenate(
        [
            (account.told(block, days).rate * shown[curve[block]]).sum(axis=1)
            for block in blocks(draws, len(days))
        ]
    )


def chance_table(
    accounts: Sequence[Account],
    days: pd.DatetimeIndex,
    rng: np.random.Generator,
    share: Floats | None = None,
) -> pd.DataFrame:
    """Give the probability of each number of attacks over some days, under each scenario.

    Parameters
    ----------
    accounts : sequence of Account
        The scenarios.
    days : pandas.DatetimeIndex
        The future.
    rng : numpy.random.Generator
        Draws what has to be drawn; the numbers themselves are never drawn.
    share : ndarray of float, shape (curves, days), optional
        Share of the attacks of a day that is in the record so many days later; then those are counted that are in the
        record on the last of the days. Without it all are.

    Returns
    -------
    pandas.DataFrame
        Indexed by the number of attacks; one column for each scenario.

    Raises
    ------
    ScenarioError
        If so many attacks may come that the table would be too long.
    """
    shown = np.ones((1, len(days))) if share is None else np.ascontiguousarray(share[:, ::-1])
    parts = [
        _Hanging.of(account, days, stream, shown)
        if account.told(slice(0, 1), days).branching.size
        else _Mixture.of(account, days, stream, shown)
        for account, stream in zip(accounts, rng.spawn(len(accounts)), strict=True)
    ]
    most = max(1, *(part.most for part in parts))
    if most > _MOST:
        raise ScenarioError(
            f"within {len(days)} days there may be {most:,} attacks; a table of chances holds at most {_MOST:,}. "
            "Choose a shorter horizon."
        )
    columns = {
        account.scenario.name: part.chances(most)
        for account, part in zip(accounts, parts, strict=True)
    }
    return pd.DataFrame(columns, index=pd.RangeIndex(most + 1, name="attacks"))


@dataclass(frozen=True, slots=True, eq=False)
class _Mixture:
    """A number of attacks that is Poisson, given its mean."""

    mean: Floats
    worth: Floats
    most: int

    @classmethod
    def of(
        cls, account: Account, days: pd.DatetimeIndex, rng: np.random.Generator, shown: Floats
    ) -> Self:
        if account.told(slice(0, 1), days).plain:
            mean, worth = expected(account, days, shown), account.weights
        else:  # futures whose days have been drawn busier or calmer, without their Poisson noise
            rows, _ = account.picked(_FUTURES, rng)
            told = account.told(rows, days)
            rate = told.rate * shown[curve_of(len(account.levels), len(shown))[rows]]
            mean = (rate * _busier(told.dispersion, rate.shape, rng)).sum(axis=1)
            worth = np.full(_FUTURES, 1 / _FUTURES)
        order = np.argsort(mean)
        reached = int(np.searchsorted(np.cumsum(worth[order]), 0.995))
        upper = mean[order][min(reached, len(order) - 1)]
        return cls(mean, worth, int(stats.poisson.ppf(0.999, upper)))

    def chances(self, most: int) -> Floats:
        n = np.arange(most + 1)
        chances = [
            np.exp(
                special.xlogy(n[block, None], self.mean)
                - self.mean
                - special.gammaln(n[block, None] + 1.0)
            )
            @ self.worth
            for block in blocks(len(n), len(self.mean))
        ]
        return np.concatenate(chances)


@dataclass(frozen=True, slots=True, eq=False)
class _Hanging:
    """A number of attacks that set off others: exact given the draw of the story, by its generating function."""

    account: Account
    days: pd.DatetimeIndex
    rng: np.random.Generator
    shown: Floats
    most: int

    @classmethod
    def of(
        cls, account: Account, days: pd.DatetimeIndex, rng: np.random.Generator, shown: Floats
    ) -> Self:
        paths = scenario_paths(account, days, _FUTURES, rng, seen=MarksSeen(), reported_only=True)
        most = int(np.quantile(paths.counts.sum(axis=1), 0.999))
        return cls(account, days, rng, shown, most)

    def chances(self, most: int) -> Floats:
        length = most + 1
        half = length // 2 + 1
        size = _STEPS // (half * len(self.days))
        rows, worth, state = self.account.spread(int(np.clip(size, *_LEAST_AND_MOST)), self.rng)
        told = self.account.told(rows, self.days)
        rate, branching = told.rate, told.branching
        if told.dispersion.size:  # given how busy the days are, they are Poisson
            effect = _busier(told.dispersion, rate.shape, self.rng)
            rate, branching = rate * effect, branching * effect
        # On a circle within the unit circle what lies beyond the table counts for 1e-8 of itself.
        radius = 10 ** (-8 / length)
        points = radius * np.exp(-2j * np.pi * np.arange(half) / length)
        out = np.empty(half, dtype=complex)
        total_chances(
            rate,
            branching,
            told.decay,
            np.zeros(len(rows)) if state is None else state,
            self.shown,
            curve_of(len(self.account.levels), len(self.shown))[rows],
            worth,
            points,
            out,
        )
        chances = np.fft.irfft(out, length) / radius ** np.arange(length)
        return np.asarray(np.maximum(chances, 0.0))


def _busier(dispersion: Floats, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Draw how much busier or calmer each day is than its mean."""
    spread = np.maximum(dispersion, 1e-9)[:, None]
    return np.asarray(rng.gamma(np.broadcast_to(1 / spread, shape)) * spread)


def silent(
    account: Account,
    days: pd.DatetimeIndex,
    rng: np.random.Generator,
    share: Floats | None = None,
) -> Floats:
    """Give the log-probability that no attack is reported up to each day.

    Parameters
    ----------
    account : Account
        The scenario.
    days : pandas.DatetimeIndex
        The future.
    rng : numpy.random.Generator
        Spreads the draws of stories whose days hang together, where reports come late.
    share : ndarray of float, shape (curves, days), optional
        Share of the attacks of a day that is in the record so many days later; then the record shows no attack of
        these days by the end of each of them. Without it all are.

    Returns
    -------
    ndarray of float, shape (days + 1,)
        Before the first day, and after each.
    """
    if share is not None:
        return np.concatenate([[0.0], _late_silence(account, days, rng, share)])
    total = np.full(len(days), -np.inf)
    weights = account.weights
    series = 1 if account.state is None else account.state.shape[1]
    for block in blocks(len(account.levels), len(days)):
        told = account.told(block, days)
        for s in range(series):
            state = np.zeros(len(told.rate)) if account.state is None else account.state[block, s]
            worth = weights[block] * (
                1.0 if account.state is None else account.series_weights[block, s]
            )
            out = np.empty(told.rate.shape)
            silence(
                told.rate,
                told.branching,
                told.decay,
                told.dispersion,
                np.ascontiguousarray(state),
                out,
            )
            total = np.logaddexp(total, special.logsumexp(out, b=worth[:, None], axis=0))
    return np.concatenate([[0.0], total])


def _late_silence(
    account: Account, days: pd.DatetimeIndex, rng: np.random.Generator, share: Floats
) -> Floats:
    n, curve = len(days), curve_of(len(account.levels), len(share))
    if account.told(slice(0, 1), days).plain:
        age = np.arange(n)[None, :] - np.arange(n)[:, None]  # of a day, by the end of another
        total = np.full(n, -np.inf)
        for c, one in enumerate(share):
            seen = np.where(age >= 0, one[np.maximum(age, 0)], 0.0)
            rows = np.flatnonzero(curve == c)
            for block in blocks(len(rows), n):
                mean = account.told(rows[block], days).rate @ seen
                worth = account.weights[rows[block], None]
                total = np.logaddexp(total, special.logsumexp(-mean, b=worth, axis=0))
        return total
    size = int(np.clip(2 * _LATE_STEPS // n**2, *_LEAST_AND_MOST))
    rows, worth, state = account.spread(size, rng)
    told = account.told(rows, days)
    rate, branching, dispersion = told.rate, told.branching, told.dispersion
    if branching.size and dispersion.size:
        effect = _busier(dispersion, rate.shape, rng)
        rate, branching, dispersion = rate * effect, branching * effect, np.empty(0)
    out = np.empty(rate.shape)
    late_silence(
        rate,
        branching,
        told.decay,
        dispersion,
        np.zeros(len(rows)) if state is None else state,
        np.ascontiguousarray(share),
        curve[rows],
        out,
    )
    return np.asarray(special.logsumexp(out, b=worth[:, None], axis=0))


def threshold_table(
    tables: dict[int, pd.DataFrame], names: Sequence[str], end: pd.Timestamp, threshold: float
) -> pd.DataFrame:
    """Say how many attacks by which date lift a scenario past a threshold.

    Parameters
    ----------
    tables : dict of int to DataFrame
        Indicators, by horizon in days.
    names : sequence of str
        The scenarios.
    end : pandas.Timestamp
        End of the data.
    threshold : float
        Probability to reach.

    Returns
    -------
    pandas.DataFrame
        See ``Weights.thresholds``.
    """
    rows = {}
    for horizon, table in tables.items():
        last = end + pd.Timedelta(days=horizon - 1)
        for name in names:
            after = table[("probability", name)].to_numpy()
            lifted = np.nan_to_num(after) >= threshold
            # Numbers that hardly occur say what the nearest do that occur: where chances are simulated, they are noise.
            common = np.flatnonzero(table[("chance", "any")].to_numpy() >= _RARE)
            lifted[: common[0]], lifted[common[-1] + 1 :] = lifted[common[0]], lifted[common[-1]]
            least = most = np.nan
            words = "no number does"
            if lifted.any():
                places = np.flatnonzero(lifted)
                runs = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
                words = ", ".join(_run(run[0], run[-1], len(table) - 1) for run in runs)
                least, most = float(places[0]), float(places[-1])
                if most == len(table) - 1 and least > 0:
                    most = np.inf
            chance = table["chance"][lifted].sum()
            rows[(horizon, name)] = {
                "by": last,
                "attacks": words,
                "least": least,
                "most": most,
                **{f"chance under {k}": float(chance[k]) for k in (*names, "any")},
            }
    out = pd.DataFrame.from_dict(rows, orient="index")
    out.index = pd.MultiIndex.from_tuples(rows, names=["days", "lifts"])
    out.attrs["threshold"] = threshold
    return out


def silence_table(
    logs: Floats, probabilities: pd.Series, end: pd.Timestamp, threshold: float
) -> pd.DataFrame:
    """Say how long a silence lifts a scenario past a threshold, and how probable it is.

    Parameters
    ----------
    logs : ndarray of float, shape (days + 1, scenarios)
        Log-probability of no attack, before the first day and after each.
    probabilities : pandas.Series
        What the scenarios are worth now.
    end : pandas.Timestamp
        End of the data.
    threshold : float
        Probability to reach.

    Returns
    -------
    pandas.DataFrame
        See ``Weights.silence``.
    """
    now = probabilities.to_numpy()
    reached = special.softmax(logs + np.log(now), axis=1) >= threshold
    rows = {}
    for k, name in enumerate(probabilities.index):
        days = int(reached[:, k].argmax())
        some = bool(reached[:, k].any())
        chances = np.exp(logs[days]) if some else np.full(len(now), np.nan)
        rows[name] = {
            "days": float(days) if some else np.nan,
            "weeks": days / 7 if some else np.nan,
            "until": end + pd.Timedelta(days=days - 1) if some else pd.NaT,
            **{
                f"chance under {other}": float(chance)
                for other, chance in zip(probabilities.index, chances, strict=True)
            },
            "chance under any": float(now @ chances),
        }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = "lifts"
    table.attrs["threshold"] = threshold
    return table


def _run(first: int, last: int, longest: int) -> str:
    """Say the numbers from the first to the last, of a table that ends with the longest."""
    if last == longest:
        return f"{first:,} or more" if first else "any number"
    if first == last:
        return f"{first:,}" if first else "none"
    return f"{first:,} to {last:,}" if first else f"{last:,} or fewer"


def mixed_quantile(level: float, mean: Floats) -> int:
    """Give the smallest number whose cumulative probability under an equal mixture of Poissons reaches the level.

    Parameters
    ----------
    level : float
        Between 0 and 1.
    mean : ndarray of float
        Means of the Poisson distributions.

    Returns
    -------
    int
        The quantile.
    """
    low, high = -1, 1
    while special.pdtr(high, mean).mean() < level:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if special.pdtr(middle, mean).mean() < level:
            low = middle
        else:
            high = middle
    return high
