"""Run the notebooks and store their outputs, without anything that differs from one run to the next."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
#: A warning names a temporary file of the kernel, and repeats the line that gave it.
WHERE_WARNED = re.compile(r"^\S*ipykernel_\d+\S*: (\w+Warning: .*\n)  .*\n", re.MULTILINE)


def _settled(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Join what a stream delivered in pieces, which differ from run to run, and clean its warnings."""
    kept: list[nbformat.NotebookNode] = []
    for output in outputs:
        before = kept[-1] if kept else None
        if (
            before
            and output.output_type == "stream" == before.output_type
            and output.name == before.name
        ):
            before.text += output.text
        else:
            kept.append(output)
    for output in kept:
        if output.output_type == "stream":
            output.text = WHERE_WARNED.sub(r"\1", output.text)
    return kept


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
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = _settled(cell.outputs)
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
