"""What every kind of mask can do, and the arithmetic that their blends share."""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float32, Int64
from torch import Tensor


@runtime_checkable
class Mask(Protocol):
    """What K mixes keep of each pair's sample.

    A kind is a frozen dataclass in a file of its own: its fields, and the four parts below.
    """

    @property
    def spatial(self) -> tuple[int, ...] | None:
        """The sizes of the images' spatial axes; None: the mask fits every size."""

    @property
    def averages(self) -> bool:
        """Whether values of both images are averaged, so that x must be floating point."""

    def weight(self) -> Float32[Tensor, "K P"]:
        """Mean of the mask over the positions: the label weight. One column where all pairs share it."""

    def select(self, pairs: Int64[Tensor, "P2"]) -> "Mask":
        """Return the masks of these pairs."""

    def blend(self, x: Tensor, sample: Tensor | None, partner: Tensor, out: Tensor | None = None) -> Tensor:
        """Return the mixed rows in PyTorch's own operations: on every device, differentiable, traceable.

        Args:
            x: the batch, B rows.
            sample: the row each pair keeps, (P,); None: pair i keeps row i.
            partner: the row it mixes with, (P,), or (K, P) with a partner for each mix.
            out: a (K, P, ...) buffer to fill. None: a new tensor.

        Returns:
            (K, P, ...), of x's type.
        """


def samples(x: Tensor, sample: Tensor | None) -> Tensor:
    """Return the rows that pairs keep, (1, P, ...)."""
    return (x if sample is None else x[sample])[None]


def partners(x: Tensor, partner: Tensor) -> Tensor:
    """Return the rows that pairs mix with, (1, P, ...) or (K, P, ...)."""
    return x[partner] if partner.ndim == 2 else x[partner][None]


def over_channels(positions: Tensor, x: Tensor) -> Tensor:
    """Return a (K, P, *spatial) tensor, with an axis for the channels where x has one."""
    return positions.unsqueeze(2) if x.ndim > 2 else positions


def lerp(start: Tensor, end: Tensor, share: Tensor, ends: tuple[bool, bool], out: Tensor | None = None) -> Tensor:
    """`(1 - share) * start + share * end`; at a share of 0 or 1 a copy of the one, whatever the other holds.

    Args:
        start: values, of any floating-point or complex type. What is narrower than float32 is computed there.
        end: values.
        share: in [0, 1], at least float32: in bfloat16 it would differ from the label's.
        ends: whether a share may be exactly 0, and exactly 1; each costs another pass.
        out: a buffer to fill.
    """
    if start.is_complex():
        into = None if out is None else torch.view_as_real(out)
        mixed = lerp(torch.view_as_real(start), torch.view_as_real(end), share[..., None], ends, into)
        return torch.view_as_complex(mixed) if out is None else out
    if start.dtype.itemsize < 4:
        mixed = torch.lerp(start.float(), end.float(), share).to(start.dtype)
        mixed = mixed if out is None else out.copy_(mixed)
    else:
        mixed = torch.lerp(start, end, share.to(start.dtype), out=out)
    if torch.compiler.is_compiling() or (start.is_cuda and torch.cuda.is_current_stream_capturing()):
        ends = (
            True,
            True,
        )  # passes are fused there, flags that change would compile anew; a graph is replayed by others
    for may_be, value, copied in zip(ends, (0, 1), (start, end), strict=True):
        if may_be:
            mixed = torch.where(share == value, copied, mixed, out=out)
    return mixed
