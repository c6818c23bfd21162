"""Who triggers whom: the branching matrix of several kinds of attacks, with what the data cannot tell left blank."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from tempo.data.rounding import interval, number, percent
from tempo.figures import style
from tempo.figures.dates import until
from tempo.figures.expected import expect
from tempo.figures.labels import counting_rule, noun, plain, shortened, width_mm
from tempo.models.hawkes_kinds_reading import CANNOT_TELL

if TYPE_CHECKING:
    from tempo.models.hawkes_kinds_fit import HawkesKindsFit

__all__ = ["plot_triggering"]

_SHADES = LinearSegmentedColormap.from_list("tempo_triggering", ["#EDF4F9", "#0B4A75"])
_LARGEST_LABEL_MM = 40.0
_CELL_MM = (7.0, 14.0)  # height of a cell, at least and at most
_TINY_PT = 5.5


def plot_triggering(fit: HawkesKindsFit, ax: Axes | None = None) -> Axes:
    """Show how many attacks of each kind one attack of each kind triggers, and where the data cannot tell.

    A row is the kind that is triggered, a column the kind that triggers. Cells are filled, the darker the more, only
    where the data say something; elsewhere the estimate stands in grey on white.

    Parameters
    ----------
    fit : HawkesKindsFit
        Fit of ``tempo.HawkesKinds``.
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
    >>> days = pd.date_range("2020-01-01", periods=300)
    >>> model = tempo.HawkesKinds()
    >>> drawn = model.simulate([0.2, 0.1], [[0.4, 0.0], [0.3, 0.2]], 0.5, n_bins=300, rng=1)
    >>> counts = pd.DataFrame(drawn, index=days, columns=["rocket", "IED"])
    >>> ax = plot_triggering(model.fit(counts, method="mle", rng=1))
    >>> plt.close(ax.figure)
    """
    expect(fit, "fit", "tempo.HawkesKinds().fit(past)", "triggers", "kinds")
    table = fit.triggers()
    kinds, counts = fit.kinds, fit.counts
    k = len(kinds)
    prob, least = float(table.attrs["prob"]), float(table.attrs["at_least"])
    estimate, low, high, answer = (
        table[name].unstack("source").loc[kinds, kinds].to_numpy()
        for name in ("branching_ratio", "low", "high", "triggers")
    )
    radius = fit.spectral_radius()
    unsure = answer == CANNOT_TELL
    events = {kind: int(fit.n_events[kind]) for kind in kinds}
    rows = [f"{plain(kind)} ({events[kind]:,})" for kind in kinds]
    label_mm = min(max(width_mm(row, style.SMALL_PT) for row in rows), _LARGEST_LABEL_MM)
    cell_mm = float(np.clip(70.0 / k, *_CELL_MM))
    with style.context():
        ax = style.canvas(
            ax,
            caption=[
                f"How many {noun(counts.label)} of the kind at the left one of the kind above triggers",
                "In brackets: how many were counted",
                f"Below: {percent(prob)} interval",
                f"Not filled: the data cannot tell whether it is {number(least)} or more",
                f"Spectral radius: {number(radius['estimate'])} ({interval(radius['low'], radius['high'])})",
                f"Model: {plain(fit.name)}",
                counting_rule(counts.label, counts.rule),
                until(counts.watched_until),
            ],
            height_mm=k * cell_mm,
            left_mm=label_mm + 5.0,
            right_mm=8.0,
            top_mm=12.0,
            caption_from_mm=label_mm,
        )
        wide_mm = style.axes_size_mm(ax)[0] / k
        filled = np.ma.masked_array(estimate.astype(float), mask=unsure)
        top = max(0.5, float(np.nanmax(estimate, initial=0.0)))
        edges = np.arange(k + 1) - 0.5
        ax.pcolormesh(edges, edges, filled, cmap=_SHADES, vmin=0.0, vmax=top, gid="filled")
        for edge in edges:
            for line in (ax.axhline, ax.axvline):
                line(edge, color=style.RULE, linewidth=0.6, zorder=2)
        ax.set_xlim(-0.5, k - 0.5)
        ax.set_ylim(k - 0.5, -0.5)
        for i in range(k):
            for j in range(k):
                dark = not unsure[i, j] and estimate[i, j] > 0.6 * top
                ink = "white" if dark else style.GREY if unsure[i, j] else style.INK
                _write(
                    ax,
                    (j, i),
                    (
                        number(round(float(estimate[i, j]), 2)),
                        _span(float(low[i, j]), float(high[i, j])),
                    ),
                    wide_mm,
                    ink,
                    bold=not unsure[i, j],
                )
        ax.set_xticks(
            range(k), [shortened(plain(kind), wide_mm - 1.0, style.SMALL_PT) for kind in kinds]
        )
        ax.set_yticks(range(k), [shortened(row, label_mm + 1.0, style.SMALL_PT) for row in rows])
        ax.xaxis.set_ticks_position("top")
        ax.tick_params(axis="both", length=0, labelcolor=style.INK, pad=3.0)
        for spine in ax.spines.values():
            spine.set_visible(False)
        style.headline(ax, "one of these triggers so many of those at the left", lift_pt=15.0)
    return ax


def _span(low: float, high: float) -> str:
    low, high = round(low, 2), round(high, 2)
    return f"{number(low, 1)} or more" if np.isinf(high) else interval(low, high, digits=1)


def _write(
    ax: Axes,
    place: tuple[int, int],
    words: tuple[str, str],
    wide_mm: float,
    ink: str,
    *,
    bold: bool,
) -> None:
    """Write the estimate and, where there is room, its interval below."""
    value, span = words
    has_room = width_mm(span, _TINY_PT) < wide_mm - 0.8
    weight = "bold" if bold else "normal"
    for text, size, shift, heavy in (
        (value, style.SMALL_PT, 3.6 if has_room else 0.0, weight),
        (span, _TINY_PT, -4.4, "normal"),
    ):
        if text is span and not has_room:
            continue
        ax.annotate(
            text,
            xy=place,
            xytext=(0, shift),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=size,
            fontweight=heavy,
            color=ink,
            zorder=3,
        )
