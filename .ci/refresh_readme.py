"""Bring README.md up to date: run its example, put what it prints below it, and draw the picture again.

The tests run the same functions and compare, so that the README cannot fall behind.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
import textwrap
import warnings
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from PIL import Image

import tempo
from tempo.briefing.analysis import analyse
from tempo.errors import TempoWarning
from tempo.figures.style import render

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "_static" / "tempo.png"
OUTPUT = re.compile(r"(<!-- what the example prints -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def example() -> str:
    """Give the code of the README's example."""
    return re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[0]


def printed(folder: Path) -> list[str]:
    """Run the example in a folder of its own and give the lines that it prints."""
    command = [sys.executable, "-c", example()]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def draw() -> Image.Image:
    """Give the picture: the tempo of all attacks, above the two scenarios as the example weighs them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TempoWarning)
        incidents = tempo.load_dataset("iraq-coalition").before("2020-03-12")
        heavy = incidents.where("killed > 0 or munitions >= 10", label="heavy strikes")
        scenarios = [
            tempo.Scenario.every("2-3 months", name="sporadic"),
            tempo.Scenario.escalation(heavy, rate_multiplier=(3, 8), name="escalation"),
        ]
        analysis = analyse(heavy, as_of="2020-03-12", scenarios=scenarios, prior=[0.7, 0.3])
        daily = incidents.counts("1D", rng=7)
        charts = [
            tempo.plot_tempo(daily, shifts=tempo.Changepoints().fit(daily)),
            tempo.plot_scenarios(analysis.weights),
        ]
    parts = []
    for ax in charts:
        data = render(ax.figure, "png", dpi=150)
        parts.append(Image.open(io.BytesIO(data)).convert("RGB"))
        plt.close(ax.figure)
    size = max(part.width for part in parts), sum(part.height for part in parts)
    picture = Image.new("RGB", size, "white")
    top = 0
    for part in parts:
        picture.paste(part, (0, top))
        top += part.height
    return picture


if __name__ == "__main__":
    mpl.use("agg")
    draw().quantize(128).save(PICTURE, optimize=True)
    with tempfile.TemporaryDirectory() as folder:
        lines = printed(Path(folder))
    listed = "\n".join(textwrap.fill(f"- {line}", 120, subsequent_indent="  ") for line in lines)
    text = README.read_text(encoding="utf-8")
    README.write_text(OUTPUT.sub(lambda m: f"{m[1]}{listed}\n{m[3]}", text), encoding="utf-8")
    print(f"{README.name}, {PICTURE.name}")
