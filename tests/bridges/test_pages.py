"""docs/migrating.md: the snippets for each framework run, and what is said of the frameworks is so."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FRAMEWORKS = {
    "timm": "timm",
    "torchvision": "torchvision",
    "kornia": "kornia",
    "hugging-face": "transformers",
    "lightning": "lightning",
    "fastai": "fastai",
}
FREE = {"accelerate": "accelerate", "skorch": "skorch", "keras-3": "keras"}  # that need no adapter
HERE = [name for name, module in FRAMEWORKS.items() if find_spec(module) is not None]
SHOWN = [*HERE, *(name for name, module in FREE.items() if find_spec(module) is not None)]


def sections() -> dict[str, str]:
    """The page's section for each framework, by its heading in lower case, spaces as hyphens."""
    text = (ROOT / "docs" / "migrating.md").read_text()
    _, *parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return {title.lower().replace(" ", "-"): part for title, part in zip(parts[::2], parts[1::2], strict=True)}


def test_there_is_a_section_for_each():
    assert set(sections()) == {*FRAMEWORKS, *FREE}


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", SHOWN)
def test_snippets(name, tmp_path, monkeypatch):
    # Those marked py need the framework; they are read from top to bottom. Those marked python run by themselves.
    monkeypatch.chdir(tmp_path)
    together: dict[str, object] = {"__name__": "snippet"}
    for kind, code in re.findall(r"```(py|python)\n(.*?)```", sections()[name], flags=re.DOTALL):
        exec(compile(code, "snippet", "exec"), together if kind == "py" else {"__name__": "snippet"})


@pytest.mark.parametrize("name", HERE)
def test_what_others_do_is_what_the_page_says(name):
    module = f"bridges.faults_{name.replace('-', '_')}"
    command = [sys.executable, "-W", "ignore", "-m", module]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    (printed,) = re.findall(r"```text\n(.*?)```", sections()[name], flags=re.DOTALL)
    assert lines(done.stdout) == lines(printed)


def lines(printed: str) -> list[str]:
    """What was printed, but for the framework's version."""
    return [line.rstrip() for line in re.sub(r"\A(\S+) [^\s,:]+", r"\1", printed).splitlines()]
