"""Documented pauses of operations: several accounts of one pause, open ends, and causes that do not count."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.doors import read_bytes, shown
from tempo.data.library import load_table
from tempo.data.rounding import counted, number
from tempo.data.window import DAY, DateLike, as_date
from tempo.errors import DataError, OptionError, ReadError

__all__ = ["Pause", "Pauses"]

_EVER = pd.Timestamp("2262-01-01")  # the end of what has none


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
    blind : tuple of (start, end)
        Half-open spans in which a stand-down after an attack would not have shown, because something else stopped
        operations: attacks in them are counted neither as having led to one nor as not having.

    Examples
    --------
    >>> pauses = Pauses.load("iraq-coalition", cause="rocket attacks", scope="operations", before="2020-03-12")
    >>> print(pauses)
    1 pause as of 2020-03-12: from 2020-01-05, 10 to 25 days (2 accounts)
    """

    items: tuple[Pause, ...]
    as_of: pd.Timestamp | None
    notes: tuple[str, ...]
    blind: tuple[tuple[pd.Timestamp, pd.Timestamp], ...] = ()

    @classmethod
    def load(
        cls,
        name: str,
        *,
        cause: str,
        scope: str = "",
        before: DateLike | None = None,
        blind: Iterable[Sequence[DateLike]] = (),
        other_causes: Literal["blind", "ignored"] = "blind",
    ) -> Pauses:
        """Give the pauses of a shipped data set.

        Parameters
        ----------
        name : str
            Data set: ``"iraq-coalition"``.
        cause, scope, before, blind, other_causes
            As in ``from_table``.

        Returns
        -------
        Pauses
            Accounts of one pause joined.

        Raises
        ------
        DatasetError
            If there is no such data set.
        OptionError
            If no pause has such a cause or scope.

        Examples
        --------
        >>> known = Pauses.load("iraq-coalition", cause="rocket attacks", scope="operations", before="2020-05-01")
        >>> [f"{start:%Y-%m-%d} to {end:%Y-%m-%d}" for start, end in known.blind]
        ['2020-03-01 to 2020-05-01']
        """
        return cls.from_table(
            load_table(name, "stand-downs"), cause=cause, scope=scope, before=before, blind=blind,
            other_causes=other_causes,
        )  # fmt: skip

    @classmethod
    def read(
        cls,
        path: str | Path,
        *,
        cause: str = "",
        scope: str = "",
        before: DateLike | None = None,
        blind: Iterable[Sequence[DateLike]] = (),
        other_causes: Literal["blind", "ignored"] = "blind",
    ) -> Pauses:
        """Give the pauses of a CSV file in UTF-8.

        Parameters
        ----------
        path : str or Path
            The file, with the columns of ``from_table``; ``cause`` and ``scope`` may be left out.
        cause, scope, before, blind, other_causes
            As in ``from_table``; every row counts where no cause is given.

        Returns
        -------
        Pauses
            Accounts of one pause joined.

        Raises
        ------
        ReadError
            If the file cannot be read as a table.
        DataError
            If a column is missing, or a date is none.
        OptionError
            If no pause has such a cause or scope.
        """
        try:
            content = read_bytes(Path(path), ReadError)
            table = pd.read_csv(
                io.BytesIO(content), dtype=str, encoding="utf-8-sig", skipinitialspace=True
            )
            first = content.decode("utf-8-sig").splitlines()[0]
        except ReadError:
            raise
        except (
            OSError,
            ValueError,
            MemoryError,
        ) as error:  # parser and encoding errors are ValueErrors
            raise ReadError(
                f"the pauses cannot be read from {shown(path)}: {error}. Give a CSV file in UTF-8 with one "
                "row for each "
                "account of a pause, and columns start, end, cause and scope."
            ) from error
        names = [name.strip().strip('"') for name in first.split(",")]
        twice = sorted({name for name in names if name and names.count(name) > 1})
        if twice:
            raise ReadError(
                f"{shown(path)} has several columns named {twice[0]!r}. Rename all but one."
            )
        for column in ("cause", "scope"):
            if column not in table:
                table[column] = ""
        return cls.from_table(
            table, cause=cause, scope=scope, before=before, blind=blind, other_causes=other_causes
        )

    @classmethod
    def from_table(
        cls,
        table: pd.DataFrame,
        *,
        cause: str,
        scope: str = "",
        before: DateLike | None = None,
        blind: Iterable[Sequence[DateLike]] = (),
        other_causes: Literal["blind", "ignored"] = "blind",
    ) -> Pauses:
        """Give the pauses of a table, one row for each account.

        Accounts of the same cause and scope that may have begun on the same day are accounts of one pause. Where their
        ends differ, it lasted from the shortest to the longest; where an account has no end, its end is open.

        Parameters
        ----------
        table : pandas.DataFrame
            Columns ``start_from``, ``start_to`` (or ``start``), ``end`` (blank: not known), ``cause`` and ``scope``.
            A cause that begins with "same" is that of the row above. A start such as ``2020-03`` is some day of that
            month.
        cause : str
            Words that the stated cause must hold, in any case; ``""`` takes every row.
        scope : str, optional
            Words that the scope must hold: pauses of training are not pauses of operations.
        before : date-like, optional
            What was known on this date: later pauses are dropped, ends from this day on are open.
        blind : sequence of (start, end), optional
            Half-open spans in which a stand-down after an attack would not have shown.
        other_causes : {"blind", "ignored"}
            What pauses with other causes but of that scope are: spans in which nobody could see whether attacks
            stopped operations, or nothing.

        Returns
        -------
        Pauses
            Ends are as the accounts stated them later; an open one is open because it lies beyond ``before``, or was
            never stated.

        Raises
        ------
        DataError
            If a column is missing, a date is none, or a pause ends before it begins.
        OptionError
            If no row of the table has such a cause or scope, at any time.

        Examples
        --------
        >>> table = pd.DataFrame({"start": ["2020-01-05"], "end": ["2020-01-15"], "cause": ["attack"], "scope": [""]})
        >>> Pauses.from_table(table, cause="attack").items[0].longest_days
        10.0
        """
        if other_causes not in {"blind", "ignored"}:
            raise OptionError(f"other_causes is {other_causes!r}; expected 'blind' or 'ignored'.")
        as_of = None if before is None else as_date(before, "before")
        spans = _stated_spans(blind)
        rows = _read(table)
        _require_known(rows, cause, scope)
        if as_of is not None:
            rows = rows[rows["start_from"] < as_of].copy()
            rows.loc[rows["end"] >= as_of, "end"] = pd.NaT
        of_scope = _holds(rows["scope"], scope)
        fits = _holds(rows["cause"], cause) & of_scope
        notes = []
        if not fits.all():
            notes.append(
                f"{counted(int((~fits).sum()), 'account')} of pauses with other causes or of another scope were left "
                "out."
            )
        kept = rows[fits].sort_values("start_from", kind="stable")
        items = tuple(_joined(group, as_of) for group in _groups(kept))
        others = rows[of_scope & ~fits]
        if as_of is not None:
            others = others[others["start_to"] < as_of]  # not before it is sure to have begun
        if other_causes == "blind" and len(others):
            found = _merged([*zip(others["start_from"], others["end"].fillna(_EVER), strict=True)])
            why = "; ".join(dict.fromkeys(str(said) for said in others["cause"]))
            notes.append(
                _blind_note(_cut(found, as_of), f"Other causes ({why}) stopped or cut operations")
            )
            spans = [*spans, *found]
        elif spans:
            notes.append(
                _blind_note(
                    _cut(_merged(spans), as_of), "Whether attacks stopped operations is not known"
                )
            )
        if as_of is None and any(math.isinf(pause.longest_days) for pause in items):
            notes.append(
                "Some pauses have no known end, and no date says how long they had lasted: pass before=."
            )
        if any(pause.accounts > 1 for pause in items):
            notes.append("Where accounts of a pause differ, it lasted anything between them.")
        return cls(items, as_of, tuple(note for note in notes if note), _cut(_merged(spans), as_of))

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
            f"pauses is a {type(table).__name__}; expected a DataFrame, one row for each account of a pause."
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
        found[column] = _dates(found[column], column)
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


