"""The repository as a whole: no trace of one machine, versions that agree, pins that install."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import tempo

BINARY = {".png", ".pdf", ".ico", ".woff2", ".parquet", ".xlsx", ".npz", ".nc", ".ttf", ".otf"}

# Written in pieces, so that this file does not match itself.
HOME = r"(?<![\w.])/(?:home|Users|root)" + r"/[\w.]"
PLACES = r"(?<![\w.])/(?:work|opt|tmp|srv|mnt)" + r"/[\w.]"
HOSTS = "|".join(
    [
        "py" + r"pi\.org",
        "python" + "hosted",
        "index" + "-url",
        "find" + "-links",
        "ana" + "conda.org",
        "/sim" + "ple/",
    ]
)


def _files(root: Path) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git clone")
    paths = [root / name for name in listed.stdout.decode().split("\0") if name]
    return [p for p in paths if p.is_file() and p.suffix not in BINARY]


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, object]:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def pins(repository: Path) -> dict[str, str]:
    lines = (repository / "requirements.txt").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in kept if not re.fullmatch(r"[a-z0-9-]+==[\w.!]+", line)] == []
    return dict(line.split("==") for line in kept)


@pytest.mark.parametrize("what", ["HOME", "PLACES", "HOSTS"])
def test_no_file_names_a_machine_or_a_package_source(repository: Path, what: str) -> None:
    pattern = re.compile(globals()[what])
    found = []
    for path in _files(repository):
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), 1
        ):
            match = pattern.search(line)
            if match:
                found.append(f"{path.relative_to(repository)}:{number} {match.group()}")
    assert found == []


def test_the_patterns_find_what_they_should() -> None:
    assert re.search(HOME, "see /home" + "/ann/tempo")
    assert re.search(PLACES, "in /tmp" + "/x")
    assert re.search(HOSTS, "https://py" + "pi.org/project")
    assert not re.search(PLACES, "https://example.org/work/page")


def test_one_version_everywhere(repository: Path) -> None:
    citation = (repository / "CITATION.cff").read_text(encoding="utf-8")
    changelog = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\nversion: {tempo.__version__}\n" in citation
    first = re.search(r"^## (\S+?):? ", changelog, re.MULTILINE)
    assert first is not None
    assert first.group(1) == tempo.__version__


def test_every_direct_dependency_is_pinned_within_its_bounds(
    project: dict[str, object], pins: dict[str, str]
) -> None:
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    texts = [*project["dependencies"], *extras["tests"], *extras["docs"]]  # type: ignore[misc]
    outside = []
    for text in texts:
        needed = Requirement(text)
        pin = pins.get(canonicalize_name(needed.name))
        if pin is None or not needed.specifier.contains(pin, prereleases=True):
            outside.append(f"{text} against pin {pin}")
    assert outside == []


def test_pins_run_on_every_python_that_tempo_claims(pins: dict[str, str]) -> None:
    refused = []
    for name, version in pins.items():
        try:
            found = metadata(name)
        except PackageNotFoundError:
            continue  # another platform's package
        if found["Version"] != version:
            continue  # the environment is newer than the pins: nothing is known of that version
        runs_on = SpecifierSet(found.get("Requires-Python") or "")
        refused += [
            f"{name} {version}: {runs_on}" for v in ("3.12.0", "3.13.0") if v not in runs_on
        ]
    assert refused == []


def test_the_package_is_marked_as_typed(repository: Path) -> None:
    assert (repository / "tempo" / "py.typed").is_file()
