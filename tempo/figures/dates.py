"""The axis of dates: ticks that read from two weeks to decades, the cut-off line, and stretches nobody watched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import numpy as np
import pandas as pd
from matplotlib import dates as mdates
from matplotlib.axes import Axes
from matplotlib.ticker import Formatter, Locator
from numpy.typing import NDArray

from tempo.data.counts import Counts
from tempo.figures import style

__all__ = [
    "DateLabels",
    "DateTicks",
    "date_axis",
    "day",
    "days",
    "mark_cutoff",
    "mark_gaps",
    "one_day",
    "until",
    "unwatched",
]

# Not strftime: month names must not change with the locale of the machine.
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DAY_STEPS = (1, 2, 7, 14)
# matplotlib's own annotations leave these two out.
_number_of: Callable[[NDArray[np.datetime64]], NDArray[np.float64]] = mdates.date2num
_date_of: Callable[[float], datetime] = mdates.num2date
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200)


def day(date: pd.Timestamp, *, year: bool = True) -> str:
    """Write a date for a reader.

    Parameters
    ----------
    date : pandas.Timestamp
        A calendar date.
    year : bool
        Whether to write the year.

    Returns
    -------
    str
        For example ``"12 March 2020"``.

    Examples
    --------
    >>> day(pd.Timestamp("2020-03-12")), day(pd.Timestamp("2020-03-12"), year=False)
    ('12 March 2020', '12 March')
    """
    text = f"{date.day} {_MONTHS[date.month - 1]}"
    return f"{text} {date.year}" if year else text


def until(end: pd.Timestamp) -> str:
    """Say where data end, both ways, because windows are half-open and readers are not.

    Parameters
    ----------
    end : pandas.Timestamp
        The first day that is not in the data.

    Returns
    -------
    str
        The sentence of a caption.

    Examples
    --------
    >>> until(pd.Timestamp("2020-03-12"))
    'Data to 11 March 2020 (before 12 March)'
    """
    last = end - pd.Timedelta("1D")
    return f"Data to {day(last)} (before {day(end, year=end.year != last.year)})"


def days(dates: pd.DatetimeIndex | pd.Series) -> NDArray[np.float64]:
    """Give dates as the numbers that matplotlib draws.

    Parameters
    ----------
    dates : pandas.DatetimeIndex or Series of dates, length n
        Without a zone.

    Returns
    -------
    ndarray of float, shape (n,)
        Days since 1970; NaN for missing dates.

    Examples
    --------
    >>> days(pd.DatetimeIndex(["1970-01-03", "1970-01-04"])).tolist()
    [2.0, 3.0]
    """
    return np.asarray(_number_of(pd.DatetimeIndex(dates).to_numpy()), dtype=np.float64)


def one_day(date: pd.Timestamp) -> float:
    """Give one date as the number that matplotlib draws.

    Parameters
    ----------
    date : pandas.Timestamp
        Without a zone.

    Returns
    -------
    float
        Days since 1970.
    """
    return float(days(pd.DatetimeIndex([date]))[0])


class DateTicks(Locator):
    """Ticks on whole days, Mondays, months or years: the finest step that leaves room for the labels.

    Parameters
    ----------
    most : int
        Most ticks that fit side by side.
    """

    def __init__(self, most: int) -> None:
        self.most = max(most, 2)

    def __call__(self) -> Sequence[float]:
        """Give the ticks for the present limits of the axis."""
        low, high = self.axis.get_view_interval()  # type: ignore[union-attr]  # a locator in use has an axis
        return self.tick_values(float(low), float(high))

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        """Give the ticks between two dates.

        Parameters
        ----------
        vmin, vmax : float
            Limits, in days since 1970.

        Returns
        -------
        sequence of float
            Between the limits, ascending.
        """
        low, high = min(vmin, vmax), max(vmin, vmax)
        first, last = int(np.ceil(low - 1e-6)), int(np.floor(high + 1e-6))
        for step in _DAY_STEPS:
            if (last - first) // step + 1 <= self.most:
                # Day 4 was a Monday, and weeks are counted from there.
                start = first + (4 - first) % step
                ticks = np.arange(start, last + 1, step, dtype=float)
                if len(ticks) >= 2 or step == 1:
                    return [float(tick) for tick in ticks]
        month_low, month_high = (_month_number(x) for x in (low, high))
        for step in _MONTH_STEPS:
            if (month_high - month_low) // step + 1 <= self.most:
                break
        months = np.arange(-(-month_low // step) * step, month_high + 1, step)
        starts = _number_of((months - 1970 * 12).astype("datetime64[M]").astype("datetime64[D]"))
        inside = [float(tick) for tick in starts if low - 1e-6 <= tick <= high + 1e-6]
        if inside or last < first:
            return inside
        # A few days within one month on a narrow axis: count from the first of them.
        return [float(tick) for tick in range(first, last + 1, -(-(last + 1 - first) // self.most))]


def _month_number(value: float) -> int:
    date = _date_of(value)
    return date.year * 12 + date.month - 1


class DateLabels(Formatter):
    """Labels of date ticks: the day or month, and the year in a second line where it begins or changes."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Write one date, for the status line of a window."""
        del pos
        return day(pd.Timestamp(_date_of(x).date()))

    def format_ticks(self, values: Iterable[float]) -> list[str]:
        """Write all ticks of an axis.

        Parameters
        ----------
        values : iterable of float
            Days since 1970, ascending.

        Returns
        -------
        list of str
            One label for each.
        """
        dates = [_date_of(value) for value in values]
        if dates and all(date.month == 1 and date.day == 1 for date in dates) and len(dates) > 1:
            return [str(date.year) for date in dates]
        by_day = any(date.day != 1 for date in dates) or len(dates) == 1
        labels, year = [], None
        for date in dates:
            month = _MONTHS[date.month - 1][:3]
            label = f"{date.day} {month}" if by_day else month
            # The blank second line keeps all first lines level.
            labels.append(f"{label}\n{' ' if date.year == year else date.year}")
            year = date.year
        return labels


