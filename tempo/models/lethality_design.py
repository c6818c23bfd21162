"""Formulas of a lethality fit: what is made of the columns of a table, and of an attack that is described."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype

from tempo.data.incidents import Incidents
from tempo.data.window import DateLike, as_date
from tempo.errors import DataError, OptionError
from tempo.models.formulas import plain

__all__ = ["Covariates", "Design", "no_covariates", "read_covariates", "read_design"]

type Floats = NDArray[np.float64]

_SEASONS = np.array(["winter", "spring", "summer", "autumn"])


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
    ahead : ndarray, shape (n, p)
        The same for attacks like these that come after the last day: dates and seasons are those of that day.
    n_middled : int
        Rows for which a value is known to limits only, and the middle was taken.
    """

    matrix: Floats
    rows: NDArray[np.int64]
    names: list[str]
    centre: Floats
    scale: Floats
    ahead: Floats
    n_middled: int
    _spec: Any
    _words: dict[str, frozenset[object]]
    _date: pd.Timestamp

    @property
    def variables(self) -> set[str]:
        """Columns that the formula uses."""
        return {str(name) for name in self._spec.required_variables} - {"after"}

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

        Raises
        ------
        OptionError
            If something is missing, or is of no use.
        """
        from formulaic.errors import FormulaicError

        date = as_date(cast("DateLike", given.get("date", self._date)), "date")
        frame = _with_dates(pd.DataFrame([{**given, "date": date}]))
        needed = sorted(str(v) for v in self._spec.required_variables)
        missing = [name for name in needed if name not in frame and name != "after"]
        if missing:
            raise OptionError(
                f"the formula also needs {', '.join(map(repr, missing))}; given holds "
                f"{', '.join(map(repr, given)) or 'nothing'}. Give them all, or none: then the attacks of the data "
                "stand for the next one."
            )
        for name, words in self._words.items():
            if not _is_in(frame[name].iloc[0], words):
                raise OptionError(
                    f"{name} is {given.get(name, frame[name].iloc[0])!r}, which no attack behind the formula is; they "
                    f"are {', '.join(sorted(map(repr, words)))}. For what was never seen fit with group={name!r}, or "
                    "use one of these."
                )
        try:
            row = self._spec.get_model_matrix(frame, context={"after": _after})
            values = row[["Intercept", *self.names]].to_numpy(dtype=float)[0, 1:]
        except (FormulaicError, ValueError, TypeError, IndexError) as error:
            values = np.full(1, np.nan)
            cause: Exception | None = error
        else:
            cause = None
        if not np.isfinite(values).all():
            said = ", ".join(f"{name}={given[name]!r}" for name in needed if name in given)
            raise OptionError(
                f"the formula cannot be evaluated for {said}. Give finite numbers, words that the data have, and dates "
                "such as '2020-03-12'."
            ) from cause
        return np.asarray((values - self.centre) / self.scale)


@dataclass(frozen=True, eq=False)
class Covariates:
    """Covariates of every attack.

    Attributes
    ----------
    matrix : ndarray, shape (n, p)
        Rows that lack a value hold zeros.
    ahead : ndarray, shape (n, p)
        Of attacks like these that come after the last day.
    used : ndarray of bool, shape (n,)
        Attacks that have all of them.
    design : Design or None
        How they are made; None where there is no formula.
    """

    matrix: Floats
    ahead: Floats
    used: NDArray[np.bool_]
    design: Design | None

    @property
    def names(self) -> list[str]:
        """What the columns are called."""
        return [] if self.design is None else self.design.names

    @property
    def variables(self) -> set[str]:
        """Columns that the formula uses."""
        return set() if self.design is None else self.design.variables

    @property
    def scale(self) -> Floats:
        """What one step of each is: a standard deviation of a number, or 1."""
        return np.ones(0) if self.design is None else self.design.scale

    def of(self, given: Mapping[str, object]) -> Floats:
        """Give the covariates of an attack that is described, shape (p,).

        Parameters
        ----------
        given : mapping of str to object
            As for ``Design.of``.

        Returns
        -------
        ndarray
            Empty where there is no formula.
        """
        return np.zeros(0) if self.design is None else self.design.of(given)


def no_covariates(n: int) -> Covariates:
    """Give the covariates of attacks where there is no formula.

    Parameters
    ----------
    n : int
        How many attacks.

    Returns
    -------
    Covariates
        Without columns.

    Examples
    --------
    >>> no_covariates(3).matrix.shape
    (3, 0)
    """
    return Covariates(np.zeros((n, 0)), np.zeros((n, 0)), np.ones(n, dtype=bool), None)


def read_covariates(incidents: Incidents, formula: str | None) -> Covariates:
    """Evaluate a formula on the incidents, where there is one.

    Parameters
    ----------
    incidents : Incidents
        The attacks.
    formula : str or None
        As for ``read_design``.

    Returns
    -------
    Covariates
        Of each attack.
    """
    n = len(incidents)
    if formula is None:
        return no_covariates(n)
    design = read_design(incidents, formula)
    used = np.zeros(n, dtype=bool)
    used[design.rows] = True
    matrix, ahead = np.zeros((2, n, design.matrix.shape[1]))
    matrix[design.rows], ahead[design.rows] = design.matrix, design.ahead
    return Covariates(matrix, ahead, used, design)


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
        Rows with a missing value are left out of it. Of a value that is known to lie between a low and a high one, the
        middle is taken.

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

    frame, middled = _middled(
        _with_dates(incidents.table.assign(date=incidents.table["date_start"]))
    )
    try:
        made = model_matrix(formula, frame, context={"after": _after}, na_action="drop")
    except (FormulaicError, ValueError, TypeError, KeyError, SyntaxError) as error:
        columns = ", ".join(map(str, incidents.table.columns))
        raise OptionError(
            f"the formula {formula!r} cannot be evaluated: {plain(error)} Expected the right-hand side of a formula "
            f"over columns of the incidents ({columns}), such as 'munitions + kind'."
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
    endless = [
        name for name, fine in zip(names, np.isfinite(matrix).all(axis=0), strict=True) if not fine
    ]
    if endless:
        raise DataError(
            f"the formula {formula!r} gives values that are not finite: {', '.join(endless)}. Take a column without "
            "them, or a logarithm of values above 0 only."
        )
    number = ~np.isin(matrix, (0.0, 1.0)).all(axis=0)
    centre = np.where(number, matrix.mean(axis=0), 0.0)
    spread = matrix.std(axis=0)
    scale = np.where(number & (spread > 1e-9 * np.maximum(1.0, np.abs(centre))), spread, 1.0)
    rows = np.asarray(made.index, dtype=np.int64)
    limits = [name for name in middled if name in made.model_spec.required_variables]
    n_middled = int(middled[limits].to_numpy(dtype=bool)[rows].any(axis=1).sum())
    spec, end = made.model_spec, incidents.window.end
    needed = [str(name) for name in spec.required_variables if str(name) in frame]
    words: dict[str, frozenset[object]] = {
        name: frozenset(frame[name].iloc[rows])
        for name in needed
        if rf"C({name}" in formula.replace(" ", "")
        or not (is_numeric_dtype(frame[name]) or is_datetime64_any_dtype(frame[name]))
    }
    ahead = matrix
    if {"date", "season"} & set(needed):
        then = frame.iloc[rows].assign(date=end)
        then = _with_dates(then if "season" in incidents.table else then.drop(columns="season"))
        # A season that the data do not have tells nothing: then the mix of the past stands for it.
        if set(then["season"]) <= words.get("season", frozenset(then["season"])):
            made = spec.get_model_matrix(then, context={"after": _after})
            ahead = made[names].to_numpy(dtype=float)
    columns = (matrix - centre) / scale
    ahead = (ahead - centre) / scale
    return Design(columns, rows, names, centre, scale, ahead, n_middled, spec, words, end)


def _middled(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fill in the middle where only a low and a high value are known, and tell where."""
    frame, where = frame.copy(), pd.DataFrame(index=frame.index)
    for name in [str(name) for name in frame.columns]:
        if f"{name}_low" in frame and f"{name}_high" in frame:
            middle = (frame[f"{name}_low"] + frame[f"{name}_high"]) / 2
            where[name] = frame[name].isna() & middle.notna()
            frame[name] = frame[name].where(~where[name], middle)
    return frame, where


def _with_dates(frame: pd.DataFrame) -> pd.DataFrame:
    dates = pd.to_datetime(frame["date"])
    if "season" in frame:
        return frame.assign(date=dates)
    return frame.assign(date=dates, season=_SEASONS[(dates.dt.month.to_numpy() % 12) // 3])


def _is_in(value: object, words: frozenset[object]) -> bool:
    return any(value == word for word in words)


def _after(dates: pd.Series, when: str) -> Floats:
    """Tell which dates lie on or after a date; for formulas."""
    return np.asarray(pd.to_datetime(dates) >= pd.Timestamp(when), dtype=float)
