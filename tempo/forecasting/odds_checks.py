"""Could a scenario have produced what was observed? The number of attacks, and how they fall on days."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from tempo.data.rounding import interval, percent
from tempo.forecasting.day_effect import bunching, spread_over
from tempo.forecasting.evidence import Account, before_data, curve_of
from tempo.forecasting.judged import Judged
from tempo.forecasting.story_kernels import excitation, futures
from tempo.forecasting.watching import expected, mixed_quantile
from tempo.models.hawkes_kernels_random import seeds
from tempo.models.intervals import interval_levels

__all__ = ["BUNCHED", "bunching_table", "check_table", "rejected"]

type Floats = NDArray[np.float64]

#: Attacks share days more often than chance allows where the tail probability is below this.
BUNCHED = 0.025
_DRAWS = 8192
_FEW_DRAWS = 1024
#: All scenarios are called rejected where the observed number lies outside of each of these intervals.
_REJECTED = 0.95
_CAP = 1_000_000


def check_table(
    accounts: Sequence[Account],
    judged: Judged,
    prob: float,
    rng: np.random.Generator,
    draws: int = _DRAWS,
) -> pd.DataFrame:
    """Compare the number of attacks with what each scenario expected before it saw them.

    Parameters
    ----------
    accounts : sequence of Account
        The scenarios.
    judged : Judged
        The days that judged.
    prob : float
        Probability of the interval in which the observed number must lie.
    rng : numpy.random.Generator
        Draws the past anew under stories whose days hang together.
    draws : int, default 8192
        Of each story.

    Returns
    -------
    pandas.DataFrame
        See ``Weights.check``.
    """
    levels = interval_levels(prob)
    values = _shown(judged)
    observed = values.sum(axis=1).astype(np.int64)
    average: float = int(observed[0])
    seen = f"{average:,} observed"
    if (observed != average).any():  # what was observed is itself uncertain, and averaged over
        average = float(judged.share @ observed)
        many = interval(int(observed.min()), int(observed.max()))
        seen = f"{many} observed, as dates are uncertain ({average:,.1f} on average)"
    if not judged.speaks:
        return _unchecked(accounts, levels[0])
    rows = {}
    for weighed, stream in zip(accounts, rng.spawn(len(accounts)), strict=True):
        account = before_data(weighed, draws, stream)
        if account.told(slice(0, 1), judged.days).plain:
            mean = expected(account, judged.days, judged.exposure)
            tails = np.array(
                [
                    (special.pdtr(n, mean).mean(), special.pdtrc(n - 1, mean).mean() if n else 1.0)
                    for n in observed
                ]
            )
            below, above = (float(judged.share @ tail) for tail in tails.T)
            low, high = (mixed_quantile(q, mean) for q in levels)
        else:
            totals, of_series = _replicates(account, judged, stream)
            there = observed[of_series]
            below, above = float(np.mean(totals <= there)), float(np.mean(totals >= there))
            low, high = (int(q) for q in np.quantile(totals, levels, method="inverted_cdf"))
        tail = min(below, above)
        rows[account.scenario.name] = {
            "observed": average,
            "low": low,
            "high": high,
            "statistic": tail,
            "threshold": levels[0],
            "passed": bool(tail >= levels[0]),
            "meaning": f"{seen}; the scenario expected {interval(low, high)} ({percent(prob)} interval)",
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def rejected(accounts: Sequence[Account], judged: Judged, seed: Sequence[int]) -> str | None:
    """Say that the number of attacks is one that no scenario expected.

    If one of the scenarios holds, it is outside of the 95 % interval of that one, and so of all, in at most 5 % of
    all cases, however many scenarios there are.

    Parameters
    ----------
    accounts : sequence of Account
        The scenarios.
    judged : Judged
        The days that judged.
    seed : sequence of int
        Of the draws of ``check_table``.

    Returns
    -------
    str or None
        None where one of them expected it.
    """
    if not judged.speaks:
        return None
    for account in sorted(accounts, key=lambda one: -one.log_evidence[-1]):
        row = check_table([account], judged, _REJECTED, np.random.default_rng(seed), _FEW_DRAWS)
        if float(row["statistic"].iloc[0]) >= 2 * float(row["threshold"].iloc[0]):
            return None  # clearly expected: no need to look closely at the others
    table = check_table(accounts, judged, _REJECTED, np.random.default_rng(seed))
    if table["passed"].any():
        return None
    ranges = ", ".join(
        f"{name!r} {interval(low, high)}"
        for name, low, high in zip(table.index, table["low"], table["high"], strict=True)
    )
    return (
        f"No scenario expected such a number of attacks: {judged.seen} came, and they expected {ranges} "
        f"({percent(_REJECTED)} intervals). If one of them holds, this happens in at most {percent(1 - _REJECTED)} of "
        "all cases."
    )


def _unchecked(accounts: Sequence[Account], threshold: float) -> pd.DataFrame:
    """Give the check where there is nothing to check by."""
    row = {
        "observed": 0,
        "low": 0,
        "high": 0,
        "statistic": np.nan,
        "threshold": threshold,
        "passed": True,
        "meaning": "no day has judged yet; not checked",
    }
    return pd.DataFrame.from_dict({a.scenario.name: row for a in accounts}, orient="index")


def _shown(judged: Judged) -> Floats:
    """Give the attacks on days that judge, for each draw of the uncertain dates."""
    return np.where((judged.exposure > 0).all(axis=0), judged.values, 0.0)


def _replicates(
    account: Account, judged: Judged, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw the number of attacks on the judged days again, before they had any say, each after one series.

    Attacks that nobody saw set off others too, so that all are drawn, and then those that were seen.
    """
    draws = len(account.levels)
    rows = np.arange(draws)
    told = account.told(rows, judged.days)
    of_series = spread_over(judged.share, draws)
    if len(judged.share) > 1:
        of_series = np.random.default_rng(1).permutation(of_series)
    state = np.zeros(draws)
    if told.branching.size:
        for s, lead in enumerate(judged.lead):
            after = np.flatnonzero(of_series == s)
            left = np.zeros(len(after))
            excitation(lead, told.decay[after], left)
            state[after] = left
    out = np.empty(told.rate.shape, dtype=np.int64)
    futures(
        told.rate,
        told.branching,
        told.decay,
        told.dispersion,
        state,
        seeds(rng, draws),
        _CAP,
        out,
    )
    curve = curve_of(draws, len(judged.exposure))
    return np.asarray(rng.binomial(out, judged.exposure[curve]).sum(axis=1)), of_series


