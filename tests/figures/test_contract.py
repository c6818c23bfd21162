"""Every chart: same manner of calling, no traces left behind, and the essentials on its face."""

from __future__ import annotations

import inspect
import warnings

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from matplotlib.axes import Axes

from tempo import figures
from tempo.figures import caption_of, render

CHARTS = [
    "timeline", "tempo", "counts", "n_changes", "deadliness", "shared", "alarm", "intensity", "forecast", "odds",
    "scenarios", "indicators",
]  # fmt: skip
WITHOUT_INTERVALS = {"timeline", "counts", "n_changes", "shared", "alarm", "odds", "indicators"}
FUNCTIONS = sorted(name for name in figures.__all__ if name.startswith("plot_"))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signature(name: str) -> None:
    signature = inspect.signature(getattr(figures, name))
    parameters = list(signature.parameters.values())
    assert parameters[0].default is inspect.Parameter.empty
    assert signature.parameters["ax"].default is None
    assert signature.return_annotation == "Axes"
    for parameter in parameters:
        assert parameter.kind in {
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            inspect.Parameter.KEYWORD_ONLY,
        }
        assert parameter.annotation is not inspect.Parameter.empty


@pytest.mark.parametrize("chart", CHARTS)
def test_draws_on_a_new_figure_without_traces(chart, drawings) -> None:
    before = dict(mpl.rcParams)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = drawings[chart]()
        render(ax.figure, "png", dpi=50)
    assert isinstance(ax, Axes)
    assert plt.get_fignums() == [ax.figure.number]
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("chart", CHARTS)
def test_draws_on_the_axes_given(chart, drawings) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 3), layout="constrained")
    assert drawings[chart](ax=right) is right
    assert plt.get_fignums() == [figure.number]
    assert not left.has_data()
    assert right.has_data() or right.child_axes
    figure.draw_without_rendering()


@pytest.mark.parametrize("chart", CHARTS)
def test_essentials_stand_on_its_face(chart, drawn) -> None:
    caption = caption_of(drawn(chart))
    assert "Counting rule for attacks: " in caption
    assert "Data to 11 March 2020 (before 12 March)." in caption
    if chart not in WITHOUT_INTERVALS:
        assert "90 % interval" in caption


@pytest.mark.parametrize("chart", CHARTS)
def test_words_do_not_run_into_each_other(chart, drawn, assert_readable) -> None:
    assert_readable(drawn(chart))


@pytest.mark.parametrize("chart", CHARTS)
def test_no_title_and_no_rotated_axis_label(chart, drawn) -> None:
    ax = drawn(chart)
    assert ax.get_title() == ""
    assert ax.get_xlabel() == ax.get_ylabel() == ""


def test_settings_of_the_user_do_not_change_the_drawing(drawings) -> None:
    plain = render(drawings["odds"]().figure, "svg")
    with mpl.rc_context(
        {"font.size": 20, "axes.grid": True, "figure.constrained_layout.use": True}
    ):
        assert render(drawings["odds"]().figure, "svg") == plain


@pytest.mark.parametrize("kind", ["pdf", "svg"])
def test_files_are_the_same_every_time(kind, drawings, monkeypatch) -> None:
    chart = "scenarios"
    first = render(drawings[chart]().figure, kind)
    monkeypatch.setenv(
        "SOURCE_DATE_EPOCH", "86400"
    )  # matplotlib would write this date, if it wrote any
    assert render(drawings[chart]().figure, kind) == first


def test_pdf_embeds_its_fonts(drawn) -> None:
    from io import BytesIO

    from pypdf import PdfReader

    page = PdfReader(BytesIO(render(drawn("odds").figure, "pdf"))).pages[0]
    fonts = [font.get_object() for font in page["/Resources"]["/Font"].values()]
    assert fonts
    for font in fonts:
        inner = font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
        assert "/FontFile2" in inner["/FontDescriptor"].get_object()
    assert "Counting rule" in " ".join(page.extract_text().split())


def test_render_refuses_other_formats(drawn) -> None:
    from tempo.errors import OptionError

    with pytest.raises(OptionError, match="jpg"):
        render(drawn("odds").figure, "jpg")


def test_palette_is_told_apart_in_grey_and_by_the_colour_blind() -> None:
    """Neighbours differ in lightness, and every pair differs for the commonest colour blindness."""
    import itertools

    import numpy as np

    from tempo.figures import style

    colours = np.array([mpl.colors.to_rgb(c) for c in style.PALETTE])
    grey = colours @ [0.299, 0.587, 0.114]
    assert (np.abs(np.diff(grey)) > 0.06).all()
    # Machado, Oliveira & Fernandes (2009), deuteranomaly of severity 1.
    deutan = np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    )
    seen = colours @ deutan.T
    for i, j in itertools.combinations(range(len(seen)), 2):
        assert np.linalg.norm(seen[i] - seen[j]) > 0.15, (style.PALETTE[i], style.PALETTE[j])


def test_letters_are_dark_enough_to_read() -> None:
    import numpy as np

    from tempo.figures import style

    def luminance(colour: str) -> float:
        channels = np.array(mpl.colors.to_rgb(colour))
        linear = np.where(
            channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        return float(linear @ [0.2126, 0.7152, 0.0722])

    for colour in [*style.PALETTE, style.GREY]:
        contrast = 1.05 / (luminance(style.letters(colour)) + 0.05)
        assert contrast >= 3.8, colour
