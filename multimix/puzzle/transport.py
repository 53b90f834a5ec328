"""Where each visible block takes its pixels from: salient blocks move to places that show them.

A source block pays `cost * distance^2` and brings its saliency; it may only go where it brings more than it pays, so
it looks at a small window, and the windows of an image together hold a few times as many places as it has blocks, as
its saliency sums to 1. The authors' auction is a deferred acceptance that is stopped after n rounds: each source
without a place asks for the nearest one it has not lost; each place keeps the best that asked. A dense plan of blocks
times blocks is never made.

Reference: Kim et al., 2020, Puzzle Mix, arXiv 2009.06962, sec. 4.3, algorithm 1.
"""

from functools import lru_cache
from typing import NamedTuple, no_type_check

import numpy as np
import torch
from jaxtyping import Float, Int32, Int64
from numpy.typing import NDArray
from torch import Tensor

from multimix.puzzle.compiled import compiled, over_pairs


class Moves(NamedTuple):
    """Moves on a grid, nearest first, ties in reading order.

    Attributes:
        down: blocks downwards.
        right: blocks to the right.
        price: what the move costs.
        rounds: how often sources may ask.
    """

    down: NDArray[np.int32]
    right: NDArray[np.int32]
    price: NDArray[np.float32]
    rounds: int


@lru_cache(maxsize=64)
def moves(height: int, width: int, cost: float) -> Moves:
    """All moves that can pay on a grid: a block has a saliency of at most 1."""
    side = max(height, width)
    unit = np.float32(max(side - 1, 1) ** 2)
    down, right = np.meshgrid(np.arange(1 - height, height), np.arange(1 - width, width), indexing="ij")
    squared = down**2 + right**2
    price = np.float32(cost) * (squared.astype(np.float32) / unit)
    order = np.lexsort((right.ravel(), down.ravel(), squared.ravel()))
    order = order[price.ravel()[order] < 1]
    downwards, rightwards = (a.ravel()[order].astype(np.int32) for a in (down, right))
    return Moves(downwards, rightwards, price.ravel()[order], side)


@no_type_check
@compiled
def auction(visible, saliency, height, width, table, source, asking, position):
    """Fill `source`: for each place the block that goes there; itself where nobody asked."""
    places = height * width
    count = 0
    for b in range(places):
        source[b] = -1
        position[b] = 0
        if saliency[b] > 0:
            asking[count] = b
            count += 1
    for _ in range(table.rounds):
        losers = 0
        for a in range(count):
            b = asking[a]
            row, column = b // width, b % width
            p = position[b]
            while p < table.price.size and table.price[p] - saliency[b] < 0:
                r, c = row + table.down[p], column + table.right[p]
                if 0 <= r < height and 0 <= c < width and visible[r * width + c]:
                    break
                p += 1
            position[b] = p
            if p == table.price.size or table.price[p] - saliency[b] >= 0:
                continue  # nothing left that pays
            place = (row + table.down[p]) * width + column + table.right[p]
            holder = source[place]
            if holder >= 0:
                bid, held = table.price[p] - saliency[b], table.price[position[holder]] - saliency[holder]
                if held < bid or (held == bid and holder < b):
                    holder, b = b, holder
            source[place] = b
            if holder >= 0:
                position[holder] += 1
                asking[losers] = holder  # never ahead of a: at most one loser per asker
                losers += 1
        count = losers
        if count == 0:
            break
    for b in range(places):
        if source[b] < 0:
            source[b] = b


@no_type_check
@compiled
def transport_pairs(first, last, kept, whole, rows, saliency, height, width, table, source):
    """Fill `source[:, p]` for the pairs from first to last; image 0 is the sample, 1 the partner."""
    mask_height, mask_width = kept.shape[2], kept.shape[3]
    tall, wide = height // mask_height, width // mask_width
    visible = np.empty(height * width, np.bool_)
    asking, position = np.empty(height * width, np.int32), np.empty(height * width, np.int32)
    for p in range(first, last):
        for k in range(kept.shape[0]):
            for image in range(2):
                for r in range(height):
                    for c in range(width):
                        share = kept[k, p, r // tall, c // wide]
                        visible[r * width + c] = share < whole if image else share > 0
                auction(visible, saliency[rows[image, p]], height, width, table, source[k, p, image], asking, position)


def transport(
    kept: Tensor,
    whole: int,
    saliency: Float[Tensor, "B h w"],
    sample: Int64[Tensor, "P"],
    partner: Int64[Tensor, "P"],
    cost: float,
    rule: str = "auction",
) -> Int32[Tensor, "K P 2 places"]:
    """For every mix, image and place the block whose pixels go there: the authors' auction, on every visible place.

    Where all of a visible place's saliency is zero and nobody asks for it, it keeps its own pixels (the authors' code
    leaves it black).

    Args:
        kept: (K, P, rows, columns) integers from 0 to `whole`: how much of the sample a block of the mask keeps.
        whole: 1 with two levels, 2 with three.
        saliency: on the transport's own grid, whose sides are multiples of the mask's; sums to 1 per image.
        sample: rows of saliency that the pairs keep.
        partner: rows of saliency they mix with.
        cost: price of a move across the whole grid, relative to all of an image's saliency.
        rule: `"auction"`, or `"exact"` for the cheapest assignment of blocks to visible places.
    """
    if kept.device.type != "cpu":
        moved = transport(kept.cpu(), whole, saliency.cpu(), sample.cpu(), partner.cpu(), cost, rule)
        return moved.to(kept.device)
    mixes, pairs = kept.shape[:2]
    height, width = saliency.shape[1:]
    source = torch.empty((mixes, pairs, 2, height * width), dtype=torch.int32)
    rows = torch.stack([sample, partner]).numpy()
    numbers = saliency.detach().float().flatten(1).contiguous().numpy()
    table = moves(height, width, float(cost))
    if rule == "exact":
        from multimix.puzzle.assignment import assign

        return assign(kept, whole, rows, numbers, height, width, table)
    over_pairs(
        transport_pairs, pairs, kept.contiguous().numpy(), whole, rows, numbers, height, width, table, source.numpy()
    )
    return source
