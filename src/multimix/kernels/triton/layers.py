"""How the nodes of a pair's graph lie in registers, and what flows between them.

A program has one lane per block of a padded grid. Two levels have one node per block, three levels two, in layers 0
("at least half") and 1 ("whole"): `puzzle.graph` has the same graph as tables. A value per node is a tuple of LAYERS
vectors. Borders lie between a block and the next along axis 0 (to the right) and axis 1 (below). What flows over them
is a tuple in the order (layer it leaves, axis, layer it enters), held by the lane of the first block, positive towards
the next block. Three levels have one more flow last: from layer 1 to layer 0 of the same block.

Lanes at which a step would wrap around the grid's edge carry flows too, of capacity 0, so no step needs a mask.
"""

from typing import no_type_check

import triton
import triton.language as tl


@no_type_check
@triton.jit
def neighbours(lane, LANES: tl.constexpr, WIDTH: tl.constexpr):
    """Return the next lane along each axis, and the one before."""
    last: tl.constexpr = LANES - 1
    return ((lane + 1) & last, (lane + WIDTH) & last), ((lane - 1) & last, (lane - WIDTH) & last)


@no_type_check
@triton.jit
def filled(number, dtype: tl.constexpr, COUNT: tl.constexpr, LANES: tl.constexpr):
    """Return a tuple of vectors that hold one number."""
    result = ()
    for _ in tl.static_range(COUNT):
        result += (tl.full([LANES], number, dtype),)
    return result


@no_type_check
@triton.jit
def loaded(pointer, lane, COUNT: tl.constexpr, LANES: tl.constexpr):
    """Return a tuple of vectors that lie one behind the other."""
    result = ()
    for number in tl.static_range(COUNT):
        result += (tl.load(pointer + number * LANES + lane),)
    return result


@no_type_check
@triton.jit
def load_bounds(weights, axis: tl.constexpr, lane, LANES: tl.constexpr, LAYERS: tl.constexpr):
    """Return the integer weights of a border along an axis: of a jump by one layer, and by both."""
    return tl.load(weights + axis * LANES + lane), tl.load(weights + (2 * (LAYERS - 1) + axis) * LANES + lane)


@no_type_check
@triton.jit
def moved(values, lane):
    """Return the values of another lane. Two layers of 32 bits travel as one of 64, in one exchange."""
    if len(values) == 1:
        return (tl.gather(values[0], lane, 0),)
    elif values[0].dtype == tl.int64:
        return (tl.gather(values[0], lane, 0), tl.gather(values[1], lane, 0))
    else:
        low = values[0].to(tl.int32, bitcast=True).to(tl.int64) & 0xFFFFFFFF
        both = tl.gather(low | (values[1].to(tl.int32, bitcast=True).to(tl.int64) << 32), lane, 0)
        first = both.to(tl.int32).to(values[0].dtype, bitcast=True)
        second = (both >> 32).to(tl.int32).to(values[1].dtype, bitcast=True)
        return (first, second)


@no_type_check
@triton.jit
def node_levels(amount, flow, before, LAYERS: tl.constexpr):
    """Return what every node has left: its amount, less what leaves it, plus what enters."""
    level = amount
    for axis in tl.static_range(2):
        entering = ()
        for layer in tl.static_range(LAYERS):
            total = flow[axis * LAYERS + layer]
            if LAYERS == 2:
                total += flow[4 + axis * LAYERS + layer]
            entering += (total,)
        entering = moved(entering, before[axis])
        after = ()
        for layer in tl.static_range(LAYERS):
            left = level[layer] + entering[layer]
            for other in tl.static_range(LAYERS):
                left -= flow[layer * 2 * LAYERS + axis * LAYERS + other]
            after += (left,)
        level = after
    if LAYERS == 2:
        level = (level[0] + flow[8], level[1] - flow[8])
    return level


@no_type_check
@triton.jit
def bounds(single, double, layer: tl.constexpr, other: tl.constexpr):
    """Return the least and most that may flow over a border from a layer to another.

    Within a layer either way; between layers only from "whole" to "at least half" of the other block.
    """
    if layer == other:
        return -single, single
    elif layer == 1:
        return double * 0, double
    else:
        return -double, double * 0


@no_type_check
@triton.jit
def any_of(flags, LAYERS: tl.constexpr):
    """1 if a flag is set at any node, else 0."""
    flag = flags[0]
    if LAYERS == 2:
        flag = flag | flags[1]
    return tl.max(flag.to(tl.int32), axis=0)


@no_type_check
@triton.jit
def above(level, bottom, top, threshold, LAYERS: tl.constexpr):
    """Which nodes have more than the threshold.

    Levels count as within the range of the amounts: the mask of a threshold below that is everything, and from its
    top on nothing, whatever flows.
    """
    flags = ()
    for layer in tl.static_range(LAYERS):
        flags += (tl.minimum(tl.maximum(level[layer], bottom), top) > threshold,)
    return flags


@no_type_check
@triton.jit
def store_mask(flags, kept, item, lane, BLOCKS: tl.constexpr, LAYERS: tl.constexpr):
    """Fill the mask of a mix of a pair: per block, how many of its nodes are in it."""
    total = flags[0].to(tl.int8)
    if LAYERS == 2:
        total += flags[1].to(tl.int8)
    tl.store(kept + item * BLOCKS + lane, total.to(tl.uint8), mask=lane < BLOCKS)
