"""What a data set is to the lab: splits that give batches on a device, and the number of classes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from multimix.lab.data.bad_files import BadFile
from multimix.lab.data.order import SampleOrder
from multimix.lab.data.prepare import Pixels
from multimix.lab.errors import UsageError

Batch = tuple[Tensor, Tensor]  # samples, ready for the model, and their labels, on the split's device

# Which samples are held out is the same for every run: seeds vary the training, not the question.
HOLD_OUT_SEED = 0


class Split(Protocol):
    """Samples and their labels, held on a device (`HeldSplit`) or read as they are needed (`StreamedSplit`)."""

    @property
    def labels(self) -> Tensor:
        """Class of each sample, (N,) int64."""

    @property
    def boxes(self) -> Tensor | None:
        """Where the object is, (N, 4): left, top, right, bottom as shares of the sample's width and height; or None."""

    @property
    def pixels(self) -> Pixels | None:
        """How pixels in [0, 1] become what the model gets; None if the samples are no images."""

    @property
    def sample_shape(self) -> torch.Size:
        """The shape of one sample as a model gets it."""

    def __len__(self) -> int:
        """The number of samples."""

    def to(self, device: torch.device) -> "Split":
        """Returns the same split, its batches on a device."""

    def subset(self, indices: Tensor) -> "Split":
        """Returns the samples with these indices."""

    def batches(self, order: SampleOrder, steps: range, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """Yields the batch of each step, augmented, for training.

        What a step's batch holds depends on (order.seed, step) only. Of `world` processes, each gets its own part of
        the rows that one process alone would get.
        """

    def chunks(self, rows: int) -> Iterator[Batch]:
        """Yields all samples once, in order and as they are, at most `rows` at a time."""


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
        """Returns the same data on a device."""
        validation = None if self.validation is None else self.validation.to(device)
        return replace(self, train=self.train.to(device), test=self.test.to(device), validation=validation)

    def hold_out(self, share: float) -> "Data":
        """Returns the data with a validation split taken out of the training split, the same share of every class.

        Data that already have a validation split are returned as they are.

        Args:
            share: Share of the training split, in (0, 1).

        Raises:
            UsageError: if nothing would be left on one of the sides.
        """
        if self.validation is not None:
            return self
        kept, held = stratified(self.train.labels, share, HOLD_OUT_SEED)
        if not 0 < share < 1 or not len(kept) or not len(held):
            raise UsageError(
                f"validation share must leave samples on both sides, got {share} of {len(self.train)}; try 0.1"
            )
        return replace(self, train=self.train.subset(kept), validation=self.train.subset(held))


def stratified(labels: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Returns the indices that stay and those that are taken out: the share of every class, drawn by the seed."""
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(labels), generator=generator)
    shuffled = shuffled[labels.cpu()[shuffled].argsort(stable=True)]  # class by class, each in random order
    counts = labels.cpu().bincount()
    starts = counts.cumsum(0) - counts
    place = torch.arange(len(labels)) - starts.repeat_interleave(counts)
    out = place < (counts * share).round().long().repeat_interleave(counts)
    return shuffled[~out].sort().values, shuffled[out].sort().values
