"""What every run of a command shares."""

import math
from dataclasses import dataclass, field, fields
from typing import Any

from multimix.lab.core.checks import check, check_at_least_one, check_name, check_place
from multimix.lab.train.mixing_settings import Mixing
from multimix.lab.train.moments import SaveTimer
from multimix.lab.train.optimizer_settings import Optimizing

DEFAULT_STEPS = 500


@dataclass(frozen=True, kw_only=True)
class Recipe(Optimizing, Mixing):
    """What every run of a command shares.

    Args:
        data_root: Folder of local copies of data sets, looked through before the Hugging Face hub.
        on_bad_file: What to do with files that cannot be used, which are named and counted: refuse or skip.
        num_workers: Processes that read a data set too large to be held (default one per core, at most 8).
        model: Name of the model, or package.module:callable.
        model_options: Options of the model, by name, e.g. --model-options.stride 2
        batch_size: Rows the model sees per step; batch_size / num_mixes pairs are loaded.
        steps: Number of updates (500 when epochs is not given either).
        epochs: Passes over the training split, in place of steps.
        initial_weights: Weights to start from: a run's folder or a .safetensors file.
        evaluations: How many times, evenly spaced, the model is evaluated while it learns.
        device: Where to compute: auto, cpu, cuda, mps.
        checkpoint_every: How often the state is saved to go on from: a number of steps, a time (60s, 10min, 2h) or
            never.
        on_bad_checkpoint: When there are saved states and none is good: stop, or restart from nothing.
        trackers: Tools that are given the records too, comma separated: csv, tensorboard, mlflow, wandb.
    """

    data_root: str | None = None
    on_bad_file: str = "refuse"
    num_workers: int | None = None
    model: str = "small-cnn"
    model_options: dict[str, bool | int | float | str] = field(default_factory=dict)
    batch_size: int = 120
    steps: int | None = None
    epochs: int | None = None
    initial_weights: str | None = None
    evaluations: int = 25
    device: str = "auto"
    checkpoint_every: str = "60s"
    on_bad_checkpoint: str = "stop"
    trackers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        from multimix.lab.data import POLICIES  # torch, which the help of a command does not need
        from multimix.lab.models import check_model
        from multimix.lab.train.trackers.names import TRACKERS

        super().__post_init__()
        for name in ("data_root", "initial_weights"):
            check_place(name, getattr(self, name))
        check_name("on_bad_file", self.on_bad_file, POLICIES)
        if self.num_workers is not None:
            check(self.num_workers >= 0, "num_workers must be >= 0", "try 4", num_workers=self.num_workers)
        check_model(self.model, self.model_options)
        check_name("device", self.device, ("auto", "cpu", "cuda", "mps"))
        check_at_least_one("batch_size", self.batch_size)
        check(
            self.steps is None or self.epochs is None,
            "only one of steps and epochs can be given",
            "leave one out",
            steps=self.steps,
            epochs=self.epochs,
        )
        if self.steps is None and self.epochs is None:
            object.__setattr__(self, "steps", DEFAULT_STEPS)
        for name in ("steps", "epochs"):
            if getattr(self, name) is not None:
                check_at_least_one(name, getattr(self, name))
        check_at_least_one("evaluations", self.evaluations)
        SaveTimer(self.checkpoint_every, 1)
        check_name("on_bad_checkpoint", self.on_bad_checkpoint, ("restart", "stop"))
        for tracker in self.trackers:
            check_name("trackers", tracker, TRACKERS)
        differ = len(set(self.trackers)) == len(self.trackers)
        check(differ, "trackers must differ from each other", "drop one", trackers=self.trackers)

    def total_steps(self, num_samples: int, samples_per_step: int) -> int:
        """Returns the number of updates; an epoch begun is finished."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None  # __post_init__ leaves exactly one of the two
        return math.ceil(self.epochs * num_samples / samples_per_step)


def shared(settings: Recipe) -> dict[str, Any]:
    """Returns the settings that every run of a command shares."""
    return {item.name: getattr(settings, item.name) for item in fields(Recipe)}
