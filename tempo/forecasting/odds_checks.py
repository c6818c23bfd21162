"""Could a scenario have produced what was observed? The number of attacks, and how they fall on days."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from tempo.data.rounding import interval, percent
from tempo.forecasting.day_effect import bunching
from tempo.forecasting.evidence import Account, before_data
from tempo.forecasting.judged import Judged
from tempo.forecasting.story_kernels import excitation, futures
from tempo.forecasting.watching import expected, mixed_quantile
from tempo.models.hawkes_kernels_random import seeds
from tempo.models.intervals import interval_levels

__all__ = ["BUNCHED", "bunching_table", "check_table"]

type Floats = NDArray[np.float64]

#: Attacks share days more often than chance allows where the tail probability is below this.
BUNCHED = 0.025
_DRAWS = 8192
_CAP = 1_000_000


def check_table(
    accounts: Sequence[Account], judged: Judged, prob: float, rng: np.random.Generator
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

    Returns
    -------
    pandas.DataFrame
        See ``Weights.check``.
    """
    levels = interval_levels(prob)
    exposure = judged.exposure.mean(axis=0)
    observed = judged.counts[0].events
    rows = {}
    for weighed, stream in zip(accounts, rng.spawn(len(accounts)), strict=True):
        account = before_data(weighed, _DRAWS, stream)
        if account.told(slice(0, 1), judged.days).plain:
            mean = expected(account, judged.days, exposure)
            below = float(special.pdtr(observed, mean).mean())
            above = float(special.pdtrc(observed - 1, mean).mean()) if observed else 1.0
            low, high = (mixed_quantile(q, mean) for q in levels)
        else:
            totals = _replicates(account, judged, exposure, stream)
            below, above = float(np.mean(totals <= observed)), float(np.mean(totals >= observed))
            low, high = (int(q) for q in np.quantile(totals, levels, method="inverted_cdf"))
        tail = min(below, above)
        rows[account.scenario.name] = {
            "observed": observed,
            "low": low,
            "high": high,
            "statistic": tail,
            "threshold": levels[0],
            "passed": bool(tail >= levels[0]),
            "meaning": (
                f"{observed:,} observed; the scenario expected {interval(low, high)} ({percent(prob)} interval)"
            ),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _replicates(
    account: Account, judged: Judged, exposure: Floats, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw the number of attacks on the judged days again, before they had any say.

    Attacks that nobody saw set off others too, so that all are drawn, and then those that were seen.
    """
    rows = np.arange(len(account.levels))
    told = account.told(rows, judged.days)
    state = np.zeros(len(rows))
    if told.branching.size:
        excitation(judged.lead[0], told.decay, state)
    out = np.empty(told.rate.shape, dtype=np.int64)
    futures(
        told.rate * account.thinning[rows][:, None],
        told.branching,
        told.decay,
        told.dispersion,
        state,
        seeds(rng, len(rows)),
        _CAP,
        out,
    )
    return np.asarray(rng.binomial(out, exposure).sum(axis=1))


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
    exposure = judged.exposure.mean(axis=0)
    values = np.where(exposure > 0, judged.values[0], 0.0)
    rows = {}
    for account, stream in zip(accounts, rng.spawn(len(accounts)), strict=True):
        chosen = stream.choice(len(account.levels), size=512, p=account.weights)
        told = account.told(chosen, judged.days)
        row: dict[str, object] = {
            "pairs": float((values * (values - 1) / 2).sum()),
            "expected": np.nan,
            "statistic": np.nan,
            "threshold": BUNCHED,
            "passed": True,
            "meaning": "its days bunch or hang together by themselves; not checked",
        }
        if told.plain:
            observed, mean, tail = bunching(
                values, told.rate * exposure, np.full(512, 1 / 512), stream
            )
            row |= {
                "expected": mean,
                "statistic": tail,
                "passed": bool(tail >= BUNCHED),
                "meaning": f"{observed:,.0f} pairs of attacks on the same day; independent attacks give {mean:,.1f}",
            }
        rows[account.scenario.name] = row
    return pd.DataFrame.from_dict(rows, orient="index")
