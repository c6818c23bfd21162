"""Files that hold numbers by period, one row for each: recognised where attacks were expected, and read as counts."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd

from tempo.data.cells import parse_numbers
from tempo.data.conversion import normal_name
from tempo.data.counts import Counts, as_counts
from tempo.data.dates import parse_dates, year_order
from tempo.data.files import Raw
from tempo.data.problems import Problems
from tempo.data.rules import parse_rule
from tempo.data.window import DAY
from tempo.errors import OptionError, ReadError, ReadWarning

__all__ = ["looks_like_counts", "read_counts"]

#: Names of columns that say how many happened in a period.
_SURELY = {
    "events", "attacks", "incidents", "num_events", "n_events", "nr_events", "no_events", "number_of_events",
    "event_count", "events_count", "total_events", "num_attacks", "n_attacks", "number_of_attacks", "attack_count",
    "num_incidents", "n_incidents", "number_of_incidents", "incident_count", "ged_sb", "ged_ns", "ged_os",
}  # fmt: skip
_PERHAPS = {"n", "count", "counts", "number", "total", "value", "anzahl"}
_DATES = {
    "date", "day", "week", "month", "year", "period", "date_start", "start", "start_date", "week_start",
    "month_start", "event_date", "time", "ds",
}  # fmt: skip
_MOST_UNREADABLE = 5


def looks_like_counts(text: pd.DataFrame, date: str) -> str:
    """Give the column that says how many happened in the period of each row; empty for a list of attacks.

    Parameters
    ----------
    text : pandas.DataFrame of str
        A table with names.
    date : str
        Its column of dates.

    Returns
    -------
    str
        Name of the column.
    """
    for column in text.columns:
        name = normal_name(str(column))
        if name not in _SURELY | _PERHAPS or column == date:
            continue
        numbers = parse_numbers(text[column])
        values = numbers.values[np.isfinite(numbers.values)]
        if numbers.bad.any() or not len(values) or (values == 1).all():
            continue
        if (values < 0).any() or (values != np.floor(values)).any():
            continue
        if name in _SURELY and (values == 0).any():  # an attack is never none
            return str(column)
        if _by_period(text, date):
            return str(column)
    return ""


def _by_period(text: pd.DataFrame, date: str) -> bool:
    """Whether there is one row for each period, perhaps in each of several groups."""
    if len(text) < 2:
        return False
    first = parse_dates(text[date], dayfirst=year_order(text[date])[0]).first
    known = pd.Series(first).dropna()
    if len(known) < len(text) or not _step(pd.DatetimeIndex(known.sort_values().unique())):
        return False
    groups = [
        column
        for column in text.columns
        if column != date and 1 < text[column].nunique() < len(text)
        and parse_numbers(text[column]).bad.all()
    ]  # fmt: skip
    keys = pd.DataFrame(
        {"date": first, **{str(k): text[c].to_numpy() for k, c in enumerate(groups)}}
    )
    return not keys.duplicated().any()


def _step(periods: pd.DatetimeIndex) -> str:
    """Give the frequency of rising dates that may lack some; empty where there is none."""
    if len(periods) < 2:
        return ""
    months = np.diff(np.asarray(12 * periods.year + periods.month))
    if (periods.day == 1).all() and months.min() >= 1:
        unit = int(np.gcd.reduce(months))
        return f"{unit // 12}YS-{periods[0]:%b}".upper() if unit % 12 == 0 else f"{unit}MS"
    days = np.diff(np.asarray((periods - periods[0]) / DAY, dtype=float))
    if (days != np.floor(days)).any():
        return ""
    unit = int(np.gcd.reduce(days.astype(np.int64)))
    # A list of attacks has gaps of every length: only whole weeks, or days nearly all of which are there, are periods.
    return f"{unit}D" if unit % 7 == 0 or (unit == 1 and np.mean(days == 1) > 0.9) else ""


def read_counts(
    path: str | os.PathLike[str] | pd.DataFrame,
    columns: Mapping[str, str] | None = None,
    where: str | None = None,
    *,
    freq: str | None = None,
    label: str = "attacks",
    dayfirst: bool | None = None,
    sheet: str | int | None = None,
    encoding: str | None = None,
) -> Counts:
    """Read a table of numbers by period: one row for each day, week, month or year.

    Parameters
    ----------
    path : path or DataFrame
        CSV, Excel, Parquet or JSON lines, or a table in memory.
    columns : mapping, optional
        ``{"date": "month", "count": "events"}``: which column says when a period begins, and which how many happened in
        it (``{"count": "fatalities"}`` counts the dead). Obvious names are found.
    where : str, optional
        A rule that leaves one row for each period, such as ``"country == 'Iraq'"``; see ``Incidents.where``.
    freq : str, optional
        Length of a period (``"1D"``, ``"7D"``, ``"MS"``, ``"YS"``) where the dates leave it open.
    label : str, default "attacks"
        What is counted.
    dayfirst, sheet, encoding
        As for ``read_incidents``.

    Returns
    -------
    Counts
        On a complete index of period starts. A period that has no row, or a blank number, was not observed: it is
        missing (exposure 0), not zero.

    Raises
    ------
    ReadError
        If the file cannot be read, has several rows for one period, or numbers that are no counts.
    OptionError
        If a column is named that is not there.

    Warns
    -----
    ReadWarning
        If periods have no row.

    Examples
    --------
    >>> table = pd.DataFrame({"month": ["2020-01", "2020-02", "2020-04"], "events": [14, 0, 20]})
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     counts = read_counts(table)
    >>> counts.tolist(), counts.exposure.tolist()
    ([14.0, 0.0, nan, 20.0], [1.0, 1.0, 0.0, 1.0])
    """
    from tempo.data.readers import opened
    from tempo.data.schemas import named

    problems = Problems()
    raw = named(opened(path, problems, sheet, encoding), problems, "tempo")
    if where is not None:
        raw = raw.without(~parse_rule(where).truth(_typed(raw.text)).true)
        if not len(raw.rows):
            raise ReadError(
                f"no row of {raw.name} matches where={where[:80]!r}. Check its spelling against the file."
            )
    date = _chosen(raw, columns, "date", _DATES)
    count = _chosen(raw, columns, "count", _SURELY, _PERHAPS)
    texts = raw.text[date]
    read = parse_dates(texts, dayfirst=year_order(texts)[0] if dayfirst is None else dayfirst)
    numbers = parse_numbers(raw.text[count])
    unreadable = np.isnat(read.first) | numbers.bad
    if unreadable.any():
        shown = ", ".join(
            f"row {row}: {day!r}, {number!r}"
            for row, day, number in zip(
                raw.rows[unreadable][:_MOST_UNREADABLE],
                texts[unreadable],
                raw.text[count][unreadable],
                strict=False,
            )
        )
        raise ReadError(
            f"{int(unreadable.sum()):,} rows of {raw.name} have no date or no number ({shown}). Correct them, or leave "
            "the number blank where a period was not observed."
        )
    starts = pd.DatetimeIndex(read.first).normalize()
    if starts.duplicated().any():
        twice = starts[starts.duplicated()][0]
        several = [
            c
            for c in raw.text.columns
            if len(set(raw.text.loc[starts == twice, c])) > 1 and c != count
        ]
        example = (
            f"{several[0]} == {raw.text[several[0]].iloc[0]!r}" if several else "country == 'Iraq'"
        )
        raise ReadError(
            f"{raw.name} has several rows for {twice:%Y-%m-%d}. Expected one for each period: choose them with "
            f'where="{example}".'
        )
    series = pd.Series(numbers.values, index=starts, name=label).sort_index()
    step = freq or _step(pd.DatetimeIndex(series.index))
    if not step:
        raise ReadError(
            f"the dates of {raw.name} are not those of days, weeks, months or years. If it is a list of attacks, use "
            "read_incidents; otherwise say how long a period is: freq='7D'."
        )
    index = pd.date_range(series.index[0], series.index[-1], freq=step)
    if not series.index.isin(index).all():
        raise ReadError(
            f"the dates of {raw.name} do not begin periods of freq={step!r}. Name another."
        )
    missing = len(index) - len(series)
    if missing:
        warnings.warn(
            ReadWarning(
                f"{missing:,} of {len(index):,} periods have no row in {raw.name}; they were taken as not "
                "observed, not as "
                "zero. If nothing happened in them, write rows with 0."
            ),
            stacklevel=2,
        )
    return as_counts(series.reindex(index))


def _typed(text: pd.DataFrame) -> pd.DataFrame:
    """Give columns of numbers as numbers, so that a rule may compare them."""
    out = {}
    for column in text.columns:
        numbers = parse_numbers(text[column])
        blank = (text[column] == "").to_numpy()
        out[column] = text[column].mask(blank) if numbers.bad.any() else numbers.values
    return pd.DataFrame(out, index=text.index)


def _chosen(raw: Raw, columns: Mapping[str, str] | None, what: str, *names: set[str]) -> str:
    """Find a column by what the user said, or by its name."""
    listed = ", ".join(map(repr, list(raw.text.columns)[:20]))
    unknown = set(columns or {}) - {"date", "count"}
    if unknown:
        raise OptionError(f"columns has {sorted(unknown)[0]!r}; expected 'date' and 'count'.")
    if columns and what in columns:
        if columns[what] not in raw.text.columns:
            raise OptionError(
                f"{raw.name} has no column {columns[what]!r}. Its columns are: {listed}."
            )
        return columns[what]
    for group in names:
        found = [str(c) for c in raw.text.columns if normal_name(str(c)) in group]
        if len(found) == 1:
            return found[0]
        if found:
            break
    said = f"several columns could be the {what}" if found else f"no column is known as the {what}"
    raise ReadError(
        f"{said} in {raw.name}. Its columns are: {listed}. Say which: columns={{{what!r}: {(found or ['…'])[0]!r}}}."
    )
