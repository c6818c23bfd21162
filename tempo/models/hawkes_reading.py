"""Tables and sentences from a fitted Hawkes model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2

from tempo.data.counts import Counts
from tempo.data.rounding import about, interval, number, percent, plural
from tempo.models.checks import check_table, row
from tempo.models.intervals import interval_levels
from tempo.models.laplace import KHAT_LIMIT

if TYPE_CHECKING:
    from tempo.models.hawkes_engine import Diagnostics

__all__ = [
    "LARGEST_RHAT",
    "LEAST_EFFECTIVE",
    "MOST_DIVERGING",
    "describe",
    "intensity_table",
    "none_seen",
    "triggered_table",
    "with_convergence",
]

type Floats = NDArray[np.float64]

LARGEST_RHAT = 1.01
LEAST_EFFECTIVE = 400.0
MOST_DIVERGING = 0.005
MOST_EXPLOSIVE = 0.5


def none_seen(counts: Counts, prob: float) -> tuple[float, float]:
    """Give the baselines that are likely enough where not one event was counted.

    Parameters
    ----------
    counts : Counts
        Without events.
    prob : float
        Confidence.

    Returns
    -------
    low, high : float
        Per day: 0, and where the Poisson likelihood has fallen as far as a profile interval allows.
    """
    days = float((counts.exposure.to_numpy(dtype=float) * counts.bin_days).sum())
    return 0.0, float(chi2.ppf(prob, 1)) / (2 * days) if days > 0 else math.inf


def intensity_table(
    counts: Counts, baseline: Floats, triggered: Floats, prob: float
) -> pd.DataFrame:
    """Tabulate the expected rate by bin.

    Parameters
    ----------
    counts : Counts
        Gives the bins.
    baseline, triggered : ndarray, shape (draws, n)
        Expected attacks per whole bin.
    prob : float
        Probability of the interval.

    Returns
    -------
    pandas.DataFrame
        Attacks per day: intensity, low, high, baseline.
    """
    length = counts.bin_days
    total = (baseline + triggered) / length
    low, high = np.quantile(total, interval_levels(prob), axis=0)
    table = pd.DataFrame(
        {
            "intensity": total.mean(axis=0),
            "low": low,
            "high": high,
            "baseline": (baseline / length).mean(axis=0),
        },
        index=counts.bin_starts,
    )
    table.attrs["prob"] = prob
    return table


def triggered_table(
    counts: Counts, baseline: Floats, triggered: Floats, prob: float
) -> pd.DataFrame:
    """Tabulate the attacks of each bin by where they come from.

    Parameters
    ----------
    counts : Counts
        What happened.
    baseline, triggered : ndarray, shape (draws, n)
        Expected attacks per whole bin.
    prob : float
        Probability of the interval.

    Returns
    -------
    pandas.DataFrame
        count, baseline, triggered, low, high, probability; shares of all attacks in ``attrs``.
    """
    y = counts.to_numpy(dtype=float)
    exposed = baseline * counts.exposure.to_numpy(dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        probability = np.where(exposed + triggered > 0, triggered / (exposed + triggered), 0.0)
    probability[:, np.isnan(y)] = np.nan
    levels = interval_levels(prob)
    low, high = np.quantile(probability, levels, axis=0)
    mean = probability.mean(axis=0)
    table = pd.DataFrame(
        {
            "count": y,
            "baseline": y * (1 - mean),
            "triggered": y * mean,
            "low": y * low,
            "high": y * high,
            "probability": mean,
        },
        index=counts.bin_starts,
    )
    total = float(np.nansum(y))
    shares = np.nansum(probability * y, axis=1) / total if total else np.full(len(baseline), np.nan)
    share_low, share_high = np.quantile(shares, levels)
    table.attrs.update(
        prob=prob,
        share=float(shares.mean()),
        share_low=float(share_low),
        share_high=float(share_high),
    )
    return table


def with_convergence(
    residuals: pd.DataFrame, diagnostics: Diagnostics, explosive: float
) -> pd.DataFrame:
    """Add what the engine knows about itself to a table of residual checks.

    Parameters
    ----------
    residuals : pandas.DataFrame
        A check table.
    diagnostics : Diagnostics
        From the fit.
    explosive : float
        Probability that the branching ratio is one or more.

    Returns
    -------
    pandas.DataFrame
        The longer table.
    """
    d = diagnostics
    rows = [
        row(
            "branching below one (probability of one or more)",
            explosive,
            MOST_EXPLOSIVE,
            explosive <= MOST_EXPLOSIVE,
            "Attacks die out instead of multiplying without end."
            if explosive <= MOST_EXPLOSIVE
            else "Attacks would multiply without end: the baseline has probably moved.",
        )
    ]
    if d.method == "mle":
        rows.append(
            row(
                "convergence",
                float(d.converged),
                1.0,
                d.converged,
                "The optimiser reached a maximum.",
            )
        )
    elif d.method == "laplace":
        rows.append(
            row(
                "convergence (Pareto k-hat)",
                d.khat,
                KHAT_LIMIT,
                d.khat <= KHAT_LIMIT,
                "The approximation can be trusted.",
            )
        )
    else:
        rows.append(
            row(
                "convergence (r-hat)",
                d.rhat,
                LARGEST_RHAT,
                d.rhat <= LARGEST_RHAT,
                "The chains of the sampler agree."
                if d.rhat <= LARGEST_RHAT
                else "The chains of the sampler disagree.",
            )
        )
        rows.append(
            row(
                "convergence (divergent draws)",
                d.diverging,
                MOST_DIVERGING,
                d.diverging <= MOST_DIVERGING,
                "The sampler reached every corner."
                if d.diverging <= MOST_DIVERGING
                else "The sampler may have missed a corner.",
            )
        )
    if d.method != "mle":
        rows.append(
            row(
                "convergence (effective draws)",
                d.effective,
                LEAST_EFFECTIVE,
                d.effective >= LEAST_EFFECTIVE,
                "There are enough independent draws."
                if d.effective >= LEAST_EFFECTIVE
                else "There are too few independent draws.",
            )
        )
    return pd.concat([residuals, check_table(rows)])


def describe(counts: Counts, summary: pd.DataFrame, triggered: pd.DataFrame, prob: float) -> str:
    """Say what was found in words.

    Parameters
    ----------
    counts : Counts
        What was fitted.
    summary : pandas.DataFrame
        From ``HawkesFit.summary``.
    triggered : pandas.DataFrame
        From ``HawkesFit.triggered``.
    prob : float
        Probability of the intervals.

    Returns
    -------
    str
        Risk, volatility, resilience.
    """
    what = plural(counts.label) if counts.label != "counts" else "attacks"

    def of(parameter: str, factor: float = 1.0) -> tuple[float, float, float]:
        row = factor * summary.loc[parameter, ["estimate", "low", "high"]].to_numpy(dtype=float)
        return float(row[0]), float(row[1]), float(row[2])

    monthly, low, high = of("baseline", 30.0)
    if counts.events == 0 and low == 0:
        monthly = 0.0  # a maximum at the edge is zero but for the arithmetic
    risk = (
        f"Risk: about {number(monthly)} {what} in 30 days come without any trigger ({percent(prob)} interval "
        f"{interval(low, high)})."
    )
    if counts.events == 0:
        return f"{risk} None was counted, so nothing can be said about triggering."
    branching, low, high = of("branching_ratio")
    if branching == 0:
        return f"{risk} Volatility: nothing in the data suggests that {what} trigger others."
    share = triggered.attrs
    volatility = (
        f"Volatility: each was followed by about {number(branching)} more that it may have triggered "
        f"({interval(low, high)}); {about(share['share'])} of {what} were triggered by earlier ones "
        f"({percent(share['share_low'])} to {percent(share['share_high'])})."
    )
    if low < 0.05:
        volatility += " No triggering at all is not ruled out."
    half, low, high = of("half_life_days")
    most = math.log(10) / math.log(2)
    nine, low, high = most * half, most * low, most * high
    if "nine_tenths_days" in summary.index:  # other kernels than the exponential
        nine, low, high = of("nine_tenths_days")
    soon = f"half of what is triggered comes within {_days(half)}"
    resilience = f"Resilience: {soon}, nine tenths within {_days(nine)}"
    if not math.isnan(low):
        resilience += f" ({interval(max(low, 1.0), max(high, 1.0))} days)"
    return (
        f"{risk} {volatility} {resilience}. Triggered means followed more closely than chance explains; it names no "
        "cause, and a rate that moves for other reasons looks the same."
    )


def _days(days: float) -> str:
    return "a day" if days <= 1 else f"{number(days)} days"
