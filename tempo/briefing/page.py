"""Setting a briefing in type: from findings to the bytes of a PDF.

Everything passes to Typst as one JSON file. Strings reach the page as plain text, never as markup.
The same findings give the same bytes: the document's date is the as-of date, and no font of the
machine is used unless a text needs letters that the shipped fonts do not have.
"""

from __future__ import annotations

import calendar
import json
import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from tempo.briefing.findings import Findings
from tempo.briefing.layout import Chart, Judgement, Part, Section, Table
from tempo.briefing.phrases import long_date
from tempo.data.rounding import number
from tempo.errors import BriefingError, OptionError

__all__ = ["Paper", "isolate", "typeset"]

type Paper = Literal["a4", "letter"]
_PAPERS = {"a4": "a4", "letter": "us-letter"}
_RIGHT_TO_LEFT = ("\u0590", "\u08ff")
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

    if paper not in _PAPERS:
        known = " or ".join(repr(name) for name in _PAPERS)
        raise OptionError(f"The paper {paper!r} is not known. Use paper={known}.")
    charts: dict[str, Chart] = {}
    document = _document(findings, paper, charts)
    text = json.dumps(document, ensure_ascii=False)
    files: dict[str, bytes] = {
        "main.typ": resources.files("tempo.briefing").joinpath("page.typ").read_bytes(),
        "briefing.json": text.encode(),
    }
    files |= {f"{chart.name}.svg": chart.svg for chart in charts.values()}
    folder, letters = _fonts()
    compiler: Any = typst  # its type stubs do not know that a document may be a dict of files
    midnight = calendar.timegm(findings.as_of.timetuple())
    try:
        made, warnings = compiler.compile_with_warnings(
            files,
            format=output,
            font_paths=[folder],
            ignore_system_fonts=letters.issuperset(text),
            pdf_standards=["ua-1"] if output == "pdf" else [],
            timestamp=midnight,
        )
    except typst.TypstError as error:
        raise BriefingError(
            f"The page could not be set: {error.diagnostic or error.message} Please report this, "
            "with the question and the file that led to it."
        ) from error
    if warnings:
        raise BriefingError(f"The page was set with doubts: {warnings[0].diagnostic}")
    return tuple(made) if isinstance(made, list) else (made,)


def _document(findings: Findings, paper: str, charts: dict[str, Chart]) -> dict[str, Any]:
    as_of = long_date(findings.as_of)
    question = isolate(findings.question)
    return {
        "paper": _PAPERS[paper],
        "title": question,
        "running": question,
        "kicker": "Tempo of attacks",
        "author": "tempo",
        "description": f"Briefing as of {as_of} on {findings.label}, counted by: {findings.rule}",
        "keywords": [findings.label, "forecast", "tempo of attacks"],
        "date": [findings.as_of.year, findings.as_of.month, findings.as_of.day],
        "as_of": as_of,
        "footer": f"Data before {as_of} only. Intervals hold {number(100 * findings.prob, 3)} %.",
        "facts": [
            {"name": "Counted", "text": isolate(findings.label), "width": 5},
            {"name": "Counting rule", "text": isolate(findings.rule), "width": 9},
            {"name": "Observed", "text": findings.observed, "width": 8},
            {"name": "Events", "text": f"{findings.n_events:,}", "width": 3},
            {"name": "Horizon", "text": f"{findings.horizon_days} days", "width": 4},
        ],
        "notices_title": "Read this first",
        "notices": [isolate(notice) for notice in findings.notices],
        "judgements": [{"parts": _emphasised(judgement)} for judgement in findings.judgements],
        "confidence": {
            "sentence": findings.confidence.sentence,
            "reasons": list(findings.confidence.reasons),
        },
        "sections": [_section(section, charts) for section in findings.sections],
    }


def _section(section: Section, charts: dict[str, Chart]) -> dict[str, Any]:
    return {"title": section.title, "items": [_item(part, charts) for part in section.parts]}


def _item(part: Part, charts: dict[str, Chart]) -> dict[str, Any]:
    if isinstance(part, str):
        return {"kind": "text", "value": isolate(part)}
    if isinstance(part, Table):
        return {"kind": "table", "value": _table(part)}
    if isinstance(part, Chart):
        charts[part.name] = part
        value = {"file": f"{part.name}.svg", "alt": part.alt, "caption": isolate(part.caption)}
        return {"kind": "chart", "value": value}
    return {"kind": "points", "value": [isolate(point) for point in part]}


def _table(table: Table) -> dict[str, Any]:
    columns = range(len(table.columns))
    return {
        "title": isolate(table.title),
        "note": isolate(table.note),
        "columns": [isolate(column) for column in table.columns],
        "rows": [[isolate(cell) for cell in row] for row in table.rows],
        "numeric": [column not in table.words for column in columns],
        # Words share what room the numbers leave.
        "widths": [1 if column in table.words else 0 for column in columns],
        "strong": list(table.strong),
    }


def _emphasised(judgement: Judgement) -> list[dict[str, Any]]:
    sentence = isolate(judgement.sentence)
    if judgement.term is None or judgement.term.word not in sentence:
        return [{"text": sentence, "strong": False}]
    before, word, after = sentence.partition(judgement.term.word)
    parts = [(before, False), (word, True), (after, False)]
    return [{"text": text, "strong": strong} for text, strong in parts if text]


def isolate(text: str) -> str:
    r"""Keep each right-to-left run together, so that it cannot reorder the numbers that follow it.

    Latin text comes back unchanged. Around a run of Arabic or Hebrew letters go the Unicode marks
    "first strong isolate" and "pop directional isolate", which print nothing.

    Examples
    --------
    >>> isolate("3 rockets"), isolate("هجوم 3") == "هجوم 3"
    ('3 rockets', True)
    >>> ascii(isolate("at \u0639 in 30 days"))
    "'at \\u2068\\u0639\\u2069 in 30 days'"
    """
    first = next((letter for letter in text if letter.isalpha()), "")
    if _is_rightward(first):
        return text
    return _RUN.sub("\u2068\\g<0>\u2069", text)


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
    return str(folder), frozenset(map(chr, codes)) | frozenset("\n\u2068\u2069")
