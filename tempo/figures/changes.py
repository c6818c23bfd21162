"""Changes: how many there were, when, and how deadly attacks were before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter
from numpy.typing import NDArray

from tempo.data.rounding import interval, number, percent
from tempo.errors import OptionError
from tempo.figures import style
from tempo.figures.dates import date_axis, days, one_day, until
from tempo.figures.expected import expect
from tempo.figures.labels import at_right, counting_rule, noun, plain

if TYPE_CHECKING:
    from tempo.models.changepoint_events import EventChangepointsFit
    from tempo.models.changepoint_fit import ChangepointsFit

__all__ = ["about_dates", "draw_change_strip", "plot_deadliness", "plot_n_changes", "summed"]

type Floats = NDArray[np.float64]

_MOST_DATED = 6  # changes; marks of more would hide each other
_MOST_NUMBERS = 24
_MOST_WRITTEN = 13
_NEGLIGIBLE = 0.005
_STRIP, _GUTTER = 0.2, 0.1  # shares of the height below the tolls
_MOST_STEPS = 130


def plot_n_changes(shifts: ChangepointsFit, ax: Axes | None = None) -> Axes:
    """Show how probable each number of changes is, whatever their dates and the rates between them.

    Parameters
    ----------
    shifts : ChangepointsFit
        Fit of ``tempo.Changepoints``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        The chart. At most 24 numbers are drawn, those about the most probable; the caption says what the others have.

    Raises
    ------
    OptionError
        If it is given something else.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import tempo
    >>> weeks = pd.date_range("2020-01-06", periods=60, freq="7D")
    >>> ax = plot_n_changes(tempo.Changepoints().fit(pd.Series([1, 0, 2] * 10 + [6, 4, 7] * 10, index=weeks)))
    >>> plt.close(ax.figure)
    """
    expect(shifts, "shifts", "tempo.Changepoints().fit(counts)", "n_changes", "rate")
    counts, chance = shifts.counts, shifts.n_changes.to_numpy(dtype=float)
    first, last = _window(chance)
    shown = chance[first : last + 1]
    places = np.arange(first, last + 1)
    rest = max(1.0 - float(shown.sum()), 0.0)
    best = int(chance.argmax())
    with style.context():
        ax = style.canvas(
            ax,
            caption=[
                "Probability of each number of changes, averaged over their dates and the levels between them",
                f"Other numbers together: {percent(rest)}" if rest >= _NEGLIGIBLE else "",
                f"Model: {plain(shifts.name)} ({shifts.model.observation})",
                counting_rule(counts.label, counts.rule) if counts.rule else "",
                until(counts.watched_until),
            ],
            height_mm=38.0,
            right_mm=5.0,
        )
        ax.set_xlim(first - 0.6, max(last, first + 3) + 0.6)
        style.value_axis(ax, float(shown.max()))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{number(100 * value, 3)} %"))
        for at, height in zip(places, shown, strict=True):
            colour = style.VERMILLION if at == best else "#9BB7CC"
            ax.bar(at, height, width=0.7, color=colour, linewidth=0, zorder=2, gid="number")
            if len(shown) <= _MOST_WRITTEN:
                ax.annotate(
                    percent(float(height)),
                    xy=(at, height),
                    xytext=(0, 2.5),
                    textcoords="offset points",
                    ha="center",
                    va="bottom",
                    fontsize=style.SMALL_PT,
                    fontweight="bold" if at == best else "normal",
                    color=style.INK,
                )
        ax.set_ylim(0, 1.16 * float(shown.max()))
        step = 1 if len(shown) <= _MOST_WRITTEN else 2 if len(shown) <= _MOST_NUMBERS else 5
        ax.xaxis.set_major_locator(FixedLocator([float(at) for at in places[::step]]))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 6)))
        style.headline(ax, f"probability of each number of changes in {_whose(shifts)}")
    return ax


def _window(chance: Floats) -> tuple[int, int]:
    """Give the first and the last number worth a bar: a run about the most probable one, 0 included if it fits."""
    worth = np.flatnonzero(chance >= _NEGLIGIBLE)
    best = int(chance.argmax())
    first, last = int(min(worth[0], best)), int(max(worth[-1], best))
    if last < _MOST_NUMBERS:
        first = 0
    if last - first >= _MOST_NUMBERS:
        first = max(first, best - _MOST_NUMBERS // 2)
        last = min(last, first + _MOST_NUMBERS - 1)
    return first, last


def _whose(shifts: ChangepointsFit) -> str:
    if shifts.model.observation == "severity":
        return "how deadly attacks are"
    return f"the rate of {noun(shifts.counts.label)}"


def plot_deadliness(shifts: EventChangepointsFit, ax: Axes | None = None) -> Axes:
    """Show how many each deadly attack killed, the typical toll behind them, and when it changed.

    The axis of tolls is logarithmic. Attacks that killed nobody, or an unknown number, are no part of it.

    Parameters
    ----------
    shifts : EventChangepointsFit
        Fit of ``tempo.Changepoints(observation="severity")``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        The chart; the strip of change probabilities is its ``child_axes``.

    Raises
    ------
    OptionError
        If the fit is not one of severity.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import tempo
    >>> tolls = pd.Series([1, 2, 1, 1, 2] * 6 + [4, 9, 5, 6, 12] * 6, index=pd.date_range("2020-01-01", periods=60))
    >>> ax = plot_deadliness(tempo.Changepoints(observation="severity").fit(tolls))
    >>> plt.close(ax.figure)
    """
    source = "tempo.Changepoints(observation='severity').fit(past)"
    expect(
        shifts,
        "shifts",
        f"{source} (tempo.plot_severity draws tempo.Lethality)",
        "segments",
        "rate",
    )
    if shifts.model.observation != "severity":
        raise OptionError(
            f"these shifts are of observation={shifts.model.observation!r}; expected a fit of "
            "tempo.Changepoints(observation='severity'). Draw rates with tempo.plot_tempo(counts, shifts)."
        )
    counts, table = shifts.counts, shifts.rate
    dates = days(pd.DatetimeIndex(shifts.events["start"]))
    tolls = np.exp(shifts.events["value"].to_numpy(dtype=float))
    typical, low, high = (table[name].to_numpy(dtype=float) for name in ("deaths", "low", "high"))
    prob = percent(float(table.attrs["prob"]))
    end = one_day(counts.end)
    edges = np.append(dates, end)
    bottom, top = 0.8, 1.5 * float(max(tolls.max(), high.max(), 4.0))
    with style.context():
        ax = style.canvas(
            ax,
            caption=[
                f"Dots: deaths of each deadly attack; line: typical toll (median) with its {prob} interval",
                about_dates(shifts),
                counting_rule(counts.label, counts.rule) if counts.rule else "",
                until(counts.watched_until),
                f"Source: {plain(counts.source)}" if counts.source else "",
            ],
            height_mm=62.0,
            left_mm=style.left_margin_mm(top),
            right_mm=34.0,
            top_mm=9.0,
        )
        date_axis(ax, counts.bin_starts[0], counts.end)
        ax.set_yscale("log")
        share = _STRIP + _GUTTER
        room = np.log(top / bottom) * share / (1 - share)
        ax.set_ylim(bottom / np.exp(room), top)
        ticks = [t * 10.0**e for e in range(7) for t in (1, 3) if bottom <= t * 10.0**e <= top]
        ax.yaxis.set_major_locator(FixedLocator(ticks))
        ax.yaxis.set_minor_locator(FixedLocator([]))
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 6)))
        ax.spines["left"].set_bounds(bottom, top)
        ax.plot(
            dates,
            tolls,
            linestyle="none",
            marker="o",
            markersize=3.6,
            markerfacecolor="white",
            markeredgecolor=style.INK,
            markeredgewidth=0.8,
            zorder=2,
            gid="tolls",
        )
        style.steps(
            ax, high, edges, baseline=low, colour=style.VERMILLION, opacity=0.22, gid="interval"
        )
        style.steps(
            ax, typical, edges, baseline=None, colour=style.VERMILLION, linewidth=1.5, zorder=3,
            gid="typical toll",
        )  # fmt: skip
        style.headline(ax, "killed in each deadly attack")
        at_right(
            ax,
            [_last_toll(ax, float(typical[-1]), (float(low[-1]), float(high[-1])))],
            limit_mm=30.0,
        )
        wanted = min(_MOST_STEPS, max(int(end - dates[0]), 1))
        draw_change_strip(ax, shifts, np.linspace(dates[0], end, wanted + 1), "typical toll")
    return ax


def _last_toll(
    ax: Axes, typical: float, limits: tuple[float, float]
) -> tuple[float, str, str, str]:
    """Give the label of the last typical toll, at its height: labels are placed on a linear axis."""
    bottom, top = ax.get_ylim()
    share = np.log(typical / bottom) / np.log(top / bottom)
    words = f"{number(typical)} killed ({interval(*limits)})"
    return float(bottom + share * (top - bottom)), "typical now", words, style.VERMILLION


def about_dates(shifts: ChangepointsFit) -> str:
    """Give the sentence of a caption that says what the dots and lines of the strip mean.

    Parameters
    ----------
    shifts : ChangepointsFit
        The fit.

    Returns
    -------
    str
        Empty where no dates are marked.
    """
    table = shifts.segments
    k, chance = int(table.attrs["n_changes"]), percent(float(table.attrs["p_n_changes"]))
    if not 0 < k <= _MOST_DATED:
        return ""
    what = (
        "the change, if there was exactly one"
        if k == 1
        else f"each change, if there were exactly {k}"
    )
    interval_of = percent(float(table.attrs["prob"]))
    return f"Dots and lines in the strip: date of {what} (probability {chance}), with its {interval_of} interval"


def draw_change_strip(ax: Axes, shifts: ChangepointsFit, edges: Floats, what: str) -> Axes:
    """Draw the probability of a change in a strip at the foot of a chart that has left room for it.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The chart; its lowest fifth is taken.
    shifts : ChangepointsFit
        The fit.
    edges : ndarray, shape (n + 1,)
        Of the bars over which the probability is summed, in days since 1970.
    what : str
        What changed, such as ``"rate"``.

    Returns
    -------
    matplotlib.axes.Axes
        The strip.
    """
    strip = ax.inset_axes((0, 0, 1, _STRIP), sharex=ax, gid="change probability")
    strip.set_facecolor("none")
    strip.tick_params(
        axis="y", labelsize=style.SMALL_PT, labelcolor=style.GREY, color=style.RULE, length=2.5, width=0.6, pad=2.5,
        labelfontfamily=style.FONT,
    )  # fmt: skip
    strip.tick_params(axis="x", bottom=False, labelbottom=False)
    strip.spines["bottom"].set_visible(False)
    strip.spines["left"].set(color=style.RULE, linewidth=0.6)
    chance = summed(shifts.change_probability, edges)
    style.steps(strip, chance, edges, colour=style.VERMILLION, gid="change")
    peak = max(float(chance.max(initial=0.0)), 0.05)
    dated = _dated_changes(shifts)
    places, lows, highs = (days(dated[name]) for name in ("start", "start_low", "start_high"))
    for place, low, high in zip(places, lows, highs, strict=True):
        strip.plot(
            [low, high + 1.0],
            [1.17 * peak] * 2,
            color=style.INK,
            linewidth=0.8,
            gid="date of change",
        )
        strip.plot(place, 1.17 * peak, color=style.INK, marker="o", markersize=3)
    strip.set_ylim(0, peak * (1.3 if len(dated) else 1.05))
    strip.set_yticks([0, peak], ["0", percent(peak)])
    strip.annotate(
        f"probability that the {what} changed, bar by bar; "
        f"that it never changed: {percent(float(shifts.n_changes.iloc[0]))}",
        xy=(0, 1),
        xycoords="axes fraction",
        xytext=(3, 4),
        textcoords="offset points",
        va="center",
        fontsize=style.SMALL_PT,
        color=style.GREY,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        annotation_clip=False,
    )
    return strip


def summed(chance: pd.Series, edges: Floats) -> Floats:
    """Sum probabilities of changes over bars: a bound on the probability of a change in each, close where rare.

    Parameters
    ----------
    chance : pandas.Series
        By first bin of the new regime; missing where nothing was observed.
    edges : ndarray, shape (n + 1,)
        Of the bars, in days since 1970.

    Returns
    -------
    ndarray, shape (n,)
        At most 1.
    """
    starts = days(pd.DatetimeIndex(chance.index))
    weights = np.nan_to_num(chance.to_numpy(dtype=float))
    return np.asarray(np.minimum(np.histogram(starts, edges, weights=weights)[0], 1.0))


def _dated_changes(shifts: ChangepointsFit) -> pd.DataFrame:
    """Give the changes whose dates are marked: those of the most probable number, if they are not many."""
    changes = shifts.segments.iloc[1:]
    return changes if len(changes) <= _MOST_DATED else changes.iloc[:0]
