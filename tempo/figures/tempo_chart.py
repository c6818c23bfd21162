"""The tempo of attacks: counts, the rate behind them and when it changed, and what is forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator
from numpy.typing import NDArray

from tempo.data.counts import Counts, as_counts
from tempo.data.rounding import interval, number, percent
from tempo.errors import OptionError
from tempo.figures import style
from tempo.figures.bars import Bars, bars_of, draw_bars
from tempo.figures.changes import about_dates, draw_change_strip
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
from tempo.figures.expected import expect
from tempo.figures.fan import draw_fan
from tempo.figures.labels import at_right, counting_rule, noun, plain

if TYPE_CHECKING:
    from tempo.forecasting.outlook import Outlook
    from tempo.models.changepoint_fit import ChangepointsFit

__all__ = ["plot_tempo"]

type Floats = NDArray[np.float64]

_STRIP, _GUTTER = 0.2, 0.1  # shares of the height below the counts


def plot_tempo(
    counts: Counts | pd.Series,
    shifts: ChangepointsFit | None = None,
    outlook: Outlook | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Show counts through time, with the changing rate behind them and the forecast on the right.

    Long series are regrouped into fewer, wider bars (axis and caption say how wide), so that decades of days can be
    read. Bins that were observed only in part are paler; those that nobody watched are hatched. The strip below gives
    the probability that the rate changed, summed over the bins of each bar, and marks when. With a fit to attack days
    (``observation="bernoulli"``) the bars count those days, as the fit does.

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

    Raises
    ------
    OptionError
        If the fit is one of severity, which has no rate of attacks.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> weekly = pd.Series([0, 1, 0, 2], index=pd.date_range("2020-03-02", periods=4, freq="7D"))
    >>> ax = plot_tempo(weekly)
    >>> plt.close(ax.figure)
    """
    if shifts is not None:
        expect(shifts, "shifts", "tempo.Changepoints().fit(counts)", "rate", "change_probability")
    if outlook is not None:
        expect(outlook, "outlook", "tempo.forecast(fit)", "quantiles", "bin_days")
    counts = as_counts(counts)
    observed = "" if shifts is None else shifts.model.observation
    if observed == "severity":
        raise OptionError(
            "these shifts are of severity: how deadly attacks are, not how many come. Draw them with "
            "tempo.plot_deadliness(shifts)."
        )
    by_day = observed == "bernoulli"
    bars = bars_of(counts, attack_days=by_day)
    top = float(np.nanmax(bars.values, initial=1.0))
    if shifts is not None:
        top = max(top, float(np.nanmax(_in_bars(shifts, bars)[2])))
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
        if by_day:
            title = f"days with {title}" if set(counts.bin_days) == {1.0} else f"bins with {title}"
        lift_pt = 5.0 if shifts is None else 14.5
        style.headline(ax, title, lift_pt=lift_pt, spare_mm=-20.0 if outlook is not None else 0.0)
        if shifts is not None:
            _draw_rate(ax, shifts, bars)
            _add_strip(ax, shifts, bars)
        if outlook is not None:
            _add_fan(ax, outlook, lift_pt, below=shifts is not None)
    return ax


def _caption(
    counts: Counts, bars: Bars, shifts: ChangepointsFit | None, outlook: Outlook | None
) -> list[str]:
    partly = (bars.exposure < 0.999) & (bars.values > 0)
    return [
        counting_rule(counts.label, counts.rule),
        until(counts.watched_until),
        bars.said,
        f"Line: rate with its {percent(shifts.rate.attrs['prob'])} interval"
        if shifts is not None
        else "",
        about_dates(shifts) if shifts is not None else "",
        "Fan: cumulative count after the cut-off, on its own scale, with median, 50 % and 90 % interval"
        if outlook is not None
        else "",
        "Paler bars: observed only in part" if partly.any() else "",
        "Hatched: not observed" if unwatched(counts) else "",
        f"Source: {plain(counts.source)}" if counts.source else "",
    ]


def _in_bars(shifts: ChangepointsFit, bars: Bars) -> tuple[Floats, Floats, Floats]:
    """Give the rate and its limits as the number expected in a whole bar."""
    table = shifts.rate
    scale = bars.days * (table["per_day"] / table["mean"]).to_numpy(dtype=float)
    mean, low, high = (table[name].to_numpy(dtype=float) for name in ("mean", "low", "high"))
    return mean * scale, low * scale, high * scale


def _draw_rate(ax: Axes, shifts: ChangepointsFit, bars: Bars) -> None:
    """Draw the rate, as the number expected in a whole bar."""
    rate, low, high = _in_bars(shifts, bars)
    # The rate holds for bins, or for the stretches between attacks.
    starts = pd.DatetimeIndex(shifts.rate.index)
    ends = [*starts[1:], shifts.counts.end]
    edges = np.append(days(starts), one_day(shifts.counts.end))
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
    last = ends[seen] - pd.Timedelta("1D")
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
    draw_change_strip(ax, shifts, bars.edges, "rate")


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
