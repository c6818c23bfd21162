"""Files of one's own: canonical column names, a mapping given by the user, or obvious names where there is no doubt.

Canonical names are those of `tempo.data.table.COLUMNS`; only the date is required. Besides days, ``date_start`` may
hold a month (``2020-03``) or a year. Where ``date_end`` is later, ``date_precision`` says what that means: with ``day``
or ``time`` the attack lasted, with ``days``, ``week``, ``month`` or ``year`` it began on some day of the interval.
Without that word it is taken as an interval of possible days, with a warning, because that claims less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tempo.data.conversion import Conversion, calendar_interval, normal_name
from tempo.data.dates import month_number, parse_dates
from tempo.data.rounding import counted
from tempo.data.table import COLUMNS, PRECISIONS
from tempo.data.tabulated import looks_tabulated

__all__ = ["OBVIOUS", "convert", "date_columns", "example_mapping", "with_joined_date"]

_DAY_KNOWN = ("time", "day")
#: Names of the parts of a date that stands in several columns.
_PARTS = {
    "year": ("year", "jahr", "annee", "année", "ano", "año", "anno", "yr", "iyear", "event_year"),
    "month": ("month", "monat", "mois", "mes", "mês", "mese", "mon", "imonth", "event_month"),
    "day": ("day", "tag", "jour", "dia", "día", "giorno", "iday", "event_day", "day_of_month"),
}
#: Names that mean a canonical column where nothing else in the file could.
OBVIOUS: dict[str, tuple[str, ...]] = {
    "id": ("event_id", "incident_id", "attack_id"),
    "date_start": (
        "date", "event_date", "incident_date", "attack_date", "date_of_attack", "date_of_incident",
        "start_date", "startdate", "datetime", "date_time", "day",
    ),
    "date_end": ("end_date", "enddate"),
    "kind": ("type", "event_type", "attack_type", "incident_type", "weapon", "weapon_type"),
    "killed": (
        "deaths", "fatalities", "dead", "kills", "n_killed", "killed_total", "total_killed", "number_killed", "nkill",
    ),
    "killed_low": ("killed_min", "deaths_low", "deaths_min", "fatalities_low", "fatalities_min"),
    "killed_high": ("killed_max", "deaths_high", "deaths_max", "fatalities_high", "fatalities_max"),
    "wounded": (
        "injured", "injuries", "n_wounded", "wounded_total", "total_wounded", "number_wounded", "nwound",
    ),
    "wounded_low": ("wounded_min", "injured_low", "injured_min"),
    "wounded_high": ("wounded_max", "injured_high", "injured_max"),
    "munitions": ("rounds", "n_munitions", "munitions_best"),
    "munitions_low": ("munitions_min", "rounds_min"),
    "munitions_high": ("munitions_max", "rounds_max"),
    "actor": ("perpetrator", "attacker", "group", "perpetrators"),
    "target": ("target_type", "victim"),
    "place": ("location", "city", "town", "site"),
    "latitude": ("lat",),
    "longitude": ("lon", "lng", "long"),
    "source": ("sources",),
    "reported_at": ("reported", "date_reported", "report_date", "reported_on"),
    "note": ("notes", "description", "summary", "comment", "comments", "remarks"),
}  # fmt: skip


def convert(work: Conversion, columns: Mapping[str, str], *, guess: bool, name: str) -> None:
    """Fill the canonical columns from a file that follows no published schema.

    Parameters
    ----------
    work : Conversion
        The file; problems are recorded on it.
    columns : mapping of canonical name to file column
        What the user said; it goes before everything else.
    guess : bool
        Whether obvious names may stand for canonical ones.
    name : str
        The file, for the example in the message.
    """
    joined = None
    if guess and "date_start" not in columns and not work.has("date_start"):
        whole, joined = with_joined_date(work)
        if joined is not None:
            work.text = whole.text
            work.__post_init__()
            columns = {**columns, "date_start": joined}
    chosen = _choose(work, columns, guess=guess)
    if "date_start" not in chosen:
        _no_date(work, guess=guess, name=name)
        return
    _dates(work, chosen)
    if joined is not None:
        work.text = work.text.drop(columns=joined)
        chosen.pop("date_start")
    if guess:
        _refuse_counts(work, chosen, set(columns.values()), name)
    for canonical, column in chosen.items():
        if not canonical.startswith("date_"):
            work.put(canonical, column)
    work.used |= set(chosen.values())


def date_columns(work: Conversion, more: tuple[str, ...] = ()) -> list[str]:
    """Give the columns whose names say that they hold the date.

    Parameters
    ----------
    work : Conversion
        The file.
    more : tuple of str
        Further names that say so.

    Returns
    -------
    list of str
        A canonical name alone where it is there.
    """
    if work.has("date_start"):
        return [str(work.name("date_start"))]
    names = (*OBVIOUS["date_start"], *more)
    return [column for column in work.text.columns if normal_name(column) in names]


def with_joined_date(work: Conversion) -> tuple[Conversion, str | None]:
    """Join dates that stand in three columns (year, month, day) or two (year, month).

    Parameters
    ----------
    work : Conversion
        The file.

    Returns
    -------
    work : Conversion
        The same, with a column more if dates were joined.
    column : str or None
        Its name; None if the file has a date, or no such columns.
    """
    parts = {}
    for part, names in _PARTS.items():
        found = [column for column in work.text.columns if normal_name(column) in names]
        if len(found) != 1:
            continue
        parts[part] = found[0]
    if not {"year", "month"} <= set(parts):
        return work, None
    day = parts.get("day")
    others = [
        column
        for column in date_columns(work)
        if column != day and not work.cells(column).str.fullmatch(r"\d{0,2}").all()
    ]
    if others or not work.cells(parts["year"]).str.fullmatch(r"(\d{4})?").all():
        return work, None
    if day is not None and not work.cells(day).str.fullmatch(r"\d{0,2}").all():
        return work, None
    column = ", ".join(parts.values())
    cells = [
        _joined(year, month, number)
        for year, month, number in zip(
            work.cells(parts["year"]),
            work.cells(parts["month"]),
            work.cells(day) if day is not None else [""] * len(work),
            strict=True,
        )
    ]
    work.problems.note(f"dates were put together from the columns {column}", column=column)
    text = work.text.assign(**{column: cells}).astype({column: "str"})
    return replace(work, text=text), column


def _joined(year: str, month: str, day: str) -> str:
    number = month_number(month) if month.isalpha() else None
    month = str(number) if number is not None else month.lstrip("0")
    day = day.lstrip("0")
    if not year or (day and not month):
        return "" if not (year or month or day) else f"{year or '?'}-{month or '?'}-{day or '?'}"
    if not month:
        return year
    month = month.zfill(2)
    return f"{year}-{month}-{day.zfill(2)}" if day else f"{year}-{month}"


def _refuse_counts(work: Conversion, chosen: Mapping[str, str], said: set[str], name: str) -> None:
    """Refuse a table of counts: each of its rows would become one attack."""
    whole = np.isin(work.out["date_precision"].to_numpy(), ("month", "year"))
    days = work.out["date_start"].to_numpy()
    dates = {column for key, column in chosen.items() if key.startswith("date_")}
    found = looks_tabulated(work.text, days, whole, dates | said)
    if found is None:
        return
    column, why = found
    work.problems.error(
        f"this is a table of counts, not a list of attacks: {column!r} says how many there were ({why}), and each row "
        "would become one attack",
        f"Read it in Python with tempo.read_counts({name!r}), which gives counts to fit a model to. If every row is "
        "one attack all the same, rename that column or leave it away.",
        column=column,
    )


def _choose(work: Conversion, columns: Mapping[str, str], *, guess: bool) -> dict[str, str]:
    """Decide which column of the file becomes which canonical one, and say what was assumed."""
    chosen = {canonical: str(work.name(column)) for canonical, column in columns.items()}
    taken = set(chosen.values())
    for canonical in COLUMNS:
        found = work.name(canonical)
        if canonical not in chosen and found is not None and found not in taken:
            chosen[canonical] = found
            taken.add(found)
    if not guess:
        return chosen
    assumed = []
    for canonical, names in OBVIOUS.items():
        if canonical in chosen:
            continue
        found_names = list(
            dict.fromkeys(
                column
                for column in work.text.columns
                if normal_name(column) in names and column not in taken
            )
        )
        if len(found_names) == 1:
            chosen[canonical] = found_names[0]
            taken.add(found_names[0])
            assumed.append(f"{canonical} = {found_names[0]!r}")
        elif len(found_names) > 1:
            report = work.problems.error if canonical == "date_start" else work.problems.note
            report(
                f"several columns could be {canonical} ({', '.join(map(repr, found_names))})"
                + ("" if canonical == "date_start" else ", so none was taken"),
                f'Choose one with columns={{"{canonical}": "{found_names[0]}"}}.',
                column=", ".join(found_names),
            )
    if assumed:
        work.problems.note(
            f"columns were taken by their names: {', '.join(assumed)}",
            "If one is wrong, say which column is which with columns={canonical name: column of the file}.",
        )
    return chosen


def _no_date(work: Conversion, *, guess: bool, name: str) -> None:
    if any("could be date_start" in rule for rule in work.problems.frame("error")["rule"]):
        return  # the choice between several has been put to the user already
    listed = ", ".join(repr(column) for column in list(work.text.columns)[:40])
    tried = "" if guess else ' (schema="tempo" takes canonical names only)'
    work.problems.error(
        f"no column is known to hold the date of each attack{tried}; "
        f"the file has {counted(work.text.shape[1], 'columns')}: {listed}",
        "Say which is which, for example\n"
        f"    tempo.read_incidents({name!r}, columns={example_mapping(work)}, window=...)\n",
    )


def example_mapping(work: Conversion) -> str:
    """Write a mapping that the user can paste, with the columns that look right filled in.

    Parameters
    ----------
    work : Conversion
        The file.

    Returns
    -------
    str
        Python source of a dict.
    """
    mapping: dict[str, str] = {}
    for column in work.text.columns:
        head = work.text[column][work.text[column] != ""].head(20)
        if head.empty or head.str.fullmatch(r"\d{1,4}").all():
            continue
        if bool((parse_dates(head, dayfirst=True).failure == "").all()):
            mapping["date_start"] = column
            break
    mapping.setdefault("date_start", "your date column")
    for canonical in ("killed", "kind", "place"):
        for column in work.text.columns:
            plain = normal_name(column)
            if column not in mapping.values() and any(
                word in plain for word in (canonical, *OBVIOUS[canonical])
            ):
                mapping[canonical] = column
                break
    inside = ", ".join(f'"{canonical}": "{column}"' for canonical, column in mapping.items())
    return "{" + inside + "}"


def _dates(work: Conversion, chosen: Mapping[str, str]) -> None:
    start_column = chosen["date_start"]
    end_column = chosen.get("date_end")
    work.decide_order(*[column for column in (start_column, end_column) if column is not None])
    start = work.dates(start_column, required=True)
    first, last = start.first.copy(), start.last.copy()
    precision = start.precision.copy()
    given_end = np.zeros(len(work), dtype=bool)
    if end_column is not None:
        end = work.dates(end_column)
        given_end = ~np.isnat(end.last)
        last = np.where(given_end, end.last, last)
    said = _precision_words(work, chosen.get("date_precision"))
    silent = said == ""

    # What the word asks for where the file gives a day alone.
    for unit in ("week", "month", "year"):
        widen = (said == unit) & ~given_end & np.isin(precision, _DAY_KNOWN)
        if widen.any():
            low, high = calendar_interval(first, unit)
            first, last = np.where(widen, low, first), np.where(widen, high, last)
    vague = (said == "days") & (last.astype("datetime64[D]") == first.astype("datetime64[D]"))
    work.problems.error(
        'date_precision is "days", but the last possible day is missing',
        "Give date_end, the last day on which it may have begun.",
        rows=work.rows[vague],
        column=chosen.get("date_precision", ""),
        values=work.cells(start_column)[vague],
    )

    span = (last.astype("datetime64[D]") - first.astype("datetime64[D]")).astype(float)
    longer = silent & given_end & (span > 0)
    unexplained = longer & np.isin(precision, _DAY_KNOWN)
    work.problems.warn(
        "the end is later than the start, and no date_precision says why: it was taken as the last possible day of the "
        "beginning",
        'If the attack lasted until then, add a column date_precision with the word "day".',
        rows=work.rows[unexplained],
        column=end_column or "",
        values=work.cells(end_column)[unexplained] if end_column else None,
    )
    # A cell that holds a month or year is never exact, whatever the word says.
    contradicts = np.isin(said, _DAY_KNOWN) & np.isin(precision, ("month", "year"))
    work.problems.error(
        "date_precision says that the day is known, but the date is only a month or a year",
        "Give the day, or correct the word.",
        rows=work.rows[contradicts],
        column=chosen.get("date_precision", ""),
        values=work.cells(start_column)[contradicts],
    )
    by_span = np.select([span <= 5, span <= 6, span <= 30], ["days", "week", "month"], "year")
    unsaid = np.where(longer, by_span, precision)
    final = np.where(silent, unsaid, np.where(np.isin(said, _DAY_KNOWN), precision, said))
    vaguer = ~np.isin(final, _DAY_KNOWN)
    first = np.where(vaguer, first.astype("datetime64[D]").astype("datetime64[us]"), first)
    work.put_dates(first, last, final.astype(object))


def _precision_words(work: Conversion, column: str | None) -> NDArray[np.object_]:
    """Give the precision that the file states for each row; "" where it states none."""
    if column is None:
        return np.full(len(work), "", dtype=object)
    cells = work.words(column).fillna("").str.lower()
    wrong = ~cells.isin(["", *PRECISIONS]).to_numpy()
    work.problems.error(
        f"date_precision is one of {', '.join(PRECISIONS)}",
        "Translate the codes of the file into these words.",
        rows=work.rows[wrong],
        column=column,
        values=cells[wrong],
    )
    return np.where(wrong, "", cells.to_numpy(dtype=object))
