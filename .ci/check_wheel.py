"""Check a built wheel: what must be in it is, nothing else is, and it works from where it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

REQUIRED = (
    "tempo/__init__.py",
    "tempo/py.typed",
    "tempo/cli.py",
    "tempo/briefing/page.typ",
    "tempo/_datasets/iraq-coalition/incidents.csv",
    "tempo/_datasets/iraq-coalition/datapackage.json",
)
PROBE = """
import pathlib, sys, tempo
assert pathlib.Path(tempo.__file__).is_relative_to(sys.argv[1]), tempo.__file__
incidents = tempo.load_dataset("iraq-coalition")
assert len(incidents) > 100, len(incidents)
print(f"the wheel of tempo {tempo.__version__} works: {incidents!r}")
"""


def check(folder: Path) -> None:
    """Raise SystemExit with what is wrong, or print that nothing is."""
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise SystemExit(f"expected one wheel in {folder}, found {len(wheels)}")
    with zipfile.ZipFile(wheels[0]) as archive:
        names = archive.namelist()
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        text = archive.read(metadata).decode()
    missing = [name for name in REQUIRED if name not in names]
    stray = [name for name in names if not name.startswith(("tempo/", "attack_tempo-"))]
    stray += [name for name in names if "__pycache__" in name]
    if missing or stray:
        raise SystemExit(f"{wheels[0].name}: missing {missing}, should not be there {stray[:5]}")
    if "License-Expression: BSD-3-Clause" not in text:
        raise SystemExit(f"{wheels[0].name}: the metadata do not state the licence")

    with tempfile.TemporaryDirectory() as place:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        subprocess.run([*pip, "install", "--no-deps", "--target", place, wheels[0]], check=True)
        environment = {**os.environ, "PYTHONPATH": place, "PYTHONDONTWRITEBYTECODE": "1"}
        real = str(Path(place).resolve())
        command = [sys.executable, "-P", "-c", PROBE, real]
        subprocess.run(command, check=True, cwd=place, env=environment)


if __name__ == "__main__":
    check(Path(sys.argv[1]))
