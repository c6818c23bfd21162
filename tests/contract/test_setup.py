"""`make` in a fresh clone: it finds an able Python, and says clearly when there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("sh") is None, reason="needs a POSIX shell")


def _fake(folder: Path, name: str, body: str) -> None:
    command = folder / name
    command.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    command.chmod(0o755)


def _find(repository: Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if k not in {"PYTHON", "PATH"}}
    clean["PYENV_ROOT"] = str(folder / "pyenv")
    shell = shutil.which("sh")
    assert shell is not None
    return subprocess.run(
        [shell, str(repository / ".ci" / "find-python")],
        env={**clean, "PATH": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


ABLE = f'exec "{sys.executable}" "$@"'
# Answers as an old Python does: refuses the test of ability, prints its version when asked for it.
OLD = 'case "$2" in *version.split*) echo 3.9.18 ;; *version_info*) exit 1 ;; *) exit 0 ;; esac'
BROKEN = 'echo "version not installed" >&2; exit 127'


def test_an_able_python3_is_taken(repository: Path, tmp_path: Path) -> None:
    _fake(tmp_path, "python3", ABLE)
    found = _find(repository, tmp_path)
    assert (found.returncode, found.stdout.strip()) == (0, "python3")


def test_an_old_or_broken_command_is_passed_over(repository: Path, tmp_path: Path) -> None:
    _fake(tmp_path, "python3", OLD)
    _fake(tmp_path, "python3.13", BROKEN)
    _fake(tmp_path, "python3.12", ABLE)
    found = _find(repository, tmp_path)
    assert (found.returncode, found.stdout.strip()) == (0, "python3.12")


def test_only_old_ones_give_a_clear_message(repository: Path, tmp_path: Path) -> None:
    _fake(tmp_path, "python3", OLD)
    found = _find(repository, tmp_path)
    assert found.returncode == 1
    assert found.stdout == ""
    assert "Python 3.12 or later" in found.stderr
    assert "python3 is Python 3.9.18" in found.stderr
    assert "make PYTHON=" in found.stderr


def test_none_at_all_gives_a_clear_message(repository: Path, tmp_path: Path) -> None:
    found = _find(repository, tmp_path)
    assert found.returncode == 1
    assert "none, under any usual name" in found.stderr


def test_one_that_pyenv_keeps_off_the_path_is_found(repository: Path, tmp_path: Path) -> None:
    place = tmp_path / "pyenv" / "versions" / "3.12.9" / "bin"
    place.mkdir(parents=True)
    _fake(place, "python", ABLE)
    found = _find(repository, tmp_path)
    assert (found.returncode, found.stdout.strip()) == (0, str(place / "python"))


def test_the_users_choice_is_honoured_and_not_replaced(repository: Path, tmp_path: Path) -> None:
    _fake(tmp_path, "python3", ABLE)
    _fake(tmp_path, "mine", ABLE)
    assert _find(repository, tmp_path, PYTHON="mine").stdout.strip() == "mine"
    _fake(tmp_path, "ancient", OLD)
    refused = _find(repository, tmp_path, PYTHON="ancient")
    assert refused.returncode == 1
    assert "ancient is Python 3.9.18" in refused.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_help_lists_the_two_commands(repository: Path) -> None:
    done = subprocess.run(
        ["make", "help"], cwd=repository, capture_output=True, text=True, check=True, timeout=60
    )
    assert "make briefing" in done.stdout
    assert "make test" in done.stdout
