"""Reading a table of counts: one row for each period, already counted by whoever published it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from tempo.data import schemas
from tempo.data.conversion import Conversion
from tempo.data.counts import Counts, bins
from tempo.data.problems import Problems
from tempo.data.readers import name_of, open_source
from tempo.data.rounding import counted
from tempo.data.schema_plain import date_columns, with_joined_date
from tempo.data.tabulated import count_columns, group_columns, step_of
from tempo.data.window import DAY, DateLike, Window
from tempo.errors import OptionError, ReadError, ReadWarning, WindowError

__all__ = ["read_counts"]

_KEYS = ("date", "count", "group")


def read_counts(
    path: str | os.PathLike[str] | pd.DataFrame,
    columns: Mapping[str, str] | None = None,
    window: Window | Sequence[DateLike] | None = None,
    *,
    group: str | None = None,
    freq: str | None = None,
    labelled: Literal["start", "end"] = "start",
    label: str | None = None,
    dayfirst: bool | None = None,
    unknown: Sequence[str | float] = (),
    sheet: str | int | None = None,
    encoding: str | None = None,
) -> Counts | dict[str, Counts]:
    """Read a table of counts: one row for each period, and for each group if there are several.

    A period without a row, or with a blank count, is missing and not zero.

    Parameters
    ----------
    path : str, path or pandas.DataFrame
        As for `read_incidents`.
    columns : mapping, optional
        Which column is which: ``{"date": "month", "count": "fatalities", "group": "country"}``. What is left out is
        taken by its name where there is no doubt. Deaths are read by naming their column as the count.
    window : Window or (start, end), optional
        What was watched, where that is less than the periods of the file: a last month that was not over at the day
        of the download, or gaps. Periods that it cuts count with the share that was watched.
    group : str, optional
        One group to give; without it all are given by name if ``columns`` names a column of groups.
    freq : str, optional
        Length of the periods (``"1D"``, ``"7D"``, ``"MS"``, ``"YS"``); told from the dates when left out.
    labelled : {"start", "end"}, default "start"
        Whether a date is the first or the last day of its period.
    label : str, optional
        What is counted, in the plural; the name of the column when left out.
    dayfirst, unknown, sheet, encoding
        As for `read_incidents`.

    Returns
    -------
    Counts, or dict of str to Counts
        On a complete index of period starts, with exposure and window.

    Raises
    ------
    ReadError
        If the file cannot be read, or rows are not one for each period; ``.problems`` lists what is wrong.
    OptionError
        If an option has a value that is not known.

    Warns
    -----
    ReadWarning
        If periods are missing or only partly watched.

    Examples
    --------
    >>> table = pd.DataFrame({"month": ["2020-01", "2020-02", "2020-03"], "events": [14, 0, 20]})
    >>> counts = read_counts(table)
    >>> counts.tolist(), counts.freq, counts.window
    ([14, 0, 20], 'MS', Window('2020-01-01', '2020-04-01'))
    """
    observed = None if window is None else Window.of(window)
    if labelled not in {"start", "end"}:
        raise OptionError(f"labelled is {labelled!r}; expected 'start' or 'end'.")
    chosen = _checked(columns)
    problems = Problems()
    raw = schemas.named(open_source(path, problems, sheet, encoding), problems, "tempo")
    name = name_of(path)
    silent = frozenset(str(text).strip().lower() for text in unknown)
    work = Conversion(raw.text, raw.rows, problems, dayfirst, silent)
    for key, column in chosen.items():
        if not work.has(column):
            listed = ", ".join(map(repr, raw.text.columns[:40]))
            raise ReadError(
                f"columns says that the {key} is {column!r}, which {name} does not have. Its columns are: {listed}."
            )
    work, joined = with_joined_date(work) if "date" not in chosen else (work, None)
    date = str(work.name(chosen["date"])) if "date" in chosen else joined or _only_date(work, name)
    column = str(work.name(chosen["count"])) if "count" in chosen else _only_count(work, date, name)
    by = str(work.name(chosen["group"])) if "group" in chosen else None
    if group is not None and by is None:
        raise OptionError(
            f"group is {group!r}, but no column of groups is named. Pass it too, as in "
            f'columns={{"group": "{_example_group(work, date, column)}"}}.'
        )
    work.decide_order(date)
    dates = work.dates(date, required=True)
    values = work.counts(column)
    broken = ~np.isnan(values) & ((values < 0) | (values != np.floor(values)))
    problems.error(
        "a count is a whole number from 0 up",
        "Correct it, or leave it blank where it is not known.",
        rows=raw.rows[broken],
        column=column,
        values=work.cells(column)[broken],
    )
    if problems.n("error"):
        raise ReadError(f"{name} cannot be used:\n{problems.summary('error')}", problems.frame())
    days = pd.Series(dates.first).dt.normalize()
    units = set(dates.precision.tolist())
    groups = (
        pd.Series("", index=days.index) if by is None else work.cells(by).reset_index(drop=True)
    )
    if group is not None and group not in set(groups):
        known = ", ".join(map(repr, sorted(set(groups))[:20]))
        raise OptionError(f"group is {group!r}, which {by!r} does not have; it has {known}.")
    _once_each(work, days, groups, raw.rows, date, column, by, name)
    starts, step = _periods(days, units, freq, labelled, name)
    result = {}
    doubts: list[str] = []
    for key in sorted(set(groups)) if group is None else [group]:
        mine = (groups == key).to_numpy()
        series = pd.Series(values[mine], index=pd.DatetimeIndex(starts[mine])).sort_index()
        result[key] = _counts(
            series, step, observed, str(label or column), raw.name, f"{key}: " if by else "", doubts
        )
    doubts += [line for line in problems.summary("warning").split("\n") if line]
    if doubts:
        warnings.warn(
            ReadWarning(f"{name} was read with doubts:\n" + "\n".join(doubts[:8])), stacklevel=2
        )
    return result if by is not None and group is None else next(iter(result.values()))


def _checked(columns: Mapping[str, str] | None) -> dict[str, str]:
    if columns is None:
        return {}
    if not isinstance(columns, Mapping) or any(key not in _KEYS for key in columns):
        raise OptionError(
            f'columns is {columns!r}; expected a dict with some of "date", "count" and "group", such as '
            '{"date": "month", "count": "events", "group": "country"}.'
        )
    return dict(columns)


def _only_date(work: Conversion, name: str) -> str:
    found = date_columns(
        work, more=("month", "week", "year", "period", "week_start", "month_start")
    )
    if len(found) == 1:
        return found[0]
    what = "several columns could be the date" if found else "no column is known to hold the date"
    listed = ", ".join(map(repr, found or list(work.text.columns[:40])))
    raise ReadError(f'{what} of {name} ({listed}). Say which with columns={{"date": "…"}}.')


def _only_count(work: Conversion, date: str, name: str) -> str:
    found = {column: s for column, s in count_columns(work.text).items() if column != date}
    strong = [column for column, strength in found.items() if strength == 2]
    best = strong or list(found)
    if len(best) == 1:
        return best[0]
    what = "several columns could be the count" if best else "no column is known to hold counts"
    listed = ", ".join(map(repr, best or list(work.text.columns[:40])))
    raise ReadError(f'{what} in {name} ({listed}). Say which with columns={{"count": "…"}}.')


def _example_group(work: Conversion, date: str, column: str) -> str:
    return next(iter(group_columns(work.text, {date, column})), "country")


def _once_each(
    work: Conversion,
    days: pd.Series,
    groups: pd.Series,
    rows: np.ndarray,
    date: str,
    column: str,
    by: str | None,
    name: str,
) -> None:
    """Refuse a period that stands twice: which of two rows counts is not for tempo to guess."""
    twice = pd.concat([days.rename("day"), groups.rename("group")], axis=1).duplicated(keep=False)
    if not twice.any():
        return
    k = int(np.flatnonzero(twice)[0])
    others = [other for other in group_columns(work.text, {date, column}) if other != by]
    raise ReadError(
        f"{name} has several rows for the period of {days[k]:%Y-%m-%d}{f' in {groups[k]}' if by else ''} (first in row "
        f"{rows[k]}); expected one for each period{' and group' if by else ''}. "
        + (
            f'If rows are told apart by a column, name it: columns={{"group": "{others[0]}"}}.'
            if others
            else "Add them up, or remove what stands twice."
        )
    )


def _periods(
    days: pd.Series, units: set[str], freq: str | None, labelled: str, name: str
) -> tuple[pd.Series, str]:
    """Give the start of each row's period, and the length of all."""
    distinct = pd.DatetimeIndex(days.drop_duplicates().sort_values())
    ends_of_months = bool(distinct.is_month_end.all()) and not units & {"month", "year"}
    if labelled == "start" and ends_of_months and len(distinct) > 1:
        raise ReadError(
            f"{name}: every date is the last day of a month, so that periods are labelled by their end. Say so with "
            'labelled="end".'
        )
    if labelled == "end" and not units & {"month", "year"}:
        after = days + DAY
        distinct = pd.DatetimeIndex(after.drop_duplicates().sort_values())
    step = freq or ("MS" if units == {"month"} else None)
    told = step_of(distinct)
    if freq is None and units == {"month"} and told is not None and not told.endswith("D"):
        step = told
    elif freq is None and units == {"year"}:
        step = told or "YS"
    elif step is None:
        step = told
    if step is None:
        raise ReadError(
            f"{name}: the dates follow no regular step, so that the length of the periods is not known. Pass freq= "
            "('1D', '7D', 'MS', 'YS') if some periods are missing; a list of attacks is read with "
            "tempo.read_incidents."
        )
    offset = pd.tseries.frequencies.to_offset(step)
    starts = days
    if labelled == "end" and not units & {"month", "year"}:
        starts = (days + DAY) - offset
    whole = bins(starts.min(), starts.max() + DAY, step)
    if not starts.isin(whole).all():
        odd = starts[~starts.isin(whole)].iloc[0]
        raise ReadError(
            f"{name}: {odd:%Y-%m-%d} is no start of a period of {step} counted from {whole[0]:%Y-%m-%d}. Correct the "
            "date, or pass freq=."
        )
    return starts, step


