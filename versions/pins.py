"""Print the lower bounds of what the tests need as pip's constraints: `python -m versions.pins`."""

import re
import tomllib
from itertools import chain
from pathlib import Path

EXTRAS = ["lab", "ray", "trackers", "test"]
PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"
BOUNDED = re.compile(r"(?P<name>[\w.-]+)(\[.*\])?>=(?P<bound>[\d.]+)")
OWN_EXTRA = re.compile(r"multimix\[.*\]")


def bounds(*requirements: list[str]) -> dict[str, str]:
    """Return the lower bound of every requirement in these lists."""
    return dict(_bound(line) for line in chain(*requirements) if not OWN_EXTRA.fullmatch(line))


def needed() -> dict[str, str]:
    """Return the lower bounds of what the tests need."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    return bounds(project["dependencies"], *(project["optional-dependencies"][extra] for extra in EXTRAS))


def _bound(requirement: str) -> tuple[str, str]:
    if (found := BOUNDED.fullmatch(requirement)) is None:
        raise ValueError(
            f"a requirement must read NAME>=VERSION, got {requirement}; give its lower bound, and no other"
        )
    return found["name"], found["bound"]


def main() -> None:
    for name, bound in needed().items():
        print(f"{name}=={bound}")


if __name__ == "__main__":
    main()
