"""Attacks that bunch on the same day: how far a day's number varies more than Poisson, stated or learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from tempo.data.counts import Counts
from tempo.data.rounding import counted, interval
from tempo.errors import ScenarioError
from tempo.forecasting.laws import lognormal

__all__ = ["DayEffect", "bunching", "day_effect", "spread_over"]

type Floats = NDArray[np.float64]

#: Central 90 % interval of the dispersion before any data, where it is to be learned.
PRIOR = (0.05, 5.0)
_VALUES = 1024
_BLOCK_DAYS = 28
_LEAST = 10
_REPLICATES = 1000


@dataclass(frozen=True, slots=True, eq=False)
class DayEffect:
    """Overdispersion of a day's number: its variance is ``m + dispersion m²``.

    Attributes
    ----------
    values : ndarray of float, shape (n,)
        Equally probable values of the dispersion, ascending.
    words : str
        Where they come from.
    """

    values: Floats
    words: str


def day_effect(
    overdispersion: tuple[float, float] | Literal["learn"] | None, before: Sequence[Counts]
) -> DayEffect | None:
    """Give the distribution of the dispersion that somebody stated, or that earlier days support.

    Learning lets the rate differ from one stretch of four weeks to the next (log-uniform within a factor of ten of
    the average), so that a rate that changed is not read as bunching.

    Parameters
    ----------
    overdispersion : (low, high), "learn" or None
        Central 90 % interval (log-normal); learned from ``before``, with the prior interval 0.05 to 5; or Poisson.
    before : sequence of Counts
        Days before those that judge, once for each draw of uncertain dates.

    Returns
    -------
    DayEffect or None
        None for Poisson.

    Raises
    ------
    ScenarioError
        If it is none of these.

    Examples
    --------
    >>> import pandas as pd
    >>> from tempo.data.counts import as_counts
    >>> days = pd.date_range("2020-01-01", periods=200)
    >>> bunched = as_counts(pd.Series([6 if day % 20 == 0 else 0 for day in range(200)], index=days))
    >>> even = as_counts(pd.Series([day % 2 for day in range(200)], index=days))
    >>> [bool(np.median(day_effect("learn", [past]).values) > 1) for past in (bunched, even)]
    [True, False]
    """
    if overdispersion is None:
        return None
    levels = (np.arange(_VALUES) + 0.5) / _VALUES
    if isinstance(overdispersion, str):
        if overdispersion != "learn":
            raise ScenarioError(
                f"overdispersion is {overdispersion!r}; expected None (Poisson), two numbers such as (0.1, 1), or "
                "'learn'."
            )
        events = float(np.mean([one.events for one in before])) if before else 0.0
        if events < _LEAST:
            values = lognormal(levels, *PRIOR, prob=0.9)
            words = (
                f"{interval(*PRIOR)} before any data; {counted(events, before[0].label) if before else 'no event'} "
                "before the judged days say too little to learn it"
            )
            return DayEffect(values, words)
        values = _learned(before, levels)
        words = (
            f"{interval(*np.quantile(values, [0.05, 0.95]))} (90 % interval), learned from "
            f"{counted(events, before[0].label)} before the judged days"
        )
        return DayEffect(values, words)
    try:
        low, high = (float(value) for value in overdispersion)
    except (TypeError, ValueError):
        low = high = np.nan
    if not 0 < low < high < np.inf:
        raise ScenarioError(
            f"overdispersion is {overdispersion!r}; expected None (Poisson), 'learn', or two numbers above 0, the "
            "lower one first, such as (0.1, 1): a day's number then has variance m + dispersion m²."
        )
    return DayEffect(
        lognormal(levels, low, high, prob=0.9), f"{interval(low, high)} (90 % interval), as stated"
    )


def _learned(before: Sequence[Counts], levels: Floats) -> Floats:
    """Quantiles of the posterior on a fine grid, averaged over the draws of uncertain dates."""
    grid = np.geomspace(1e-3, 50.0, 121)
    low, high = np.log(PRIOR)
    sd = (high - low) / (2 * stats.norm.ppf(0.95))
    log_prior = stats.norm.logpdf(np.log(grid), (low + high) / 2, sd)
    logs = special.logsumexp([_block_evidence(one, grid) for one in before], axis=0)
    mass = special.softmax(logs + log_prior)
    edges = np.concatenate([[0.0], np.cumsum(mass)])
    steps = np.log(grid)
    half = (steps[1] - steps[0]) / 2
    borders = np.concatenate([steps - half, [steps[-1] + half]])
    return np.asarray(np.exp(np.interp(levels, edges, borders)))


def _block_evidence(counts: Counts, grid: Floats) -> Floats:
    """Log evidence of each dispersion: every four weeks have a rate of their own, summed over a log grid."""
    values = np.nan_to_num(counts.to_numpy(dtype=float))
    exposure = counts.exposure.to_numpy(dtype=float)
    average = (values.sum() + 0.5) / (exposure.sum() + 0.5)
    rates = average * np.geomspace(0.1, 10.0, 41)
    total = np.zeros(len(grid))
    for start in range(0, len(values), _BLOCK_DAYS):
        y = values[start : start + _BLOCK_DAYS]
        e = exposure[start : start + _BLOCK_DAYS]
        mean = rates[:, None] * e  # (rates, days)
        size = 1.0 / grid[:, None, None]
        terms = (
            special.gammaln(y + size)
            - special.gammaln(size)
            - (y + size) * np.log1p(mean / size)
            + special.xlogy(y, mean / size)
        ).sum(axis=2)
        total += special.logsumexp(terms, axis=1)
    return total


def bunching(
    values: Floats,
    means: Floats,
    weights: Floats,
    rng: np.random.Generator,
    share: Floats | None = None,
) -> tuple[float, float, float]:
    """Check whether attacks share days more often than independent ones would.

    Compares the number of pairs of attacks on the same day with what the same number of attacks gives when each
    falls on a day by itself, with the chances that the draws of a story give to the days.

    Parameters
    ----------
    values : ndarray of float, shape (days,), or (series, days)
        Attacks; one series for each draw of uncertain dates.
    means : ndarray of float, shape (draws, days)
        Expected number of each day under draws of the story.
    weights : ndarray of float, shape (draws,)
        Probability of each draw.
    rng : numpy.random.Generator
        Draws 1,000 replicates.
    share : ndarray of float, shape (series,), optional
        Probability of each series, over which everything is averaged; all alike when left out.

    Returns
    -------
    observed, expected, tail : float
        Pairs observed, pairs expected, and the chance of at least so many.

    Examples
    --------
    >>> means = np.ones((1, 100))
    >>> observed, expected, tail = bunching(np.eye(100)[0] * 5, means, np.ones(1), np.random.default_rng(1))
    >>> observed, tail < 0.01
    (10.0, True)
    """
    values = np.atleast_2d(values)
    share = np.full(len(values), 1 / len(values)) if share is None else share
    total = values.sum(axis=1).astype(int)
    observed = (values * (values - 1) / 2).sum(axis=1)
    if total.max() < 2 or not means.size:
        return float(share @ observed), 0.0, 1.0
    rows = rng.choice(len(means), size=_REPLICATES, p=weights)
    chance = means[rows] / np.maximum(means[rows].sum(axis=1, keepdims=True), 1e-300)
    edges = np.cumsum(chance, axis=1)
    edges[:, -1] = 1.0
    expected = float((chance**2).sum(axis=1).mean() * (share @ (total * (total - 1) / 2)))
    of_series = spread_over(share, _REPLICATES)
    as_many = 0
    for edge, s in zip(edges, of_series, strict=True):
        drawn = np.bincount(np.searchsorted(edge, rng.random(total[s])))
        as_many += int((drawn * (drawn - 1) / 2).sum() >= observed[s])
    return float(share @ observed), expected, (1 + as_many) / (1 + _REPLICATES)


def spread_over(share: Floats, size: int) -> NDArray[np.int64]:
    """Give each of some replicates a series, so that each series gets its share of them.

    Parameters
    ----------
    share : ndarray of float, shape (series,)
        Probability of each series; they sum to 1.
    size : int
        How many replicates.

    Returns
    -------
    ndarray of int, shape (size,)
        Ascending.

    Examples
    --------
    >>> spread_over(np.array([0.25, 0.75]), 4).tolist()
    [0, 1, 1, 1]
    """
    places = np.searchsorted(np.cumsum(share), (np.arange(size) + 0.5) / size)
    return np.asarray(np.minimum(places, len(share) - 1))
