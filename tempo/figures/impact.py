"""What scenarios cost in operations, and how many attacks each brings against what can be absorbed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from tempo.data.rounding import counted, interval, number, percent
from tempo.figures import style
from tempo.figures.dates import day, until
from tempo.figures.expected import expect
from tempo.figures.labels import counting_rule, noun, plain, shortened, width_mm

if TYPE_CHECKING:
    from tempo.forecasting.impact_days import LostDays
    from tempo.forecasting.impact_operations import OperationsOutlook

__all__ = ["plot_impact"]

_LEFT_MM, _ROW_MM = 34.0, 9.5
_DAYS_TO, _RATES_FROM = 0.47, 0.70  # shares of the width: where the days end, and the rates begin
_MONTH_DAYS = 365.25 / 12
MIXTURE = "scenario mixture"  # how ``tempo.impact`` calls all scenarios together


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the chart needs to know of either result."""

    lost: dict[str, NDArray[np.float64] | NDArray[np.int64]]
    words: list[str]
    chances: list[float]
    too_many: float
    headline: str
    of_what: str
    evidence: str


def plot_impact(impact: LostDays | OperationsOutlook, ax: Axes | None = None) -> Axes:
    """Show what is lost under each scenario, and its attacks against the absorbable tempo.

    Left, the days lost over the horizon (median, 50 % and 90 % interval) with a line at the share that is too much, and
    the probability of losing more. Right, the attacks per month of each scenario over the band in which that share of
    the days is lost in the long run. Of a dose-response fit the weeks of operations are drawn that each scenario has
    fewer than a future without further attacks.

    Parameters
    ----------
    impact : LostDays or OperationsOutlook
        What ``tempo.impact`` gave.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if left out.

    Returns
    -------
    matplotlib.axes.Axes
        The chart. Its first ``child_axes`` holds what is lost, the second the attacks.

    Raises
    ------
    OptionError
        If it is something else.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import pandas as pd
    >>> import tempo
    >>> daily = pd.Series([0, 1, 0, 0, 2, 0, 0] * 10, index=pd.date_range("2020-03-01", periods=70))
    >>> outlook = tempo.forecast(tempo.ConstantRate().fit(daily, rng=1), "60D", rng=1)
    >>> ax = plot_impact(tempo.impact(outlook, tempo.StandDown("5-20 %", "3-10 days"), rng=1))
    >>> plt.close(ax.figure)
    """
    source = "tempo.impact(weights, tempo.StandDown(...)), or with a dose-response fit"
    expect(impact, "impact", source, "absorbable_per_day")
    from tempo.forecasting.impact_operations import OperationsOutlook

    reading = (
        _operations_read(impact) if isinstance(impact, OperationsOutlook) else _days_read(impact)
    )
    with style.context():
        ax = style.canvas(
            ax,
            caption=_caption(impact, reading),
            height_mm=_ROW_MM * len(reading.lost) + 2.0,
            left_mm=_LEFT_MM,
            right_mm=6.0,
            top_mm=13.0,
            caption_from_mm=_LEFT_MM - 1.0,
        )
        ax.set_ylim(len(reading.lost) - 0.5, -0.5)
        ax.set_xlim(0, 1)
        ax.set_xticks([])
        ax.set_yticks([])
        for side in ("left", "bottom"):
            ax.spines[side].set_visible(False)
        for i, name in enumerate(impact.scenarios):
            ax.annotate(
                shortened(plain(name), _LEFT_MM - 4.0, style.TEXT_PT, bold=True),
                xy=(0, i), xycoords=("axes fraction", "data"), xytext=(-7, 0), textcoords="offset points",
                ha="right", va="center", fontsize=style.TEXT_PT, fontweight="bold",
                color=style.letters(_colour(i, name)), annotation_clip=False,
            )  # fmt: skip
        _draw_lost(ax, reading)
        _draw_rates(ax, impact)
    return ax


def _days_read(impact: LostDays) -> _Reading:
    table = impact.table(0.9)
    too_many = impact.share * impact.horizon_days
    known = impact.model.led + impact.model.did_not
    return _Reading(
        lost={name: impact.days(name) for name in impact.scenarios},
        words=[
            f"{number(row['median_days'], 12)} ({interval(row['low_days'], row['high_days'], digits=12)})"
            for _, row in table.iterrows()
        ],
        chances=table["probability_over_share"].tolist(),
        too_many=too_many,
        headline=(
            f"operating days lost in {impact.horizon_days}, and probability of more than "
            f"{number(math.floor(too_many), 6)}"
        ),
        of_what="days",
        evidence=(
            f"What is thought of stand-downs is an {impact.status}: of {known} {noun(impact.label)} with a known "
            f"outcome, {impact.model.led} came before one"
        ),
    )


def _operations_read(impact: OperationsOutlook) -> _Reading:
    table = impact.table(0.9).loc[list(impact.scenarios)]
    too_many = impact.share * impact.n_bins
    word = impact.model.bin_word
    return _Reading(
        lost={name: impact.bins_lost(name) for name in impact.scenarios},
        words=[
            f"{number(_tenths(row['lost_median']))} "
            f"({interval(_tenths(row['lost_low']), _tenths(row['lost_high']))})"
            for _, row in table.iterrows()
        ],
        chances=table["probability_over_share"].tolist(),
        too_many=too_many,
        headline=(
            f"{word}s of operations lost in {impact.n_bins}, and probability of more than {number(too_many)}"
        ),
        of_what="operations",
        evidence=(
            f"Lost: fewer than without further attacks, in usual {word}s. What went together in "
            f"{counted(impact.model.nobs, word)} is an {impact.status}, and shows no cause"
        ),
    )


