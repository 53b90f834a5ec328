"""What two processes do in test_pair.py; it is given a folder to write to.

The second process is given other folders than the first, as on a machine that shares no disk with it.
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import layouts
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from multimix import MultiMix
from multimix.lab.core.errors import Interrupted, RunFailed, UsageError
from multimix.lab.core.lock import locked
from multimix.lab.core.processes import launched
from multimix.lab.models import build_model
from multimix.lab.train.checkpoint import Snapshot, digest
from multimix.lab.train.run import train
from multimix.lab.train.settings import TrainSettings

STEPS = 32
FABRIC = launched("cpu")
RANK = FABRIC.global_rank
HERE = Path(sys.argv[1]) / f"machine{RANK}"
ALL_AT_ONCE = {  # what a state may hold beside weights; Puzzle Mix looks at what batch norm has in each process
    "method": "puzzlemix",
    "num_mixes": "2@0,1@0.5",
    "optimizer": "adamw",
    "learning_rate": 0.01,
    "schedule": "linear:0%=0.1,50%=1,100%=0.1",
    "unmixed_first": "10%",
    "precision": "bf16",
    "ema_decay": 0.9,
    "clip_norm": 1.0,
    "micro_batch_size": 8,
    "validation_share": 0.2,
    "patience": 20,
}


def settings(name: str, **changes: object) -> TrainSettings:
    fixed = {"num_mixes": 2, "batch_size": 26, "steps": STEPS, "evaluations": 8, "model": "small-cnn"}
    return TrainSettings(**fixed | {"checkpoint_every": "5", "out": str(HERE / name)} | changes)


def states(name: str) -> list[Path]:
    return sorted((HERE / name / "checkpoint").glob("*"))


def final(name: str) -> str:
    """The SHA-256 of the last state; only the first process has one."""
    return digest(Snapshot.read(states(name)[-1]).tensors) if RANK == 0 else ""


def outcome(run: TrainSettings, step: int | None = None, told: list[str] | None = None) -> str:
    """Trains, stopped by SIGTERM to the first process at a record if so wished; returns what came of it."""

    def stop(record: dict[str, float]) -> None:
        if step is not None and record["step"] >= step:
            os.kill(os.getpid(), signal.SIGTERM)

    try:
        train(run, on_record=stop, log=[].append if told is None else told.append)
    except (Interrupted, RunFailed, UsageError) as error:
        return f"{type(error).__name__}: {error}".replace(str(HERE.parent / "machine0"), "HERE")
    return "finished"


def no_number() -> object:
    return outcome(settings("nan", learning_rate=1e30, checkpoint_every="1")), [path.name for path in states("nan")]


def full_disk() -> object:
    run = settings("full", model="mlp")
    stopped = outcome(run, 8)
    before = [path.name for path in states("full")]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    failed = outcome(run)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    return stopped, failed, before == [path.name for path in states("full")]


def damaged() -> object:
    outcome(settings("straight"))
    run, told = settings("damaged"), []
    stopped = outcome(run, 16)
    if RANK == 0:
        states("damaged")[-1].write_bytes(b"")
    newest = outcome(run, 24, told)
    for path in states("damaged"):
        path.write_bytes(b"")
    every = outcome(run, told=told)
    anew = outcome(settings("damaged", on_bad_checkpoint="restart"), told=told)
    return stopped, newest, every, anew, final("damaged") == final("straight"), len(told)


def of_another_run() -> object:
    outcome(settings("other", steps=8))
    return outcome(settings("other", steps=9))


def written_by_another() -> object:
    with locked(HERE / "busy", print) if RANK == 0 else nullcontext():
        return outcome(settings("busy"))


def all_options() -> object:
    straight = outcome(settings("options", **ALL_AT_ONCE))
    stopped = outcome(settings("stopped", **ALL_AT_ONCE), 12)
    gone_on = outcome(settings("stopped", **ALL_AT_ONCE))
    return straight, stopped, gone_on, final("options") == final("stopped")


def streamed(batch_size: int) -> object:
    """Twelve images, parts of unequal size; returns the digests of this process's weights after each step."""
    if not (HERE / "images").exists():
        layouts.imagenet(HERE / "images")
    name, digests = f"streamed{batch_size}", []

    def note(optimizer: torch.optim.Optimizer, *_: object) -> None:
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        digests.append(digest({str(index): parameter for index, parameter in enumerate(parameters)}))

    hook = register_optimizer_step_post_hook(note)
    options = {"data": "imagenet-1k", "data_root": str(HERE / "images"), "data_options": {"size": 16}}
    run = {"batch_size": batch_size, "steps": 6, "evaluations": 2, "learning_rate": 1e-3, "num_workers": 0}
    ended = outcome(settings(name, **options, **run))
    hook.remove()
    return ended, digests


def plans(method: str) -> object:
    mix = MultiMix(method, num_mixes=3, num_classes=10)
    generator = torch.Generator().manual_seed(5)
    model = build_model("small-cnn", torch.Size((1, 16, 16)), 10, {})
    x, found = torch.rand(6, 1, 16, 16, generator=torch.Generator().manual_seed(RANK)), []
    for _ in range(8):
        plan = mix.plan(x, torch.arange(6), model=model, saliency=x[:, 0], generator=generator)
        grid = list(plan.mask.kept.shape[2:]) if method == "puzzlemix" else None
        found.append({"layer": plan.layer, "grid": grid, "lam": plan.lam.tolist(), "partner": plan.partner.tolist()})
    return found


TRIALS: dict[str, Callable[[], object]] = {
    "nan": no_number,
    "full": full_disk,
    "damaged": damaged,
    "other": of_another_run,
    "busy": written_by_another,
    "options": all_options,
    "streamed": lambda: streamed(10),
    "small": lambda: streamed(30),
    **{method: lambda method=method: plans(method) for method in ("manifold", "cutmix", "puzzlemix")},
}

results = {}
for name, trial in TRIALS.items():
    results[name] = trial()
    FABRIC.barrier()
results["written"] = sorted(path.name for path in HERE.iterdir()) if HERE.exists() else []
(Path(sys.argv[1]) / f"rank{RANK}.json").write_text(json.dumps(results))
