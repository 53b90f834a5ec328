"""The processes that train one model together, and what they must agree on.

`torchrun` starts them and says, in the environment, how many there are; without it there is one. All of them run the
same program on the same folder; only the first writes.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar, cast

import torch
from torch import Tensor

from multimix.lab.core.errors import FailedAlone, RunFailed, UsageError
from multimix.lab.core.ranks import num_processes

if TYPE_CHECKING:
    from lightning_fabric import Fabric

T = TypeVar("T")

AGREE_EVERY = 8  # steps; asking costs a small message, 0.1-0.3 ms between two processes on one machine
GO_ON, SAVE, STOP = range(3)  # wishes, the strongest last
PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


def launched(device: str, precision: str = "fp32") -> "Fabric":
    """Return Fabric on this process's device, in touch with the other processes."""
    from lightning_fabric import Fabric  # it takes seconds, and much is refused before it is needed

    here, everywhere = int(os.environ.get("LOCAL_WORLD_SIZE", 1)), num_processes()
    logging.disable(logging.INFO)  # it announces every process and the precision; warnings still come through
    try:
        fabric = Fabric(
            accelerator=device,
            devices=here,
            num_nodes=everywhere // here,
            strategy="ddp" if everywhere > 1 else "auto",
            precision=PRECISIONS[precision],  # type: ignore[arg-type]  # a dict's values are plain strings
        )
        fabric.launch()
    finally:
        logging.disable(logging.NOTSET)
    return fabric


def destroy_process_group() -> None:
    """Leave the process group, if there is one.

    A program that ends without it may be aborted by threads that still listen to them, after all is done.
    """
    if torch.distributed.is_initialized():
        # Gloo's threads drop the tensors of what they sent last, for which they need Python's lock; a group that is
        # destroyed meanwhile waits for them and holds the lock (torch 2.6). Sleeping leaves it to them.
        time.sleep(0.1)
        torch.distributed.destroy_process_group()


def on_rank_zero(fabric: "Fabric", work: Callable[[], T]) -> T:
    """Have the first process do something, and return what came of it in every process.

    Only the first process reads and writes the run's folder, so the others may run where they cannot see it.

    Raises:
        UsageError, RunFailed, OSError: in every process, if it failed, so that none waits for another.
    """
    if fabric.world_size == 1:
        return work()
    answer: T | Exception | None = None
    if fabric.is_global_zero:
        try:
            answer = work()
        except (UsageError, RunFailed, OSError) as error:
            answer = error
    answer = fabric.broadcast(answer)
    if isinstance(answer, Exception):
        raise answer
    return cast(T, answer)


def reading(fabric: "Fabric", items: Iterable[T]) -> Iterator[T]:
    """Yield what only this process reads; should that fail, it says so, as no other process knows."""
    try:
        yield from items
    except RunFailed as error:
        if fabric.world_size == 1:
            raise
        raise FailedAlone(f"process {fabric.global_rank}: {error}") from error


@contextmanager
def fail_if_peer_dies(fabric: "Fabric") -> Iterator[None]:
    """End the run in one clear line when another of its processes dies."""
    try:
        yield
    except RuntimeError as error:
        if fabric.world_size == 1 or not _says_that_a_peer_is_gone(error):
            raise
        raise FailedAlone(
            f"process {fabric.global_rank}: all processes of a run must live, got one that ended; the same command "
            f"goes on from the last state saved"
        ) from error


def _says_that_a_peer_is_gone(error: RuntimeError) -> bool:
    """Whether an error means that another process no longer answers.

    NCCL's errors, and those of torch's own store, are DistErrors. Gloo's are plain RuntimeErrors with no attribute that
    would tell them apart; the path of Gloo's source file, which begins each of their messages, is all there is.
    """
    return isinstance(error, torch.distributed.DistError) or "gloo" in str(error)


def check_shares(samples_per_step: int) -> None:
    """Refuse a step that is too small to be shared.

    Raises:
        UsageError: if a process would get no sample.
    """
    if samples_per_step < num_processes():
        raise UsageError(
            f"each process needs at least one pair per step, got {samples_per_step} pairs for {num_processes()} "
            f"processes; give a larger batch_size or start fewer processes"
        )


def weight_of(own: int, samples: int) -> float:
    """Return what a process's mean loss counts, so that the mean over processes is the mean over all samples."""
    return own * num_processes() / samples


def mean_over(processes: Tensor, sizes: Sequence[Sequence[int]]) -> Tensor:
    """Return the mean of (processes, steps, values), each process counting by the size of its part of each step."""
    parts = torch.tensor(sizes).to(processes).reshape(processes.shape[:2])
    return (processes * (parts / parts.sum(dim=0)).unsqueeze(-1)).sum(dim=0)


def agreed(fabric: "Fabric", step: int, wish: int) -> int:
    """Return the strongest wish of any process; all get the same answer after the same step.

    One process answers itself at once. Several ask each other every few steps and never between, so that none waits for
    an answer that never comes.
    """
    if fabric.world_size == 1:
        return wish
    if step % AGREE_EVERY:
        return GO_ON
    everyone = fabric.all_reduce(torch.tensor(wish, device=fabric.device), reduce_op="max")
    assert isinstance(everyone, Tensor)  # one tensor in, one out
    return int(everyone)


def gathered(fabric: "Fabric", values: Tensor) -> Tensor:
    """Return (processes, ...): the same-shaped values of every process, on the CPU."""
    if fabric.world_size == 1:
        return values.cpu().unsqueeze(0)
    mine = values.to(fabric.device)
    everyone = [torch.empty_like(mine) for _ in range(fabric.world_size)]
    torch.distributed.all_gather(everyone, mine)
    return torch.stack(everyone).cpu()
