"""The transpose of `mix`: what the mixes hold, weighted and summed for each row of the batch that they read.

No two programs write to one place and each sums in a fixed order, so results are the same in every run.
"""

from typing import no_type_check

import triton
import triton.language as tl

from multimix.kernels.triton.mix import BUMP, RESIZED, fixed_share, share_of
from multimix.kernels.triton.places import part_of_row, places_of, shows_in_box


@no_type_check
@triton.jit
def weighted(number, weight, WIDE: tl.constexpr):
    """Their product; 0 for a weight of 0, whatever the number is."""
    return tl.where(weight == 0, 0.0, number.to(WIDE) * weight)


@no_type_check
@triton.jit
def from_cells(
    mixes,
    at,
    position,
    place,
    fixed,
    shares,
    rows,
    columns,
    goals,
    starts,
    grid,
    side,
    width,
    inner,
    unit,
    inside,
    WIDE: tl.constexpr,
):
    """Return the sum over all cells that show the cell of each position.

    `goals` lists the cells, those that show cell c from `starts[c]` up to `starts[c + 1]`. A cell that is a position
    longer than what it shows shows its last row or column twice: four positions at most show one.
    """
    _, across, tall, wide = grid
    cell = fixed[0] * across + fixed[1]
    first, last = tl.load(starts + cell), tl.load(starts + cell + 1)
    rest = place[1] - tl.load(rows + fixed[0]), place[2] - tl.load(columns + fixed[1])
    end = tl.load(rows + fixed[0] + 1) - 1, tl.load(columns + fixed[1] + 1) - 1
    total = tl.zeros(at.shape, WIDE)
    for number in range(tl.max(tl.where(inside, last - first, 0), axis=0)):
        listed = inside & (first + number < last)
        goal = tl.load(goals + first + number, mask=listed, other=0)
        row, column = (goal // across).to(tl.int32), (goal % across).to(tl.int32)
        kept = tl.load(shares + row // tall * (across // wide) + column // wide).to(WIDE) * unit
        weight = tl.where(side == 1, 1.0 - kept, kept)
        for twice in tl.static_range(4):
            y = tl.load(rows + row) + rest[0] + twice // 2
            x = tl.load(columns + column) + rest[1] + twice % 2
            there = listed & (y < tl.load(rows + row + 1)) & (x < tl.load(columns + column + 1))
            if twice // 2 == 1:
                there &= place[1] == end[0]
            if twice % 2 == 1:
                there &= place[2] == end[1]
            shown = tl.where(there, (y * width + x).to(tl.int32), 0)
            value = tl.load(mixes + at + (shown - position) * inner, mask=there, other=0.0)
            total += tl.where(there, weighted(value, weight, WIDE), 0.0)
    return total


@no_type_check
@triton.jit(do_not_specialize=["mixes", "pairs"])
def spread(
    grad,
    readers,
    starts,
    mask0,
    mask1,
    mask2,
    goals,
    goal_starts,
    out,
    mixes,
    pairs,
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
    FRESH: tl.constexpr,
    MOVED: tl.constexpr,
    WIDE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Fill `out`, (B, row), from `grad`, (K, P, row). Arguments that `mix` has too are as there.

    Args:
        grad: what the mixes hold.
        readers: pairs by the row they read, int64: i for pair i that keeps it, P + i for a pair whose partner it is,
            with FRESH P + k P + i. Those of row b stand from `starts[b]` up to `starts[b + 1]`.
        goals: with MOVED, cells by the cell they show, (K, P, 2, cells); `goal_starts` (K, P, 2, cells + 1).
    """
    mine, at = part_of_row(row, BLOCK)
    inside = at < row
    if WIDTH > 0:
        inner, height, width = INNER, HEIGHT, WIDTH
    sizes = (depth, height, width)
    position, place = places_of(at, inner, sizes)
    grid = (down, across, tall, wide)
    total = tl.zeros([BLOCK], WIDE)
    for number in range(tl.load(starts + mine), tl.load(starts + mine + 1)):
        reader = tl.load(readers + number)
        side = (reader >= pairs).to(tl.int32)  # 1: as the partner
        pair = tl.where(side == 1, reader - pairs, reader)
        first, last = 0, mixes
        if FRESH:
            first = tl.where(side == 1, (pair // pairs).to(tl.int32), 0)
            last = tl.where(side == 1, first + 1, mixes)
            pair = pair % pairs
        fixed = fixed_share(mask0, pair, position, place, sizes, down, across, KIND, BITS, mask1, mask2)
        for k in range(first, last):
            item = k * pairs.to(tl.int64) + pair
            mixed = grad + item * row
            if MOVED:
                shares = mask0 + item * (down // tall) * (across // wide)
                cells = down * across
                listed, begun = goals + (item * 2 + side) * cells, goal_starts + (item * 2 + side) * (cells + 1)
                total += from_cells(
                    mixed,
                    at,
                    position,
                    place,
                    fixed,
                    shares,
                    mask1,
                    mask2,
                    listed,
                    begun,
                    grid,
                    side,
                    width,
                    inner,
                    unit,
                    inside,
                    WIDE,
                )
            else:
                share = share_of(mask0, mask1, mask2, k, item, place, sizes, fixed, grid, unit, KIND, AXES, WIDE).to(
                    WIDE
                )
                if KIND == BUMP:
                    weight = tl.where(side == 1, share, 1.0 - share)
                else:
                    weight = tl.where(side == 1, 1.0 - share, share)
                shown = position
                if KIND == RESIZED:
                    there, found = shows_in_box(mask0, mask1, item, place, sizes, AXES, LONG)
                    shown = tl.where(side == 1, there, position)
                    weight = tl.where(side == 1, found.to(WIDE), weight)
                value = tl.load(mixed + at + (shown - position) * inner, mask=inside, other=0.0)
                total += weighted(value, weight, WIDE)
    tl.store(out + mine * row + at, total.to(out.dtype.element_ty), mask=inside)
