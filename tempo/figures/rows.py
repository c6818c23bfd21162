"""Rows of probabilities: a name on the left, a bar that is as long as the probability, the number on the right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from tempo.data.rounding import number, percent
from tempo.figures import style
from tempo.figures.labels import shortened

__all__ = ["Row", "draw_rows", "probability_axis"]


@dataclass(frozen=True)
class Row:
    """One probability.

    Attributes
    ----------
    name : str
        Written on the left.
    chance : float
        The probability.
    colour : str
        Of the bar.
    y : float
        Height of its middle.
    gid : str
        What it is, for finding it again.
    bold : bool
        Whether it is set off from the others.
    """

    name: str
    chance: float
    colour: str
    y: float
    gid: str
    bold: bool = False


def probability_axis(ax: Axes) -> None:
    """Make the horizontal axis one of probability, without an upright one.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The chart.
    """
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1])
    ax.xaxis.set_major_formatter(lambda value, _: f"{number(100 * value, 3)} %")
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def draw_rows(ax: Axes, rows: Sequence[Row], left_mm: float) -> None:
    """Draw rows on an axis of probability.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The chart; its limits must be final.
    rows : sequence of Row
        What to draw.
    left_mm : float
        Margin on the left, for names; longer ones are cut.
    """
    for row in rows:
        ax.barh(row.y, 1.0, height=0.5, color=style.PALE, linewidth=0, zorder=1, gid="track")
        ax.barh(row.y, row.chance, height=0.5, color=row.colour, linewidth=0, zorder=2, gid=row.gid)
        for text, x, align, shift in (
            (shortened(row.name, left_mm - 4.0, style.TEXT_PT, bold=row.bold), 0, "right", -6),
            (percent(row.chance), 1, "left", 6),
        ):
            ax.annotate(
                text,
                xy=(x, row.y),
                xycoords=("axes fraction", "data"),
                xytext=(shift, 0),
                textcoords="offset points",
                ha=align,
                va="center",
                fontsize=style.TEXT_PT,
                fontweight="bold" if row.bold else "normal",
                color=style.INK,
                annotation_clip=False,
            )
