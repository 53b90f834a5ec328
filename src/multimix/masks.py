"""What a mix keeps of its sample: the kinds of mask a method may return."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Float32, Int16, Int32, Int64, UInt8
from torch import Tensor

from multimix.precision import widest
from multimix.puzzle.blocks import cell_of

LEVELS = 255  # mixes that the levels of `Ordered` count in a byte; more take two


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

    def weight(self) -> Float32[Tensor, "K P"]:
        """Mean of the mask: the label weight."""
        return self.share

    def select(self, pairs: Int64[Tensor, "P2"]) -> "Constant":
        """The masks of these pairs."""
        return replace(self, share=self.share[:, pairs])


@dataclass(frozen=True)
class Everything:
    """Everything is kept: no mixing.

    Attributes:
        share: ones.
    """

    share: Float32[Tensor, "1 P"]
    spatial: ClassVar[None] = None

    def weight(self) -> Float32[Tensor, "1 P"]:
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
        spatial: the sizes of the images' spatial axes.
    """

    low: Int64[Tensor, "K P d"]
    high: Int64[Tensor, "K P d"]
    spatial: tuple[int, ...]

    @property
    def axes(self) -> int:
        """Number of spatial axes."""
        return self.low.shape[-1]

    def weight(self) -> Float32[Tensor, "K P"]:
        """Mean of the mask over the positions: the label weight, rounded once."""
        positions = math.prod(self.spatial)
        kept = positions - (self.high - self.low).prod(-1)
        return (kept.to(widest(kept.device)) / positions).float()

    def inside(self) -> Bool[Tensor, "K P *spatial"]:
        """The boxes as boolean images, True inside."""
        inside = torch.ones((), dtype=torch.bool, device=self.low.device)
        for axis, size in enumerate(self.spatial):
            position = torch.arange(size, device=self.low.device)
            low, high = self.low[..., axis, None], self.high[..., axis, None]
            along = (position >= low) & (position < high)
            shape = [*along.shape[:2], *(size if a == axis else 1 for a in range(self.axes))]
            inside = inside & along.reshape(shape)
        return inside

    def select(self, pairs: Int64[Tensor, "P2"]) -> "Boxes":
        """The masks of these pairs."""
        return Boxes(self.low[:, pairs], self.high[:, pairs], self.spatial)


@dataclass(frozen=True)
class Resized:
    """Positions inside a box show the whole partner, resized to the box; all others are the sample's.

    Each position takes the value of the partner's position that its middle lies in, so nothing is averaged.

    Attributes:
        boxes: where the partner is pasted.
    """

    boxes: Boxes

    @property
    def axes(self) -> int:
        """Number of spatial axes."""
        return self.boxes.axes

    @property
    def spatial(self) -> tuple[int, ...]:
        """The sizes of the images' spatial axes."""
        return self.boxes.spatial

    def weight(self) -> Float32[Tensor, "K P"]:
        """Mean of the mask over the positions: the label weight, rounded once."""
        return self.boxes.weight()

    def shown(self, k: int) -> Int64[Tensor, "P N"]:
        """The partner's position, in reading order, at each position of the box; anything outside of it."""
        flat = torch.zeros((), dtype=torch.int64, device=self.boxes.low.device)
        for axis, size in enumerate(self.spatial):
            low, high = self.boxes.low[k, :, axis, None], self.boxes.high[k, :, axis, None]
            step = torch.arange(size, device=low.device) - low
            there = (2 * step + 1) * size // (2 * (high - low).clamp_min(1))
            shape = [len(low), *(size if a == axis else 1 for a in range(self.axes))]
            flat = flat * size + there.clamp(0, size - 1).reshape(shape)
        return flat.flatten(1)

    def select(self, pairs: Int64[Tensor, "P2"]) -> "Resized":
        """The masks of these pairs."""
        return Resized(self.boxes.select(pairs))


@dataclass(frozen=True)
class Ordered:
    """Positions leave one after the other: the first mix keeps most of them, and none comes back.

    Attributes:
        level: how many of the K mixes keep each position: mix k keeps those of a level above k.
        kept: how many positions each mix keeps.
    """

    level: UInt8[Tensor, "P *spatial"] | Int16[Tensor, "P *spatial"]
    kept: Int64[Tensor, "K P"]

    @property
    def axes(self) -> int:
        """Number of spatial axes."""
        return self.level.ndim - 1

    @property
    def spatial(self) -> tuple[int, ...]:
        """The sizes of the images' spatial axes."""
        return tuple(self.level.shape[1:])

    def weight(self) -> Float32[Tensor, "K P"]:
        """Mean of the mask over the positions: the label weight, rounded once."""
        return (self.kept.to(widest(self.kept.device)) / math.prod(self.spatial)).float()

    def keeps(self) -> Bool[Tensor, "K P *spatial"]:
        """The masks as boolean images, True where the sample is kept."""
        mix = torch.arange(self.kept.shape[0], device=self.level.device)
        return self.level > mix.reshape(-1, *[1] * self.level.ndim)

    def select(self, pairs: Int64[Tensor, "P2"]) -> "Ordered":
        """The masks of these pairs."""
        return Ordered(self.level[pairs], self.kept[:, pairs])


