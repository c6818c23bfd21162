"""Documented pauses of operations: several accounts of one pause, open ends, and causes that do not count."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.library import load_table
from tempo.data.rounding import counted, number
from tempo.data.window import DAY, DateLike, as_date
from tempo.errors import DataError

__all__ = ["Pause", "Pauses"]


@dataclass(frozen=True, slots=True)
class Pause:
    """One pause of operations, as well as its accounts let it be known.

    Attributes
    ----------
    start_from, start_to : pandas.Timestamp
        First and last day on which it may have begun, inclusive.
    shortest_days, longest_days : float
        It lasted between these; ``longest_days`` is infinite where no end is known.
    accounts : int
        How many accounts of it there are.
    cause, scope : str
        As stated by the first account.
    open : bool
        Whether it still lasted when the data end, by every account.
    """

    start_from: pd.Timestamp
    start_to: pd.Timestamp
    shortest_days: float
    longest_days: float
    accounts: int
    cause: str = ""
    scope: str = ""
    open: bool = False

    def __str__(self) -> str:
        low, high = number(self.shortest_days, 4), number(self.longest_days, 4)
        lasted = f"{low} days" if low == high else f"{low} to {high} days"
        if math.isinf(self.longest_days):
            lasted = f"{low} days or more"
        accounts = f" ({counted(self.accounts, 'account')})" if self.accounts > 1 else ""
        return f"from {self.start_from:%Y-%m-%d}, {lasted}{accounts}"


@dataclass(frozen=True, repr=False)
class Pauses:
    """Documented pauses that one kind of cause is stated for; read them with ``Pauses.load`` or ``from_table``.

    Attributes
    ----------
    items : tuple of Pause
        By their start.
    as_of : pandas.Timestamp or None
        Nothing from this day on is known.
    notes : tuple of str
        What was left out, and what is doubtful.

    Examples
    --------
    >>> pauses = Pauses.load("iraq-coalition", cause="rocket attacks", scope="operations", before="2020-03-12")
    >>> print(pauses)
    1 pause as of 2020-03-12: from 2020-01-05, 10 to 25 days (2 accounts)
    """

    items: tuple[Pause, ...]
    as_of: pd.Timestamp | None
    notes: tuple[str, ...]

    @classmethod
    def load(
        cls, name: str, *, cause: str, scope: str = "", before: DateLike | None = None
    ) -> Pauses:
        """Give the pauses of a shipped data set.

        Parameters
        ----------
        name : str
            Data set: ``"iraq-coalition"``.
        cause, scope, before
            As in ``from_table``.

        Returns
        -------
        Pauses
            Accounts of one pause joined.

        Raises
        ------
        DatasetError
            If there is no such data set.
        """
        return cls.from_table(
            load_table(name, "stand-downs"), cause=cause, scope=scope, before=before
        )

    @classmethod
    def from_table(
        cls, table: pd.DataFrame, *, cause: str, scope: str = "", before: DateLike | None = None
    ) -> Pauses:
        """Give the pauses of a table, one row for each account.

        Accounts of the same cause and scope that may have begun on the same day are accounts of one pause. Where their
        ends differ, it lasted from the shortest to the longest; where an account has no end, its end is open.

        Parameters
        ----------
        table : pandas.DataFrame
            Columns ``start_from``, ``start_to`` (or ``start``), ``end`` (blank: not known), ``cause`` and ``scope``.
            A cause that begins with "same" is that of the row above.
        cause : str
            Words that the stated cause must hold, in any case. Pauses with other causes say nothing about attacks.
        scope : str, optional
            Words that the scope must hold: pauses of training are not pauses of operations.
        before : date-like, optional
            What was known on this date: later pauses are dropped, ends from this day on are open.

        Returns
        -------
        Pauses
            Ends are as the accounts stated them later; an open one is open because it lies beyond ``before``, or was
            never stated.

        Raises
        ------
        DataError
            If a column is missing, or a pause ends before it begins.

        Examples
        --------
        >>> table = pd.DataFrame({"start": ["2020-01-05"], "end": ["2020-01-15"], "cause": ["attack"], "scope": [""]})
        >>> Pauses.from_table(table, cause="attack").items[0].longest_days
        10.0
        """
        rows = _read(table)
        as_of = None if before is None else as_date(before, "before")
        if as_of is not None:
            rows = rows[rows["start_from"] < as_of].copy()
            rows.loc[rows["end"] >= as_of, "end"] = pd.NaT
        fits = _holds(rows["cause"], cause) & _holds(rows["scope"], scope)
        notes = []
        if not fits.all():
            notes.append(
                f"{counted(int((~fits).sum()), 'account')} of pauses with other causes or of another scope were left "
                "out."
            )
        if not fits.any() and len(rows):
            known = "; ".join(dict.fromkeys(str(said) for said in rows["cause"]))
            notes.append(
                f"No cause holds the words {cause!r} with that scope; those stated are: {known}."
            )
        kept = rows[fits].sort_values("start_from", kind="stable")
        items = tuple(_joined(group, as_of) for group in _groups(kept))
        if as_of is None and any(math.isinf(pause.longest_days) for pause in items):
            notes.append(
                "Some pauses have no known end, and no date says how long they had lasted: pass before=."
            )
        if any(pause.accounts > 1 for pause in items):
            notes.append("Where accounts of a pause differ, it lasted anything between them.")
        return cls(items, as_of, tuple(notes))

    @property
    def shortest_days(self) -> NDArray[np.float64]:
        """Least duration of each pause."""
        return np.array([pause.shortest_days for pause in self.items], dtype=float)

    @property
    def longest_days(self) -> NDArray[np.float64]:
        """Greatest duration of each pause, ``inf`` where it is open."""
        return np.array([pause.longest_days for pause in self.items], dtype=float)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Pause]:
        return iter(self.items)

    def __repr__(self) -> str:
        when = "" if self.as_of is None else f" as of {self.as_of:%Y-%m-%d}"
        listed = "; ".join(str(pause) for pause in self.items[:5])
        more = "; …" if len(self.items) > 5 else ""
        return f"{counted(len(self.items), 'pause')}{when}{': ' if listed else ''}{listed}{more}"


def _read(table: pd.DataFrame) -> pd.DataFrame:
    if not isinstance(table, pd.DataFrame):
        raise DataError(
            f"the pauses are a {type(table).__name__}; expected a DataFrame, one row for each account of a pause."
        )
    found = table.copy()
    if "start_from" not in found and "start" in found:
        found["start_from"] = found["start_to"] = found["start"]
    wanted = ["start_from", "start_to", "end", "cause", "scope"]
    missing = [column for column in wanted if column not in found]
    if missing:
        raise DataError(
            f"the table of pauses lacks {', '.join(missing)}; it has {', '.join(map(str, table.columns))}. Give one "
            "row for each account of a pause."
        )
    found = found[wanted].reset_index(drop=True)
    for column in ("start_from", "start_to", "end"):
        found[column] = pd.to_datetime(found[column]).astype("datetime64[us]")
    found["scope"] = found["scope"].astype("str").fillna("")
    causes: list[str] = []
    for said in found["cause"].astype("str").fillna(""):
        same = re.match(r"same\b", said, re.IGNORECASE)
        # "same, then COVID-19" is the cause of the first row of the chain, and something after it
        first = re.split(r", then ", causes[-1])[0] if same and causes else ""
        causes.append(first + said[4:] if same and causes else said)
    found["cause"] = pd.Series(causes, index=found.index, dtype="str")
    wrong = (found["end"] < found["start_from"]) | (found["start_to"] < found["start_from"])
    unknown = found["start_from"].isna() | found["start_to"].isna()
    if (wrong | unknown).any():
        first_bad = int(np.flatnonzero((wrong | unknown).to_numpy())[0])
        raise DataError(
            f"{int((wrong | unknown).sum())} pauses have no start, or end before they begin; the first is row "
            f"{first_bad} of the table: {found.loc[first_bad, wanted[:3]].to_dict()}. Correct the dates."
        )
    return found


def _holds(column: pd.Series, words: str) -> pd.Series:
    return column.str.contains(re.escape(words), case=False, regex=True)


def _groups(rows: pd.DataFrame) -> list[pd.DataFrame]:
    groups: list[list[int]] = []
    latest = pd.Timestamp.min
    for index, row in rows.iterrows():
        if groups and row["start_from"] <= latest:
            groups[-1].append(int(str(index)))
        else:
            groups.append([int(str(index))])
            latest = row["start_to"]
        latest = max(latest, row["start_to"])
    return [rows.loc[group] for group in groups]


def _joined(rows: pd.DataFrame, as_of: pd.Timestamp | None) -> Pause:
    first, last = rows["start_from"].min(), rows["start_to"].max()
    ended = rows[rows["end"].notna()]
    so_far = 0.0 if as_of is None else float((as_of - last) / DAY)
    is_open = len(ended) == 0
    shortest = so_far if is_open else float((ended["end"] - ended["start_to"]).min() / DAY)
    longest = float((ended["end"] - ended["start_from"]).max() / DAY) if len(ended) else math.inf
    if len(ended) < len(rows):
        longest = math.inf
    return Pause(
        start_from=first,
        start_to=last,
        shortest_days=max(shortest, 0.0),
        longest_days=longest,
        accounts=len(rows),
        cause=str(rows["cause"].iloc[0]),
        scope=str(rows["scope"].iloc[0]),
        open=is_open,
    )
