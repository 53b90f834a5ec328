"""A box of the partner inside the sample: CutMix and SaliencyMix."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from multimix.masks.mask import over_channels, partners, samples
from multimix.shapes import widest


@dataclass(frozen=True)
class Boxes:
    """Positions inside a box come from the partner, all others from the sample.

    Attributes:
        low: first position inside, per spatial axis.
        high: one past the last position inside; `low == high` is an empty box.
        spatial: the sizes of the images' spatial axes.
    """

    low: Int64[Tensor, "K P d"]
    high: Int64[Tensor, "K P d"]
    spatial: tuple[int, ...]
    averages: ClassVar[bool] = False

    def weight(self) -> Float32[Tensor, "K P"]:
        """Mean of the mask over the positions: the label weight, rounded once."""
        positions = math.prod(self.spatial)
        kept = positions - (self.high - self.low).prod(-1)
        whole = torch.tensor(positions, dtype=widest(kept.device), device="cpu")
        return torch.div(kept, whole, out=torch.empty_like(kept, dtype=torch.float32))

    def inside(self) -> Bool[Tensor, "K P *spatial"]:
        """Return the boxes as boolean images, True inside."""
        inside = torch.ones((), dtype=torch.bool, device=self.low.device)
        for axis, size in enumerate(self.spatial):
            position = torch.arange(size, device=self.low.device)
            low, high = self.low[..., axis, None], self.high[..., axis, None]
            along = (position >= low) & (position < high)
            shape = [*along.shape[:2], *(size if a == axis else 1 for a in range(len(self.spatial)))]
            inside = inside & along.reshape(shape)
        return inside

    def select(self, pairs: Int64[Tensor, "P2"]) -> "Boxes":
        """Return the masks of these pairs."""
        return Boxes(self.low[:, pairs], self.high[:, pairs], self.spatial)

    def blend(self, x: Tensor, sample: Tensor | None, partner: Tensor, out: Tensor | None = None) -> Tensor:
        """Return the mixed rows: see `Mask.blend`."""
        inside = over_channels(self.inside(), x)
        return torch.where(inside, partners(x, partner), samples(x, sample), out=out)


def kept_shares(
    low: Int64[np.ndarray, "K P d"], high: Int64[np.ndarray, "K P d"], spatial: tuple[int, ...]
) -> Float32[np.ndarray, "K P"]:
    """Return the weights of such boxes: on the host they cost no launches.

    Below 2**24 positions a quotient is never so near the middle of two float32 that rounding it to float64 first
    matters; it is the same to the bit as `Boxes.weight`.
    """
    positions = math.prod(spatial)
    share: np.ndarray = ((positions - (high - low).prod(-1)) / positions).astype(np.float32)
    return share
