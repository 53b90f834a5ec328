"""A split that is held on the device: small sets, kept as bytes and made ready batch by batch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from multimix.lab.data.augment import FlipCrop
from multimix.lab.data.order import SampleOrder
from multimix.lab.data.prepare import as_is
from multimix.lab.data.split import Batch, Split


@dataclass(frozen=True)
class HeldSplit(Split):
    """Samples and their labels, held on one device.

    Args:
        x: Samples as stored, (N, channels, ...); images as bytes.
        labels: Class of each sample, (N,) int64.
        prepare: Makes a batch of them ready for the model; where they are, so only bytes are kept and moved.
        augment: Moves the images of a training batch, before they are made ready.
        boxes: Where the object is, (N, 4), as shares of width and height.
    """

    x: Tensor
    labels: Tensor
    prepare: Callable[[Tensor], Tensor] = as_is
    augment: FlipCrop | None = None
    boxes: Tensor | None = None

    @property
    def sample_shape(self) -> torch.Size:
        """The shape of one sample as a model gets it."""
        return self.prepare(self.x[:1]).shape[1:]

    def to(self, device: torch.device) -> "HeldSplit":
        """Return the same split on a device."""
        return replace(self, x=self.x.to(device), labels=self.labels.to(device))

    def subset(self, indices: Tensor) -> "HeldSplit":
        """Return the samples with these indices."""
        chosen = indices.to(self.x.device)
        boxes = None if self.boxes is None else self.boxes[indices.to(self.boxes.device)]
        return replace(self, x=self.x[chosen], labels=self.labels[chosen], boxes=boxes)

    def batches(self, order: SampleOrder, steps: range, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """Yield the batch of each step, augmented."""
        for step in steps:
            rows = order.rows(step, rank, world)
            chosen = order.at(step)[rows].to(self.x.device, non_blocking=True)
            yield self.training_input(self.x[chosen], order, step, rows), self.labels[chosen]

    def chunks(self, rows: int) -> Iterator[Batch]:
        """Yield all samples once, in order and as they are."""
        for x, labels in zip(torch.split(self.x, rows), torch.split(self.labels, rows), strict=True):
            yield self.prepare(x), labels
