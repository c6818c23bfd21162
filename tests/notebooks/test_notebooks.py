"""Each notebook runs, prints again what is stored in it, and its key numbers are those of the text around them."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# Cells with this tag need real data that may not be shipped: what they say is compared only where the data are.
NEEDS_DATA = "needs-shared-data"
DATA = Path(os.environ.get("TEMPO_TEST_DATA", ROOT.parent / "shared" / "data"))
# Opening sockets for a kernel and closing them is the business of Jupyter.
quiet = pytest.mark.filterwarnings("default::ResourceWarning", "default::DeprecationWarning")


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "run_notebooks", ROOT / ".ci" / "run_notebooks.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _runs(cell: nbformat.NotebookNode) -> bool:
    """Whether it is a code cell whose data are here."""
    needs = NEEDS_DATA in cell.metadata.get("tags", [])
    return cell.cell_type == "code" and (DATA.is_dir() or not needs)


def _texts(notebook: nbformat.NotebookNode) -> list[str]:
    """What each code cell says, pictures left out."""
    found = []
    for cell in notebook.cells:
        if _runs(cell):
            parts = []
            for output in cell.outputs:
                if output.output_type == "stream":
                    parts.append(output.text)
                elif "image/png" not in output.data:
                    parts.append(output.data["text/plain"])
            found.append("\n".join(parts).strip())
    return found


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def pair(request: pytest.FixtureRequest) -> tuple[nbformat.NotebookNode, nbformat.NotebookNode]:
    """A notebook as stored, and as it runs now."""
    path = request.param
    return nbformat.read(path, as_version=4), _tool().run(path)


@quiet
def test_it_says_again_what_is_stored(
    pair: tuple[nbformat.NotebookNode, nbformat.NotebookNode],
) -> None:
    stored, fresh = pair
    assert _texts(fresh) == _texts(stored), "if that is meant, run: make notebooks"
    assert any(_texts(stored))


@quiet
def test_every_chart_is_shown(pair: tuple[nbformat.NotebookNode, nbformat.NotebookNode]) -> None:
    for notebook in pair:
        for cell in notebook.cells:
            if _runs(cell) and "tempo.plot_" in cell.source:
                kinds = {kind for o in cell.outputs if "data" in o for kind in o.data}
                assert "image/png" in kinds, cell.source


@quiet
def test_nothing_stored_tells_of_a_machine(
    pair: tuple[nbformat.NotebookNode, nbformat.NotebookNode],
) -> None:
    text = "\n".join(_texts(pair[0]))
    assert not re.search(r"ipykernel_|site-packages|0x[0-9a-f]{6,}", text)


@quiet
def test_the_march_2020_question(
    pair: tuple[nbformat.NotebookNode, nbformat.NotebookNode], request: pytest.FixtureRequest
) -> None:
    said = "\n".join(_texts(pair[1]))
    prose = "\n".join(c.source for c in pair[1].cells if c.cell_type == "markdown")
    if "Camp Taji" not in prose:
        return  # another notebook, with tests of its own
    # what the text around the cells relies on
    assert "4 heavy strikes; 10 more rows cannot be decided" in said
    assert "days between heavy strikes: [9, 49, 75]" in said
    assert "P(no change) = 0.001" in said
    assert "2.1 times as probable under 'escalation'" in said
    assert "heavy strikes within 30, 60, 90 and 180 days: [1, 1, 1, 2]" in said
    assert re.search(r"30 days +0\.32 +0\.36 +0\.45", said)
    assert re.search(r"^0 +0\.44 +0\.07 +0\.19 +0\.74 +0\.26$", said, re.MULTILINE)
    assert "gaps of 9, 49 and 75 days" in prose


@quiet
def test_when_did_the_tempo_change(
    pair: tuple[nbformat.NotebookNode, nbformat.NotebookNode],
) -> None:
    said = "\n".join(_texts(pair[1]))
    prose = "\n".join(c.source for c in pair[1].cells if c.cell_type == "markdown")
    if "When did the tempo change?" not in prose:
        return
    assert "P(three changes or more) = 1.000" in said
    assert "most probable number: 6, with probability 0.16" in said
    assert re.search(r"^2 +2019-10-30 2019-10-\d\d 2019-1\d-\d\d$", said, re.MULTILINE)
    assert "decided: False" in said
    assert "P(contagion) = 0.99, P(the baseline changed) = 0.54" in said
    assert "for a change that it dates to 2019-10-30" in said
    assert "17 November to 03 December 2019" in said
    assert re.search(r"^2020-07-21 +0\.3\d +0\.9\d$", said, re.MULTILINE)
    assert re.search(r"^only how often \(attacks\) +0\.5\d$", said, re.MULTILINE)
    if not DATA.is_dir():
        return
    # the two busy stretches of Iraq 2003-2018 by events, and 2014-17 by deaths
    assert "7,074 events in the window" in said
    assert re.search(r"^4 +2008-06-01 2008-04-01 2008-08-01 ", said, re.MULTILINE)
    assert re.search(r"^6 +2013-05-01 2013-05-01 2013-05-01 ", said, re.MULTILINE)
    assert re.search(r"^7 +2017-08-01 2017-07-01 2017-09-01 ", said, re.MULTILINE)
    assert re.search(r"^6 +2014-06-01 2014-04-01 2014-06-01 ", said, re.MULTILINE)
    assert re.search(r"^3 2006-04-05 .* 2007-02-14 ", said, re.MULTILINE)
    assert re.search(r"^5 2013-05-15 .* 2017-07-12 ", said, re.MULTILINE)


@quiet
def test_cells_without_their_data_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = nbformat.read(ROOT / "notebooks" / "03-regimes.ipynb", as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    tagged = [cell for cell in notebook.cells if NEEDS_DATA in cell.metadata.get("tags", [])]
    assert len(tagged) > 5
    notebook.cells = [first, *tagged]
    nbformat.write(notebook, tmp_path / "without.ipynb")
    monkeypatch.setenv("TEMPO_TEST_DATA", str(tmp_path / "absent"))
    said, *silent = [cell.outputs for cell in _tool().run(tmp_path / "without.ipynb").cells[1:]]
    assert "The UCDP file is not here, so the rest of this notebook was skipped" in said[0].text
    assert not any(silent)
