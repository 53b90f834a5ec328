"""K mixes of every pair, in one launch: a program reads a part of a pair once and writes that part of all its mixes."""

from typing import no_type_check

import triton
import triton.language as tl

from multimix.kernels.triton.places import cell_of, inside_box, moved_by_cells, part_of_row, places_of, shown_in_box

CONSTANT, BOXES, ORDERED, BUMP, RESIZED, BLOCKS = (tl.constexpr(kind) for kind in range(6))


@no_type_check
@triton.jit
def fixed_share(
    mask0, pair, position, place, sizes, down, across, KIND: tl.constexpr, BITS: tl.constexpr, mask1, mask2
):
    """What a mask says of each position that is the same for all mixes: the level, or the cell down and across."""
    if KIND == ORDERED:
        level = tl.load(mask0 + pair * (sizes[0] * sizes[1] * sizes[2]) + position)
        return level, level
    elif KIND == BLOCKS:
        return cell_of(mask1, down, place[1], BITS), cell_of(mask2, across, place[2], BITS)
    else:
        return position, position


@no_type_check
@triton.jit
def share_of(
    mask0,
    mask1,
    mask2,
    k,
    item,
    place,
    sizes,
    fixed,
    blocks,
    unit,
    KIND: tl.constexpr,
    AXES: tl.constexpr,
    WIDE: tl.constexpr,
):
    """The sample's share of each position, of a bump the partner's; where values are copied, whether it is all."""
    if KIND == CONSTANT:
        return tl.load(mask0 + item).to(WIDE)
    elif (KIND == BOXES) | (KIND == RESIZED):
        return inside_box(mask0, mask1, item, place, AXES) == 0
    elif KIND == ORDERED:
        return fixed[0] > k
    elif KIND == BUMP:
        share = tl.load(mask0 + item * sizes[3 - AXES] + place[3 - AXES]).to(WIDE)
        if AXES > 1:
            share *= tl.load(mask1 + item * sizes[4 - AXES] + place[4 - AXES]).to(WIDE)
        if AXES > 2:
            share *= tl.load(mask2 + item * sizes[2] + place[2]).to(WIDE)
        return share
    else:
        down, across, tall, wide = blocks
        high = across // wide
        kept = tl.load(mask0 + (item * (down // tall) + fixed[0] // tall) * high + fixed[1] // wide)
        return kept.to(tl.float32) * unit


@no_type_check
@triton.jit
def between(start, end, share):
    """From start to end; at a share of 0 or 1 a copy of the one, whatever the other holds. As PyTorch's lerp."""
    mixed = tl.where(share < 0.5, start + share * (end - start), end - (end - start) * (1.0 - share))
    return tl.where(share == 0, start, tl.where(share == 1, end, mixed))


@no_type_check
@triton.jit(do_not_specialize=["mixes", "pairs", "step"])
def mix(
    x,
    sample,
    partner,
    mask0,
    mask1,
    mask2,
    source,
    out,
    mixes,
    pairs,
    step,
    row,
    inner,
    depth,
    height,
    width,
    down,
    across,
    tall,
    wide,
    unit,
    KIND: tl.constexpr,
    AXES: tl.constexpr,
    BITS: tl.constexpr,
    INNER: tl.constexpr,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
    LONG: tl.constexpr,
    SAMPLED: tl.constexpr,
    FRESH: tl.constexpr,
    MOVED: tl.constexpr,
    AVERAGES: tl.constexpr,
    WIDE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Fill `out`, (K, P, row), from `x`, (B, row).

    Args:
        x: rows, flat.
        sample: (P,) int64, the row that each pair keeps; with SAMPLED = 0 pair i keeps row i.
        partner: (P,) int64, or with FRESH (K, P).
        mask0: of the kind of mask, in the order of its fields (see `table`); so are mask1 and mask2.
        source: with MOVED, (K, P, 2, cells) int32.
        step: from a mix's partners to the next mix's: P with FRESH, else 0.
        inner: numbers per position that lie together.
        INNER: the same, and HEIGHT and WIDTH, where they are known to the compiler; else WIDTH is 0.
        LONG: whether an axis is so long that positions times its length need 64 bits.
        down: number of cells, down and `across`; `tall` and `wide` how many of them are in a block of the mask.
        unit: share of an image that one level of a block is; the last is exactly 1, which no quotient on a GPU need be.
    """
    pair, at = part_of_row(row, BLOCK)
    inside = at < row
    if WIDTH > 0:
        inner, height, width = INNER, HEIGHT, WIDTH
    sizes = (depth, height, width)
    position, place = places_of(at, inner, sizes)
    fixed = fixed_share(mask0, pair, position, place, sizes, down, across, KIND, BITS, mask1, mask2)
    mine = pair
    if SAMPLED:
        mine = tl.load(sample + pair)
    own = tl.load(x + mine * row + at, mask=inside)
    other = own
    if ((not FRESH) and (KIND != RESIZED)) and (not MOVED):  # in pairs: Triton 3.3 knows no chain
        other = tl.load(x + tl.load(partner + pair) * row + at, mask=inside)
    for k in range(mixes):
        item = k * pairs.to(tl.int64) + pair
        theirs = x + tl.load(partner + k * step + pair) * row
        share = share_of(
            mask0, mask1, mask2, k, item, place, sizes, fixed, (down, across, tall, wide), unit, KIND, AXES, WIDE
        )
        if KIND == RESIZED:
            shown = shown_in_box(mask0, mask1, item, place, sizes, AXES, LONG)
            other = tl.load(theirs + at + (shown - position) * inner, mask=inside)
        elif MOVED:
            cells = source + item * 2 * (down * across)
            shown = moved_by_cells(cells, mask1, mask2, across, place, fixed, width)
            own = tl.load(x + mine * row + at + (shown - position) * inner, mask=inside)
            shown = moved_by_cells(cells + down * across, mask1, mask2, across, place, fixed, width)
            other = tl.load(theirs + at + (shown - position) * inner, mask=inside)
        elif FRESH:
            other = tl.load(theirs + at, mask=inside)
        if not AVERAGES:
            mixed = tl.where(share == 1, own, other)
        elif KIND == BUMP:
            mixed = between(own.to(WIDE), other.to(WIDE), share)
        else:
            mixed = between(other.to(WIDE), own.to(WIDE), share.to(WIDE))
        tl.store(out + item * row + at, mixed.to(out.dtype.element_ty), mask=inside)
