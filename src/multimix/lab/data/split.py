"""What a data set is to the lab: splits that give batches on a device, and the number of classes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from multimix.lab.core.errors import UsageError
from multimix.lab.core.randomness import seed_of
from multimix.lab.data.augment import FlipCrop
from multimix.lab.data.files.bad_files import BadFile
from multimix.lab.data.order import SampleOrder
from multimix.lab.data.prepare import Pixels

Batch = tuple[Tensor, Tensor]  # samples, ready for the model, and their labels, on the split's device


class Split(ABC):
    """Samples and their labels, held on a device (`HeldSplit`) or read as they are needed (`StreamedSplit`).

    Attributes:
        labels: Class of each sample, (N,) int64.
        boxes: Where the object is, (N, 4): left, top, right, bottom as shares of width and height; None if unknown.
        prepare: Makes a batch of stored samples ready for the model.
        augment: Moves the images of a training batch, before they are made ready.
    """

    labels: Tensor
    boxes: Tensor | None
    prepare: Callable[[Tensor], Tensor]
    augment: FlipCrop | None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def pixels(self) -> Pixels | None:
        """How pixels in [0, 1] become what the model gets; None if the samples are no images."""
        return self.prepare if isinstance(self.prepare, Pixels) else None

    @property
    @abstractmethod
    def sample_shape(self) -> torch.Size:
        """The shape of one sample as a model gets it."""

    @abstractmethod
    def to(self, device: torch.device) -> "Split":
        """Return the same split, its batches on a device."""

    @abstractmethod
    def subset(self, indices: Tensor) -> "Split":
        """Return the samples with these indices."""

    @abstractmethod
    def batches(self, order: SampleOrder, steps: range, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """Yield the batch of each step, augmented, for training.

        What a step's batch holds depends on (order.seed, step) only. Of `world` processes, each gets its own part of
        the rows that one process alone would get.
        """

    @abstractmethod
    def chunks(self, rows: int) -> Iterator[Batch]:
        """Yield all samples once, in order and as they are, at most `rows` at a time."""

    def training_input(self, x: Tensor, order: SampleOrder, step: int, rows: slice) -> Tensor:
        """Return what the model gets for some rows of a step's batch; how they are moved depends on (seed, step)."""
        if self.augment is not None:
            moves = self.augment.draw(order.batch_at(step), seed_of(order.seed, "augment", step))
            x = self.augment.apply(x, moves[rows])
        return self.prepare(x)


@dataclass(frozen=True)
class Data:
    """A data set.

    Args:
        train: What the model learns from.
        test: What the finished model is judged on; nothing is chosen by it.
        num_classes: Number of classes.
        classes: Names of the classes, where there are any.
        validation: What choices may be made by; None unless published with the set or held out.
        skipped: Files that could not be used and were left out.
        notes: What a user should know about how the splits were made.
    """

    train: Split
    test: Split
    num_classes: int
    classes: tuple[str, ...] = ()
    validation: Split | None = None
    skipped: tuple[BadFile, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def sample_shape(self) -> torch.Size:
        """The shape of one sample."""
        return self.train.sample_shape

    def to(self, device: torch.device) -> "Data":
        """Return the same data on a device."""
        validation = None if self.validation is None else self.validation.to(device)
        return replace(self, train=self.train.to(device), test=self.test.to(device), validation=validation)

    def with_splits(self, validation_share: float, labels_per_class: int | None, seed: int) -> "Data":
        """Return the data as a run uses it: a validation split held out first, then few labels kept, if so wished.

        Args:
            validation_share: Share of the training split, in [0, 1).
            labels_per_class: Samples of each class that stay in the training split; None for all.
            seed: Draws both.

        Raises:
            UsageError: if a split would be empty, or a class has fewer samples.
        """
        held = self.hold_out(validation_share, seed) if validation_share else self
        return held if labels_per_class is None else held.limit_labels(labels_per_class, seed)

    def hold_out(self, share: float, seed: int = 0) -> "Data":
        """Return the data with a validation split taken out of the training split, the same share of every class.

        Data that already have a validation split are returned as they are.

        Args:
            share: Share of the training split, in (0, 1).
            seed: Draws which samples are held out.

        Raises:
            UsageError: if nothing would be left on one of the sides.
        """
        if self.validation is not None:
            return self
        kept, held = stratified(self.train.labels, share, seed)
        if not 0 < share < 1 or not len(kept) or not len(held):
            raise UsageError(
                f"validation share must leave samples on both sides, got {share} of {len(self.train)}; try 0.1"
            )
        return replace(self, train=self.train.subset(kept), validation=self.train.subset(held))

    def limit_labels(self, per_class: int, seed: int = 0) -> "Data":
        """Return the data with as many training samples of each class; with one seed more labels contain fewer.

        Args:
            per_class: Samples of each class, at least 1.
            seed: Draws which ones stay.

        Raises:
            UsageError: if a class has fewer samples.
        """
        shuffled, place = _shuffled_by_class(self.train.labels, seed)
        fewest = int(self.train.labels.cpu().bincount(minlength=self.num_classes).min())
        if fewest == 0:
            empty = int(self.train.labels.cpu().bincount(minlength=self.num_classes).argmin())
            which = self.classes[empty] if self.classes else f"number {empty}"
            raise UsageError(
                f"every class must have samples to train on for labels_per_class, got none of class {which}; take this "
                f"class out of the data"
            )
        if not 1 <= per_class <= fewest:
            raise UsageError(
                f"labels_per_class must be at least 1 and no more than the smallest class has, {fewest}, "
                f"got labels_per_class={per_class}; choose a number in between"
            )
        return replace(self, train=self.train.subset(shuffled[place < per_class].sort().values))


def stratified(labels: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return the indices that stay and those that are taken out: the share of every class, drawn by the seed."""
    shuffled, place = _shuffled_by_class(labels, seed)
    counts = labels.cpu().bincount()
    out = place < (counts * share).round().long().repeat_interleave(counts)
    return shuffled[~out].sort().values, shuffled[out].sort().values


def _shuffled_by_class(labels: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Return all indices class by class, each class in random order, and the place of each within its class."""
    generator = torch.Generator().manual_seed(seed % 2**63)  # torch takes 64 bits
    shuffled = torch.randperm(len(labels), generator=generator)
    shuffled = shuffled[labels.cpu()[shuffled].argsort(stable=True)]
    counts = labels.cpu().bincount()
    starts = counts.cumsum(0) - counts
    return shuffled, torch.arange(len(labels)) - starts.repeat_interleave(counts)
