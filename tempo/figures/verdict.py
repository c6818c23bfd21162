"""Contagion or regime change: how probable each account of the attacks is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd  # noqa: F401 - for the example
from matplotlib.axes import Axes

from tempo.data.rounding import number, percent
from tempo.figures import style
from tempo.figures.dates import until
from tempo.figures.expected import expect
from tempo.figures.labels import counting_rule, noun
from tempo.figures.rows import Row, draw_rows, probability_axis

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

    Raises
    ------
    OptionError
        If it is given something else.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import tempo
    >>> daily = pd.Series([0, 0, 1, 0, 2, 3, 1] * 10, index=pd.date_range("2020-03-01", periods=70))
    >>> ax = plot_verdict(tempo.explain(daily, rng=1))
    >>> plt.close(ax.figure)
    """
    expect(verdict, "verdict", "tempo.explain(past)", "probabilities", "contagion", "decided")
    best = float(verdict.probabilities.max())
    rows = [
        Row(_NAMES[str(name)], float(p), _COLOURS[str(name)], float(y), "account", float(p) == best)
        for y, (name, p) in enumerate(verdict.probabilities.items())
    ]
    below = len(rows) + 0.6
    rows += [
        Row("any contagion", verdict.contagion, style.INK, below, "question"),
        Row("any change of the baseline", verdict.changed, style.INK, below + 1, "question"),
    ]
    counts = verdict.counts
    state = (
        "a verdict"
        if verdict.decided
        else "no verdict, because a season fits better"
        if verdict.season_explains
        else "no verdict, because contagion with a longer memory fits better"
        if verdict.memory_explains
        else "no verdict: the accounts cannot be separated"
    )
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
        until(counts.watched_until),
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
        probability_axis(ax)
        ax.set_ylim(below + 1.6, -0.6)
        ax.plot(
            [_NEEDED, _NEEDED], [-0.5, len(rows) - 2.5], linestyle=(0, (4, 2)), linewidth=0.9, color=style.INK,
            gid="needed", zorder=3,
        )  # fmt: skip
        ax.axhline(len(rows) - 2 - 0.2, color=style.RULE, linewidth=0.6)
        draw_rows(ax, rows, _LEFT_MM)
        style.headline(ax, "probability")
    return ax
