"""Each notebook runs, prints again what is stored in it, and its key numbers are those of the text around them."""

from __future__ import annotations

import ast
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
            warned, parts = [], []
            for output in cell.outputs:
                if output.output_type == "stream":
                    (warned if output.name == "stderr" else parts).append(output.text)
                elif "image/png" not in output.data:
                    parts.append(output.data["text/plain"])
            # Warnings and what is printed come through two pipes, in either order.
            found.append("\n".join([*warned, *parts]).strip())
    return found


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def pair(request: pytest.FixtureRequest) -> tuple[nbformat.NotebookNode, nbformat.NotebookNode]:
    """A notebook as stored, and as it runs now."""
    path = request.param
    return nbformat.read(path, as_version=4), _tool().run(path)


NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")


def _agree(one: str, other: str) -> bool:
    """Whether two texts say the same: words alike, decimals and percentages to one unit of the last digit shown.

    On another processor the last bit of a result may differ, which moves a number that stands on the edge of rounding.
    """
    if [NUMBER.sub("#", word) for word in one.split()] != [
        NUMBER.sub("#", word) for word in other.split()
    ]:
        return False
    for a, b in zip(NUMBER.finditer(one), NUMBER.finditer(other), strict=True):
        if a[0] != b[0]:
            places = {len(m[0].partition(".")[2]) for m in (a, b)}
            percent = re.match(r" ?%", one[a.end() :])
            if len(places) > 1 or "e" in a[0] + b[0] or not (places != {0} or percent):
                return False
            unit = 10.0 ** -places.pop()
            if abs(float(a[0].replace(",", "")) - float(b[0].replace(",", ""))) > 1.001 * unit:
                return False
    return True


def test_what_counts_as_saying_the_same() -> None:
    assert _agree("rate 0.17 (12 %), 4 rows", "rate  0.18 (13 %), 4 rows")
    for other in (
        "rate 0.19 (12 %), 4 rows",
        "rate 0.17 (14 %), 4 rows",
        "rate 0.17 (12 %), 5 rows",
    ):
        assert not _agree("rate 0.17 (12 %), 4 rows", other)
    assert not _agree("rate 0.17", "rate 0.175")
    assert not _agree("likely 0.17", "unlikely 0.17")
    assert not _agree("2020-03-11", "2020-03-12")


@quiet
def test_it_says_again_what_is_stored(
    pair: tuple[nbformat.NotebookNode, nbformat.NotebookNode],
) -> None:
    stored, fresh = map(_texts, pair)
    assert any(stored)
    assert len(stored) == len(fresh)
    changed = [both for both in zip(fresh, stored, strict=True) if not _agree(*both)]
    assert not changed, "if that is meant, run: make notebooks"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_stored_number_comes_from_a_sampler_that_one_bit_can_turn(path: Path) -> None:
    """The default method of Hawkes models is NUTS, whose chains part at the last bit of a likelihood."""
    calls = [
        node
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code"
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call)
    ]
    fits = [
        call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "fit"
    ]
    for call in fits:
        assert isinstance(call.func, ast.Attribute)
        made = ast.unparse(call.func.value)
        method = {key.arg: ast.unparse(key.value) for key in call.keywords}.get("method", "")
        assert method != "'nuts'", made
        if re.match(r"tempo\.Hawkes(Kinds)?\(", made):
            assert method in {"'laplace'", "'mle'"}, f"{made}.fit: method={method or 'nuts'}"
    assert fits or "plot" in path.stem


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
    if "One strike every two months" not in prose:
        return  # another notebook, with tests of its own
    # what the text around the cells relies on
    assert "4 heavy strikes; 10 more rows cannot be decided" in said
    assert "days between heavy strikes: [9, 49, 75]" in said
    assert "P(no change) = 0.001" in said
    assert "2.1 times as probable under 'escalation'" in said
    assert "heavy strikes within 30, 60, 90 and 180 days: [1, 1, 1, 2]" in said
    assert "rows that cannot be decided: [0, 0, 1, 13]" in said
    assert re.search(r"30 days +0\.33 +0\.36 +0\.45", said)
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
    assert "16 November to 03 December 2019" in said
    assert re.search(r"^2020-07-21 +0\.3\d +0\.9\d$", said, re.MULTILINE)
    assert re.search(r"^only how often \(attacks\) +0\.5\d$", said, re.MULTILINE)
    if not DATA.is_dir():
        return
    # the two busy stretches of Iraq 2003-2018 by events, and 2014-17 by deaths
    assert "7,074 events in the window" in said
    assert re.search(r"^4 +2008-06-01 2007-12-01 2008-11-01 ", said, re.MULTILINE)
    assert re.search(r"^6 +2013-05-01 2013-05-01 2013-05-01 ", said, re.MULTILINE)
    assert re.search(r"^7 +2017-08-01 2017-07-01 2017-09-01 ", said, re.MULTILINE)
    assert re.search(r"^6 +2014-06-01 2014-04-01 2014-06-01 ", said, re.MULTILINE)
    assert re.search(r"^3 2006-04-05 .* 2007-02-14 ", said, re.MULTILINE)
    assert re.search(r"^5 2013-05-15 .* 2017-07-12 ", said, re.MULTILINE)


