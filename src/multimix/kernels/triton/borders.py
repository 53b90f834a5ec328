"""The energy of each pair from its saliency and the cells along borders: as `puzzle.energy`, without its tables.

Every block adds up its own four borders, in the order in which the CPU's kernel adds them to it, so that no block
waits for another.
"""

from typing import no_type_check

import numpy as np
import triton
import triton.language as tl
from torch import Tensor

from multimix.kernels.triton.cells import next_power, quotient
from multimix.kernels.triton.launch import launch

LANES = 512  # cells that a program looks at at once
MOST_BLOCKS = 256  # at once
PARTS = 1024  # of the range of pixels, read at once


@no_type_check
@triton.jit
def read_cell(cells, at, present, low, limit):
    """Numbers of cells; those that are not finite count as the lowest pixel."""
    value = tl.load(cells + at, mask=present, other=0)
    return tl.where(tl.abs(value) < limit, value, low)


@no_type_check
@triton.jit
def border(
    own, other, before, after, present, channels, plane, along, step, low, limit, COUNT: tl.constexpr, SUB: tl.constexpr
):
    """Sum over the cells along each border, and all channels, of the differences p11, p00, p10 and p01."""
    p11 = tl.zeros([COUNT, SUB], own.dtype.element_ty)
    p00, p10, p01 = p11, p11, p11
    for first in range(0, channels * along, SUB):
        number = first + tl.arange(0, SUB)[None, :]
        inside = present[:, None] & (number < channels * along)
        at = number // along * plane + number % along * step
        one, next_one = at + before[:, None], at + after[:, None]
        a, b = read_cell(own, one, inside, low, limit), read_cell(own, next_one, inside, low, limit)
        c, d = read_cell(other, one, inside, low, limit), read_cell(other, next_one, inside, low, limit)
        p11 += tl.where(inside, tl.abs(a - b), 0.0)
        p00 += tl.where(inside, tl.abs(c - d), 0.0)
        p10 += tl.where(inside, tl.abs(a - d), 0.0)
        p01 += tl.where(inside, tl.abs(c - b), 0.0)
    return tl.sum(p11, axis=1), tl.sum(p00, axis=1), tl.sum(p10, axis=1), tl.sum(p01, axis=1)


@no_type_check
@triton.jit
def pixel_range(ranges, parts, PARTS: tl.constexpr):
    """Return the least and the largest finite pixel of the batch, and the factor that brings it to unit range.

    The factor is 0 if the batch is constant, its range overflows, or no pixel is finite.
    """
    part = tl.arange(0, PARTS)
    low = tl.full([PARTS], float("inf"), ranges.dtype.element_ty)
    high = tl.full([PARTS], float("-inf"), ranges.dtype.element_ty)
    for first in range(0, parts, PARTS):
        inside = first + part < parts
        low = tl.minimum(low, tl.load(ranges + 2 * (first + part), mask=inside, other=float("inf")))
        high = tl.maximum(high, tl.load(ranges + 2 * (first + part) + 1, mask=inside, other=float("-inf")))
    lowest, highest = tl.min(low, axis=0), tl.max(high, axis=0)
    factor = quotient(tl.full((), 1.0, ranges.dtype.element_ty), highest - lowest)
    usable = (factor > 0) & (factor < float("inf"))
    return tl.where(usable, lowest, 0.0), tl.where(usable, factor, 0.0), usable


