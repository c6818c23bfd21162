"""What would change our mind: odds after each number of attacks, after silence, and when the question is decided."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from tempo.errors import OptionError, ScenarioError
from tempo.forecasting.evidence import Account, blocks, curve_of
from tempo.forecasting.scenario_paths import MarksSeen, scenario_paths
from tempo.forecasting.spans import check_draws, is_number
from tempo.forecasting.story_kernels import silence
from tempo.forecasting.watch_kernels import evidence_along, evidence_along_plain
from tempo.models.intervals import interval_levels, require_prob

__all__ = [
    "chance_table",
    "decision_table",
    "expected",
    "mixed_quantile",
    "silent",
    "threshold_table",
]

type Floats = NDArray[np.float64]

_MOST = 20_000  # attacks in a table of chances
_FUTURES = 20_000
_PARTICLES = 512
_CHECKS = 60
_RARE = 5e-4


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
    accounts: Sequence[Account], days: pd.DatetimeIndex, rng: np.random.Generator
) -> pd.DataFrame:
    """Give the probability of each number of attacks over some days, under each scenario.

    Parameters
    ----------
    accounts : sequence of Account
        The scenarios.
    days : pandas.DatetimeIndex
        The future.
    rng : numpy.random.Generator
        Draws futures of the stories whose days hang together.

    Returns
    -------
    pandas.DataFrame
        Indexed by the number of attacks; one column for each scenario.

    Raises
    ------
    ScenarioError
        If so many attacks may come that the table would be too long.
    """
    streams = rng.spawn(len(accounts))
    means: list[Floats | None] = []
    drawn: list[NDArray[np.int64] | None] = []
    most = 1
    weights: list[Floats] = []
    for account, stream in zip(accounts, streams, strict=True):
        told = account.told(slice(0, 1), days)
        if told.branching.size:
            paths = scenario_paths(
                account, days, _FUTURES, stream, seen=MarksSeen(), reported_only=True
            )
            totals = paths.counts.sum(axis=1)
            most = max(most, int(np.quantile(totals, 0.999)))
            means.append(None)
            weights.append(np.empty(0))
            drawn.append(totals)
            continue
        if told.plain:
            mean, share = expected(account, days), account.weights
        else:
            mean, share = _with_day_effects(account, days, stream), np.full(_FUTURES, 1 / _FUTURES)
        order = np.argsort(mean)
        reached = int(np.searchsorted(np.cumsum(share[order]), 0.995))
        upper = mean[order][min(reached, len(order) - 1)]
        most = max(most, int(stats.poisson.ppf(0.999, upper)))
        means.append(mean)
        weights.append(share)
        drawn.append(None)
    if most > _MOST:
        raise ScenarioError(
            f"within {len(days)} days there may be {most:,} attacks; a table of chances holds at most {_MOST:,}. "
            "Choose a shorter horizon."
        )
    n = np.arange(most + 1)
    columns = {}
    for account, exact, worth, sampled in zip(accounts, means, weights, drawn, strict=True):
        if exact is not None:
            columns[account.scenario.name] = _mixed_poisson(n, exact, worth)
        elif sampled is not None:
            columns[account.scenario.name] = (
                np.bincount(np.minimum(sampled, most + 1), minlength=most + 2)[:-1] / _FUTURES
            )
    return pd.DataFrame(columns, index=pd.Index(n, name="attacks"))


def _with_day_effects(account: Account, days: pd.DatetimeIndex, rng: np.random.Generator) -> Floats:
    """Give the expected number of futures whose days have been drawn busier or calmer, without their Poisson noise."""
    rows, _ = account.picked(_FUTURES, rng)
    told = account.told(rows, days)
    spread = np.maximum(told.dispersion, 1e-9)[:, None]
    effect = rng.gamma(np.broadcast_to(1 / spread, told.rate.shape)) * spread
    return np.asarray((told.rate * effect).sum(axis=1))


def silent(account: Account, days: pd.DatetimeIndex) -> Floats:
    """Give the log-probability that no attack is reported up to each day.

    Parameters
    ----------
    account : Account
        The scenario.
    days : pandas.DatetimeIndex
        The future.

    Returns
    -------
    ndarray of float, shape (days + 1,)
        Before the first day, and after each.
    """
    total = np.full(len(days), -np.inf)
    weights = account.weights
    series = 1 if account.state is None else account.state.shape[1]
    for block in blocks(len(account.levels), len(days)):
        told = account.told(block, days)
        for s in range(series):
            state = np.zeros(len(told.rate)) if account.state is None else account.state[block, s]
            share = weights[block] * (
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
            total = np.logaddexp(total, special.logsumexp(out, b=share[:, None], axis=0))
    return np.concatenate([[0.0], total])


def decision_table(
    accounts: Sequence[Account],
    probabilities: pd.Series,
    days: pd.DatetimeIndex,
    rng: np.random.Generator,
    *,
    threshold: float,
    futures: int,
    prob: float,
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
    step = -(-n // _CHECKS)
    checked = np.unique(np.append(np.arange(step - 1, n, step), n - 1))
    check = np.full(n, -1)
    check[checked] = np.arange(len(checked))
    draw, pick = rng.spawn(2)
    stories = []
    for account, stream in zip(accounts, pick.spawn(len(accounts)), strict=True):
        rows, state = account.picked(_PARTICLES, stream)
        told = account.told(rows, days)
        zero = np.zeros(_PARTICLES) if state is None else np.ascontiguousarray(state)
        stories.append((told, told.rate, zero))
    names = list(probabilities.index)
    waits, winners = [], []
    for account, stream in zip(accounts, draw.spawn(len(accounts)), strict=True):
        drawn = scenario_paths(account, days, futures, stream, seen=MarksSeen(), reported_only=True)
        paths = np.ascontiguousarray(drawn.counts, dtype=np.int64)
        logs = np.empty((futures, len(checked), len(accounts)))
        for k, (told, rate, state) in enumerate(stories):
            out = np.empty((futures, len(checked)))
            if told.plain:
                evidence_along_plain(paths, rate, checked, out)
            else:
                evidence_along(
                    paths,
                    rate,
                    told.branching,
                    told.decay,
                    told.dispersion,
                    state,
                    check,
                    out,
                )
            logs[:, :, k] = out
        odds = special.softmax(logs + np.log(now), axis=2)
        odds = np.concatenate([np.broadcast_to(now, (futures, 1, len(now))), odds], axis=1)
        passed = odds >= threshold
        some = passed.any(axis=2)
        first = some.argmax(axis=1)
        decided = some.any(axis=1)
        when = np.concatenate([[0], checked + 1])
        waits.append(np.where(decided, when[first], np.inf))
        winner = odds[np.arange(futures), first].argmax(axis=1)
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
    }
    return table


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


def _run(first: int, last: int, longest: int) -> str:
    """Say the numbers from the first to the last, of a table that ends with the longest."""
    if last == longest:
        return f"{first:,} or more" if first else "any number"
    if first == last:
        return f"{first:,}" if first else "none"
    return f"{first:,} to {last:,}" if first else f"{last:,} or fewer"


def _mixed_poisson(n: NDArray[np.int64], mean: Floats, weights: Floats) -> Floats:
    """Give the probability of each number under a weighted mixture of Poisson distributions."""
    chances = [
        np.exp(special.xlogy(n[block, None], mean) - mean - special.gammaln(n[block, None] + 1.0))
        @ weights
        for block in blocks(len(n), len(mean))
    ]
    return np.concatenate(chances)


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
