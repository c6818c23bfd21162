"""Write requirements.txt: the exact versions with which tempo, its tests and its documentation were last run.

The file is used as constraints (``pip install -c``), so a package that another platform or Python does not need is
not installed there. It holds names and versions only: no addresses, no hashes. A version that the oldest supported
Python cannot run is refused.
"""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = "attack-tempo"
EXTRAS = ("tests", "docs")
OLDEST_PYTHON = "3.12.0"
HEADER = """\
# Versions with which tempo, its tests and its documentation were run together; used as constraints.
# Written by `make requirements`.
"""


def pinned(project: str, extras: tuple[str, ...]) -> dict[str, str]:
    """Give the installed version of every package that a project with these extras needs, itself excluded."""
    versions: dict[str, str] = {}
    todo = [(project, extra) for extra in ("", *extras)]
    seen = set(todo)
    while todo:
        name, extra = todo.pop()
        package = distribution(name)
        runs_on = package.metadata.get("Requires-Python") or ""
        if not SpecifierSet(runs_on).contains(OLDEST_PYTHON):
            message = f"{name} {package.version} needs Python {runs_on}: install an older one that runs on 3.12"
            raise SystemExit(message)
        versions[canonicalize_name(name)] = package.version
        for text in package.requires or ():
            needed = Requirement(text)
            if needed.marker is not None and not needed.marker.evaluate({"extra": extra}):
                continue
            for step in ((needed.name, part) for part in ("", *needed.extras)):
                if step not in seen:
                    seen.add(step)
                    todo.append(step)
    del versions[canonicalize_name(project)]
    return versions


if __name__ == "__main__":
    lines = [f"{name}=={version}\n" for name, version in sorted(pinned(PROJECT, EXTRAS).items())]
    (ROOT / "requirements.txt").write_text(HEADER + "".join(lines), encoding="utf-8")
    print(f"requirements.txt: {len(lines)} packages")
