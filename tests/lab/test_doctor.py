"""The doctor tells what is there, and finds what is broken."""

import io
import json
import warnings
from dataclasses import dataclass
from importlib.metadata import version

import pytest
import torch
from rich.console import Console

from multimix.kernels.family import checked_family
from multimix.lab.about.doctor import examine, findings, installation
from multimix.lab.about.doctor.machine import ABSENT, Package, data_cache, device_kernels
from multimix.lab.about.doctor.screen import print_findings, print_installation
from multimix.lab.about.doctor.selftest import checks
from multimix.lab.command_line.main import main
from multimix.masks import Constant
from multimix.methods import METHODS, CutMix, MixUp, PuzzleMix
from multimix.methods.step import Step


@dataclass(frozen=True)
class Lying(Constant):
    """A mask whose label weight is not its mean."""

    def weight(self):
        return self.share**2


class Crooked(MixUp):
    """Labels do not follow pixels."""

    def mask(self, step: Step) -> Lying:
        return Lying(super().mask(step).share)


class Broken(MixUp):
    """It fails."""

    def mask(self, step: Step) -> Constant:
        raise RuntimeError("no such\nlibrary")


@pytest.fixture
def few(monkeypatch):
    """Three methods are enough, and no time is taken for speed."""
    monkeypatch.setattr("multimix.lab.about.doctor.selftest.BUDGET_S", 0)
    every = dict(METHODS)  # put back in the order that it has: others print it
    METHODS.clear()
    METHODS.update({"mixup": MixUp, "cutmix": CutMix, "puzzlemix": PuzzleMix})
    yield
    METHODS.clear()
    METHODS.update(every)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_well_on_the_cpu(name):
    found = checks(name, torch.device("cpu"))
    assert [check.what for check in found] == ["labels follow pixels", "kernels equal PyTorch"]
    assert not any(check.wrong for check in found)


def test_what_is_there_as_json(few, capsys):
    assert main(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["versions"]["torch"] == version("torch")
    assert told["machine"]["threads"] == torch.get_num_threads()
    assert told["puzzle_solvers"]["cpu"] == "exact, compiled"
    assert told["kernel_family"] == "auto"
    assert told["device_kernels"]["cpu"] == "cpu"
    used = {kernel["name"] for kernel in told["kernels"]}
    assert {"kernels.cpu.streamed._lerp", "kernels.cpu.streamed._cut", "kernels.cpu.cut.solve_pairs"} <= used
    assert [(item["method"], item["device"]) for item in told["tried"][:2]] == [("mixup", "cpu"), ("cutmix", "cpu")]
    assert told["tried"][0]["speed"]["mixing"] > 0
    assert told["wrong"] == []


@pytest.mark.parametrize("width", [80, 120])
def test_the_screen(few, width):
    file = io.StringIO()
    console = Console(width=width, file=file)
    installed = installation()
    print_installation(installed, console)
    print_findings(examine(installed), console)
    printed = file.getvalue()
    assert max(map(len, printed.splitlines())) <= width
    for said in (
        "versions",
        "data cache",
        "MULTIMIX_KERNELS=auto",
        "off (MULTIMIX_CACHE)",
        "kernels: cpu",
        "Self-test on cpu",
        "puzzlemix",
        "All is well.",
    ):
        assert said in printed


def test_what_is_known_at_once_is_printed_before_anything_is_tried(few, monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(findings, "mixing_speed", lambda method, device: seen.append(capsys.readouterr().out))
    assert main(["doctor"]) == 0
    assert seen[0].startswith("versions")
    assert "\ncores" in seen[0]
    after = capsys.readouterr().out
    assert after.startswith("cpu ")
    assert "versions" not in after
    columns = {line.index(word) for line, word in ((seen[0], "multimix"), (after, after.split()[1]))}
    assert len(columns) == 1  # both are one table


@pytest.mark.parametrize(
    ("method", "line"),
    [
        (Crooked, "crooked on cpu: labels follow pixels does not hold: labels are up to 0.2"),
        (Broken, "crooked on cpu: kernels equal PyTorch does not hold: RuntimeError: no such library"),
    ],
)
def test_a_broken_method_is_found(few, monkeypatch, capsys, method, line):
    monkeypatch.setitem(METHODS, "crooked", method)
    assert main(["doctor"]) == 1
    written = capsys.readouterr()
    assert line in written.err
    assert all(said.startswith("multimix: crooked on cpu: ") for said in written.err.splitlines())
    assert "All is well." not in written.out
    assert "thing(s) wrong:" in written.out


def test_kernels_that_are_off_are_found(few, monkeypatch):
    from multimix.kernels.cpu import streamed

    right = streamed.lerp_rows

    def off(x, sample, partner, weight, out, fresh=False):
        right(x, sample, partner, weight, out, fresh)
        out += 1e-3

    monkeypatch.setattr(streamed, "lerp_rows", off)
    wrong = {check.what: check.wrong for check in checks("mixup", torch.device("cpu"))}
    assert wrong["kernels equal PyTorch"] == "compiled kernels are up to 0.001 away from PyTorch"


def test_kernels_that_are_not_there_are_a_finding(few, monkeypatch, capsys):
    monkeypatch.setattr("multimix.lab.about.doctor.findings.chosen", lambda: checked_family("numba"))
    assert main(["doctor"]) == 1
    assert "multimix: MULTIMIX_KERNELS must be one of auto, torch, cpu, triton" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "shown"), [("auto", "torch (no compiler)"), ("torch", "torch"), ("triton", "unknown")]
)
def test_kernels_of_a_gpu_are_told(monkeypatch, value, shown):
    monkeypatch.setattr("multimix.kernels.family.chosen", lambda: value)
    monkeypatch.setattr("multimix.kernels.triton.available.why_not", lambda device: "no compiler")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told = device_kernels(torch.device("cuda", 0))
    assert told == shown


@pytest.mark.parametrize(
    ("package", "line"),
    [
        (Package("torch", ">=9", "2.13", "", False), "torch must be >=9, got 2.13; pip install 'torch>=9'"),
        (Package("numba", ">=1", ABSENT, "", False), "numba must be >=1, got not installed; pip install 'numba>=1'"),
        (Package("ray", ">=1", ABSENT, "ray", True), None),
    ],
)
def test_packages_that_do_not_fit(few, monkeypatch, capsys, package, line):
    monkeypatch.setattr("multimix.lab.about.doctor.findings.packages", lambda: [package])
    assert main(["doctor"]) == (1 if line else 0)
    assert capsys.readouterr().err == (f"multimix: {line}\n" if line else "")


def test_metadata_are_read(monkeypatch):
    from multimix.lab.about.doctor import machine

    asked = ["torch>=2.6", "numpy>=99", 'ray>=2; extra == "ray"', 'multimix[lab]; extra == "ray"', "gone>=1"]
    monkeypatch.setattr(machine, "requires", lambda name: asked)
    found = {package.name: package for package in machine.packages()}
    assert list(found) == ["torch", "numpy", "ray", "gone"]
    assert [package.fits for package in found.values()] == [True, False, True, False]
    assert [package.extra for package in found.values()] == ["", "", "ray", ""]


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    monkeypatch.setenv("MULTIMIX_CACHE", str(tmp_path / "new" / "place"))
    assert data_cache() == {"folder": str(tmp_path / "new" / "place"), "bytes": 0, "writable": True}
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert not data_cache()["writable"]
