"""States on disk: written whole or not at all, read with suspicion, and gone on from to the same bits."""

import errno
import json
import os
import pickle
import re
import resource
import shutil
import signal
import subprocess

import pytest
import torch
from safetensors.torch import load_file, save, save_file
from torch import nn

from multimix.lab.core.atomic_files import UNFINISHED, write_atomic
from multimix.lab.core.errors import Damaged, Interrupted, RunFailed, UsageError
from multimix.lab.core.lock import locked
from multimix.lab.data import open_data
from multimix.lab.train.checkpoint import Snapshot, digest
from multimix.lab.train.moments import SaveTimer
from multimix.lab.train.run import train
from multimix.lab.train.settings import TrainSettings
from multimix.lab.train.state import Meter, State
from multimix.methods import METHODS

pytestmark = pytest.mark.usefixtures("no_type_checks")
STEPS = 12  # records at 3, 5, 8, 10 and 12, states at 3, 6, 9 and 12, so that one is saved between two records


def settings(out, **changes):
    fixed = {"method": "mixup", "num_mixes": 2, "batch_size": 40, "steps": STEPS, "model": "mlp", "evaluations": 5}
    return TrainSettings(**fixed | {"checkpoint_every": "3", "out": str(out)} | changes)


def states(out):
    return sorted((out / "checkpoint").iterdir())


def final(out):
    """Everything that must be equal to the bit: weights, optimizer, records without their times."""
    tensors = Snapshot.read(states(out)[-1]).tensors
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    for record in records:
        del record["time_s"], record["cpu_time_s"]
    return digest(tensors), records, digest(load_file(out / "model.safetensors"))


def stop_at(step):
    def on_record(record):
        if record["step"] >= step:
            os.kill(os.getpid(), signal.SIGTERM)

    return on_record


def interrupted(run, step=4):
    """Begins a run and has it stopped by SIGTERM at a record; returns its folder's states."""
    with pytest.raises(Interrupted, match=rf"stopped by SIGTERM after step \d+ of {STEPS}; the state is saved"):
        train(run, on_record=stop_at(step))


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    out = tmp_path_factory.mktemp("straight")
    train(settings(out))
    return final(out)


@pytest.mark.parametrize(("method", "model"), [*((method, "mlp") for method in METHODS), ("mixup", "small-cnn")])
def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path, method, model):
    before = signal.getsignal(signal.SIGTERM)
    asked = {"method": method, "model": model}
    train(settings(tmp_path / "straight", **asked))
    run = settings(tmp_path / "stopped", **asked)
    for step in (2, 7):
        interrupted(run, step)
        torch.rand(3)  # global randomness is no part of it
    assert train(run)
    assert final(tmp_path / "straight") == final(tmp_path / "stopped")
    assert signal.getsignal(signal.SIGTERM) is before


OPTIONS = {
    "adamw, averaged, clipped": {"optimizer": "adamw", "learning_rate": 1e-3, "ema_decay": 0.9, "clip_norm": 1.0},
    "early stop": {"validation_share": 0.2, "patience": 30, "model": "small-cnn"},
    # The best is the first: such a rate makes the model no better.
    "an early stop that happens": {"validation_share": 0.2, "patience": 2, "learning_rate": 3.0},
    "bf16 in parts": {"precision": "bf16", "micro_batch_size": 14, "method": "puzzlemix"},
    "phases and a schedule": {"unmixed_first": "20%", "unmixed_last": "20%", "schedule": "multistep:50%,75%"},
    "channels last": {"channels_last": True, "model": "small-cnn", "optimizer": "adam", "learning_rate": 1e-3},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_option_is_gone_on_from(tmp_path, options):
    options = {"checkpoint_every": "2"} | options
    train(settings(tmp_path / "straight", **options))
    run = settings(tmp_path / "stopped", **options)
    interrupted(run, 3)
    assert train(run)
    assert final(tmp_path / "straight") == final(tmp_path / "stopped")


def test_the_last_two_states_are_kept_and_differ(tmp_path):
    train(settings(tmp_path))
    assert [path.name for path in states(tmp_path)] == ["step-000000009.safetensors", "step-000000012.safetensors"]
    older, newer = (Snapshot.read(path).tensors for path in states(tmp_path))
    for name in newer:
        assert name == "meter" or not torch.equal(older[name], newer[name]), f"{name} did not move"
    weights = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(weights[name], newer[f"model.{name}"]) for name in weights)


def test_short_runs_save_nothing(tmp_path):
    train(settings(tmp_path, steps=4, checkpoint_every=TrainSettings(out="o").checkpoint_every))
    assert not (tmp_path / "checkpoint").exists()


