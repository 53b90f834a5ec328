"""An order in which positions leave: FMix and GridMix."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float32, Int16, Int64, UInt8
from torch import Tensor

from multimix.masks.mask import over_channels, partners, samples
from multimix.shapes import widest

LEVELS = 255  # mixes that the levels of `Ordered` count in a byte; more take two


@dataclass(frozen=True)
class Ordered:
    """Positions leave one after the other: the first mix keeps most of them, and none comes back.

    Attributes:
        level: how many of the K mixes keep each position: mix k keeps those of a level above k.
        kept: how many positions each mix keeps.
    """

    level: UInt8[Tensor, "P *spatial"] | Int16[Tensor, "P *spatial"]
    kept: Int64[Tensor, "K P"]
    averages: ClassVar[bool] = False

    @property
    def spatial(self) -> tuple[int, ...]:
        """The sizes of the images' spatial axes."""
        return tuple(self.level.shape[1:])

    def weight(self) -> Float32[Tensor, "K P"]:
        """Mean of the mask over the positions: the label weight, rounded once."""
        positions = torch.tensor(math.prod(self.spatial), dtype=widest(self.kept.device), device="cpu")
        return torch.div(self.kept, positions, out=torch.empty_like(self.kept, dtype=torch.float32))

    def keeps(self) -> Bool[Tensor, "K P *spatial"]:
        """Return the masks as boolean images, True where the sample is kept."""
        mix = torch.arange(self.kept.shape[0], device=self.level.device)
        return self.level > mix.reshape(-1, *[1] * self.level.ndim)

    def select(self, pairs: Int64[Tensor, "P2"]) -> "Ordered":
        """Return the masks of these pairs."""
        return Ordered(self.level[pairs], self.kept[:, pairs])

    def blend(self, x: Tensor, sample: Tensor | None, partner: Tensor, out: Tensor | None = None) -> Tensor:
        """Return the mixed rows: see `Mask.blend`."""
        keeps = over_channels(self.keeps(), x)
        return torch.where(keeps, samples(x, sample), partners(x, partner), out=out)
