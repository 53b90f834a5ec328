"""Runs in processes of their own, a few at a time.

Each slot is one worker process, kept for many runs so that imports are paid for once. A worker that dies takes only its
own run with it; its slot gets a new one.
"""

import os
import signal
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from multimix.lab.children import end_with_parent
from multimix.lab.config import TrainSettings
from multimix.lab.errors import RunFailed

OnStart = Callable[[TrainSettings], None]
OnEnd = Callable[[TrainSettings, str | None], None]
Work = Callable[[TrainSettings, int], None]


class Workers:
    """Worker processes with an equal share of the cores each.

    Args:
        work: What a worker does with (settings, jobs); importable by name, as it runs elsewhere.
        jobs: Number of processes.
    """

    def __init__(self, work: Work, jobs: int) -> None:
        self._work, self._jobs = work, jobs
        self._slots = [_worker(jobs) for _ in range(jobs)]

    def each(self, settings: TrainSettings) -> None:
        """Has every worker do the same piece of work at the same time, and waits for all of them."""
        for future in [slot.submit(self._work, settings, self._jobs) for slot in self._slots]:
            future.result()

    def all(self, runs: Sequence[TrainSettings], on_start: OnStart, on_end: OnEnd) -> None:
        """Does every run, in order; a failed one is told to `on_end` with its reason and stops no other."""
        waiting = deque(runs)
        idle = deque(range(self._jobs))
        busy: dict[Future[None], tuple[int, TrainSettings]] = {}
        while waiting or busy:
            while waiting and idle:
                slot, settings = idle.popleft(), waiting.popleft()
                on_start(settings)
                busy[self._slots[slot].submit(self._work, settings, self._jobs)] = slot, settings
            for future in wait(busy, return_when=FIRST_COMPLETED).done:
                slot, settings = busy.pop(future)
                reason = _reason(future)
                if isinstance(future.exception(), BrokenProcessPool):
                    self._slots[slot] = _worker(self._jobs)
                idle.append(slot)
                on_end(settings, reason)

    def close(self) -> None:
        """Ends the workers, and whatever they are still doing."""
        for slot in self._slots:
            for process in list((slot._processes or {}).values()):
                process.terminate()
            slot.shutdown(wait=True, cancel_futures=True)


def _worker(jobs: int) -> ProcessPoolExecutor:
    # Spawned, not forked: a fork of a process with running threads may hang, and CUDA does not survive it.
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_prepare, initargs=(jobs,))


def _prepare(jobs: int) -> None:
    import torch

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends a worker without a traceback; the parent explains
    end_with_parent()
    torch.set_num_threads(max(1, cores() // jobs))


def cores() -> int:
    """Returns the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _reason(future: Future[None]) -> str | None:
    error = future.exception()
    if error is None:
        return None
    if isinstance(error, BrokenProcessPool):
        return "its process died: killed, or out of memory"
    return str(error) if isinstance(error, RunFailed) else f"{type(error).__name__}: {error}"
