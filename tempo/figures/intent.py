"""Which attacks look meant to kill: each attack by date, at the probability of its class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter

from tempo.data.rounding import percent
from tempo.figures import style
from tempo.figures.dates import date_axis, days, until
from tempo.figures.expected import expect
from tempo.figures.labels import counting_rule, noun, plain

if TYPE_CHECKING:
    from tempo.models.intent_fit import IntentFit

__all__ = ["plot_intent"]

_CLEAR = (0.1, 0.9)  # beyond these an attack is of the one class or of the other


def plot_intent(intent_fit: IntentFit, ax: Axes | None = None) -> Axes:
    """Show the probability that each attack was of the class called lethal intent.

    A filled dot killed somebody, an open one did not, a cross has an unknown toll. The band between the lines cannot be
    told.

    Parameters
    ----------
    intent_fit : IntentFit
        Fit of ``tempo.Intent``.
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
    >>> table = pd.DataFrame({"date_start": pd.date_range("2020-01-01", periods=60), "kind": "rocket",
    ...                       "munitions": [2, 1, 18] * 20, "killed": [0, 0, 1, 0, 0, 0] * 10})
    >>> attacks = tempo.Incidents(table, ("2020-01-01", "2020-03-01"))
    >>> ax = plot_intent(tempo.Intent(outcomes=("killed",)).fit(attacks, rng=1))
    >>> plt.close(ax.figure)
    """
    expect(intent_fit, "intent_fit", "tempo.Intent().fit(incidents)", "two_classes", "attacks")
    table = intent_fit.attacks
    dates = pd.DatetimeIndex(table["date_start"])
    chance = table["probability"].to_numpy(dtype=float)
    window = intent_fit.provenance.window
    start = window.start if window else dates.min()
    end = window.end if window else dates.max() + pd.Timedelta(days=1)
    said = (
        table["killed"].to_numpy() if "killed" in table else np.full(len(table), "no", dtype=object)
    )
    two = intent_fit.two_classes
    with style.context():
        ax = style.canvas(
            ax,
            left_mm=16.0,
            right_mm=8.0,
            caption=[
                f"One dot for each of {len(table)} {noun(intent_fit.label)}, classified by size, weapon and outcome"
                + (
                    "; filled: somebody was killed, cross: toll unknown"
                    if "killed" in table
                    else ""
                ),
                f"Share of lethal intent {intent_fit.share()}; two classes needed with probability {percent(two)}",
                "Intent is not observed: the classes are what their priors call them",
                counting_rule(intent_fit.label, plain(intent_fit.provenance.rule)),
                until(end),
            ],
        )
        date_axis(ax, start, end)
        ax.axhspan(*_CLEAR, color="#EEEEEE", linewidth=0, zorder=0, gid="undecided")
        ax.annotate(
            "cannot be told",
            xy=(0, _CLEAR[1]),
            xycoords=("axes fraction", "data"),
            xytext=(3, -4),
            textcoords="offset points",
            va="top",
            fontsize=style.SMALL_PT,
            color=style.GREY,
        )
        for state, marker, face in (
            ("no", "o", "white"),
            ("yes", "o", style.VERMILLION),
            ("unknown", "x", style.INK),
        ):
            rows = said == state
            ax.plot(
                days(dates[rows]),
                chance[rows],
                linestyle="none",
                marker=marker,
                markersize=4.5,
                markerfacecolor=face,
                markeredgecolor=style.VERMILLION if state == "yes" else style.INK,
                markeredgewidth=0.9,
                zorder=3,
                clip_on=False,
                gid=f"killed-{state}",
            )
        ax.set_ylim(-0.04, 1.04)
        ax.yaxis.set_major_locator(FixedLocator([0.0, 0.1, 0.5, 0.9, 1.0]))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
        style.headline(ax, "probability that an attack was of the class with lethal intent")
    return ax
