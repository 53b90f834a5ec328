"""What every run of a command shares: how pairs are mixed, how weights are updated, on what and for how long."""

import math
from dataclasses import dataclass, field, fields
from typing import Any

from multimix.lab.core.checks import check, check_at_least_one, check_finite, check_name, check_place, check_seed
from multimix.lab.train.moments import Moment, SaveTimer
from multimix.lab.train.schedule import parse_schedule

DEFAULT_STEPS = 500
# Learning rate and weight decay where nothing is said.
OPTIMIZERS = {"sgd": (0.1, 5e-4), "adam": (1e-3, 0.0), "adamw": (1e-3, 1e-2)}
PRECISIONS = ("fp32", "bf16", "fp16")


@dataclass(frozen=True, kw_only=True)
class Mixing:
    """How pairs are mixed, whatever the method.

    Args:
        method_options: Options of the mixing method, by name, e.g. --method-options.alpha 0.2
        sampling: How the K coefficients of a pair are drawn: stratified or iid.
        share: What has coefficients and geometry of its own: pair, each pair, or batch, the batch as a whole.
        partners: The partner of a sample: same, one for all its K mixes, or fresh, another for each of them.
    """

    method_options: dict[str, bool | int | float | str | list[int] | list[str] | None] = field(default_factory=dict)
    sampling: str = "stratified"
    share: str = "pair"
    partners: str = "same"


@dataclass(frozen=True, kw_only=True)
class OneMethod(Mixing):
    """How pairs are mixed where there is one method, or one schedule of such."""

    method: str = "mixup"


@dataclass(frozen=True, kw_only=True)
class Optimizing:
    """How weights are updated.

    Args:
        optimizer: sgd (Nesterov momentum 0.9), adam or adamw.
        learning_rate: The highest rate (default: 0.1 for sgd, 0.001 for adam and adamw).
        weight_decay: Weight decay (default: 0.0005 for sgd, 0 for adam, 0.01 for adamw).
        schedule: Course of the rate: constant; cosine (to zero); multistep:100,200 (a tenth at each of these epochs);
            linear:0=0.5,8=1,15=0.125 (factors of the rate at epochs, straight lines between). Moments may be shares of
            the run: multistep:50%,75%.
        unmixed_first: Epochs, or share of the run (10%), at its start that are trained without mixing.
        unmixed_last: The same at its end.
        label_smoothing: Share of each label that is spread over all classes, in [0, 1).
        clip_norm: Largest norm of the gradient; longer ones are shortened to it.
        ema_decay: If given, the result is an average of the weights over the steps, in which each step counts
            ema_decay times as much as the step after it.
        micro_batch_size: Most rows in one forward pass; larger steps are made in parts whose gradients add up.
        precision: Numbers to compute with: fp32, bf16 or fp16 (weights stay fp32).
        channels_last: Whether images are laid out channels last, faster on some devices.
        compile: Whether the model is compiled with torch.compile.
        validation_share: Share of the training split held out, to choose and to stop by.
        labels_per_class: Samples of each class to train on, of those that are not held out; all others are unused.
        split_seed: Draws which samples are held out and which are trained on; the same whatever the seed of the run.
        patience: Stop after so many evaluations in a row without a lower error on the held-out samples than before; the
            weights that had the lowest error are the result.
    """

    optimizer: str = "sgd"
    learning_rate: float | None = None
    weight_decay: float | None = None
    schedule: str = "cosine"
    unmixed_first: float | str = "0"
    unmixed_last: float | str = "0"
    label_smoothing: float = 0.0
    clip_norm: float | None = None
    ema_decay: float | None = None
    micro_batch_size: int | None = None
    precision: str = "fp32"
    channels_last: bool = False
    compile: bool = False
    validation_share: float = 0.0
    labels_per_class: int | None = None
    split_seed: int = 0
    patience: int | None = None

    def __post_init__(self) -> None:
        check_name("optimizer", self.optimizer, OPTIMIZERS)
        for name, default in zip(("learning_rate", "weight_decay"), OPTIMIZERS[self.optimizer], strict=True):
            if getattr(self, name) is None:
                object.__setattr__(self, name, default)
            check_finite(name, getattr(self, name), f"try {default:g}")
        parse_schedule(self.schedule)
        for name in ("unmixed_first", "unmixed_last"):
            object.__setattr__(self, name, str(Moment.of_run(name, getattr(self, name))))
        smoothing = self.label_smoothing
        check(0 <= smoothing < 1, "label_smoothing must be in [0, 1)", "try 0.1", label_smoothing=smoothing)
        if self.clip_norm is not None:
            positive = math.isfinite(self.clip_norm) and self.clip_norm > 0
            check(positive, "clip_norm must be > 0", "try 1", clip_norm=self.clip_norm)
        if self.ema_decay is not None:
            check(0 < self.ema_decay < 1, "ema_decay must be in (0, 1)", "try 0.999", ema_decay=self.ema_decay)
        check_name("precision", self.precision, PRECISIONS)
        share = self.validation_share
        check(0 <= share < 1, "validation_share must be in [0, 1)", "try 0.1", validation_share=share)
        check_seed(self.split_seed, "split_seed")
        for name in ("micro_batch_size", "labels_per_class", "patience"):
            check_at_least_one(name, getattr(self, name))

    @property
    def rate(self) -> float:
        """The highest learning rate."""
        assert self.learning_rate is not None  # __post_init__ fills it in
        return self.learning_rate

    @property
    def decay(self) -> float:
        """Weight decay."""
        assert self.weight_decay is not None  # __post_init__ fills it in
        return self.weight_decay


@dataclass(frozen=True, kw_only=True)
class Recipe(Optimizing, Mixing):
    """What every run of a command shares.

    Args:
        data_root: Folder of local copies of data sets, looked through before the Hugging Face hub.
        on_bad_file: What to do with files that cannot be used, which are named and counted: refuse or skip.
        num_workers: Processes that read a data set too large to be held (default one per core, at most 8).
        model: Name of the model (small-cnn, mlp, resnet9, preact-resnet18, wrn-16-8, wrn-28-10, resnext-29-4-24,
            resnet-50, vgg-11, lenet), or package.module:callable.
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
        trackers: Tools that are given the records too, comma separated: tensorboard, mlflow, wandb.
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
        check(
            self.steps is None or self.epochs is None,
            "only one of steps and epochs can be given",
            "leave one out",
            steps=self.steps,
            epochs=self.epochs,
        )
        if self.steps is None and self.epochs is None:
            object.__setattr__(self, "steps", DEFAULT_STEPS)
        for name in ("batch_size", "steps", "epochs", "evaluations"):
            check_at_least_one(name, getattr(self, name))
        SaveTimer(self.checkpoint_every, 1)
        check_name("on_bad_checkpoint", self.on_bad_checkpoint, ("restart", "stop"))
        for tracker in self.trackers:
            check_name("trackers", tracker, TRACKERS)
        differ = len(set(self.trackers)) == len(self.trackers)
        check(differ, "trackers must differ from each other", "drop one", trackers=self.trackers)

    def total_steps(self, num_samples: int, samples_per_step: int) -> int:
        """Return the number of updates; an epoch begun is finished."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None  # __post_init__ leaves exactly one of the two
        return math.ceil(self.epochs * num_samples / samples_per_step)


def shared(settings: Recipe) -> dict[str, Any]:
    """Return the settings that every run of a command shares."""
    return {item.name: getattr(settings, item.name) for item in fields(Recipe)}
