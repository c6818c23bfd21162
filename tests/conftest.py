"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parents[1]

# Where a change is judged, the same examples are tried each time, so that a verdict can be repeated. Everywhere else
# they are drawn anew, which is how new failures are found.
hypothesis.settings.register_profile("repeatable", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data that may not be shipped; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("TEMPO_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(
            f"real data that may not be shipped are not at {folder}; set TEMPO_TEST_DATA to their folder"
        )
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """Top of the repository."""
    return ROOT
