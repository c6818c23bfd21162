"""Files of the data sets that come with tempo: found, checked byte for byte, read by their schema, copied."""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tempo.data.window import Window
from tempo.errors import DatasetError

__all__ = [
    "Coverage",
    "Dataset",
    "copy_dataset",
    "dataset_info",
    "list_datasets",
    "load_table",
    "near",
    "span",
]

_DESCRIPTOR = "datapackage.json"
_REINSTALL = "Install tempo again, or restore the file from the repository."


@dataclass(frozen=True, slots=True)
class Coverage:
    """A period of a data set, and how completely it was searched.

    Attributes
    ----------
    window : Window
        The period, half-open.
    completeness : str
        ``"census"``: fit for rates; ``"partial"`` or ``"sample"``: rates would be too low.
    note : str
        The same in words.
    """

    window: Window
    completeness: str
    note: str


@dataclass(frozen=True, repr=False)
class Dataset:
    """What a shipped data set is: title, periods of coverage, tables, licence and citation.

    Attributes
    ----------
    name, title, description, version, licence, licence_url, citation : str
        As in its ``datapackage.json``.
    coverage : tuple of Coverage
        Periods, in order of time; what lies between them was not searched.
    tables : tuple of str
        Names for ``load_table``.
    """

    name: str
    title: str
    description: str
    version: str
    licence: str
    licence_url: str
    citation: str
    coverage: tuple[Coverage, ...]
    tables: tuple[str, ...]

    @property
    def census(self) -> Window:
        """The window in which the data set is complete, as far as public reports go."""
        return next(part.window for part in self.coverage if part.completeness == "census")

    def __repr__(self) -> str:
        return "\n".join(
            [
                f"Dataset {self.name} {self.version}: {self.title}",
                *(
                    f"  {part.completeness}: {span(part.window)}. {part.note}"
                    for part in self.coverage
                ),
                f"  tables: {', '.join(self.tables)}",
                f"  licence: {self.licence}",
                f"  cite as: {self.citation}",
            ]
        )


def list_datasets() -> pd.DataFrame:
    """List the data sets that come with tempo.

    Returns
    -------
    pandas.DataFrame
        Indexed by name: ``title``, ``start`` and ``end`` of the window in which it is complete (half-open),
        ``licence``, ``version``.

    Examples
    --------
    >>> list_datasets().loc["iraq-coalition", "licence"]
    'CC-BY-4.0'
    """
    found = [dataset_info(name) for name in _names()]
    return pd.DataFrame(
        {
            "title": [info.title for info in found],
            "start": [info.census.start for info in found],
            "end": [info.census.end for info in found],
            "licence": [info.licence for info in found],
            "version": [info.version for info in found],
        },
        index=pd.Index([info.name for info in found], name="name"),
    )


def dataset_info(name: str) -> Dataset:
    """Give title, coverage, tables, licence and citation of a shipped data set.

    Parameters
    ----------
    name : str
        For example ``"iraq-coalition"``.

    Returns
    -------
    Dataset
        Its repr is readable.

    Raises
    ------
    DatasetError
        If there is no data set of that name.

    Examples
    --------
    >>> dataset_info("iraq-coalition").census
    Window('2019-05-01', '2021-01-01')
    """
    descriptor = _descriptor(_folder(name))
    licence = descriptor["licenses"][0]
    return Dataset(
        name=descriptor["name"],
        title=descriptor["title"],
        description=descriptor["description"],
        version=descriptor["version"],
        licence=licence["name"],
        licence_url=licence["path"],
        citation=descriptor["citation"],
        coverage=tuple(
            Coverage(Window(part["start"], part["end"]), part["completeness"], part["note"])
            for part in descriptor["coverage"]
        ),
        tables=tuple(resource["name"] for resource in descriptor["resources"]),
    )


def load_table(name: str, table: str) -> pd.DataFrame:
    """Give one table of a shipped data set as it stands in its file, with dates and numbers read.

    Parameters
    ----------
    name : str
        Data set, for example ``"iraq-coalition"``.
    table : str
        Table, for example ``"stand-downs"``; ``dataset_info(name).tables`` lists them.

    Returns
    -------
    pandas.DataFrame
        Columns as the codebook describes them. Numbers with blanks are float64 with NaN: blank is not zero.

    Raises
    ------
    DatasetError
        If there is no such data set or table, or the file is not what its checksum says.

    Examples
    --------
    >>> pauses = load_table("iraq-coalition", "stand-downs")
    >>> (pauses["end"] - pauses["start_from"]).dt.days[2:4].tolist()
    [10.0, 25.0]
    """
    folder = _folder(name)
    listed = _descriptor(folder)["resources"]
    for resource in listed:
        if resource["name"] == table:
            return _typed(_checked(folder, resource).decode("utf-8"), resource)
    raise DatasetError(
        f"the data set {name!r} has no table {table!r}.{near(table, [r['name'] for r in listed])} "
        f"It has: {', '.join(r['name'] for r in listed)}."
    )


