"""A split that lives on the device: small sets, kept as bytes and made ready batch by batch where they are used."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from multimix.lab.core.randomness import seed_of
from multimix.lab.data.augment import FlipCrop
from multimix.lab.data.order import SampleOrder
from multimix.lab.data.prepare import Pixels
from multimix.lab.data.split import Batch


def as_is(x: Tensor) -> Tensor:
    """Returns samples that were made ready when they were loaded."""
    return x


@dataclass(frozen=True)
class HeldSplit:
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

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def pixels(self) -> Pixels | None:
        """How pixels become what the model gets, if the samples are images."""
        return self.prepare if isinstance(self.prepare, Pixels) else None

    @property
    def sample_shape(self) -> torch.Size:
        """The shape of one sample as a model gets it."""
        return self.prepare(self.x[:1]).shape[1:]

    def to(self, device: torch.device) -> "HeldSplit":
        """Returns the same split on a device."""
        return replace(self, x=self.x.to(device), labels=self.labels.to(device))

    def subset(self, indices: Tensor) -> "HeldSplit":
        """Returns the samples with these indices."""
        chosen = indices.to(self.x.device)
        boxes = None if self.boxes is None else self.boxes[indices.to(self.boxes.device)]
        return replace(self, x=self.x[chosen], labels=self.labels[chosen], boxes=boxes)

    def batches(self, order: SampleOrder, steps: range, rank: int = 0, world: int = 1) -> Iterator[Batch]:
        """Yields the batch of each step, augmented."""
        for step in steps:
            rows = order.rows(step, rank, world)
            chosen = order.at(step)[rows].to(self.x.device, non_blocking=True)
            x = self.x[chosen]
            if self.augment is not None:
                moves = self.augment.draw(order.batch_at(step), seed_of(order.seed, "augment", step))
                x = self.augment.apply(x, moves[rows])
            yield self.prepare(x), self.labels[chosen]

    def chunks(self, rows: int) -> Iterator[Batch]:
        """Yields all samples once, in order and as they are."""
        for x, labels in zip(torch.split(self.x, rows), torch.split(self.labels, rows), strict=True):
            yield self.prepare(x), labels
