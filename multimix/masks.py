"""What a mix keeps of its sample: the kinds of mask a method may return."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float32, Int32, Int64, UInt8
from torch import Tensor

from multimix.puzzle.blocks import Axis, as_images, cell_areas, cell_edges, cell_of


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


@dataclass(frozen=True)
class Blocks:
    """Every block keeps a share of the sample, and may take its pixels from another place of the same image.

    Attributes:
        kept: the share of the sample in each block, as an integer from 0 to `whole`.
        whole: what `kept` is where all of a block is the sample's.
        rows: how the image's rows are cut into the mask's blocks, and these into the cells that move.
        columns: the same for its columns.
        source: the cell whose pixels are shown in each cell, of the sample (0) and of the partner (1); None: no cell
            moves. A cell that is one position shorter than where it goes repeats its last row or column.
    """

    kept: UInt8[Tensor, "K P h w"]
    whole: int
    rows: Axis
    columns: Axis
    source: Int32[Tensor, "K P 2 cells"] | None

    def weight(self, spatial: Sequence[int]) -> Float32[Tensor, "K P"]:
        """Mean of the mask over the positions of an image: the label weight, rounded once."""
        areas = cell_areas(Axis(self.rows.size, self.rows.blocks), Axis(self.columns.size, self.columns.blocks))
        areas = areas.to(self.kept.device, non_blocking=True)
        return ((self.kept * areas).sum((2, 3)) / self.whole).clamp(max=1).float()

    def select(self, pairs: Int64[Tensor, "P2"]) -> "Blocks":
        """The masks of these pairs."""
        source = None if self.source is None else self.source[:, pairs]
        return replace(self, kept=self.kept[:, pairs], source=source)

    def image(self) -> Float32[Tensor, "K P H W"]:
        """The mask, position by position."""
        share = self.kept / self.whole
        for axis, cut in ((2, self.rows), (3, self.columns)):
            share = share.index_select(axis, cell_of(Axis(cut.size, cut.blocks), share.device))
        return share

    def moved(self, x: Tensor, rows: Tensor, k: int, which: int) -> Tensor:
        """Images `x[rows]` as mix k shows them, cells moved; `which`: 0 as samples, 1 as partners."""
        images = as_images(x)[rows]
        if self.source is None:
            return images
        place = self.source[k, :, which].long().unflatten(1, (self.rows.total, self.columns.total))
        device = x.device
        r, c = cell_of(self.rows, device), cell_of(self.columns, device)
        shown = place[:, r[:, None], c]
        y = _position(self.rows, shown // self.columns.total, r[:, None])
        index = y * self.columns.size + _position(self.columns, shown % self.columns.total, c)
        flat = index.flatten(1)[:, None].expand(-1, images.shape[1], -1)
        return images.flatten(2).gather(2, flat).view_as(images)


def _position(axis: Axis, cell: Int64[Tensor, "P H W"], goal: Tensor) -> Int64[Tensor, "P H W"]:
    """The position in `cell` that is shown at each position of the axis, which lies in the cell `goal`."""
    edges = cell_edges(axis).to(cell.device)
    offset = torch.arange(axis.size, device=cell.device).reshape(goal.shape) - edges[goal]
    return torch.minimum(edges[cell] + offset, edges[cell + 1] - 1)


Mask = Everything | Constant | Boxes | Blocks
