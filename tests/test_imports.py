"""The order of the library: what may import what, and how long `import multimix` takes."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

import multimix

PACKAGE = Path(multimix.__file__).parent

# Rooms of the library from left to right; a room imports only from rooms before it.
ORDER = [
    "suggest",
    "errors",
    "host",
    "once",
    "shapes",
    "scalars",
    "streams",
    "coefficients",
    "grid",
    "pairing",
    "contrast",
    "masks",
    "layers",
    "plan",
    "kernels",
    "puzzle",
    "methods",
    "blend",
    "targets",
    "recomputation",
    "bypass",
    "inside",
    "checks",
    "unknown",
    "mixer",
    "variance",
    "__init__",
    "adapters",
]


OTHER_DOORS = ("multimix.methods.", "multimix.suggest.", "multimix.variance.", "multimix.kernels.family.")


def imports(path: Path) -> set[str]:
    """Modules of the package that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name for name in names if name.split(".")[0] == "multimix"}
    return found


def library_files() -> list[Path]:
    return [p for p in sorted(PACKAGE.rglob("*.py")) if "lab" not in p.relative_to(PACKAGE).parts]


@pytest.mark.parametrize("path", library_files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_leftwards(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room == "__main__":
        return
    for name in imports(path):
        part = name.split(".")[1]
        assert part != "lab", f"{path} imports {name}: the library does not know the lab"
        other = part if part in ORDER else "__init__"
        if other == "__init__" and room == "mixer":  # `from multimix import checks`
            other = name.split(".")[-1]
        assert other == room or ORDER.index(other) < ORDER.index(room), f"{path} imports {name}"


def test_every_room_has_its_place():
    rooms = {p.relative_to(PACKAGE).parts[0].removesuffix(".py") for p in library_files()}
    assert rooms - {"__main__"} == set(ORDER)


def test_the_lab_uses_public_names():
    # The only other ways in: the table of methods, for their names; how unknown names are answered; estimators of
    # gradient variance, which a training loop has no use for; which kernels are chosen;
    # what a loss that is no longer finite is known by.
    allowed = {*(f"multimix.{name}" for name in multimix.__all__), "multimix.__version__", "multimix.variance"}
    allowed.add("multimix.errors.SaliencyNotFinite")
    for path in sorted((PACKAGE / "lab").rglob("*.py")):
        for name in imports(path):
            if not name.startswith("multimix.lab"):
                assert name in allowed or name.startswith(OTHER_DOORS), f"{path} imports {name}"


IMPORT_TIME = """
import time, torch
start = time.perf_counter()
from multimix import MultiMix
print(time.perf_counter() - start)
import sys
print([name for name in ("numba", "scipy", "sklearn", "matplotlib", "torch._dynamo") if name in sys.modules])
"""


@pytest.mark.unchecked
def test_import_is_light():
    # The best of a few: the machine may be busy with something else.
    times = []
    for _ in range(5):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", IMPORT_TIME], capture_output=True, text=True, check=True)
        seconds, heavy = done.stdout.splitlines()
        assert heavy == "[]"
        times.append(float(seconds))
        if times[-1] < 0.3:
            return
        assert time.perf_counter() - start < 60
    raise AssertionError(f"import multimix must take under 0.3 s on top of torch, took {min(times):.2f} s")
