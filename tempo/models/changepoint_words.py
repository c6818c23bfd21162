"""Changes in words: which of them to tell, in order of date, and how sure each is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from tempo.data.rounding import counted, percent

__all__ = ["told"]

_TOLD = 5  # changes that a reader can take in
_SURE = 0.8  # probability below which it is said


def told(table: pd.DataFrame, rate: str, pace: Callable[[int], str]) -> list[str]:
    """Tell the changes of a table of segments: the largest ones where there are many.

    Parameters
    ----------
    table : pandas.DataFrame
        Segments, two at least.
    rate : str
        Column that holds the rate.
    pace : callable
        Words for the rate of a row.

    Returns
    -------
    list of str
        Parts of one sentence, the last with its full stop.
    """
    logs = np.log(np.maximum(table[rate].to_numpy(dtype=float), 1e-12))
    size = np.abs(np.diff(logs)) * table["probability"].to_numpy(dtype=float)[1:]
    many = len(size) > _TOLD
    rows: list[int] = sorted(np.argsort(-size)[: _TOLD if many else None].tolist())
    parts = []
    for row in (i + 1 for i in rows):
        start, low, high, chance = (
            table[name].iloc[row] for name in ("start", "start_low", "start_high", "probability")
        )
        when = f"{start:%Y-%m-%d} ({low:%Y-%m-%d} to {high:%Y-%m-%d})"
        doubt = f", {percent(float(chance))} that it changed then" if chance < _SURE else ""
        if many:
            word = "rose" if logs[row] > logs[row - 1] else "fell"
            parts.append(f"on {when} it {word} to {pace(row)}{doubt}")
        else:
            parts.append(f"from {when} it was {pace(row)}{doubt}")
    if not many:
        return [*(f"{part};" for part in parts[:-1]), f"{parts[-1]}."]
    rest = counted(len(size) - _TOLD, "smaller one")
    return [
        "the largest changes were these:",
        *(f"{part};" for part in parts),
        f"and {rest}. At the end it was {pace(len(table) - 1)}.",
    ]
