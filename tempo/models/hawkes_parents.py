"""Which earlier attacks those of one bin probably followed."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.counts import Counts
from tempo.data.window import DAY, DateLike, as_date
from tempo.errors import OptionError
from tempo.models.hawkes_binned import BinnedEngine
from tempo.models.hawkes_general_engine import GeneralEngine
from tempo.models.hawkes_residuals import triggered
from tempo.models.intervals import interval_levels

__all__ = ["attacks_table", "parents_table", "place_of", "sources_of"]

type Floats = NDArray[np.float64]

LEAST = 1e-4  # a parent less probable than that is not listed


def place_of(counts: Counts, date: DateLike) -> int:
    """Give the bin that holds a date.

    Parameters
    ----------
    counts : Counts
        The bins.
    date : date-like
        A date within them.

    Returns
    -------
    int
        Its place, from 0.

    Raises
    ------
    OptionError
        If no bin holds it, or nobody watched.
    """
    day = as_date(date)
    place = int(counts.bin_starts.searchsorted(day, side="right")) - 1
    if place < 0 or day >= counts.end:
        raise OptionError(
            f"{day:%Y-%m-%d} is not among the bins that were fitted, which run from {counts.bin_starts[0]:%Y-%m-%d} "
            f"to before {counts.end:%Y-%m-%d}."
        )
    if not counts.exposure.iloc[place] > 0:
        raise OptionError(
            f"nobody watched on {day:%Y-%m-%d}, so that nothing is known of its attacks."
        )
    return place


def sources_of(engine: object, draws: Floats, place: int) -> Floats:
    """Split the expected attacks of one bin by where they come from.

    Parameters
    ----------
    engine : BinnedEngine or GeneralEngine
        The data.
    draws : ndarray, shape (draws, p)
        Parameters, as the engine takes them.
    place : int
        Which bin of those shown.

    Returns
    -------
    ndarray, shape (draws, 2 + earlier bins)
        Baseline, inputs, and each earlier bin, those of the history first.
    """
    if isinstance(engine, BinnedEngine):
        return _binned(engine, draws, place)
    assert isinstance(engine, GeneralEngine)
    return _general(engine, draws, place)


def _binned(engine: BinnedEngine, draws: Floats, place: int) -> Floats:
    data = engine.data
    _, triggered = engine.means(draws)
    filled = draws[:, :1] * data.bin_days + triggered
    events = np.where(data.observed, np.nan_to_num(data.counts), filled)[:, :place]
    rate = draws[:, 2:3] * data.width
    lags = np.arange(place, 0, -1.0)
    kernel = -np.expm1(-rate) * np.exp(-rate * (lags - 1.0))
    base = draws[:, :1] * data.days[place]
    return np.column_stack([base, np.zeros(len(draws)), draws[:, 1:2] * kernel * events])


def _general(engine: GeneralEngine, draws: Floats, place: int) -> Floats:
    layout, part = engine.layout, engine.realisations[engine.shown]
    base, _, forced = engine.parts_of_mean(draws)
    at = len(part.history) + place
    events = engine.exciting(draws)[:, :at]
    kernel = layout.kernel(draws, at)[:, ::-1] if at else np.empty((len(draws), 0))
    branching = np.exp(draws[:, layout.at_branching])[:, None]
    return np.column_stack([base[:, place], forced[:, place], branching * kernel * events])


def parents_table(
    sources: Floats, counts: Counts, date: DateLike, history: int, prob: float
) -> pd.DataFrame:
    """Tabulate which bins the attacks of one bin probably followed.

    Parameters
    ----------
    sources : ndarray, shape (draws, 2 + earlier bins)
        From ``sources_of``.
    counts : Counts
        The bins.
    date : date-like
        Which bin.
    history : int
        Bins before the first.
    prob : float
        Probability of the intervals.

    Returns
    -------
    pandas.DataFrame
        Indexed by earlier bin, the most probable first: count, probability, low, high.
    """
    place = place_of(counts, date)
    whole = sources.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.where(whole > 0, sources / whole, 0.0)
    low, high = np.quantile(shares, interval_levels(prob), axis=0)
    mean = shares.mean(axis=0)
    starts = counts.bin_starts
    early = pd.date_range(end=starts[0], periods=history + 1, freq=counts.freq)[:-1]
    table = pd.DataFrame(
        {
            "count": np.concatenate(
                [np.full(history, np.nan), counts.to_numpy(dtype=float)[:place]]
            ),
            "probability": mean[2:],
            "low": low[2:],
            "high": high[2:],
        },
        index=pd.DatetimeIndex(early.append(starts[:place]), name="earlier"),
    )
    table = table[table["probability"] >= LEAST].sort_values(
        "probability", ascending=False, kind="stable"
    )
    table.attrs.update(
        date=starts[place],
        attacks=int(counts.iloc[place]),
        baseline=float(mean[0]),
        inputs=float(mean[1]),
        triggered=float(mean[2:].sum()),
        prob=prob,
    )
    return table


def attacks_table(times: Floats, start: pd.Timestamp, draws: Floats, prob: float) -> pd.DataFrame:
    """Tabulate, for exact times and an exponential kernel, how probably each attack followed an earlier one.

    Parameters
    ----------
    times : ndarray, shape (n,)
        Days from ``start``, increasing.
    start : Timestamp
        Time zero.
    draws : ndarray, shape (draws, 3 or more)
        Baseline per day, branching ratio, decay per day.
    prob : float
        Probability of the interval.

    Returns
    -------
    pandas.DataFrame
        Indexed by time: baseline, triggered, low, high, parent, parent_probability.
    """
    # Without branching the decay means nothing, and may be missing.
    decay = np.where(np.isnan(draws[:, 2]), 1.0, draws[:, 2])
    shares = np.array(
        [triggered(times, row[0], row[1], rate) for row, rate in zip(draws, decay, strict=True)]
    ).reshape(len(draws), len(times))
    # The nearest attack has the largest share, because the excitation only fades. Given that an attack was triggered,
    # it was by the one before with probability 1 / (all that is left of everything, in units of what that one left).
    nearest = np.zeros_like(shares)
    gaps = np.diff(times)
    left = np.exp(-decay[:, None] * gaps)
    carried = np.ones(len(draws))
    for i in range(len(gaps)):
        nearest[:, i + 1] = shares[:, i + 1] / carried
        carried = 1.0 + left[:, i] * carried
    low, high = np.quantile(shares, interval_levels(prob), axis=0)
    stamps = pd.DatetimeIndex(start + times * DAY).round("us")
    mean, parent = shares.mean(axis=0), nearest.mean(axis=0)
    table = pd.DataFrame(
        {
            "baseline": 1 - mean,
            "triggered": mean,
            "low": low,
            "high": high,
            "parent": pd.Series(stamps, index=stamps).shift(1).where(parent > 0),
            "parent_probability": parent,
        },
        index=pd.DatetimeIndex(stamps, name="time"),
    )
    table.attrs["prob"] = prob
    return table
