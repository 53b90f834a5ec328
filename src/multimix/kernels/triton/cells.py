"""Where the cells of an image lie, and the sums over them: any sizes, any strides.

An axis is a triple (size, blocks, cells in a block), as in `multimix.grid.Axis`. A program looks at CELLS cells at a
time, and at SUB positions of each.
"""

from typing import no_type_check

import triton
import triton.language as tl


@no_type_check
@triton.jit
def edge(number, axis):
    """Where a cell starts. Products of two numbers that are each below the size may be larger than 2**31."""
    size, blocks, cells = axis
    block = number // cells
    start = block * (size // blocks) + block * (size % blocks) // blocks  # block * size // blocks
    end = (block + 1) * (size // blocks) + (block + 1) * (size % blocks) // blocks
    return start + ((number % cells).to(tl.int64) * (end - start) // cells).to(tl.int32)


@no_type_check
@triton.jit
def bounds_of(cell, rows, columns):
    """Top, bottom, left and right of cells, in reading order; beyond the last it goes on like below the image."""
    across = columns[1] * columns[2]
    row, column = cell // across, cell % across
    return edge(row, rows), edge(row + 1, rows), edge(column, columns), edge(column + 1, columns)


@no_type_check
@triton.jit
def cells_from(first, rows, columns, CELLS: tl.constexpr):
    """Return cells from one on, which of them there are, their bounds, and how many positions each has."""
    cell = first + tl.arange(0, CELLS)
    box = bounds_of(cell, rows, columns)
    present = cell < rows[1] * rows[2] * columns[1] * columns[2]
    return cell, present, box, (box[1] - box[0]) * (box[3] - box[2])


@no_type_check
@triton.jit
def sums(image, row_stride, column_stride, box, present, positions, CELLS: tl.constexpr, SUB: tl.constexpr):
    """Return the sum over each cell, and the least and the largest finite number in it, in at least float32.

    Args:
        image: where it starts.
        row_stride: from a row to the next.
        column_stride: from a column to the next.
        box: from `bounds_of`.
        present: which cells there are.
        positions: of the largest cell.
    """
    top, bottom, left, right = box
    tall, wide = (bottom - top)[:, None], (right - left)[:, None]
    corner = top.to(tl.int64)[:, None] * row_stride + left.to(tl.int64)[:, None] * column_stride
    dtype: tl.constexpr = tl.float64 if image.dtype.element_ty == tl.float64 else tl.float32
    total = tl.zeros([CELLS, SUB], dtype)
    low = tl.full([CELLS, SUB], float("inf"), dtype)
    high = tl.full([CELLS, SUB], float("-inf"), dtype)
    for first in range(0, positions, SUB):
        at = first + tl.arange(0, SUB)[None, :]
        y, x = at // wide, at % wide
        inside = present[:, None] & (y < tall)
        value = tl.load(image + corner + y.to(tl.int64) * row_stride + x.to(tl.int64) * column_stride, inside, other=0)
        value = value.to(dtype)
        total += value
        finite = inside & (tl.abs(value) < float("inf"))
        low = tl.minimum(low, tl.where(finite, value, float("inf")))
        high = tl.maximum(high, tl.where(finite, value, float("-inf")))
    return tl.sum(total, axis=1), tl.min(low, axis=1), tl.max(high, axis=1)


@no_type_check
@triton.jit
def quotient(a, b):
    """`a / b`, rounded to the nearest number also in float32, where `/` is not."""
    if a.dtype == tl.float64:
        return a / b
    else:
        return tl.div_rn(a, b)


def next_power(number: int) -> int:
    """Return the next power of two."""
    return 1 << (number - 1).bit_length()