@no_type_check
@triton.jit(do_not_specialize=["height", "width", "channels", "tall", "wide", "parts"])
def fold_pairs(
    share,
    cells,
    ranges,
    sample,
    partner,
    gain,
    right,
    down,
    height,
    width,
    channels,
    tall,
    wide,
    parts,
    strength,
    strength_rest,
    amount,
    amount_rest,
    OWN: tl.constexpr,
    CONTENTS: tl.constexpr,
    BLOCKS: tl.constexpr,
    SUB: tl.constexpr,
    PARTS: tl.constexpr,
):
    """Fill gains and weights of some blocks of a pair.

    Args:
        share: (B, height, width) saliency.
        cells: (B, channels, height * tall, width * wide).
        ranges: the range of the pixels, in parts.
        sample: the row each pair keeps, if not OWN: pair i keeps row i.
        partner: the row it mixes with.
        gain: (P, height, width).
        right: (P, height, width - 1).
        down: (P, height - 1, width).
        strength: weight of a border without contents; and what is rounded off in float32.
        amount: half of gamma times that, likewise.
    """
    dtype: tl.constexpr = gain.dtype.element_ty
    pair = tl.program_id(0).to(tl.int64)
    block = tl.program_id(1) * BLOCKS + tl.arange(0, BLOCKS)
    row, column = block // width, block % width
    inside = row < height
    own_row = pair if OWN else tl.load(sample + pair)
    other_row = tl.load(partner + pair)
    count = height * width
    value = tl.load(share + own_row * count + block, mask=inside, other=0)
    value -= tl.load(share + other_row * count + block, mask=inside, other=0)
    base = tl.full([BLOCKS], 0.0, dtype) + strength + strength_rest
    beside, below = base, base
    to_right, to_below = inside & (column + 1 < width), row + 1 < height
    if CONTENTS:
        low, factor, usable = pixel_range(ranges, parts, PARTS)
        number: tl.constexpr = factor.dtype
        size = (factor * (tl.full((), 0.0, number) + amount + amount_rest)).to(dtype).to(tl.float64)
        low = low.to(dtype)
        limit = tl.where(usable, float("inf"), -1.0)
        line = width * wide
        plane = height.to(tl.int64) * tall * line
        across, along = size / (channels * tall), size / (channels * wide)
        own, other = cells + own_row * channels * plane, cells + other_row * channels * plane
        corner = row.to(tl.int64) * tall * line + column * wide
        last, bottom = wide - 1, (tall - 1) * line
        # above, to the left, to the right, below: the order in which the CPU's kernel comes by
        p11, p00, p10, p01 = border(
            own, other, corner - line, corner, inside & (row > 0), channels, plane, wide, 1, low, limit, BLOCKS, SUB
        )
        value = (value + along * (p10 + p00 - p01 - p11)).to(dtype)
        p11, p00, p10, p01 = border(
            own, other, corner - 1, corner, inside & (column > 0), channels, plane, tall, line, low, limit, BLOCKS, SUB
        )
        value = (value + across * (p10 + p00 - p01 - p11)).to(dtype)
        p11, p00, p10, p01 = border(
            own, other, corner + last, corner + wide, to_right, channels, plane, tall, line, low, limit, BLOCKS, SUB
        )
        value = (value + across * (p01 + p00 - p10 - p11)).to(dtype)
        beside = tl.maximum(beside + across * (p10 + p01 - p11 - p00), 0.0).to(dtype)
        p11, p00, p10, p01 = border(
            own,
            other,
            corner + bottom,
            corner + bottom + line,
            to_below,
            channels,
            plane,
            wide,
            1,
            low,
            limit,
            BLOCKS,
            SUB,
        )
        value = (value + along * (p01 + p00 - p10 - p11)).to(dtype)
        below = tl.maximum(below + along * (p10 + p01 - p11 - p00), 0.0).to(dtype)
    tl.store(gain + pair * count + block, value, mask=inside)
    tl.store(right + pair * height * (width - 1) + row * (width - 1) + column, beside, mask=to_right)
    tl.store(down + pair * (height - 1) * width + block, below, mask=to_below)


def fold_energy(
    share: Tensor,
    contents: tuple[Tensor, Tensor] | None,
    sample: Tensor | None,
    partner: Tensor,
    strength: float,
    amount: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gains, weights to the right and weights below of every pair; see `multimix.puzzle.energy.pair_energy`.

    Args:
        share: (B, h, w) saliency.
        contents: the means of the cells of all images, and the range of the pixels in parts; None: they do not count.
        sample: the row each pair keeps; None: pair i keeps row i.
        partner: the row it mixes with.
        strength: weight of a border without contents.
        amount: what contents of unit range add to that, per twice their difference.
    """
    height, width = share.shape[1:]
    pairs = len(partner)
    gain = share.new_empty((pairs, height, width))
    right, down = share.new_empty((pairs, height, width - 1)), share.new_empty((pairs, height - 1, width))
    cells, ranges = contents or (share[:, None], share)
    sizes = height, width, cells.shape[1], cells.shape[2] // height, cells.shape[3] // width, len(ranges)
    tensors = share, cells, ranges, partner if sample is None else sample, partner, gain, right, down
    numbers = (*_two_floats(strength), *_two_floats(amount))
    blocks = min(next_power(height * width), MOST_BLOCKS)
    along = next_power(cells.shape[1] * max(sizes[3], sizes[4]))
    shape = {"BLOCKS": blocks, "SUB": min(along, LANES // blocks), "PARTS": PARTS, "num_warps": 8}
    flags = {"OWN": sample is None, "CONTENTS": contents is not None}
    launch(fold_pairs, (pairs, -(-height * width // blocks)), *tensors, *sizes, *numbers, **flags, **shape)
    return gain, right, down


def _two_floats(number: float) -> tuple[float, float]:
    """Return a number as a sum of two that float32 holds, for that is what a kernel is given."""
    first = float(np.float32(number))
    return first, number - first
