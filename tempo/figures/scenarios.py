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
from tempo.figures.expected import expect
from tempo.figures.labels import at_right, counting_rule, noun, plain, shortened, width_mm

if TYPE_CHECKING:
    from tempo.forecasting.outlook import Outlook
    from tempo.forecasting.weights import Weights

__all__ = ["plot_indicators", "plot_odds", "plot_scenarios"]

_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
_LEFT_MM, _ROW_MM = 34.0, 9.5
_COUNTS_FROM = 0.64  # share of the width at which the panel of counts begins


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

    Raises
    ------
    OptionError
        If it is given something else.

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
    expect(weights, "weights", "tempo.weigh(past, scenarios)", "history", "prior")
    history = weights.history()
    counts = weights.counts
    with style.context():
        ax = style.canvas(
            ax,
            caption=_odds_caption(
                weights,
                "Each date uses only the days before it; ticks at the foot: days with attacks",
            ),
            height_mm=max(48.0, 4.0 * len(history.columns)),
        )
        date_axis(ax, history.index[0], history.index[-1])
        _percent_axis(ax)
        x = days(pd.DatetimeIndex(history.index))
        entries = []
        for i, name in enumerate(history.columns):
            chance = history[name].to_numpy(dtype=float)
            ax.plot(
                x,
                chance,
                color=_colour(i),
                linestyle=_DASHES[i % 4],
                linewidth=1.6,
                zorder=3,
                clip_on=False,
                gid="odds",
            )
            entries.append(
                (
                    float(chance[-1]),
                    plain(name),
                    percent(float(chance[-1])),
                    style.letters(_colour(i)),
                )
            )
        happened = counts.to_numpy(dtype=float) > 0
        ax.plot(
            days(counts.bin_starts)[happened] + 0.5,
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
        ax.tick_params(axis="x", pad=7.5)
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

    Raises
    ------
    OptionError
        If it is given something else.

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
    expect(weights, "weights", "tempo.weigh(past, scenarios)", "indicators", "prior")
    table = weights.indicators(horizon)
    chance = table[("chance", "any")].to_numpy(dtype=float)
    # Numbers that hardly can be are cut off: there the odds rest on tails alone.
    shown = min(int(np.searchsorted(np.cumsum(chance), 0.99)) + 1, len(chance))
    numbers = table.index.to_numpy(dtype=float)[:shown]
    by = pd.Timestamp(table.attrs["by"])
    label = noun(weights.counts.label)
    with style.context():
        ax = style.canvas(
            ax,
            caption=_odds_caption(
                weights,
                f"Lines: probability of each scenario on {day(by)}, if so many come from "
                f"{day(weights.counts.end)} on; "
                "bars: chance of that number under all scenarios, weighed",
            ),
            height_mm=max(48.0, 4.0 * len(weights.probabilities)),
        )
        _percent_axis(ax)
        ax.set_xlim(-0.6, max(numbers[-1], 1) + 0.6)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12))
        ax.bar(
            numbers, chance[:shown], width=0.8, color="#D5D5D5", linewidth=0, zorder=1, gid="chance"
        )
        entries = []
        for i, name in enumerate(weights.probabilities.index):
            after = table[("probability", name)].to_numpy(dtype=float)[:shown]
            ax.plot(
                numbers, after, color=_colour(i), linestyle=_DASHES[i % 4], linewidth=1.4, zorder=3,
                marker="o" if shown <= 40 else "", markersize=3.2, gid="odds", clip_on=False,
            )  # fmt: skip
            entries.append((float(after[-1]), plain(name), "", style.letters(_colour(i))))
        style.headline(
            ax,
            f"probability of each scenario, by the number of {label} in {(by - weights.counts.end).days} days",
        )
        at_right(ax, entries)
    return ax


