"""Who races, no mixing and methods × K, × rows per step; and one run of a candidate.

Held-out samples stand in for the test split, which is never looked at.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from multimix.lab.choose.halving import Measured
from multimix.lab.choose.settings import ChooseSettings
from multimix.lab.compare.rows import as_file_name
from multimix.lab.core.atomic_files import write_json
from multimix.lab.core.errors import Damaged, UsageError
from multimix.lab.core.json_file import read_json
from multimix.lab.data import Data
from multimix.lab.train.method_schedule import options_for
from multimix.lab.train.recipe import shared
from multimix.lab.train.run_folder import RunFolder
from multimix.lab.train.settings import TrainSettings

COST = "cost.json"  # in the run's folder
FEWEST = 50  # held-out samples; one more or less of them wrong is then two points


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


def without_test(data: Data, settings: TrainSettings) -> Data:
    """Return data with held-out samples in the place of the test split.

    Raises:
        UsageError: if there are too few to choose by.
    """
    held = data.with_splits(settings.validation_share, None, settings.split_seed)
    assert held.validation is not None  # with_splits takes one out where there is none
    num_held = len(held.validation)
    if num_held < FEWEST:
        raise UsageError(
            f"at least {FEWEST} samples must be held out to choose by, got {num_held} with validation_share="
            f"{settings.validation_share} of {len(data.train)}; give a larger --validation-share, or more data"
        )
    held.with_splits(settings.validation_share, settings.labels_per_class, settings.split_seed)  # are there as many?
    return replace(held, test=held.validation)


def train_without_test(settings: TrainSettings, jobs: int) -> None:
    """Train one model, and note what it took; data are opened where the run is done."""
    from multimix.lab.train.run import open_data_of, train

    begun = perf_counter()
    data = without_test(open_data_of(settings, jobs), settings)
    train(settings, jobs=jobs, data=data)
    write_json(Path(settings.out) / COST, {"time_s": perf_counter() - begun})


def measured(settings: TrainSettings) -> Measured | None:
    """Return what came out of a run; None if it is not finished.

    Raises:
        UsageError: if a file of it cannot be read.
    """
    folder = RunFolder(Path(settings.out))
    if not folder.finished:
        return None
    try:
        file = folder.path / COST
        # One that was killed right after its end has noted the time of training alone.
        time_s = read_json(file, dict)["time_s"] if file.exists() else folder.records()[-1]["time_s"]
        return Measured(float(folder.evaluation()["error"]), float(time_s))
    except (Damaged, KeyError, IndexError, TypeError, ValueError) as error:
        raise UsageError(
            f"the files of a finished run must be readable, got {folder.path}: {error}; remove that folder"
        ) from error


def training_time_s(settings: TrainSettings) -> float:
    """Return the seconds of a finished run's steps alone."""
    return float(RunFolder(Path(settings.out)).records()[-1]["time_s"])
