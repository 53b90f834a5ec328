"""`num_mixes="auto"`: chosen once, written down, and then a run like any other."""

import json

import pytest
import torch
from lightning.fabric import Fabric
from safetensors.torch import load_file

from multimix.lab import auto_num_mixes
from multimix.lab.auto_num_mixes import _choices, measure_choices
from multimix.lab.cli import main
from multimix.lab.config import TrainSettings
from multimix.lab.data import open_data
from multimix.lab.errors import UsageError
from multimix.lab.initial_weights import model_at_start
from multimix.lab.train import train, with_num_mixes
from multimix.lab.variance.probe import Probe


def settings(out, **changes):
    asked = {"model": "mlp", "num_mixes": "auto", "batch_size": 12, "steps": 4, "out": str(out)}
    return TrainSettings(**asked | changes)


def numbers(value, low, high):
    return {"value": value, "low": low, "high": high}


def row(num_mixes, variance, time_s, price):
    return {
        "num_mixes": num_mixes,
        "num_pairs": 12 // num_mixes,
        "variance": numbers(variance, variance / 2, variance * 2),
        "relative": numbers(1.0, 0.5, 2.0),
        "to_one": numbers(variance, variance / 2, variance * 2),
        "time_s": time_s,
        "variance_time_to_one": price,
    }


def found(monkeypatch, *rows):
    monkeypatch.setattr(auto_num_mixes, "measure_choices", lambda probe, settings, choices: list(rows))


ONE = row(1, 1.0, 1.0, numbers(1.0, 1.0, 1.0))


@pytest.mark.parametrize(
    ("rows", "chosen", "why"),
    [
        ([ONE, row(3, 0.5, 1.1, numbers(0.55, 0.4, 0.8))], 3, "least gradient variance × time, 0.55 [0.4, 0.8] times"),
        ([ONE, row(3, 0.9, 1.0, numbers(0.9, 0.7, 1.2))], 3, "from which it is not distinguishable"),
        ([ONE, row(3, 0.9, 1.2, numbers(1.08, 0.9, 1.3))], 1, "next is K = 3, 1.08 [0.9, 1.3] times that"),
    ],
)
def test_the_choice_is_the_least_variance_times_time_and_says_how_sure_it_is(
    tmp_path, monkeypatch, capsys, rows, chosen, why
):
    found(monkeypatch, *rows)
    flags = ["--model", "mlp", "--num-mixes", "auto", "--batch-size", "12", "--steps", "4", "--out", str(tmp_path)]
    assert main(["train", *flags]) == 0
    printed = capsys.readouterr().out
    assert f"K = {chosen} is chosen" in printed
    assert why in printed
    there = json.loads((tmp_path / "auto_num_mixes.json").read_text())
    assert (there["num_mixes"], there["measured"], there["warm_up"]) == (chosen, rows, 1)
    assert json.loads((tmp_path / "config.json").read_text())["num_mixes"] == chosen
    assert main(["train", *flags]) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_the_run_is_the_one_with_that_k_to_the_same_bits(tmp_path):
    train(settings(tmp_path / "auto"))
    chosen = json.loads((tmp_path / "auto" / "auto_num_mixes.json").read_text())["num_mixes"]
    train(settings(tmp_path / "given", num_mixes=chosen))
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("auto", "given")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_an_interrupted_run_goes_on_with_the_k_it_had(tmp_path, monkeypatch):
    found(monkeypatch, ONE, row(3, 0.5, 1.0, numbers(0.5, 0.4, 0.8)))
    train(settings(tmp_path))
    (tmp_path / "evaluation.json").unlink()

    def never(*arguments):
        raise AssertionError("measured again")

    monkeypatch.setattr(auto_num_mixes, "measure_choices", never)
    assert train(settings(tmp_path))
    assert with_num_mixes(settings(tmp_path), print).num_mixes == 3
    assert main(["train", "--dry-run", "--num-mixes", "auto", "--model", "mlp", "--steps", "4", "--batch-size", "12",
                 "--out", str(tmp_path)]) == 0  # fmt: skip


def test_a_folder_of_other_settings_is_refused(tmp_path, monkeypatch):
    found(monkeypatch, ONE, row(3, 0.5, 1.0, numbers(0.5, 0.4, 0.8)))
    with_num_mixes(settings(tmp_path), lambda line: None)
    with pytest.raises(UsageError, match=r"got steps=5 for .* which holds a run with steps=4; choose another --out"):
        with_num_mixes(settings(tmp_path, steps=5), print)
    (tmp_path / "auto_num_mixes.json").write_text("{}")
    with pytest.raises(UsageError, match=r"auto_num_mixes\.json must be readable"):
        with_num_mixes(settings(tmp_path), print)
    train(settings(tmp_path / "given", num_mixes=2))
    with pytest.raises(UsageError, match=r"got num_mixes='auto' for .* holds a run with num_mixes=2"):
        with_num_mixes(settings(tmp_path / "given"), print)


def test_choices_divide_the_rows_and_leave_two_pairs():
    assert _choices(settings("o", batch_size=120)) == [1, 2, 3, 4, 5, 6, 8, 10, 12, 15]
    assert _choices(settings("o", batch_size=12)) == [1, 2, 3, 4, 6]
    assert _choices(settings("o", batch_size=12, micro_batch_size=3)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 13}, "batch_size must be divisible by a K from 2 to 16, .* got batch_size=13"),
        ({"precision": "fp16"}, "K is chosen in fp32 or bf16"),
    ],
)
def test_where_there_is_no_choice_it_is_refused(changes, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        with_num_mixes(settings(tmp_path / "o", **changes), print)
    assert not (tmp_path / "o").exists()


def test_several_processes_do_not_choose(monkeypatch, tmp_path):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="K is chosen by one process, got num_mixes='auto' in 2; choose it without"):
        with_num_mixes(settings(tmp_path), print)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "none"}, "a method must mix for its K to be chosen, got method='none'"),
        ({"num_mixes": "many"}, "num_mixes must be an integer >= 1, auto, or values .* got num_mixes='many'"),
        ({"batch_size": 0}, "batch_size must be an integer >= 1"),
        ({"sampling": "idd"}, "did you mean"),
    ],
)
def test_bad_settings_are_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        settings("o", **changes)


def test_each_k_is_measured_as_it_would_be_trained():
    asked, data = settings("o"), open_data("digits")
    fabric = Fabric(accelerator="cpu", devices=1)
    model = model_at_start(asked, data, fabric)
    one = TrainSettings(**{**asked.__dict__, "num_mixes": 1})
    seen = []
    model.register_forward_hook(lambda module, args, out: seen.append(len(out)))
    rows = measure_choices(Probe(one, fabric, model, data.train, data.num_classes), asked, [1, 3])
    assert set(seen) == {12}  # rows of a step, whatever K
    assert [(r["num_mixes"], r["num_pairs"]) for r in rows] == [(1, 12), (3, 4)]
    assert rows[0]["to_one"]["value"] == 1
    assert rows[1]["to_one"]["low"] > 1.5  # a third of the pairs
