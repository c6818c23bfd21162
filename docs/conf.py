"""Configuration of the documentation; a warning is an error (see the Makefile)."""

from __future__ import annotations

import ast
import shutil
import warnings
from pathlib import Path

import tempo

HERE = Path(__file__).parent

project = "tempo"
author = "The tempo developers"
copyright = "2026, The tempo developers"
version = release = tempo.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_nb",
]
exclude_patterns = ["_build", "_rooms.md", "jupyter_execute"]
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["tempo.css"]
html_theme = "pydata_sphinx_theme"
html_title = "tempo"
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "tempo"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "changelog": []}

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

# Pages run at each build; notebooks bring the outputs that the tests have checked.
nb_execution_mode = "force"
nb_execution_excludepatterns = ["notebooks/*"]
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's Parameters say it with shapes and units
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

warnings.filterwarnings("ignore", category=DeprecationWarning)


def _bring_notebooks() -> None:
    """Sphinx reads nothing outside its folder, and notebooks live at the top of the repository."""
    place = HERE / "notebooks"
    place.mkdir(exist_ok=True)
    for notebook in (HERE.parent / "notebooks").glob("*.ipynb"):
        shutil.copy2(notebook, place / notebook.name)


def _list_rooms() -> None:
    """The architecture page lists every module with the first line of its docstring, so that it cannot fall behind."""
    package = HERE.parent / "tempo"
    lines = []
    for floor in ("briefing", "figures", "forecasting", "models", "data"):
        lines += [f"### `tempo.{floor}`", ""]
        for path in sorted((package / floor).glob("*.py")):
            if path.name != "__init__.py":
                summary = ast.get_docstring(
                    ast.parse(path.read_text(encoding="utf-8"))
                ).splitlines()[0]
                lines.append(f"- `{path.stem}`: {summary.replace('``', '`')}")
        lines.append("")
    (HERE / "_rooms.md").write_text("\n".join(lines), encoding="utf-8")


_bring_notebooks()
_list_rooms()
