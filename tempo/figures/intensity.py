"""What a self-exciting model saw: the intensity of attacks, and how much of it earlier attacks set off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from tempo.data.rounding import interval, number, percent
from tempo.figures import style
from tempo.figures.dates import date_axis, days, mark_gaps, until
from tempo.figures.labels import at_right, plain

if TYPE_CHECKING:
    from tempo.models.hawkes import HawkesFit

__all__ = ["plot_intensity"]

_BASE, _SET_OFF = "#A9C4D8", style.ORANGE


def plot_intensity(hawkes_fit: HawkesFit, ax: Axes | None = None) -> Axes:
    """Show the expected number of attacks a day, split into baseline and what earlier attacks set off.

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

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import tempo
    >>> past = tempo.load_dataset("iraq-coalition").before("2020-03-12")
    >>> ax = plot_intensity(tempo.Hawkes().fit(past.counts("1D"), method="mle"))
    >>> plt.close(ax.figure)
    """
    table = hawkes_fit.intensity()
    counts = hawkes_fit.counts
    prob = float(table.attrs["prob"])
    edges = np.append(days(pd.DatetimeIndex(table.index)), days(counts.bin_ends[-1:]))
    total, low, high, baseline = (
        table[name].to_numpy(dtype=float) for name in ("intensity", "low", "high", "baseline")
    )
    with style.context():
        ax = style.canvas(
            ax,
            caption=[
                f"Expected {plain(counts.label)} a day given those before, with the {percent(prob)} interval (thin lines)",
                f"Model: {plain(hawkes_fit.name)}",
                f"Counting rule: {plain(counts.rule)}",
                until(counts.bin_ends[-1]),
                "Hatched: not observed" if counts.window is not None and counts.window.gaps else "",
            ],
        )
        date_axis(ax, counts.index[0], counts.bin_ends[-1])
        mark_gaps(ax, counts.window.gaps if counts.window is not None else ())
        ax.stairs(baseline, edges, fill=True, color=_BASE, linewidth=0, zorder=1, gid="baseline")
        ax.stairs(
            total, edges, baseline=baseline, fill=True, color=_SET_OFF, alpha=0.75, linewidth=0, zorder=1, gid="triggered"
        )
        ax.stairs(total, edges, baseline=None, color=style.INK, linewidth=0.9, zorder=3, gid="intensity")
        for bound in (low, high):
            ax.stairs(bound, edges, baseline=None, color=style.GREY, linewidth=0.4, zorder=2, gid="interval")
        style.value_axis(ax, float(np.nanmax(high, initial=0.0)))
        style.headline(ax, f"{plain(counts.label)} a day")
        happened = counts.to_numpy(dtype=float) > 0
        ax.plot(
            ((edges[:-1] + edges[1:]) / 2)[happened],
            np.full(int(happened.sum()), -0.03),
            transform=ax.get_xaxis_transform(),
            linestyle="none",
            marker="|",
            markersize=4,
            markeredgewidth=0.6,
            color=style.INK,
            clip_on=False,
            rasterized=bool(happened.sum() > 5000),
            gid="attacks",
        )
        ax.tick_params(axis="x", pad=6)
        at_right(
            ax,
            [
                ((total[-1] + baseline[-1]) / 2, "set off by earlier", f"{number(total[-1] - baseline[-1])} a day", "#9A6A00"),
                (baseline[-1] / 2, "baseline", f"{number(baseline[-1])} a day", "#4F7B9B"),
                (high[-1], "", f"in all {number(total[-1])} a day ({interval(low[-1], high[-1])})", style.INK),
            ],
        )  # fmt: skip
    return ax
