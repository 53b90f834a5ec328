"""Slots of this machine: in processes of their own, kept for many runs so that imports are paid for once."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, set_forkserver_preload

from multimix.lab.compare.slots import Slots, ThisProcess, Work, attempt
from multimix.lab.core.children import end_with_parent, signals_held_back, start_method
from multimix.lab.core.machine import cores, threads_each
from multimix.lab.core.signals import STOPPING, ended_like_ctrl_c
from multimix.lab.core.warnings import logger
from multimix.lab.train.settings import TrainSettings

# How threads wait for each other. A thread that spins holds the core that the one it waits for needs: where another
# process kept one of two cores busy, a step took 325 to 600 ms with the runtime's own choice and 9 to 51 ms with this.
# 1000 spins are what GNU's runtime takes itself where it knows that cores are short. It reads both when it is loaded.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}


class Worker:
    """A process with an equal share of the cores.

    Args:
        jobs: How many of them share the machine.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        set_forkserver_preload(["multimix.lab.train.run", "lightning_fabric"])  # imported once for all workers
        self._pool = ProcessPoolExecutor(
            1,
            mp_context=get_context(start_method()),
            initializer=_prepare,
            initargs=(threads_each(jobs), logger.level),
        )

    def submit(self, work: Work, run: TrainSettings) -> "Future[str | None]":
        """Begin a run; the first one starts the process."""
        with signals_held_back(), _environment(WAITING):
            return self._pool.submit(attempt, work, run, self._jobs)

    def end(self) -> None:
        """End the process, and whatever it is still doing; a run that has begun its steps saves its state first."""
        for process in list((self._pool._processes or {}).values()):
            process.terminate()
        self._pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def local_slots(jobs: int | None, num_runs: int) -> Iterator[tuple[Slots, str]]:
    """Give a block slots for so many runs, and in words how they are shared.

    Args:
        jobs: Processes; None for one per core, 0 for this process.
        num_runs: How many runs there are; there are no more slots.

    Raises:
        Interrupted: if SIGTERM or SIGHUP asked for the end; runs that had begun their steps have saved their state.
    """
    with ended_like_ctrl_c():
        if jobs == 0:
            yield Slots(ThisProcess, 1), "one after the other in this process"
            return
        jobs = min(jobs or cores(), num_runs)
        slots = Slots(lambda: Worker(jobs), jobs)
        try:
            yield slots, f"{jobs} at a time with {threads_each(jobs)} thread(s) each"
        finally:
            slots.close()


@contextmanager
def _environment(defaults: dict[str, str]) -> Iterator[None]:
    """Let processes that are started in the block inherit variables, where the user has not set them."""
    missing = {name: value for name, value in defaults.items() if name not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            del os.environ[name]


def _prepare(threads: int, log_level: int) -> None:
    logger.setLevel(log_level)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends a worker without a traceback; the parent explains
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    end_with_parent()
    import torch

    torch.set_num_threads(threads)