@dataclass(frozen=True)
class Bump:
    """The partner shows through a bump, strongest in its middle: a product of one factor per spatial axis.

    Attributes:
        factors: what each position of an axis contributes to the partner's share, in [0, 1].
        ends: whether the partner's share may be exactly 0, and exactly 1, somewhere: as for `Constant`.
    """

    factors: tuple[Float32[Tensor, "K P _"], ...]
    ends: tuple[bool, bool] = (True, True)

    @property
    def axes(self) -> int:
        """Number of spatial axes."""
        return len(self.factors)

    @property
    def spatial(self) -> tuple[int, ...]:
        """The sizes of the images' spatial axes."""
        return tuple(factor.shape[2] for factor in self.factors)

    def weight(self) -> Float32[Tensor, "K P"]:
        """Mean of the mask over the positions: the label weight. A product's mean is the product of the means."""
        wide = widest(self.factors[0].device)
        share = torch.ones((), dtype=wide, device=self.factors[0].device)
        for factor in self.factors:
            share = share * factor.to(wide).mean(-1)
        return (1 - share).float()

    def share(self, dtype: torch.dtype) -> Float[Tensor, "K P *spatial"]:
        """The partner's share, position by position."""
        share = torch.ones((), dtype=dtype, device=self.factors[0].device)
        for axis, factor in enumerate(self.factors):
            shape = [*factor.shape[:2], *(factor.shape[2] if a == axis else 1 for a in range(self.axes))]
            share = share * factor.to(dtype).reshape(shape)
        return share

    def select(self, pairs: Int64[Tensor, "P2"]) -> "Bump":
        """The masks of these pairs."""
        return replace(self, factors=tuple(factor[:, pairs] for factor in self.factors))


@dataclass(frozen=True)
class Blocks:
    """Every block keeps a share of the sample, and may take its pixels from another place of the same image.

    Attributes:
        kept: the share of the sample in each block, as an integer from 0 to `whole`.
        whole: what `kept` is where all of a block is the sample's.
        rows: where the cells start that the image is cut into downwards, and the last end. Each block of the mask
            holds the same number of cells.
        columns: the same, across.
        source: the cell whose pixels are shown in each cell, of the sample (0) and of the partner (1); None: no cell
            moves. A cell that is one position shorter than where it goes repeats its last row or column.
        spatial: the sizes of the images' spatial axes: two, or one for a series, which is an image of one row.
    """

    kept: UInt8[Tensor, "K P h w"]
    whole: int
    rows: Int64[Tensor, "cells_down_1"]
    columns: Int64[Tensor, "cells_across_1"]
    source: Int32[Tensor, "K P 2 cells"] | None
    spatial: tuple[int, ...]

    @property
    def axes(self) -> int:
        """Number of spatial axes."""
        return len(self.spatial)

    @property
    def cells(self) -> tuple[int, int]:
        """Number of cells downwards and across."""
        return self.rows.shape[0] - 1, self.columns.shape[0] - 1

    @property
    def per_block(self) -> tuple[int, int]:
        """Number of cells in a block, downwards and across."""
        return self.cells[0] // self.kept.shape[2], self.cells[1] // self.kept.shape[3]

    def weight(self) -> Float32[Tensor, "K P"]:
        """Mean of the mask over the positions: the label weight, rounded once."""
        heights, widths = (
            edges[::n].diff() for edges, n in zip((self.rows, self.columns), self.per_block, strict=True)
        )
        wide = widest(self.kept.device)
        areas = (heights[:, None] * widths).flatten().to(wide)  # integers: the sum is exact
        return (self.kept.flatten(2).to(wide) @ areas / (self.whole * math.prod(self.spatial))).float()

    def select(self, pairs: Int64[Tensor, "P2"]) -> "Blocks":
        """The masks of these pairs."""
        source = None if self.source is None else self.source[:, pairs]
        return replace(self, kept=self.kept[:, pairs], source=source)

    def share(self) -> UInt8[Tensor, "K P H W"]:
        """`kept`, position by position; a series is an image of one row."""
        height, width = (1, *self.spatial)[-2:]
        down, across = (n // per for n, per in zip(self._cell_of(height, width), self.per_block, strict=True))
        return self.kept[:, :, down[:, None], across]

    def shown(self, k: int, which: int) -> Int64[Tensor, "P HW"] | None:
        """The position, in reading order, shown at each position of the sample (0) or partner (1); None: itself."""
        if self.source is None:
            return None
        height, width = (1, *self.spatial)[-2:]
        down, across = self._cell_of(height, width)
        wide = self.cells[1]
        source = self.source[k, :, which].long()[:, (down[:, None] * wide + across).flatten()]
        y_offset = (torch.arange(height, device=down.device) - self.rows[down]).repeat_interleave(width)
        x_offset = (torch.arange(width, device=down.device) - self.columns[across]).repeat(height)
        y = _position(self.rows, source // wide, y_offset)
        return y * width + _position(self.columns, source % wide, x_offset)

    def _cell_of(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        return cell_of(self.rows, height), cell_of(self.columns, width)


def _position(edges: Tensor, cell: Int64[Tensor, "P HW"], offset: Int64[Tensor, "HW"]) -> Int64[Tensor, "P HW"]:
    return torch.minimum(edges[cell] + offset, edges[cell + 1] - 1)


Mask = Everything | Constant | Boxes | Resized | Ordered | Bump | Blocks
