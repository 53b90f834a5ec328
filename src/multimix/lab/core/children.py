"""Processes that work for a run and outlive the signal that stops it, until its state is saved."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_all_start_methods, parent_process, resource_tracker

from multimix.lab.core.signals import STOPPING


def start_method() -> str:
    """How processes begin: as forks of a server that has no threads, where there is one.

    A fork of a process with running threads may hang, and CUDA does not survive it.
    """
    return "forkserver" if "forkserver" in get_all_start_methods() and sys.platform != "darwin" else "spawn"


@contextmanager
def signals_held_back() -> Iterator[None]:
    """Block the signals that stop a run in processes that are started inside the block, and in theirs.

    Ctrl-C and torchrun send those to a whole group of processes, and the run needs its data until its state is saved.
    """
    resource_tracker.ensure_running()  # starting it inside the block would let the signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def stand_apart(index: int) -> None:
    """Take this process out of its parent's group: from now on a signal reaches it only by its own number."""
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    end_with_parent()


def end_with_parent() -> None:
    """End this process when its parent has ended, however that came about."""
    threading.Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