@quiet
def test_do_attacks_trigger_attacks(
    pair: tuple[nbformat.NotebookNode, nbformat.NotebookNode],
) -> None:
    said = "\n".join(_texts(pair[1]))
    prose = "\n".join(c.source for c in pair[1].cells if c.cell_type == "markdown")
    if not prose.startswith("# Do attacks trigger attacks?"):
        return
    # what the text around the cells relies on
    assert re.search(r"^branching_ratio +0\.7[3-7] +0\.1\d +0\.5\d +0\.9\d$", said, re.MULTILINE)
    assert "The probability of contagion is 99 %" in said
    assert re.search(
        r"with a steady baseline 0\.7[3-7]; averaged over the accounts 0\.[67]\d", said
    )
    assert re.search(r"^2020-03-11 +1\.0 +0\.2[78] ", said, re.MULTILINE)
    assert re.search(r"after 8 heavy strikes: +0\.1\d \(0\.0\d to 0\.\d\d\)", said)
    assert re.search(r"exponent of deaths: -?0\.\d \(-0\.\d to 0\.\d\)", said)
    if not DATA.is_dir():
        return
    assert "last report that names Samarra: 2007-07-15" in said
    assert re.search(
        r"^2004-01 to 2008-01 +1520 +0\.9\d +0\.9\d to 1\.0\d +True", said, re.MULTILINE
    )
    assert re.search(r"^2006-01 to 2007-07 +577 +0\.4\d +", said, re.MULTILINE)
    assert re.search(r"^4 +2007-07-12 2007-0[67]-\d\d 2007-07-\d\d$", said, re.MULTILINE)
    assert "16 incidents share their time with another" in said
    assert re.search(r"quick offspring per attack: 0\.15 as reported, 0\.(08|09|10) with", said)
    assert re.search(r"the data cannot tell: [67] of 9 pairs", said)


@quiet
def test_three_stories_weighed(
    pair: tuple[nbformat.NotebookNode, nbformat.NotebookNode],
) -> None:
    said = "\n".join(_texts(pair[1]))
    prose = "\n".join(c.source for c in pair[1].cells if c.cell_type == "markdown")
    if "Three stories, weighed" not in prose:
        return
    # the gaps, the weights and the forecasts of 12 March, under three meanings of "heavy"
    assert re.search(r"^any death +3 +58, 75 ", said, re.MULTILINE)
    assert re.search(r"^a coalition death +2 +75 ", said, re.MULTILINE)
    assert re.search(r"^ten or more, or any death +4 +9, 49, 75 ", said, re.MULTILINE)
    assert re.search(r"^now, with all days +0\.50 +0\.35 +0\.15$", said, re.MULTILINE)
    assert "explained: True" in said
    assert "None of your scenarios explains this" in said
    # the odds after the second salvo and at the end of June; what came in the 30 days after each
    assert re.search(r"^2020-03-15 +0\.21 +0\.57 +0\.21 +0\.7\d *$", said, re.MULTILINE)
    assert re.search(r"^2020-03-15 +0\.8\d +0 +0 *$", said, re.MULTILINE)
    assert re.search(r"^2020-07-01 +0\.63 +0\.06 +0\.30 ", said, re.MULTILINE)
    # how the forecast did: what came, and that the escalation gave it least, with the one row that cannot be
    # decided taken for not heavy, and for heavy
    for rule, came in (
        ("any death", 0),
        ("a coalition death", 0),
        ("ten or more, or any death", 1),
    ):
        for reading, number in (("not heavy", came), ("heavy", came + 1)):
            row = re.search(
                rf"^{rule} +1: {reading} +{number} +(0\.\d+) +(0\.\d+) ", said, re.MULTILINE
            )
            assert row, (rule, reading)
            assert float(row[2]) < float(row[1])
        # and what had been said of one or more
        assert len(re.findall(rf"^{rule}(?: +0\.\d+){{3}} +0\.[78]\d *$", said, re.MULTILINE)) == 2
    # three comparisons under three rules; only escalation against retaliation, under the second, reaches a factor of 3
    factors = re.findall(
        r"^(?:a coalition|ten or more, or any|any) death +(\d\.\d) *$", said, re.MULTILINE
    )
    assert [float(factor) >= 3 for factor in factors] == [*[False] * 7, True, False]
    # how long a silence would have to be, and its chance under sporadic, escalation and all
    assert re.search(r"^sporadic +48\.0 2020-04-28 +0\.52 +0\.11 *$", said, re.MULTILINE)
    assert re.search(r"^sporadic +0\.33 +0\.35 *$", said, re.MULTILINE)
    # unknown is not none: rows that cannot be decided are counted, and so is what they could change
    assert re.search(r"^2020-06-01 +0\.60 +0 +4 *$", said, re.MULTILINE)
    assert re.search(r"^ten or more, or any death +4 +0\.05 +0\.24 ", said, re.MULTILINE)
    assert "led to a stand-down: 1; that did not: 2; not settled: 2" in said
    assert said.count("assumption") >= 12
    assert "estimate" not in said.replace("estimated", "")


@quiet
@pytest.mark.parametrize(
    ("name", "file", "cells"), [("02-contagion", "SIGACTs", 8), ("03-regimes", "UCDP", 6)]
)
def test_cells_without_their_data_say_so(
    name: str, file: str, cells: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    tagged = [cell for cell in notebook.cells if NEEDS_DATA in cell.metadata.get("tags", [])]
    assert len(tagged) >= cells
    notebook.cells = [first, *tagged]
    nbformat.write(notebook, tmp_path / "without.ipynb")
    monkeypatch.setenv("TEMPO_TEST_DATA", str(tmp_path / "absent"))
    said, *silent = [cell.outputs for cell in _tool().run(tmp_path / "without.ipynb").cells[1:]]
    assert f"The {file} file is not here, so the rest of this notebook was skipped" in said[0].text
    assert not any(silent)
