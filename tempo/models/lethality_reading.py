"""What a lethality fit reads from incidents: tolls as intervals, groups, and covariates."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.incidents import Incidents
from tempo.data.rules import parse_rule
from tempo.errors import DataError, RuleError
from tempo.models.lethality_design import Covariates

__all__ = [
    "LethalRows",
    "Record",
    "Tolls",
    "least_by_rule",
    "place_of",
    "read_groups",
    "read_tolls",
]

type Floats = NDArray[np.float64]

UNKNOWN = "unknown"
_MOST_PROBED = 1_000  # tolls up to this are shown to a counting rule


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


def least_by_rule(incidents: Incidents, column: str) -> int:
    """Give how many an attack must have killed for the counting rule to take it in.

    A rule knows what it cannot decide: if it leaves out an attack of which nothing is known but that it killed nobody,
    it leaves out every attack that killed nobody.

    Parameters
    ----------
    incidents : Incidents
        The attacks, with their rule.
    column : str
        Of the tolls.

    Returns
    -------
    int
        0 where attacks that killed nobody may be counted, or undecided rows were taken in.

    Examples
    --------
    >>> table = pd.DataFrame({"date_start": ["2020-01-05", "2020-01-09"], "killed": [2, 0], "munitions": [1, 20]})
    >>> attacks = Incidents(table, ("2020-01-01", "2020-02-01"))
    >>> least_by_rule(attacks.where("killed > 0"), "killed")
    1
    >>> least_by_rule(attacks.where("killed > 0 or munitions >= 10"), "killed")
    0
    """
    try:
        rule = parse_rule(incidents.rule.removesuffix(" [undecided rows: best]"))
    except RuleError:
        return 0
    numbers = np.arange(_MOST_PROBED, dtype=float)
    probes = incidents.table.head(0).reindex(range(len(numbers)))
    for name in (column, f"{column}_low", f"{column}_high"):
        if name in probes:
            probes[name] = numbers
    truth = rule.truth(probes)
    counted = np.asarray(truth.true | truth.undecided)
    return int(counted.argmax()) if counted.any() else 0


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


def place_of(value: object, groups: list[str]) -> int:
    """Find the group that a value belongs to.

    Parameters
    ----------
    value : object
        As somebody gives it; a missing one belongs to "unknown", and 1 to "1.0".
    groups : list of str
        Names of the groups.

    Returns
    -------
    int
        Its place; -1 where there is none.

    Examples
    --------
    >>> place_of("bomb", ["bomb", "rocket"]), place_of(1, ["1.0", "2.0"]), place_of("drone", ["bomb"])
    (0, 0, -1)
    """
    name = UNKNOWN if value is None or value != value else str(value)
    if name not in groups and isinstance(value, int | float):
        name = next((group for group in groups if _as_number(group) == value), name)
    return groups.index(name) if name in groups else -1


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


@dataclass(frozen=True, eq=False)
class LethalRows:
    """Attacks that killed, those that are alike taken together.

    Attributes
    ----------
    tolls : Tolls, length u
        How many each killed, at least 1.
    design : ndarray, shape (u, q)
        Covariates of the number killed.
    group : ndarray of int, shape (u,)
        Group of each.
    number_of : ndarray, shape (u,)
        How many attacks are like it.
    """

    tolls: Tolls
    design: Floats
    group: NDArray[np.int64]
    number_of: Floats

    def at(self, rows: NDArray[np.bool_]) -> LethalRows:
        """Give some of them.

        Parameters
        ----------
        rows : ndarray of bool, shape (u,)
            Which.

        Returns
        -------
        LethalRows
            Those.
        """
        return LethalRows(
            self.tolls.at(rows), self.design[rows], self.group[rows], self.number_of[rows]
        )


@dataclass(frozen=True, eq=False)
class Record:
    """What was read from the incidents.

    Attributes
    ----------
    tolls : Tolls
        One interval for each attack.
    dates : ndarray of datetime64, shape (n,)
        First possible day.
    group : ndarray of int, shape (n,)
        Group of each attack.
    groups : list of str
        Names of the groups.
    anyone : Covariates
        Of the chance that anyone is killed.
    many : Covariates
        Of the number killed.
    grouped : bool
        Whether attacks are told apart by group; without it all are in one.
    certain : bool
        Whether an attack is counted only if it killed.
    """

    tolls: Tolls
    dates: NDArray[np.datetime64]
    group: NDArray[np.int64]
    groups: list[str]
    anyone: Covariates
    many: Covariates
    grouped: bool = False
    certain: bool = False

    @property
    def n_groups(self) -> int:
        """How many groups share what they know; 0 where attacks are not told apart."""
        return len(self.groups) if self.grouped else 0

    @property
    def fingerprint(self) -> str:
        """SHA-256 of tolls, groups and covariates."""
        digest = hashlib.sha256()
        for values in (
            self.tolls.low,
            self.tolls.high,
            self.group,
            self.anyone.matrix,
            self.many.matrix,
        ):
            digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
        return digest.hexdigest()

    def lethal(self) -> LethalRows:
        """Give the attacks that certainly killed and have the covariates of the number killed.

        Returns
        -------
        LethalRows
            Each sort once.
        """
        rows = self.tolls.some & self.many.used
        table = np.column_stack(
            [self.tolls.low, self.tolls.high, self.many.matrix, self.group.astype(float)]
        )
        alike, number_of = np.unique(table[rows], axis=0, return_counts=True)
        return LethalRows(
            Tolls(alike[:, 0], alike[:, 1]),
            alike[:, 2:-1],
            alike[:, -1].astype(np.int64),
            number_of.astype(float),
        )
