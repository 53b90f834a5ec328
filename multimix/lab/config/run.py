"""One run."""

import math
from dataclasses import dataclass, field, replace

from multimix.lab.config.checks import check, check_at_least_one, check_seed
from multimix.lab.config.recipe import Recipe
from multimix.lab.moments import Length

AUTO = "auto"  # for num_mixes: measured before the run


@dataclass(frozen=True, kw_only=True)
class TrainSettings(Recipe):
    """One run.

    Args:
        data: Name of the data set, or folder:PATH, hf:REPO, webdataset:PATH.
        data_options: Options of the data set, by name, e.g. --data-options.padding 4
        method: Name of the mixing method.
        num_mixes: K, the mixes made of each pair; auto: the K with least gradient variance times time, measured first.
        seed: The one source of chance: data order, initial weights, mixing.
        out: Folder of the run.
    """

    data: str = "digits"
    data_options: dict[str, bool | int | float | str] = field(default_factory=dict)
    method: str = "mixup"
    num_mixes: int | str = 5
    seed: int = 0
    out: str

    def __post_init__(self) -> None:
        from multimix.lab.data import check_data
        from multimix.lab.mixing import mixer

        super().__post_init__()
        check_data(self.data, self.data_options)
        check_seed(self.seed)
        if self.num_mixes == AUTO:
            check(self.method != "none", "a method must mix for its K to be chosen", "try mixup", method=self.method)
            replace(self, num_mixes=1)  # checks the rest
            return
        check_at_least_one("num_mixes", self.mixes)
        check(
            self.batch_size % self.rows_per_pair == 0,
            "batch_size must be divisible by num_mixes",
            f"try {math.ceil(self.batch_size / self.mixes) * self.mixes}",
            batch_size=self.batch_size,
            num_mixes=self.num_mixes,
        )
        if self.micro_batch_size is not None:
            check(
                self.micro_batch_size >= self.rows_per_pair,
                "micro_batch_size must hold one pair's mixes",
                f"try {self.rows_per_pair} or more",
                micro_batch_size=self.micro_batch_size,
                num_mixes=self.num_mixes,
            )
        mixer(self, num_classes=1)  # the library checks its own settings

    @property
    def mixes(self) -> int:
        """K as a number.

        Raises:
            UsageError: if it is none.
        """
        number = isinstance(self.num_mixes, int)
        check(number, "num_mixes must be an integer >= 1 or auto", "try 5", num_mixes=self.num_mixes)
        return int(self.num_mixes)

    @property
    def rows_per_pair(self) -> int:
        """Rows that one loaded sample becomes; without mixing a sample stays one row."""
        return 1 if self.method == "none" else self.mixes

    @property
    def samples_per_step(self) -> int:
        """Samples loaded per step: each is the first of one pair."""
        return self.batch_size // self.rows_per_pair

    def length(self, num_samples: int) -> Length:
        """Returns the length of the run with a training split of so many samples."""
        steps = self.total_steps(num_samples, self.samples_per_step)
        return Length(steps, num_samples / self.samples_per_step)
