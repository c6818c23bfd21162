"""Words on charts: text from data taken literally, cut to measure, and kept from running into each other."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import text_to_path

from tempo.data.rounding import plural

__all__ = [
    "at_right",
    "counting_rule",
    "noun",
    "plain",
    "shortened",
    "spread",
    "width_mm",
    "wrapped",
]

_FONT = "DejaVu Sans"
_MM_PER_PT = 25.4 / 72.0
_OPEN, _CLOSE = "\u2068", "\u2069"  # Unicode's first strong isolate, and its end; neither is drawn


@lru_cache(maxsize=1)
def _known_letters() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family=_FONT))).get_charmap())


def plain(text: str | float | None) -> str:
    r"""Give text from data as one line that can be drawn: no line breaks, no control characters.

    A letter that the font does not have becomes a white square. Signs that mean something to TeX stay as they are:
    charts switch the parsing off. Arabic and Hebrew are enclosed in invisible marks, so that the words around them
    keep their order.

    Parameters
    ----------
    text : str, or missing
        Any value of a text column; a missing one gives an empty text.

    Returns
    -------
    str
        One line.

    Examples
    --------
    >>> plain("Camp_Taji $5\n^2"), plain(None), plain(float("nan"))
    ('Camp_Taji $5 ^2', '', '')
    """
    if text is None or pd.isna(text):
        return ""
    words = " ".join(str(text).split())
    known = _known_letters()
    line = "".join(
        sign if ord(sign) in known else "\u25a1"
        for sign in words
        if unicodedata.category(sign) not in {"Cc", "Cf", "Cs"}
    )
    return _isolated(line)


def _isolated(line: str) -> str:
    """Mark the ends of text that runs from right to left, so that it does not turn round what stands beside it."""
    if any(unicodedata.bidirectional(sign) in {"R", "AL", "AN"} for sign in line):
        return f"{_OPEN}{line}{_CLOSE}"
    return line


def noun(label: str) -> str:
    """Give the label of what is counted in the plural, ready to be drawn.

    Parameters
    ----------
    label : str
        In the singular or the plural.

    Returns
    -------
    str
        One line; labels that are not written in English letters stay as they are.

    Examples
    --------
    >>> noun("heavy strike"), noun("Angriffe (schwer)")
    ('heavy strikes', 'Angriffe (schwer)')
    """
    return plain(plural(label)) if label.isascii() and label[-1:].isalpha() else plain(label)


def width_mm(text: str, size_pt: float, *, bold: bool = False) -> float:
    """Measure one line of text.

    Parameters
    ----------
    text : str
        One line.
    size_pt : float
        Size of the letters.
    bold : bool
        Whether they are bold.

    Returns
    -------
    float
        Width on paper in millimetres.
    """
    if not text:
        return 0.0
    face = FontProperties(family=_FONT, size=size_pt, weight="bold" if bold else "normal")
    width, _, _ = text_to_path.get_text_width_height_descent(text, face, ismath=False)
    return 1.04 * float(width) * _MM_PER_PT  # on a screen, letters are moved to whole pixels


def shortened(text: str, limit_mm: float, size_pt: float, *, bold: bool = False) -> str:
    """Cut a line to a width, with an ellipsis where something is lost.

    Parameters
    ----------
    text : str
        One line.
    limit_mm : float
        Room there is.
    size_pt : float
        Size of the letters.
    bold : bool
        Whether they are bold.

    Returns
    -------
    str
        The line, or its beginning and "…".

    Examples
    --------
    >>> shortened("rocket", 30, 8), shortened("a very long name indeed", 15, 8)
    ('rocket', 'a very l…')
    """
    if text.startswith(_OPEN) and text.endswith(_CLOSE):
        return _isolated(shortened(text[1:-1], limit_mm, size_pt, bold=bold))
    text = text[:400]  # nothing longer fits on a page, and measuring takes time
    if width_mm(text, size_pt, bold=bold) <= limit_mm:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if width_mm(text[:middle].rstrip() + "…", size_pt, bold=bold) <= limit_mm:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


def wrapped(text: str, limit_mm: float, size_pt: float, max_lines: int = 6) -> list[str]:
    """Break text into lines of at most a given width, at spaces.

    Parameters
    ----------
    text : str
        Any text.
    limit_mm : float
        Width of a line.
    size_pt : float
        Size of the letters.
    max_lines : int
        What comes after is cut off with an ellipsis.

    Returns
    -------
    list of str
        At least one line, which may be empty.

    Examples
    --------
    >>> wrapped("heavy strikes on the coalition", 25, 8)
    ['heavy strikes on', 'the coalition']
    """
    # A line that begins with a percent sign reads badly: the space before it does not break.
    words = " ".join(text.split()).replace(" %", "\u00a0%").split(" ")
    lines = [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if not lines[-1] or width_mm(longer, size_pt) <= limit_mm:
            lines[-1] = longer
        elif len(lines) == max_lines:
            lines[-1] = f"{longer} …"
            break
        else:
            lines.append(word)
    return [shortened(line, limit_mm, size_pt) for line in lines]


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move positions apart until neighbours are a gap away, as little as possible, inside limits if they fit.

    Parameters
    ----------
    wanted : sequence of float
        Where the labels would like to be, in any order.
    gap : float
        Least distance.
    low, high : float
        Limits.

    Returns
    -------
    list of float
        New positions in the same order.

    Examples
    --------
    >>> spread([5.0, 5.0, 9.0], 2.0, 0.0, 10.0)
    [4.0, 6.0, 9.0]
    """
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    # Groups of labels that touch: [mean of wanted positions less their offsets, size]. Neighbouring groups that
    # overlap are merged (the pool-adjacent-violators algorithm), which is the least-squares solution.
    groups: list[tuple[float, int]] = []
    for rank, i in enumerate(order):
        mean, size = wanted[i] - rank * gap, 1
        while groups and groups[-1][0] > mean:
            other, count = groups.pop()
            mean = (mean * size + other * count) / (size + count)
            size += count
        groups.append((mean, size))
    shifted = [mean for mean, size in groups for _ in range(size)]
    room = max(high - gap * (len(wanted) - 1), low)
    placed = [0.0] * len(wanted)
    for rank, i in enumerate(order):
        placed[i] = min(max(shifted[rank], low), room) + rank * gap
    return placed


