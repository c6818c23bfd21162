"""The tempo of attacks: counts, the rate behind them and when it changed, and what is forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator
from numpy.typing import NDArray

from tempo.data.counts import Counts, as_counts
from tempo.data.rounding import interval, number, percent
from tempo.figures import style
from tempo.figures.dates import (
    date_axis,
    day,
    days,
    mark_cutoff,
    mark_gaps,
    one_day,
    until,
    unwatched,
)
from tempo.figures.fan import draw_fan
from tempo.figures.labels import at_right, counting_rule, noun, plain

if TYPE_CHECKING:
    from tempo.forecasting.outlook import Outlook
    from tempo.models.changepoint_fit import ChangepointsFit

__all__ = ["Bars", "bars_of", "draw_bars", "plot_tempo"]

_MOST_BARS = 130
_GROUPS_OF_DAYS = (1, 7, 14, 28, 91, 182, 364, 728)
_MOST_DATED = 6  # changes; marks of more would hide each other
_STRIP, _GUTTER = 0.2, 0.1  # shares of the height below the counts


@dataclass(frozen=True)
class Bars:
    """Counts regrouped into bars wide enough to see."""

    edges: NDArray[np.float64]
    values: NDArray[np.float64]  # NaN where nothing was observed
    exposure: NDArray[np.float64]
    days: float
    unit: str


def plot_tempo(
    counts: Counts | pd.Series,
    shifts: ChangepointsFit | None = None,
    outlook: Outlook | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Show counts through time, with the changing rate behind them and the forecast on the right.

    Long series are regrouped into fewer, wider bars (the axis says which), so that decades of days can be read.
    Bins that were observed only in part are paler; those that nobody watched are hatched. The strip below gives the
    probability that the rate changed, summed over the bins of each bar, and marks when.

    Parameters
    ----------
    counts : Counts or pandas.Series
        Counts on regular bins.
    shifts : ChangepointsFit, optional
        Fit of ``tempo.Changepoints``: adds the rate with its interval, and the strip.
    outlook : Outlook, optional
        Adds the fan of the cumulative count, on a scale of its own, to the right of the cut-off.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        The chart. The strip and the fan are its ``child_axes``.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> weekly = pd.Series([0, 1, 0, 2], index=pd.date_range("2020-03-02", periods=4, freq="7D"))
    >>> ax = plot_tempo(weekly)
    >>> plt.close(ax.figure)
    """
    counts = as_counts(counts)
    bars = bars_of(counts)
    top = float(np.nanmax(bars.values, initial=1.0))
    if shifts is not None:
        top = max(top, float((shifts.rate["high"] / shifts.counts.bin_days).max() * bars.days))
    with style.context():
        ax = style.canvas(
            ax,
            caption=_caption(counts, bars, shifts, outlook),
            height_mm=66.0 if shifts is not None else 50.0,
            left_mm=style.left_margin_mm(top),
            right_mm=16.0 if outlook is not None else 5.0,
            top_mm=9.0 if shifts is None else 12.5,
        )
        date_axis(ax, counts.bin_starts[0], counts.end if outlook is None else outlook.end)
        mark_gaps(ax, unwatched(counts))
        draw_bars(ax, bars)
        style.value_axis(ax, top, whole=True)
        title = f"{noun(counts.label)} {bars.unit}"
        lift_pt = 5.0 if shifts is None else 14.5
        style.headline(ax, title, lift_pt=lift_pt, spare_mm=-20.0 if outlook is not None else 0.0)
        if shifts is not None:
            _draw_rate(ax, shifts, bars)
            _add_strip(ax, shifts, bars)
        if outlook is not None:
            _add_fan(ax, outlook, lift_pt, below=shifts is not None)
    return ax


