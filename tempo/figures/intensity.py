"""What a self-exciting model saw: the intensity of attacks, and how much of it earlier attacks triggered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from tempo.data.rounding import interval, number, percent
from tempo.figures import style
from tempo.figures.dates import date_axis, days, mark_gaps, one_day, until, unwatched
from tempo.figures.expected import expect
from tempo.figures.labels import at_right, counting_rule, noun, plain

if TYPE_CHECKING:
    from tempo.models.hawkes_fit import HawkesFit

__all__ = ["plot_intensity"]

_BASE, _SET_OFF = "#5B88A8", style.ORANGE


def plot_intensity(hawkes_fit: HawkesFit, ax: Axes | None = None) -> Axes:
    """Show the expected number of attacks a day, split into the baseline and what earlier attacks triggered.

    The two areas are stacked, so that their upper edge is the intensity; thin lines are its interval, and ticks at
    the foot are the days with attacks.

    Parameters
    ----------
    hawkes_fit : HawkesFit
        Fit of ``tempo.Hawkes``.
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
    >>> days = pd.date_range("2020-01-01", periods=200)
    >>> counts = pd.Series([int(day % 40 in (0, 1, 3, 7, 8, 11)) for day in range(200)], index=days)
    >>> ax = plot_intensity(tempo.Hawkes().fit(counts, method="mle"))
    >>> plt.close(ax.figure)
    """
    expect(hawkes_fit, "hawkes_fit", "tempo.Hawkes().fit(past)", "intensity", "counts")
    table = hawkes_fit.intensity()
    counts = hawkes_fit.counts
    prob = float(table.attrs["prob"])
    edges = np.append(days(pd.DatetimeIndex(table.index)), one_day(counts.end))
    total, low, high, baseline = (
        table[name].to_numpy(dtype=float) for name in ("intensity", "low", "high", "baseline")
    )
    thin = min(1.0, 1500 / len(total))  # lines of many bins would cover the areas
    with style.context():
        ax = style.canvas(
            ax,
            caption=[
                f"Expected {noun(counts.label)} a day, given those before; at the right: on the last day",
                f"Thin lines: {percent(prob)} interval",
                f"Model: {plain(hawkes_fit.name)}",
                counting_rule(counts.label, counts.rule),
                until(counts.watched_until),
                "Hatched: not observed" if unwatched(counts) else "",
            ],
        )
        date_axis(ax, counts.bin_starts[0], counts.end)
        mark_gaps(ax, unwatched(counts))
        style.steps(ax, baseline, edges, colour=_BASE, gid="baseline")
        style.steps(
            ax, total, edges, baseline=baseline, colour=_SET_OFF, opacity=0.75, gid="triggered"
        )
        style.steps(
            ax,
            total,
            edges,
            baseline=None,
            colour=style.INK,
            linewidth=0.9 * thin,
            zorder=3,
            gid="intensity",
        )
        for bound in (low, high):
            style.steps(
                ax,
                bound,
                edges,
                baseline=None,
                colour="#8A8A8A",
                linewidth=0.5 * thin,
                zorder=2,
                gid="interval",
            )
        style.value_axis(ax, float(np.nanmax(high, initial=0.0)))
        style.headline(ax, f"{noun(counts.label)} a day")
        happened = counts.to_numpy(dtype=float) > 0
        ax.plot(
            ((edges[:-1] + edges[1:]) / 2)[happened],
            np.full(int(happened.sum()), -0.03),
            transform=ax.get_xaxis_transform(),
            linestyle="none",
            marker="|",
            markersize=4,
            markeredgewidth=0.6 * min(1.0, 400 / max(int(happened.sum()), 1)),
            color=style.INK,
            clip_on=False,
            rasterized=bool(happened.sum() > 5000),
            gid="attacks",
        )
        ax.tick_params(axis="x", pad=7.5)
        triggered = total[-1] - baseline[-1]
        at_right(
            ax,
            [
                (
                    float(high[-1]),
                    "",
                    f"in all {number(total[-1])} a day ({interval(low[-1], high[-1])})",
                    style.INK,
                ),
                (
                    float(total[-1] + baseline[-1]) / 2,
                    "triggered",
                    f"{number(triggered)} a day",
                    style.letters(_SET_OFF),
                ),
                (float(baseline[-1]) / 2, "baseline", f"{number(baseline[-1])} a day", "#44708F"),
            ],
        )
    return ax
