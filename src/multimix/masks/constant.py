"""The same share of every position: input and manifold mixup; or everything: no mixing."""

from dataclasses import dataclass, replace
from typing import ClassVar

from jaxtyping import Float32, Int64
from torch import Tensor

from multimix.masks.mask import lerp, partners, samples


@dataclass(frozen=True)
class Constant:
    """Every position keeps the same share.

    Attributes:
        share: what is kept of the sample, in [0, 1].
        ends: whether a share may be exactly 0, and exactly 1: images are copied there, at the cost of passes over them.
    """

    share: Float32[Tensor, "K P"]
    ends: tuple[bool, bool] = (True, True)
    spatial: ClassVar[None] = None
    averages: ClassVar[bool] = True

    def weight(self) -> Float32[Tensor, "K P"]:
        """Mean of the mask: the label weight."""
        return self.share

    def select(self, pairs: Int64[Tensor, "P2"]) -> "Constant":
        """Return the masks of these pairs."""
        return replace(self, share=self.share[:, pairs])

    def blend(self, x: Tensor, sample: Tensor | None, partner: Tensor, out: Tensor | None = None) -> Tensor:
        """Return the mixed rows: see `Mask.blend`."""
        share = self.share.reshape(*self.share.shape, *[1] * (x.ndim - 1))
        return lerp(partners(x, partner), samples(x, sample), share, self.ends, out)


@dataclass(frozen=True)
class Everything:
    """Everything is kept: no mixing.

    Attributes:
        share: ones.
    """

    share: Float32[Tensor, "1 P"]
    spatial: ClassVar[None] = None
    averages: ClassVar[bool] = False

    def weight(self) -> Float32[Tensor, "1 P"]:
        """Return the label weight: one."""
        return self.share

    def select(self, pairs: Int64[Tensor, "P2"]) -> "Everything":
        """Return the masks of these pairs."""
        return Everything(self.share[:, pairs])

    def blend(self, x: Tensor, sample: Tensor | None, partner: Tensor, out: Tensor | None = None) -> Tensor:
        """Return the samples themselves: see `Mask.blend`."""
        own = samples(x, sample)
        return own.clone() if out is None else out.copy_(own)
