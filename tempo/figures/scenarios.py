"""Scenarios side by side: how their odds moved, what each forecasts, and what would change our mind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator

from tempo.data.rounding import interval, number, percent
from tempo.errors import OptionError
from tempo.figures import style
from tempo.figures.dates import date_axis, day, days, until
from tempo.figures.labels import at_right, plain, shortened

if TYPE_CHECKING:
    from tempo.forecasting.outlook import Outlook
    from tempo.forecasting.weights import Weights

__all__ = ["plot_indicators", "plot_odds", "plot_scenarios"]

_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
_LEFT_MM, _ROW_MM = 34.0, 9.5
_COUNTS_FROM = 0.62  # share of the width at which the panel of counts begins


def plot_odds(weights: Weights, ax: Axes | None = None) -> Axes:
    """Show how the probability of each scenario moved as the days went by.

    Each date uses only what had happened before it. Ticks at the foot are the days with attacks.

    Parameters
    ----------
    weights : Weights
        What ``tempo.weigh`` gave.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        The chart.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import tempo
    >>> daily = pd.Series([0, 1, 0, 0, 2, 0, 0], index=pd.date_range("2020-03-01", periods=7))
    >>> slow = tempo.Scenario.every("1-2 months", name="slow")
    >>> fast = tempo.Scenario.every("2-5 days", name="fast")
    >>> ax = plot_odds(tempo.weigh(daily, [slow, fast], rng=1))
    >>> plt.close(ax.figure)
    """
    history = weights.history()
    counts = weights.counts
    with style.context():
        ax = style.canvas(
            ax, caption=_odds_caption(weights, "Attacks at the foot; before them the prior"), height_mm=48.0
        )
        date_axis(ax, history.index[0], history.index[-1])
        _percent_axis(ax)
        x = days(pd.DatetimeIndex(history.index))
        entries = []
        for i, name in enumerate(history.columns):
            chance = history[name].to_numpy(dtype=float)
            ax.plot(x, chance, color=_colour(i), linestyle=_DASHES[i % 4], linewidth=1.6, zorder=3, gid="odds")
            entries.append((float(chance[-1]), plain(name), percent(float(chance[-1])), _colour(i)))
        happened = counts.to_numpy(dtype=float) > 0
        ax.plot(
            days(pd.DatetimeIndex(counts.index))[happened] + 0.5,
            np.full(int(happened.sum()), -0.035),
            transform=ax.get_xaxis_transform(),
            linestyle="none",
            marker="|",
            markersize=4,
            markeredgewidth=0.7,
            color=style.INK,
            clip_on=False,
            rasterized=bool(happened.sum() > 5000),
            gid="attacks",
        )
        ax.tick_params(axis="x", pad=6)
        style.headline(ax, "probability of each scenario")
        at_right(ax, entries)
    return ax


def plot_indicators(weights: Weights, ax: Axes | None = None, *, horizon: str = "60D") -> Axes:
    """Show what would change our mind: each scenario's probability after every possible number of attacks.

    Grey bars give the chance of each number under all scenarios together.

    Parameters
    ----------
    weights : Weights
        What ``tempo.weigh`` gave.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.
    horizon : str, default "60D"
        How long to watch, from the end of the data.

    Returns
    -------
    matplotlib.axes.Axes
        The chart.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import tempo
    >>> daily = pd.Series([0, 1, 0, 0, 2, 0, 0], index=pd.date_range("2020-03-01", periods=7))
    >>> slow = tempo.Scenario.every("1-2 months", name="slow")
    >>> fast = tempo.Scenario.every("2-5 days", name="fast")
    >>> ax = plot_indicators(tempo.weigh(daily, [slow, fast], rng=1), horizon="30D")
    >>> plt.close(ax.figure)
    """
    table = weights.indicators(horizon)
    chance = table[("chance", "any")].to_numpy(dtype=float)
    # Numbers that hardly can be are cut off: there the odds rest on tails alone.
    shown = min(int(np.searchsorted(np.cumsum(chance), 0.99)) + 1, len(chance))
    numbers = table.index.to_numpy(dtype=float)[:shown]
    by = pd.Timestamp(table.attrs["by"])
    label = plain(weights.counts.label)
    with style.context():
        ax = style.canvas(
            ax,
            caption=_odds_caption(
                weights,
                f"Lines: probability of each scenario on {day(by)}, if that many come from {day(weights.counts.end)} on; "
                "bars: chance of that number under all scenarios, weighed",
            ),
            height_mm=48.0,
        )
        _percent_axis(ax)
        ax.set_xlim(-0.6, max(numbers[-1], 1) + 0.6)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12))
        ax.bar(numbers, chance[:shown], width=0.8, color="#D5D5D5", linewidth=0, zorder=1, gid="chance")
        entries = []
        for i, name in enumerate(weights.probabilities.index):
            after = table[("probability", name)].to_numpy(dtype=float)[:shown]
            ax.plot(
                numbers, after, color=_colour(i), linestyle=_DASHES[i % 4], linewidth=1.4, zorder=3,
                marker="o" if shown <= 40 else "", markersize=3.2, gid="odds",
            )  # fmt: skip
            entries.append((float(after[-1]), plain(name), "", _colour(i)))
        style.headline(ax, f"probability of each scenario, by the number of {label} in {_length(horizon, weights, by)}")
        at_right(ax, entries)
    return ax


def _length(horizon: str, weights: Weights, by: pd.Timestamp) -> str:
    del horizon
    return f"{(by - weights.counts.end).days} days"


def plot_scenarios(
    scenarios: Weights | Mapping[str, Outlook], ax: Axes | None = None, *, horizon: str = "90D"
) -> Axes:
    """Compare the forecasts of scenarios: the probability of any attack, and the number of attacks.

    One row for each scenario, with its probability; the row of all scenarios weighed together stands below them.
    Left, the probability of at least one attack within a third, two thirds and the whole of the horizon; right, the
    number in the whole horizon with median, 50 % and 90 % interval.

    Parameters
    ----------
    scenarios : Weights or mapping of str to Outlook
        What ``tempo.weigh`` gave, or forecasts by name; these must start and end together.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.
    horizon : str, default "90D"
        How far to forecast the scenarios of ``Weights``; forecasts by name bring their own.

    Returns
    -------
    matplotlib.axes.Axes
        The chart. The panel of counts is its first ``child_axes``.

    Raises
    ------
    OptionError
        If there is no forecast, or the forecasts do not cover the same time.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import tempo
    >>> daily = pd.Series([0, 1, 0, 0, 2, 0, 0], index=pd.date_range("2020-03-01", periods=7))
    >>> slow = tempo.Scenario.every("1-2 months", name="slow")
    >>> fast = tempo.Scenario.every("2-5 days", name="fast")
    >>> ax = plot_scenarios(tempo.weigh(daily, [slow, fast], rng=1))
    >>> plt.close(ax.figure)
    """
    rows = _rows(scenarios, horizon)
    first = rows[0].outlook
    with style.context():
        ax = style.canvas(
            ax,
            caption=[
                f"Forecast from {day(first.start)}. Left: probability of at least one. Right: number in "
                f"{first.horizon_days} days, median, 50 % interval (thick) and 90 % interval (thin)",
                f"Counting rule: {plain(first.rule)} ({plain(first.label)})",
                until(first.cutoff),
            ],
            height_mm=_ROW_MM * len(rows) + 2.0,
            left_mm=_LEFT_MM,
            right_mm=6.0,
            top_mm=13.0,
            caption_from_mm=_LEFT_MM - 1.0,
        )
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.spines["left"].set_visible(False)
        _name_rows(ax, rows)
        _draw_chances(ax, rows)
        _draw_numbers(ax, rows)
    return ax


@dataclass(frozen=True)
class _Row:
    name: str
    note: str
    colour: str
    outlook: Outlook
    strong: bool = False


def _rows(scenarios: Weights | Mapping[str, Outlook], horizon: str) -> list[_Row]:
    if isinstance(scenarios, Mapping):
        rows = [
            _Row(plain(name), "", _colour(i), outlook) for i, (name, outlook) in enumerate(scenarios.items())
        ]
        if not rows:
            raise OptionError("there is no forecast to draw; pass Weights, or a mapping of names to Outlooks.")
        spans = {(row.outlook.start, row.outlook.end) for row in rows}
        if len(spans) > 1:
            found = ", ".join(f"[{start:%Y-%m-%d}, {end:%Y-%m-%d})" for start, end in sorted(spans))
            raise OptionError(
                f"the forecasts cover different times: {found}. Forecast all from the same data over the same horizon."
            )
        return rows
    rows = [
        _Row(plain(name), percent(float(scenarios.probabilities[name])), _colour(i), outlook)
        for i, (name, outlook) in enumerate(scenarios.outlooks(horizon).items())
    ]
    return [*rows, _Row("weighed together", "", style.INK, scenarios.outlook(horizon), strong=True)]


def _name_rows(ax: Axes, rows: list[_Row]) -> None:
    ax.set_yticks([])
    for i, row in enumerate(rows):
        for text, lift, colour, weight in (
            (row.name, 4.5 if row.note else 0.0, row.colour, "bold"),
            (f"probability {row.note}" if row.note else "", -5.0, style.GREY, "normal"),
        ):
            ax.annotate(
                shortened(text, _LEFT_MM - 4.0, style.TEXT_PT if weight == "bold" else style.SMALL_PT),
                xy=(0, i),
                xycoords=("axes fraction", "data"),
                xytext=(-7, lift),
                textcoords="offset points",
                ha="right",
                va="center",
                fontsize=style.TEXT_PT if weight == "bold" else style.SMALL_PT,
                fontweight=weight,
                color=colour,
                annotation_clip=False,
            )
    if rows[-1].strong:
        ax.axhline(len(rows) - 1.5, color=style.RULE, linewidth=0.6)


def _draw_chances(ax: Axes, rows: list[_Row]) -> None:
    """Draw the probabilities of any attack in the left part of the Axes."""
    ax.set_xlim(0, 1 / (_COUNTS_FROM - 0.1))
    ax.xaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
    ax.xaxis.set_major_formatter(lambda value, _: f"{number(100 * value, 3)} %")
    ax.spines["bottom"].set_bounds(0, 1)
    for x in (0, 0.25, 0.5, 0.75, 1):
        ax.plot([x, x], [-0.5, len(rows) - 0.5], color=style.PALE, linewidth=0.6, zorder=0.5)
    style.headline(ax, "probability of at least one", lift_pt=16.0)
    for i, row in enumerate(rows):
        summary = row.outlook.summary(0.9)["probability_any"]
        chances = summary.to_numpy(dtype=float)
        ax.plot([chances.min(), chances.max()], [i, i], color=row.colour, linewidth=1.0, alpha=0.5, zorder=2)
        shades = np.linspace(0.0, 1.0, len(chances)) if len(chances) > 1 else np.array([1.0])
        for chance, shade in zip(chances, shades, strict=True):
            ax.plot(
                chance, i, marker="o", markersize=4.5 + 2.5 * shade, color=row.colour, markeredgewidth=1.1,
                markeredgecolor=row.colour, markerfacecolor=row.colour if shade == 1 else "white", zorder=3,
                clip_on=False, gid="probability",
            )  # fmt: skip
