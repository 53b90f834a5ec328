"""Every Python snippet in the README and the docs runs as it stands."""

import re
from pathlib import Path

import pytest
from run_snippets import run, snippets

from multimix.methods import METHODS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "experiments" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SNIPPETS = [
    pytest.param(code, id=f"{page.name}-{number}") for page in PAGES for number, code in enumerate(snippets(page))
]


def test_there_are_snippets():
    assert len(SNIPPETS) >= 3


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("code", SNIPPETS)
def test_snippet(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    known = dict(METHODS)
    try:
        run(code)
    finally:  # a page adds one
        METHODS.clear()
        METHODS.update(known)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