def bars_of(counts: Counts) -> Bars:
    """Regroup counts into bars wide enough to see.

    Parameters
    ----------
    counts : Counts
        In bins of any length.

    Returns
    -------
    Bars
        At most 130, unless the groups would pass two years of days.
    """
    values = counts.to_numpy(dtype=float)
    exposure = counts.exposure.to_numpy(dtype=float)
    lengths = counts.bin_days
    edges = np.append(days(counts.bin_starts), one_day(counts.end))
    daily = bool((lengths == 1).all())
    needed = len(values) / _MOST_BARS
    steps = _GROUPS_OF_DAYS if daily else (1, 2, 4, 12, 24, 52, 120)
    group = next((step for step in steps if step >= needed), int(np.ceil(needed)))
    # Groups are counted back from the end, so that the last bar is whole and no lull is made up there.
    cuts = np.arange(len(values), 0, -group)[::-1]
    firsts = np.concatenate([[0], cuts[:-1]])
    watched = np.add.reduceat(exposure * lengths, firsts)
    lengths_of_bars = np.diff(edges[np.append(firsts, len(values))])
    sums = np.where(watched > 0, np.add.reduceat(np.nan_to_num(values), firsts), np.nan)
    shares = watched / lengths_of_bars
    if cuts[0] < group:
        shares[0] *= cuts[0] / group  # the first bar may be short: drawn as observed only in part
    return Bars(
        edges=edges[np.append(firsts, len(values))],
        values=sums,
        exposure=shares,
        days=float(np.median(lengths_of_bars)),
        unit=_unit(lengths_of_bars[-1:] if daily else lengths_of_bars),
    )


def _unit(lengths: NDArray[np.float64]) -> str:
    shortest, longest = float(lengths.min()), float(lengths.max())
    if shortest == longest:
        return {1.0: "a day", 7.0: "a week"}.get(shortest, f"in {number(shortest, 12)} days")
    for low, high, unit in ((28, 31, "a month"), (90, 92, "a quarter"), (365, 366, "a year")):
        if low <= shortest and longest <= high:
            return unit
    return "in each bar"


def _caption(
    counts: Counts, bars: Bars, shifts: ChangepointsFit | None, outlook: Outlook | None
) -> list[str]:
    partly = (bars.exposure < 0.999) & (bars.values > 0)
    return [
        counting_rule(counts.label, counts.rule),
        until(counts.end),
        f"Line: rate with its {percent(shifts.rate.attrs['prob'])} interval"
        if shifts is not None
        else "",
        _about_dates(shifts) if shifts is not None else "",
        "Fan: cumulative count after the cut-off, on its own scale, with median, 50 % and 90 % interval"
        if outlook is not None
        else "",
        "Paler bars: observed only in part" if partly.any() else "",
        "Hatched: not observed" if unwatched(counts) else "",
        f"Source: {plain(counts.source)}" if counts.source else "",
    ]


def _about_dates(shifts: ChangepointsFit) -> str:
    table = shifts.segments
    k, chance = int(table.attrs["n_changes"]), percent(float(table.attrs["p_n_changes"]))
    if not 0 < k <= _MOST_DATED:
        return ""
    what = (
        "the change, if there was exactly one"
        if k == 1
        else f"each change, if there were exactly {k}"
    )
    interval_of = percent(float(table.attrs["prob"]))
    return f"Dots and lines in the strip: date of {what} (probability {chance}), with its {interval_of} interval"


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


def _draw_rate(ax: Axes, shifts: ChangepointsFit, bars: Bars) -> None:
    """Draw the rate, as the number expected in a whole bar."""
    fitted = shifts.counts
    edges = np.append(days(fitted.bin_starts), one_day(fitted.end))
    scale = bars.days / fitted.bin_days
    rate, low, high = (
        shifts.rate[name].to_numpy(dtype=float) * scale for name in ("mean", "low", "high")
    )
    style.steps(
        ax,
        high,
        edges,
        baseline=low,
        colour=style.VERMILLION,
        opacity=0.22,
        zorder=2,
        gid="interval",
    )
    style.steps(
        ax, rate, edges, baseline=None, colour=style.VERMILLION, linewidth=1.5, zorder=3, gid="rate"
    )
    seen = int(np.flatnonzero(~np.isnan(rate))[-1])
    last = fitted.bin_ends[seen] - pd.Timedelta("1D")
    now = f"{number(rate[seen])} {bars.unit} ({interval(low[seen], high[seen])})"
    style.headline(ax, f"rate on {day(last, year=False)}: {now}", colour=style.VERMILLION)


