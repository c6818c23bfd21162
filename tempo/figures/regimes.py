"""Recurring regimes: counts, and how likely each regime was at the time, without hindsight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator
from numpy.typing import NDArray

from tempo.data.rounding import number, percent
from tempo.figures import style
from tempo.figures.bars import bars_of, draw_bars
from tempo.figures.dates import date_axis, days, mark_gaps, one_day, until, unwatched
from tempo.figures.expected import expect
from tempo.figures.labels import at_right, counting_rule, noun, plain

if TYPE_CHECKING:
    from tempo.models.regime_fit import RegimesFit

__all__ = ["plot_regimes"]

type Floats = NDArray[np.float64]

_COUNTS, _GUTTER = 0.5, 0.1  # shares of the height
#: From quiet to busy; each darker than the one before, so that they differ in grey.
_SHADES = ("#E8E3D8", "#F0C98A", "#D98A3D", "#A8501C", "#6E2A0C", "#4A1A06", "#2E0F03", "#1A0802")
# Letters in the pale ones would be hard to read.
_LETTERS = {_SHADES[0]: style.GREY, _SHADES[1]: "#8A6420", _SHADES[2]: "#A0601C"}


def plot_regimes(regimes_fit: RegimesFit, ax: Axes | None = None) -> Axes:
    """Show counts, and below them the probability of each regime as it could be judged at the time.

    The bands below add up to one in each bin, from the busiest regime at the foot to the quietest at the top, and use
    no later data. Long series are regrouped into wider bars, as in ``plot_tempo``; the bands are not.

    Parameters
    ----------
    regimes_fit : RegimesFit
        Fit of ``tempo.Regimes``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        The chart; the bands are its ``child_axes``.

    Raises
    ------
    OptionError
        If it is given something else.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import tempo
    >>> days = pd.date_range("2020-01-01", periods=360)
    >>> counts = pd.Series(([0, 0, 1, 0, 0, 0] * 10 + [2, 4, 3, 1, 3, 5] * 5) * 4, index=days)
    >>> ax = plot_regimes(tempo.Regimes(n_regimes=2).fit(counts))
    >>> plt.close(ax.figure)
    """
    expect(regimes_fit, "regimes_fit", "tempo.Regimes().fit(counts)", "filtered", "rates_per_day")
    counts = regimes_fit.counts
    bars = bars_of(counts)
    rates = regimes_fit.rates_per_day.to_numpy()
    top = float(np.nanmax(bars.values, initial=1.0))
    with style.context():
        ax = style.canvas(
            ax,
            caption=[
                "Bands: probability of each regime in each bin, judged from data up to then, without hindsight",
                f"Model: {plain(regimes_fit.name)}, number of regimes ({len(rates)}) assumed",
                "Rates on the right: what no earlier one set off"
                if regimes_fit.model.contagion
                else "",
                counting_rule(counts.label, counts.rule),
                until(counts.watched_until),
                bars.said,
                "Paler bars: observed only in part"
                if ((bars.exposure < 0.999) & (bars.values > 0)).any()
                else "",
                "Hatched: not observed" if unwatched(counts) else "",
            ],
            height_mm=66.0,
            left_mm=style.left_margin_mm(top),
        )
        date_axis(ax, counts.bin_starts[0], counts.end)
        mark_gaps(ax, unwatched(counts))
        draw_bars(ax, bars)
        style.value_axis(ax, top, whole=True)
        style.headline(ax, f"{noun(counts.label)} {bars.unit}")
        edges = np.append(days(counts.bin_starts), one_day(counts.end))
        span, unit = (365.25, "a year") if counts.bin_days.mean() > 200 else (30.0, "in 30 days")
        _add_bands(ax, regimes_fit.filtered, rates, edges, span, unit)
    return ax


def _add_bands(
    ax: Axes, filtered: pd.DataFrame, rates: Floats, edges: Floats, span: float, unit: str
) -> None:
    """Make room below the counts and draw the probabilities in it, stacked, the busiest regime at the foot."""
    _, top = ax.get_ylim()
    ticks = [tick for tick in ax.yaxis.get_major_locator().tick_values(0, top) if 0 <= tick <= top]
    share = 1.0 - _COUNTS
    ax.set_ylim(-top * share / (1 - share), top)
    ax.yaxis.set_major_locator(FixedLocator(ticks))
    ax.spines["left"].set_bounds(0, top)
    ax.axhline(0, color=style.RULE, linewidth=0.6, zorder=1)
    strip = ax.inset_axes((0, 0, 1, share - _GUTTER), sharex=ax, gid="regimes")
    style.dress(strip)
    strip.set_facecolor("none")
    strip.tick_params(axis="x", bottom=False, labelbottom=False)
    lower = np.zeros(len(filtered))
    shades = _shades(len(rates))
    for i in reversed(range(len(rates))):
        upper = lower + filtered.iloc[:, i].to_numpy(dtype=float)
        style.steps(strip, upper, edges, baseline=lower, colour=shades[i], gid=f"regime {i}")
        lower = upper
    strip.set_ylim(0, 1)
    strip.set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    strip.annotate(
        "probability of each regime at the time",
        xy=(0, 1),
        xycoords="axes fraction",
        xytext=(3, 4),
        textcoords="offset points",
        va="bottom",
        fontsize=style.SMALL_PT,
        color=style.GREY,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        annotation_clip=False,
    )
    now = filtered.iloc[-1].to_numpy(dtype=float)
    above = np.concatenate([[0.0], np.cumsum(now[::-1])])[::-1]
    at_right(
        strip,
        [
            (
                float(above[i + 1] + now[i] / 2),
                f"{number(span * rates[i])} {unit}",
                f"now {percent(float(now[i]))}",
                _LETTERS.get(shades[i], shades[i]),
            )
            for i in range(len(rates))
        ],
    )


def _shades(k: int) -> list[str]:
    """Spread the shades over few regimes, so that the quietest is pale and the busiest dark."""
    if k > 4:
        return list(_SHADES[:k])
    return [_SHADES[int(i * 3 / max(k - 1, 1))] for i in range(k)]
