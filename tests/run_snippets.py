"""Runs the Python snippets of a page: python tests/run_snippets.py README.md [--but PACKAGE]

The wheel is tried with it where nothing else is installed, so it needs nothing.
"""

import argparse
import re
import sys
from pathlib import Path


def snippets(page: Path) -> list[str]:
    """Returns the Python of a page, as it stands."""
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def run(code: str) -> None:
    """Runs a snippet by itself."""
    exec(compile(code, "snippet", "exec"), {"__name__": "snippet"})


def main() -> None:
    """Runs all snippets of a page, but those that import a package which was named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("page", type=Path)
    parser.add_argument("--but", metavar="PACKAGE", action="append", default=[])
    given = parser.parse_args()
    found = snippets(given.page)
    chosen = [code for code in found if not any(f"import {package}\n" in code for package in given.but)]
    for code in chosen:
        run(code)
    print(f"{given.page.name}: {len(chosen)} of {len(found)} snippets run with Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