def test_time_between_saves(tmp_path, monkeypatch):
    clock = iter(range(10**6))  # each look at the clock is a second later
    monkeypatch.setattr("multimix.lab.train.moments.monotonic", lambda: next(clock))
    train(settings(tmp_path, checkpoint_every="5s"))
    # States of steps 5, 10 and the last one were saved, and two are kept.
    assert [path.name for path in states(tmp_path)] == ["step-000000010.safetensors", "step-000000012.safetensors"]


def truncated(path):
    path.write_bytes(path.read_bytes()[:-1000])


def empty(path):
    path.write_bytes(b"")


def flipped(path):
    content = bytearray(path.read_bytes())
    content[-5000] ^= 1
    path.write_bytes(content)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("owned",)


def pickled(path):
    path.write_bytes(pickle.dumps({"model": Evil()}))


def other_safetensors(path):
    save_file({"weight": torch.zeros(3)}, path)


def renamed(path):
    path.write_bytes(states(path.parent.parent)[0].read_bytes())


def forged(**facts):
    """A file whose digest is right and whose facts are not."""

    def forge(path):
        snapshot = Snapshot.read(path)
        Snapshot(snapshot.tensors, snapshot.facts | facts).write(path)

    return forge


def of_other_shape(path):
    snapshot = Snapshot.read(path)
    name = next(name for name in snapshot.tensors if name.startswith("optimizer"))
    Snapshot({**snapshot.tensors, name: torch.zeros(7)}, snapshot.facts).write(path)


def without_weights(path):
    snapshot = Snapshot.read(path)
    Snapshot({"meter": snapshot.tensors["meter"]}, snapshot.facts).write(path)


def without_momentum(path):
    snapshot = Snapshot.read(path)
    kept = {name: value for name, value in snapshot.tensors.items() if not name.startswith("optimizer")}
    Snapshot(kept, snapshot.facts).write(path)


def infinite(path):
    snapshot = Snapshot.read(path)
    for tensor in snapshot.tensors.values():
        tensor.view(-1)[:1] = torch.inf
    snapshot.write(path)


def edited(path):
    """A fact of the header changed by hand, the tensors as they were."""
    raw = path.read_bytes()
    place = re.search(rb'step\\": ', raw).end()
    path.write_bytes(raw[:place] + (b"8" if raw[place : place + 1] == b"9" else b"9") + raw[place + 1 :])


def piped(path):
    path.unlink()
    os.mkfifo(path)


def deep(path):
    snapshot = Snapshot.read(path)
    text = "[" * 100_000
    path.write_bytes(save(dict(snapshot.tensors), {"state": text, "sha256": digest(snapshot.tensors, text)}))


DAMAGES = {
    truncated: "no readable safetensors file",
    empty: "no readable safetensors file",
    flipped: "does not have the SHA-256",
    edited: "does not have the SHA-256",
    pickled: "no readable safetensors file",
    other_safetensors: "no checkpoint of multimix",
    deep: "it is nested too deeply",
    of_other_shape: r"is torch.float32 \[7\], which does not fit this run",
    without_weights: "it lacks model",
    without_momentum: "it lacks what the optimizer remembers",
    infinite: r"its model\..* is not finite",
    piped: "it is no file",
    forged(step=-3): "its step is -3",
    forged(step="20"): "its step is '20'",
    forged(step=7): r"its meter is torch.float64 \[1, 0, 2\], which does not fit this run",
    renamed: "it holds step",
    forged(records={"a": 1}): "its records are no list",
    forged(times={}): "its times are no numbers",
    forged(config={}): "belongs to a run with other settings",
}


@pytest.fixture(scope="module")
def halfway(tmp_path_factory):
    """A run that was stopped, with two states."""
    out = tmp_path_factory.mktemp("halfway") / "run"
    interrupted(settings(out), 7)
    return out


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_state_is_refused_by_name_and_the_one_before_is_used(
    tmp_path, monkeypatch, straight, halfway, damage
):
    monkeypatch.chdir(tmp_path)
    run, told = settings(shutil.copytree(halfway, tmp_path / "run")), []
    older, newest = states(tmp_path / "run")
    damage(newest)
    snapshot = Snapshot.read(older)
    steps = []
    train(run, log=told.append, on_record=lambda record: steps.append(record["step"]))
    assert steps[0] > snapshot.facts["step"] > 0
    (line,) = told
    assert line.startswith(f"{newest} is refused: ")
    assert re.search(DAMAGES[damage], line)
    assert final(tmp_path / "run") == straight
    assert not (tmp_path / "owned").exists()


