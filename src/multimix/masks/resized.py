"""The whole partner in a box, made smaller: ResizeMix."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from multimix.masks.boxes import Boxes


@dataclass(frozen=True)
class Resized:
    """Positions inside a box show the whole partner, resized to the box; all others are the sample's.

    Each position takes the value of the partner's position that its middle lies in, so nothing is averaged.

    Attributes:
        boxes: where the partner is pasted.
    """

    boxes: Boxes
    averages: ClassVar[bool] = False

    @property
    def spatial(self) -> tuple[int, ...]:
        """The sizes of the images' spatial axes."""
        return self.boxes.spatial

    def weight(self) -> Float32[Tensor, "K P"]:
        """Mean of the mask over the positions: the label weight, rounded once."""
        return self.boxes.weight()

    def shown(self, k: int) -> Int64[Tensor, "P N"]:
        """Return the partner's position, in reading order, at each position of the box; anything outside of it."""
        flat = torch.zeros((), dtype=torch.int64, device=self.boxes.low.device)
        for axis, size in enumerate(self.spatial):
            low, high = self.boxes.low[k, :, axis, None], self.boxes.high[k, :, axis, None]
            step = torch.arange(size, device=low.device) - low
            there = (2 * step + 1) * size // (2 * (high - low).clamp_min(1))
            shape = [len(low), *(size if a == axis else 1 for a in range(len(self.spatial)))]
            flat = flat * size + there.clamp(0, size - 1).reshape(shape)
        return flat.flatten(1)

    def select(self, pairs: Int64[Tensor, "P2"]) -> "Resized":
        """Return the masks of these pairs."""
        return Resized(self.boxes.select(pairs))

    def blend(self, x: Tensor, sample: Tensor | None, partner: Tensor, out: Tensor | None = None) -> Tensor:
        """Return the mixed rows, one mix at a time: positions to look up take the memory of a mix, not of all K."""
        flat = x.flatten(2) if x.ndim > 2 else x[:, None]
        own = flat if sample is None else flat[sample]
        inside = self.boxes.inside().flatten(2).unsqueeze(2)
        mixes = []
        for k in range(len(inside)):
            other = flat[partner[k] if partner.ndim == 2 else partner]
            resized = other.gather(2, self.shown(k)[:, None].expand_as(other))
            mixed = torch.where(inside[k], resized, own)
            mixes.append(mixed if out is None else out[k].copy_(mixed.view_as(out[k])))
        return torch.stack(mixes).view(*inside.shape[:2], *x.shape[1:]) if out is None else out
