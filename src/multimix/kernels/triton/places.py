"""Where a number of a flat row lies in its image, and which other place of the image a mask shows there.

A row is its channels times the positions in reading order, or with channels last the positions times the channels:
`inner` numbers of a position lie together. Images have three axes, of length 1 where there are fewer.
"""

from typing import no_type_check

import triton
import triton.language as tl


@no_type_check
@triton.jit
def part_of_row(length, BLOCK: tl.constexpr):
    """Return the row that a program is at, and which of its numbers: a row takes as many programs as it has blocks."""
    tiles = tl.cdiv(length, BLOCK)
    row = (tl.program_id(0) // tiles).to(tl.int64)
    return row, tl.program_id(0) % tiles * BLOCK + tl.arange(0, BLOCK)


@no_type_check
@triton.jit
def places_of(at, inner, sizes):
    """Return the position of each number of a row, and its depth, row and column."""
    depth, height, width = sizes
    position = at // inner % (depth * height * width)
    return position, (position // (height * width), position // width % height, position % width)


@no_type_check
@triton.jit
def inside_box(low, high, item, place, AXES: tl.constexpr):
    """Whether places lie in a box, given on the last AXES axes."""
    low += item * AXES
    high += item * AXES
    begin, end = tl.load(low + AXES - 1).to(tl.int32), tl.load(high + AXES - 1).to(tl.int32)
    inside = (place[2] >= begin) & (place[2] < end)
    for axis in tl.static_range(AXES - 1):
        along = place[axis + 3 - AXES]
        begin, end = tl.load(low + axis).to(tl.int32), tl.load(high + axis).to(tl.int32)
        inside &= (along >= begin) & (along < end)
    return inside


@no_type_check
@triton.jit
def side_of_box(low, high, at, LONG: tl.constexpr):
    """Return where a box begins on an axis, and its length; with LONG in 64 bits, and so what follows from them."""
    first, end = tl.load(low + at), tl.load(high + at)
    if not LONG:
        first, end = first.to(tl.int32), end.to(tl.int32)
    return first, end - first


@no_type_check
@triton.jit
def shown_in_box(low, high, item, place, sizes, AXES: tl.constexpr, LONG: tl.constexpr):
    """Return the position whose middle is nearest, where all of an image is resized to a box."""
    position = place[2] * 0
    for axis in tl.static_range(3 - AXES, 3):
        at = item * AXES + axis + AXES - 3
        first, side = side_of_box(low, high, at, LONG)
        there = (2 * (place[axis] - first) + 1) * sizes[axis] // (2 * tl.maximum(side, 1))
        position = position * sizes[axis] + tl.minimum(tl.maximum(there, 0), sizes[axis] - 1)
    return position


@no_type_check
@triton.jit
def shows_in_box(low, high, item, place, sizes, AXES: tl.constexpr, LONG: tl.constexpr):
    """Return the only position of a box that shows a place of the image resized to it, and whether there is one."""
    position, found = place[2] * 0, place[2] >= 0
    for axis in tl.static_range(3 - AXES, 3):
        at = item * AXES + axis + AXES - 3
        first, side = side_of_box(low, high, at, LONG)
        step = (2 * side * place[axis] + sizes[axis] - 1) // (2 * sizes[axis])
        back = (2 * step + 1) * sizes[axis] // (2 * tl.maximum(side, 1))
        there = first + step
        found &= (step < side) & (back == place[axis]) & (there >= 0) & (there < sizes[axis])
        position = position * sizes[axis] + there
    return tl.where(found, position, 0), found


@no_type_check
@triton.jit
def cell_of(edges, cells, position, BITS: tl.constexpr):
    """Return the cell that a position of an axis lies in: the last that starts at or before it."""
    cell = position * 0
    for bit in tl.static_range(BITS):
        further = cell + (1 << (BITS - 1 - bit))
        start = tl.load(edges + tl.minimum(further, cells - 1))
        cell = tl.where((further < cells) & (start <= position), further, cell)
    return cell


@no_type_check
@triton.jit
def moved_along(edges, cell, source, position):
    """Return the position of an axis shown at another one; a cell that is a position short repeats its last."""
    shifted = tl.load(edges + source) + position - tl.load(edges + cell)
    return tl.minimum(shifted, tl.load(edges + source + 1) - 1).to(tl.int32)


@no_type_check
@triton.jit
def moved_by_cells(source, rows, columns, across, place, cell, width):
    """Return the position shown at a place, where `source` says which cell goes to each."""
    there = tl.load(source + cell[0] * across + cell[1])
    row = moved_along(rows, cell[0], there // across, place[1])
    return row * width + moved_along(columns, cell[1], there % across, place[2])
