"""A split that is read as it is needed: sets that do not fit into memory, decoded by worker processes.

Memory holds a few batches and the file names, however large the set. What a batch holds is a function of (seed, step),
so nothing depends on how many workers there are, and any step can be made without those before it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from multimix.lab.core.children import signals_held_back, stand_apart, start_method
from multimix.lab.core.errors import RunFailed
from multimix.lab.core.randomness import seed_of
from multimix.lab.data.augment import FlipCrop
from multimix.lab.data.files.bad_files import UNUSABLE, BadFile, BadFiles, why
from multimix.lab.data.files.blobs import Blobs, choose
from multimix.lab.data.files.decode import Reader
from multimix.lab.data.order import SampleOrder
from multimix.lab.data.split import Batch, Split

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Task:
    """The samples of one batch.

    Args:
        chosen: Their indices in the split.
        seed: Of their random crops; None to test.
        first_row: Where they begin in the batch of all processes together.
    """

    chosen: Tensor
    seed: int | None = None
    first_row: int = 0


@dataclass(frozen=True)
class Decoded:
    """The samples of a task.

    Args:
        x: The samples.
        labels: Their labels.
        bad: Those that could not be decoded.
    """

    x: Tensor
    labels: Tensor
    bad: list[BadFile]


@dataclass(frozen=True)
class Decoding(Dataset[Decoded]):
    """Decodes the samples of a task, in a worker process.

    Args:
        blobs: The encoded samples of the split.
        labels: Class of each, (N,) int64.
        reader: Decodes one.
        skip: Whether a bad sample's place is taken by the next good one of the split (in testing it is left out);
            otherwise decoding ends with the first bad one.
    """

    blobs: Blobs
    labels: Tensor
    reader: Reader
    skip: bool

    def __getitem__(self, task: Task) -> Decoded:
        bad: list[BadFile] = []
        samples, places = [], []
        for row, place in enumerate(task.chosen.tolist()):
            rng = None if task.seed is None else np.random.default_rng([task.seed, task.first_row + row])
            sample, place = self._sample(place, rng, bad)
            if sample is not None:
                samples.append(sample)
                places.append(place)
            elif not self.skip or task.seed is not None:
                break
        x = torch.stack(samples) if samples else torch.empty(0, *self.reader.shape, dtype=self.reader.dtype)
        return Decoded(x, self.labels[places], bad)

    def _sample(self, place: int, rng: np.random.Generator | None, bad: list[BadFile]) -> tuple[Tensor | None, int]:
        """Return a sample and its place in the split; when training, the next good one for a bad one."""
        for _ in range(len(self.labels) if self.skip and rng is not None else 1):
            try:
                return self.reader(self.blobs.read(place), rng), place
            except UNUSABLE as error:
                bad.append(BadFile(self.blobs.name(place), why(error)))
            place = (place + 1) % len(self.labels)
        return None, place


@dataclass(frozen=True)
class StreamedSplit(Split):
    """Samples that are read as they are needed.

    Args:
        blobs: The encoded samples.
        labels: Class of each, (N,) int64.
        reader: Decodes one.
        prepare: Makes a batch of them ready for the model, on the device.
        bad_files: Where those that cannot be used are noted; its policy says what becomes of them.
        num_workers: Processes that read and decode; 0 to do it in this one.
        augment: Moves the images of a training batch, before they are made ready.
        boxes: Where the object is, (N, 4), as shares of width and height.
        device: Where batches go.
    """

    blobs: Blobs
    labels: Tensor
    reader: Reader
    prepare: Callable[[Tensor], Tensor]
    bad_files: BadFiles
    num_workers: int = 0
    augment: FlipCrop | None = None
    boxes: Tensor | None = None
    device: torch.device = CPU

    @property
    def sample_shape(self) -> torch.Size:
        """The shape of one sample as a model gets it."""
        empty = torch.zeros(1, *self.reader.shape, dtype=self.reader.dtype)
        return self.prepare(empty).shape[1:]

    def to(self, device: torch.device) -> "StreamedSplit":
        """Return the same split, its batches on a device."""
        return replace(self, device=device)

    def subset(self, indices: Tensor) -> "StreamedSplit":
        """Return the samples with these indices."""
        boxes = None if self.boxes is None else self.boxes[indices]
        return replace(self, blobs=choose(self.blobs, indices), labels=self.labels[indices], boxes=boxes)

    def batches(self, order: SampleOrder, steps: range, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """Yield the batch of each step, augmented."""
        tasks = (
            Task(order.at(step)[rows], seed_of(order.seed, "crop", step), rows.start)
            for step in steps
            for rows in (order.rows(step, rank, world),)
        )
        for step, (x, labels) in zip(steps, self._decoded(tasks), strict=True):
            if not len(labels):
                raise RunFailed("a batch must hold at least one usable file, got none; mend the files named above")
            yield self.training_input(x, order, step, order.rows(step, rank, world)), labels

    def chunks(self, rows: int) -> Iterator[Batch]:
        """Yield all good samples once, in order and as they are."""
        num_good = 0
        for x, labels in self._decoded(Task(chosen) for chosen in torch.split(torch.arange(len(self)), rows)):
            num_good += len(labels)
            if len(labels):
                yield self.prepare(x), labels
        if not num_good:
            raise RunFailed("a split must hold at least one usable file, got none; mend the files named above")

    def _decoded(self, tasks: Iterable[Task]) -> Iterator[Batch]:
        """Yield the samples of each task, on the device."""
        pinned = self.device.type == "cuda"
        loader: DataLoader[Decoded] = DataLoader(
            Decoding(self.blobs, self.labels, self.reader, self.bad_files.policy == "skip"),
            batch_size=None,
            sampler=tasks,
            num_workers=self.num_workers,
            generator=torch.Generator(),  # its own: the loader must not advance torch's global one
            **_workers(self.num_workers),
        )
        for decoded in _unless_workers_die(loader):
            for bad in decoded.bad:
                self.bad_files.add_in_training(bad)
            x = decoded.x.pin_memory() if pinned else decoded.x
            yield x.to(self.device, non_blocking=pinned), decoded.labels.to(self.device)


def _unless_workers_die(loader: Iterable[Decoded]) -> Iterator[Decoded]:
    """Yield what a loader yields; turn the death of a worker process into an error of one line."""
    try:
        with signals_held_back():
            batches = iter(loader)
        yield from batches
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise RunFailed(
            "processes that read data must stay alive, got one that died: killed, or out of memory; try fewer "
            "--num-workers"
        ) from error


def _workers(num: int) -> dict[str, Any]:
    """Return the settings of worker processes, where there are any.

    They outlast the signals that stop a run, and end with it.
    """
    if num == 0:
        return {}
    return {"multiprocessing_context": start_method(), "prefetch_factor": 2, "worker_init_fn": stand_apart}
