"""Many runs, as many at a time as there are slots. A run that fails, or takes its slot with it, stops no other."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Protocol

from multimix.lab.core.errors import Interrupted, InterruptedByCtrlC, RunFailed, UsageError
from multimix.lab.train.settings import TrainSettings

# What is done with the settings of a run, and with how many runs share its machine.
Work = Callable[[TrainSettings, int], None]
OnStart = Callable[[TrainSettings], None]
OnEnd = Callable[[TrainSettings, str | None], None]


class Slot(Protocol):
    """A place where one run at a time is done: in this process, in another, or on another machine."""

    def submit(self, work: Work, run: TrainSettings) -> "Future[str | None]":
        """Begin a run. The future's value is None or why the run failed; its exception, why the slot is lost."""

    def end(self) -> None:
        """End whatever is still going on there."""


class Slots:
    """Slots that do runs in order.

    Args:
        make: Makes a slot; called again where one was lost.
        jobs: Number of slots.
    """

    def __init__(self, make: Callable[[], Slot], jobs: int) -> None:
        self._make = make
        self._slots = [make() for _ in range(jobs)]

    @property
    def jobs(self) -> int:
        """How many runs are done at a time."""
        return len(self._slots)

    def all(self, work: Work, runs: Sequence[TrainSettings], on_start: OnStart, on_end: OnEnd) -> None:
        """Do every run; `on_end` is called with the reason why one failed, else None."""
        waiting, idle = deque(runs), deque(self._slots)
        busy: dict[Future[str | None], tuple[Slot, TrainSettings]] = {}
        while waiting or busy:
            while waiting and idle:
                slot, run = idle.popleft(), waiting.popleft()
                on_start(run)
                busy[slot.submit(work, run)] = slot, run
            for future in wait(busy, return_when=FIRST_COMPLETED).done:
                slot, run = busy.pop(future)
                lost = future.exception() is not None
                idle.append(self._replaced(slot) if lost else slot)
                on_end(run, "its process died: killed, or out of memory" if lost else future.result())

    def _replaced(self, slot: Slot) -> Slot:
        slot.end()
        new = self._make()
        self._slots[self._slots.index(slot)] = new
        return new

    def close(self) -> None:
        """End all slots at the same time: each may have a state to save, and who asks for the end may not wait long."""
        with ThreadPoolExecutor(len(self._slots)) as pool:
            list(pool.map(lambda slot: slot.end(), self._slots))


def attempt(work: Work, run: TrainSettings, jobs: int) -> str | None:
    """Return None if the work was done, else why not."""
    try:
        work(run, jobs)
    except Exception as error:  # whatever it is, other runs may do better
        return reason(error)
    return None


def reason(error: Exception) -> str:
    """Return what went wrong; in the program's words where it was foreseen."""
    return str(error) if isinstance(error, RunFailed | UsageError) else f"{type(error).__name__}: {error}"


class ThisProcess:
    """A slot in this process: a run is done at once, with its threads; nothing to start, a debugger sees everything."""

    def submit(self, work: Work, run: TrainSettings) -> "Future[str | None]":
        """Do a run.

        Raises:
            KeyboardInterrupt, Interrupted: if Ctrl-C or another signal asked for the end; that is meant for all runs.
        """
        done: Future[str | None] = Future()
        try:
            work(run, 1)
            done.set_result(None)
        except InterruptedByCtrlC as error:
            raise KeyboardInterrupt from error
        except Interrupted:
            raise
        except Exception as error:  # whatever it is, other runs may do better
            done.set_result(reason(error))
        return done

    def end(self) -> None:
        """Nothing goes on there once `submit` has returned."""
