"""Charts as pictures, against pictures that somebody has looked at.

The pictures are made from made-up results, so that only a change of the drawing changes them. After a change that is
meant, look at the new ones and keep them: ``TEMPO_WRITE_PICTURES=1 pytest tests/figures/test_pictures.py``.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest

from tempo.figures import render

FOLDER = Path(__file__).parent / "baseline"
CHARTS = [
    "timeline", "tempo", "n_changes", "deadliness", "shared", "alarm", "intensity", "forecast", "odds", "scenarios",
    "indicators",
]  # fmt: skip
# Mean difference of grey levels (0 to 255). Moving one label by a millimetre gives about 0.4.
TOLERANCE = 0.1


def pixels(data: bytes) -> np.ndarray:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"), dtype=float)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    if one.shape != other.shape:
        return float("inf")
    return float(np.abs(one - other).mean())


@pytest.mark.parametrize("chart", CHARTS)
def test_picture(chart, drawn, tmp_path) -> None:
    data = render(drawn(chart).figure, "png", dpi=80)
    kept = FOLDER / f"{chart}.png"
    if os.environ.get("TEMPO_WRITE_PICTURES"):
        FOLDER.mkdir(exist_ok=True)
        kept.write_bytes(small(data))
    found = difference(pixels(small(data)), pixels(kept.read_bytes()))
    (tmp_path / f"{chart}.png").write_bytes(data)
    assert found < TOLERANCE, f"{chart} changed by {found:.2f}; see {tmp_path / f'{chart}.png'}"


def small(data: bytes) -> bytes:
    """Reduce a picture to 64 colours, which halves its size."""
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(data)) as picture:
        picture.convert("RGB").quantize(64).save(buffer, "png", optimize=True)
    return buffer.getvalue()


def test_comparison_sees_small_changes(drawings) -> None:
    ax = drawings["odds"]()
    before = pixels(render(ax.figure, "png", dpi=80))
    label = next(text for text in ax.texts if text.get_text() == "sporadic")
    x, y = label.get_position()
    label.set_position((x, y + 3))
    assert difference(before, pixels(render(ax.figure, "png", dpi=80))) > 0.5 * TOLERANCE