def date_axis(ax: Axes, start: pd.Timestamp, end: pd.Timestamp) -> None:
    """Make the horizontal axis one of dates from start to end.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The chart.
    start, end : pandas.Timestamp
        Limits; one day at least is shown.
    """
    low, high = one_day(start), one_day(end)
    ax.xaxis_date()
    ax.set_xlim(low, max(high, low + 1))
    ax.xaxis.set_major_locator(DateTicks(int(style.axes_size_mm(ax)[0] // 12)))
    ax.xaxis.set_major_formatter(DateLabels())


def unwatched(counts: Counts) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """Give the stretches that nobody watched.

    Parameters
    ----------
    counts : Counts
        Any counts.

    Returns
    -------
    list of (start, end)
        The gaps of the window; without a window, the runs of bins of exposure 0.
    """
    if counts.window is not None:
        return list(counts.window.gaps)
    unseen = counts.exposure.to_numpy() == 0
    steps = np.diff(np.concatenate([[0], unseen.astype(int), [0]]))
    starts = counts.bin_starts[np.flatnonzero(steps == 1)]
    ends = counts.bin_ends[np.flatnonzero(steps == -1) - 1]
    return list(zip(starts, ends, strict=True))


def mark_gaps(
    ax: Axes, gaps: Iterable[tuple[pd.Timestamp, pd.Timestamp]], *, label: str = "not observed"
) -> bool:
    """Hatch the stretches in which nobody watched; they are missing, not quiet.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The chart.
    gaps : iterable of (start, end)
        Half-open stretches.
    label : str
        Written into a stretch that is wide enough.

    Returns
    -------
    bool
        Whether there was any.
    """
    width, height = style.axes_size_mm(ax)
    low, high = ax.get_xlim()
    found = False
    for start, end in gaps:
        left, right = one_day(start), one_day(end)
        ax.axvspan(
            left, right, facecolor="#F7F7F7", edgecolor=style.RULE, hatch="////", linewidth=0, zorder=0.5,
            gid="gap",
        )  # fmt: skip
        found = True
        if (right - left) / (high - low) * width > 4 and height > 20:
            ax.annotate(
                label,
                xy=((left + right) / 2, 0.97),
                xycoords=("data", "axes fraction"),
                ha="center",
                va="top",
                rotation=90,
                fontsize=style.SMALL_PT - 0.5,
                color=style.GREY,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
            )
    return found


def mark_cutoff(ax: Axes, date: pd.Timestamp) -> None:
    """Draw the line where the data end and the forecast begins.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The chart.
    date : pandas.Timestamp
        The first day of the forecast.
    """
    ax.axvline(
        one_day(date), color=style.INK, linewidth=0.8, linestyle=(0, (4, 2)), zorder=4, gid="cutoff"
    )
