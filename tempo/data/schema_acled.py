"""The schema of ACLED, the Armed Conflict Location and Event Data project: web exports and replies of its interface.

=================  =========================================================================================
canonical          from
=================  =========================================================================================
id                 ``event_id_cnty`` (older files: ``data_id``)
dates, precision   ``event_date``, ``time_precision``: 1 day; 2 week, three days to either side of the date in the file;
                   3 the calendar month of that date
kind               ``event_type`` (``sub_event_type`` is kept: ``.where("sub_event_type == 'Suicide bomb'")``)
killed             ``fatalities``: all reported deaths of the event, attackers among them; ACLED gives no interval
actor, target      ``actor1``, ``actor2``. ACLED does not say who attacked whom.
place              ``location``
source, note       ``source``, ``notes``
(kept beside)      ``changed_at`` from ``timestamp``, in UTC: when the row was last changed; no as-of cut goes by it
=================  =========================================================================================

``inter1`` and ``inter2`` are kept with the same words whether the file has codes or text. Rows are changed and removed
by ACLED later, so a file is a snapshot: where one event stands in it twice, the row changed last is taken.
"""

from __future__ import annotations

import numpy as np

from tempo.data.conversion import Conversion, calendar_interval
from tempo.data.paging import INCOMPLETE

__all__ = ["REQUIRED", "convert"]

REQUIRED = frozenset({"event_date", "event_type", "fatalities", "time_precision"})

_NO_ATTACKS = ("Protests", "Riots", "Strategic developments")
_PAGE = 5_000  # rows of one reply where no other limit is asked for
_PRECISION = {1: "day", 2: "week", 3: "month"}
_INTER = {
    "0": "",
    "1": "State forces",
    "2": "Rebel group",
    "3": "Political militia",
    "4": "Identity militia",
    "5": "Rioters",
    "6": "Protesters",
    "7": "Civilians",
    "8": "External/Other forces",
}


def convert(work: Conversion) -> None:
    """Fill the canonical columns from an ACLED file.

    Parameters
    ----------
    work : Conversion
        The file; problems are recorded on it.
    """
    if len(work) == _PAGE:
        work.problems.warn(
            f"{INCOMPLETE}, in all likelihood: it has exactly {_PAGE:,} rows, where ACLED's interface cuts a reply off",
            "Ask for the other pages (page=2 and so on) or for all rows (limit=0), and put them into one file.",
        )
    work.out["id"] = work.words("event_id_cnty", "data_id")
    _dates(work)
    work.out["kind"] = work.words("event_type")
    _say_what_counts(work)
    work.put_count("killed", "fatalities")
    work.out["actor"] = work.words("actor1")
    work.out["target"] = work.words("actor2")
    work.out["place"] = work.words("location", "admin3", "admin2", "admin1")
    work.put("latitude", "latitude")
    work.put("longitude", "longitude")
    work.out["source"] = work.words("source")
    work.out["note"] = work.words("notes")
    if work.has("timestamp"):
        work.extra["changed_at"] = work.moments("timestamp")
        work.problems.note(
            "changed_at is when ACLED last changed the row, not when the event was first reported",
            "An as-of cut (.before) goes by the dates of the events and keeps later corrections; for the data as they "
            "stood, use a file downloaded on that day.",
            column=str(work.name("timestamp")),
        )
    for column in ("inter1", "inter2"):
        name = work.name(column)
        if name is not None:
            cells = work.cells(column)
            labels = cells.map(lambda text: _INTER.get(text, text)).astype("str")
            work.extra[name] = labels.mask(labels == "")


def _say_what_counts(work: Conversion) -> None:
    """Warn that every kind counts, also those that are no attacks."""
    kinds = work.out["kind"].value_counts()
    present = [kind for kind in _NO_ATTACKS if kind in kinds.index]
    if present:
        said = ", ".join(f"{kind} ({kinds[kind]:,})" for kind in present)
        listed = ", ".join(f'"{kind}"' for kind in present)
        work.problems.warn(
            f"every kind of event counts, also what is no attack: {said}",
            f"Leave them out by a rule: kind not in ({listed}).",
            column=str(work.name("event_type")),
        )


def _dates(work: Conversion) -> None:
    work.decide_order("event_date")
    day = work.dates("event_date", required=True)
    code = work.codes("time_precision", tuple(_PRECISION), "time_precision")
    first = day.first.astype("datetime64[D]").astype("datetime64[us]")
    last = day.last.copy()
    precision = np.array([_PRECISION.get(value, "day") for value in code.tolist()], dtype=object)
    blank = (work.cells("time_precision") == "").to_numpy()
    work.problems.warn(
        "time_precision is blank: the date was taken as exact",
        "Fill in the code (1 day, 2 week, 3 month).",
        rows=work.rows[blank],
        column=str(work.name("time_precision")),
    )
    for unit in ("week", "month"):
        low, high = calendar_interval(first, unit)
        vague = precision == unit
        first, last = np.where(vague, low, first), np.where(vague, high, last)
    # A date that is itself only a month or a year, whatever the code says.
    wide = (precision == "day") & (last > first)
    precision = np.where(wide, day.precision, precision)
    work.put_dates(first, last, precision)
