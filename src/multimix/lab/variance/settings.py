"""Gradient variance along one run."""

from dataclasses import dataclass, field

from multimix.lab.core.checks import check, check_at_least_one, check_place
from multimix.lab.train.moments import Moment
from multimix.lab.train.recipe import Recipe, shared
from multimix.lab.train.settings import TrainSettings

# What Recipe has for other commands: this one measures a plain run of its full length and keeps no state.
NO_USE = ("ema_decay", "patience", "trackers")


@dataclass(frozen=True, kw_only=True)
class VarianceSettings(Recipe):
    """Gradient variance along one run, trained with K = 1.

    Args:
        data: Name of the data set, or folder:PATH, hf:REPO, webdataset:PATH.
        data_options: Options of the data set, by name, e.g. --data-options.padding 4
        method: Name of the mixing method.
        num_mixes: Values of K to measure at, comma separated; 1 is always among them.
        at: When to measure, comma separated: epochs after the start, or shares of the run (50%).
        batch_size: Rows of a step with K = 1, so also its pairs.
        replicates: Batches drawn for each measurement.
        seed: The one source of chance.
        out: Folder for variance.json.
    """

    data: str = "digits"
    data_options: dict[str, bool | int | float | str] = field(default_factory=dict)
    method: str = "mixup"
    num_mixes: tuple[int, ...] = (1, 2, 3, 5, 8)
    at: tuple[float | str, ...] = ("0", "50%", "100%")
    replicates: int = 32
    seed: int = 0
    out: str

    def __post_init__(self) -> None:
        from multimix.lab.train.method_schedule import MethodSchedule

        super().__post_init__()
        check_place("out", self.out)
        for num_mixes in self.num_mixes:
            check_at_least_one("num_mixes", num_mixes)
        object.__setattr__(self, "num_mixes", tuple(sorted({1, *self.num_mixes})))
        object.__setattr__(self, "at", tuple(str(Moment.of_run("at", moment)) for moment in self.at))
        check(len(self.num_mixes) > 1, "num_mixes must name a K above 1", "try 1,5", num_mixes=self.num_mixes)
        check(len(self.at) > 0, "at must name at least one moment", "try 100%", at=())
        check(len(set(self.at)) == len(self.at), "at must differ from each other", "drop one", at=self.at)
        check(self.replicates >= 8, "replicates must be an integer >= 8", "try 32", replicates=self.replicates)
        most = max(self.num_mixes)
        check(
            self.batch_size >= 2 * most,
            "batch_size must hold two pairs with the most mixes",
            f"try {2 * most} or more",
            batch_size=self.batch_size,
            num_mixes=self.num_mixes,
        )
        methods = MethodSchedule.parse(self.method)
        check(methods.mixes, "method must mix", "try mixup", method=self.method)
        check(methods.is_one, "one method must mix all along", "try mixup", method=self.method)
        check(self.precision != "fp16", "gradients must be measured in fp32 or bf16", "try bf16", precision="fp16")
        for name in NO_USE:
            value = getattr(self, name)
            check(not value, f"{name} has no use where variance is measured", "leave it out", **{name: value})
        if self.micro_batch_size is not None:
            check(
                self.micro_batch_size >= most,
                "micro_batch_size must hold one pair's mixes",
                f"try {most} or more",
                micro_batch_size=self.micro_batch_size,
                num_mixes=self.num_mixes,
            )
        _ = self.run  # checks the rest

    @property
    def run(self) -> TrainSettings:
        """The run that is measured: one mix per pair."""
        own = {name: getattr(self, name) for name in ("data", "data_options", "method", "seed", "out")}
        return TrainSettings(**shared(self), **own, num_mixes=1)
