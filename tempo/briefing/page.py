"""Setting a briefing in type: from findings to the bytes of a PDF.

Everything passes to Typst as one JSON file. Strings reach the page as plain text, never as markup.
The same findings give the same bytes: the document's date is the as-of date, and no font of the
machine is used unless a text needs letters that the shipped fonts do not have.
"""

from __future__ import annotations

import calendar
import json
import os
import re
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from tempo.briefing.findings import Findings
from tempo.briefing.layout import Chart, Judgement, Part, Section, Table
from tempo.briefing.phrases import long_date
from tempo.data.rounding import number
from tempo.errors import BriefingError, OptionError

__all__ = ["Paper", "page_count", "printable", "ready_to_typeset", "typeset"]

type Paper = Literal["a4", "letter"]
_PAPERS = {"a4": "a4", "letter": "us-letter"}
_RIGHT_TO_LEFT = ("\u0590", "\u08ff")
# Controls; signs that turn the direction of what follows; signs that no text may hold, such as a byte order mark.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_UNPRINTED = re.compile(
    "[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufeff\ufff0-\uffff"
    + "".join(chr((plane << 16) + last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF))
    + "]"
)
# Widths of the charts, in percent of the text; below the last, their smallest letters fall under 6 points.
_CHART_SIZES = (100, 95, 90, 86)
# A percent sign stays with its number.
_PERCENT = re.compile(r"(?<=\d) %")
_LONG = re.compile(r"\S{28}(?=\S)")
# Right-to-left words, with the numbers and signs that stand between two of them.
_RUN = re.compile(r"[\u0590-\u08ff]+(?:[^\u0590-\u08ffA-Za-z]*[\u0590-\u08ff]+)*")


def typeset(
    findings: Findings, *, paper: str = "a4", output: Literal["pdf", "png"] = "pdf"
) -> tuple[bytes, ...]:
    """Set findings in type.

    Parameters
    ----------
    findings : Findings
        What to say.
    paper : {"a4", "letter"}, default "a4"
        Size of the page.
    output : {"pdf", "png"}, default "pdf"
        ``"png"`` gives a picture of each page, for looking at in a notebook.

    Returns
    -------
    tuple of bytes
        The PDF as its only item, or one picture for each page.

    Raises
    ------
    OptionError
        The paper is not known.
    BriefingError
        Typst refused the document; the message carries its diagnosis.
    """
    import typst

    ready_to_typeset()
    if paper not in _PAPERS:
        known = " or ".join(repr(name) for name in _PAPERS)
        raise OptionError(f"The paper {paper!r} is not known. Use paper={known}.")
    _PROCESS["typeset"] = True
    compiler: Any = typst  # its type stubs do not know that a document may be a dict of files
    files, options, _ = _fitted(findings, paper)
    try:
        made, doubts = compiler.compile_with_warnings(
            files,
            format=output,
            pdf_standards=["ua-1"] if output == "pdf" else [],
            timestamp=calendar.timegm(findings.as_of.timetuple()),
            **options,
        )
    except typst.TypstError as error:
        raise BriefingError(
            f"The page could not be set: {error.diagnostic or error.message} Please report this, "
            "with the question and the file that led to it."
        ) from error
    if doubts:
        raise BriefingError(f"The page was set with doubts: {doubts[0].diagnostic}")
    return tuple(made) if isinstance(made, list) else (made,)


#: Whether this process has set a page, and whether it is the fork of one that had.
_PROCESS = {"typeset": False, "orphan": False}


def _after_fork() -> None:
    _PROCESS["orphan"] = _PROCESS["typeset"]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def ready_to_typeset() -> None:
    """Refuse to set pages in the fork of a process that has set some: the threads that do it are not there any more.

    Raises
    ------
    BriefingError
        The remedy is to start workers afresh.
    """
    if _PROCESS["orphan"]:
        raise BriefingError(
            "This process was forked from one that had already written a briefing, and would wait for ever. Start "
            'workers with "spawn": ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")).'
        )


def page_count(findings: Findings, *, paper: str = "a4") -> int:
    """Give the number of pages that the findings take.

    Parameters
    ----------
    findings : Findings
        What is said.
    paper : {"a4", "letter"}, default "a4"
        Size of the page.

    Returns
    -------
    int
        At least 1.
    """
    return _fitted(findings, paper)[2]


@lru_cache(maxsize=2)
def _fitted(findings: Findings, paper: str) -> tuple[dict[str, bytes], dict[str, Any], int]:
    """Give the document with charts of the size that takes fewest pages, the largest of these; and the pages."""
    import typst

    compiler: Any = typst
    files, options = _source(findings, paper)
    found: list[tuple[int, dict[str, Any]]] = []
    for size in _CHART_SIZES:
        sized = options | {"sys_inputs": {"chart-size": str(size)}}
        pages = compiler.query(files, "<pages>", field="value", one=True, **sized)
        found.append((int(json.loads(pages)), sized))
    pages, sized = min(found, key=lambda item: item[0])
    return files, sized, pages


