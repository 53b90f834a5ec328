"""How an image is cut into blocks and cells, whatever its size."""

from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from multimix.shapes import to_device, widest


@dataclass(frozen=True)
class Axis:
    """One spatial axis, cut into blocks, and each block into as many cells.

    Blocks are balanced: their sizes differ by at most one, block i starts at `floor(i * size / blocks)`. So are the
    cells within a block.

    Attributes:
        size: number of positions.
        blocks: number of blocks, at most `size`.
        cells: number of cells per block.
    """

    size: int
    blocks: int
    cells: int = 1

    def edges(self) -> list[int]:
        """Where each cell starts, and the end of the last."""
        starts = [i * self.size // self.blocks for i in range(self.blocks + 1)]
        return [a + c * (b - a) // self.cells for a, b in pairwise(starts) for c in range(self.cells)] + [self.size]

    def divided(self, cell_size: int) -> "Axis":
        """Return the same blocks, in cells of about `cell_size` positions: exactly that where it divides the block."""
        smallest = self.size // self.blocks
        return Axis(self.size, self.blocks, max(1, smallest // min(cell_size, smallest)))

    @property
    def total(self) -> int:
        """Number of cells."""
        return self.blocks * self.cells

    @property
    def even(self) -> bool:
        """Whether all cells have one size."""
        return self.size % self.total == 0


@lru_cache(maxsize=64)
def cell_sizes(axes: tuple[Axis, ...]) -> Int64[np.ndarray, "cells"]:
    """Return the number of positions in each cell, in reading order; not to be written to."""
    sizes = reduce(np.multiply.outer, (np.diff(axis.edges()) for axis in axes)).ravel()
    sizes.flags.writeable = False
    return sizes


@lru_cache(maxsize=4)
def cell_numbers(axes: tuple[Axis, ...], device: torch.device) -> Int64[Tensor, "positions"]:
    """Return the cell that each position lies in, both in reading order; it stays on the device."""
    numbers = np.zeros((), dtype=np.int64)
    for axis in axes:
        cell = np.repeat(np.arange(axis.total), np.diff(axis.edges()))
        numbers = numbers[..., None] * axis.total + cell
    with torch.inference_mode(False):
        return to_device(torch.from_numpy(numbers.ravel()), device)


def cell_areas(rows: Axis, columns: Axis) -> Float[Tensor, "h w"]:
    """Return the share of the image's positions in each cell; they sum to 1."""
    heights, widths = (torch.tensor(axis.edges(), dtype=torch.float64, device="cpu").diff() for axis in (rows, columns))
    return torch.outer(heights, widths) / (rows.size * columns.size)


def as_images(x: Tensor) -> Float[Tensor, "B C H W"]:
    """(B, L), (B, C, L) and (B, C, H, W) alike: a series is an image of one row."""
    return x[:, None, None] if x.ndim == 2 else x[:, :, None] if x.ndim == 3 else x


def cut(spatial: tuple[int, ...], n: int) -> tuple[Axis, Axis]:
    """Return a grid of n x n blocks, or of 1 x n on a series."""
    height, width = (1, *spatial)[-2:]
    return Axis(height, min(n, height) if len(spatial) == 2 else 1), Axis(width, n)


@lru_cache(maxsize=256)
def cell_edges(axis: Axis, device: torch.device) -> Int64[Tensor, "cells1"]:
    """`axis.edges()` as a tensor, which stays on the device: nothing is copied in a later step."""
    with torch.inference_mode(False):
        return to_device(torch.tensor(axis.edges(), dtype=torch.int64, device="cpu"), device)


@lru_cache(maxsize=256)
def cell_counts(rows: Axis, columns: Axis, device: torch.device) -> Float[Tensor, "cells"]:
    """Return the number of positions in each cell, in reading order: on the device, where it stays."""
    sizes = cell_sizes((rows, columns))
    with torch.inference_mode(False):
        return to_device(torch.from_numpy(sizes.astype(np.float64)).to(widest(device)), device)


def cell_of(edges: Int64[Tensor, "cells1"], size: int) -> Int64[Tensor, "size"]:
    """Return the cell that each of the positions up to `size` lies in."""
    return torch.bucketize(torch.arange(size, device=edges.device), edges[1:], right=True)