def counting_rule(label: str, rule: str) -> str:
    """Give the sentence of a caption that says what is counted.

    Parameters
    ----------
    label : str
        What is counted.
    rule : str
        The counting rule.

    Returns
    -------
    str
        Without its full stop.

    Examples
    --------
    >>> counting_rule("heavy strike", "killed > 0")
    'Counting rule for heavy strikes: killed > 0'
    """
    return f"Counting rule for {noun(label)}: {plain(rule)}"


def at_right(
    ax: Axes,
    entries: Sequence[tuple[float, str, str, str]],
    *,
    size_pt: float = 7.0,
    limit_mm: float = 28.0,
    offset_pt: float = 5.0,
) -> None:
    """Label lines at their right end, in the margin, without overlaps.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The chart; its vertical limits must be final.
    entries : sequence of (y, name, value, colour)
        Height in data units; the name is written in bold and in colour, the value below it. Either may be empty.
    size_pt : float
        Size of the letters.
    limit_mm : float
        Width of the margin.
    offset_pt : float
        Distance from the Axes.
    """
    root = ax.figure
    assert root is not None
    height_pt = ax.bbox.height / root.dpi * 72.0
    bottom, top = ax.get_ylim()
    per_unit = height_pt / (top - bottom)
    line_pt = size_pt * 1.3
    texts = []
    for _, name, value, colour in entries:
        below = [line for line in wrapped(value, limit_mm, size_pt, 3) if line]
        title = [(shortened(name, limit_mm, size_pt, bold=True), "bold", colour)] if name else []
        texts.append(title + [(line, "normal", "#222222") for line in below])
    tallest = max((len(lines) for lines in texts), default=1)
    if tallest > 1 and len(texts) * (tallest * line_pt + 2.0) > height_pt + 8.0:
        # Too many for two lines each.
        texts = [
            [(shortened(f"{name}: {value}", limit_mm, size_pt, bold=True), "bold", colour)]
            for _, name, value, colour in entries
        ]
        tallest = 1
    gap = tallest * line_pt + 2.0
    middles = spread(
        [(y - bottom) * per_unit for y, *_ in entries],
        gap,
        gap / 2 - 4.0,
        height_pt - gap / 2 + 4.0,
    )
    for lines, middle in zip(texts, middles, strict=True):
        for i, (text, weight, colour) in enumerate(lines):
            ax.annotate(
                text,
                xy=(1, 0),
                xycoords="axes fraction",
                xytext=(offset_pt, middle + ((len(lines) - 1) / 2 - i) * line_pt),
                textcoords="offset points",
                ha="left",
                va="center",
                fontsize=size_pt,
                fontweight=weight,
                color=colour,
                annotation_clip=False,
            )
