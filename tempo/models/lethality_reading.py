"""What a lethality fit reads from incidents: tolls as intervals, groups, and the columns of a formula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.incidents import Incidents
from tempo.errors import DataError, OptionError

__all__ = ["Design", "Tolls", "read_design", "read_groups", "read_tolls"]

type Floats = NDArray[np.float64]

_SEASONS = np.array(["winter", "spring", "summer", "autumn"])
UNKNOWN = "unknown"


@dataclass(frozen=True, eq=False)
class Tolls:
    """How many were killed (or wounded) in each attack, as an interval.

    Attributes
    ----------
    low, high : ndarray of float, shape (n,)
        Inclusive ends; ``high`` is infinite where nothing bounds it.
    """

    low: Floats
    high: Floats

    def __len__(self) -> int:
        return len(self.low)

    @property
    def some(self) -> NDArray[np.bool_]:
        """Attacks that certainly killed."""
        return np.asarray(self.low >= 1)

    @property
    def none(self) -> NDArray[np.bool_]:
        """Attacks that certainly killed nobody."""
        return np.asarray(self.high == 0)

    @property
    def unknown(self) -> NDArray[np.bool_]:
        """Attacks of which nothing is known."""
        return np.asarray((self.low == 0) & np.isinf(self.high))

    @property
    def open(self) -> NDArray[np.bool_]:
        """Attacks that killed at most so many, perhaps nobody."""
        return np.asarray((self.low == 0) & (self.high > 0) & np.isfinite(self.high))

    @property
    def exact(self) -> NDArray[np.bool_]:
        """Attacks with one known number."""
        return np.asarray(self.low == self.high)

    def at(self, rows: NDArray[np.bool_]) -> Tolls:
        """Give some of them.

        Parameters
        ----------
        rows : ndarray of bool, shape (n,)
            Which.

        Returns
        -------
        Tolls
            Theirs.
        """
        return Tolls(self.low[rows], self.high[rows])

    def tallied(self) -> tuple[Tolls, Floats]:
        """Give each different interval once, and how often it occurs.

        Returns
        -------
        tolls : Tolls
            Different ones.
        number_of : ndarray, shape (u,)
            How many of each.
        """
        pairs, number_of = np.unique(
            np.column_stack([self.low, self.high]), axis=0, return_counts=True
        )
        return Tolls(pairs[:, 0], pairs[:, 1]), number_of.astype(float)


def read_tolls(incidents: Incidents, column: str) -> Tolls:
    """Read the toll of each attack: what is unknown stays open, and is never zero.

    Where low and high differ, all that counts is the interval; the best value then only fills in a missing end.

    Parameters
    ----------
    incidents : Incidents
        The attacks.
    column : str
        ``"killed"``, ``"wounded"`` or another column of numbers; its low and high are looked for beside it.

    Returns
    -------
    Tolls
        One interval for each row of the table.

    Raises
    ------
    DataError
        If there is no such column.

    Examples
    --------
    >>> table = pd.DataFrame({"date_start": ["2020-01-01"] * 3, "killed": [2, None, None], "killed_low": [1, 4, None]})
    >>> tolls = read_tolls(Incidents(table, ("2020-01-01", "2020-02-01")), "killed")
    >>> tolls.low.tolist(), tolls.high.tolist()
    ([1.0, 4.0, 0.0], [2.0, inf, inf])
    """
    table = incidents.table
    if column not in table:
        raise DataError(
            f"the incidents have no column {column!r} (their columns: {', '.join(map(str, table.columns))}). Read them "
            f"with columns={{{column!r}: 'your column'}}, or name another one: tempo.Lethality(column=...)."
        )
    best = _numbers(table, column)
    low = (
        _numbers(table, f"{column}_low") if f"{column}_low" in table else np.full(len(best), np.nan)
    )
    high = (
        _numbers(table, f"{column}_high")
        if f"{column}_high" in table
        else np.full(len(best), np.nan)
    )
    known = ~np.isnan(best)
    low = np.where(np.isnan(low), np.where(known, best, 0.0), low)
    high = np.where(np.isnan(high), np.where(known, best, np.inf), high)
    low = np.where(known, np.minimum(low, best), low)
    high = np.maximum(np.where(known, np.maximum(high, best), high), low)
    return Tolls(np.floor(low), np.ceil(high))


def _numbers(table: pd.DataFrame, column: str) -> Floats:
    values = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    wrong = (np.isnan(values) & table[column].notna().to_numpy(dtype=bool)) | (values < 0)
    wrong |= np.isinf(values)
    if wrong.any():
        shown = table[column][wrong].head(3)
        first = "; ".join(f"row {row}: {value!r}" for row, value in shown.items())
        raise DataError(
            f"{int(wrong.sum())} values of {column!r} are no tolls (first: {first}); expected whole numbers from 0 up, "
            "and a blank where it is unknown."
        )
    return np.asarray(values)


def read_groups(incidents: Incidents, group: str) -> tuple[NDArray[np.int64], list[str]]:
    """Give the group of each attack.

    Parameters
    ----------
    incidents : Incidents
        The attacks.
    group : str
        A column; a missing value is a group of its own, "unknown".

    Returns
    -------
    codes : ndarray of int, shape (n,)
        Place of each attack's group in ``names``.
    names : list of str
        In alphabetical order.
    """
    table = incidents.table
    if group not in table:
        raise DataError(
            f"the incidents have no column {group!r} to group by (their columns: {', '.join(map(str, table.columns))})."
        )
    codes, names = pd.factorize(table[group].astype("str").fillna(UNKNOWN), sort=True)
    return np.asarray(codes, dtype=np.int64), [str(name) for name in names]


@dataclass(frozen=True, eq=False)
class Design:
    """The columns that a formula makes of a table.

    Attributes
    ----------
    matrix : ndarray, shape (n, p)
        Without the intercept; numbers centred and in units of their standard deviation, indicators as they are.
    rows : ndarray of int, shape (n,)
        Rows of the table that have all values.
    names : list of str
        Of the columns.
    centre, scale : ndarray, shape (p,)
        What was taken off, and what was divided by.
    """

    matrix: Floats
    rows: NDArray[np.int64]
    names: list[str]
    centre: Floats
    scale: Floats
    _spec: Any
    _date: pd.Timestamp

    def of(self, given: Mapping[str, object]) -> Floats:
        """Give the row of the design for an attack that is described in words and numbers.

        Parameters
        ----------
        given : mapping of str to object
            Columns that the formula uses; ``date`` is the end of the data where it is left out.

        Returns
        -------
        ndarray, shape (p,)
            On the same scale.
        """
        frame = _with_dates(pd.DataFrame([{"date": self._date, **given}]))
        needed = sorted(str(v) for v in self._spec.required_variables)
        missing = [name for name in needed if name not in frame and name != "after"]
        if missing:
            raise OptionError(
                f"the formula also needs {', '.join(map(repr, missing))}; given holds "
                f"{', '.join(map(repr, given)) or 'nothing'}. Give them all, or none: then the attacks of the data "
                "stand for the next one."
            )
        row = self._spec.get_model_matrix(frame, context={"after": _after})
        values = row[["Intercept", *self.names]].to_numpy(dtype=float)[0, 1:]
        return np.asarray((values - self.centre) / self.scale)


def read_design(incidents: Incidents, formula: str) -> Design:
    """Evaluate a formula on the incidents.

    Parameters
    ----------
    incidents : Incidents
        The attacks.
    formula : str
        Right-hand side in formulaic's language; ``date``, ``season`` and ``after(date, "2020-01-03")`` may be used.

    Returns
    -------
    Design
        Rows with a missing value are left out of it.

    Raises
    ------
    OptionError
        If formulaic cannot evaluate it.
    DataError
        If no row has all values.

    Examples
    --------
    >>> table = pd.DataFrame({"date_start": ["2020-01-01", "2020-07-01"], "munitions": [1, 3]})
    >>> design = read_design(Incidents(table, ("2020-01-01", "2021-01-01")), "munitions + season")
    >>> design.names, design.matrix.tolist()
    (['munitions', 'season[T.winter]'], [[-1.0, 1.0], [1.0, 0.0]])
    """
    from formulaic import model_matrix
    from formulaic.errors import FormulaicError

    frame = _with_dates(incidents.table.assign(date=incidents.table["date_start"]))
    try:
        made = model_matrix(formula, frame, context={"after": _after}, na_action="drop")
    except (FormulaicError, ValueError, TypeError, KeyError, SyntaxError) as error:
        raise OptionError(
            f"the formula {formula!r} cannot be evaluated: {error} Expected the right-hand side of a formula over "
            f"columns of the incidents ({', '.join(map(str, incidents.table.columns))}), such as 'munitions + kind'."
        ) from error
    if "Intercept" not in made:
        raise OptionError(
            f"the formula {formula!r} has no intercept; take the '0' or '-1' out of it: the prior needs one."
        )
    if not len(made):
        raise DataError(
            f"no attack has all the values that the formula {formula!r} needs. Use columns that are known for most."
        )
    names = [str(name) for name in made.columns if name != "Intercept"]
    matrix = made[names].to_numpy(dtype=float)
    number = ~np.isin(matrix, (0.0, 1.0)).all(axis=0)
    centre = np.where(number, matrix.mean(axis=0), 0.0)
    spread = matrix.std(axis=0)
    scale = np.where(number & (spread > 0), spread, 1.0)
    return Design(
        (matrix - centre) / scale,
        np.asarray(made.index, dtype=np.int64),
        names,
        centre,
        scale,
        made.model_spec,
        incidents.window.end,
    )


def _with_dates(frame: pd.DataFrame) -> pd.DataFrame:
    dates = pd.to_datetime(frame["date"])
    if "season" in frame:
        return frame.assign(date=dates)
    return frame.assign(date=dates, season=_SEASONS[(dates.dt.month.to_numpy() % 12) // 3])


def _after(dates: pd.Series, when: str) -> Floats:
    """Tell which dates lie on or after a date; for formulas."""
    return np.asarray(pd.to_datetime(dates) >= pd.Timestamp(when), dtype=float)
