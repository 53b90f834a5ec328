"""A soft bump of the partner: SmoothMix."""

from dataclasses import dataclass, replace
from functools import reduce
from operator import mul
from typing import ClassVar

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from multimix.masks.mask import lerp, over_channels, partners, samples
from multimix.shapes import widest


@dataclass(frozen=True)
class Bump:
    """The partner shows through a bump, strongest in its middle: a product of one factor per spatial axis.

    Attributes:
        factors: what each position of an axis contributes to the partner's share, in [0, 1].
        ends: whether the partner's share may be exactly 0, and exactly 1, somewhere: as for `Constant`.
    """

    factors: tuple[Float32[Tensor, "K P _"], ...]
    ends: tuple[bool, bool] = (True, True)
    averages: ClassVar[bool] = True

    @property
    def spatial(self) -> tuple[int, ...]:
        """The sizes of the images' spatial axes."""
        return tuple(factor.shape[2] for factor in self.factors)

    def weight(self) -> Float32[Tensor, "K P"]:
        """Mean of the mask over the positions: the label weight. A product's mean is the product of the means."""
        wide = widest(self.factors[0].device)
        means = [factor.mean(-1, dtype=wide) for factor in self.factors]
        return (1 - reduce(mul, means)).float()

    def share(self, dtype: torch.dtype) -> Float[Tensor, "K P *spatial"]:
        """Return the partner's share, position by position."""
        share = torch.ones((), dtype=dtype, device=self.factors[0].device)
        for axis, factor in enumerate(self.factors):
            shape = [*factor.shape[:2], *(factor.shape[2] if a == axis else 1 for a in range(len(self.factors)))]
            share = share * factor.to(dtype).reshape(shape)
        return share

    def select(self, pairs: Int64[Tensor, "P2"]) -> "Bump":
        """Return the masks of these pairs."""
        return replace(self, factors=tuple(factor[:, pairs] for factor in self.factors))

    def blend(self, x: Tensor, sample: Tensor | None, partner: Tensor, out: Tensor | None = None) -> Tensor:
        """Return the mixed rows: see `Mask.blend`."""
        wide = x.dtype in (torch.float64, torch.complex128)
        share = self.share(torch.float64 if wide else torch.float32)
        return lerp(samples(x, sample), partners(x, partner), over_channels(share, x), self.ends, out)
