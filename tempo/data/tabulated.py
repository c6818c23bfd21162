"""Tables of counts, one row for each period: how they are told from lists of attacks."""

from __future__ import annotations

import math
import re
import unicodedata

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.cells import parse_numbers
from tempo.data.conversion import normal_name
from tempo.data.rounding import counted

__all__ = ["count_columns", "group_columns", "looks_tabulated", "step_of"]

#: Plurals of what is counted, in the languages of common exports, without accents.
_THINGS = frozenset(
    {
        "events", "incidents", "attacks", "strikes", "assaults", "bombings", "explosions", "battles", "protests",
        "riots", "ereignisse", "vorfalle", "vorfaelle", "angriffe", "anschlage", "anschlaege", "evenements", "attaques",
        "attentats", "eventos", "incidentes", "ataques", "atentados", "eventi", "incidenti", "attacchi", "attentati",
        "события", "инциденты", "атаки", "нападения", "الهجمات", "الاحداث", "الحوادث",
    }
)  # fmt: skip
#: One of them, which means a count only beside a word that says so.
_THING = frozenset(
    {
        "event", "incident", "attack", "strike", "ereignis", "vorfall", "angriff", "anschlag", "evenement", "attaque",
        "attentat", "evento", "incidente", "ataque", "attacco",
    }
)  # fmt: skip
_COUNTING = frozenset(
    {
        "n", "num", "nb", "nr", "no", "number", "count", "counts", "cnt", "total", "totals", "sum", "freq", "frequency",
        "anzahl", "zahl", "nombre", "numero", "numeros", "conteo", "cantidad", "conteggio", "cases", "число",
        "количество", "عدد",
    }
)  # fmt: skip
_FILLING = frozenset(
    {
        "of", "the", "de", "d", "des", "der", "dei", "di", "monthly", "weekly", "daily", "yearly", "annual", "reported",
        "recorded", "all", "political", "violence", "violent", "targeting", "civilian", "civilians", "demonstration",
    }
)  # fmt: skip


def _words(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", normal_name(name))
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return [word for word in re.split(r"[^\w]+|_", plain) if word]


def _strength(name: str) -> int:
    """Give 2 for a name that says a number of attacks, 1 for one that says a number, 0 for any other."""
    words = [word for word in _words(name) if word not in _FILLING]
    things = [word for word in words if word in _THINGS]
    single = [word for word in words if word in _THING]
    counting = [word for word in words if word in _COUNTING]
    if len(things) + len(single) + len(counting) != len(words) or not words:
        return 0
    if things:
        return 2
    if single:
        return 1 if counting else 0
    return 1 if counting else 0


def count_columns(text: pd.DataFrame) -> dict[str, int]:
    """Find columns that hold numbers of attacks: a telling name, and whole numbers that are not all one.

    Parameters
    ----------
    text : pandas.DataFrame of str
        Cells of a file.

    Returns
    -------
    dict of str to int
        2 where the name says that attacks are counted, 1 where it says only that something is.

    Examples
    --------
    >>> count_columns(pd.DataFrame({"Num_Events": ["3", "0"], "n": ["1", "1"], "event_type": ["a", "b"]}))
    {'Num_Events': 2}
    """
    found = {}
    for name in text.columns:
        strength = _strength(str(name))
        if not strength:
            continue
        read = parse_numbers(text[name])
        known = read.values[~np.isnan(read.values)]
        if (
            read.bad.any()
            or not len(known)
            or (known < 0).any()
            or (known != np.floor(known)).any()
        ):
            continue
        in_order = len(known) > 1 and bool((np.diff(known) == 1).all())
        running = in_order or len(set(known)) == len(known) > 20
        if (known == 1).all() or (strength == 1 and running):
            continue
        found[str(name)] = strength
    return found


def group_columns(text: pd.DataFrame, without: set[str]) -> list[str]:
    """Find columns of names that repeat, by which rows of one period may be told apart."""
    groups = []
    for name in text.columns:
        cells = text[name]
        if name in without or not (cells != "").any():
            continue
        if parse_numbers(cells[cells != ""]).bad.all() and cells.nunique() < max(2, len(cells)):
            groups.append(str(name))
    return groups


def step_of(days: pd.DatetimeIndex) -> str | None:
    """Give the frequency of which all days are period starts, or None if they follow none.

    Parameters
    ----------
    days : pandas.DatetimeIndex
        Distinct days in order; periods may be missing between them.

    Returns
    -------
    str or None
        ``"1D"``, ``"7D"``, another number of days, ``"MS"``, ``"3MS"``, ``"YS-JAN"`` and the like.

    Examples
    --------
    >>> step_of(pd.DatetimeIndex(["2020-01-01", "2020-02-01", "2020-04-01"]))
    'MS'
    >>> step_of(pd.DatetimeIndex(["2020-01-06", "2020-01-13", "2020-01-27"]))
    '7D'
    """
    if len(days) < 2:
        return None
    gaps = np.diff(days.to_numpy().astype("datetime64[D]").astype(np.int64))
    if (days.day == 1).all() and (gaps >= 28).all():
        months = np.diff(12 * days.year.to_numpy() + days.month.to_numpy())
        step = math.gcd(*(int(gap) for gap in months))
        if not np.isin(months, step).any():
            return None
        if step % 12 == 0:
            return f"{step // 12 if step > 12 else ''}YS-{days[0]:%b}".upper()
        return "MS" if step == 1 else f"{step}MS"
    step = math.gcd(*(int(gap) for gap in gaps))
    if (gaps == step).mean() < 0.5:
        return None
    return f"{step}D"


def looks_tabulated(
    text: pd.DataFrame,
    days: NDArray[np.datetime64],
    whole_period: NDArray[np.bool_],
    taken: set[str],
) -> tuple[str, str] | None:
    """Tell whether rows are periods with a count, and not attacks.

    Parameters
    ----------
    text : pandas.DataFrame of str
        Cells of the file.
    days : ndarray of datetime64
        Date of each row; NaT where it has none.
    whole_period : ndarray of bool
        Where the date is a month or a year.
    taken : set of str
        Columns that hold the date, or that the user has said are something else.

    Returns
    -------
    tuple of str or None
        The column of counts and why; None for a list of attacks.
    """
    columns = {name: s for name, s in count_columns(text).items() if name not in taken}
    if not columns:
        return None
    stamps = pd.Series(pd.to_datetime(days)).dt.normalize()
    if stamps.isna().all():
        return None
    groups = group_columns(text, taken | set(columns))
    key = pd.concat([stamps.rename("_day"), text[groups].reset_index(drop=True)], axis=1)
    unique = not key.duplicated().any()
    distinct = pd.DatetimeIndex(stamps.dropna().drop_duplicates().sort_values())
    step = step_of(distinct)
    regular = unique and (bool(whole_period.all()) or (step is not None and len(distinct) >= 3))
    for name, strength in sorted(columns.items(), key=lambda item: -item[1]):
        known = parse_numbers(text[name]).values
        zeros = int((known == 0).sum())
        if strength == 2 and zeros:
            return name, f"it is 0 in {counted(zeros, 'rows')}"
        if regular:
            each = "" if step is None else f", a step of {step}"
            return name, f"each date stands once{' in each group' if groups else ''}{each}"
        if strength == 2 and np.nanmax(known) > 1:
            return name, f"a row stands for up to {np.nanmax(known):,.0f}"
    return None