def _source(findings: Findings, paper: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Give the files of the document, and where its fonts are."""
    charts: dict[str, Chart] = {}
    text = json.dumps(_document(findings, paper, charts), ensure_ascii=False)
    files = {
        "main.typ": resources.files("tempo.briefing").joinpath("page.typ").read_bytes(),
        "briefing.json": text.encode(),
    }
    files |= {f"{chart.name}.svg": chart.svg for chart in charts.values()}
    folder, letters = _fonts()
    return files, {"font_paths": [folder], "ignore_system_fonts": letters.issuperset(text)}


def _document(findings: Findings, paper: str, charts: dict[str, Chart]) -> dict[str, Any]:
    as_of = long_date(findings.as_of)
    question = printable(findings.question)
    return {
        "paper": _PAPERS[paper],
        "title": question,
        "running": question,
        "kicker": "Tempo of attacks",
        "author": "tempo",
        "description": printable(
            f"Briefing as of {as_of} on {findings.label}, counted by: {findings.rule}"
        ),
        "keywords": [printable(findings.label), "forecast", "tempo of attacks"],
        "date": [findings.as_of.year, findings.as_of.month, findings.as_of.day],
        "as_of": as_of,
        "footer": f"Data before {as_of} only. Intervals hold {number(100 * findings.prob, 3)} %.",
        "facts": [
            {"name": "Counted", "text": printable(findings.label), "width": 6},
            {"name": "Counting rule", "text": printable(findings.rule), "width": 9},
            {"name": "Observed", "text": findings.observed, "width": 11},
            {"name": "Events", "text": f"{findings.n_events:,}", "width": 3},
            {"name": "Horizon", "text": f"{findings.horizon_days} days", "width": 4},
        ],
        "notices_title": "Read this first",
        "notices": [printable(notice) for notice in findings.notices],
        "judgements": [{"parts": _emphasised(judgement)} for judgement in findings.judgements],
        "confidence": {
            "sentence": findings.confidence.sentence,
            "reasons": list(findings.confidence.reasons),
        },
        "sections": [_section(section, charts) for section in findings.sections],
    }


def _section(section: Section, charts: dict[str, Chart]) -> dict[str, Any]:
    items = [_item(part, charts) for part in section.parts]
    return {
        "title": section.title,
        "small": section.small,
        "new_page": section.new_page,
        "items": items,
    }


def _item(part: Part, charts: dict[str, Chart]) -> dict[str, Any]:
    if isinstance(part, str):
        return {"kind": "text", "value": printable(part)}
    if isinstance(part, Table):
        return {"kind": "table", "value": _table(part)}
    if isinstance(part, Chart):
        charts[part.name] = part
        value = {"file": f"{part.name}.svg", "alt": part.alt, "caption": printable(part.caption)}
        return {"kind": "chart", "value": value}
    return {"kind": "points", "value": [printable(point) for point in part]}


def _table(table: Table) -> dict[str, Any]:
    columns = range(len(table.columns))
    return {
        "title": printable(table.title),
        "note": printable(table.note),
        "columns": [printable(column) for column in table.columns],
        "rows": [[printable(cell) for cell in row] for row in table.rows],
        "numeric": [column not in table.words for column in columns],
        # Words share what room the numbers leave, by how long they are.
        "widths": [_room(table, column) if column in table.words else 0 for column in columns],
        "strong": list(table.strong),
    }


def _room(table: Table, column: int) -> int:
    longest = max((len(row[column]) for row in table.rows), default=0)
    return min(max(longest, len(table.columns[column]), 10), 45)


def _emphasised(judgement: Judgement) -> list[dict[str, Any]]:
    sentence = printable(judgement.sentence)
    if judgement.term is None or judgement.term.word not in sentence:
        return [{"text": sentence, "strong": False}]
    before, word, after = sentence.partition(judgement.term.word)
    parts = [(before, False), (word, True), (after, False)]
    return [{"text": text, "strong": strong} for text, strong in parts if text]


def printable(text: str) -> str:
    r"""Make text from data fit to be set: no control characters, no word wider than the page, no reordering.

    Plain text comes back unchanged. Long words get places to break, which print nothing. Around a run of Arabic or
    Hebrew inside other text go the Unicode marks "first strong isolate" and "pop directional isolate", so that it
    cannot reorder the numbers that follow it.

    Parameters
    ----------
    text : str
        Anything.

    Returns
    -------
    str
        One line.

    Examples
    --------
    >>> printable("3 rockets"), printable("هجوم 3") == "هجوم 3"
    ('3 rockets', True)
    >>> ascii(printable("at \u0639 in 30 days"))
    "'at \\u2068\\u0639\\u2069 in 30 days'"
    """
    line = " ".join(_CONTROL.sub(" ", _UNPRINTED.sub("", text)).split())
    line = _PERCENT.sub("\u00a0%", line)
    line = _LONG.sub("\\g<0>\u200b", line)
    first = next((letter for letter in line if letter.isalpha()), "")
    if _is_rightward(first):
        return line
    return _RUN.sub("\u2068\\g<0>\u2069", line)


def _is_rightward(letter: str) -> bool:
    low, high = _RIGHT_TO_LEFT
    return low <= letter <= high


@cache
def _fonts() -> tuple[str, frozenset[str]]:
    """Folder of the fonts that matplotlib ships, and the letters that DejaVu Sans has."""
    import matplotlib as mpl
    from matplotlib.ft2font import FT2Font

    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    codes = FT2Font(str(folder / "DejaVuSans.ttf")).get_charmap()
    return str(folder), frozenset(map(chr, codes)) | frozenset("\u00a0\u200b\u2068\u2069")