def test_when_all_states_are_damaged_the_user_chooses(tmp_path, straight):
    run = settings(tmp_path)
    interrupted(run, 7)
    for path in states(tmp_path):
        truncated(path)
    before = {path: path.read_bytes() for path in states(tmp_path)}
    with pytest.raises(RunFailed, match=r"must be there to go on from, got 2 refused in .*--on-bad-checkpoint restart"):
        train(run)
    assert {path: path.read_bytes() for path in states(tmp_path)} == before
    told = []
    train(settings(tmp_path, on_bad_checkpoint="restart"), log=told.append)
    assert len(told) == 3
    assert told[-1].endswith("starting from nothing")
    assert final(tmp_path) == straight


def test_a_loss_that_is_no_number_keeps_the_last_good_state(tmp_path):
    run = settings(tmp_path, learning_rate=1e30, checkpoint_every="1")
    with pytest.raises(RunFailed, match=r"must stay finite, got .* at step 2; the state of step 1 is kept; try a"):
        train(run)
    (state,) = states(tmp_path)
    assert all(value.isfinite().all() for value in Snapshot.read(state).tensors.values())


def test_a_full_disk_keeps_the_last_good_state(tmp_path, straight):
    run = settings(tmp_path)
    interrupted(run)
    good = {path: path.read_bytes() for path in states(tmp_path)}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # a state of the MLP takes more
    try:
        with pytest.raises(RunFailed, match=r"got file too large for .*step-.*; the state of step \d+ is kept"):
            train(run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path: path.read_bytes() for path in (tmp_path / "checkpoint").iterdir()} == good
    train(run)
    assert final(tmp_path) == straight


def test_a_config_that_cannot_be_read_is_named(tmp_path):
    interrupted(settings(tmp_path))
    (tmp_path / "config.json").write_text('{"steps":')
    with pytest.raises(UsageError, match=r"config\.json must be readable"):
        train(settings(tmp_path))


def test_a_folder_is_written_by_one_run_at_a_time(tmp_path):
    with locked(tmp_path, print):
        with pytest.raises(RunFailed, match=r"only one process can write a folder, got .*, which another one is writ"):
            train(settings(tmp_path))
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    assert train(settings(tmp_path, steps=2))


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def unknown(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", unknown)
    told = []
    train(settings(tmp_path, steps=2), log=told.append)
    assert told == [f"{tmp_path} cannot be locked (no locks available): let no other process write it"]


def test_what_a_killed_write_left_is_removed(tmp_path):
    interrupted(settings(tmp_path))
    for folder in (tmp_path, tmp_path / "checkpoint"):
        (folder / UNFINISHED.format("abc")).write_bytes(b"half")
        (folder / ".theirs.part").write_bytes(b"another program's")
    train(settings(tmp_path))
    assert {path.name for path in tmp_path.rglob("*.part")} == {".theirs.part"}


def test_data_that_changed_since_are_noticed(tmp_path):
    run = settings(tmp_path)
    interrupted(run)
    with pytest.raises(RunFailed, match="must be there to go on from"):
        train(run, data=open_data("digits").hold_out(0.01))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, of one megabyte; only root may make one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        not shutil.which("mount")
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_is_really_full_and_one_that_is_read_only(tmp_path, small_disk, straight):
    run = settings(small_disk / "run")  # a state of the MLP takes 0.7 MB
    with pytest.raises(RunFailed, match=r"got no space left on device for .*000006.*; the state of step 3 is kept"):
        train(run)
    assert [path.name for path in states(small_disk / "run")] == ["step-000000003.safetensors"]
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(RunFailed, match=r"must be able to write its folder, got read-only file system for"):
        train(run)
    subprocess.run(["mount", "-o", "remount,rw,size=9m", str(small_disk)], check=True)
    train(run)
    assert final(small_disk / "run") == straight


def test_intervals():
    asked = {text: SaveTimer(text, 1) for text in ("500", "90s", "10min", "never")}
    assert {text: (timer.steps, timer.time_s) for text, timer in asked.items()} == {
        "500": (500, 0),
        "90s": (0, 90),
        "10min": (0, 600),
        "never": (0, 0),
    }
    for text in ("0", "0s", "5d", "", "-1", "s", "2.5", "50%"):
        with pytest.raises(UsageError, match="checkpoint_every must be a number of steps, a time or never"):
            SaveTimer(text, 1)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomic(path, "old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device") as error:
        write_atomic(path, "new")
    assert error.value.filename == str(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_infinite_weight_is_not_saved(tmp_path):
    state = State(
        {"model": nn.Linear(2, 2)}, torch.optim.SGD([nn.Parameter(torch.ones(1))]), Meter(1, torch.device("cpu"))
    )
    state.models["model"].bias.data[0] = torch.inf
    with pytest.raises(Damaged, match=r"model\.bias is not finite"):
        state.snapshot({"meter": torch.empty(1, 0, 2)})
