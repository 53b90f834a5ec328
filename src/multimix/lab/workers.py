"""Slots in processes of their own, kept for many runs so that imports are paid for once."""

import os
import signal
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context

from multimix.lab.children import end_with_parent
from multimix.lab.config import TrainSettings
from multimix.lab.slots import Work, attempt


class Worker:
    """A process with an equal share of the cores.

    Args:
        jobs: How many of them share the machine.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        # Spawned, not forked: a fork of a process with running threads may hang, and CUDA does not survive it.
        self._pool = ProcessPoolExecutor(
            1, mp_context=get_context("spawn"), initializer=_prepare, initargs=(threads_each(jobs),)
        )

    def submit(self, work: Work, run: TrainSettings) -> "Future[str | None]":
        """Begins a run."""
        return self._pool.submit(attempt, work, run, self._jobs)

    def end(self) -> None:
        """Ends the process, and whatever it is still doing."""
        for process in list((self._pool._processes or {}).values()):
            process.terminate()
        self._pool.shutdown(wait=True, cancel_futures=True)


def _prepare(threads: int) -> None:
    import torch

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends a worker without a traceback; the parent explains
    end_with_parent()
    torch.set_num_threads(threads)


def threads_each(jobs: int) -> int:
    """Returns how many threads a run has where so many share the machine."""
    return max(1, cores() // jobs)


def cores() -> int:
    """Returns the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
