"""Run the notebooks and store their outputs, without anything that differs from one run to the next."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]


def run(path: Path) -> nbformat.NotebookNode:
    """Give the notebook with fresh outputs, its file untouched."""
    notebook = nbformat.read(path, as_version=4)
    for place, cell in enumerate(notebook.cells):
        cell.id = f"cell-{place:02d}"
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(ROOT)}},
        record_timing=False,
    )
    client.execute()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


if __name__ == "__main__":
    chosen = [Path(name) for name in sys.argv[1:]] or sorted((ROOT / "notebooks").glob("*.ipynb"))
    for path in chosen:
        nbformat.write(run(path), path)
        print(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
