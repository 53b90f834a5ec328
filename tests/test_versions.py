"""The lower bounds of pyproject.toml are what `make oldest` was run with, and the page shows what it found."""

import json

import pytest
from packaging.version import Version

from versions.pins import bounds
from versions.results import HERE, columns, needed, table


def test_the_lower_bounds_were_tested():
    tested = json.loads((HERE / "oldest.json").read_text())
    versions = {name: Version(Version(tested[name]).public) for name in needed()}  # without +cpu and the like
    assert versions == {name: Version(bound) for name, bound in needed().items()}
    assert tested["failed"] == 0
    assert tested["passed"] > 100


def test_the_page_shows_both_runs():
    assert set(columns()) == {"oldest", "newest"}
    assert (HERE / "results.md").read_text().endswith("\n\n" + table(columns()))


def test_a_requirement_without_a_lower_bound_is_refused():
    assert bounds(["torch>=2.6", "multimix[lab]"], ["a-b[c]>=1"]) == {"torch": "2.6", "a-b": "1"}
    with pytest.raises(ValueError, match="a requirement must read NAME>=VERSION, got torch<3; give its lower bound"):
        bounds(["torch<3"])