def copy_dataset(name: str, folder: str | os.PathLike[str] = ".") -> Path:
    """Copy the files of a shipped data set, codebook included, into a new folder of its name.

    Parameters
    ----------
    name : str
        Data set, for example ``"iraq-coalition"``.
    folder : path-like, default "."
        Existing folder in which the new one is made. It is made whole or not at all.

    Returns
    -------
    pathlib.Path
        The new folder.

    Raises
    ------
    DatasetError
        If there is no such data set, a file is not what its checksum says, the folder is not there, or something
        of that name is there already.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (copy_dataset("iraq-coalition", folder) / "incidents.csv").exists()
    True
    """
    origin = _folder(name)
    for resource in _descriptor(origin)["resources"]:
        _checked(origin, resource)
    parent = Path(folder)
    target = parent / name
    if not parent.is_dir():
        raise DatasetError(
            f"cannot copy {name!r} into {str(parent)!r}, which is not a folder. Make it first."
        )
    if target.exists() or target.is_symlink():
        raise DatasetError(
            f"cannot copy {name!r}: {str(target)!r} is there already, and is left as it is. "
            "Choose another folder or move it away."
        )
    try:
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=parent) as scratch:
            made = Path(scratch) / name
            made.mkdir()
            for item in origin.iterdir():
                if item.is_file():
                    (made / item.name).write_bytes(item.read_bytes())
            made.rename(target)
    except OSError as error:
        raise DatasetError(
            f"cannot copy {name!r} into {str(parent)!r}: {error.strerror or error}. Nothing was left there. "
            "Choose a folder that you may write to."
        ) from error
    return target


# -- files -----------------------------------------------------------------------------------------------------


def _root() -> Traversable:
    """Find the data sets: inside the package when it is installed, beside it in a checkout."""
    installed = resources.files("tempo") / "_datasets"
    if installed.is_dir():
        return installed
    checkout = Path(__file__).resolve().parents[2] / "datasets"
    # The descriptor tells our folder from another distribution that is called "datasets".
    if any(checkout.glob(f"*/{_DESCRIPTOR}")):
        return checkout
    raise DatasetError(f"tempo was installed without its data sets. {_REINSTALL}")


def _names() -> list[str]:
    return sorted(item.name for item in _root().iterdir() if (item / _DESCRIPTOR).is_file())


def _folder(name: str) -> Traversable:
    names = _names()
    if name not in names:
        raise DatasetError(
            f"there is no data set {name!r}.{near(name, names)} tempo has: {', '.join(names)}. "
            "Your own file is read by tempo.read_incidents(path, window=...)."
        )
    return _root() / name


def _descriptor(folder: Traversable) -> dict[str, Any]:
    try:
        content = json.loads((folder / _DESCRIPTOR).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DatasetError(
            f"{_DESCRIPTOR} of the data set {folder.name!r} cannot be read: {error}. {_REINSTALL}"
        ) from error
    result: dict[str, Any] = content
    return result


def _checked(folder: Traversable, resource: dict[str, Any]) -> bytes:
    """Read a file, and refuse it if it is not byte for byte what was shipped."""
    path = resource["path"]
    try:
        content: bytes = (folder / path).read_bytes()
    except OSError as error:
        raise DatasetError(
            f"the file {path!r} of the data set {folder.name!r} cannot be read: "
            f"{error.strerror or error}. {_REINSTALL}"
        ) from error
    found = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if found != resource["hash"]:
        ends = " Its line ends were converted." if b"\r\n" in content else ""
        raise DatasetError(
            f"the file {path!r} of the data set {folder.name!r} was changed: {_DESCRIPTOR} promises "
            f"{resource['bytes']} bytes with {resource['hash']}, the file has {len(content)} bytes with {found}."
            f"{ends} {_REINSTALL} To work with a file of your own, use tempo.read_incidents."
        )
    return content


def _typed(text: str, resource: dict[str, Any]) -> pd.DataFrame:
    """Read a table by its schema."""
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    raw = pd.DataFrame(rows, columns=header, dtype="str").replace("", np.nan)
    columns: dict[str, pd.Series] = {}
    for field in resource["schema"]["fields"]:
        values = raw[field["name"]]
        match field["type"]:
            case "date":
                values = pd.to_datetime(values, format="%Y-%m-%d").astype("datetime64[us]")
            case "integer":
                numbers = pd.to_numeric(values).astype("float64")
                values = numbers if numbers.isna().any() else numbers.astype("int64")
        columns[field["name"]] = values
    return pd.DataFrame(columns)


def span(window: Window) -> str:
    """Write a window for a message."""
    return f"[{window.start:%Y-%m-%d}, {window.end:%Y-%m-%d})"


def near(name: str, known: Sequence[str]) -> str:
    """Name the known name that is nearest to an unknown one, for a message."""
    found = difflib.get_close_matches(str(name), known, n=1)
    return f" Did you mean {found[0]!r}?" if found else ""
