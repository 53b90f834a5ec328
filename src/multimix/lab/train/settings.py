"""One run."""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from multimix.lab.core.checks import check, check_place, check_seed
from multimix.lab.core.errors import UsageError
from multimix.lab.train.moments import Length, Moment, NumMixes
from multimix.lab.train.recipe import OneMethod, Recipe
from multimix.lab.train.schedule import parse_schedule

if TYPE_CHECKING:
    from multimix.lab.train.method_schedule import MethodSchedule

MOST_REPEATS = 100  # of a sample in a step; beyond, it is wasted work at best, and fills the memory at worst


@dataclass(frozen=True, kw_only=True)
class TrainSettings(Recipe, OneMethod):
    """One run.

    Args:
        data: Name of the data set (digits, synthetic, fashion-mnist, cifar10, cifar100, tiny-imagenet, imagenet-1k,
            cub-200-2011, speech-commands, fsdd), or folder:PATH, hf:REPO, webdataset:PATH.
        data_options: Options of the data set, by name, e.g. --data-options.padding 4
        method: Name of the mixing method (none, mixup, manifold, cutmix, puzzlemix, fmix, resizemix, gridmix,
            smoothmix, saliencymix, topmix); or several with odds, one of them drawn for each step, mixup+cutmix:2; or a
            schedule of such by share of the steps: mixup+cutmix:2@0,none@0.9 mixes no more in the last tenth. Each gets
            those of method_options that it has.
        num_mixes: K, the mixes made of each pair; or a schedule of it by share of the steps, e.g. 1@0,2@0.5,5@0.8: as
            many rows in every step, of fewer and fewer pairs.
        seed: The one source of chance: data order, initial weights, mixing.
        out: Folder of the run.
    """

    data: str = "digits"
    data_options: dict[str, bool | int | float | str] = field(default_factory=dict)
    num_mixes: int | str = 5
    seed: int = 0
    out: str

    def __post_init__(self) -> None:
        from multimix.lab.data import check_data
        from multimix.lab.train.method_schedule import mixer

        super().__post_init__()
        check_place("out", self.out)
        check_data(self.data, self.data_options)
        check_seed(self.seed)
        object.__setattr__(self, "method", str(self.methods))
        if len(self.mixes.values) > 1:
            object.__setattr__(self, "num_mixes", str(self.mixes))
            self._check_moments()
        unit = math.lcm(*self.mixes.values)
        check(
            not self.methods.mixes or self.batch_size % unit == 0,
            "batch_size must be divisible by num_mixes",
            f"try {math.ceil(self.batch_size / unit) * unit}",
            batch_size=self.batch_size,
            num_mixes=self.num_mixes,
        )
        if self.micro_batch_size is not None:
            check(
                self.micro_batch_size >= self.most_rows_per_pair,
                "micro_batch_size must hold one pair's mixes",
                f"try {self.most_rows_per_pair} or more",
                micro_batch_size=self.micro_batch_size,
                num_mixes=self.num_mixes,
            )
        for value in self.mixes.values:
            for odds in self.methods.values:
                mixer(self, 1, value, odds)  # the library checks its own settings

    def _check_moments(self) -> None:
        """Refuse moments in epochs where epochs do not all take as many steps."""
        moments = [Moment.of_run("unmixed_first", self.unmixed_first), Moment.of_run("unmixed_last", self.unmixed_last)]
        moments += parse_schedule(self.schedule).moments
        check(
            self.epochs is None and all(moment.unit or moment.amount == 0 for moment in moments),
            "a schedule of num_mixes needs a run in steps, and moments in percent",
            "write --steps 1000 and moments such as 50%",
            num_mixes=self.num_mixes,
            epochs=self.epochs,
            schedule=self.schedule,
            unmixed_first=self.unmixed_first,
            unmixed_last=self.unmixed_last,
        )

    @property
    def methods(self) -> "MethodSchedule":
        """What mixes, over the run."""
        from multimix.lab.train.method_schedule import MethodSchedule

        return MethodSchedule.parse(self.method)

    @property
    def mixes(self) -> NumMixes:
        """K over the run; without mixing a sample stays one row."""
        return NumMixes.parse(self.num_mixes) if self.methods.mixes else NumMixes((1,))

    @property
    def most_rows_per_pair(self) -> int:
        """Rows that one loaded sample becomes, where they are most."""
        return max(self.mixes.values)

    @property
    def samples_per_step(self) -> int:
        """Samples loaded per step, each the first of one pair; where num_mixes has a schedule, in the first step."""
        return self.batch_size // self.mixes.values[0]

    def samples(self, steps: int) -> tuple[tuple[int, int], ...]:
        """Return the first step of each phase of a run of so many steps, and the samples of each of its steps."""
        return tuple((first, self.batch_size // value) for first, value in self.mixes.phases(steps))

    def length(self, num_samples: int) -> Length:
        """Return the length of the run with a training split of so many samples."""
        from multimix.lab.data import SampleOrder

        steps = self.total_steps(num_samples, self.samples_per_step)
        per_step = SampleOrder.of(num_samples, self.samples(steps), self.seed).start(steps) / steps
        return Length(steps, num_samples / per_step)

    def check_held_out(self, are_there: bool) -> None:
        """Refuse to stop early without held-out samples.

        Raises:
            UsageError: if the run would, and there are none.
        """
        if self.patience is not None and not are_there:
            raise UsageError(
                f"stopping early needs held-out samples, never the test split, got patience={self.patience}, "
                f"validation_share={self.validation_share}; give --validation-share 0.1 too"
            )

    def repeated_samples(self, num_samples: int) -> str | None:
        """Return a line for a run whose steps hold more samples than there are to train on; None for others.

        Raises:
            UsageError: if a step holds every sample more than `MOST_REPEATS` times.
        """
        per_step = self.batch_size // min(self.mixes.values)
        times = per_step / num_samples
        if times > MOST_REPEATS:
            raise UsageError(
                f"a step must hold every sample {MOST_REPEATS} times at most, got batch_size={self.batch_size:,}, "
                f"num_mixes={self.num_mixes} with {num_samples:,} samples to train on: {times:,.0f} times; give a "
                f"smaller batch_size"
            )
        if times <= 1:
            return None
        return f"each step holds every sample {times:.1f} times: {per_step:,} samples of {num_samples:,} to train on"
