"""Means over the cells of images, and the share of their saliency in each cell."""

import math
from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from multimix.grid import Axis
from multimix.kernels.triton.cells import cells_from, next_power, quotient, sums
from multimix.kernels.triton.launch import launch

LANES = 1024  # positions that a program looks at at once
MOST_CELLS = 256  # at once

SIZES = ("row_size", "row_blocks", "row_cells", "column_size", "column_blocks", "column_cells", "positions")


@no_type_check
@triton.jit(do_not_specialize=SIZES)
def pool_saliency(
    saliency,
    share,
    image_stride,
    row_stride,
    column_stride,
    row_size,
    row_blocks,
    row_cells,
    column_size,
    column_blocks,
    column_cells,
    positions,
    EVEN: tl.constexpr,
    CELLS: tl.constexpr,
    SUB: tl.constexpr,
):
    """Fill `share[image]`; uniform where an image has no saliency, or one that is not finite."""
    image = tl.program_id(0).to(tl.int64)
    rows, columns = (row_size, row_blocks, row_cells), (column_size, column_blocks, column_cells)
    count = row_blocks * row_cells * column_blocks * column_cells
    saliency += image * image_stride
    share += image * count
    whole = (tl.full((), 0.0, share.dtype.element_ty) + row_size) * column_size
    total = tl.full((), 0.0, share.dtype.element_ty)
    for first in range(0, count, CELLS):
        cell, present, box, area = cells_from(first, rows, columns, CELLS)
        area = area.to(share.dtype.element_ty)
        mass, _, _ = sums(saliency, row_stride, column_stride, box, present, positions, CELLS, SUB)
        mass = quotient(mass, area)
        if not EVEN:
            mass *= quotient(area, whole)
        tl.store(share + cell, mass, mask=present)
        total += tl.sum(tl.where(present, mass, 0.0), axis=0)
    tl.debug_barrier()  # other threads read what these have written
    usable = (total > 0) & (total < float("inf"))
    for first in range(0, count, CELLS):
        cell, present, _, area = cells_from(first, rows, columns, CELLS)
        mass = tl.load(share + cell, mask=present, other=0)
        even = quotient(area.to(share.dtype.element_ty), whole)
        tl.store(share + cell, tl.where(usable, quotient(mass, total), even), mask=present)


@no_type_check
@triton.jit(do_not_specialize=["channels", *SIZES])
def pool_images(
    x,
    means,
    ranges,
    channels,
    image_stride,
    channel_stride,
    row_stride,
    column_stride,
    row_size,
    row_blocks,
    row_cells,
    column_size,
    column_blocks,
    column_cells,
    positions,
    CELLS: tl.constexpr,
    SUB: tl.constexpr,
):
    """Fill the means of some cells of a channel; also the least and the largest finite number in them."""
    rows, columns = (row_size, row_blocks, row_cells), (column_size, column_blocks, column_cells)
    count = row_blocks * row_cells * column_blocks * column_cells
    chunks = tl.cdiv(count, CELLS)
    plane, chunk = (tl.program_id(0) // chunks).to(tl.int64), tl.program_id(0) % chunks
    cell, present, box, area = cells_from(chunk * CELLS, rows, columns, CELLS)
    x += plane // channels * image_stride + plane % channels * channel_stride
    total, low, high = sums(x, row_stride, column_stride, box, present, positions, CELLS, SUB)
    tl.store(means + plane * count + cell, quotient(total, area.to(total.dtype)), mask=present)
    part = plane * chunks + chunk
    tl.store(ranges + 2 * part, tl.min(low, axis=0))
    tl.store(ranges + 2 * part + 1, tl.max(high, axis=0))


def saliency_shares(saliency: Tensor, rows: Axis, columns: Axis) -> Tensor:
    """As `multimix.puzzle.energy.block_saliency`, of (B, C, H, W) with one channel; in at least float32."""
    wide = torch.promote_types(saliency.dtype, torch.float32)
    share = torch.empty((len(saliency), rows.total, columns.total), dtype=wide, device=saliency.device)
    image, _, row, column = saliency.stride()
    sizes, shape = _sizes(rows, columns)
    even = rows.even and columns.even
    launch(pool_saliency, (len(saliency),), saliency, share, image, row, column, *sizes, EVEN=even, **shape)
    return share


def cell_means_and_ranges(x: Tensor, rows: Axis, columns: Axis, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """The means of all cells of (B, C, H, W), and (parts, 2) numbers: the range of x's finite numbers, in parts."""
    means = torch.empty((*x.shape[:2], rows.total, columns.total), dtype=dtype, device=x.device)
    sizes, shape = _sizes(rows, columns)
    chunks = -(-rows.total * columns.total // shape["CELLS"])
    planes = x.shape[0] * x.shape[1]
    wide = torch.promote_types(x.dtype, torch.float32)
    ranges = torch.empty((planes * chunks, 2), dtype=wide, device=x.device)
    launch(pool_images, (planes * chunks,), x, means, ranges, x.shape[1], *x.stride(), *sizes, **shape)
    return means, ranges


def _sizes(rows: Axis, columns: Axis) -> tuple[tuple[int, ...], dict[str, int]]:
    """The axes as numbers, the positions of the largest cell, and how many of both a program looks at at once."""
    positions = math.prod(-(-axis.size // (axis.blocks * axis.cells)) for axis in (rows, columns))
    cells = min(next_power(rows.total * columns.total), MOST_CELLS)
    sizes = (*_triple(rows), *_triple(columns), positions)
    return sizes, {"CELLS": cells, "SUB": min(next_power(positions), LANES // cells), "num_warps": 8}


def _triple(axis: Axis) -> tuple[int, int, int]:
    return axis.size, axis.blocks, axis.cells
