"""`python -m benchmarks.gpu` can be tried without a GPU, and needs little."""

import json
import math
import sys
from types import SimpleNamespace

import pytest
import torch

from benchmarks.gpu import exact
from benchmarks.gpu import main as command
from benchmarks.gpu.agreement import numbers_that_differ
from benchmarks.gpu.setting import NO_GPU

NOT_THERE = ("rich", "jsonargparse", "lightning_fabric", "safetensors")


def test_a_trial_measures_and_says_what_it_cannot(tmp_path, capsys):
    assert command.main(["--tiny", "--parts", "blend,memory,replayed,compiled", "--out", str(tmp_path)]) == 0
    results = json.loads((tmp_path / "gpu.json").read_text())
    assert set(results["parts"]) == {"blend", "memory", "replayed", "compiled"}
    assert all(part["tables"] and "error" not in part for part in results["parts"].values())
    assert {"card", "driver", "torch", "triton"} <= set(results["card"])
    page = (tmp_path / "gpu.md").read_text()
    assert page == capsys.readouterr().out.removesuffix("\n")
    assert "Tiny sizes" in page
    assert f"| mixup, float32, 8 px: share of copy bandwidth | ≥ 80% | {NO_GPU} |" in page


def test_every_method_agrees_by_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.gpu.agreement.mixers", _few)
    assert command.main(["--tiny", "--parts", "exact", "--out", str(tmp_path)]) == 0
    tables = json.loads((tmp_path / "gpu.json").read_text())["parts"]["exact"]["tables"]
    assert {row["holds"] for row in tables["every method beside the CPU, the same plan"]} == {"yes"}


def _few(num_mixes):
    from benchmarks.gpu.batches import mixers

    return {name: mix for name, mix in mixers(num_mixes).items() if name in ("mixup", "cutmix")}


@pytest.mark.parametrize(
    ("patched", "result", "wrong"),
    [("_roundings", 2.0, {"mixup"}), ("numbers_that_differ", (1, 0, 9), {"mixup", "cutmix"})],
)
def test_a_difference_fails_the_part(tmp_path, monkeypatch, patched, result, wrong):
    monkeypatch.setattr("benchmarks.gpu.agreement.mixers", _few)
    monkeypatch.setattr(f"benchmarks.gpu.agreement.{patched}", lambda *_: result)
    assert command.main(["--tiny", "--parts", "exact", "--out", str(tmp_path)]) == 1
    part = json.loads((tmp_path / "gpu.json").read_text())["parts"]["exact"]
    assert "what must hold does not" in part["error"]
    rows = part["tables"]["every method beside the CPU, the same plan"]
    assert {row["method"] for row in rows if row["holds"] == "NO"} == wrong


def test_numbers_that_differ_are_told_from_rounding_and_nan_is_none():
    first = (torch.tensor([0.5, math.nan, 0.25]), torch.tensor([1, 2]))
    second = (torch.tensor([0.5 + 2**-23, 0.5, 0.25]), torch.tensor([1, 3]))
    assert numbers_that_differ(first, second) == (3, 2, 5)


def test_what_compiles_beside_a_part_ends_with_it(monkeypatch):
    waited = []
    process = SimpleNamespace(wait=lambda: waited.append(True))
    monkeypatch.setattr(exact.warm, "start", lambda setting: [process, process])
    monkeypatch.setattr(exact, "FIRST", {"no answer": lambda setting: 1 / 0})
    with pytest.raises(ZeroDivisionError):
        list(exact.measure(None))
    assert waited == [True, True]


def test_a_part_that_fails_leaves_its_traceback_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    def broken(setting):
        yield "a table", [{"a": 1}]
        raise RuntimeError("the card is gone")

    def whole(setting):
        yield "another table", [{"b": 2}]

    monkeypatch.setattr(command, "PARTS", {"one": (broken, 1.0), "two": (whole, 1.0)})
    assert command.main(["--tiny", "--parts", "one,two", "--out", str(tmp_path)]) == 1
    parts = json.loads((tmp_path / "gpu.json").read_text())["parts"]
    assert parts["one"]["tables"] == {"a table": [{"a": 1}]}
    assert parts["one"]["error"].endswith("RuntimeError: the card is gone\n")
    assert parts["two"]["tables"] == {"another table": [{"b": 2}]}
    assert "the card is gone" in (tmp_path / "gpu.md").read_text()


def test_unknown_parts_are_refused(capsys):
    with pytest.raises(SystemExit):
        command.main(["--tiny", "--parts", "exact,speed"])
    assert "got speed" in capsys.readouterr().err


def test_models_need_none_of_the_packages_that_a_lean_machine_lacks(monkeypatch):
    for name in NOT_THERE:
        monkeypatch.setitem(sys.modules, name, None)
    for name in [
        key for key in sys.modules if key == "multimix.lab" or key.startswith(("multimix.lab.", "benchmarks."))
    ]:
        monkeypatch.delitem(sys.modules, name)
    __import__("multimix.lab.models")
    __import__("benchmarks.gpu.main")
