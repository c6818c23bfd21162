"""The parts that a briefing is made of: tables, judgements, charts and sections.

These are plain frozen records of finished text. They hold no statistics and no markup, so that the
same parts can be printed on a page, read in a notebook or compared in a test.
"""

from __future__ import annotations

from dataclasses import dataclass

from tempo.briefing.wording import Term
from tempo.errors import OptionError

__all__ = ["Chart", "Judgement", "Part", "Section", "Table"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """One key judgement: a sentence with its term, number, interval and horizon.

    Attributes
    ----------
    sentence : str
        The whole judgement as printed.
    term : Term or None
        The estimative term in it; ``None`` where the judgement is that the data cannot tell.
    low, high : float or None
        Ends of the range printed beside the probability, between 0 and 1.
    horizon_days : int or None
        What the judgement looks ahead to; ``None`` for judgements on the past.
    """

    sentence: str
    term: Term | None = None
    low: float | None = None
    high: float | None = None
    horizon_days: int | None = None

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True, slots=True)
class Table:
    """A small table of finished text.

    Attributes
    ----------
    columns : tuple of str
        Headings.
    rows : tuple of tuple of str
        Cells, one for each column.
    title, note : str
        Printed above and below; may be empty.
    words : tuple of int
        Columns that hold words and are set left, with room by their longest cell; the others hold
        numbers and are set right.
    strong : tuple of int
        Rows to be set in bold.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    note: str = ""
    words: tuple[int, ...] = (0,)
    strong: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise OptionError(
                    f"A table of {len(self.columns)} columns got a row of {len(row)} cells: {row!r}."
                )


@dataclass(frozen=True, slots=True)
class Chart:
    """A finished vector chart.

    Attributes
    ----------
    name : str
        Short name, also the name of its file inside the document.
    svg : bytes
        The drawing.
    alt : str
        What it shows, for readers who cannot see it.
    caption : str
        Printed below it.
    """

    name: str
    svg: bytes
    alt: str
    caption: str

    def __repr__(self) -> str:
        return f"Chart({self.name!r}, {len(self.svg):,} bytes)"


type Part = str | tuple[str, ...] | Table | Chart


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part of a briefing: paragraphs, lists of points, tables and charts in order.

    Attributes
    ----------
    title : str
        The heading.
    parts : tuple
        A ``str`` is a paragraph, a tuple of ``str`` a list of points.
    small : bool
        Whether it is set in smaller type, as what one only looks up.
    new_page : bool
        Whether it begins a page.
    """

    title: str
    parts: tuple[Part, ...]
    small: bool = False
    new_page: bool = False
