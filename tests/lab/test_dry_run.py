"""A run tried in seconds: what is planned is true, what would fail fails, and nothing is left behind."""

import layouts
import pytest
import torch

from multimix.lab.command_line.main import main
from multimix.lab.core.errors import UsageError
from multimix.lab.data import open_data
from multimix.lab.data.stand_in import published, stand_in
from multimix.lab.train.dry_run import dry_run
from multimix.lab.train.settings import TrainSettings

TINY = {"model": "preact-resnet18", "model_options": {"width": 2}}


def settings(tmp_path, **changes):
    asked = {"data": "cifar100", "batch_size": 500, "epochs": 300, "schedule": "multistep:100,200"}
    return TrainSettings(out=str(tmp_path / "run"), **TINY | asked | changes)


def test_the_plan_is_that_of_the_whole_run(tmp_path):
    lines = dry_run(settings(tmp_path))
    assert "made-up samples of shape (3, 32, 32), 100 classes; 50,000 to train on" in lines[0]
    assert lines[2] == "step: 100 samples, 500 rows (mixup, 5 mixes of each pair)"
    assert lines[3] == "length: 150,000 steps, 300 epochs, 75,000,000 rows"
    assert lines[4] == "learning rate: sgd, multistep:100,200, 0.1 in the first step, 0.001 in the last"
    assert lines[5].startswith("tried: 4 steps of 2 pairs")
    assert not list(tmp_path.iterdir())


def test_every_option_is_tried(tmp_path, monkeypatch):
    tried = []
    import multimix.lab.train.dry_run as module

    def noted(trial, **given):
        tried.append(trial)
        return train(trial, **given)

    train = module.train
    monkeypatch.setattr(module, "train", noted)
    dry_run(
        settings(
            tmp_path,
            method="manifold",
            unmixed_first="5",
            unmixed_last="10%",
            micro_batch_size=100,
            validation_share=0.1,
            patience=2,
            ema_decay=0.9,
            clip_norm=1.0,
            precision="bf16",
            channels_last=True,
        )
    )
    (trial,) = tried
    assert trial.schedule == "multistep:33.3333%,66.6667%"
    assert (trial.unmixed_first, trial.unmixed_last) == ("25%", "25%")
    assert (trial.batch_size, trial.micro_batch_size, trial.steps) == (20, 10, 4)
    assert (trial.patience, trial.ema_decay, trial.clip_norm, trial.precision) == (2, 0.9, 1.0, "bf16")


@pytest.fixture
def few_records(monkeypatch):
    monkeypatch.setattr("multimix.lab.data.sets.cifar.Cifar10.records", {"train": 6, "test": 6})


def test_data_that_are_here_are_opened(tmp_path, few_records):
    layouts.cifar10_binary(tmp_path / "data", 6)
    here = settings(tmp_path, data="cifar10", data_root=str(tmp_path / "data"))
    assert "30 samples to train on, 6 to test on" in dry_run(here)[0]
    with pytest.raises(UsageError, match=r"cifar10 must be a copy in a published layout"):
        dry_run(settings(tmp_path, data="cifar10", data_root=str(tmp_path)))
    assert dry_run(settings(tmp_path, data="digits", model="mlp", model_options={}))[0].startswith("data: digits, 898")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedule": "multistep:400"}, r"moments must lie within the run, got 400 epochs"),
        ({"unmixed_first": "300"}, r"some steps must be mixed"),
        (
            {"data": "digits", "model": "mlp", "model_options": {}, "patience": 3},
            r"stopping early needs held-out samples",
        ),
        ({"model": "vgg-11", "model_options": {}, "data_options": {"padding": 1, "flop": 1}}, r"got 'flop'"),
    ],
)
def test_what_would_fail_later_fails_now(tmp_path, changes, message):
    with pytest.raises(UsageError, match=message):
        dry_run(settings(tmp_path, **changes))


def test_weights_of_a_run_that_is_still_to_come(tmp_path):
    lines = dry_run(settings(tmp_path, initial_weights=str(tmp_path / "before")))
    assert lines[1].endswith(f"starting from {tmp_path / 'before'}, which is not there yet")


def test_from_the_command_line(tmp_path, capsys):
    asked = ["--data", "digits", "--model", "mlp", "--channels-last", "--out", str(tmp_path / "run")]
    assert main(["train", "--dry-run", *asked]) == 0
    assert f"nothing was written to {tmp_path / 'run'}" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()
    assert main(["report", "--dry-run", str(tmp_path)]) == 2
    assert "report has nothing to try out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "write", "options"),
    [
        ("cifar10", lambda root: layouts.cifar10_binary(root, 6), {}),
        ("imagenet-1k", layouts.imagenet, {"size": 48}),
        ("tiny-imagenet", layouts.tiny_imagenet, {}),
        ("speech-commands", layouts.speech_commands, {"form": "waveform"}),
        ("speech-commands", layouts.speech_commands, {}),
        ("cub-200-2011", layouts.cub, {"size": 48}),
        ("fsdd", layouts.fsdd, {}),
        ("fsdd", layouts.fsdd, {"form": "waveform"}),
    ],
)
def test_made_up_samples_have_the_shape_of_real_ones(tmp_path, few_records, name, write, options):
    write(tmp_path)
    real = open_data(name, options, root=tmp_path)
    made = stand_in(name, options, num=4)
    assert made.sample_shape == real.sample_shape
    x, labels = next(iter(made.train.chunks(4)))
    assert x.dtype == torch.float32
    assert len(labels) == 4
    assert made.num_classes == published(name).num_classes


ONE_STEP = ["--model", "mlp", "--steps", "1", "--out", "run"]


@pytest.mark.parametrize(
    ("command", "times"),
    [("train --num-mixes 2", "557"), ("train --num-mixes 2 --dry-run", "557"), ("variance", "1,114")],
)
def test_a_step_of_far_more_samples_than_there_are_is_refused(command, times, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([*command.split(), *ONE_STEP, "--batch-size", "1000000"]) == 2
    said = capsys.readouterr().err
    assert "a step must hold every sample 100 times at most, got batch_size=1,000,000" in said
    assert f"with 898 samples to train on: {times} times; give a smaller batch_size" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dry_run", [[], ["--dry-run"]])
def test_a_step_of_more_samples_than_there_are_is_said(dry_run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *dry_run, *ONE_STEP, "--num-mixes", "2", "--batch-size", "4000"]) == 0
    assert "each step holds every sample 2.2 times: 2,000 samples of 898 to train on" in "".join(capsys.readouterr())
