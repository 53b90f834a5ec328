"""Who races: no mixing and methods × K, × rows per step; and the run of each at a length with a seed."""

import math
from dataclasses import dataclass

from multimix.lab.choose.settings import ChooseSettings
from multimix.lab.compare.rows import as_file_name
from multimix.lab.train.method_schedule import options_for
from multimix.lab.train.recipe import shared
from multimix.lab.train.settings import TrainSettings


@dataclass(frozen=True)
class Candidate:
    """One way to train, whatever the length.

    Args:
        method: Name of the method.
        num_mixes: K.
        batch_size: Rows per step.
    """

    method: str
    num_mixes: int
    batch_size: int

    @property
    def name(self) -> str:
        """Its part of its runs' folder names."""
        mixes = "" if self.method == "none" else f"-k{self.num_mixes}"
        return f"{as_file_name(self.method)}{mixes}-b{self.batch_size}"

    @property
    def label(self) -> str:
        """What tables and sentences call it."""
        mixing = "no mixing" if self.method == "none" else f"{self.method}, K = {self.num_mixes}"
        return f"{mixing}, {self.batch_size} rows per step"

    def steps(self, choose: ChooseSettings, length: int) -> int:
        """Return its updates at a length, which means the same number of rows for all candidates."""
        return math.ceil(length * choose.batch_size / self.batch_size)

    def settings(self, choose: ChooseSettings, length: int, seed: int) -> TrainSettings:
        """Return the settings of its run of a length with one seed; each seed holds out other samples."""
        steps = self.steps(choose, length)
        recipe = shared(choose) | {
            "method_options": options_for(self.method, choose.method_options),
            "batch_size": self.batch_size,
            "steps": steps,
            "split_seed": choose.split_seed + seed,
        }
        return TrainSettings(
            **recipe,
            data=choose.data,
            data_options=choose.data_options,
            method=self.method,
            num_mixes=self.num_mixes,
            seed=seed,
            out=f"{choose.out}/{self.name}-{steps}-s{seed}",
        )


def candidates(choose: ChooseSettings) -> list[Candidate]:
    """Return all candidates: no mixing first, then the methods for each K.

    Raises:
        UsageError: if the settings of one do not fit together.
    """
    found = [Candidate("none", 1, rows) for rows in choose.batch_sizes]
    found += [
        Candidate(method, k, rows)
        for k in choose.num_mixes
        for method in choose.methods
        for rows in choose.batch_sizes
        if rows % k == 0
    ]
    for candidate in found:  # one that cannot run is found now, not after others have run
        candidate.settings(choose, length=1, seed=0)
    return found
