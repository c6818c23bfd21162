"""Starting up: `import tempo` and `tempo --help`, each in a fresh process, interpreter included."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

IMPORT_SECONDS = 0.2
HELP_SECONDS = 0.5


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def test_import_tempo(benchmark: BenchmarkFixture) -> None:
    benchmark.pedantic(
        _run, args=(sys.executable, "-c", "import tempo"), rounds=10, warmup_rounds=1
    )
    assert benchmark.stats.stats.median < IMPORT_SECONDS


def test_help(benchmark: BenchmarkFixture) -> None:
    command = str(Path(sys.executable).with_name("tempo"))
    benchmark.pedantic(_run, args=(command, "--help"), rounds=10, warmup_rounds=1)
    assert benchmark.stats.stats.median < HELP_SECONDS
