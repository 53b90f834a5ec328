"""Run the tests in .oldest or .newest and write down what passed: `make oldest`, `make newest`."""

import json
import os
import sys
from pathlib import Path

from bridges.results import ask, run_tests
from versions.pins import needed

HERE = Path(__file__).parent
NAMES = ["oldest", "newest"]
# Building packages and the site does not depend on these versions; test_versions.py reads the results.
LEFT_OUT = ["tests/test_package.py", "tests/test_site.py", "tests/test_versions.py"]
TESTS = ["tests", *(f"--ignore={file}" for file in LEFT_OUT)]
# That a dependency calls something outdated is news for its authors; the subprocesses of the tests must know it too.
OUTDATED = ["DeprecationWarning", "PendingDeprecationWarning", "FutureWarning"]
VERSIONS = """
import json, platform, sys
from importlib.metadata import version
print(json.dumps({"Python": platform.python_version()} | {name: version(name) for name in sys.argv[1:]}))
"""
HEAD = f"""# Tests with the oldest and the newest releases

`make oldest` installs the lower bounds of `pyproject.toml` into `.oldest`, `make newest` the newest releases into
`.newest`; then each runs the tests there and writes its column (`TESTS="FILE..."` runs only those). Warnings that
something is outdated ({", ".join(OUTDATED)}) are no failures here.

jsonargparse is bounded at 4.50 because in 4.38 the complaints of the command line are worded otherwise, and a misspelt
setting is not answered with the one that was meant.

"""


def main(name: str, *chosen: str) -> int:
    python = HERE.parent / f".{name}" / "bin" / "python"
    os.environ["PYTEST_ADDOPTS"] = " ".join(f"-W default::{warning}" for warning in OUTDATED)
    versions = json.loads(ask(python, "-c", VERSIONS, *needed()))
    print(*(f"{package} {version}" for package, version in versions.items()), sep=", ")
    tests = chosen or TESTS
    print("pytest", *tests, flush=True)
    code, (passed, failed, skipped) = run_tests(python, "--numprocesses=auto", *tests)
    column = versions | {"tests": " ".join(tests), "passed": passed, "failed": failed, "skipped": skipped}
    (HERE / f"{name}.json").write_text(json.dumps(column, indent=2) + "\n")
    (HERE / "results.md").write_text(HEAD + table(columns()))
    return code


def columns() -> dict[str, dict[str, object]]:
    """Return what is known of each environment."""
    files = {name: HERE / f"{name}.json" for name in NAMES}
    return {name: json.loads(file.read_text()) for name, file in files.items() if file.exists()}


def table(columns: dict[str, dict[str, object]]) -> str:
    """Return a Markdown table with a column for each environment."""
    rows = list(dict.fromkeys(row for column in columns.values() for row in column))
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    lines += [[row, *(str(column.get(row, "")) for column in columns.values())] for row in rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
