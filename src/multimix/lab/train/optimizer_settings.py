"""How weights are updated."""

import math
from dataclasses import dataclass

from multimix.lab.core.checks import check, check_at_least_one, check_finite, check_name, check_seed
from multimix.lab.train.moments import Moment
from multimix.lab.train.schedule import parse_schedule

# Learning rate and weight decay where nothing is said.
OPTIMIZERS = {"sgd": (0.1, 5e-4), "adam": (1e-3, 0.0), "adamw": (1e-3, 1e-2)}
PRECISIONS = ("fp32", "bf16", "fp16")


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
        ema_decay: If given, the result is an average of the weights over the steps, each step's counting ema_decay
            times the next one's.
        micro_batch_size: Most rows in one forward pass; larger steps are made in parts whose gradients add up.
        precision: Numbers to compute with: fp32, bf16 or fp16 (weights stay fp32).
        channels_last: Whether images are laid out channels last, faster on some devices.
        compile: Whether the model is compiled with torch.compile.
        validation_share: Share of the training split held out, to choose and to stop by.
        labels_per_class: Samples of each class to train on; the others are left out. Of what is not held out.
        split_seed: Draws which samples are held out and which are trained on; the same whatever the seed of the run.
        patience: Evaluations without a better error on the held-out samples after which a run stops; the weights of
            the best one are the result.
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
        if self.micro_batch_size is not None:
            check_at_least_one("micro_batch_size", self.micro_batch_size)
        check_name("precision", self.precision, PRECISIONS)
        share = self.validation_share
        check(0 <= share < 1, "validation_share must be in [0, 1)", "try 0.1", validation_share=share)
        if self.labels_per_class is not None:
            check_at_least_one("labels_per_class", self.labels_per_class)
        check_seed(self.split_seed, "split_seed")
        if self.patience is not None:
            check_at_least_one("patience", self.patience)

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
