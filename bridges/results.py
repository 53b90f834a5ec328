"""Run every bridge's tests in its environment and write down what passed: `make bridges`."""

import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "timm": ["timm", "torchvision"],
    "torchvision": ["torchvision"],
    "kornia": ["kornia"],
    "hugging-face": ["transformers", "accelerate"],
    "fastai": ["fastai", "torchvision"],
    "skorch": ["skorch"],
    "keras": ["keras"],
}
HEAD = """# Tests beside frameworks with environments of their own

`make bridges` installs `bridges/<name>.txt` into `.bridges/<name>`, runs `tests/bridges` there (files whose framework
is missing are left out) and writes this table. The adapters for `torch.utils.data` and Lightning are tested by
`make test`. multimix itself is not installed there: `PYTHONPATH=src .bridges/timm/bin/python` finds it.
Where there is torchvision beside a torch without its operators, call `bridges.stand_in.stand_in_for_operators()` before
timm, torchvision or fastai.vision is imported, as tests/bridges/conftest.py does: else it ends with "operator
torchvision::nms does not exist".

| environment | beside | torch | tests passed | failed | skipped |
|---|---|---|---|---|---|
"""
VERSIONS = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"


def main() -> int:
    rows, worst = [], 0
    for name, packages in PACKAGES.items():
        python = ROOT / ".bridges" / name / "bin" / "python"
        torch, *versions = ask(python, "-c", VERSIONS, "torch", *packages).split()
        code, (passed, failed, skipped) = run_tests(python, "tests/bridges")
        worst = max(worst, code)
        beside = ", ".join(f"{package} {version}" for package, version in zip(packages, versions, strict=True))
        rows.append(f"| {name} | {beside} | {torch} | {passed} | {failed} | {skipped} |")
        print(rows[-1], flush=True)
    (ROOT / "bridges" / "results.md").write_text(HEAD + "\n".join(rows) + "\n")
    return worst


def ask(python: Path, *arguments: str) -> str:
    return subprocess.run([python, *arguments], capture_output=True, text=True, check=True).stdout


def run_tests(python: Path, *selection: str) -> tuple[int, tuple[int, int, int]]:
    """The exit status, and how many of the selected tests passed, failed and were skipped."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [python, "-m", "pytest", "-q", "--show-capture=no", f"--junit-xml={report}", *selection]
        code = subprocess.run(command, cwd=ROOT).returncode
        suite = ElementTree.parse(report).getroot()[0]
    total, errors, failures, skipped = (int(suite.attrib[k]) for k in ("tests", "errors", "failures", "skipped"))
    failed = errors + failures
    return code, (total - failed - skipped, failed, skipped)


if __name__ == "__main__":
    sys.exit(main())
