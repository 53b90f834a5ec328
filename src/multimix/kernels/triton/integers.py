"""A pair's energy in integers, the same as those of `kernels.cpu.cut`: masks that tie on the CPU tie here.

What is read may hold anything, because no value is looked at by the host: what is no number or too large counts as 0,
so that sums do not overflow and every loop ends.
"""

from typing import no_type_check

import triton
import triton.language as tl

BITS = tl.constexpr(57)  # every number is below 2**57, so that a level, ten of them at most, fits into 63 bits
HEADER = tl.constexpr(3)  # numbers in front of a pair's thresholds: least and largest amount; the flow between layers


@no_type_check
@triton.jit
def rounded(number):
    """Return the nearest integer, of two the even one, as a number of the same type (float64)."""
    size = tl.abs(number)
    # Numbers from 2**52 on are integers; below, adding it drops what is behind the point.
    whole = tl.where(size < 4503599627370496.0, (size + 4503599627370496.0) - 4503599627370496.0, size)
    return tl.where(number < 0, -whole, whole)


@no_type_check
@triton.jit
def finite(number):
    """Return the number, or 0 where it is none or so large that a sum could overflow."""
    return tl.where(tl.abs(number) < 2.0**1000, number, 0.0)


@no_type_check
@triton.jit
def units(size):
    """Return the power of two that brings a size just below 2**BITS."""
    exponent = ((size.to(tl.int64, bitcast=True) >> 52) & 2047) - 1022
    power = tl.minimum(-exponent + BITS, 1000)
    return ((power + 1023) << 52).to(tl.float64, bitcast=True)


@no_type_check
@triton.jit
def load_amounts(gain, spread, pair, lane, BLOCKS: tl.constexpr, LAYERS: tl.constexpr):
    """Return what every node brings, and the least and largest of it."""
    inside = lane < BLOCKS
    number = finite(tl.load(gain + pair * BLOCKS + lane, mask=inside, other=0).to(tl.float64))
    if LAYERS == 1:
        amount = (number,)
        low, high = number, number
    else:
        offset = finite(tl.load(spread + pair).to(tl.float64))
        amount = (number / 2 + offset, number / 2 - offset)
        low, high = tl.minimum(amount[0], amount[1]), tl.maximum(amount[0], amount[1])
    lowest = tl.min(tl.where(inside, low, float("inf")), axis=0)
    highest = tl.max(tl.where(inside, high, float("-inf")), axis=0)
    return amount, lowest, highest


@no_type_check
@triton.jit
def load_weights(right, down, pair, lane, limit, HEIGHT: tl.constexpr, WIDTH: tl.constexpr, LAYERS: tl.constexpr):
    """What a border along each axis costs, at most the limit; with three levels a quarter, for a jump by half."""
    row, column = lane // WIDTH, lane % WIDTH
    beside = right + pair * HEIGHT * (WIDTH - 1) + row * (WIDTH - 1) + column
    below = down + pair * (HEIGHT - 1) * WIDTH + lane
    r = tl.load(beside, mask=(column < WIDTH - 1) & (row < HEIGHT), other=0).to(tl.float64)
    d = tl.load(below, mask=row < HEIGHT - 1, other=0).to(tl.float64)
    r, d = tl.where(r > 0, r, 0.0), tl.where(d > 0, d, 0.0)
    return tl.where(r < limit, r, limit) / (LAYERS * LAYERS), tl.where(d < limit, d, limit) / (LAYERS * LAYERS)


@no_type_check
@triton.jit
def store_thresholds(thresholds, num_mixes, pairs, pair, unit, lowest, highest, limits):
    """Return the thresholds as integers; below the range of the amounts, be it by less than a unit, they keep all.

    From its top on they keep nothing.
    """
    bottom, top = rounded(lowest * unit), rounded(highest * unit)
    for k in range(num_mixes):
        threshold = tl.load(thresholds + k * pairs + pair).to(tl.float64)
        t = rounded(threshold * unit)
        inside = tl.where(t < top, tl.maximum(t, bottom), top)
        below = bottom.to(tl.int64) - 1  # as an integer: float64 has no number between
        tl.store(limits + HEADER + k, tl.where(threshold < lowest, below, inside.to(tl.int64)))
    tl.store(limits, bottom.to(tl.int64))
    tl.store(limits + 1, top.to(tl.int64))


@no_type_check
@triton.jit
def store_energy(
    energy,
    pair,
    lane,
    amounts,
    weights,
    limits,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    LANES: tl.constexpr,
    LAYERS: tl.constexpr,
):
    """Write a pair's amounts and weights (single, then double for jumps by a whole); also their range and unit."""
    gain, spread, right, down = energy
    amount, lowest, highest = load_amounts(gain, spread, pair, lane, HEIGHT * WIDTH, LAYERS)
    limit = (highest - lowest) * (
        LAYERS * HEIGHT * WIDTH
    )  # no flow is larger: a weight above it is as good as infinite
    weight = load_weights(right, down, pair, lane, limit, HEIGHT, WIDTH, LAYERS)
    size = tl.maximum(tl.abs(lowest), tl.abs(highest))
    size = tl.maximum(size, tl.max(tl.maximum(weight[0], weight[1]), axis=0))
    if LAYERS == 2:
        size = tl.maximum(size, limit)  # a block that is wholly kept is at least half kept
    unit = units(tl.where(size > 0, size, 1.0))
    for layer in tl.static_range(LAYERS):
        tl.store(amounts + layer * LANES + lane, rounded(amount[layer] * unit).to(tl.int64))
        for axis in tl.static_range(2):
            whole = rounded(weight[axis] * (layer + 1) * unit).to(tl.int64)
            tl.store(weights + (2 * layer + axis) * LANES + lane, whole)
    if LAYERS == 2:
        tl.store(limits + 2, rounded(limit * unit).to(tl.int64))
    return lowest, highest, unit
