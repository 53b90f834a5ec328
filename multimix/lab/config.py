"""What can be set, and what a setting must be: checked when it is made, so that nothing starts with a bad one."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from multimix.lab.errors import UsageError
from multimix.lab.intervals import Every
from multimix.suggest import nearest

DEFAULT_STEPS = 500
CONTROLS = ("equal-pairs", "equal-compute", "equal-epochs", "large-batch")


def check(holds: bool, rule: str, remedy: str, **values: object) -> None:
    """Refuses a setting in the words `<what must hold>, got <name>=<value>; <what to do>`."""
    if not holds:
        got = ", ".join(f"{name}={value!r}" for name, value in values.items())
        raise UsageError(f"{rule}, got {got}; {remedy}")


def check_name(kind: str, name: str, known: Iterable[str]) -> None:
    """Refuses a name that is not known, and says which one is nearest."""
    known = list(known)
    check(name in known, f"{kind} must be one of {', '.join(known)}", nearest(name, known), **{kind: name})


@dataclass(frozen=True, kw_only=True)
class Mixing:
    """How pairs are mixed, whatever the method.

    Args:
        method_options: Options of the mixing method, by name, e.g. --method-options.alpha 0.2
        sampling: How the K coefficients of a pair are drawn: stratified or iid.
        share: Who has coefficients and geometry of its own: each pair, or only the batch.
        partners: The partner of a sample: the same for all its K mixes, or a fresh one per mix.
    """

    method_options: dict[str, bool | int | float | str | list[str]] = field(default_factory=dict)
    sampling: str = "stratified"
    share: str = "pair"
    partners: str = "same"


@dataclass(frozen=True, kw_only=True)
class Recipe(Mixing):
    """What every run of a command shares.

    Args:
        data: Name of the data set, or folder:PATH, hf:REPO, webdataset:PATH.
        data_root: Folder of local copies of data sets, looked through before the Hugging Face hub.
        data_options: Options of the data set, by name, e.g. --data-options.padding 4
        on_bad_file: What to do with files that cannot be used, which are named and counted: refuse or skip.
        num_workers: Processes that read a data set too large to be held (default one per core, at most 8).
        model: Name of the model, or package.module:callable.
        model_options: Options of the model, by name, e.g. --model-options.stride 2
        batch_size: Rows the model sees per step; batch_size / num_mixes pairs are loaded.
        steps: Number of updates (500 when epochs is not given either).
        epochs: Passes over the training split, in place of steps.
        learning_rate: Highest rate of SGD with Nesterov momentum 0.9; falls to zero along a cosine.
        weight_decay: Weight decay of SGD.
        device: Where to compute: auto, cpu, cuda, mps.
        checkpoint_every: How often the state is saved to go on from: a number of steps, a time (60s, 10min, 2h) or
            never.
        on_bad_checkpoint: When there are saved states and none is good: stop, or restart from nothing.
    """

    data: str = "digits"
    data_root: str | None = None
    data_options: dict[str, bool | int | float | str] = field(default_factory=dict)
    on_bad_file: str = "refuse"
    num_workers: int | None = None
    model: str = "small-cnn"
    model_options: dict[str, bool | int | float | str] = field(default_factory=dict)
    batch_size: int = 120
    steps: int | None = None
    epochs: int | None = None
    learning_rate: float = 0.1
    weight_decay: float = 5e-4
    device: str = "auto"
    checkpoint_every: str = "60s"
    on_bad_checkpoint: str = "stop"

    def __post_init__(self) -> None:
        from multimix.lab.data import POLICIES, check_data
        from multimix.lab.models import check_model

        check_data(self.data, self.data_options)
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
        check_finite("learning_rate", self.learning_rate, "try 0.1")
        check_finite("weight_decay", self.weight_decay, "try 5e-4")
        Every.parse(self.checkpoint_every)
        check_name("on_bad_checkpoint", self.on_bad_checkpoint, ("restart", "stop"))

    def total_steps(self, num_samples: int, samples_per_step: int) -> int:
        """Returns the number of updates; an epoch begun is finished."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None  # __post_init__ leaves exactly one of the two
        return math.ceil(self.epochs * num_samples / samples_per_step)


