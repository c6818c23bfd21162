"""Counts as bars: regrouped so that they can be seen, and the words that say how long a bar is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from tempo.data.counts import Counts
from tempo.data.rounding import number
from tempo.figures import style
from tempo.figures.dates import days, one_day

__all__ = ["Bars", "bars_of", "draw_bars"]

type Floats = NDArray[np.float64]

_MOST_BARS = 130
_GROUPS_OF_DAYS = (1, 7, 14, 28, 91, 182, 364, 728)
_GROUPS_OF_OTHERS = (1, 2, 4, 12, 24, 52, 120)
_MONTHS = {1: "a month", 3: "a quarter", 12: "a year"}


@dataclass(frozen=True)
class Bars:
    """Counts regrouped into bars wide enough to see.

    Attributes
    ----------
    edges : ndarray, shape (n + 1,)
        In days since 1970.
    values : ndarray, shape (n,)
        Sums; NaN where nothing was observed.
    exposure : ndarray, shape (n,)
        Share of each bar that was observed.
    days : float
        Length of a bar, the median where they differ.
    unit : str
        Length in words, such as ``"a week"`` or ``"in 4 months"``.
    group : int
        How many bins a bar holds.
    """

    edges: Floats
    values: Floats
    exposure: Floats
    days: float
    unit: str
    group: int

    @property
    def length(self) -> str:
        """Length of a bar in words."""
        alone = {"a": "1"}
        first, rest = self.unit.removeprefix("in ").split(" ", 1)
        return f"{alone.get(first, first)} {rest}"

    @property
    def said(self) -> str:
        """The sentence of a caption that says how bins were regrouped; empty where they were not."""
        if self.group == 1:
            return ""
        return f"Bars: {self.length} each, counted back from the end"


def bars_of(counts: Counts, *, attack_days: bool = False) -> Bars:
    """Regroup counts into bars wide enough to see.

    Parameters
    ----------
    counts : Counts
        In bins of any length.
    attack_days : bool
        Count bins with at least one event, and not the events.

    Returns
    -------
    Bars
        At most 130, unless the groups would pass two years of days.
    """
    values = counts.to_numpy(dtype=float)
    if attack_days:
        values = np.minimum(values, 1.0)
    exposure = counts.exposure.to_numpy(dtype=float)
    lengths = counts.bin_days
    edges = np.append(days(counts.bin_starts), one_day(counts.end))
    daily = bool((lengths == 1).all())
    needed = len(values) / _MOST_BARS
    steps = _GROUPS_OF_DAYS if daily else _GROUPS_OF_OTHERS
    group = next((step for step in steps if step >= needed), int(np.ceil(needed)))
    # Groups are counted back from the end, so that the last bar is whole and no lull is made up there.
    cuts = np.arange(len(values), 0, -group)[::-1]
    firsts = np.concatenate([[0], cuts[:-1]])
    watched = np.add.reduceat(exposure * lengths, firsts)
    places = np.append(firsts, len(values))
    lengths_of_bars = np.diff(edges[places])
    sums = np.where(watched > 0, np.add.reduceat(np.nan_to_num(values), firsts), np.nan)
    shares = watched / lengths_of_bars
    if cuts[0] < group:
        shares[0] *= cuts[0] / group  # the first bar may be short: drawn as observed only in part
    whole = places[1:] if cuts[0] < group and len(cuts) > 1 else places  # a short one says nothing
    return Bars(
        edges=edges[places],
        values=sums,
        exposure=shares,
        days=float(np.median(lengths_of_bars)),
        unit=_unit(pd.DatetimeIndex([*counts.bin_starts, counts.end])[whole]),
        group=group,
    )


def _unit(edges: pd.DatetimeIndex) -> str:
    """Say how long bars are: in days where all are alike, else in calendar months."""
    lengths = np.diff(days(edges))
    shortest, longest = float(lengths.min()), float(lengths.max())
    if shortest == longest:
        return {1.0: "a day", 7.0: "a week"}.get(shortest, f"in {number(shortest, 12)} days")
    months = np.diff(edges.year * 12 + edges.month)
    if months.min() == months.max() > 0 and len(set(edges.day)) == 1:
        whole = int(months[0])
        if whole % 12 == 0 and whole > 12:
            return f"in {whole // 12} years"
        return _MONTHS.get(whole, f"in {whole} months")
    return f"in {number(shortest, 12)} to {number(longest, 12)} days"


def draw_bars(ax: Axes, bars: Bars) -> None:
    """Draw bars, those that were observed only in part paler.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The chart.
    bars : Bars
        What to draw.
    """
    whole = bars.exposure >= 0.999
    for chosen, opacity in ((whole, 1.0), (~whole, 0.45)):
        if chosen.any():
            drawn = np.where(chosen, np.nan_to_num(bars.values), 0.0)
            style.steps(ax, drawn, bars.edges, colour="#9BB7CC", opacity=opacity, gid="counts")
    if not np.nansum(bars.values):
        ax.text(
            0.5,
            0.6,
            "none counted",
            transform=ax.transAxes,
            ha="center",
            fontsize=style.TEXT_PT,
            color=style.GREY,
        )