def _add_strip(ax: Axes, shifts: ChangepointsFit, bars: Bars) -> None:
    """Make room below the counts and draw the probability of a change in it."""
    _, top = ax.get_ylim()
    ticks = [tick for tick in ax.yaxis.get_major_locator().tick_values(0, top) if 0 <= tick <= top]
    share = _STRIP + _GUTTER
    ax.set_ylim(-top * share / (1 - share), top)
    ax.yaxis.set_major_locator(FixedLocator(ticks))
    ax.spines["left"].set_bounds(0, top)
    ax.axhline(0, color=style.RULE, linewidth=0.6, zorder=1)
    strip = ax.inset_axes((0, 0, 1, _STRIP), sharex=ax, gid="change probability")
    strip.set_facecolor("none")
    strip.tick_params(
        axis="y", labelsize=style.SMALL_PT, labelcolor=style.GREY, color=style.RULE, length=2.5, width=0.6, pad=2.5,
        labelfontfamily=style.FONT,
    )  # fmt: skip
    strip.tick_params(axis="x", bottom=False, labelbottom=False)
    strip.spines["bottom"].set_visible(False)
    strip.spines["left"].set(color=style.RULE, linewidth=0.6)
    starts = days(shifts.counts.bin_starts)
    daily = np.nan_to_num(shifts.change_probability.to_numpy(dtype=float))
    # Summed over a bar, they bound the probability of a change in it from above, closely where changes are rare.
    chance = np.minimum(np.histogram(starts, bars.edges, weights=daily)[0], 1.0)
    style.steps(strip, chance, bars.edges, colour=style.VERMILLION, gid="change")
    peak = max(float(chance.max(initial=0.0)), 0.05)
    dated = _dated_changes(shifts)
    places, lows, highs = (days(dated[name]) for name in ("start", "start_low", "start_high"))
    for place, low, high in zip(places, lows, highs, strict=True):
        strip.plot(
            [low, high + 1.0],
            [1.17 * peak] * 2,
            color=style.INK,
            linewidth=0.8,
            gid="date of change",
        )
        strip.plot(place, 1.17 * peak, color=style.INK, marker="o", markersize=3)
    strip.set_ylim(0, peak * (1.3 if len(dated) else 1.05))
    strip.set_yticks([0, peak], ["0", percent(peak)])
    strip.annotate(
        "probability that the rate changed, bar by bar; "
        f"that it never changed: {percent(float(shifts.n_changes.iloc[0]))}",
        xy=(0, 1),
        xycoords="axes fraction",
        xytext=(3, 4),
        textcoords="offset points",
        va="center",
        fontsize=style.SMALL_PT,
        color=style.GREY,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        annotation_clip=False,
    )


def _dated_changes(shifts: ChangepointsFit) -> pd.DataFrame:
    """Give the changes whose dates are marked: those of the most probable number, if they are not many."""
    changes = shifts.segments.iloc[1:]
    return changes if len(changes) <= _MOST_DATED else changes.iloc[:0]


def _add_fan(ax: Axes, outlook: Outlook, lift_pt: float, *, below: bool) -> None:
    """Draw the cumulative forecast to the right of the cut-off, on a scale of its own."""
    mark_cutoff(ax, outlook.start)
    low, high = ax.get_xlim()
    left = (one_day(outlook.start) - low) / (high - low)
    floor = _STRIP + _GUTTER if below else 0.0
    fan = ax.inset_axes((left, floor, 1 - left, 1 - floor), gid="forecast")
    fan.set_facecolor("none")
    fan.set_xlim(one_day(outlook.start), high)
    fan.axis("off")
    ends = draw_fan(fan, outlook)
    fan.set_ylim(0, 1.06 * max(ends[2], 1.0))
    at_right(
        fan,
        [
            (value, "", number(value, 12), style.INK)
            if value != ends[1]
            else (value, number(value, 12), "", style.BLUE)
            for value in dict.fromkeys(ends)
        ],
        limit_mm=12.0,
    )
    ax.annotate(
        "forecast",
        xy=(1, 1),
        xycoords="axes fraction",
        xytext=(0, lift_pt),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=style.SMALL_PT,
        color=style.BLUE,
        annotation_clip=False,
    )
