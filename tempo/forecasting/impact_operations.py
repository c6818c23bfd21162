"""Operations over the horizon under each scenario, as a dose-response fit forecasts them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from tempo.data.rounding import interval, number, percent
from tempo.errors import OptionError
from tempo.forecasting.impact_response import DoseResponseFit
from tempo.models.intervals import interval_levels

__all__ = ["NO_ATTACKS", "OperationsOutlook"]

#: Name of the future in which no attack comes, for comparison.
NO_ATTACKS = "no further attacks"


@dataclass(frozen=True, repr=False, eq=False)
class OperationsOutlook:
    """A forecast of operations, given simulated attacks.

    Attributes
    ----------
    operations : dict of str to xarray.DataArray
        For each scenario, and for a future without further attacks, dims (draw, time): operations in each bin.
    model : DoseResponseFit
        How operations went with attacks.
    cutoff : pandas.Timestamp
        Start of the forecast.
    horizon_days : int
        Its length.
    seed : str
        What reproduces the draws.
    notes : tuple of str
        Doubts.
    """

    operations: dict[str, xr.DataArray]
    model: DoseResponseFit
    cutoff: pd.Timestamp
    horizon_days: int
    seed: str
    notes: tuple[str, ...] = ()

    def totals(self, scenario: str) -> NDArray[np.int64]:
        """Give the operations of each future, over the whole horizon.

        Parameters
        ----------
        scenario : str
            Its name.

        Returns
        -------
        ndarray of int, shape (draws,)
            Totals.

        Raises
        ------
        OptionError
            If there is no such scenario.
        """
        if scenario not in self.operations:
            raise OptionError(
                f"there is no scenario {scenario!r}; there are {', '.join(map(repr, self.operations))}."
            )
        return np.asarray(self.operations[scenario].to_numpy().sum(axis=1), dtype=np.int64)

    def probability(self, below: float) -> pd.Series:
        """Give the probability of fewer operations than so many over the horizon.

        Parameters
        ----------
        below : float
            How many.

        Returns
        -------
        pandas.Series
            By scenario.
        """
        return pd.Series(
            {name: float(np.mean(self.totals(name) < below)) for name in self.operations},
            name="probability",
        )

    def table(self, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate operations under each scenario.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the central interval.

        Returns
        -------
        pandas.DataFrame
            Indexed by scenario: ``median, low, high`` of the total, and ``factor``: the median against that of a future
            without further attacks.
        """
        levels = [0.5, *interval_levels(prob)]
        rows = {
            name: np.quantile(self.totals(name), levels, method="inverted_cdf")
            for name in self.operations
        }
        table = pd.DataFrame.from_dict(rows, orient="index", columns=["median", "low", "high"])
        quiet = float(np.median(self.totals(NO_ATTACKS)))
        table["factor"] = table["median"] / quiet if quiet > 0 else np.nan
        table.index.name = "scenario"
        table.attrs["prob"] = prob
        return table

    def describe(self, prob: float = 0.9) -> str:
        """Say the operations to expect under each scenario, without naming a cause.

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
            f"{name}: {interval(row['low'], row['high'], digits=3)} (median {number(row['median'], 3)})"
            for name, row in table.iterrows()
        ]
        return (
            f"Operations in the {self.horizon_days} days from {self.cutoff:%Y-%m-%d} ({percent(prob)} intervals): "
            f"{'; '.join(parts)}. {self.model.describe(prob)}"
        )

    def __repr__(self) -> str:
        return f"OperationsOutlook: {self.describe()}"

    def _repr_html_(self) -> str:
        text = repr(self).replace("&", "&amp;").replace("<", "&lt;")
        return f"<p>{text}</p>{self.table().to_html(border=0)}"
