"""The house rules that can be read from the source: floors, heavy imports, names of rooms, dangerous calls."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "tempo"

FLOORS = {
    "tempo.errors": 0,
    "tempo.randomness": 0,
    "tempo.data": 1,
    "tempo.models": 2,
    "tempo.forecasting": 3,
    "tempo.figures": 4,
    "tempo.briefing": 5,
    "tempo.cli": 6,
    "tempo.cli_options": 6,
}
FIRST_FLOOR_WITH_MATPLOTLIB = 4
#: The only modules that may import PyMC or nutpie; they in turn are imported inside the function that samples.
SAMPLERS = {
    "tempo.models.changepoints_pymc",
    "tempo.models.nuts",
    "tempo.models.hawkes_pymc",
    "tempo.models.regime_pymc",
}
#: Of these, the one that loads its sampler only when it samples, so that it may be imported anywhere.
LIGHT_SAMPLER = "tempo.models.nuts"
#: Too heavy to load before they are needed.
WHEN_NEEDED = {"arviz", "nutpie", "pymc", "pytensor", "statsmodels", "typst"}


@dataclass(frozen=True)
class Import:
    """One import statement: what it loads, and where it stands."""

    target: str
    line: int
    in_function: bool
    for_types: bool


def _modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = _modules()


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _imports(module: str, tree: ast.Module) -> list[Import]:
    found: list[Import] = []
    package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]

    def visit(node: ast.AST, in_function: bool, for_types: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(n.name, node.lineno, in_function, for_types) for n in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base] if base else parents)
            for name in node.names:
                whole = f"{base}.{name.name}"
                target = whole if whole in MODULES else base
                found.append(Import(target, node.lineno, in_function, for_types))
        inside = in_function or isinstance(
            node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
        )
        for child in ast.iter_child_nodes(node):
            visit(child, inside, for_types or _is_type_checking(node))

    visit(tree, False, False)
    return found


TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}
IMPORTS = {name: _imports(name, tree) for name, tree in TREES.items()}


def floor(module: str) -> int | None:
    """Give the floor of a module of tempo; the package itself, which only points to names, has none."""
    if module == "tempo":
        return None
    return FLOORS[".".join(module.split(".")[:2])]


def is_from(target: str, library: str) -> bool:
    return target == library or target.startswith(f"{library}.")


def test_the_reader_of_imports_sees_what_it_should() -> None:
    """Guard against a check that passes because it sees nothing."""
    source = "import a\nif TYPE_CHECKING:\n    import b.c\ndef f():\n    from d import e\n"
    seen = {(i.target, i.in_function, i.for_types) for i in _imports("tempo", ast.parse(source))}
    assert seen == {("a", False, False), ("b.c", False, True), ("d", True, False)}
    assert any(i.target == "tempo.errors" for i in IMPORTS["tempo.data.window"])
    assert len(MODULES) > 20


def test_every_module_has_a_floor() -> None:
    homeless = [m for m in MODULES if m != "tempo" and ".".join(m.split(".")[:2]) not in FLOORS]
    assert homeless == []


def test_imports_point_down_only() -> None:
    wrong = []
    for module, imports in IMPORTS.items():
        own = floor(module)
        for item in imports:
            if not is_from(item.target, "tempo") or own is None:
                continue
            theirs = floor(item.target)
            if theirs is not None and theirs > own:
                wrong.append(f"{module}:{item.line} (floor {own}) imports {item.target} ({theirs})")
    assert wrong == []


def test_no_room_asks_the_package_for_names_above_it() -> None:
    """``import tempo`` inside the house would go round the floors; only ``__version__`` may be asked for."""
    wrong = []
    for module, tree in TREES.items():
        if module == "tempo" or floor(module) == max(FLOORS.values()):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "tempo" and not node.level:
                names = {n.name for n in node.names}
                rooms = {n for n in names if f"tempo.{n}" in MODULES}
                if names - rooms - {"__version__"}:
                    wrong.append(f"{module}:{node.lineno} from tempo import {sorted(names)}")
            if isinstance(node, ast.Import) and any(n.name == "tempo" for n in node.names):
                wrong.append(f"{module}:{node.lineno} import tempo")
    assert wrong == []


def test_modules_do_not_import_each_other_in_circles() -> None:
    edges = {
        module: {
            i.target
            for i in imports
            if not i.in_function and not i.for_types and i.target in MODULES and i.target != module
        }
        for module, imports in IMPORTS.items()
    }
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module in done:
            return
        for target in sorted(edges[module]):
            walk(target, (*path, module))
        done.add(module)

    for module in MODULES:
        walk(module, ())
    assert done == set(MODULES)


def test_matplotlib_stays_upstairs() -> None:
    wrong = [
        f"{module}:{item.line} imports {item.target}"
        for module, imports in IMPORTS.items()
        for item in imports
        if is_from(item.target, "matplotlib") and (floor(module) or 0) < FIRST_FLOOR_WITH_MATPLOTLIB
    ]
    assert wrong == []


def test_heavy_libraries_are_loaded_when_needed() -> None:
    wrong = [
        f"{module}:{item.line} imports {item.target} at the top"
        for module, imports in IMPORTS.items()
        for item in imports
        if (item.target.split(".")[0] in WHEN_NEEDED or item.target in SAMPLERS - {LIGHT_SAMPLER})
        and module not in SAMPLERS
        and not item.in_function
        and not item.for_types
    ]
    assert wrong == []


def test_only_samplers_know_pymc_and_nutpie() -> None:
    users = {
        module
        for module, imports in IMPORTS.items()
        if any(is_from(i.target, "pymc") or is_from(i.target, "nutpie") for i in imports)
    }
    assert users == SAMPLERS


def test_modules_with_compiled_kernels_know_no_pandas() -> None:
    wrong = [
        f"{module}:{item.line} imports {item.target}"
        for module, imports in IMPORTS.items()
        if any(is_from(i.target, "numba") and not i.in_function for i in imports)
        for item in imports
        if is_from(item.target, "pandas") or is_from(item.target, "xarray")
    ]
    assert wrong == []


def test_rooms_are_named_for_what_they_hold() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core"}
    assert [m for m in MODULES if m.rpartition(".")[2].strip("_") in vague] == []


@pytest.mark.parametrize("module", MODULES)
def test_nothing_evaluates_text_or_unpickles(module: str) -> None:
    banned_modules = ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve")
    loaded = [i.target for i in IMPORTS[module] if i.target.split(".")[0] in banned_modules]
    assert loaded == []
    calls = [node for node in ast.walk(TREES[module]) if isinstance(node, ast.Call)]
    by_name = {c.func.id for c in calls if isinstance(c.func, ast.Name)}
    methods = [(c.func.attr, len(c.args)) for c in calls if isinstance(c.func, ast.Attribute)]
    assert by_name & {"eval", "exec", "compile", "__import__"} == set()
    assert {name for name, _ in methods} & {"eval", "read_pickle", "to_pickle"} == set()
    assert (
        "query",
        1,
    ) not in methods  # DataFrame.query(text); Typst's query takes the document too


def test_charts_show_nothing_and_change_no_global_settings() -> None:
    wrong = []
    for module, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in {"show", "switch_backend"}:
                wrong.append(f"{module}:{node.lineno} .{node.attr}")
            target = node.targets[0] if isinstance(node, ast.Assign) else None
            if isinstance(target, ast.Subscript) and "rcParams" in ast.unparse(target):
                wrong.append(f"{module}:{node.lineno} changes rcParams")
            if isinstance(node, ast.Call) and "rcParams.update" in ast.unparse(node.func):
                wrong.append(f"{module}:{node.lineno} changes rcParams")
    assert wrong == []


def test_every_room_says_in_one_line_what_it_holds() -> None:
    """The architecture page is made of these lines."""
    said = {m: (ast.get_docstring(tree) or "").splitlines()[:1] for m, tree in TREES.items()}
    assert [m for m, line in said.items() if not line or not line[0].endswith((".", "?"))] == []


def test_the_architecture_page_has_the_floors_of_this_test() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| (.*?) \|", page, re.MULTILINE)
    stated = {name: int(number) for number, names in rows for name in re.findall(r"`(.*?)`", names)}
    assert stated == FLOORS
