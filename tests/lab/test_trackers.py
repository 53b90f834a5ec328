"""Trackers hold what metrics.jsonl holds, after kills too; and the training does not know them."""

import json
import os
import signal
import sqlite3
from pathlib import Path

import pytest
import torch
from killed_run import KILLED_AT, SETTINGS
from safetensors.torch import load_file
from together import end_together, start_together
from tracked_runs import HELD, in_mlflow, in_tensorboard

from multimix.lab.core.errors import Interrupted, UsageError
from multimix.lab.train.run import train
from multimix.lab.train.run_folder import RunFolder, to_config
from multimix.lab.train.settings import TrainSettings
from multimix.lab.train.trackers import names
from multimix.lab.train.trackers.names import TRACKERS


def there(name):
    try:
        names.check_installed([name])
    except UsageError:
        return False
    return True


THERE = tuple(name for name in TRACKERS if there(name))
PER_TRACKER = [
    pytest.param(name, marks=pytest.mark.skipif(name not in THERE, reason=f"{name} is not installed"))
    for name in TRACKERS
]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "WANDB_MODE", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)


def settings(out, *trackers, **changes):
    return TrainSettings(**SETTINGS | changes, out=str(out), trackers=trackers)


def weights(out):
    return load_file(out / "model.safetensors")


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """A run that was never stopped and had no tracker."""
    out = tmp_path_factory.mktemp("straight")
    train(settings(out))
    return out


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    """A run that was killed after a record that is in no checkpoint, and went on."""
    out = tmp_path_factory.mktemp("killed") / "run"
    killed = start_together(Path(__file__).parent / "killed_run.py", [str(out), *THERE])
    assert end_together(killed) == [-signal.SIGKILL]  # what went wrong is in the standard error
    before = [record["step"] for record in RunFolder(out).records()]
    assert KILLED_AT in before  # and is met again
    told = []
    again = []
    train(settings(out, *THERE), on_record=lambda record: again.append(record["step"]), log=told.append)
    assert KILLED_AT in again
    assert told == []
    return out


@pytest.mark.parametrize("name", PER_TRACKER)
def test_after_a_kill_each_step_is_held_once(resumed, name):
    held = HELD[name](resumed)
    records = RunFolder(resumed).records()
    assert [step for step, _ in held.losses] == [record["step"] for record in records]
    assert [loss for _, loss in held.losses] == pytest.approx([record["loss"] for record in records], rel=1e-6)


@pytest.mark.parametrize("name", PER_TRACKER)
def test_settings_and_the_final_evaluation_are_held(resumed, name):
    held = HELD[name](resumed)
    assert held.final == pytest.approx(RunFolder(resumed).evaluation(), rel=1e-6)
    wanted = {name: str(value) for name, value in to_config(settings(resumed)).items() if not isinstance(value, dict)}
    assert {name: held.settings.get(name) for name in wanted} == wanted


def test_training_does_not_know_them(straight, resumed):
    a, b = weights(straight), weights(resumed)
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("name", PER_TRACKER)
def test_a_tracker_may_join_late(tmp_path, name):
    def stop(record):
        if record["step"] >= KILLED_AT:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted):
        train(settings(tmp_path), on_record=stop)
    train(settings(tmp_path, name))
    assert [step for step, _ in HELD[name](tmp_path).losses] == [r["step"] for r in RunFolder(tmp_path).records()]


@pytest.mark.skipif("mlflow" not in THERE, reason="mlflow is not installed")
def test_a_stopped_run_is_killed_for_mlflow_and_the_users_store_is_used(tmp_path, monkeypatch):
    store, out = tmp_path / "own.db", tmp_path / "run"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}")
    with pytest.raises(Interrupted):
        train(settings(out, "mlflow"), on_record=lambda record: os.kill(os.getpid(), signal.SIGTERM))
    assert sqlite3.connect(store).execute("SELECT name, status FROM runs").fetchall() == [("run", "KILLED")]
    train(settings(out, "mlflow"))
    assert len(in_mlflow(out, store).losses) == len(RunFolder(out).records())
    assert not (out / "mlflow.db").exists()


@pytest.mark.skipif("wandb" not in THERE, reason="wandb is not installed")
def test_wandb_does_as_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    train(settings(tmp_path, "wandb", steps=2))
    assert not (tmp_path / "wandb").exists()


@pytest.mark.skipif("tensorboard" not in THERE, reason="tensorboard is not installed")
def test_tensorboard_counts_seconds_of_training(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(settings(tmp_path, "tensorboard", steps=4))
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    events, records = board.Scalars("loss"), RunFolder(tmp_path).records()
    passed = [record["time_s"] - records[0]["time_s"] for record in records]
    assert [event.wall_time - events[0].wall_time for event in events] == pytest.approx(passed, abs=1e-4)
    assert len(in_tensorboard(tmp_path).losses) == 4


@pytest.mark.skipif("tensorboard" not in THERE, reason="tensorboard is not installed")
@pytest.mark.parametrize("when", ["__init__", "log", "finish"])
def test_a_tracker_that_fails_is_told_once_and_the_run_goes_on(tmp_path, monkeypatch, straight, when):
    from multimix.lab.train.trackers.to_tensorboard import TensorBoard

    def fail(*_):
        raise OSError(28, "No space left\non device")

    monkeypatch.setattr(TensorBoard, when, fail)
    told, others = [], ("mlflow",) if "mlflow" in THERE else ()
    assert train(settings(tmp_path, "tensorboard", *others), log=told.append)
    (line,) = told
    assert line.startswith("tracker tensorboard failed and is left out, while the run goes on: OSError: ")
    assert "No space left on device" in line
    assert all(torch.equal(weights(straight)[name], value) for name, value in weights(tmp_path).items())
    for name in others:  # what stands beside it is not touched
        assert HELD[name](tmp_path).final


def test_a_missing_package_is_refused_before_anything_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr(names, "find_spec", lambda package: None if package == "wandb" else object())
    with pytest.raises(UsageError, match=r"got trackers=wandb without wandb; pip install 'multimix\[trackers\]'"):
        train(settings(tmp_path / "run", "tensorboard", "wandb"))
    assert not (tmp_path / "run").exists()


def test_names_are_checked():
    with pytest.raises(UsageError, match=r'trackers must be one of tensorboard, .*; did you mean "mlflow"\?'):
        settings("o", "mlfow")
    with pytest.raises(UsageError, match=r"trackers must differ from each other"):
        settings("o", "wandb", "wandb")


@pytest.mark.skipif("tensorboard" not in THERE, reason="tensorboard is not installed")
def test_a_finished_run_keeps_its_file_and_takes_a_tracker_without_complaint(tmp_path):
    train(settings(tmp_path, "tensorboard", steps=2))
    before = {file.name: file.read_bytes() for file in (tmp_path / "tensorboard").iterdir()}
    assert not train(settings(tmp_path, steps=2))
    assert {file.name: file.read_bytes() for file in (tmp_path / "tensorboard").iterdir()} == before
    assert "trackers" not in json.loads((tmp_path / "config.json").read_text())
