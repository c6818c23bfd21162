"""How deadly: the chance that an attack kills at least so many, on logarithmic axes, with the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from tempo.data.rounding import number, percent
from tempo.figures import style
from tempo.figures.dates import until
from tempo.figures.expected import expect
from tempo.figures.labels import at_right, counting_rule, noun, plain
from tempo.models.chance import limits

if TYPE_CHECKING:
    from tempo.models.lethality_fit import LethalityFit

__all__ = ["plot_severity"]

_LOWEST = 1e-4  # chances below are off the chart: nobody can judge them


def plot_severity(lethality_fit: LethalityFit, ax: Axes | None = None) -> Axes:
    """Show the probability that the next attack kills at least so many, with its interval and what was observed.

    Both axes are logarithmic: a power law is a straight line. Dots are the shares of past attacks, those left out of
    which it is not known.

    Parameters
    ----------
    lethality_fit : LethalityFit
        Fit of ``tempo.Lethality``.
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
    >>> table = pd.DataFrame({"date_start": pd.date_range("2020-01-01", periods=90), "killed": [0, 0, 4, 0, 1, 2] * 15})
    >>> fit = tempo.Lethality(tail="power").fit(tempo.Incidents(table, ("2020-01-01", "2020-04-01")), rng=1)
    >>> ax = plot_severity(fit)
    >>> plt.close(ax.figure)
    """
    expect(lethality_fit, "lethality_fit", "tempo.Lethality().fit(past)", "exceedance", "tolls")
    table = lethality_fit.exceedance()
    said = lethality_fit.words
    prob = float(table.attrs["prob"])
    k = table.index.to_numpy(dtype=float)
    middle, low, high, observed = (
        table[name].to_numpy(dtype=float) for name in ("probability", "low", "high", "observed")
    )
    shown = high >= _LOWEST
    right = float(k[shown].max()) if shown.any() else float(k[-1])
    weights = lethality_fit.weights
    model = ", ".join(f"{_NAMES[name]} {percent(w)}" for name, w in weights.items())
    unknown = int(np.sum(lethality_fit.tolls.unknown))
    provenance = lethality_fit.provenance
    with style.context():
        ax = style.canvas(
            ax,
            left_mm=16.0,
            right_mm=34.0,
            caption=[
                f"Chance that the next attack {said.does} at least so many; band: {percent(prob)} interval",
                f"Dots: share of past {noun(lethality_fit.label)}"
                + (f", without {unknown} of unknown toll" if unknown else ""),
                f"Tail: {model}" if len(weights) > 1 else f"Tail: {_NAMES[next(iter(weights))]}",
                counting_rule(lethality_fit.label, plain(provenance.rule)),
                until(provenance.window.end) if provenance.window else "",
            ],
        )
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.fill_between(
            k,
            np.maximum(low, _LOWEST / 10),
            np.maximum(high, _LOWEST / 10),
            color=style.BLUE,
            alpha=0.22,
            linewidth=0,
            gid="band",
        )
        ax.plot(k, np.maximum(middle, _LOWEST / 10), color=style.BLUE, linewidth=1.6, gid="median")
        seen = observed > 0
        steps = seen & (
            np.diff(observed, append=0.0) != 0
        )  # the last number of each level: where attacks lie
        ax.plot(
            k[steps],
            observed[steps],
            linestyle="none",
            marker="o",
            markersize=4.0,
            markerfacecolor="white",
            markeredgecolor=style.INK,
            markeredgewidth=0.9,
            zorder=3,
            gid="observed",
        )
        ax.set_xlim(0.9, right * 1.1)
        ax.set_ylim(_LOWEST, 1.15)
        for axis, ticks in (
            (ax.xaxis, [t * 10.0**e for e in range(7) for t in (1, 2, 5) if t * 10.0**e <= right]),
            (ax.yaxis, [0.0001, 0.001, 0.01, 0.1, 1.0]),
        ):
            axis.set_major_locator(FixedLocator(ticks))
            axis.set_minor_formatter(NullFormatter())
            axis.set_minor_locator(FixedLocator([]))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 6)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
        style.headline(ax, f"chance of at least so many {said.done} in the next attack")
        at_right(ax, _labels(ax, table, right, said.done))
    return ax


_NAMES = {"negbin": "negative binomial", "lognormal": "log-normal", "power": "power law"}


def _labels(
    ax: Axes, table: pd.DataFrame, right: float, done: str
) -> list[tuple[float, str, str, str]]:
    """Give the chances of a few round numbers, at the height of the curve."""
    bottom, top = ax.get_ylim()
    entries = []
    for k in (1, 10, 100):
        if k > right:
            continue
        at = table.iloc[int(np.abs(table.index.to_numpy() - k).argmin())]
        if at["probability"] < _LOWEST:
            continue
        height = np.log(at["probability"] / bottom) / np.log(
            top / bottom
        )  # labels are placed on a linear axis
        entries.append(
            (
                float(bottom + height * (top - bottom)),
                f"{k} or more {done}",
                f"{percent(float(at['probability']))} ({limits(float(at['low']), float(at['high']))})",
                style.BLUE,
            )
        )
    return entries
