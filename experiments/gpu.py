"""python -m experiments.gpu PROTOCOL.yaml --data-root DIR [--minutes 9] [--workers 1] [--out DIR]

A data set of study F on a GPU: in bfloat16, the data on the device. It stops after some minutes, and the same command
goes on: the records of all sessions make one study. `--tiny` tries the program on digits, on whatever device there is,
in seconds.

With `--workers 8` eight runs share the card: it has more to do where launching its kernels takes longer than they do.
The clock would measure how many runs there are then. So each arm is first timed alone, for a second or three, and a
run's time is what its updates take alone.

Protocols: frontier/cifar10gpu.yaml, all of CIFAR-10; frontier/cifar500labels.yaml; and frontier/README.md for what is
concluded from what. Needs torch, numpy, numba and PyYAML, not the program's own command line.
"""

import argparse
import os
import platform
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from experiments.frontier.choose import final_lengths
from experiments.frontier.protocol import FINAL_SEEDS, TUNING_SEEDS, Arm, Protocol
from experiments.frontier.records import Record, save_logits
from experiments.frontier.stages import Study, one_thread
from experiments.frontier.trial import train
from multimix.lab.data import open_data

HERE = Path(__file__).parent
TINY = {"data": "digits", "model": "mlp", "labels_per_class": 20, "validation": 100, "test": 200, "batch_size": 20}
SHORT, TIMED = 10, 40  # updates of the arm with K = 1 before an arm is timed, and while it is

Run = tuple[Arm, int, float, int]  # length, rate, seed


class Together:
    """Several runs of a study at a time.

    Args:
        study: Which; its samples are in the memory of this process, which has not used the GPU, and are shared.
        workers: How many processes train.
    """

    def __init__(self, study: Study, workers: int) -> None:
        self.study, self.workers = study, workers
        self.update_s = self._timed_alone() if workers > 1 else {}

    def tune(self) -> None:
        """Do all tuning runs that are missing."""
        protocol = self.study.protocol
        seeds = range(TUNING_SEEDS, TUNING_SEEDS + protocol.tuning_seeds)
        rates, lengths = protocol.rates, protocol.all_lengths()
        self._do([(arm, n, rate, seed) for seed in seeds for rate in rates for n in lengths for arm in protocol.arms()])

    def finish(self) -> None:
        """Do all final runs that are missing, seed by seed."""
        protocol, choices = self.study.protocol, self.study.tune()
        seeds = range(FINAL_SEEDS, FINAL_SEEDS + protocol.final_seeds)
        chosen = [(arm, choices[arm.name]) for arm in protocol.arms()]
        runs = [(arm, n, c.rate, seed) for seed in seeds for arm, c in chosen for n in final_lengths(protocol, c)]
        self._do(runs, {arm.name: choice.length for arm, choice in chosen})

    def _do(self, runs: Sequence[Run], judged: dict[str, int] | None = None) -> None:
        """Do what is missing of these; of final runs the logits are kept where an arm has its chosen length."""
        study, late = self.study, False
        missing = [run for run in runs if (run[0].name, *run[1:]) not in study.records.all]
        with _processes(study, self.workers) as pool:
            for done in as_completed([pool.submit(_trained, run) for run in missing]):
                if (found := done.result()) is None:
                    late = True
                    continue
                record, logits, updates = found
                if self.update_s:
                    record = replace(record, time_s=updates * self.update_s[record.arm])
                if judged and judged[record.arm] == record.length:
                    save_logits(study.folder / "logits", record, torch.from_numpy(logits))
                study.add(record)
        if late:
            raise TimeoutError("no run is begun any more; the same command goes on")

    def _timed_alone(self) -> dict[str, float]:
        """Return the seconds of an update of each arm, by the clock."""
        with _processes(self.study, 1) as pool:
            arms = self.study.protocol.arms()
            found = {arm.name: pool.submit(_update_s, arm).result() for arm in arms}
        for name, seconds in found.items():
            self.study.say(f"{name}: {1e3 * seconds:.2f} ms an update, alone")
        return found


def _processes(study: Study, workers: int) -> ProcessPoolExecutor:
    """Processes that have a study, its samples shared with this one."""
    return ProcessPoolExecutor(workers, get_context("fork"), _begin, (study,))


_mine: list[Study] = []  # in each of these processes: its study


def _begin(study: Study) -> None:
    one_thread()
    _mine.append(study)


def _trained(run: Run) -> tuple[Record, np.ndarray, int] | None:
    """Do a run; None if there is no time to begin it."""
    (study,), (arm, length, *_) = _mine, run
    if study.is_late():
        return None
    record, logits = study.trained(*run)
    return record, logits.numpy(), length * arm.updates


def _update_s(arm: Arm) -> float:
    (study,) = _mine
    rate, data = study.protocol.rates[0], study.samples(TUNING_SEEDS)
    train(study.protocol, arm, data, SHORT, rate, TUNING_SEEDS)
    begun = perf_counter()
    train(study.protocol, arm, data, TIMED, rate, TUNING_SEEDS)
    return (perf_counter() - begun) / (TIMED * arm.updates)


def _device() -> tuple[str, str]:
    """Return the kind of device and its name. A process that has asked for a GPU cannot share it with its children."""
    if torch.cuda.is_available():
        return "cuda", torch.cuda.get_device_name()
    return "cpu", platform.processor() or "CPU"


def main() -> None:
    """Do as much of the study as the minutes allow."""
    parser = argparse.ArgumentParser(prog="python -m experiments.gpu", description=__doc__.splitlines()[2])
    parser.add_argument("protocol", type=Path, help="a .yaml file of experiments/frontier")
    parser.add_argument("--data-root", help="folder that holds cifar10/{train,test}/CLASS or a published layout")
    parser.add_argument("--minutes", type=float, default=9.0, help="no run is begun after these")
    parser.add_argument("--workers", type=int, default=1, help="runs at a time")
    parser.add_argument("--out", type=Path, help="folder of the records (default: results/frontier-NAME)")
    parser.add_argument("--tiny", action="store_true", help="digits and a small network, to try the program")
    given = parser.parse_args()
    protocol = Protocol.read(given.protocol)
    out = given.out or HERE / "results" / f"frontier-{protocol.name}"
    if given.tiny:
        small = {"data_options": {}, "model_options": {}, "first_length": 2, "lengths": 2, "final_seeds": 1}
        protocol = replace(protocol, **TINY, **small)
    os.environ.setdefault("MULTIMIX_CACHE", "off")
    with ProcessPoolExecutor(1, get_context("fork")) as pool:
        kind, card = pool.submit(_device).result()
    print(f"{card}, torch {torch.__version__}", flush=True)
    data = open_data(protocol.data, protocol.data_options, root=given.data_root)
    study = Study(protocol, data, out, lambda line: print(line, flush=True), torch.device(kind), given.minutes)
    try:
        together = Together(study, given.workers)
        together.tune()
        together.finish()
    except TimeoutError as error:
        print(error)


if __name__ == "__main__":
    main()
