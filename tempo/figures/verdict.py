"""Contagion or regime change: how probable each account of the attacks is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd  # noqa: F401 - for the example
from matplotlib.axes import Axes

from tempo.data.rounding import number, percent
from tempo.figures import style
from tempo.figures.dates import until
from tempo.figures.labels import counting_rule, noun, shortened

if TYPE_CHECKING:
    from tempo.models.explain_verdict import Verdict

__all__ = ["plot_verdict"]

_LEFT_MM = 44.0
_ROW_MM = 7.0
_NEEDED = 0.75
_NAMES = {
    "constant": "steady rate",
    "changepoints": "changes of the baseline",
    "hawkes": "contagion",
    "hawkes+steps": "contagion and changes",
}
_COLOURS = {
    "constant": style.GREY,
    "changepoints": style.BLUE,
    "hawkes": style.VERMILLION,
    "hawkes+steps": style.ORANGE,
}


def plot_verdict(verdict: Verdict, ax: Axes | None = None) -> Axes:
    """Show the probability of each account, and of contagion and change whatever else holds.

    The dashed line is the probability that an account needs to be called the verdict.

    Parameters
    ----------
    verdict : Verdict
        What ``tempo.explain`` gave.
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
    >>> daily = pd.Series([0, 0, 1, 0, 2, 3, 1] * 10, index=pd.date_range("2020-03-01", periods=70))
    >>> ax = plot_verdict(tempo.explain(daily, rng=1))
    >>> plt.close(ax.figure)
    """
    rows = [
        (_NAMES[str(name)], float(p), _COLOURS[str(name)], float(y))
        for y, (name, p) in enumerate(verdict.probabilities.items())
    ]
    below = len(rows) + 0.6
    rows += [
        ("any contagion", verdict.contagion, style.INK, below),
        ("any change of the baseline", verdict.changed, style.INK, below + 1),
    ]
    counts = verdict.counts
    state = "a verdict" if verdict.decided else "no verdict: the accounts cannot be separated"
    question = (
        f"Four accounts of the same {noun(counts.label)} ({number(counts.events, 12)} in all), which add up to 100 %; "
        f"at {percent(_NEEDED)}, the dashed line, one is the verdict (here: {state})"
    )
    apart = (
        "Below: the two questions apart. A change counts from a factor of "
        f"{number(verdict.prior.least_step)} on, contagion from a branching ratio of "
        f"{number(verdict.prior.least_branching)} on"
    )
    season = "A yearly season fits better and changes the answer" if verdict.season_explains else ""
    caption = [
        question,
        apart,
        season,
        counting_rule(counts.label, counts.rule),
        until(counts.end),
    ]
    with style.context():
        ax = style.canvas(
            ax,
            caption=caption,
            height_mm=_ROW_MM * (below + 2),
            left_mm=_LEFT_MM,
            right_mm=22.0,
            caption_from_mm=_LEFT_MM - 1.0,
        )
        ax.set_xlim(0, 1)
        ax.set_ylim(below + 1.6, -0.6)
        ax.set_xticks([0, 0.25, 0.5, 0.75, 1])
        ax.xaxis.set_major_formatter(lambda value, _: f"{number(100 * value, 3)} %")
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
        ax.plot(
            [_NEEDED, _NEEDED], [-0.5, len(rows) - 2.5], linestyle=(0, (4, 2)), linewidth=0.9, color=style.INK,
            gid="needed", zorder=3,
        )  # fmt: skip
        ax.axhline(len(rows) - 2 - 0.2, color=style.RULE, linewidth=0.6)
        for i, (name, chance, colour, y) in enumerate(rows):
            ax.barh(y, 1.0, height=0.5, color=style.PALE, linewidth=0, zorder=1, gid="track")
            ax.barh(
                y, chance, height=0.5, color=colour, linewidth=0, zorder=2, gid="account" if i < 4 else "question"
            )  # fmt: skip
            top = i < 4 and chance == float(verdict.probabilities.max())
            for text, x, align, shift in (
                (shortened(name, _LEFT_MM - 4.0, style.TEXT_PT, bold=top), 0, "right", -6),
                (percent(chance), 1, "left", 6),
            ):
                ax.annotate(
                    text,
                    xy=(x, y),
                    xycoords=("axes fraction", "data"),
                    xytext=(shift, 0),
                    textcoords="offset points",
                    ha=align,
                    va="center",
                    fontsize=style.TEXT_PT,
                    fontweight="bold" if top else "normal",
                    color=style.INK,
                    annotation_clip=False,
                )
        style.headline(ax, "probability")
    return ax
