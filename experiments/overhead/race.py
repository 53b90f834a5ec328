"""Training until a fixed validation error, by one process and by two: the runs.

    python -m experiments.overhead.race OUT DATA_ROOT SEED

does the runs of one seed, in this process or together with those that torchrun has started.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from experiments.overhead.clock import all_samples
from experiments.overhead.design import Design
from multimix.lab.core.ranks import num_processes
from multimix.lab.data import Data, open_data
from multimix.lab.train.run import train
from multimix.lab.train.run_folder import Record, RunFolder
from multimix.lab.train.settings import TrainSettings

ROOT = Path(__file__).parents[2]
PROCESSES = (1, 2)
SEEDS = range(1, 6)
WARM_UP = 3  # updates
MIXES = 5
REFERENCE, ONE, SMALL, MANY = "no mixing", "K = 1", "small batch", f"K = {MIXES}"


@dataclass(frozen=True)
class Race:
    """Arms that see as many rows of the same samples.

    Args:
        data: Name of the data set.
        samples: N.
        validation: Other samples, that the error is measured on.
        batch: B.
        updates: Of K = 1.
        evaluations: How many times the error is measured, evenly spaced.
        error: The validation error to reach; None where only the pace is of interest.
        rates: The highest learning rate of no mixing, K = 1, the small batch and K = 5.
        method: Of mixing.
    """

    data: str
    samples: int
    validation: int
    batch: int
    updates: int
    evaluations: int
    error: float | None
    rates: tuple[float, float, float, float]
    method: str = "mixup"

    @property
    def name(self) -> str:
        """How tables and folders call it."""
        return f"{self.data}-{self.samples}"

    def arms(self, processes: int) -> dict[str, Design]:
        """Return the ways to make an update, by name; no mixing is there for comparison, with one process."""
        reference = {REFERENCE: Design("none", 1, self.batch)} if processes == 1 else {}
        return reference | {
            ONE: Design(self.method, 1, self.batch),
            SMALL: Design(self.method, 1, self.batch // MIXES),
            MANY: Design(self.method, MIXES, self.batch),
        }

    def settings(self, arm: str, seed: int, out: Path) -> TrainSettings:
        """Return the settings of a run: as many rows for all."""
        design = self.arms(1)[arm]
        return TrainSettings(
            **design.settings(),
            steps=self.updates * self.batch // design.rows,
            learning_rate=dict(zip((REFERENCE, ONE, SMALL, MANY), self.rates, strict=True))[arm],
            evaluations=self.evaluations,
            seed=seed,
            device="cpu",
            checkpoint_every="never",
            out=str(out),
        )

    def draw(self, pool: Data, seed: int) -> Data:
        """Return the samples of a seed, in random order from all there are."""
        order = torch.randperm(len(pool.train), generator=torch.Generator().manual_seed(seed))
        rest = order[self.samples :]
        return replace(
            pool,
            train=pool.train.subset(order[: self.samples]),
            validation=pool.train.subset(rest[: self.validation]),
            test=pool.train.subset(rest[-10:]),  # `multimix train` evaluates it too; nothing is read from it
        )


RACES = (
    Race("digits", 200, 700, batch=120, updates=240, evaluations=24, error=0.1, rates=(0.3, 0.3, 0.3, 0.3)),
    Race("digits", 1000, 700, batch=120, updates=240, evaluations=24, error=0.03, rates=(0.3, 0.3, 0.1, 0.1)),
    Race("cifar10", 1000, 10, batch=100, updates=30, evaluations=1, error=None, rates=(0.1, 0.1, 0.1, 0.1)),
)
Runs = dict[tuple[int, str], dict[int, list[Record]]]  # processes, arm -> seed -> records


def folder(out: Path, race: Race, processes: int, seed: int, arm: str) -> Path:
    """Return where a run is kept."""
    return out / "runs" / f"{race.name}-{processes}-{seed}-{arm.replace(' ', '')}"


def run(out: Path, race: Race, pool: Data, seed: int) -> None:
    """Do the runs of a race with one seed that are missing, all processes together."""
    data, processes = race.draw(pool, seed), num_processes()
    for arm, design in race.arms(processes).items():
        short = replace(race, updates=WARM_UP * design.rows // race.batch + 1, evaluations=1)
        with tempfile.TemporaryDirectory() as scratch:  # what happens for the first time is no part of a run
            train(short.settings(arm, seed, Path(scratch, "run")), data=data)
        train(race.settings(arm, seed, folder(out, race, processes, seed, arm)), data=data)


def start(out: Path, root: str, seed: int, processes: int) -> None:
    """Start the processes that do what is missing of a seed, and wait for them.

    Raises:
        CalledProcessError: if one of them fails; what it says is on the standard error.
    """
    folders = [folder(out, race, processes, seed, arm) for race in RACES for arm in race.arms(processes)]
    if all(RunFolder(path).finished for path in folders):
        return
    program = ["-m", "experiments.overhead.race", str(out.resolve()), root, str(seed)]
    if processes > 1:
        program = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", *program]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    subprocess.run([sys.executable, *program], check=True, cwd=ROOT, env=environment)


def read(out: Path, race: Race, seeds: Sequence[int]) -> Runs:
    """Return the records of a race."""
    return {
        (processes, arm): {seed: RunFolder(folder(out, race, processes, seed, arm)).records() for seed in seeds}
        for processes in PROCESSES
        for arm in race.arms(processes)
    }


def main() -> None:
    """Do the runs of one seed."""
    out, root, seed = sys.argv[1:]
    torch.set_num_threads(1)
    pools = {name: all_samples(open_data(name, root=root)) for name in {race.data: None for race in RACES}}
    for race in RACES:
        run(Path(out), race, pools[race.data], int(seed))


if __name__ == "__main__":
    main()
