"""What one cell of a file says: numbers and missing values, read strictly.

Every source is turned into text first, so that a number means the same in a CSV, an Excel sheet or a data frame.
Each distinct text is then looked at once, which keeps long files quick.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["BLANK", "UNKNOWN_WORDS", "Numbers", "as_text", "parse_numbers", "parse_text", "typed"]

BLANK = frozenset({"", "na", "n/a", "#n/a", "nan", "<na>", "nat", "null", "none"})
UNKNOWN_WORDS = frozenset(
    {
        "unknown",
        "unk",
        "unk.",
        "unclear",
        "not known",
        "not stated",
        "not available",
        "n.a.",
        "?",
        "-",
        "--",
        "–",
        "—",
    }
)

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_MARKS = ",' \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{RIGHT SINGLE QUOTATION MARK}"
_THOUSANDS = re.compile(
    f"[+-]?\\d{{1,3}}(?:[{_MARKS}]\\d{{3}})+(?:\\.\\d+)?",
    re.ASCII,
)
_SEPARATORS = str.maketrans("", "", _MARKS)
_LEADING_ZERO = re.compile(r"[+-]?0\d", re.ASCII)
_EXACT_FLOAT = 2**53


def as_text(column: pd.Series) -> pd.Series:
    """Write each cell of a column as text, with ``""`` where there is nothing.

    Parameters
    ----------
    column : pandas.Series of any type
        Cells as the file reader gave them.

    Returns
    -------
    pandas.Series of str
        Stripped of blanks at both ends; whole numbers without decimals, dates in ISO form.

    Examples
    --------
    >>> as_text(pd.Series([3.0, None, 2.5])).tolist()
    ['3', '', '2.5']
    """
    if isinstance(column.dtype, pd.StringDtype):
        return column.fillna("").str.strip().astype("str")
    # Distinct cells first: a column of codes or dates has few of them.
    codes, distinct = pd.factorize(column.astype(object), use_na_sentinel=True)
    written = np.array([*(_cell_text(value) for value in distinct), ""], dtype=object)
    if column.dtype == object and any(value in (0, 1) for value in distinct if np.isscalar(value)):
        # factorize holds True and 1 to be the same cell, but they are not.
        texts = [_cell_text(value) for value in column.astype(object)]
        return pd.Series(texts, index=column.index, dtype="str")
    return pd.Series(written[codes], index=column.index, dtype="str")


def _cell_text(value: object) -> str:
    if value is None or value is pd.NaT or value is pd.NA:
        return ""
    if isinstance(value, float | np.floating):
        number = float(value)
        if math.isnan(number):
            return ""
        return (
            str(int(number)) if number.is_integer() and abs(number) < _EXACT_FLOAT else repr(number)
        )
    if isinstance(value, dt.datetime | np.datetime64):
        stamp = pd.Timestamp(value)
        return stamp.isoformat(sep=" ")  # with its offset, where it has one
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return str(value).strip()


@dataclass(frozen=True)
class Numbers:
    """Numbers read from a column.

    Parameters
    ----------
    values : ndarray of float
        NaN where there is none.
    bad : ndarray of bool
        Where the cell holds something that is no number.
    words : ndarray of bool
        Where the cell says in words or by code that the number is not known.
    """

    values: NDArray[np.float64]
    bad: NDArray[np.bool_]
    words: NDArray[np.bool_]


def parse_numbers(texts: pd.Series, unknown: frozenset[str] = frozenset()) -> Numbers:
    """Read numbers from text: thousands separators are understood, blanks and words such as "unknown" are missing.

    Parameters
    ----------
    texts : pandas.Series of str
        As `as_text` gives them.
    unknown : frozenset of str
        More texts that mean unknown, in lower case, such as ``"-99"``.

    Returns
    -------
    Numbers
        Values, and where they could not be read.

    Examples
    --------
    >>> numbers = parse_numbers(pd.Series(["1,234", "", "unknown", "about 5"], dtype="str"))
    >>> numbers.values.tolist(), numbers.bad.tolist()
    ([1234.0, nan, nan, nan], [False, False, False, True])
    """

    def read(text: str) -> tuple[float, bool, bool]:
        lowered = text.lower()
        if lowered in unknown or lowered in UNKNOWN_WORDS:
            return math.nan, False, True
        if lowered in BLANK:
            return math.nan, False, False
        plain = text.translate(_SEPARATORS) if _THOUSANDS.fullmatch(text) else text
        if not _NUMBER.fullmatch(plain):
            return math.nan, True, False
        value = float(plain)
        return (value, False, False) if math.isfinite(value) else (math.nan, True, False)

    values, bad, words = _by_distinct(texts, read)
    return Numbers(values.astype(float), bad.astype(bool), words.astype(bool))


def parse_text(texts: pd.Series) -> pd.Series:
    """Give text cells with the blank ones missing; words such as "unknown" stay, for they are an answer.

    Parameters
    ----------
    texts : pandas.Series of str
        As `as_text` gives them.

    Returns
    -------
    pandas.Series of str
        Missing where the cell was blank, ``NA``, ``null`` or the like.

    Examples
    --------
    >>> parse_text(pd.Series(["Taji", "NA"], dtype="str")).isna().tolist()
    [False, True]
    """
    codes, distinct = pd.factorize(texts)
    blank = np.array([text.lower() in BLANK for text in distinct], dtype=bool)
    return texts.mask(blank[codes]) if len(distinct) else texts


def typed(texts: pd.Series) -> pd.Series:
    """Give a column that tempo does not interpret: numbers where every cell is one, otherwise text.

    Text such as ``007`` stays text, because it is a code.

    Parameters
    ----------
    texts : pandas.Series of str
        As `as_text` gives them.

    Returns
    -------
    pandas.Series
        float64 with NaN for blanks (int64 where there are none), or str.

    Examples
    --------
    >>> typed(pd.Series(["1", "2"], dtype="str")).dtype, typed(pd.Series(["007"], dtype="str")).tolist()
    (dtype('int64'), ['007'])
    """
    cleaned = parse_text(texts)
    present = cleaned.dropna()
    if present.empty or not _NUMBER.fullmatch(present.iloc[0]):
        return cleaned
    distinct = present.unique()
    if not all(_NUMBER.fullmatch(text) and not _LEADING_ZERO.match(text) for text in distinct):
        return cleaned
    numbers = pd.to_numeric(cleaned, errors="coerce")
    values = numbers.astype("float64")
    whole = np.isfinite(values) & (values == np.floor(values)) & (values.abs() < _EXACT_FLOAT)
    if not np.isfinite(values.dropna()).all() or (values.dropna().abs() >= _EXACT_FLOAT).any():
        return cleaned  # long numbers are identifiers, and would lose their last digits
    return values.astype("int64") if bool(whole.all()) else values


def _by_distinct(
    texts: pd.Series, read: Callable[[str], tuple[object, ...]]
) -> tuple[NDArray[np.object_], ...]:
    """Apply a reading to each distinct text and spread the answers over the rows."""
    codes, distinct = pd.factorize(texts)
    answers = [read(str(text)) for text in distinct] or [read("")]
    columns = zip(*answers, strict=True)
    return tuple(np.array(column, dtype=object)[codes] for column in columns)
