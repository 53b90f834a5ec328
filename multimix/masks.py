"""What a mix keeps of its sample: the kinds of mask a method may return."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor


@dataclass(frozen=True)
class Constant:
    """Every position keeps the same share.

    Attributes:
        share: what is kept of the sample, in [0, 1].
    """

    share: Float32[Tensor, "K P"]

    def weight(self, spatial: Sequence[int]) -> Float32[Tensor, "K P"]:
        """Mean of the mask over the positions of an image of this size: the label weight."""
        return self.share

    def select(self, pairs: Int64[Tensor, "P2"]) -> "Constant":
        """The masks of these pairs."""
        return Constant(self.share[:, pairs])


@dataclass(frozen=True)
class Everything:
    """Everything is kept: no mixing.

    Attributes:
        share: ones.
    """

    share: Float32[Tensor, "1 P"]

    def weight(self, spatial: Sequence[int]) -> Float32[Tensor, "1 P"]:
        """The label weight: one."""
        return self.share

    def select(self, pairs: Int64[Tensor, "P2"]) -> "Everything":
        """The masks of these pairs."""
        return Everything(self.share[:, pairs])


@dataclass(frozen=True)
class Boxes:
    """Positions inside a box come from the partner, all others from the sample.

    Attributes:
        low: first position inside, per spatial axis.
        high: one past the last position inside; `low == high` is an empty box.
    """

    low: Int64[Tensor, "K P d"]
    high: Int64[Tensor, "K P d"]

    def weight(self, spatial: Sequence[int]) -> Float32[Tensor, "K P"]:
        """Mean of the mask over the positions of an image of this size: the label weight, rounded once."""
        area = (self.high - self.low).prod(-1)
        return (1 - area.double() / math.prod(spatial)).float()

    def inside(self, spatial: Sequence[int]) -> Bool[Tensor, "K P *spatial"]:
        """The boxes as boolean images, True inside."""
        inside = torch.ones((), dtype=torch.bool, device=self.low.device)
        for axis, size in enumerate(spatial):
            position = torch.arange(size, device=self.low.device)
            low, high = self.low[..., axis, None], self.high[..., axis, None]
            along = (position >= low) & (position < high)
            shape = [*along.shape[:2], *(size if a == axis else 1 for a in range(len(spatial)))]
            inside = inside & along.reshape(shape)
        return inside

    def select(self, pairs: Int64[Tensor, "P2"]) -> "Boxes":
        """The masks of these pairs."""
        return Boxes(self.low[:, pairs], self.high[:, pairs])


Mask = Everything | Constant | Boxes
