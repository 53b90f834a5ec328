"""Several runs of a study at a time on one GPU, each in a process of its own.

A small network leaves most of a GPU idle, as its kernels take less time than starting them. But by the clock a run
takes longer where others share the GPU. So an update of each arm is timed once, alone, and a run's time is that of
its updates; what was measured, and on which card, stays with the records.
"""

import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import torch

from experiments.frontier.choose import final_lengths
from experiments.frontier.protocol import FINAL_SEEDS, SHORT, TUNING_SEEDS, Arm, Protocol
from experiments.frontier.records import Record, save_logits
from experiments.frontier.stages import Study, one_thread
from experiments.frontier.trial import train
from multimix.lab.core.atomic_files import write_atomic

WARM, TIMED = 20, 100  # updates of an arm before it is timed, and while it is
ORPHANED_S = 1.0  # how often a process looks whether its parent still lives

Run = tuple[Arm, int, float, int]  # length, rate, seed
Done = Future[tuple[Record, np.ndarray] | None]


def check(protocol: Protocol) -> None:
    """Refuse a protocol whose tuning runs depend on each other: they cannot be done at a time.

    Raises:
        ValueError: if it has so many lengths that some may be left out, lengths for the best rate alone, or arms that
            take another one's rate.
    """
    if protocol.lengths >= SHORT or protocol.rates_up_to or any(arm.rate_of for arm in protocol.arms()):
        raise ValueError(
            f"a protocol for several runs at a time must have fewer than {SHORT} lengths, no rates_up_to, and no arm "
            f"that takes another's rate, got {protocol.name}; run it by python -m experiments.frontier"
        )


class Together:
    """Several runs of a study at a time.

    Args:
        study: Which; its samples are in the memory of this process, which has not used the GPU, and are shared.
        workers: How many processes train.
        card: Name of the device.

    Raises:
        ValueError: see `check`.
    """

    def __init__(self, study: Study, workers: int, card: str) -> None:
        check(study.protocol)
        self.study, self.workers = study, workers
        self.update_s = self._times(card) if workers > 1 else {}

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

    def _do(self, runs: Sequence[Run], judged: Mapping[str, int] | None = None) -> None:
        """Do what is missing, the longest of a seed first; of final runs logits are kept at an arm's chosen length.

        Raises:
            TimeoutError: if there was no time left to begin one.
        """
        known = self.study.records.all
        missing = [run for run in runs if (run[0].name, *run[1:]) not in known]
        missing.sort(key=lambda run: (run[3], -run[1] * run[0].updates))
        with _processes(self.study, self.workers) as pool:
            doing = {pool.submit(_trained, run): run for run in missing}
            taken, late = set(), False
            try:
                for done in as_completed(doing):
                    taken.add(done)
                    late |= not self._take(done, doing[done], judged)
            finally:  # if a run failed, those beside it are recorded, the rest is not begun
                pool.shutdown(wait=True, cancel_futures=True)
                for other in doing.keys() - taken:
                    if not other.cancelled() and other.exception() is None:
                        self._take(other, doing[other], judged)
        if late:
            raise TimeoutError("no run is begun any more; the same command goes on")

    def _take(self, done: Done, run: Run, judged: Mapping[str, int] | None) -> bool:
        """Record a run; False if there was no time left to begin it."""
        arm, length, *_ = run
        try:
            found = done.result()
        except Exception as error:
            error.add_note(f"in the run {arm.name}, {run[1:]} (length, rate, seed)")
            raise
        if found is None:
            return False
        record, logits = found
        if self.update_s:
            record = replace(record, time_s=length * arm.updates * self.update_s[arm.name])
        if judged and judged[arm.name] == length:
            save_logits(self.study.folder / "logits", record, torch.from_numpy(logits))
        self.study.add(record)
        return True

    def _times(self, card: str) -> dict[str, float]:
        """Return the seconds of an update of each arm: as an earlier call measured them, so that all are alike."""
        file = self.study.folder / "alone.json"
        if not file.exists():
            with _processes(self.study, 1) as pool:
                found = {arm.name: pool.submit(_update_s, arm).result() for arm in self.study.protocol.arms()}
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(file, json.dumps({"card": card, "update_s": found}, indent=1) + "\n")
        times: dict[str, float] = json.loads(file.read_text("utf-8"))["update_s"]
        for name, seconds in times.items():
            self.study.say(f"{name}: {1e3 * seconds:.2f} ms an update, alone")
        return times


def _processes(study: Study, workers: int) -> ProcessPoolExecutor:
    """Processes that have a study, its samples shared with this one."""
    return ProcessPoolExecutor(workers, get_context("fork"), _begin, (study,))


_mine: list[Study] = []  # in each of these processes: its study


def _begin(study: Study) -> None:
    one_thread()
    _mine.append(study)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process when its parent was killed: it would keep its memory on the GPU."""
    while os.getppid() == parent:
        time.sleep(ORPHANED_S)
    os._exit(1)


def _trained(run: Run) -> tuple[Record, np.ndarray] | None:
    """Do a run; None if there is no time to begin it."""
    (study,) = _mine
    if study.is_late():
        return None
    record, logits = study.trained(*run)
    return record, logits.numpy()


def _update_s(arm: Arm) -> float:
    (study,) = _mine
    rate, data = study.protocol.rates[0], study.samples(TUNING_SEEDS)
    train(study.protocol, arm, data, WARM // arm.updates, rate, TUNING_SEEDS)
    _, spent = train(study.protocol, arm, data, TIMED // arm.updates, rate, TUNING_SEEDS)
    return spent.get("time_s", spent["cpu_time_s"]) / TIMED
