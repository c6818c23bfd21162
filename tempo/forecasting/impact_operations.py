"""Operations over the horizon under each scenario, as a dose-response fit forecasts them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from tempo.data.rounding import counted, interval, number, percent, plural
from tempo.errors import OptionError
from tempo.forecasting.impact_days import rates_and_gaps
from tempo.forecasting.impact_response import DoseResponseFit
from tempo.forecasting.spans import is_number
from tempo.models.intervals import central_levels, interval_levels

__all__ = ["NO_ATTACKS", "OperationsOutlook"]

type Floats = NDArray[np.float64]

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
    absorbable_per_day : ndarray, shape (draws,)
        Attacks per day that go with a loss of ``share`` of the operations in the long run; infinite where none do.
    share : float
        Share of operations whose loss is too much.
    attacks : dict of str to ndarray
        Attacks in each future of each scenario.
    label, rule : str
        What the attacks are.
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
    absorbable_per_day: Floats
    share: float
    attacks: dict[str, NDArray[np.int64]]
    label: str
    rule: str
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

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Names of the scenarios, in their order; the future without further attacks is none."""
        return tuple(self.attacks)

    @property
    def n_bins(self) -> int:
        """Bins of the horizon."""
        return int(self.operations[NO_ATTACKS].sizes["time"])

    def lost(self, scenario: str) -> NDArray[np.int64]:
        """Give how many operations fewer each future has than the same future without further attacks.

        Both have the same coefficients and the same luck. What past attacks leave behind is in both.

        Parameters
        ----------
        scenario : str
            Its name.

        Returns
        -------
        ndarray of int, shape (draws,)
            Over the whole horizon; negative where there are more.

        Raises
        ------
        OptionError
            If there is no such scenario.
        """
        totals = self.totals(scenario)
        return np.asarray(self.totals(NO_ATTACKS)[: len(totals)] - totals)

    def bins_lost(self, scenario: str) -> Floats:
        """Give the same in usual bins: as many as a bin holds on average without further attacks.

        Parameters
        ----------
        scenario : str
            Its name.

        Returns
        -------
        ndarray, shape (draws,)
            Bins (weeks, where operations are counted by week).
        """
        usual = float(self.totals(NO_ATTACKS).mean()) / self.n_bins
        lost = self.lost(scenario)
        return np.asarray(lost / usual if usual > 0 else np.zeros(len(lost)))

    def probability(
        self, below: float | None = None, *, lost_bins: float | None = None
    ) -> pd.Series:
        """Give the probability of few operations, or of the loss of many, over the horizon.

        Parameters
        ----------
        below : float, optional
            Fewer operations than so many.
        lost_bins : float, optional
            More than so many usual bins of operations fewer than without further attacks.

        Returns
        -------
        pandas.Series
            By scenario.

        Raises
        ------
        OptionError
            If not one of the two is given, as a number.
        """
        values = (below, lost_bins)
        if sum(value is None for value in values) != 1:
            raise OptionError(
                "give one of below= (operations) and lost_bins= (usual bins of operations lost)."
            )
        for name, value in zip(("below", "lost_bins"), values, strict=True):
            if value is not None and (not is_number(value) or math.isnan(value)):
                raise OptionError(f"{name} is {value!r}; expected a number, such as 20.")
        found = {}
        for name in self.operations:
            if below is not None:
                found[name] = float(np.mean(self.totals(name) < below))
            elif lost_bins is not None:
                found[name] = float(np.mean(self.bins_lost(name) > lost_bins))
        return pd.Series(found, name="probability")

    def table(self, prob: float = 0.9) -> pd.DataFrame:
        """Tabulate operations under each scenario.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the central interval.

        Returns
        -------
        pandas.DataFrame
            Indexed by scenario: ``median, low, high`` of the total; ``factor``, the median against that of a future
            without further attacks; ``lost_median, lost_low, lost_high``, usual bins of operations lost against it;
            ``probability_over_share`` (more than ``share`` of them), and ``status``.
        """
        levels = [0.5, *interval_levels(prob)]
        rows = {}
        for name in self.operations:
            total = np.quantile(self.totals(name), levels, method="inverted_cdf")
            lost = np.quantile(self.bins_lost(name), levels, method="inverted_cdf")
            rows[name] = [*total, *lost]
        names = ["median", "low", "high"]
        table = pd.DataFrame.from_dict(
            rows, orient="index", columns=[*names, *(f"lost_{name}" for name in names)]
        )
        quiet = float(np.median(self.totals(NO_ATTACKS)))
        factor = table["median"] / quiet if quiet > 0 else np.nan
        table.insert(3, "factor", factor)
        over = self.probability(lost_bins=self.share * self.n_bins)
        table["probability_over_share"] = over
        table["status"] = self.status
        table.index.name = "scenario"
        table.attrs.update(prob=prob, share=self.share, horizon_days=self.horizon_days)
        return table

    def absorbable(self, prob: float = 0.9) -> pd.Series:
        """Give the attack rate that goes with the loss of too many operations in the long run.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the central interval.

        Returns
        -------
        pandas.Series
            ``median_per_day, low_per_day, high_per_day``, infinite where no rate goes with such a loss, and the same as
            gaps: ``median_gap_days, low_gap_days, high_gap_days`` (the low gap belongs to the high rate).
        """
        levels = central_levels(prob)
        rates = np.quantile(self.absorbable_per_day, levels, method="inverted_cdf")
        return rates_and_gaps(*rates)

    @property
    def status(self) -> str:
        """``"estimate"`` where a year of data shows whether fewer went with attacks, else ``"assumption"``."""
        return self.model.status

    def labels(self) -> pd.DataFrame:
        """Say of each output whether it is an assumption or an estimate.

        Returns
        -------
        pandas.DataFrame
            Indexed by output: ``status`` and ``why``.
        """
        bins = counted(self.model.nobs, self.model.bin_word)
        why = f"{bins} of operations; what went together, no cause"
        if self.status == "assumption":
            why = f"{bins} of operations are too few, or show no response: it rests on the form of the regression"
        rows = {"response to an attack": (self.status, why)}
        for name in self.scenarios:
            rows[f"operations under {name}"] = (self.status, f"{why}; given the scenario")
        rows["absorbable tempo"] = (self.status, why)
        return pd.DataFrame.from_dict(rows, orient="index", columns=["status", "why"]).rename_axis(
            "output"
        )

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
        bins = f"{self.model.bin_word}s"
        parts = [
            f"{name}: {interval(row['low'], row['high'], digits=3)} (median {number(row['median'], 3)})"
            for name, row in table.iterrows()
        ]
        fewer = [
            f"{name}: {interval(row['lost_low'], row['lost_high'])} (more than {percent(self.share)}: "
            f"{percent(row['probability_over_share'])})"
            for name, row in table.iterrows()
            if name != NO_ATTACKS
        ]
        return (
            f"Operations in the {self.horizon_days} days from {self.cutoff:%Y-%m-%d} ({percent(prob)} intervals): "
            f"{'; '.join(parts)}. Usual {bins} of operations lost against {NO_ATTACKS}, of {self.n_bins}: "
            f"{'; '.join(fewer)}. {self._absorbed(prob)} These numbers are {self.status}s, given the scenario. "
            f"{self.model.describe(prob)}"
        )

    def _absorbed(self, prob: float) -> str:
        rate = self.absorbable(prob)
        noun = plural(self.label)
        if math.isinf(rate["median_per_day"]):
            return f"The data show no tempo of {noun} that goes with the loss of {percent(self.share)} in the long run."
        ends = f"{number(rate['low_gap_days'])} to {number(rate['high_gap_days'])}"
        if math.isinf(rate["high_per_day"]):
            ends = f"up to {number(rate['high_gap_days'])}, or no tempo at all"
        return (
            f"In the long run more than {percent(self.share)} are lost when {noun} come more often than one every "
            f"{number(rate['median_gap_days'])} days ({percent(prob)} interval {ends})."
        )

    def __repr__(self) -> str:
        return f"OperationsOutlook: {self.describe()}"

    def _repr_html_(self) -> str:
        text = repr(self).replace("&", "&amp;").replace("<", "&lt;")
        return f"<p>{text}</p>{self.table().to_html(border=0)}"
