"""The record: what simple forecasts made at past dates would have said, and what then happened.

Non-overlapping periods as long as the shortest horizon are counted back from the end of the data. At
the start of each, every model is fitted to what came before, and its forecast is compared with the
count that followed. Nothing from the period itself is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.counts import Counts
from tempo.data.window import DAY
from tempo.errors import FitError
from tempo.models.intervals import interval_levels

__all__ = ["Record", "keep_record"]


class Simulates(Protocol):
    """A fit that can be run forward from the end of its data."""

    def simulate(self, n_bins: int, draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Give counts of shape (draws, n_bins)."""
        ...


@dataclass(frozen=True, repr=False)
class Record:
    """Past forecasts with their outcomes.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each model and origin: ``model``, ``origin``, ``end``, ``at_least_one``
        (probability forecast), ``low``, ``high`` (central interval of the count), ``outcome`` (count
        that followed), ``inside`` (bool), ``log_score`` (natural log of the probability given to
        the outcome).
    baseline : str
        Name of the model to compare with.
    days : int
        Length of each period.
    prob : float
        Content of the intervals.
    """

    table: pd.DataFrame
    baseline: str
    days: int
    prob: float

    @property
    def n_origins(self) -> int:
        """Number of past forecasts of each model."""
        return int(self.table["origin"].nunique()) if len(self.table) else 0

    def gain(self, model: str) -> tuple[float, float]:
        """Give the mean gain in log score over the baseline for each forecast, and its standard error.

        Parameters
        ----------
        model : str
            A model of the table.

        Returns
        -------
        mean, standard_error : float
            In nats; above zero the model was better. NaN where there are too few forecasts, or where all outcomes are
            the same and so reward whoever bets on sameness.
        """
        if self.table["outcome"].nunique() < 2:
            return float("nan"), float("nan")
        scores = self.table.pivot_table(index="origin", columns="model", values="log_score")
        if model not in scores:
            return float("nan"), float("nan")
        difference = (scores[model] - scores[self.baseline]).dropna().to_numpy(dtype=float)
        if len(difference) < 2:
            return float("nan"), float("nan")
        return float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(len(difference)))

    def coverage(self, model: str) -> tuple[int, int]:
        """Give how many outcomes lay inside the interval, and of how many.

        Parameters
        ----------
        model : str
            A model of the table.

        Returns
        -------
        inside, total : int
            Counts of forecasts.
        """
        rows = self.table.loc[self.table["model"] == model, "inside"]
        return int(rows.sum()), len(rows)

    def __repr__(self) -> str:
        models = ", ".join(dict.fromkeys(self.table["model"])) if len(self.table) else "none"
        return f"Record: {self.n_origins} periods of {self.days} days ({models})"


def keep_record(
    counts: Counts,
    fitters: Mapping[str, Callable[[Counts], Simulates]],
    *,
    baseline: str,
    days: int,
    prob: float,
    rng: np.random.Generator,
    most: int,
    draws: int = 20_000,
) -> Record:
    """Give the record of simple forecasts over the observed past.

    Parameters
    ----------
    counts : Counts
        Daily counts up to the as-of date.
    fitters : mapping of str to callable
        For each model, a function that fits it to daily counts.
    baseline : str
        The model that the others are compared with.
    days : int
        Length of each period.
    prob : float
        Content of the intervals, between 0 and 1.
    rng : numpy.random.Generator
        Draws the forecasts.
    most : int
        Most periods; the latest are kept.
    draws : int, default 20,000
        Paths of each forecast; many, because an outcome that surprised is scored by few of them.

    Returns
    -------
    Record
        Empty where the past is shorter than three periods.
    """
    end = counts.end
    start = counts.bin_starts[0]
    rows: list[dict[str, object]] = []
    # At least two periods of data before the first forecast, and no period with unobserved days.
    latest = [end - k * days * DAY for k in range(1, most + 1)]
    origins = [origin for origin in reversed(latest) if origin - 2 * days * DAY >= start]
    for origin in origins:
        inside = (counts.bin_starts >= origin) & (counts.bin_ends <= origin + days * DAY)
        after = counts.select(np.asarray(inside))
        if len(after) < days or after.exposure.to_numpy(dtype=float).min() < 1:
            continue
        outcome = int(after.sum())
        before = counts.before(origin)
        for name, fit in fitters.items():
            try:
                fitted = fit(before)
            except FitError:
                continue  # the comparison is paired, so this origin does not count for this model
            totals = fitted.simulate(days, draws, rng).sum(axis=1)
            low, high = np.quantile(totals, interval_levels(prob), method="inverted_cdf")
            # Half a draw more, so that an outcome that no path reached is costly but not infinite.
            chance = (np.count_nonzero(totals == outcome) + 0.5) / (draws + 1)
            rows.append(
                {
                    "model": name,
                    "origin": origin,
                    "end": origin + days * DAY,
                    "at_least_one": float(np.mean(totals > 0)),
                    "low": int(low),
                    "high": int(high),
                    "outcome": outcome,
                    "inside": bool(low <= outcome <= high),
                    "log_score": float(np.log(chance)),
                }
            )
    columns = [
        "model", "origin", "end", "at_least_one", "low", "high", "outcome", "inside", "log_score",
    ]  # fmt: skip
    return Record(pd.DataFrame(rows, columns=columns), baseline, days, prob)
