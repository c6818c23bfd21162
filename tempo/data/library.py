"""Data sets that come with tempo, as incidents on the window in which they are complete."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import pandas as pd

from tempo.data.incidents import Incidents
from tempo.data.shipped import (
    Coverage,
    Dataset,
    copy_dataset,
    dataset_info,
    list_datasets,
    load_table,
    near,
    span,
)
from tempo.data.window import DateLike, Window
from tempo.errors import OptionError, ReadWarning, WindowError

__all__ = [
    "Coverage",
    "Dataset",
    "copy_dataset",
    "dataset_info",
    "list_datasets",
    "load_dataset",
    "load_table",
]


def load_dataset(
    name: str,
    *,
    window: Window | Sequence[DateLike] | None = None,
    kind: str = "weapon",
    include_denied: bool = False,
    allow_incomplete: bool = False,
) -> Incidents:
    """Give the incidents of a shipped data set, on the window in which it is complete.

    Parameters
    ----------
    name : str
        Data set: ``"iraq-coalition"``. ``list_datasets()`` lists them.
    window : Window or (start, end), optional
        Part of the time to read, half-open; the whole census when left out.
    kind : str, default "weapon"
        The column of the file that becomes ``kind``, among those of text: for example ``"class"`` (severity),
        ``"target_type"`` or ``"governorate"``.
    include_denied : bool, default False
        Keep attacks that the authorities denied (ratings that end in 5).
    allow_incomplete : bool, default False
        Accept a window outside the census. Rates from it are too low.

    Returns
    -------
    Incidents
        Canonical columns first, the other columns of the file after them; ``notes`` say what was left out.

    Raises
    ------
    DatasetError
        If there is no such data set, or a file is not what its checksum says.
    WindowError
        If the window reaches beyond the census, and ``allow_incomplete`` is not set, or beyond the data.
    OptionError
        If ``kind`` is not a column of text.

    Warns
    -----
    ReadWarning
        If the window reaches beyond the census.

    Examples
    --------
    >>> incidents = load_dataset("iraq-coalition")
    >>> incidents
    Incidents: 108 attacks in [2019-05-01, 2021-01-01), 611 observed days
    >>> incidents.kinds
    ['rocket', 'IED', 'mortar', 'gunfire']
    """
    info = dataset_info(name)
    observed, notes = _observed(info, window, allow_incomplete=allow_incomplete)
    raw = load_table(name, "incidents")
    raw = raw[(raw["date_start"] < observed.end) & (raw["date_end"] >= observed.start)]
    denied = raw["source_rating"].str.endswith("5")
    if denied.any() and not include_denied:
        ids = ", ".join(raw.loc[denied, "id"])
        notes.append(
            f"{int(denied.sum())} attacks that the authorities denied were left out ({ids})."
        )
        raw = raw[~denied]
    notes.append(
        "Tolls and claims are as known later; the list has no dates of report, so a cut at a past date does not "
        "undo later knowledge of earlier attacks."
    )
    return Incidents(
        _canonical(raw, kind),
        observed,
        source=f"{info.title}, version {info.version} ({info.licence})",
        notes=notes,
    )


def _observed(
    info: Dataset, window: Window | Sequence[DateLike] | None, *, allow_incomplete: bool
) -> tuple[Window, list[str]]:
    """Give the window to read, with gaps where nobody searched, and what there is to say about it."""
    census = info.census
    asked = census if window is None else Window.of(window)
    if census.start <= asked.start and asked.end <= census.end:
        return asked, []
    first, last = info.coverage[0].window.start, info.coverage[-1].window.end
    if asked.start < first or asked.end > last:
        raise WindowError(
            f"the window {span(asked)} reaches beyond the data set {info.name!r}, which covers "
            f"{span(Window(first, last))}. Choose dates inside it."
        )
    touched = [
        part
        for part in info.coverage
        if part.window.start < asked.end and part.window.end > asked.start
    ]
    if not touched:
        raise WindowError(
            f"the window {span(asked)} lies where the data set {info.name!r} was not searched at all. It covers: "
            f"{'; '.join(span(part.window) for part in info.coverage)}."
        )
    weak = " ".join(
        f"{span(part.window)}: {part.note}" for part in touched if part.completeness != "census"
    )
    if not allow_incomplete:
        raise WindowError(
            f"the window {span(asked)} reaches beyond the census {span(census)} of the data set {info.name!r}. "
            f"{weak} Choose a window inside the census, or, "
            "to look at single events, pass allow_incomplete=True."
        )
    ends = [part.window.end for part in info.coverage]
    starts = [part.window.start for part in info.coverage]
    unsearched = [
        (max(end, asked.start), min(start, asked.end))
        for end, start in zip(ends[:-1], starts[1:], strict=True)
        if max(end, asked.start) < min(start, asked.end)
    ]
    note = f"Coverage is incomplete. {weak}"
    warnings.warn(ReadWarning(f"{note} Fit no rates on this window."), stacklevel=3)
    return Window(asked.start, asked.end, [*asked.gaps, *unsearched]), [note]


def _canonical(raw: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Give the canonical columns of the chronology of attacks in Iraq, and keep the others."""
    texts = [str(name) for name in raw if isinstance(raw[name].dtype, pd.StringDtype)]
    if kind not in texts:
        raise OptionError(
            f"kind is {kind!r}, which is no column of text in the data set.{near(kind, texts)} "
            f"Expected one of: {', '.join(texts)}."
        )
    killed = raw["killed_total"]
    munitions = _agreed(raw["munitions_min"], raw["munitions_max"])
    # Where ten lies between the numbers of two sources, heavy_by_salvo says that the higher is the best-rated one.
    split = (raw["munitions_min"] < 10) & (raw["munitions_max"] >= 10)
    munitions = munitions.mask(split & (raw["heavy_by_salvo"] == 1), raw["munitions_max"])
    precision = raw["date_prec"].map({1: "day", 2: "days", 3: "days", 4: "month"})
    derived = {
        "date_precision": precision,
        "kind": raw[kind],
        "killed": killed,
        "killed_low": killed,
        "killed_high": killed,
        "wounded": _agreed(raw["wounded_min"], raw["wounded_max"]),
        "wounded_low": raw["wounded_min"],
        "wounded_high": raw["wounded_max"],
        "munitions": munitions,
        "munitions_low": raw["munitions_min"],
        "munitions_high": raw["munitions_max"],
    }
    replaced = ["killed_total", "munitions_min", "munitions_max", "wounded_min", "wounded_max"]
    # In a rule, "date" stands for the interval from date_start to date_end.
    return raw.drop(columns=replaced).rename(columns={"date": "date_best"}).assign(**derived)


def _agreed(low: pd.Series, high: pd.Series) -> pd.Series:
    """Give the value where both ends agree; otherwise it is unknown."""
    return low.where(low == high)
