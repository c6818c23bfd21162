"""The alarm day by day: how probable it is that the pace has left its usual level, and when the alarm sounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator
from numpy.typing import NDArray

from tempo.data.counts import Counts, as_counts
from tempo.data.rounding import number, percent
from tempo.figures import style
from tempo.figures.bars import bars_of, draw_bars
from tempo.figures.dates import date_axis, day, days, mark_gaps, one_day, until, unwatched
from tempo.figures.expected import expect, expect_columns
from tempo.figures.labels import at_right, counting_rule, noun

if TYPE_CHECKING:
    from tempo.models.changepoint_alarm import Alarm

__all__ = ["plot_alarm"]

type Floats = NDArray[np.float64]

_STRIP, _GUTTER = 0.38, 0.13  # shares of the height


def plot_alarm(
    counts: Counts | pd.Series, watched: pd.DataFrame, alarm: Alarm, ax: Axes | None = None
) -> Axes:
    """Show counts against their usual rate, and below them the probability of a change with the alarm's threshold.

    Each day's probability rests on that day and those before it. Where it passes the threshold it is filled; a line
    marks the first alarm, and a dot when the new pace had most probably begun by then.

    Parameters
    ----------
    counts : Counts or pandas.Series
        What was watched.
    watched : pandas.DataFrame
        What ``alarm.watch(counts)`` gave.
    alarm : Alarm
        The rule.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        The chart; the probability is drawn in its ``child_axes``.

    Raises
    ------
    OptionError
        If it is given something else.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import tempo
    >>> counts = pd.Series([0, 0, 1, 0] * 15 + [1, 2, 0, 3] * 5, index=pd.date_range("2020-01-01", periods=80))
    >>> rule = tempo.Alarm(usual_rate=0.25, false_alarm_bins=200)
    >>> ax = plot_alarm(counts, rule.watch(counts), rule)
    >>> plt.close(ax.figure)
    """
    expect(alarm, "alarm", "tempo.Alarm(...)", "usual_rate", "threshold")
    expect_columns(watched, "watched", "alarm.watch(counts)", "probability", "alarm", "since")
    counts = as_counts(counts)
    bars = bars_of(counts)
    usual = alarm.usual_rate * bars.days / float(np.median(counts.bin_days))
    top = max(float(np.nanmax(bars.values, initial=1.0)), 1.3 * usual)
    sounded = np.flatnonzero(watched["alarm"].to_numpy(dtype=bool))
    first = None
    if len(sounded):  # when, and since when
        at = int(sounded[0])
        first = counts.bin_starts[at], pd.DatetimeIndex(watched["since"])[at]
    with style.context():
        ax = style.canvas(
            ax,
            caption=[
                _rule(alarm, counts),
                _first(*first) if first is not None else "It did not sound",
                counting_rule(counts.label, counts.rule),
                until(counts.watched_until),
                bars.said,
                "Hatched: not observed" if unwatched(counts) else "",
            ],
            height_mm=66.0,
            left_mm=style.left_margin_mm(top),
        )
        date_axis(ax, counts.bin_starts[0], counts.end)
        mark_gaps(ax, unwatched(counts))
        draw_bars(ax, bars)
        style.value_axis(ax, top, whole=True)
        style.headline(ax, f"{noun(counts.label)} {bars.unit}")
        _, top = ax.get_ylim()
        ticks = [
            tick for tick in ax.yaxis.get_major_locator().tick_values(0, top) if 0 <= tick <= top
        ]
        share = _STRIP + _GUTTER
        ax.set_ylim(-top * share / (1 - share), top)
        ax.yaxis.set_major_locator(FixedLocator(ticks))
        ax.spines["left"].set_bounds(0, top)
        low, high = ax.get_xlim()
        ax.plot([low, high], [usual, usual], color=style.INK, linewidth=0.8, gid="usual", zorder=3)
        at_right(
            ax, [(usual, "usual rate", f"{number(usual)} {bars.unit}", style.INK)], limit_mm=26.0
        )
        _draw_probability(ax, counts, watched, alarm)
        if first is not None:
            sound, since = (one_day(date) for date in first)
            ax.axvline(sound, color=style.VERMILLION, linewidth=0.9, zorder=2.5, gid="alarm")
            ax.plot(
                [since], [0], color=style.VERMILLION, marker="o", markersize=4, zorder=5, clip_on=False, gid="since"
            )  # fmt: skip
    return ax


def _rule(alarm: Alarm, counts: Counts) -> str:
    """Say what the alarm watches for, and how often it is false."""
    bins = "days" if set(counts.bin_days) == {1.0} else "bins"
    wanted = "a rise" if alarm.ratio > 1 else "a lull"
    return (
        f"The alarm watches for {wanted}, to about {number(alarm.ratio)} times the usual rate; while nothing changes, "
        f"it sounds once in {number(alarm.false_alarm_bins, 12)} {bins} on average"
    )


def _first(sound: pd.Timestamp, since: pd.Timestamp) -> str:
    return f"Red line: first alarm, {day(sound)}; dot: {day(since)}, judged then the likeliest start of the new pace"


def _draw_probability(ax: Axes, counts: Counts, watched: pd.DataFrame, alarm: Alarm) -> None:
    """Draw the probability of a change and the threshold in a strip below the counts."""
    strip = ax.inset_axes((0, 0, 1, _STRIP), sharex=ax, gid="probability of a change")
    style.dress(strip)
    strip.set_facecolor("none")
    strip.tick_params(axis="x", bottom=False, labelbottom=False)
    edges = np.append(days(counts.bin_starts), one_day(counts.end))
    chance = watched["probability"].to_numpy(dtype=float)
    above = np.where(watched["alarm"].to_numpy(dtype=bool), chance, 0.0)
    style.steps(strip, chance, edges, colour=style.PALE, gid="probability", zorder=1)
    style.steps(strip, above, edges, colour=style.ORANGE, gid="above", zorder=1.5)
    style.steps(
        strip, chance, edges, baseline=None, colour=style.INK, linewidth=0.9, zorder=2, gid="line"
    )
    strip.axhline(
        alarm.threshold, color=style.VERMILLION, linewidth=0.9, linestyle=(0, (4, 2)), zorder=3, gid="threshold"
    )  # fmt: skip
    strip.set_ylim(0, 1)
    strip.set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    strip.annotate(
        "probability that the pace has left its usual level, as judged on each day",
        xy=(0, 1),
        xycoords="axes fraction",
        xytext=(3, 4),
        textcoords="offset points",
        va="bottom",
        fontsize=style.SMALL_PT,
        color=style.GREY,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        annotation_clip=False,
    )
    last = float(chance[-1])
    state = "alarm" if bool(watched["alarm"].iloc[-1]) else "no alarm"
    at_right(
        strip,
        [
            (alarm.threshold, "alarm from", percent(alarm.threshold), style.VERMILLION),
            (last, f"now {percent(last)}", state, style.INK),
        ],
        limit_mm=26.0,
    )
