"""Gaps between attacks, and log deaths of deadly ones, as tables out of incidents."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tempo.data.incidents import Incidents
from tempo.data.rounding import counted
from tempo.data.table import latest_onset
from tempo.data.window import DAY
from tempo.errors import DataError

__all__ = ["gap_table", "severity_table"]


def gap_table(incidents: Incidents) -> tuple[pd.DataFrame, bool]:
    """Give the stretches between attacks, as long as they were watched.

    Parameters
    ----------
    incidents : Incidents
        With exact dates. Where all have a time of day, stretches end at that time; otherwise at the end of each day
        with attacks, and attacks of one day end a stretch together.

    Returns
    -------
    table : pandas.DataFrame
        One row for each stretch: ``start``, ``value`` (attacks that end it; 0 for the last, which is not over) and
        ``exposure`` (observed days).
    timed : bool
        Whether all incidents have a time of day.
    """
    uncertain = incidents.n_uncertain("1D")
    if uncertain:
        raise DataError(
            f"{uncertain} of {len(incidents)} dates are known only to an interval, so that the gaps around them are "
            "not known. Use observation='poisson', which averages over such dates, or leave them out with "
            "incidents.where(\"date_precision in ['time', 'day']\")."
        )
    window, table = incidents.window, incidents.table
    timed = bool((table["date_precision"] == "time").all()) and len(table) > 0
    seen = table.loc[window.observed(table["date_start"]), "date_start"]
    times = pd.DatetimeIndex(seen if timed else seen.dt.normalize() + DAY).as_unit("us")
    distinct, number = np.unique(times, return_counts=True)
    edges = pd.DatetimeIndex([window.start, *distinct, window.end]).as_unit("us")
    values = np.append(number, 0).astype(float)
    starts, ends = edges[:-1], edges[1:]
    keep = np.asarray(ends > starts)
    starts, ends, values = starts[keep], ends[keep], values[keep]
    length = np.asarray((ends - starts) / DAY, dtype=float)
    exposure = window.exposure(starts, ends) * length
    return pd.DataFrame({"start": starts, "value": values, "exposure": exposure}), timed


def severity_table(data: Incidents | pd.Series) -> tuple[pd.DataFrame, list[str]]:
    """Give the log deaths of each deadly attack, in order of date.

    Parameters
    ----------
    data : Incidents or Series
        Incidents with ``killed``, or deaths on an index of dates (one row for each attack). Attacks without deaths
        are no part of it; unknown deaths stay unknown.

    Returns
    -------
    table : pandas.DataFrame
        ``start`` (date), ``value`` (log deaths), ``exposure`` (1).
    notes : list of str
        What was left out, or placed, as sentences.
    """
    notes = []
    if isinstance(data, Incidents):
        table = data.table
        first, last = table["date_start"], latest_onset(table)
        when = first + (last - first) / 2
        if data.n_uncertain("1D"):
            notes.append("Attacks whose date is known only to an interval stand in its middle.")
        deaths = pd.Series(table["killed"].to_numpy(dtype=float), index=pd.DatetimeIndex(when))
    elif isinstance(data, pd.Series) and isinstance(data.index, pd.DatetimeIndex):
        deaths = data.astype(float)
    else:
        raise DataError(
            f"got {type(data).__name__}; expected Incidents with known deaths, or a Series of deaths with one row for "
            "each attack and its date as index."
        )
    odd = (deaths < 0) | np.isinf(deaths)
    if odd.any():
        raise DataError(
            f"{int(odd.sum())} death tolls are negative or infinite (first: {deaths.index[odd][0]:%Y-%m-%d}: "
            f"{deaths[odd].iloc[0]:g}); expected whole numbers from 0 up, or missing."
        )
    unknown = int(deaths.isna().sum())
    if unknown:
        notes.append(f"Deaths are not known for {counted(unknown, 'attack')}, left out.")
    deaths = deaths[deaths > 0].sort_index(kind="stable")
    if not len(deaths):
        raise DataError(
            "no attack with known deaths above 0. Severity needs deadly attacks: choose a longer window, or another "
            "rule."
        )
    index = pd.DatetimeIndex(deaths.index).as_unit("us")
    logs = np.log(deaths.to_numpy(dtype=float))
    return pd.DataFrame({"start": index, "value": logs, "exposure": 1.0}), notes