def plot_scenarios(
    scenarios: Weights | Mapping[str, Outlook], ax: Axes | None = None, *, horizon: str = "90D"
) -> Axes:
    """Compare the forecasts of scenarios: the probability of any attack, and the number of attacks.

    One row for each scenario, with its probability; the row of all scenarios weighed together stands below them.
    Left, the probability of at least one attack within a third, two thirds and the whole of the horizon; right, the
    number in the whole horizon with its median, 50 % and 90 % interval.

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
                f"Forecast from {day(first.start)} on",
                "Dot: median; thick line: 50 % interval; thin line and brackets: 90 % interval",
                counting_rule(first.label, first.rule),
                until(first.cutoff),
            ],
            height_mm=_ROW_MM * len(rows) + 2.0,
            left_mm=_LEFT_MM,
            right_mm=max(width_mm(row.words, style.TEXT_PT, bold=True) for row in rows) + 4.0,
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

    def numbers(self, prob: float) -> tuple[float, float, float]:
        """Low end, median and high end of the number over the whole horizon."""
        last = self.outlook.quantiles(prob).iloc[-1]
        low, middle, high = (
            float(last[f"cumulative_{name}"]) for name in ("low", "median", "high")
        )
        return low, middle, high

    @property
    def words(self) -> str:
        low, middle, high = self.numbers(0.9)
        return f"{number(middle, 12)} ({interval(low, high, digits=12)})"


def _rows(scenarios: Weights | Mapping[str, Outlook], horizon: str) -> list[_Row]:
    if isinstance(scenarios, Mapping):
        for name, outlook in scenarios.items():
            expect(
                outlook, f"the forecast {name!r}", "tempo.forecast(fit)", "quantiles", "bin_days"
            )
        rows = [
            _Row(plain(name), "", _colour(i), outlook)
            for i, (name, outlook) in enumerate(scenarios.items())
        ]
        if not rows:
            raise OptionError(
                "there is no forecast to draw; pass Weights, or a mapping of names to Outlooks."
            )
        spans = {(row.outlook.start, row.outlook.end) for row in rows}
        if len(spans) > 1:
            found = ", ".join(f"[{start:%Y-%m-%d}, {end:%Y-%m-%d})" for start, end in sorted(spans))
            raise OptionError(
                f"the forecasts cover different times: {found}. Forecast all from the same data over the same horizon."
            )
        return rows
    source = "tempo.weigh(past, scenarios), or a mapping of names to what tempo.forecast(fit)"
    expect(scenarios, "scenarios", source, "outlooks", "prior")
    rows = [
        _Row(plain(name), percent(float(scenarios.probabilities[name])), _colour(i), outlook)
        for i, (name, outlook) in enumerate(scenarios.outlooks(horizon).items())
    ]
    return [*rows, _Row("weighed together", "", style.INK, scenarios.outlook(horizon), strong=True)]


def _name_rows(ax: Axes, rows: list[_Row]) -> None:
    ax.set_yticks([])
    for i, row in enumerate(rows):
        for text, lift, colour, weight in (
            (row.name, 4.5 if row.note else 0.0, style.letters(row.colour), "bold"),
            (f"probability {row.note}" if row.note else "", -5.0, style.GREY, "normal"),
        ):
            ax.annotate(
                shortened(text, _LEFT_MM - 4.0, style.TEXT_PT, bold=weight == "bold"),
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
    """Draw the probabilities of any attack as a table of bars, one column for each stretch of time."""
    ax.set_xlim(0, 1)
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    summaries = [row.outlook.summary(0.9)["probability_any"] for row in rows]
    width = (_COUNTS_FROM - 0.06) / len(summaries[0])
    bar = width - 0.035
    for column, within in enumerate(summaries[0].index):
        left = column * width
        ahead = int(str(within).removesuffix("D"))
        style.headline(ax, f"{ahead} {'day' if ahead == 1 else 'days'}", x=left, lift_pt=3.0)
        for i, (row, summary) in enumerate(zip(rows, summaries, strict=True)):
            chance = float(summary.iloc[column])
            for length, colour, order in ((bar, style.PALE, 1), (bar * chance, row.colour, 2)):
                ax.barh(
                    i + 0.22, length, left=left, height=0.2, color=colour, linewidth=0, zorder=order,
                    gid="probability" if order == 2 else "track",
                )  # fmt: skip
            ax.text(
                left,
                i - 0.13,
                percent(chance),
                va="center",
                fontsize=style.SMALL_PT + 0.3,
                fontweight="bold" if row.strong else "normal",
            )
    style.headline(ax, "probability of at least one within", lift_pt=14.0, colour=style.INK)


def _draw_numbers(ax: Axes, rows: list[_Row]) -> None:
    """Draw the number of attacks over the horizon in the right part of the Axes."""
    panel = ax.inset_axes((_COUNTS_FROM, 0, 1 - _COUNTS_FROM, 1), sharey=ax, gid="number")
    style.dress(panel)
    panel.set_facecolor("none")
    panel.spines["left"].set_visible(False)
    panel.tick_params(axis="y", left=False, labelleft=False)
    highest = 1.0
    for i, row in enumerate(rows):
        low, middle, high = row.numbers(0.9)
        inner_low, _, inner_high = row.numbers(0.5)
        for ends, width in (((low, high), 1.0), ((inner_low, inner_high), 3.2)):
            panel.plot(
                ends,
                [i, i],
                color=row.colour,
                linewidth=width,
                solid_capstyle="butt",
                zorder=2,
                gid="interval",
            )
        panel.plot(
            middle, i, marker="o", markersize=5.5, color=row.colour, markeredgecolor="white", zorder=3, clip_on=False,
            gid="median",
        )  # fmt: skip
        highest = max(highest, high)
    panel.set_xlim(-0.02 * highest, 1.02 * highest)
    fit = style.axes_size_mm(panel)[0] / (width_mm(number(highest, 12), style.SMALL_PT) + 4.0)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=int(max(1, min(5, fit - 1)))))
    panel.xaxis.set_major_formatter(lambda value, _: number(value, 12))
    panel.grid(axis="x", color=style.PALE, linewidth=0.6)
    for i, row in enumerate(rows):
        panel.annotate(
            row.words,
            xy=(1, i),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=style.TEXT_PT,
            fontweight="bold" if row.strong else "normal",
            annotation_clip=False,
        )
    style.headline(
        panel, f"number in {rows[0].outlook.horizon_days} days", lift_pt=14.0, colour=style.INK
    )
    style.headline(panel, "median and interval", lift_pt=3.0)


def _odds_caption(weights: Weights, what: str) -> list[str]:
    prior = ", ".join(
        f"{plain(str(name))} ({percent(float(p))})" for name, p in weights.prior.items()
    )
    events = number(weights.counts.events, 12)
    return [
        what,
        f"Given that one of the scenarios holds; before the data: {prior}",
        f"Judged by the days since {day(weights.since)} ({noun(weights.counts.label)}: {events})",
        counting_rule(weights.counts.label, weights.counts.rule),
        until(weights.counts.watched_until),
    ]


def _percent_axis(ax: Axes) -> None:
    ax.set_ylim(0, 1)
    ax.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
    ax.yaxis.set_major_formatter(lambda value, _: f"{number(100 * value, 3)} %")
    ax.grid(axis="y", color=style.PALE, linewidth=0.6)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)


def _colour(place: int) -> str:
    return style.PALETTE[place] if place < len(style.PALETTE) else style.GREY