def _dates(column: pd.Series, name: str) -> pd.Series:
    """Read dates; a month is its first day, or its last where the latest start is meant, and no end."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "M":
        return column.astype("datetime64[us]")
    said = column.where(column.notna(), "").astype("str").str.strip()
    month = said.str.fullmatch(r"\d{4}-\d{2}")
    shaped = said.str.match(r"\d{4}-\d{2}(-\d{2})?([T ]00:00(:00(\.0+)?)?)?$")
    read = pd.to_datetime(said.where(shaped), format="ISO8601", errors="coerce")
    wrong = (said != "") & (read.isna() | (month & (name == "end")))
    if wrong.any():
        first = int(np.flatnonzero(wrong.to_numpy())[0])
        raise DataError(
            f"{counted(int(wrong.sum()), 'cell')} of {name} in the table of pauses hold no calendar date; the first is "
            f"{said[first]!r} in row {first}. Write 2020-01-05 (a start may be a month, 2020-01), and leave an unknown "
            "end blank."
        )
    if name == "start_to":
        read = read.where(~month, read + pd.offsets.MonthEnd(0))
    return read.astype("datetime64[us]")


def _require_known(rows: pd.DataFrame, cause: str, scope: str) -> None:
    """Refuse words that no row holds at any time: they are mistyped, and no evidence that nothing stopped."""
    for name, words in (("cause", cause), ("scope", scope)):
        if not isinstance(words, str):
            raise OptionError(
                f"{name} is {words!r}; expected words that the stated {name} must hold, such as 'rocket attacks'."
            )
    kept = rows
    for name, words in (("cause", cause), ("scope", scope)):
        fits = _holds(kept[name], words)
        if len(kept) and not fits.any():
            where = f" with the cause {cause!r}" if name == "scope" and cause else ""
            known = "; ".join(dict.fromkeys(repr(said) for said in kept[name]))
            raise OptionError(
                f"no pause{where} has a {name} that holds the words {words!r}; stated are: {known}. Give words of one "
                f"of these, or {name}='' for all."
            )
        kept = kept[fits]


def _stated_spans(
    blind: Iterable[Sequence[DateLike]],
) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    spans = []
    for span in [blind] if isinstance(blind, str) else blind:
        try:
            start, end = span
        except (TypeError, ValueError):
            start = end = None
        if isinstance(span, str) or start is None or end is None:
            raise OptionError(
                f"a blind span is {span!r}; expected its first day and the first day after it, such as "
                "('2020-03-01', '2020-06-01')."
            )
        first, last = as_date(start, "start of a blind span"), as_date(end, "end of a blind span")
        if not first < last:
            raise OptionError(
                f"the blind span from {first:%Y-%m-%d} ends on {last:%Y-%m-%d}; give the earlier day first."
            )
        spans.append((first, last))
    return spans


def _merged(
    spans: Iterable[tuple[pd.Timestamp, pd.Timestamp]],
) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    merged: list[tuple[pd.Timestamp, pd.Timestamp]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _cut(
    spans: Iterable[tuple[pd.Timestamp, pd.Timestamp]], as_of: pd.Timestamp | None
) -> tuple[tuple[pd.Timestamp, pd.Timestamp], ...]:
    last = _EVER if as_of is None else as_of
    return tuple((start, min(end, last)) for start, end in spans if start < min(end, last))


def _blind_note(spans: Iterable[tuple[pd.Timestamp, pd.Timestamp]], why: str) -> str:
    said = " and ".join(
        f"from {start:%Y-%m-%d} on"
        if end == _EVER
        else f"from {start:%Y-%m-%d} to {end - DAY:%Y-%m-%d}"
        for start, end in spans
    )
    if not said:
        return ""
    return (
        f"{why} {said}: attacks then count neither as having led to a stand-down nor as not having."
    )


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