def bunching_table(
    accounts: Sequence[Account], judged: Judged, rng: np.random.Generator
) -> pd.DataFrame:
    """Compare how often attacks share a day with what each scenario without a day effect expects.

    Parameters
    ----------
    accounts : sequence of Account
        The scenarios.
    judged : Judged
        The days that judged.
    rng : numpy.random.Generator
        Draws replicates.

    Returns
    -------
    pandas.DataFrame
        See ``Weights.check_days``.
    """
    values = _shown(judged)
    pairs = float(judged.share @ (values * (values - 1) / 2).sum(axis=1))
    rows = {}
    for account, stream in zip(accounts, rng.spawn(len(accounts)), strict=True):
        chosen = stream.choice(len(account.levels), size=512, p=account.weights)
        told = account.told(chosen, judged.days)
        row: dict[str, object] = {
            "pairs": pairs,
            "expected": np.nan,
            "statistic": np.nan,
            "threshold": BUNCHED,
            "passed": True,
            "meaning": "its days bunch or hang together by themselves; not checked",
        }
        if told.plain:
            shown = judged.exposure[curve_of(512, len(judged.exposure))]
            observed, mean, tail = bunching(
                values, told.rate * shown, np.full(512, 1 / 512), stream, judged.share
            )
            row |= {
                "expected": mean,
                "statistic": tail,
                "passed": bool(tail >= BUNCHED),
                "meaning": f"{observed:,.1f}".removesuffix(".0")
                + f" pairs of attacks on the same day; independent attacks give {mean:,.1f}",
            }
        rows[account.scenario.name] = row
    return pd.DataFrame.from_dict(rows, orient="index")
