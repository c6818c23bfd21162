"""What canonical rows must satisfy, whatever file they came from: contract, contradictions, duplicates, window."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tempo.data.problems import Problems
from tempo.data.table import NUMBERS, PRECISIONS, latest_onset
from tempo.data.window import DAY, Window

__all__ = [
    "cut_to_window",
    "drop_duplicates",
    "hold_contract",
    "merge_coordinated",
    "question_tolls",
    "reconcile",
]

#: Columns that date a version of a row, not the incident.
VERSIONED = ("changed_at", "reported_at")

_COUNTED = ("killed", "wounded", "munitions")
CONFLICTING = "the same id stands in several rows that differ"
#: More than any attack on record has killed, wounded or fired.
MOST_PLAUSIBLE = 100_000
_ID_LIKE = 1_000
_DAMAGED_ID = r"\d(?:\.\d+)?[eE]\+?\d+"
_SAME = ("date_start", "date_end", "place", "actor", "target", "kind", "killed")


def hold_contract(
    table: pd.DataFrame, rows: NDArray[np.int64], problems: Problems, origin: dict[str, str]
) -> None:
    """Check types and ranges of canonical columns, and report every cell that breaks them.

    Parameters
    ----------
    table : pandas.DataFrame
        Canonical columns first.
    rows : ndarray of int
        Row of each record as the user sees it.
    problems : Problems
        Takes what is wrong.
    origin : dict of str to str
        Column of the file behind a canonical one, for the report.
    """
    import pandera.pandas as pa
    from pandera.errors import SchemaErrors

    dates = {
        name: pa.Column("datetime64[us]", nullable=True) for name in ("date_start", "date_end")
    }
    counts = [
        name
        for name in (*NUMBERS, "killed_attackers")
        if name in table and name not in {"latitude", "longitude"}
    ]
    negative = "a count is never negative"
    not_negative = pa.Check.ge(0, error=negative)
    contract = pa.DataFrameSchema(
        {
            **dates,
            "date_precision": pa.Column(str, pa.Check.isin(("", *PRECISIONS)), nullable=True),
            **{name: pa.Column(float, not_negative, nullable=True) for name in counts},
            "latitude": pa.Column(float, pa.Check.in_range(-90, 90), nullable=True, required=False),
            "longitude": pa.Column(
                float, pa.Check.in_range(-180, 180), nullable=True, required=False
            ),
        }
    )
    try:
        contract.validate(table, lazy=True)
    except SchemaErrors as broken:
        cases = broken.failure_cases
        for (column, check), group in cases.groupby(["column", "check"], sort=False):
            where = group["index"].to_numpy(dtype="int64")
            problems.error(
                "a count is never negative"
                if negative
                else f"the column breaks its contract ({check})",
                'Correct it, or leave it blank; where it is a code for unknown pass unknown=["-9", "-99"].'
                if check == negative
                else "Correct the cell.",
                rows=rows[where],
                column=origin.get(str(column), str(column)),
                values=[f"{value:g}" for value in group["failure_case"]],
            )


def question_tolls(
    table: pd.DataFrame, rows: NDArray[np.int64], problems: Problems, origin: dict[str, str]
) -> None:
    """Question numbers that are larger than any attack's, and columns that look like running numbers.

    Parameters
    ----------
    table : pandas.DataFrame
        Canonical columns first.
    rows : ndarray of int
        Row of each record as the user sees it.
    problems : Problems
        Takes what is doubtful.
    origin : dict of str to str
        Column of the file behind a canonical one, for the report.

    Examples
    --------
    >>> problems = Problems()
    >>> question_tolls(pd.DataFrame({"killed": [3.0, 1e11]}), np.array([2, 3]), problems, {})
    >>> problems.frame()[["row", "value"]].to_numpy().tolist()
    [[3, '100000000000']]
    """
    for name in (*NUMBERS, "killed_attackers"):
        if name not in table or name in {"latitude", "longitude"}:
            continue
        values = table[name].to_numpy(dtype=float)
        column = origin.get(name, name)
        known = values[~np.isnan(values)]
        running = (
            len(known) >= 5
            and bool((known >= _ID_LIKE).all())
            and bool((known == np.floor(known)).all())
            and bool((np.diff(known) > 0).all() or (np.diff(known) < 0).all())
        )
        if running:
            problems.warn(
                f"the column looks like an id: {len(known):,} numbers from {known.min():.0f} to {known.max():.0f}, "
                "each of them once, in order",
                "If it is one, say which column holds the figure with columns={canonical name: column of the file}.",
                column=column,
            )
        with np.errstate(invalid="ignore"):
            huge = values > MOST_PLAUSIBLE
        if running and huge.all():
            continue  # said once for the column
        problems.warn(
            f"the number is larger than any attack on record ({MOST_PLAUSIBLE:,}); it was kept as it is",
            "If it is an id or another column's figure, correct the cell or leave it blank; every figure on deaths "
            "hangs on it.",
            rows=rows[huge],
            column=column,
            values=[f"{value:.0f}" for value in values[huge]],
        )


def reconcile(table: pd.DataFrame, rows: NDArray[np.int64], problems: Problems) -> pd.DataFrame:
    """Make low <= best <= high hold in every row by widening the interval; no figure is thrown away.

    Parameters
    ----------
    table : pandas.DataFrame
        Canonical columns first.
    rows : ndarray of int
        Row of each record as the user sees it.
    problems : Problems
        Takes the rows that were changed.

    Returns
    -------
    pandas.DataFrame
        With all three columns wherever one was there.

    Examples
    --------
    >>> table = pd.DataFrame({"killed": [33.0], "killed_low": [34.0], "killed_high": [40.0]})
    >>> reconcile(table, np.array([2]), Problems()).loc[0].tolist()
    [33.0, 33.0, 40.0]
    """
    for name in _COUNTED:
        low_name, high_name = f"{name}_low", f"{name}_high"
        if not {low_name, high_name} & set(table.columns):
            continue
        table = table.assign(
            **{part: np.nan for part in (name, low_name, high_name) if part not in table.columns}
        )
        best, low, high = (table[part].to_numpy(float) for part in (name, low_name, high_name))
        if np.isnan(best).any():
            best = np.where(np.isnan(best) & (low == high), low, best)  # nothing is left open
            table = table.assign(**{name: best})
        with np.errstate(invalid="ignore"):
            wrong = (best < low) | (best > high) | (low > high)
        if not wrong.any():
            continue
        together = np.stack([best, low, high])
        problems.warn(
            "best, low and high contradict each other; the interval was widened to hold them all",
            "Correct them if you know which is wrong.",
            rows=rows[wrong],
            column=name,
            values=[f"best {b:g}, low {a:g}, high {c:g}" for b, a, c in together[:, wrong].T],
        )
        # Only the rows in conflict: elsewhere a missing end stays missing.
        together = np.where(np.isnan(together), np.where(wrong, np.nan, 0.0), together)
        table = table.assign(
            **{
                low_name: np.where(wrong, np.fmin.reduce(together), low),
                high_name: np.where(wrong, np.fmax.reduce(together), high),
            }
        )
    return table


def drop_duplicates(
    table: pd.DataFrame, rows: NDArray[np.int64], problems: Problems
) -> NDArray[np.bool_]:
    """Find rows that stand in the file twice.

    The same id with the same content is dropped with a warning. The same id with other content is an error, unless
    ``changed_at`` or ``reported_at`` says which version is newest (ACLED changes its rows): then that one is kept.
    Equal stamps say nothing, whatever the order of the rows.
    Different rows that agree in date, place, actor, target, kind and deaths are kept, with a warning.

    Parameters
    ----------
    table : pandas.DataFrame
        Canonical columns first.
    rows : ndarray of int
        Row of each record as the user sees it.
    problems : Problems
        Takes what is found.

    Returns
    -------
    ndarray of bool
        Rows to keep.
    """
    keep = np.ones(len(table), dtype=bool)
    if "id" in table:
        keep &= _one_row_per_id(table, rows, problems)
    _likely_duplicates(table[keep], rows[keep], problems)
    return keep


def _one_row_per_id(
    table: pd.DataFrame, rows: NDArray[np.int64], problems: Problems
) -> NDArray[np.bool_]:
    ids = table["id"]
    keep = np.ones(len(table), dtype=bool)
    damaged = ids.str.fullmatch(_DAMAGED_ID).fillna(value=False).to_numpy(dtype=bool)
    if damaged.any():
        problems.warn(
            "ids were rounded by a spreadsheet and cannot tell rows apart; duplicates were not looked for by them",
            "Use the file as it was published, or format the id column as text before saving.",
            rows=rows[damaged],
            column="id",
            values=ids[damaged],
        )
    usable = ids.notna().to_numpy() & ~damaged
    repeated = usable & ids.where(usable).duplicated(keep=False).to_numpy()
    if not repeated.any():
        return keep
    some = table[repeated]
    content = [name for name in table.columns if name not in VERSIONED]
    some = some.astype(dict.fromkeys(content, "str"))
    stamps = [name for name in VERSIONED if name in table]
    if stamps:
        # Of an event that was changed and changed back, the last copy is the newest version, wherever it stands.
        changed = some.drop_duplicates(content)["id"]
        changed = some["id"].isin(changed[changed.duplicated()])
        newest_first = some[changed].sort_values(stamps, ascending=False, kind="stable")
        some = pd.concat([newest_first, some[~changed]])
    same = some.duplicated(content).reindex(table.index[repeated])
    copies = np.zeros(len(table), dtype=bool)
    copies[np.flatnonzero(repeated)[same.to_numpy()]] = True
    problems.warn(
        "the row repeats an earlier one in every cell, and was dropped",
        "Remove it from the file.",
        rows=rows[copies],
        column="id",
        values=ids[copies],
    )
    keep &= ~copies
    versions = keep & ids.where(usable & keep).duplicated(keep=False).to_numpy() & usable
    if not versions.any():
        return keep
    for stamp in (name for name in VERSIONED if name in table):
        versions = _newest_by(stamp, table, rows, versions, keep, problems)
    if not versions.any():
        return keep
    problems.error(
        CONFLICTING,
        "Keep one row for each id (nothing in the file says which is newest), or give each its own.",
        rows=rows[versions],
        column="id",
        values=ids[versions],
    )
    return keep


def _newest_by(
    stamp: str,
    table: pd.DataFrame,
    rows: NDArray[np.int64],
    versions: NDArray[np.bool_],
    keep: NDArray[np.bool_],
    problems: Problems,
) -> NDArray[np.bool_]:
    """Drop older versions where all of an id are stamped and one stamp is the latest; give the rows still open."""
    some = table.loc[versions, ["id", stamp]]
    latest = some.groupby("id")[stamp].transform("max")
    dated = some[stamp].notna().groupby(some["id"]).transform("all")
    at_latest = (some[stamp] == latest).groupby(some["id"]).transform("sum")
    decided = (dated & (at_latest == 1)).to_numpy(dtype=bool)
    where = np.flatnonzero(versions)
    old = where[decided & (some[stamp] < latest).to_numpy(dtype=bool)]
    problems.warn(
        "an older version of an event that stands in the file twice was dropped; the row changed last was kept",
        "Nothing to do, unless an earlier state of the data is wanted.",
        rows=rows[old],
        column="id",
        values=table["id"].iloc[old],
    )
    keep[old] = False
    still = versions.copy()
    still[where[decided]] = False
    return still


def _likely_duplicates(table: pd.DataFrame, rows: NDArray[np.int64], problems: Problems) -> None:
    if not {"place", "actor"} <= set(table.columns):
        return
    known = table["date_precision"].isin(["time", "day"]) & table["place"].notna()
    candidates = table[known & table["actor"].notna()]
    key = [name for name in _SAME if name in table.columns]
    first = candidates.groupby(key, dropna=False, sort=False).ngroup()
    repeated = first.duplicated().to_numpy()
    if not repeated.any():
        return
    position = pd.Series(rows[table.index.get_indexer(candidates.index)], index=candidates.index)
    original = position.groupby(first).transform("first")
    problems.warn(
        "perhaps a duplicate: the same date, place, actor and deaths as an earlier row; both were kept",
        "Compare the two rows, and remove one if it is the same attack: duplicates look like contagion.",
        rows=position.to_numpy()[repeated],
        column="date_start",
        values=[f"as row {row}" for row in original.to_numpy()[repeated]],
    )


def cut_to_window(
    table: pd.DataFrame, rows: NDArray[np.int64], window: Window, problems: Problems
) -> tuple[NDArray[np.bool_], list[str]]:
    """Find the rows that may lie in the observed days of a window.

    Parameters
    ----------
    table : pandas.DataFrame
        Canonical columns, with valid dates.
    rows : ndarray of int
        Row of each record as the user sees it.
    window : Window
        Half-open.
    problems : Problems
        Takes the rows that are left out, and those that are only partly inside.

    Returns
    -------
    keep : ndarray of bool
        Rows to keep.
    notes : list of str
        What was left out, in words.
    """
    first = table["date_start"].dt.normalize()
    last = latest_onset(table).dt.normalize()
    outside = ((last < window.start) | (first >= window.end)).to_numpy()
    shown = table["date_start"].dt.strftime("%Y-%m-%d")
    problems.warn(
        f"the date lies outside the window {_days(window)}; the row was left out",
        "Choose a wider window if the file covers it, or correct the date.",
        rows=rows[outside],
        column="date_start",
        values=shown[outside],
    )
    exact = (first == last).to_numpy()
    unwatched = ~outside & exact & ~window.observed(first)
    problems.warn(
        "the date lies in a gap of the window, when nobody watched; the row was left out",
        "Shorten the gap if the day was observed.",
        rows=rows[unwatched],
        column="date_start",
        values=shown[unwatched],
    )
    partly = ~outside & ((first < window.start) | (last >= window.end)).to_numpy()
    problems.warn(
        f"the date is an interval that reaches over an end of the window {_days(window)}; the row counts only where "
        "its drawn date lies inside",
        "Narrow the interval if you can.",
        rows=rows[partly],
        column="date_start",
        values=shown[partly],
    )
    notes = [
        f"{int(hit.sum())} rows of the file {what} and were left out."
        for hit, what in (
            (outside, "lie outside the window"),
            (unwatched, "lie in gaps of the window"),
        )
        if hit.any()
    ]
    return ~(outside | unwatched), notes


def _days(window: Window) -> str:
    return f"[{window.start:%Y-%m-%d}, {window.end:%Y-%m-%d})"


def merge_coordinated(
    table: pd.DataFrame, rows: NDArray[np.int64], problems: Problems
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Count coordinated attacks that began on one day as one attack.

    Attacks are linked by the ids in ``related``. The first row stands for all; deaths and wounded are added up, and
    where some are unknown the known ones become the low end of an interval that is open above.

    Parameters
    ----------
    table : pandas.DataFrame
        Canonical columns, and ``related``.
    rows : ndarray of int
        Row of each record as the user sees it.
    problems : Problems
        Takes what was merged.

    Returns
    -------
    table : pandas.DataFrame
        Fewer rows, with ``attacks_merged`` (how many each row stands for).
    rows : ndarray of int
        Of the rows that stand.

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {
    ...         "id": ["1", "2", "3"],
    ...         "date_start": pd.to_datetime(["2020-01-05"] * 3),
    ...         "date_precision": "day",
    ...         "killed": [1.0, 2.0, 0.0],
    ...         "related": ["1, 2", "1, 2", None],
    ...     }
    ... )
    >>> merged, rows = merge_coordinated(table, np.array([2, 3, 4]), Problems())
    >>> merged["killed"].tolist(), merged["attacks_merged"].tolist()
    ([3.0, 0.0], [2, 1])
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    place = {str(identity): k for k, identity in enumerate(table["id"])}
    pairs = [
        (k, place[other])
        for k, text in enumerate(table["related"].astype("str").fillna(""))
        for other in (part.strip() for part in text.replace(";", ",").split(","))
        if other in place
    ]
    n = len(table)
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    links = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(n, n))
    _, component = connected_components(links, directed=False)
    # A row whose day is not known is linked to nothing: it may have been another day.
    exact = table["date_precision"].isin(["time", "day"]).to_numpy()
    day = ((table["date_start"].dt.normalize() - table["date_start"].min()) / DAY).to_numpy()
    key = pd.DataFrame(
        {
            "component": component,
            "day": np.where(exact, np.floor(day), -1.0),
            "alone": np.where(exact, -1, np.arange(n)),
        }
    )
    group = key.groupby(["component", "day", "alone"], sort=False).ngroup().to_numpy()
    size = np.bincount(group)
    first = pd.Series(np.arange(n)).groupby(group).first().to_numpy()
    merged = table.iloc[first].reset_index(drop=True).assign(attacks_merged=size)
    several = size > 1
    for name in ("killed", "wounded"):
        if name not in table:
            continue
        by_group = table[name].groupby(group)
        total, known = by_group.sum(), by_group.count().to_numpy()
        complete = known == size
        merged[name] = total.where(complete, np.nan).to_numpy()
        open_above = several & ~complete
        if open_above.any():
            merged[f"{name}_low"] = np.where(open_above, total.to_numpy(), np.nan)
            merged[f"{name}_high"] = np.nan
    problems.note(
        f"{int(size[several].sum()):,} coordinated attacks were counted as {int(several.sum()):,}: those that belong "
        "together and began on one day",
        "Leave merge_coordinated away to count each.",
    )
    return merged, rows[first]
