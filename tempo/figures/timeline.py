"""Every incident on its date: what kind, how deadly, how sure the date, and where nobody watched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from tempo.data.rounding import number
from tempo.figures import style
from tempo.figures.dates import date_axis, days, mark_gaps, until
from tempo.figures.expected import expect
from tempo.figures.labels import counting_rule, plain, shortened, width_mm

if TYPE_CHECKING:
    from tempo.data.incidents import Incidents

__all__ = ["plot_timeline"]

_MOST_LANES = 8
_MOST_MARKS = 400  # in one lane; beyond that marks are a smear, and a profile says more
_LANE_MM = 12.0
_HEADROOM = 0.25  # of a lane, above the first one, for words
_LEFT_MM = 38.0
_DOT_PT2, _LARGEST_PT2 = 9.0, 340.0  # areas of marks in square points
_EXACT = ("time", "day")


@dataclass(frozen=True)
class _Mark:
    """One drawn incident, for placing words around it."""

    x: float
    y: float
    area_pt2: float
    killed: float
    place: str


@dataclass(frozen=True)
class _Lane:
    """Incidents of one kind, as arrays."""

    name: str
    colour: str
    low: NDArray[np.float64]  # dates as numbers; the onset lies in [low, high)
    high: NDArray[np.float64]
    exact: NDArray[np.bool_]
    killed: NDArray[np.float64]
    places: list[str]

    @property
    def middle(self) -> NDArray[np.float64]:
        return np.where(self.exact, self.low + 0.5, (self.low + self.high) / 2)


def plot_timeline(incidents: Incidents, ax: Axes | None = None) -> Axes:
    """Show each incident on its date, one row for each kind, with deaths as size.

    A filled disc has an area in proportion to the number killed; a small ring is an attack that killed nobody; a
    cross is one whose deaths are unknown, which is not the same. Where the date is known only to an interval, the
    interval is drawn as a bar and the mark stands in its middle. Stretches without coverage are hatched. Rows with
    hundreds of incidents are drawn as a profile of their number, with the deadliest on top.

    Parameters
    ----------
    incidents : Incidents
        What to draw; the axis of dates is its window.
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
    >>> table = pd.DataFrame({"date_start": ["2020-01-03", "2020-01-20"], "killed": [0, 3]})
    >>> ax = plot_timeline(tempo.read_incidents(table, window=("2020-01-01", "2020-02-01")))
    >>> plt.close(ax.figure)
    """
    expect(
        incidents,
        "incidents",
        "tempo.Incidents(table, window) or tempo.read_incidents(file)",
        "table",
        "window",
    )
    with style.context():
        window = incidents.window
        lanes = _lanes(incidents.table)
        marked = [lane for lane in lanes if len(lane.low) <= _MOST_MARKS]
        caption = _caption(incidents, marked, profiled=len(marked) < len(lanes))
        ax = style.canvas(
            ax,
            caption=caption,
            height_mm=_LANE_MM * (max(len(lanes), 1) + _HEADROOM),
            left_mm=_LEFT_MM,
            right_mm=5.0,
            caption_from_mm=_LEFT_MM - 1.0,
        )
        date_axis(ax, window.start, window.end)
        ax.set_ylim(max(len(lanes), 1) - 0.5, -0.5 - _HEADROOM)
        mark_gaps(ax, window.gaps, label="")
        ax.spines["left"].set_visible(False)
        _name_lanes(ax, lanes)
        most = max((float(np.nanmax(lane.killed, initial=0.0)) for lane in lanes), default=0.0)
        named: list[_Mark] = []
        for row, lane in enumerate(lanes):
            if len(lane.low) > _MOST_MARKS:
                named += _draw_profile(ax, row, lane, most)
            else:
                named += _draw_marks(ax, row, lane, most)
        _name_deadliest(ax, named)
        _size_key(ax, lanes, most)
        if not lanes:
            ax.text(0.5, 0.5, "no incidents", transform=ax.transAxes, ha="center", color=style.GREY)
    return ax


def _lanes(table: pd.DataFrame) -> list[_Lane]:
    table = table.reindex(
        columns=["date_start", "date_end", "date_precision", "kind", "killed", "place"]
    )
    kinds = table["kind"].map(plain).replace("", "kind not given")
    order = list(
        kinds.value_counts(sort=True).sort_index().sort_values(ascending=False, kind="stable").index
    )
    if len(order) > _MOST_LANES:
        rare = order[_MOST_LANES - 1 :]
        kinds = kinds.where(~kinds.isin(rare), f"{len(rare)} other kinds")
        order = [*order[: _MOST_LANES - 1], f"{len(rare)} other kinds"]
    lanes = []
    for i, name in enumerate(order):
        rows = table.loc[(kinds == name).to_numpy()].sort_values("date_start", kind="stable")
        lanes.append(
            _Lane(
                name=name,
                colour=style.PALETTE[i] if i < len(style.PALETTE) else style.GREY,
                low=days(rows["date_start"].dt.normalize()),
                high=days(rows["date_end"].dt.normalize()) + 1.0,
                exact=rows["date_precision"].isin(_EXACT).to_numpy(dtype=bool),
                killed=rows["killed"].to_numpy(dtype=float, na_value=np.nan),
                places=[plain(place) for place in rows["place"]],
            )
        )
    return lanes


def _caption(incidents: Incidents, marked: list[_Lane], *, profiled: bool) -> list[str]:
    uncertain = any((~lane.exact).any() for lane in marked)
    return [
        f"{counting_rule(incidents.label, incidents.rule)} ({number(len(incidents), 12)} in all)",
        until(incidents.cutoff if incidents.cutoff is not None else incidents.window.end),
        "Bars: the date is known only to lie within the bar" if uncertain else "",
        "Profiles: incidents through time, where single marks would hide each other"
        if profiled
        else "",
        "Hatched: no coverage" if incidents.window.gaps else "",
        f"Source: {plain(incidents.source)}" if incidents.source else "",
    ]


def _name_lanes(ax: Axes, lanes: list[_Lane]) -> None:
    numbers = [number(len(lane.low), 12) for lane in lanes]
    column_mm = max((width_mm(text, style.SMALL_PT) for text in numbers), default=0.0) + 4.0
    ax.set_yticks(
        range(len(lanes)),
        [shortened(lane.name, _LEFT_MM - column_mm - 3.0, style.TEXT_PT) for lane in lanes],
        fontsize=style.TEXT_PT,
        parse_math=False,
    )
    ax.tick_params(axis="y", length=0, pad=column_mm / 25.4 * 72)
    for label in ax.get_yticklabels():
        label.set(color=style.INK, va="center_baseline")
    for row, text in enumerate(numbers):
        ax.axhline(row, color=style.PALE, linewidth=0.6, zorder=0.4)
        _beside_lane(ax, row, text, 0.0)


def _beside_lane(ax: Axes, row: int, text: str, lower_pt: float) -> None:
    ax.annotate(
        text,
        xy=(0, row),
        xycoords=("axes fraction", "data"),
        xytext=(-5, -lower_pt),
        textcoords="offset points",
        ha="right",
        va="center_baseline",
        fontsize=style.SMALL_PT,
        color=style.GREY,
        annotation_clip=False,
    )


def _area(killed: float, most: float) -> float:
    """Area of a disc in square points: in proportion to deaths, as large as fits, never too small to see."""
    return max(_DOT_PT2, min(_LARGEST_PT2 / most, 30.0) * killed)


def _draw_marks(ax: Axes, row: int, lane: _Lane, most: float) -> list[_Mark]:
    width_pt, height_pt = (size / 25.4 * 72 for size in style.axes_size_mm(ax))
    low, high = ax.get_xlim()
    days_per_pt = (high - low) / width_pt
    bottom, top = ax.get_ylim()
    rows_per_pt = (bottom - top) / height_pt
    areas = np.array([_area(k, most) if k > 0 else _DOT_PT2 for k in lane.killed])
    radii = np.sqrt(areas / np.pi)
    middles = lane.middle
    heights = row + rows_per_pt * _stacked(middles / days_per_pt, radii, 0.42 / rows_per_pt)
    unknown, none = np.isnan(lane.killed), lane.killed == 0
    deadly = lane.killed > 0
    for i in np.flatnonzero(~lane.exact | (lane.high - lane.low > 1)):
        ax.plot(
            [lane.low[i], lane.high[i]],
            [heights[i]] * 2,
            color=lane.colour,
            alpha=0.35 if not lane.exact[i] else 0.9,
            linewidth=2.6 if not lane.exact[i] else 0.8,
            solid_capstyle="butt",
            zorder=1.5,
            gid="interval",
        )
    ax.scatter(
        middles[none], heights[none], s=_DOT_PT2, facecolor="white", edgecolor=lane.colour, linewidth=0.8,
        zorder=2, gid="none killed", clip_on=False,
    )  # fmt: skip
    ax.scatter(
        middles[unknown], heights[unknown], s=_DOT_PT2 * 1.2, marker="x", color=lane.colour, linewidth=0.9,
        zorder=2, gid="unknown", clip_on=False,
    )  # fmt: skip
    ax.scatter(
        middles[deadly], heights[deadly], s=areas[deadly], facecolor=lane.colour, edgecolor="white",
        linewidth=0.5, alpha=0.9, zorder=3, gid="killed", clip_on=False,
    )  # fmt: skip
    return [
        _Mark(float(x), float(y), float(area), float(killed), place)
        for x, y, area, killed, place in zip(
            middles, heights, areas, lane.killed, lane.places, strict=True
        )
    ]


def _stacked(
    x_pt: NDArray[np.float64], radii: NDArray[np.float64], limit_pt: float
) -> NDArray[np.float64]:
    """Move marks up and down until none hides another, the largest nearest to the middle of the lane.

    All lengths are in points, the result too. Marks for which there is no room stay on the outermost level.
    """
    step = 2 * float(np.sqrt(_DOT_PT2 / np.pi)) + 0.8
    levels = [0.0]
    while abs(levels[-1]) + step <= limit_pt:
        turn = (len(levels) + 1) // 2 * step
        levels += [turn, -turn]
    order = np.lexsort((x_pt, -radii))
    height = np.zeros(len(x_pt))
    done = np.zeros(len(x_pt), dtype=bool)
    for i in order:
        reach = radii + radii[i] + 0.4
        near = done & (np.abs(x_pt - x_pt[i]) < reach)
        for level in levels:
            height[i] = level
            if (np.hypot(x_pt[near] - x_pt[i], height[near] - level) >= reach[near]).all():
                break
        done[i] = True
    return height


def _draw_profile(ax: Axes, row: int, lane: _Lane, most: float) -> list[_Mark]:
    """Draw a crowded lane as its number of incidents through time, with the deadliest as discs."""
    low, high = ax.get_xlim()
    step = max(1, round((high - low) / 240))
    edges = np.arange(low, high + step, step, dtype=float)
    heights, _ = np.histogram(lane.middle, edges)
    if len(edges) > 2 and edges[-1] > high:  # a short last bin would look like a lull
        edges, heights = edges[:-1], heights[:-1]
    tallest = int(heights.max(initial=1))
    half = 0.36 * heights / tallest
    style.steps(
        ax,
        row - half,
        edges,
        baseline=row + half,
        colour=lane.colour,
        opacity=0.75,
        zorder=1.5,
        gid="profile",
    )
    _beside_lane(
        ax, row, f"up to {number(tallest, 12)} in {step} {'day' if step == 1 else 'days'}", 10.0
    )
    known = np.nan_to_num(lane.killed)
    deadliest = np.argsort(-known, kind="stable")[:20]
    deadliest = deadliest[known[deadliest] > 0]
    ax.scatter(
        lane.middle[deadliest],
        np.full(len(deadliest), float(row)),
        s=[_area(killed, most) for killed in known[deadliest]],
        facecolor=style.INK,
        edgecolor="white",
        linewidth=0.5,
        alpha=0.85,
        zorder=3,
        gid="killed",
    )
    return [
        _Mark(
            float(lane.middle[i]),
            float(row),
            _area(known[i], most),
            float(known[i]),
            lane.places[i],
        )
        for i in deadliest
    ]


def _name_deadliest(ax: Axes, marks: list[_Mark]) -> None:
    """Name the three deadliest incidents, where the words hide no mark and no other words."""
    deadliest = sorted((m for m in marks if m.killed > 1), key=lambda m: (-m.killed, m.x))[:3]
    if not deadliest:
        return
    width, height = style.axes_size_mm(ax)
    to_mm = ax.transData + ax.transAxes.inverted()
    centres = to_mm.transform([(m.x, m.y) for m in marks]) * (width, height)
    radii = np.array([np.sqrt(m.area_pt2 / np.pi) * 25.4 / 72 for m in marks])
    boxes = np.column_stack(
        [centres[:, 0] - radii, centres[:, 0] + radii, centres[:, 1] - radii, centres[:, 1] + radii]
    )
    half = style.SMALL_PT * 0.6 * 25.4 / 72
    for mark in deadliest:
        text = f"{shortened(mark.place, 40.0, style.SMALL_PT)}, {number(mark.killed, 12)} killed"
        text = text.removeprefix(", ")
        (x, y), length = centres[marks.index(mark)], width_mm(text, style.SMALL_PT)
        radius = radii[marks.index(mark)]
        beside = [(x + radius + 0.8, y), (x - radius - 0.8 - length, y)]
        slid = [x - length / 2, x - length + radius, x - radius]
        lifts = [
            side * (radius + half + 0.3 + far)
            for far in (0.0, 1.5, 3.0, 4.5, 6.0)
            for side in (1, -1)
        ]
        for left, middle in [*beside, *((left, y + lift) for lift in lifts for left in slid)]:
            box = (left - 0.3, left + length + 0.3, middle - half, middle + half)
            clear = (
                (boxes[:, 0] >= box[1])
                | (boxes[:, 1] <= box[0])
                | (boxes[:, 2] >= box[3])
                | (boxes[:, 3] <= box[2])
            )
            if (
                clear.all()
                and box[0] >= 0
                and box[1] <= width + 3
                and box[2] >= 0
                and box[3] <= height + 1
            ):
                boxes = np.vstack([boxes, box])
                if abs(middle - y) > radius + half + 1.0:
                    ends = (y + np.sign(middle - y) * radius, middle - np.sign(middle - y) * half)
                    ax.plot(
                        [x / width] * 2,
                        [end / height for end in ends],
                        transform=ax.transAxes,
                        color=style.GREY,
                        linewidth=0.5,
                        zorder=2.5,
                    )
                ax.text(
                    left / width,
                    middle / height,
                    text,
                    transform=ax.transAxes,
                    ha="left",
                    va="center_baseline",
                    fontsize=style.SMALL_PT,
                    color=style.INK,
                    zorder=5,
                    gid="named",
                )
                break


def _size_key(ax: Axes, lanes: list[_Lane], most: float) -> None:
    """Explain the marks in one line above the chart."""
    from matplotlib.lines import Line2D

    def mark(area: float, label: str, *, marker: str = "o", hollow: bool = False) -> Line2D:
        return Line2D(
            [], [], linestyle="none", marker=marker, markersize=float(np.sqrt(area)), label=label,
            markerfacecolor="white" if hollow else style.GREY,
            markeredgecolor=style.GREY, markeredgewidth=0.8 if hollow or marker == "x" else 0.0,
        )  # fmt: skip

    killed = np.concatenate([lane.killed for lane in lanes]) if lanes else np.array([])
    handles = []
    if most > 0:
        steps = sorted({1.0, float(f"{max(most / 3, 1):.0e}"), most})
        if _area(steps[0], most) >= _area(
            steps[-1], most
        ):  # sizes that cannot be told apart say nothing
            steps = steps[-1:]
        handles = [mark(_area(k, most), number(k, 12)) for k in steps]
        handles[-1].set_label(f"{number(most, 12)} killed")
    if (killed == 0).any():
        handles.append(mark(_DOT_PT2, "nobody killed", hollow=True))
    if np.isnan(killed).any():
        handles.append(mark(_DOT_PT2 * 1.2, "deaths unknown", marker="x"))
    if handles:
        legend = ax.legend(
            handles=handles,
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            ncols=len(handles),
            fontsize=style.SMALL_PT,
            labelcolor=style.GREY,
            handlelength=max(0.8, 0.85 * max(h.get_markersize() for h in handles) / style.SMALL_PT),
            handletextpad=0.5,
            columnspacing=1.4,
            borderaxespad=0.2,
            frameon=False,
        )
        legend.set_zorder(6)
