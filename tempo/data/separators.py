"""Dots inside counts: thousands as much of the world writes them (1.000), or decimals (1.000 for one)."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["dotted", "reading_of_dots", "writes_comma_decimals"]

type Reading = Literal["", "thousands", "decimals", "unclear", "both"]

_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+(?:,\d+)?", re.ASCII)
_SEVERAL = re.compile(r"[+-]?[1-9]\d{0,2}(?:(?:\.\d{3}){2,}(?:,\d+)?|(?:\.\d{3})+,\d+)", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:\d+\.(?:\d{1,2}|\d{4,})|0+\.\d+|\d{4,}\.\d+|\.\d+)", re.ASCII)
_WHOLE = re.compile(r"\d+", re.ASCII)
_CONTINENTAL_DATE = r"\d{1,2}\.\d{1,2}\.\d{4}(?:\D.*)?"
_COMMA_DECIMAL = r"[+-]?\d+,(?:\d{1,2}|\d{4,})|[+-]?0,\d+"


def dotted(texts: pd.Series) -> NDArray[np.bool_]:
    """Find the cells in which a dot may part thousands."""
    return texts.str.fullmatch(_GROUPED.pattern).to_numpy(dtype=bool)


def writes_comma_decimals(columns: pd.DataFrame) -> bool:
    """Tell whether a table is written with dots in its dates or commas in its decimals, as continental exports are."""
    for name in columns.columns:
        head = columns[name][columns[name] != ""].head(50)
        if len(head) and bool(
            head.str.fullmatch(_CONTINENTAL_DATE).all() or head.str.fullmatch(_COMMA_DECIMAL).any()
        ):
            return True
    return False


def reading_of_dots(texts: pd.Series, *, continental: bool) -> Reading:
    """Decide from a whole column of counts what its dots are.

    Parameters
    ----------
    texts : pandas.Series of str
        The cells.
    continental : bool
        Whether the rest of the file is written that way (`writes_comma_decimals`).

    Returns
    -------
    {"", "thousands", "decimals", "unclear", "both"}
        "" where no cell could have thousands; "both" where cells contradict each other.

    Examples
    --------
    >>> reading_of_dots(pd.Series(["3", "1.000"], dtype="str"), continental=False)
    'thousands'
    >>> reading_of_dots(pd.Series(["3.000", "0.000"], dtype="str"), continental=True)
    'decimals'
    """
    distinct = [str(text) for text in texts.unique() if text]
    grouped = [text for text in distinct if _GROUPED.fullmatch(text)]
    if not grouped:
        return ""
    certain = any(_SEVERAL.fullmatch(text) for text in grouped)
    decimal = any(_DECIMAL.fullmatch(text) for text in distinct)
    if certain or decimal:
        return "both" if certain and decimal else "thousands" if certain else "decimals"
    # A program that writes numbers of 64 bits never leaves a nought at the end: 2.375 may be one, 1.000 is typed text.
    if not any(text.endswith("0") for text in grouped):
        return "thousands" if continental else "decimals"
    # Where others are written without decimals, one cell is not written with three of them.
    if continental or any(_WHOLE.fullmatch(text) for text in distinct):
        return "thousands"
    return "unclear"
