"""The lab's order: which package may import which, counted everywhere, also inside functions and for types only."""

import ast
import graphlib
from functools import cache
from pathlib import Path

import pytest

import multimix

ROOT = Path(multimix.__file__).parent.parent
# From the ground up: a package imports only from those before it, and from the library.
ORDER = ["core", "statistics", "models", "data", "metrics", "train", "variance", "preview", "evaluate", "compare"]
ORDER += ["choose", "report", "about", "command_line", "__init__"]
MOST_FILES = 10  # flat in lab/
MOST_LINES = 400  # of a file
MOST_DEPTH = 16  # of imports, counted over packages


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted((ROOT / "multimix").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


MODULES = modules()


def imported(path: Path) -> set[str]:
    """The modules of the package that a file imports, wherever the import stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in MODULES else node.module for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name in MODULES}


GRAPH = {name: imported(path) - {name} for name, path in MODULES.items()}


def test_no_files_import_each_other_in_a_circle():
    graphlib.TopologicalSorter(GRAPH).prepare()  # raises, and names them


def test_an_import_in_a_function_and_one_for_types_are_counted(tmp_path):
    (tmp_path / "a.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from multimix.plan import Plan\n"
        "def f():\n    from multimix.lab.command_line import main\n"
    )
    assert imported(tmp_path / "a.py") == {"multimix.plan", "multimix.lab.command_line.main"}


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("multimix.lab.")])
def test_packages_of_the_lab_import_from_those_before_them(name):
    own = name.split(".")[2]
    for other in GRAPH[name]:
        if other.startswith("multimix.lab."):
            assert ORDER.index(other.split(".")[2]) <= ORDER.index(own), f"{name} imports {other}"


def test_the_lab_is_in_packages_and_files_are_short():
    assert len(list((ROOT / "multimix" / "lab").glob("*.py"))) <= MOST_FILES
    long = {name: lines for name, path in MODULES.items() if (lines := path.read_text().count("\n")) > MOST_LINES}
    assert long == {}


def unit(name: str) -> str:
    """The package a module counts towards: a folder of multimix/ or of lab/, or the module itself."""
    return ".".join(name.split(".")[: 3 if name.startswith("multimix.lab.") else 2])


@cache
def depth(of: str) -> int:
    """How many units the longest chain of imports from this one has; the two files that only re-export are none."""
    below = {unit(other) for name in GRAPH if unit(name) == of for other in GRAPH[name]} - {of}
    return (of not in ("multimix", "multimix.lab")) + max(map(depth, below), default=0)


def test_imports_are_not_too_deep():
    deep = {of: depth(of) for of in {unit(name) for name in MODULES} if depth(of) > MOST_DEPTH}
    assert deep == {}
