"""Tables in the docs that repeat results say what the results say."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OVERVIEW = ROOT / "experiments" / "results" / "frontier.md"
COLUMNS = ("n", "none small batch", "K=1", "small batch", "K=5 same rows", "A: K=5 − K=1", "B: K=5 − small batch")


def rows(page: Path, link: str) -> dict[str, list[str]]:
    """Return the rows of a page's tables whose first cell links to a page of study F: name -> its other cells."""
    found = {}
    for line in page.read_text("utf-8").replace("−", "-").splitlines():
        if name := re.match(rf"\| \[[^]]*\]\([^)]*{link}-(\w+)\.md\)", line):
            found[name[1]] = [cell.strip() for cell in line.split("|")[2:-1]]
    return found


@pytest.mark.parametrize("page", ["README.md", "docs/should-i.md"])
def test_study_f(page):
    head = next(line for line in OVERVIEW.read_text("utf-8").splitlines() if line.startswith("| data"))
    names = [cell.strip() for cell in head.split("|")[2:-1]]
    printed, repeated = rows(OVERVIEW, "frontier"), rows(ROOT / page, "frontier")
    assert repeated.keys() == printed.keys()
    for study, cells in repeated.items():
        expected = dict(zip(names, printed[study], strict=True))
        assert cells == [expected[name] for name in COLUMNS[: len(cells)]]
