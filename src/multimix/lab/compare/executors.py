"""Where runs are done: in this process, in several, or on a Ray cluster."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from multimix.lab.compare.on_ray import check_ray_installed, ray_slots
from multimix.lab.compare.settings import CompareSettings
from multimix.lab.compare.slots import Slots, ThisProcess
from multimix.lab.compare.workers import Worker
from multimix.lab.core.machine import check_device, cores, threads_each


def check_executor(settings: CompareSettings) -> None:
    """Refuses what this machine lacks, before anything is begun.

    Raises:
        UsageError: if the device or Ray is missing; the devices of a cluster are looked at when it is joined.
    """
    if settings.ray is None:
        check_device(settings.device, settings.precision)
    else:
        check_ray_installed()


def executor(settings: CompareSettings, num_runs: int) -> AbstractContextManager[tuple[Slots, str]]:
    """Returns, for the time of a block, slots for so many runs, and in words how they are shared."""
    return _local(settings, num_runs) if settings.ray is None else ray_slots(settings, num_runs)


@contextmanager
def _local(settings: CompareSettings, num_runs: int) -> Iterator[tuple[Slots, str]]:
    if settings.jobs == 0:
        yield Slots(ThisProcess, 1), "one after the other in this process"
        return
    jobs = min(settings.jobs or cores(), num_runs)
    slots = Slots(lambda: Worker(jobs), jobs)
    try:
        yield slots, f"{jobs} at a time with {threads_each(jobs)} thread(s) each"
    finally:
        slots.close()
