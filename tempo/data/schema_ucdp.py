"""The schema of UCDP's Georeferenced Event Dataset (GED): yearly files, candidate files and replies of its interface.

=================  =========================================================================================
canonical          from
=================  =========================================================================================
id                 ``id``
dates, precision   ``date_start``, ``date_end``, ``date_prec``: 1 day, 2 days, 3 week, 4 month, 5 year. With code 1 the
                   attack began on ``date_start``; with the others on some day of the interval.
kind               ``type_of_violence``: state-based, non-state, one-sided
killed, low, high  ``best``, ``low``, ``high``: everyone who died, on both sides and civilians
actor, target      ``side_a``, ``side_b``. Only in one-sided violence does this say who attacked whom: there side A is
                   the perpetrator. In state-based conflict side A is the government.
place              ``where_coordinates``, or the smallest administrative name
source             ``source_office``, or ``source_article`` (before 2013)
note               ``source_headline``
=================  =========================================================================================

Where ``best`` lies outside ``low`` to ``high`` (about 1 row in 100), the interval is widened to hold it and the row is
reported. ``best`` is kept because it is the sum of the four counts by side, in these rows too. Every column is kept.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from tempo.data.conversion import Conversion, calendar_interval

__all__ = ["LAYOUTS", "REQUIRED", "convert", "headerless_layout"]

REQUIRED = frozenset({"type_of_violence", "date_prec", "date_start", "date_end", "best"})

_V23 = (
    "id relid year active_year code_status type_of_violence conflict_dset_id conflict_new_id "
    "conflict_name dyad_dset_id dyad_new_id dyad_name side_a_dset_id side_a_new_id side_a side_b_dset_id "
    "side_b_new_id side_b number_of_sources source_article source_office source_date source_headline "
    "source_original where_prec where_coordinates where_description adm_1 adm_2 latitude longitude "
    "geom_wkt priogrid_gid country country_id region event_clarity date_prec date_start date_end deaths_a "
    "deaths_b deaths_civilians deaths_unknown best high low gwnoa gwnob"
)
_OLD = (
    "id year active_year start_year end_year type_of_violence conflict_new_id conflict_name dyad_new_id "
    "dyad_name side_a_new_id gwnoa side_a side_b_new_id gwnob side_b number_of_sources source_article "
    "source_office source_date source_headline source_original where_prec where_coordinates adm_1 adm_2 "
    "latitude longitude geom_wkt priogrid_gid country country_id iso3 region event_clarity date_prec "
    "date_start date_end deaths_a deaths_b deaths_civilians deaths_unknown low best high"
)
#: Column names of the layouts that are published without a header row, by number of columns.
LAYOUTS = {49: tuple(_V23.split()), 45: tuple(_OLD.split())}

_KINDS = {1: "state-based", 2: "non-state", 3: "one-sided"}
_PRECISION = {1: "day", 2: "days", 3: "week", 4: "month", 5: "year"}
_ROWS_PROVED = 200


def headerless_layout(text: pd.DataFrame) -> tuple[str, ...] | None:
    """Give the column names of a UCDP file without a header row, or None if it is not one.

    Columns are taken by position here and nowhere else, so the content must prove the layout: in each of the first
    200 rows the id, type of violence, date precision, both dates, coordinates and the three estimates must be what
    their place says.

    Parameters
    ----------
    text : pandas.DataFrame of str
        Cells as text, the first record included.

    Returns
    -------
    tuple of str or None
        One name for each column.

    Examples
    --------
    >>> headerless_layout(pd.DataFrame([["1"] * 49])) is None
    True
    """
    layout = LAYOUTS.get(text.shape[1])
    if layout is None:
        return None
    head = text.iloc[:_ROWS_PROVED].set_axis(list(layout), axis=1)
    tests = {
        "id": r"\d+",
        "year": r"\d{4}",
        "type_of_violence": "[123]",
        "date_prec": "[1-5]",
        "date_start": r"\d{4}-\d{2}-\d{2}.*",
        "date_end": r"\d{4}-\d{2}-\d{2}.*",
        "latitude": r"-?\d{1,2}(\.\d*)?",
        "longitude": r"-?\d{1,3}(\.\d*)?",
        "best": r"\d+",
        "low": r"\d+",
        "high": r"\d+",
    }
    if all(bool(head[name].str.fullmatch(test).all()) for name, test in tests.items()):
        return layout
    return None


def convert(work: Conversion) -> None:
    """Fill the canonical columns from a UCDP file.

    Parameters
    ----------
    work : Conversion
        The file; problems are recorded on it.
    """
    work.out["id"] = work.words("id")
    _dates(work)
    code = work.codes("type_of_violence", tuple(_KINDS), "type_of_violence")
    work.out["kind"] = work.series(code).map(_KINDS).astype("str")
    for canonical, column in (("killed", "best"), ("killed_low", "low"), ("killed_high", "high")):
        work.put_count(canonical, column)
    work.out["actor"] = work.words("side_a")
    work.out["target"] = work.words("side_b")
    work.out["place"] = work.words("where_coordinates", "adm_2", "adm_1", "country")
    work.put("latitude", "latitude")
    work.put("longitude", "longitude")
    work.out["source"] = work.words("source_office", "source_article")
    work.out["note"] = work.words("source_headline")
    if work.has("number_of_sources"):
        name = str(work.name("number_of_sources"))
        number = work.numbers("number_of_sources")
        work.extra[name] = work.series(np.where(number == -1, np.nan, number))


def _dates(work: Conversion) -> None:
    work.decide_order("date_start", "date_end")
    start = work.dates("date_start", required=True)
    end = work.dates("date_end")
    code = work.codes("date_prec", tuple(_PRECISION), "date_prec")
    first = start.first.astype("datetime64[D]").astype("datetime64[us]")
    last = np.where(np.isnat(end.last), start.last, end.last)
    precision = np.array([_PRECISION.get(value, "") for value in code.tolist()], dtype=object)

    blank = (precision == "") & (work.cells("date_prec") == "").to_numpy()
    work.problems.warn(
        "date_prec is blank: the date was taken as exact where start and end agree, and as an interval elsewhere",
        "Fill in the code (1 day, 2 days, 3 week, 4 month, 5 year).",
        rows=work.rows[blank],
        column=work.name("date_prec") or "date_prec",
    )
    precision = np.where(precision == "", np.where(last > first, "days", "day"), precision)

    # A code of 2 or more without an interval would put the attack on a day that the source does not know.
    for unit in ("days", "week", "month", "year"):
        narrow = (precision == unit) & (first == last)
        if not narrow.any():
            continue
        low, high = calendar_interval(first, unit)
        first, last = np.where(narrow, low, first), np.where(narrow, high, last)
        width = {"days": "three days to either side", "week": "three days to either side"}.get(
            unit, f"the whole calendar {unit}"
        )
        work.problems.warn(
            f"the date is coded as known to {'a ' if unit != 'days' else 'some '}{unit} only, but start and end are "
            f"the same day; it was widened to {width}",
            "Correct date_prec, or the dates.",
            rows=work.rows[narrow],
            column=work.name("date_prec") or "date_prec",
            values=work.cells("date_start")[narrow],
        )
    work.put_dates(first, last, precision)