def _counts(
    given: pd.Series,
    step: str,
    observed: Window | None,
    label: str,
    source: str,
    prefix: str,
    doubts: list[str],
) -> Counts:
    """Lay counts on a complete index, with what was watched of each period beside them."""
    offset = pd.tseries.frequencies.to_offset(step)
    index = bins(given.index[0], given.index[-1] + DAY, step)
    ends = pd.DatetimeIndex(index + offset)
    if observed is not None:
        kept = (ends > observed.start) & (index < observed.end)
        if not kept.any():
            raise WindowError(
                f"no period of {source} lies in the window [{observed.start:%Y-%m-%d}, {observed.end:%Y-%m-%d}). "
                "Choose dates that the file covers."
            )
        outside = int((~kept).sum())
        if outside:
            doubts.append(f"{prefix}{counted(outside, 'periods')} outside the window left out.")
        index, ends = index[kept], ends[kept]
    values = given.reindex(index).to_numpy(dtype=float)
    missing = np.isnan(values)
    start, end = index[0], ends[-1]
    gaps = [(a, b) for a, b, none in zip(index, ends, missing, strict=True) if none]
    if observed is not None:
        start, end = max(start, observed.start), min(end, observed.end)
        gaps = [(max(a, start), min(b, end)) for a, b in gaps]
        gaps += [(max(a, start), min(b, end)) for a, b in observed.gaps]
        gaps = [(a, b) for a, b in gaps if a < b]
    if missing.all():
        raise ReadError(f"{prefix}{source} has no count in any period. Name another column.")
    window = Window(start, end, gaps)
    exposure = window.exposure(index, ends)
    exposure = np.where(missing, 0.0, exposure)
    if missing.any():
        first = index[missing][0]
        doubts.append(
            f"{prefix}no count for {int(missing.sum())} of {counted(len(index), 'periods')} (first: {first:%Y-%m-%d}), "
            "which is missing, not zero. Write 0 where nothing happened."
        )
    partly = (exposure > 0) & (exposure < 1)
    if partly.any():
        first = index[partly][0]
        doubts.append(
            f"{prefix}{counted(int(partly.sum()), 'periods')} watched in part (first: {first:%Y-%m-%d}, "
            f"{exposure[partly][0]:.0%}), whose count is taken as that of the part."
        )
    return Counts.build(
        np.nan_to_num(values),
        index,
        exposure,
        freq=step,
        window=window,
        label=label,
        rule="as counted in the file, one row for each period",
        source=f"{source}{', ' + prefix.removesuffix(': ') if prefix else ''}",
    )