@dataclass(frozen=True, kw_only=True)
class TrainSettings(Recipe):
    """One run.

    Args:
        method: Name of the mixing method.
        num_mixes: K, the mixes made of each pair.
        seed: The one source of chance: data order, initial weights, mixing.
        out: Folder of the run.
    """

    method: str = "mixup"
    num_mixes: int = 5
    seed: int = 0
    out: str

    def __post_init__(self) -> None:
        from multimix.lab.mixing import mixer

        super().__post_init__()
        check_at_least_one("num_mixes", self.num_mixes)
        check_seed(self.seed)
        check(
            self.batch_size % self.rows_per_pair == 0,
            "batch_size must be divisible by num_mixes",
            f"try {math.ceil(self.batch_size / self.num_mixes) * self.num_mixes}",
            batch_size=self.batch_size,
            num_mixes=self.num_mixes,
        )
        mixer(self, num_classes=1)  # the library checks its own settings

    @property
    def rows_per_pair(self) -> int:
        """Rows that one loaded sample becomes; without mixing a sample stays one row."""
        return 1 if self.method == "none" else self.num_mixes

    @property
    def samples_per_step(self) -> int:
        """Samples loaded per step: each is the first of one pair."""
        return self.batch_size // self.rows_per_pair


@dataclass(frozen=True, kw_only=True)
class CompareSettings(Recipe):
    """Many runs: methods × K × controls × seeds.

    Args:
        methods: Names of mixing methods, comma separated.
        num_mixes: Values of K, comma separated.
        controls: What is held equal to the K = 1 row, comma separated: equal-pairs, equal-compute, equal-epochs,
            large-batch.
        seeds: Number of seeds per row; the intervals are over seeds.
        jobs: Runs at a time, each in its own process with an equal share of the cores (default one per core).
        out: Folder of the comparison.
    """

    methods: tuple[str, ...] = ("none", "mixup", "cutmix", "manifold", "puzzlemix")
    num_mixes: tuple[int, ...] = (1, 5)
    controls: tuple[str, ...] = ("equal-pairs", "equal-compute")
    seeds: int = 3
    jobs: int | None = None
    out: str

    def __post_init__(self) -> None:
        from multimix.lab.controls import rows
        from multimix.lab.mixing import METHODS, check_option_names

        super().__post_init__()
        for name in ("methods", "num_mixes", "controls"):
            values = getattr(self, name)
            check(len(values) > 0, f"{name} must name at least one", "add one", **{name: values})
            check(len(set(values)) == len(values), f"{name} must differ from each other", "drop one", **{name: values})
        for method in self.methods:
            check_name("methods", method, METHODS)
        for control in self.controls:
            check_name("controls", control, CONTROLS)
        check_at_least_one("seeds", self.seeds)
        if self.jobs is not None:
            check_at_least_one("jobs", self.jobs)
        check_option_names(self.method_options, self.methods)
        for row in rows(self):  # a bad row is found now, not after the good ones have run
            row.settings(self, steps=1, seed=0)


@dataclass(frozen=True, kw_only=True)
class PreviewSettings(Mixing):
    """A picture of one path.

    Args:
        method: Name of the mixing method.
        num_mixes: K, the mixes made of the pair.
        seed: The source of chance.
        out: The picture to write, .png, .jpg, .svg or .pdf.
    """

    image_a: str
    image_b: str
    method: str = "mixup"
    num_mixes: int = 5
    seed: int = 0
    out: str

    def __post_init__(self) -> None:
        from multimix.lab.mixing import mixer

        check_at_least_one("num_mixes", self.num_mixes)
        check_seed(self.seed)
        suffixes = (".png", ".jpg", ".svg", ".pdf")
        check(self.out.endswith(suffixes), f"out must end in {', '.join(suffixes)}", "try path.png", out=self.out)
        mixer(self, num_classes=2)


def shared(settings: Recipe) -> dict[str, Any]:
    """Returns the settings that every run of a command shares."""
    return {item.name: getattr(settings, item.name) for item in fields(Recipe)}


def check_at_least_one(name: str, value: int) -> None:
    """Refuses a count below one."""
    check(value >= 1, f"{name} must be an integer >= 1", "give at least 1", **{name: value})


def check_seed(value: int) -> None:
    """Refuses a negative seed."""
    check(value >= 0, "seed must be an integer >= 0", "give one that is not negative", seed=value)


def check_finite(name: str, value: float, remedy: str) -> None:
    """Refuses what is negative, infinite or no number."""
    check(math.isfinite(value) and value >= 0, f"{name} must be finite and >= 0", remedy, **{name: value})
