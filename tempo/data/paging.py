"""Replies of interfaces that hand out their records page by page: whether what was saved is all there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tempo.data.problems import Problems

__all__ = ["INCOMPLETE", "records_of_reply"]

#: How the report begins where a file holds a part of the data only; a briefing repeats such a line.
INCOMPLETE = "the file is incomplete"

_RECORDS = ("Result", "data", "results", "items", "records", "rows", "events", "value")
_TOTALS = ("totalcount", "total", "totalresults", "totalrecords", "totalitems", "numfound", "count")
_NEXT = (
    "nextpageurl", "next", "nextpage", "nexturl", "nextlink", "@odata.nextlink", "nexttoken", "nextcursor",
)  # fmt: skip
_MORE = ("hasmore", "hasnext", "hasnextpage", "exceededtransferlimit")
_ENVELOPES = ("", "meta", "metadata", "paging", "pagination", "links", "_links", "page")
_ACLED_PAGE = 5_000


def records_of_reply(content: object, problems: Problems) -> list[object] | None:
    """Give the records inside one reply, or inside a list of replies; None if there is no reply.

    Parameters
    ----------
    content : object
        What a JSON file holds.
    problems : Problems
        Takes a warning where pages are missing, and an error where the reply is a failure.

    Returns
    -------
    list or None
        Records of all pages.

    Examples
    --------
    >>> problems = Problems()
    >>> len(records_of_reply({"TotalCount": 13, "NextPageUrl": "…", "Result": [{"id": 1}]}, problems))
    1
    >>> problems.frame()["rule"].tolist()
    ['the file is incomplete: it holds 1 of 13 records, one page of a longer reply']
    """
    replies = content if isinstance(content, list) else [content]
    if not replies:
        return None
    keys = [_records_key(reply) for reply in replies]
    if any(key is None for key in keys):
        if isinstance(content, dict):
            _failed(content, problems)
        return None
    records: list[object] = []
    for reply, key in zip(replies, keys, strict=True):
        records.extend(reply[key])
    for reply in replies:
        if isinstance(reply, dict):
            _failed(reply, problems)
    _report(replies, len(records), problems)
    return records


def _records_key(reply: object) -> str | None:
    if not isinstance(reply, dict):
        return None
    for key in _RECORDS:
        held = reply.get(key)
        if isinstance(held, list) and all(isinstance(record, dict) for record in held):
            # An incident may have a list of its own among its cells: an envelope has something about the page too.
            return key if key in _RECORDS[:2] or _fields(reply) else None
    return None


def _fields(reply: Mapping[str, Any]) -> dict[str, Any]:
    """Give what the envelope says about pages, under plain names."""
    found: dict[str, Any] = {}
    for name in _ENVELOPES:
        part = reply if not name else reply.get(name)
        if isinstance(part, dict):
            for key, value in part.items():
                plain = str(key).lower().replace("_", "").replace("-", "")
                if plain in {*_TOTALS, *_NEXT, *_MORE, "totalpages", "success", "limit"}:
                    found.setdefault(plain, value)
    return found


def _failed(reply: Mapping[str, Any], problems: Problems) -> None:
    success = reply.get("success")
    if success is False or (isinstance(success, str) and success.strip().lower() == "false"):
        said = reply.get("error") or reply.get("message") or reply.get("messages") or ""
        problems.error(
            "the interface answered that the request failed (success is false)",
            "Correct the request and save its answer again.",
            values=[said],
        )


def _whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else None


def _report(replies: list[Any], n: int, problems: Problems) -> None:
    said = [_fields(reply) for reply in replies]
    totals = [
        total
        for fields in said
        for key in _TOTALS
        if key != "count" and (total := _whole(fields.get(key))) is not None
    ]
    if len(replies) == 1 and not totals and (total := _whole(said[0].get("count"))) is not None:
        totals.append(total)
    remedy = (
        "Download the other pages (follow the address of the next page until there is none, or ask for all rows at "
        "once), and put all records into one file."
    )
    if totals and max(totals) > n:
        problems.warn(
            f"{INCOMPLETE}: it holds {n:,} of {max(totals):,} records, one page of a longer reply"
            if len(replies) == 1
            else f"{INCOMPLETE}: its {len(replies)} pages hold {n:,} of {max(totals):,} records",
            remedy,
        )
        return
    if totals and max(totals) == n:
        return
    last = said[-1]
    more = [key for key in _NEXT if last.get(key)] + [key for key in _MORE if last.get(key) is True]
    if more:
        problems.warn(
            f"{INCOMPLETE}: its last page says that another page follows ({n:,} records are in the file)",
            remedy,
        )
    elif len(replies) == 1 and n and n == _whole(last.get("limit")):
        problems.warn(
            f"{INCOMPLETE}, in all likelihood: it holds exactly as many records as were asked for ({n:,})",
            remedy,
        )
