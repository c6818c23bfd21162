"""The whole briefing from the shipped chronology, as `make briefing` writes it, each time in a fresh process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

COLD_SECONDS = 60.0
WARM_SECONDS = 30.0


@pytest.fixture(scope="module")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Empty folders for compiled code and fonts, shared by the cold run and the warm ones after it."""
    return tmp_path_factory.mktemp("caches")


def _brief(caches: Path) -> None:
    environment = {
        **os.environ,
        "NUMBA_CACHE_DIR": str(caches / "numba"),
        "PYTENSOR_FLAGS": f"base_compiledir={caches / 'pytensor'}",
        "MPLCONFIGDIR": str(caches / "matplotlib"),
    }
    command = [Path(sys.executable).with_name("tempo"), "brief", "--as-of", "2020-03-12"]
    subprocess.run(
        command, check=True, capture_output=True, cwd=caches, env=environment, timeout=300
    )


def test_cold(benchmark: BenchmarkFixture, caches: Path) -> None:
    benchmark.pedantic(_brief, args=(caches,), rounds=1)
    assert benchmark.stats.stats.max < COLD_SECONDS


def test_warm(benchmark: BenchmarkFixture, caches: Path) -> None:
    benchmark.pedantic(_brief, args=(caches,), rounds=3, warmup_rounds=1)
    assert benchmark.stats.stats.median < WARM_SECONDS
