"""`import tempo` is instant: it loads names, not libraries."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = {
    "arviz", "formulaic", "matplotlib", "numba", "numpy", "nutpie", "pandas", "pandera", "pyarrow", "pymc", "pytensor",
    "rich", "scipy", "statsmodels", "typer", "typst", "xarray",
}  # fmt: skip


def _loaded_by(code: str) -> set[str]:
    script = f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_import_tempo_loads_no_library() -> None:
    assert _loaded_by("import tempo") & HEAVY == set()


def test_the_probe_would_see_a_library() -> None:
    assert "numpy" in _loaded_by("import tempo; tempo.Window")


def test_listing_names_loads_no_library() -> None:
    assert _loaded_by("import tempo; dir(tempo); tempo.__version__") & HEAVY == set()


def test_reading_incidents_needs_neither_samplers_nor_charts() -> None:
    code = "import tempo; tempo.load_dataset('iraq-coalition').describe()"
    assert (
        _loaded_by(code) & {"arviz", "matplotlib", "nutpie", "pymc", "statsmodels", "typst"}
        == set()
    )


def test_the_command_line_loads_no_statistics_before_it_needs_them() -> None:
    code = "import tempo.cli"
    assert _loaded_by(code) & (HEAVY - {"rich", "typer"}) == set()
