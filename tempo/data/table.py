"""The table of incidents: canonical columns, their types, and what may stand in them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.errors import DataError

__all__ = ["COLUMNS", "NUMBERS", "PRECISIONS", "canonical", "latest_onset"]

#: Canonical columns, in order. Only the two dates are required.
COLUMNS = (
    "id", "date_start", "date_end", "date_precision", "kind",
    "killed", "killed_low", "killed_high", "wounded", "wounded_low", "wounded_high",
    "munitions", "munitions_low", "munitions_high",
    "actor", "target", "place", "latitude", "longitude", "source", "source_rating", "reported_at", "note",
)  # fmt: skip

#: Canonical columns that hold numbers; a blank is unknown.
NUMBERS = (
    "killed", "killed_low", "killed_high", "wounded", "wounded_low", "wounded_high",
    "munitions", "munitions_low", "munitions_high", "latitude", "longitude",
)  # fmt: skip

#: How well a date is known. With "time" and "day" the attack began on ``date_start``; with the others it began on
#: some day of the inclusive interval from ``date_start`` to ``date_end``.
PRECISIONS = ("time", "day", "days", "week", "month", "year")


def latest_onset(table: pd.DataFrame) -> pd.Series:
    """Give the last day on which each incident may have begun.

    Parameters
    ----------
    table : pandas.DataFrame, n rows
        A canonical table.

    Returns
    -------
    pandas.Series, length n
        ``date_start`` where the date is exact (a later ``date_end`` then means that the attack lasted), else
        ``date_end``.

    Examples
    --------
    >>> table = canonical(
    ...     pd.DataFrame({"date_start": ["2020-01-01"], "date_end": ["2020-01-31"], "date_precision": ["month"]})
    ... )
    >>> latest_onset(table).dt.strftime("%Y-%m-%d").tolist()
    ['2020-01-31']
    """
    exact = table["date_precision"].isin(["time", "day"])
    return table["date_end"].where(~exact, table["date_start"])


def canonical(table: pd.DataFrame) -> pd.DataFrame:
    """Give a copy with canonical columns first, in canonical types, sorted by date.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each incident, with at least ``date_start``.

    Returns
    -------
    pandas.DataFrame
        Dates as ``datetime64[us]``, numbers as float with NaN for unknown; other columns are kept at the end.

    Raises
    ------
    DataError
        If a column cannot be what its name says, with the first offending rows and the remedy.

    Examples
    --------
    >>> canonical(pd.DataFrame({"killed": [1], "date_start": ["2020-01-01"]})).columns.tolist()
    ['date_start', 'date_end', 'date_precision', 'killed']
    """
    if not isinstance(table, pd.DataFrame):
        raise DataError(
            f"the table is {type(table).__name__}; expected a pandas DataFrame with one row for each incident."
        )
    if "date_start" not in table.columns:
        names = ", ".join(str(name) for name in table.columns) or "none"
        raise DataError(
            f"the table has no column 'date_start' (its columns: {names}). Rename the date column, or read the file "
            "with tempo.read_incidents(path, columns={'date_start': 'your column'}, window=...)."
        )
    repeated = table.columns[table.columns.duplicated()]
    if len(repeated):
        raise DataError(
            f"the table has several columns named {repeated[0]!r}; expected each name once. Rename or drop one of them."
        )
    columns: dict[str, pd.Series] = {}
    columns["date_start"] = _dates(table, "date_start")
    columns["date_end"] = (
        _dates(table, "date_end") if "date_end" in table.columns else columns["date_start"]
    )
    if "date_precision" in table.columns:
        columns["date_precision"] = _precision(table["date_precision"])
    else:
        columns["date_precision"] = pd.Series("day", index=table.index, dtype="str")
    for name in NUMBERS:
        if name in table.columns:
            columns[name] = _numbers(table, name)
    if "reported_at" in table.columns:
        columns["reported_at"] = _dates(table, "reported_at", required=False)
    backwards = (columns["date_end"] < columns["date_start"]).to_numpy()
    if backwards.any():
        _fail(
            table,
            backwards,
            "date_end",
            "end before they start",
            "Swap or correct the two dates.",
        )
    for name in table.columns:
        if str(name) not in columns:
            columns[str(name)] = table[name]
    order = [name for name in COLUMNS if name in columns]
    data = {name: columns[name] for name in [*order, *(n for n in columns if n not in COLUMNS)]}
    result = pd.DataFrame(data, index=table.index)
    return result.sort_values(["date_start", "date_end"], kind="stable").reset_index(drop=True)


def _dates(table: pd.DataFrame, name: str, *, required: bool = True) -> pd.Series:
    given = table[name]
    if pd.api.types.is_numeric_dtype(given.dtype) and given.notna().any():
        row = given.first_valid_index()
        raise DataError(
            f"the column {name!r} holds numbers (first: row {row!r}: {given.dropna().iloc[0]!r}); expected dates. "
            "Years alone are intervals: give date_start, date_end and date_precision='year'."
        )
    is_date = pd.api.types.is_datetime64_any_dtype(given.dtype)
    try:
        values = pd.to_datetime(given, format=None if is_date else "ISO8601")
    except (ValueError, TypeError) as error:
        raise DataError(
            f"the column {name!r} does not hold dates, year first: {error}. Read files with tempo.read_incidents, "
            "which says which rows are wrong, or convert the column with pd.to_datetime."
        ) from error
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        raise DataError(
            f"the column {name!r} carries a time zone; dates are in one declared zone. Convert it with "
            f"table[{name!r}].dt.tz_convert(zone).dt.tz_localize(None)."
        )
    if required and values.isna().any():
        _fail(
            table,
            values.isna().to_numpy(),
            name,
            "have no date",
            "Give the interval in which it must lie (date_start, date_end, date_precision), or drop the row.",
        )
    return values.astype("datetime64[us]")


def _precision(values: pd.Series) -> pd.Series:
    known = values.astype("str").fillna("day")
    wrong = ~known.isin(PRECISIONS)
    if wrong.any():
        first = "; ".join(f"row {row}: {value!r}" for row, value in known[wrong].head(3).items())
        raise DataError(
            f"{int(wrong.sum())} values of 'date_precision' are not known (first: {first}); expected one of "
            f"{', '.join(PRECISIONS)}."
        )
    return known


def _numbers(table: pd.DataFrame, name: str) -> pd.Series:
    values = pd.to_numeric(table[name], errors="coerce").astype(float)
    wrong = ((values.isna() & table[name].notna()) | np.isinf(values)).to_numpy()
    if wrong.any():
        _fail(table, wrong, name, "are not numbers", "Leave the cell blank where it is unknown.")
    if name not in {"latitude", "longitude"}:
        negative = (values < 0).to_numpy()
        if negative.any():
            _fail(
                table,
                negative,
                name,
                "are negative",
                "Codes such as -9 and -99 mean unknown: leave the cell blank.",
            )
    return values


def _fail(
    table: pd.DataFrame, wrong: NDArray[np.bool_], column: str, what: str, remedy: str
) -> None:
    shown = table[column][wrong].head(3)
    first = "; ".join(f"row {row}: {value!r}" for row, value in shown.items())
    raise DataError(f"{int(wrong.sum())} values of {column!r} {what} (first: {first}). {remedy}")
