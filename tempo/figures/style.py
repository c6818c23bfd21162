"""How tempo's charts look: one style sheet, one canvas, and files that come out the same every time.

The style is applied through a context and never written into the global ``rcParams``. Every chart says in its
caption by what rule it counts, where the data end and what its bands hold, so that a chart cut out of a report
can still be read. Colours are from Okabe and Ito's palette, ordered so that neighbours differ in grey as well;
no meaning rests on colour alone.

References
----------
Okabe, M. & Ito, K. (2008). *Color universal design: how to make figures and presentations that are friendly to
colorblind people*.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from tempo.data.rounding import number
from tempo.errors import OptionError
from tempo.figures.labels import shortened, width_mm, wrapped

__all__ = [
    "BLUE",
    "FONT",
    "GREEN",
    "GREY",
    "INK",
    "ORANGE",
    "PALE",
    "PALETTE",
    "PURPLE",
    "RULE",
    "SKY",
    "SMALL_PT",
    "TEXT_PT",
    "VERMILLION",
    "WIDTH_MM",
    "axes_size_mm",
    "canvas",
    "caption_of",
    "context",
    "dress",
    "headline",
    "left_margin_mm",
    "letters",
    "render",
    "steps",
    "value_axis",
]

# Okabe and Ito's colours, without the yellow, which is lost on paper.
BLUE, ORANGE, GREEN = "#0072B2", "#E69F00", "#009E73"
VERMILLION, SKY, PURPLE = "#D55E00", "#56B4E9", "#CC79A7"
INK, GREY, RULE, PALE = "#222222", "#666666", "#BDBDBD", "#E6E6E6"
#: Colours of categories; neighbours differ in lightness too. What comes after the last is drawn in grey.
PALETTE = (BLUE, ORANGE, VERMILLION, SKY, GREEN, PURPLE, INK)
# Light colours do for areas and lines; letters in them would be hard to read.
_DARKER = {ORANGE: "#946500", SKY: "#1D78AB", PURPLE: "#A34A7C", GREEN: "#007A59"}

WIDTH_MM = 165.0  # text width of an A4 page with 22.5 mm margins
TEXT_PT, SMALL_PT = 8.0, 7.0
FONT = "DejaVu Sans"  # comes with matplotlib, so every machine draws the same letters; knows Arabic

MM_PER_INCH, PT_PER_INCH = 25.4, 72.0
_CAPTION_DROP_PT = 29.0  # room for two lines of tick labels
_LINE = 1.3
_MOST_CORNERS = 20_000

_SHEET: Any = {  # a mapping; matplotlib types it by listing every setting there is
    "axes.axisbelow": True,
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.formatter.use_mathtext": False,
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.labelsize": SMALL_PT,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 150,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": False,
    "figure.autolayout": False,
    "font.family": [FONT],
    "font.size": TEXT_PT,
    "hatch.color": RULE,
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "patch.linewidth": 0.0,
    "path.simplify": True,
    "text.color": INK,
    "text.parse_math": False,  # names from data may hold $, ^ and _
    "text.usetex": False,
    "xtick.color": GREY,
    "ytick.color": GREY,
}
# Read only when a file is written.
_FILE: Any = {
    "pdf.compression": 6,
    "pdf.fonttype": 42,  # whole TrueType outlines, so that text can be searched and copied
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "tempo",
    "svg.id": "tempo",
}
_METADATA: dict[str, dict[str, str | None]] = {
    "pdf": {"Creator": "tempo", "Producer": "tempo", "CreationDate": None},
    "png": {"Software": "tempo"},
    "svg": {"Creator": "tempo", "Date": None},
}


@contextmanager
def context() -> Iterator[None]:
    """Give the style sheet to everything drawn inside the ``with`` block, and to nothing else.

    Yields
    ------
    None
        On leaving, every global setting is what it was.

    Examples
    --------
    >>> before = mpl.rcParams["font.size"]
    >>> with context():
    ...     inside = mpl.rcParams["font.size"]
    >>> inside, mpl.rcParams["font.size"] == before
    (8.0, True)
    """
    with mpl.rc_context(_SHEET):
        yield
        # The first figure loads the backend, and that of notebooks turns this on so that figures show by themselves.
        interactive = mpl.is_interactive()
    mpl.interactive(interactive)


def canvas(
    ax: Axes | None,
    *,
    caption: Sequence[str],
    height_mm: float = 58.0,
    left_mm: float = 12.0,
    right_mm: float = 30.0,
    top_mm: float = 8.0,
    caption_from_mm: float = 0.0,
) -> Axes:
    """Give the Axes to draw on: the caller's own, or those of a new figure of A4 column width.

    Margins are fixed and not fitted, so that charts stacked on a page stand flush. The caption is wrapped to the
    width and the figure made high enough for it.

    Parameters
    ----------
    ax : matplotlib.axes.Axes or None
        The caller's Axes, or None for a new figure.
    caption : sequence of str
        Sentences that stand below the chart, without their full stops; empty ones are left out.
    height_mm : float
        Height of the drawing area of a new figure.
    left_mm, right_mm, top_mm : float
        Margins of a new figure, for labels.
    caption_from_mm : float
        How far left of the Axes the caption begins.

    Returns
    -------
    matplotlib.axes.Axes
        Styled, captioned, and otherwise empty if they were.

    Raises
    ------
    OptionError
        If ``ax`` is something else.
    """
    text = " ".join(f"{part.rstrip('.')}." for part in caption if part)
    if ax is not None and not isinstance(ax, Axes):
        raise OptionError(
            f"ax is a {type(ax).__name__}; expected one matplotlib Axes, such as plt.subplots()[1], or None for a new "
            "figure."
        )
    if ax is not None:
        width_mm = axes_size_mm(ax)[0] + caption_from_mm
        lines = wrapped(text, width_mm, SMALL_PT)
    else:
        import matplotlib.pyplot as plt

        inner_mm = WIDTH_MM - left_mm - right_mm
        lines = wrapped(text, WIDTH_MM - left_mm + caption_from_mm - 3.0, SMALL_PT)
        below_pt = _CAPTION_DROP_PT + len(lines) * SMALL_PT * _LINE + 4.0
        below_mm = below_pt / PT_PER_INCH * MM_PER_INCH
        total_mm = top_mm + height_mm + below_mm
        figure = plt.figure(figsize=(WIDTH_MM / MM_PER_INCH, total_mm / MM_PER_INCH))
        ax = figure.add_axes(
            (
                left_mm / WIDTH_MM,
                below_mm / total_mm,
                inner_mm / WIDTH_MM,
                height_mm / total_mm,
            )
        )
    dress(ax)
    ax.annotate(
        "\n".join(lines),
        xy=(0, 0),
        xycoords="axes fraction",
        xytext=(-caption_from_mm / MM_PER_INCH * PT_PER_INCH, -_CAPTION_DROP_PT),
        textcoords="offset points",
        ha="left",
        va="top",
        fontsize=SMALL_PT,
        color=GREY,
        linespacing=_LINE,
        annotation_clip=False,
        gid="caption",
    )
    return ax


def dress(ax: Axes) -> None:
    """Style Axes that may have been made outside the context.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The chart.
    """
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set(color=RULE, linewidth=0.6)
    ax.tick_params(
        which="both",
        color=RULE,
        labelcolor=GREY,
        labelsize=SMALL_PT,
        labelfontfamily=FONT,
        length=2.5,
        width=0.6,
        pad=2.5,
    )


def letters(colour: str) -> str:
    """Give the colour in which to write about something drawn in a colour: dark enough to read.

    Parameters
    ----------
    colour : str
        One of the palette.

    Returns
    -------
    str
        The same or a darker shade.

    Examples
    --------
    >>> letters(BLUE) == BLUE, letters(ORANGE)
    (True, '#946500')
    """
    return _DARKER.get(colour, colour)


def caption_of(ax: Axes) -> str:
    """Give back the caption of a chart, as one line; for alternative texts and tests.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        What a ``plot_*`` function returned.

    Returns
    -------
    str
        The caption, empty if there is none.
    """
    found = [text.get_text() for text in ax.texts if text.get_gid() == "caption"]
    return " ".join(" ".join(found).split())


def axes_size_mm(ax: Axes) -> tuple[float, float]:
    """Give width and height of the Axes in millimetres.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Any Axes, inset ones too.

    Returns
    -------
    (float, float)
        On paper, at the present size of the figure.
    """
    root = ax.figure
    assert root is not None
    dpi = root.get_figure(root=True).dpi
    box = ax.bbox
    return box.width / dpi * MM_PER_INCH, box.height / dpi * MM_PER_INCH


def headline(
    ax: Axes,
    text: str,
    *,
    x: float = 0.0,
    colour: str = GREY,
    lift_pt: float = 5.0,
    spare_mm: float = 0.0,
) -> None:
    """Write what the upright axis measures above it, where it reads without turning the head.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The chart.
    text : str
        For example ``"attacks in 7 days"``.
    x : float
        Where, as a share of the width.
    colour : str
        Of the letters.
    lift_pt : float
        Distance above the Axes.
    spare_mm : float
        Room to the right of the Axes that the text may use; what is longer is cut.
    """
    room = axes_size_mm(ax)[0] * (1 - x) + spare_mm
    ax.annotate(
        shortened(text, room, SMALL_PT),
        xy=(x, 1),
        xycoords="axes fraction",
        xytext=(0, lift_pt),
        textcoords="offset points",
        ha="left",
        va="bottom",
        fontsize=SMALL_PT,
        color=colour,
        annotation_clip=False,
    )


def left_margin_mm(top: float) -> float:
    """Give the left margin that leaves room for the tick labels of an axis of whole numbers.

    Parameters
    ----------
    top : float
        Highest value drawn.

    Returns
    -------
    float
        Millimetres.
    """
    return max(12.0, width_mm(number(round(top), 12), SMALL_PT) + 4.5)


def value_axis(ax: Axes, top: float, *, whole: bool = False, ticks: int = 4) -> None:
    """Set the upright axis from 0 to a little above the highest value, with few, plain ticks.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The chart.
    top : float
        Highest value drawn.
    whole : bool
        Whether only whole numbers make sense.
    ticks : int
        About how many steps at most.
    """
    from matplotlib.ticker import MaxNLocator

    top = top if top > 0 else 1.0
    ax.set_ylim(0, 1.06 * top)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=ticks, integer=whole, min_n_ticks=2))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 6)))


def steps(
    ax: Axes,
    values: NDArray[np.float64],
    edges: NDArray[np.float64],
    *,
    colour: str,
    gid: str,
    baseline: NDArray[np.float64] | float | None = 0.0,
    opacity: float = 1.0,
    linewidth: float = 0.0,
    zorder: float = 1.0,
) -> None:
    """Draw values that hold for a bin each: an area down to the baseline, or a line if there is no baseline.

    Limits of the Axes are left alone, which spares matplotlib a look at each corner. Beyond 20,000 bins the area is
    drawn as pixels in vector files too, because nobody can see its corners there.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The chart.
    values : ndarray, shape (n,)
        NaN where nothing is drawn.
    edges : ndarray, shape (n + 1,)
        Of the bins.
    colour : str
        Of area or line.
    gid : str
        What it is, for finding it again.
    baseline : ndarray, float or None
        Lower edge of the area.
    opacity, linewidth, zorder : float
        As in matplotlib.
    """
    area = baseline is not None
    lower: Any = baseline  # matplotlib's annotation knows of numbers only
    patch = StepPatch(
        values,
        edges,
        baseline=lower,
        fill=area,
        facecolor=colour if area else "none",
        edgecolor="none" if area else colour,
        alpha=opacity,
        linewidth=linewidth,
        zorder=zorder,
        gid=gid,
        rasterized=len(values) > _MOST_CORNERS,
    )
    ax.add_artist(patch)


def render(figure: Figure, kind: str = "pdf", *, dpi: float = 200.0) -> bytes:
    """Give a figure as the bytes of a file, the same bytes for the same figure every time.

    Fonts are embedded (PDF) or drawn as outlines (SVG), and no date is written into the file.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    kind : {"pdf", "svg", "png"}
        File format; the first two are vector formats.
    dpi : float
        Resolution of PNG files, and of the parts of vector files that are drawn as pictures.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    OptionError
        If the format is not one of the three.

    Examples
    --------
    >>> render(Figure(), "svg") == render(Figure(), "svg")
    True
    """
    if kind not in _METADATA:
        raise OptionError(
            f"kind is {kind!r}; charts are written as {', '.join(sorted(_METADATA))}."
        )
    buffer = io.BytesIO()
    with mpl.rc_context({**_SHEET, **_FILE}):
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=_METADATA[kind])
    return buffer.getvalue()
