"""Blocks of either image, or of both, that may come from elsewhere: Puzzle Mix."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Float32, Int32, Int64, UInt8
from torch import Tensor

from multimix.grid import cell_of
from multimix.masks.mask import lerp
from multimix.shapes import widest


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
    def averages(self) -> bool:
        """Whether a block may hold a part of each image."""
        return self.whole > 1

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
        areas = (heights[:, None] * widths).flatten().to(wide)
        return kept_blocks(self.kept, areas, self.whole * math.prod(self.spatial))

    def select(self, pairs: Int64[Tensor, "P2"]) -> "Blocks":
        """Return the masks of these pairs."""
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

    def blend(self, x: Tensor, sample: Tensor | None, partner: Tensor, out: Tensor | None = None) -> Tensor:
        """Return the mixed rows, one mix at a time: positions to look up take the memory of a mix, not of all K."""
        flat = x.flatten(2) if x.ndim > 2 else x[:, None]
        share = self.share().flatten(2).unsqueeze(2)
        mixes = []
        for k in range(len(share)):
            own = flat if sample is None else flat[sample]
            other = flat[partner[k] if partner.ndim == 2 else partner]
            own, other = self._moved(own, k, 0), self._moved(other, k, 1)
            if self.averages:
                mixed = lerp(other, own, share[k] / self.whole, (True, True))
            else:
                mixed = torch.where(share[k] == 1, own, other)
            mixes.append(mixed if out is None else out[k].copy_(mixed.view_as(out[k])))
        return torch.stack(mixes).view(*share.shape[:2], *x.shape[1:]) if out is None else out

    def _moved(self, side: Tensor, k: int, which: int) -> Tensor:
        """Return the sample (0) or the partner (1) as mix k shows it, its positions in reading order."""
        shown = self.shown(k, which)
        return side if shown is None else side.gather(2, shown[:, None].expand_as(side))

    def _cell_of(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        return cell_of(self.rows, height), cell_of(self.columns, width)


def kept_blocks(kept: UInt8[Tensor, "K P h w"], areas: Float[Tensor, "blocks"], whole: int) -> Float32[Tensor, "K P"]:
    """Return the weights of masks of blocks of so many positions: sums of integers, which are exact, rounded once.

    Args:
        kept: as in `Blocks`.
        areas: positions of each block, in reading order, in the widest type.
        whole: the sum where everything is the sample's.
    """
    return (kept.flatten(2).to(areas.dtype) @ areas / whole).float()


def _position(edges: Tensor, cell: Int64[Tensor, "P HW"], offset: Int64[Tensor, "HW"]) -> Int64[Tensor, "P HW"]:
    return torch.minimum(edges[cell] + offset, edges[cell + 1] - 1)
