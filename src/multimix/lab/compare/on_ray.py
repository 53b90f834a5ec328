"""Slots on a Ray cluster: actors, each with cores and GPUs of its own, on whichever machine has room."""

import logging
import os
import socket
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from multimix.lab.compare.settings import CompareSettings
from multimix.lab.compare.slots import Slots, Work, attempt
from multimix.lab.core.errors import UsageError
from multimix.lab.train.settings import TrainSettings

PATIENCE_S = 10.0  # a file system over a network may take seconds to show a new file
CONNECT_S = 5.0


@dataclass(frozen=True)
class Place:
    """Where the runs are started from and written to: the same on every machine.

    Args:
        cwd: The current folder, which relative paths refer to.
        mark: A file in the comparison's folder.
        token: What it holds.
    """

    cwd: str
    mark: str
    token: str

    def problem(self) -> str | None:
        """Return why this machine cannot do runs here; None if it can."""
        give_up = monotonic() + PATIENCE_S
        while not self._is_here():
            if monotonic() > give_up:
                return (
                    f"every machine of the cluster must see the comparison's folder, got {socket.gethostname()}, where "
                    f"{Path(self.mark).parent} is not what it is here; put --out on a shared file system"
                )
            sleep(0.5)
        if not os.path.isdir(self.cwd):
            return (
                f"every machine of the cluster must have the current folder, got {socket.gethostname()}, which lacks "
                f"{self.cwd}; start from a folder on a shared file system"
            )
        return None

    def _is_here(self) -> bool:
        try:
            return Path(self.mark).read_text() == self.token and os.access(Path(self.mark).parent, os.W_OK)
        except OSError:
            return False


@dataclass(frozen=True)
class Share:
    """What one run gets.

    Args:
        cpus: Cores.
        gpus: GPUs, or a part of one.
    """

    cpus: int
    gpus: float

    def room(self, machine: dict[str, Any]) -> int:
        """Return how many runs a machine has room for at a time."""
        resources = machine["Resources"]
        by_cpu = int(resources.get("CPU", 0) // self.cpus)
        return min(by_cpu, int(resources.get("GPU", 0) / self.gpus)) if self.gpus else by_cpu


class _Actor:
    """What lives on the cluster; kept for many runs so that imports are paid for once."""

    def __init__(self, place: Place, share: Share, room: dict[str, int]) -> None:
        if not share.gpus:  # Ray hides GPUs from those who asked for one, not from those who asked for none
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        import ray
        import torch

        torch.set_num_threads(share.cpus)
        self._place = place
        self._jobs = room.get(ray.get_runtime_context().get_node_id(), 1)

    def run(self, work: Work, run: TrainSettings) -> str | None:
        problem = self._place.problem()
        if problem is not None:
            return problem
        os.chdir(self._place.cwd)
        return attempt(work, run, self._jobs)


class RaySlot:
    """An actor.

    Args:
        actor: What `ray.remote` made of `_Actor`.
    """

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def submit(self, work: Work, run: TrainSettings) -> "Future[str | None]":
        """Begin a run, or let it wait until the cluster has room."""
        future: Future[str | None] = self._actor.run.remote(work, run).future()
        return future

    def end(self) -> None:
        """End the actor, and whatever it is still doing."""
        import ray

        ray.kill(self._actor)


def check_ray_installed() -> None:
    """Refuse Ray where it is not installed."""
    if find_spec("ray") is None:
        raise UsageError("Ray must be installed for --ray, got no module named 'ray'; pip install 'multimix[ray]'")


@contextmanager
def ray_slots(settings: CompareSettings, num_runs: int) -> Iterator[tuple[Slots, str]]:
    """Join a cluster, or start one; leave it, or end it, after the block.

    Yields:
        The slots, and in words what a run gets.

    Raises:
        UsageError: if the cluster does not answer, has no room for a run, or has a machine that cannot do runs.
    """
    ray = _joined(str(settings.ray))
    mark = Path(settings.out).absolute() / ".mark"
    try:
        machines = [machine for machine in ray.nodes() if machine["Alive"]]
        share = _share(settings, machines)
        room = {machine["NodeID"]: share.room(machine) for machine in machines if share.room(machine)}
        if not room:
            raise UsageError(_too_much(share, machines))
        place = Place(os.getcwd(), str(mark), uuid.uuid4().hex)
        mark.write_text(place.token)
        _check_machines(ray, place, room)
        kind = ray.remote(num_cpus=share.cpus, num_gpus=share.gpus, max_restarts=0)(_Actor)
        jobs = min(settings.jobs or sum(room.values()), num_runs)
        slots = Slots(lambda: RaySlot(kind.remote(place, share, room)), jobs)
        gpus = f" and {share.gpus:g} GPU(s)" if share.gpus else ""
        try:
            yield slots, f"{jobs} at a time on {len(room)} machine(s) by Ray with {share.cpus} core(s){gpus} each"
        finally:
            slots.close()
    finally:
        mark.unlink(missing_ok=True)
        ray.shutdown()


def _joined(address: str) -> Any:
    """Return Ray, in touch with a cluster and silent: its logs stay in its own files."""
    if address != "auto":
        host, _, port = address.rpartition(":")
        try:  # Ray itself would try for long
            socket.create_connection((host, int(port)), CONNECT_S).close()
        except (OSError, OverflowError) as error:
            raise UsageError(_no_answer(address, str(error))) from error
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    # What a cluster says of workers that died would go to the terminal; there is no setting, and the run says it too.
    ray._private.worker.print_to_stdstream = lambda *args, **options: None
    try:
        with _hushed():
            ray.init(
                address=None if address == "auto" else address,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UsageError(_no_answer(address, str(error).splitlines()[0])) from error
    return ray


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep the standard error clean of what is written past Python: until Ray is up, its core warns there."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


def _no_answer(address: str, why: str) -> str:
    return (
        f"a Ray cluster must answer, got ray={address!r}: {why}; give the address that `ray start --head` printed, set "
        f"RAY_AUTH_MODE=token if it asks for a token, or, if that cluster is gone, `ray stop` and --ray auto"
    )


def _share(settings: CompareSettings, machines: list[dict[str, Any]]) -> Share:
    gpus = settings.gpus_per_run
    if gpus is None:
        has_gpus = any(machine["Resources"].get("GPU", 0) for machine in machines)
        gpus = 1.0 if settings.device == "cuda" or (settings.device == "auto" and has_gpus) else 0.0
    return Share(settings.cpus_per_run or 1, gpus)


def _too_much(share: Share, machines: list[dict[str, Any]]) -> str:
    have = ", ".join(
        f"{machine['Resources'].get('CPU', 0):g} core(s) and {machine['Resources'].get('GPU', 0):g} GPU(s)"
        for machine in machines
    )
    return (
        f"the cluster must have a machine with room for a run, got cpus_per_run={share.cpus}, "
        f"gpus_per_run={share.gpus:g} on {len(machines)} machine(s) with {have}; ask for less"
    )


def _check_machines(ray: Any, place: Place, room: dict[str, int]) -> None:
    """Have every machine look at the folder."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    look = ray.remote(num_cpus=0, max_retries=0)(Place.problem)
    there = [NodeAffinitySchedulingStrategy(node, soft=False) for node in room]
    try:
        problems = ray.get([look.options(scheduling_strategy=one).remote(place) for one in there])
    except ray.exceptions.RayError as error:
        why = str(error).strip().splitlines()[-1]
        raise UsageError(
            f"every machine of the cluster must have multimix installed, got {why}; install the same as here"
        ) from error
    for problem in problems:
        if problem is not None:
            raise UsageError(problem)
