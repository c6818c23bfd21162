"""The README: its example runs and prints what it says, its numbers are those of the PDF, its picture is tempo's."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image
from pypdf import PdfReader
from typer.testing import CliRunner

from tempo.cli import app

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tool(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "refresh_readme", repository / ".ci" / "refresh_readme.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def run(tool: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    """What the example printed, and the folder it ran in."""
    folder = tmp_path_factory.mktemp("readme")
    return tool.printed(folder), folder


def _joined(text: str) -> str:
    return " ".join(text.split())


def test_the_example_has_ten_lines(tool: ModuleType) -> None:
    lines = [line for line in tool.example().splitlines() if line.strip()]
    assert len(lines) <= 10


def test_the_example_prints_what_the_readme_says(
    tool: ModuleType, run: tuple[list[str], Path]
) -> None:
    shown = tool.OUTPUT.search(tool.README.read_text(encoding="utf-8"))[2]
    assert _joined(shown) == _joined("\n".join(f"- {line}" for line in run[0]))


def test_the_key_numbers(run: tuple[list[str], Path]) -> None:
    """Written down here too, so that a change of the numbers is noticed and not only carried along."""
    text = "\n".join(run[0])
    edge = "likely (55 %, on the edge of a roughly even chance)"
    assert f"{edge} that at least one heavy strike occurs in the next 30 days" in text
    assert "very likely (83 %) that at least one heavy strike occurs in the next 90 days" in text
    assert "between 0 and 11 (90 % interval)" in text
    assert "roughly even chance (48 %) that the escalation scenario" in text


def test_every_number_of_the_readme_stands_in_the_pdf(run: tuple[list[str], Path]) -> None:
    pages = PdfReader(run[1] / "briefing.pdf").pages
    text = _joined(" ".join(page.extract_text() for page in pages)).replace(
        "\N{NO-BREAK SPACE}", " "
    )
    numbers = {n for line in run[0] for n in re.findall(r"\d[\d.,]*\d|\d", line)}
    assert len(numbers) > 10
    assert sorted(n for n in numbers if n not in text) == []
    for line in run[0]:
        assert _joined(line).split(". ")[0] in text


def test_the_command_line_writes_the_same_bytes(
    run: tuple[list[str], Path], tmp_path: Path
) -> None:
    target = tmp_path / "cli.pdf"
    result = CliRunner().invoke(app, ["brief", "--as-of", "2020-03-12", "-o", str(target)])
    assert result.exit_code == 0, result.output
    same = target.read_bytes() == (run[1] / "briefing.pdf").read_bytes()
    assert same  # pytest would compare two files of this size for minutes


def test_the_picture_is_what_tempo_draws(tool: ModuleType) -> None:
    with mpl.rc_context({"backend": "agg"}):
        drawn = np.asarray(tool.draw(), dtype=float)
    stored = np.asarray(Image.open(tool.PICTURE).convert("RGB"), dtype=float)
    assert drawn.shape == stored.shape
    assert (
        np.abs(drawn - stored).mean() < 1.0
    )  # of 255: a reduced palette and other font hinting stay below
    assert stored.std() > 10  # and it is no blank page


def test_every_relative_link_leads_somewhere(tool: ModuleType, repository: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", tool.README.read_text(encoding="utf-8"))
    assert len(links) > 5
    assert [link for link in links if not (repository / link).exists()] == []


def test_the_command_line_page_names_every_option(repository: Path) -> None:
    page = (repository / "docs" / "command-line.md").read_text(encoding="utf-8")
    options = set()
    for command in ("brief", "check"):
        shown = CliRunner().invoke(app, [command, "--help"]).output
        options |= set(re.findall(r"--[a-z][a-z-]+", shown)) - {"--help"}
    assert len(options) > 15
    assert sorted(option for option in options if option not in page) == []