def _tenths(value: float) -> float:
    return round(value, 1) + 0.0  # no -0


def _caption(impact: LostDays | OperationsOutlook, reading: _Reading) -> list[str]:
    rate = impact.absorbable(0.9)
    gaps = interval(rate["low_gap_days"], rate["high_gap_days"], "days")
    if math.isinf(rate["high_per_day"]):
        gaps = f"{number(rate['high_gap_days'])} days or less, or none"
    return [
        f"From {day(impact.cutoff)} on. Dot: median; thick line: 50 % interval; thin line and brackets: 90 % interval",
        (
            f"Dashed line: {percent(impact.share)} of the {reading.of_what}. Band: {noun(impact.label)} so frequent "
            f"that this share is lost in the long run, one every {gaps} (90 % interval)"
        ),
        reading.evidence,
        counting_rule(impact.label, impact.rule),
        until(impact.cutoff),
    ]


def _panel(ax: Axes, start: float, width: float, gid: str) -> Axes:
    panel = ax.inset_axes((start, 0, width, 1), sharey=ax, gid=gid)
    style.dress(panel)
    panel.set_facecolor("none")
    panel.spines["left"].set_visible(False)
    panel.tick_params(axis="y", left=False, labelleft=False)
    panel.grid(axis="x", color=style.PALE, linewidth=0.6)
    return panel


def _draw_row(
    panel: Axes, i: int, values: NDArray[np.float64] | NDArray[np.int64], colour: str
) -> None:
    """Draw median, 50 % and 90 % interval of one row."""
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    low, inner_low, middle, inner_high, high = np.quantile(values, levels, method="inverted_cdf")
    for ends, width in (((low, high), 1.0), ((inner_low, inner_high), 3.2)):
        panel.plot(
            ends, [i, i], color=colour, linewidth=width, solid_capstyle="butt", zorder=2, gid="interval",
        )  # fmt: skip
    panel.plot(
        middle, i, marker="o", markersize=5.5, color=colour, markeredgecolor="white", zorder=3, clip_on=False,
        gid="median",
    )  # fmt: skip


def _draw_lost(ax: Axes, reading: _Reading) -> None:
    panel = _panel(ax, 0.0, _DAYS_TO, "lost")
    lowest, highest = 0.0, reading.too_many * 1.15
    for i, (name, values) in enumerate(reading.lost.items()):
        _draw_row(panel, i, values, _colour(i, name))
        lowest = min(lowest, float(np.quantile(values, 0.05)))
        highest = max(highest, float(np.quantile(values, 0.95)))
    panel.axvline(
        reading.too_many, color=style.INK, linewidth=0.9, linestyle=(0, (4, 2)), gid="share"
    )
    panel.set_xlim(lowest - 0.02 * (highest - lowest), highest + 0.02 * (highest - lowest))
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    for i, (text, chance) in enumerate(zip(reading.words, reading.chances, strict=True)):
        for line, lift, size in (
            (text, 5.0, style.TEXT_PT),
            (f"more: {percent(chance)}", -5.0, style.SMALL_PT),
        ):
            panel.annotate(
                line, xy=(1, i), xycoords=("axes fraction", "data"), xytext=(6, lift),
                textcoords="offset points", va="center", fontsize=size,
                color=style.INK if lift > 0 else style.GREY, annotation_clip=False,
            )  # fmt: skip
    style.headline(
        panel,
        reading.headline,
        lift_pt=4.0,
        colour=style.INK,
        spare_mm=style.axes_size_mm(ax)[0] * (_RATES_FROM - _DAYS_TO) - 2.0,
    )


def _draw_rates(ax: Axes, impact: LostDays | OperationsOutlook) -> None:
    panel = _panel(ax, _RATES_FROM, 1 - _RATES_FROM, "attacks")
    scale = _MONTH_DAYS
    rate = impact.absorbable(0.9) * scale
    highest = max(
        float(np.quantile(impact.attacks[name], 0.95)) / impact.horizon_days * scale
        for name in impact.scenarios
    )
    known = [float(rate[end]) for end in ("low_per_day", "median_per_day", "high_per_day")]
    highest = max([highest, *(end for end in known if math.isfinite(end))])
    if not math.isfinite(known[-1]):
        highest *= 1.25  # the band runs out of the panel
    if math.isfinite(known[0]):
        panel.axvspan(
            known[0], min(known[-1], 2 * highest), color=style.PALE, linewidth=0, zorder=0.5, gid="absorbable",
        )  # fmt: skip
    if math.isfinite(known[1]):
        panel.axvline(known[1], color=style.GREY, linewidth=0.9, gid="absorbable median")
    for i, name in enumerate(impact.scenarios):
        monthly = impact.attacks[name] / impact.horizon_days * scale
        _draw_row(panel, i, monthly, _colour(i, name))
    panel.set_xlim(-0.02 * highest, 1.02 * highest)
    fit = style.axes_size_mm(panel)[0] / (width_mm(number(highest), style.SMALL_PT) + 4.0)
    panel.xaxis.set_major_locator(MaxNLocator(nbins=int(max(1, min(5, fit - 1)))))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    style.headline(
        panel, f"{noun(impact.label)} a month", lift_pt=4.0, colour=style.INK, spare_mm=4.0
    )


def _colour(place: int, name: str) -> str:
    if name == MIXTURE:
        return style.INK
    return style.PALETTE[place] if place < len(style.PALETTE) else style.GREY
