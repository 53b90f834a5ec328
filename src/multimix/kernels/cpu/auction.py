"""The auction on the CPU: each block looks at a small window, nearest places first."""

from typing import Any, no_type_check

import numpy as np
import torch
from jaxtyping import Float, Int32, Int64
from torch import Tensor

from multimix.kernels.threads import kernel, over_pairs, threads_by_pairs


@no_type_check
@kernel
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
@kernel
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


def transport_compiled(
    kept: Tensor,
    whole: int,
    saliency: Float[Tensor, "B h w"],
    sample: Int64[Tensor, "P"],
    partner: Int64[Tensor, "P"],
    table: Any,
) -> Int32[Tensor, "K P 2 places"]:
    """As `multimix.puzzle.transport` with the rule `"auction"`; the table is its `Moves`."""
    mixes, pairs = kept.shape[:2]
    height, width = saliency.shape[1:]
    source = torch.empty((mixes, pairs, 2, height * width), dtype=torch.int32, device="cpu")
    rows = torch.stack([sample, partner]).numpy()
    amounts = saliency.detach().float().flatten(1).contiguous().numpy()
    masks = kept.contiguous().numpy()
    threads = threads_by_pairs(pairs)
    over_pairs(transport_pairs, pairs, threads, masks, whole, rows, amounts, height, width, table, source.numpy())
    return source
