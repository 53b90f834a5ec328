"""What cannot work is refused before the first run of a comparison, and by its dry run."""

import pytest
import torch
from safetensors.torch import save_file

from multimix.lab.command_line.main import main
from multimix.lab.compare import preflight
from multimix.lab.compare.preflight import check_data_sets
from multimix.lab.compare.rows import runs
from multimix.lab.compare.settings import CompareSettings

FLAGS = ["--methods", "mixup", "--num-mixes", "1,5", "--controls", "same-rows", "--jobs", "0"]
STEPS = ["--steps", "5"]


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--epochs", "1", "--model", "vgg-11"], "vgg-11 must fit samples of shape (1, 8, 8)"),
        ([*STEPS, "--variants.low", "{model: vgg-11}"], "vgg-11 must fit samples of shape (1, 8, 8)"),
        ([*STEPS, "--variants.few", "{labels_per_class: 5000}"], "labels_per_class must be at least 1"),
        (
            [*STEPS, "--labels-per-class", "1", "--batch-size", "240", "--controls", "k-batch"],
            "a step must hold every sample 100 times at most, got batch_size=1,200, num_mixes=1 with 10 samples",
        ),
        ([*STEPS, "--patience", "3"], "stopping early needs held-out samples, never the test split, got patience=3"),
        ([*STEPS, "--schedule", "multistep:100"], "a schedule's moments must lie within the run, got 100 epochs"),
    ],
)
def test_a_run_that_could_not_begin_is_refused_before_the_first(flags, message, dry, tmp_path, capsys):
    assert main(["compare", *FLAGS, *flags, "--out", f"{tmp_path}/out", *dry]) == 2
    printed = capsys.readouterr().err
    assert printed.count(message) == 1, printed
    assert not (tmp_path / "out").exists()


def test_initial_weights_that_are_not_there_are_refused_once_and_said_by_a_dry_run(tmp_path, capsys):
    flags = ["compare", *FLAGS, *STEPS, "--initial-weights", f"{tmp_path}/no", "--out", f"{tmp_path}/out"]
    assert main(flags) == 2
    wanted = "initial_weights must be a finished run's folder or a .safetensors file"
    assert capsys.readouterr().err.count(wanted) == 1
    assert not (tmp_path / "out").exists()
    assert main([*flags, "--dry-run"]) == 0
    assert f"starting from {tmp_path}/no, which is not there yet\n" in capsys.readouterr().out


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_initial_weights_of_another_model_are_refused_once(dry, tmp_path, capsys):
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    flags = [*FLAGS, *STEPS, "--initial-weights", f"{tmp_path}/other.safetensors", "--out", f"{tmp_path}/out", *dry]
    assert main(["compare", *flags]) == 2
    assert capsys.readouterr().err.count("initial_weights must fit the model") == 1


def test_data_are_opened_and_a_model_is_built_once_for_all_runs_alike(monkeypatch):
    opened, built = [], []
    open_data, build = preflight.open_data, preflight.build_model_of
    monkeypatch.setattr(
        preflight, "open_data", lambda name, *args, **kw: opened.append(name) or open_data(name, *args, **kw)
    )
    monkeypatch.setattr(preflight, "build_model_of", lambda run, *args: built.append(run.model) or build(run, *args))
    variants = {"mlp": {"model": "mlp"}, "few": {"labels_per_class": 20}, "iid": {"sampling": "iid"}}
    compare = CompareSettings(methods=("mixup",), model="small-cnn", variants=variants, steps=5, out="o")
    check_data_sets(compare, [run for _, run in runs(compare)])
    assert (opened, built) == (["digits"], ["small-cnn", "mlp"])
