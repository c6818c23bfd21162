"""The forecast as a fan: how many attacks will have come by each date."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from tempo.data.rounding import interval, number, percent
from tempo.figures import style
from tempo.figures.dates import date_axis, day, days, mark_cutoff, one_day, until
from tempo.figures.expected import expect
from tempo.figures.labels import at_right, counting_rule, noun, plain

if TYPE_CHECKING:
    from tempo.forecasting.outlook import Outlook

__all__ = ["BANDS", "draw_fan", "plot_forecast"]

#: Probabilities of the bands of a fan, the widest first, with their opacity.
BANDS = ((0.9, 0.22), (0.5, 0.38))


def plot_forecast(outlook: Outlook, ax: Axes | None = None) -> Axes:
    """Show the forecast number of attacks, counted from the cut-off, with its 50 % and 90 % bands.

    Above the fan stand the probabilities of at least one attack by a third, two thirds and the end of the horizon.

    Parameters
    ----------
    outlook : Outlook
        What ``tempo.forecast`` gave.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        The chart.

    Raises
    ------
    OptionError
        If it is given something else.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import pandas as pd
    >>> import tempo
    >>> daily = pd.Series([0, 1, 0, 0, 2, 0, 0], index=pd.date_range("2020-03-01", periods=7))
    >>> fit = tempo.ConstantRate().fit(daily, rng=1)
    >>> ax = plot_forecast(tempo.forecast(fit, horizon="30D", draws=500, rng=1))
    >>> plt.close(ax.figure)
    """
    expect(outlook, "outlook", "tempo.forecast(fit)", "quantiles", "bin_days")
    top = float(outlook.quantiles(BANDS[0][0])["cumulative_high"].iloc[-1])
    with style.context():
        ax = style.canvas(
            ax,
            left_mm=style.left_margin_mm(top),
            caption=[
                "Forecast total since the cut-off: median, 50 % and 90 % interval",
                "Above: probability of at least one by then",
                f"Model: {plain(outlook.name)}",
                counting_rule(outlook.label, outlook.rule),
                until(outlook.cutoff),
            ],
            top_mm=14.0,
        )
        date_axis(ax, outlook.start, outlook.end)
        low, middle, high = draw_fan(ax, outlook)
        style.value_axis(ax, high, whole=True)
        style.headline(ax, f"{noun(outlook.label)} from {day(outlook.start)} on", lift_pt=23.0)
        mark_cutoff(ax, outlook.start)
        at_right(
            ax,
            [
                (
                    middle,
                    f"median {number(middle, 12)}",
                    f"90 %: {interval(low, high, digits=12)}",
                    style.BLUE,
                )
            ],
        )
        _mark_milestones(ax, outlook)
    return ax


def draw_fan(ax: Axes, outlook: Outlook) -> tuple[float, float, float]:
    """Draw the bands and the median of the cumulative count.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The chart, its horizontal axis one of dates.
    outlook : Outlook
        The forecast.

    Returns
    -------
    (float, float, float)
        Low end, median and high end of the widest band at the end of the horizon.
    """
    x = bin_edges(outlook)
    ends: list[float] = []
    for prob, opacity in BANDS:
        table = outlook.quantiles(prob)
        low, middle, high = (
            np.concatenate([[0.0], table[f"cumulative_{name}"].to_numpy(dtype=float)])
            for name in ("low", "median", "high")
        )
        ax.fill_between(
            x, low, high, color=style.BLUE, alpha=opacity, linewidth=0, zorder=1.5, gid="band"
        )
        if not ends:
            ends = [float(low[-1]), float(middle[-1]), float(high[-1])]
            ax.plot(x, middle, color=style.BLUE, linewidth=1.6, zorder=3, gid="median")
    return ends[0], ends[1], ends[2]


def bin_edges(outlook: Outlook) -> NDArray[np.float64]:
    """Give the edges of the forecast's bins as matplotlib's dates, one more than there are bins."""
    starts = days(pd.DatetimeIndex(outlook.counts["time"].to_numpy()))
    return np.append(starts, one_day(outlook.end))


def _mark_milestones(ax: Axes, outlook: Outlook) -> None:
    for within, chance in outlook.summary(0.9)["probability_any"].items():
        ahead = int(str(within).removesuffix("D"))
        x = one_day(outlook.start) + ahead
        ax.plot(
            [x, x],
            [0, 1],
            transform=ax.get_xaxis_transform(),
            color=style.RULE,
            linewidth=0.6,
            zorder=1,
        )
        for lift, text, weight in (
            (12, percent(float(chance)), "bold"),
            (3, f"≥ 1 in {ahead} {'day' if ahead == 1 else 'days'}", "normal"),
        ):
            ax.annotate(
                text,
                xy=(x, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, lift),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=style.SMALL_PT,
                fontweight=weight,
                color=style.INK if weight == "bold" else style.GREY,
                annotation_clip=False,
            )
