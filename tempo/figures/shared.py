"""Two series beside each other: whether both changed, whether together, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd  # noqa: F401 - for the example
from matplotlib.axes import Axes
from numpy.typing import NDArray

from tempo.data.rounding import percent
from tempo.figures import style
from tempo.figures.bars import bars_of
from tempo.figures.changes import summed
from tempo.figures.dates import date_axis, mark_gaps, until, unwatched
from tempo.figures.expected import expect
from tempo.figures.labels import counting_rule, plain, shortened
from tempo.figures.rows import Row, draw_rows, probability_axis

if TYPE_CHECKING:
    from tempo.models.changepoint_shared import SharedChanges

__all__ = ["plot_shared_changes"]

_LEFT_MM, _RIGHT_MM = 52.0, 22.0
_ROW_MM, _LANE_MM, _BETWEEN_MM = 6.5, 10.5, 15.0
_FULL = 0.78  # of a lane: what its highest bar takes

type Floats = NDArray[np.float64]


def plot_shared_changes(shared: SharedChanges, ax: Axes | None = None) -> Axes:
    """Show how probable it is that two series changed together, and when each of them and both did.

    Above, the five accounts, which add up to one, and the probability that changes are shared if both series changed.
    Below, one lane for each series and one for common changes: the probability of a change, summed over bars whose
    length the caption names, all lanes on one scale.

    Parameters
    ----------
    shared : SharedChanges
        What ``tempo.shared_changes`` gave.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        The frame; accounts and dates are its ``child_axes``.

    Raises
    ------
    OptionError
        If it is given something else.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import tempo
    >>> days = pd.date_range("2020-01-01", periods=80)
    >>> rockets = pd.Series([0, 0, 1, 0] * 10 + [2, 1, 3, 1] * 10, index=days, name="rockets")
    >>> mines = pd.Series([1, 0, 0, 0] * 10 + [1, 3, 2, 2] * 10, index=days, name="mines")
    >>> ax = plot_shared_changes(tempo.shared_changes(rockets, mines))
    >>> plt.close(ax.figure)
    """
    expect(shared, "shared", "tempo.shared_changes(first, second)", "shared", "change_probability")
    rows = _rows(shared)
    counts = shared.counts[0]
    bars = bars_of(counts)
    lanes = list(shared.change_probability.columns)
    above_mm, below_mm = _ROW_MM * (rows[-1].y + 1.2), _LANE_MM * len(lanes)
    height_mm = above_mm + _BETWEEN_MM + below_mm
    with style.context():
        ax = style.canvas(
            ax,
            caption=[
                "Above: five accounts of the two series, which add up to 100 %",
                f"Below: probability of a change, summed over bars of {bars.length}, all lanes on one scale",
                *dict.fromkeys(counting_rule(one.label, one.rule) for one in shared.counts),
                until(counts.watched_until),
                "Hatched: not observed" if unwatched(counts) else "",
            ],
            height_mm=height_mm,
            left_mm=_LEFT_MM,
            right_mm=_RIGHT_MM,
            caption_from_mm=_LEFT_MM - 1.0,
        )
        ax.axis("off")
        accounts = ax.inset_axes((0, 1 - above_mm / height_mm, 1, above_mm / height_mm))
        accounts.set_gid("accounts")
        style.dress(accounts)
        accounts.set_facecolor("none")
        probability_axis(accounts)
        accounts.set_ylim(rows[-1].y + 0.7, -0.5)
        accounts.axhline(rows[-1].y - 0.8, color=style.RULE, linewidth=0.6)
        draw_rows(accounts, rows, _LEFT_MM)
        style.headline(accounts, "probability")
        dated = ax.inset_axes((0, 0, 1, below_mm / height_mm))
        dated.set_gid("dates")
        style.dress(dated)
        date_axis(dated, counts.bin_starts[0], counts.end)
        _draw_lanes(dated, shared, bars.edges, lanes)
        mark_gaps(dated, unwatched(counts), label="")
    return ax


def _rows(shared: SharedChanges) -> list[Row]:
    """Give the five accounts, and set apart the question that is left if both series changed."""
    one, two = (plain(name) for name in shared.names)
    said = [
        "neither changed",
        f"only {one}",
        f"only {two}",
        "both, on their own dates",
        "both, together",
    ]
    colours = [style.GREY, style.BLUE, style.SKY, style.ORANGE, style.VERMILLION]
    chances = shared.probabilities.to_numpy(dtype=float)
    rows = [
        Row(name, float(chance), colour, float(y), "account", chance == chances.max())
        for y, (name, chance, colour) in enumerate(zip(said, chances, colours, strict=True))
    ]
    question = Row(
        "together, if both changed", shared.shared, style.INK, len(rows) + 0.6, "question"
    )
    return [*rows, question]


def _draw_lanes(ax: Axes, shared: SharedChanges, edges: Floats, lanes: list[str]) -> None:
    """Draw the probability of a change through time, one lane for each column."""
    table = shared.change_probability
    chances = [summed(table[name], edges) for name in lanes]
    peak = max(0.05, *(float(chance.max(initial=0.0)) for chance in chances))
    ax.set_ylim(0, len(lanes))
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    for i, (name, chance) in enumerate(zip(lanes, chances, strict=True)):
        foot = float(len(lanes) - 1 - i)
        together = i == len(lanes) - 1
        colour = style.VERMILLION if together else (style.BLUE, style.SKY)[i]
        style.steps(
            ax, foot + _FULL * chance / peak, edges, colour=colour, baseline=foot, zorder=2, gid="change"
        )  # fmt: skip
        ax.axhline(foot, color=style.RULE, linewidth=0.6, zorder=1)
        said = "both, together" if together else plain(name)
        at = int(chance.argmax())
        for text, x, align, shift in (
            (shortened(said, _LEFT_MM - 4.0, style.TEXT_PT), 0, "right", -6),
            (f"peak {percent(float(chance[at]))}", 1, "left", 6),
        ):
            ax.annotate(
                text,
                xy=(x, foot + 0.35),
                xycoords=("axes fraction", "data"),
                xytext=(shift, 0),
                textcoords="offset points",
                ha=align,
                va="center",
                fontsize=style.TEXT_PT,
                color=style.INK,
                annotation_clip=False,
            )
    style.headline(ax, "probability that a new regime began, bar by bar")
