"""A scenario before it has seen any data: its daily rate by date, and the numbers that it expects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from tempo.data.rounding import interval, number
from tempo.data.window import DAY
from tempo.figures import style
from tempo.figures.dates import date_axis, day, days, one_day
from tempo.figures.expected import expect
from tempo.figures.labels import plain, width_mm
from tempo.forecasting.outlook import thirds
from tempo.forecasting.spans import MOST_DAYS, days_of

if TYPE_CHECKING:
    from tempo.forecasting.previews import Preview
    from tempo.forecasting.scenarios import Scenario

__all__ = ["plot_story"]

_BEFORE = 21 * DAY  # how much of the first phase is shown before it may end
_SPLIT, _NUMBERS = 0.57, 0.68  # shares of the width: end of the dates, begin of the numbers
_BANDS = ((0.9, 0.22), (0.5, 0.38))


def plot_story(
    scenario: Scenario,
    ax: Axes | None = None,
    *,
    horizon: str = "90D",
    label: str = "attacks",
    rng: int = 0,
) -> Axes:
    """Show what a scenario expects before it has seen any data, to check that this is what was meant.

    Left, the expected attacks a day by date, with 50 % and 90 % intervals; right, the number within a third, two thirds
    and the whole of the horizon, and deaths where the story has them. A story without dates is shown from an arbitrary
    day on.

    Parameters
    ----------
    scenario : Scenario
        The story.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.
    horizon : str, default "90D"
        Length of the stretch in which attacks are counted; it begins when the first change has come for certain.
    label : str, default "attacks"
        What is counted, in the plural.
    rng : int, default 0
        Seed of the simulated futures.

    Returns
    -------
    matplotlib.axes.Axes
        The chart; its ``child_axes`` are the two panels.

    Raises
    ------
    OptionError
        If it is given something else.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import tempo
    >>> ax = plot_story(tempo.Scenario.every("2-3 months", name="sporadic"))
    >>> plt.close(ax.figure)
    """
    expect(
        scenario,
        "scenario",
        "tempo.Scenario.every(...) or another of its builders",
        "phases",
        "preview",
    )
    ahead = days_of(horizon)
    told = scenario.preview(horizon, rng=rng)
    since = scenario.since if scenario.since is not None else told.days[0]
    dated = scenario.since is not None
    first = min(since, told.days[0]) - (_BEFORE if len(scenario.phases) > 1 else 0 * DAY)
    long = min(int((told.days[-1] - first) / DAY) + 1, MOST_DAYS)
    first = told.days[-1] - (long - 1) * DAY
    shown = scenario.preview(f"{long}D", start=first, rng=rng)
    spans = list(thirds(ahead))
    table = told.table([f"{span}D" for span in spans])
    rows = _rows(table, spans)
    with style.context():
        ax = style.canvas(
            ax,
            caption=[
                f"Scenario {plain(scenario.name)}, before any data judge it: {plain(scenario.describe())}",
                "Lines and dots: median; dark and thick: 50 % interval; light and thin: 90 % interval",
                f"Numbers are counted from {day(told.days[0])} on"
                if dated
                else "The story has no dates",
            ],
            height_mm=max(46.0, 8.0 * len(rows)),
            left_mm=12.0,
            right_mm=max(width_mm(words, style.TEXT_PT) for _, _, _, words in rows) + 5.0,
            top_mm=9.0,
            caption_from_mm=11.0,
        )
        ax.set_axis_off()
        _draw_rate(ax, shown, dated=dated)
        _draw_numbers(ax, rows, told, spans, label)
    return ax


type _Row = tuple[str, str, int, str]


def _rows(table: pd.DataFrame, spans: list[int]) -> list[_Row]:
    """List what is shown on the right: name of the row, what it counts, over how many days, and its numbers."""
    rows = []
    for what, colour in (("attacks", style.BLUE), ("deaths", style.VERMILLION)):
        if f"{what}_median" not in table:
            continue
        for span in spans:
            low, middle, high = _numbers(table, span, what)
            words = (
                f"{number(middle, 12)} ({interval(low, high, digits=12)})"
                f"{' deaths' if what == 'deaths' else ''}"
            )
            rows.append((what, colour, span, words))
    return rows


def _numbers(table: pd.DataFrame, span: int, what: str) -> tuple[float, float, float]:
    """Read low end, median and high end off a table."""
    low, middle, high = (
        table[f"{what}_{end}"].to_numpy(dtype=float)[table.index == span][0]
        for end in ("low", "median", "high")
    )
    return float(low), float(middle), float(high)


def _draw_rate(ax: Axes, shown: Preview, *, dated: bool) -> None:
    panel = ax.inset_axes((0, 0, _SPLIT, 1), gid="rate")
    style.dress(panel)
    edges = np.append(days(shown.days), one_day(shown.days[-1] + DAY))
    top = 0.0
    for prob, opacity in _BANDS:
        fan = shown.fan(prob)
        low, high = (np.append(fan[end], fan[end].iloc[-1]) for end in ("low", "high"))
        panel.fill_between(
            edges, low, high, step="post", color=style.BLUE, alpha=opacity, linewidth=0, gid="band"
        )
        top = max(top, float(high.max()))
    median = np.append(fan["median"], fan["median"].iloc[-1])
    panel.step(edges, median, where="post", color=style.BLUE, linewidth=1.6, gid="median")
    date_axis(panel, shown.days[0], shown.days[-1] + DAY)
    if not dated:
        panel.set_xticks([edges[0], edges[-1]], ["first day", f"day {len(shown.days)}"])
    style.value_axis(panel, top)
    panel.grid(axis="y", color=style.PALE, linewidth=0.6)
    panel.spines["left"].set_visible(False)
    panel.tick_params(axis="y", length=0)
    style.headline(panel, "expected a day")


def _draw_numbers(ax: Axes, rows: list[_Row], told: Preview, spans: list[int], label: str) -> None:
    panel = ax.inset_axes((_NUMBERS, 0, 1 - _NUMBERS, 1), gid="number")
    style.dress(panel)
    panel.spines["left"].set_visible(False)
    panel.set_yticks([])
    tables = {prob: told.table([f"{span}D" for span in spans], prob) for prob in (0.9, 0.5)}
    highest = 1.0
    for i, (what, colour, span, words) in enumerate(rows):
        for prob, width in ((0.9, 1.0), (0.5, 3.2)):
            low, middle, high = _numbers(tables[prob], span, what)
            panel.plot(
                (low, high), (i, i), color=colour, linewidth=width, solid_capstyle="butt", gid="interval"
            )  # fmt: skip
            highest = max(highest, high)
        panel.plot(
            middle, i, marker="o", markersize=5.0, color=colour, markeredgecolor="white", zorder=3, clip_on=False,
            gid="median",
        )  # fmt: skip
        for text, x, side, gap in (
            (f"{span} {'day' if span == 1 else 'days'}", 0, "right", -5),
            (words, 1, "left", 5),
        ):
            panel.annotate(
                text,
                xy=(x, i),
                xycoords=("axes fraction", "data"),
                xytext=(gap, 0),
                textcoords="offset points",
                ha=side,
                va="center",
                fontsize=style.SMALL_PT if side == "right" else style.TEXT_PT,
                color=style.GREY if side == "right" else style.letters(colour),
                annotation_clip=False,
            )
    panel.set_ylim(len(rows) - 0.5, -0.5)
    panel.set_xlim(-0.02 * highest, 1.02 * highest)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    panel.xaxis.set_major_formatter(lambda value, _: number(value, 12))
    panel.grid(axis="x", color=style.PALE, linewidth=0.6)
    style.headline(panel, plain(label) + (" and deaths" if len(rows) > len(spans) else ""))
