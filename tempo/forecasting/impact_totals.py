"""Published totals of operations over periods of unequal length: what they say, and what they cannot carry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tempo.data.incidents import Incidents
from tempo.data.library import load_table
from tempo.data.rounding import counted, interval, number
from tempo.data.window import DAY, DateLike, as_date
from tempo.errors import DataError

__all__ = ["OperationsTotals"]

_MONTH_DAYS = 365.25 / 12


@dataclass(frozen=True, repr=False, eq=False)
class OperationsTotals:
    """A series of operations that was published as totals over periods; read it with ``OperationsTotals.load``.

    Attributes
    ----------
    table : pandas.DataFrame
        Indexed by the first day of each period: ``end`` (exclusive), ``days``, ``total``, ``per_month`` (of 30.4 days).
    series, unit : str
        What was counted.
    notes : tuple of str
        Doubts.

    Examples
    --------
    >>> totals = OperationsTotals.load("iraq-coalition", "cjtf_oir_strikes_derived", before="2020-03-12")
    >>> totals.table.loc["2020-01-01", ["days", "total"]].tolist()
    [60.0, 28.0]
    >>> totals.regular
    False
    """

    table: pd.DataFrame
    series: str
    unit: str
    notes: tuple[str, ...] = ()

    @classmethod
    def load(
        cls, name: str, series: str, *, unit: str | None = None, before: DateLike | None = None
    ) -> OperationsTotals:
        """Give one operations series of a shipped data set.

        Parameters
        ----------
        name : str
            Data set: ``"iraq-coalition"``.
        series : str
            Name of the series, as in the column of that name. Series with different names follow different rules.
        unit : str, optional
            Needed where a series has several.
        before : date-like, optional
            Keep periods that had ended on this date.

        Returns
        -------
        OperationsTotals
            Ordered by time.

        Raises
        ------
        DataError
            If there is no such series, it has several units, or its periods overlap.
        """
        raw = load_table(name, "operations-tempo")
        known = sorted(raw.loc[raw["value"].notna(), "series"].unique())
        rows = raw[(raw["series"] == series) & raw["value"].notna()]
        if rows.empty:
            raise DataError(
                f"there is no operations series {series!r}; there are {', '.join(known)}."
            )
        units = sorted(rows["unit"].unique())
        if unit is None and len(units) > 1:
            raise DataError(f"{series!r} has several units: {', '.join(units)}. Choose one: unit=.")
        if unit is not None:
            rows = rows[rows["unit"] == unit]
            if rows.empty:
                raise DataError(
                    f"{series!r} is not given in {unit!r}; it is in {', '.join(units)}."
                )
        start = pd.DatetimeIndex(pd.to_datetime(rows["period_start"])).as_unit("us")
        end = pd.DatetimeIndex(pd.to_datetime(rows["period_end"])).as_unit("us") + DAY
        days = np.asarray((end - start) / DAY, dtype=float)
        total = rows["value"].to_numpy(dtype=float)
        table = pd.DataFrame(
            {"end": end, "days": days, "total": total, "per_month": total / days * _MONTH_DAYS},
            index=start.rename("start"),
        ).sort_index(kind="stable")
        if before is not None:
            table = table[table["end"] <= as_date(before, "before")]
        if (table["end"].to_numpy()[:-1] > table.index.to_numpy()[1:]).any():
            raise DataError(
                f"periods of {series!r} overlap (running totals?), so they cannot be read as one series. Choose the "
                "series of differences."
            )
        return cls(table, series, units[0] if unit is None else unit)

    @property
    def regular(self) -> bool:
        """Whether the periods follow each other and are equally long, up to the length of a month."""
        ends, starts = self.table["end"].to_numpy()[:-1], self.table.index.to_numpy()[1:]
        days = self.table["days"]
        return bool(len(self.table) and (ends == starts).all() and days.max() - days.min() <= 3)

    def beside(self, attacks: Incidents) -> pd.DataFrame:
        """Put the attacks of each period beside its operations.

        Parameters
        ----------
        attacks : Incidents
            Attacks; uncertain dates are placed on their first day.

        Returns
        -------
        pandas.DataFrame
            The table, with ``attacks``, ``attacks_per_month`` and ``watched`` (whether the whole period lies in the
            window of the attacks; elsewhere the two are missing). ``attrs`` hold ``series`` and ``unit``.
        """
        found = self.table.copy()
        dates = attacks.table["date_start"]
        window = attacks.window
        inside = (found.index >= window.start) & (found["end"] <= window.end)
        number_of = [
            float(((dates >= start) & (dates < end)).sum())
            for start, end in zip(found.index, found["end"], strict=True)
        ]
        found["attacks"] = np.where(inside, number_of, np.nan)
        found["attacks_per_month"] = found["attacks"] / found["days"] * _MONTH_DAYS
        found["watched"] = inside
        found.attrs |= {"series": self.series, "unit": self.unit}
        return found

    def verdict(self) -> str:
        """Say plainly whether these totals can carry a dose-response fit.

        Returns
        -------
        str
            One or two sentences.
        """
        n = len(self.table)
        if not n:
            return f"{self.series} has no period in this stretch of time."
        days = self.table["days"]
        have = f"{self.series} is {counted(n, 'total')} over periods of {interval(days.min(), days.max(), 'days', 3)}"
        if self.regular and n >= 30:
            return f"{have}, without gaps: pass its totals to DoseResponse as a regular series."
        return (
            f"{have}. A response in the weeks after an attack cannot be read from it, and no fit is offered: the "
            "periods are longer than the response, and there are more things to learn than totals. It can be laid "
            "beside the attacks (beside), which shows agreement and proves nothing."
        )

    def __repr__(self) -> str:
        if not len(self.table):
            return f"OperationsTotals({self.series}): none"
        low, high = self.table["per_month"].min(), self.table["per_month"].max()
        return (
            f"OperationsTotals({self.series}, {self.unit}): {counted(len(self.table), 'period')} from "
            f"{self.table.index[0]:%Y-%m-%d}, {number(low)} to {number(high)} a month. {self.verdict()}"
        )
