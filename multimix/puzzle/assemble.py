"""How K mixes are put together from blocks, on a CPU: every run of pixels is copied once, into its place."""

from typing import no_type_check

import numpy as np
import torch
from torch import Tensor

from multimix.puzzle.compiled import compiled, over_pairs


@no_type_check
@compiled
def assemble_pairs(first, last, x, out, sample, partner, kept, whole, source, row_edges, column_edges, per_block):
    """Fill `out[k, p]` for the pairs from first to last. `partner` is (K, P), or (1, P) for all mixes.

    Edges are those of the cells, `per_block` says how many there are in a block of the mask, down and across.
    """
    height, width = row_edges.size - 1, column_edges.size - 1
    for p in range(first, last):
        for k in range(out.shape[0]):
            own, other = x[sample[p]], x[partner[min(k, partner.shape[0] - 1), p]]
            for place in range(height * width):
                r, c = place // width, place % width
                share = kept[k, p, r // per_block[0], c // per_block[1]]
                top, left = row_edges[r], column_edges[c]
                tall, wide = row_edges[r + 1] - top, column_edges[c + 1] - left
                mine, theirs = source[k, p, 0, place], source[k, p, 1, place]
                a, b = mine // width, mine % width
                d, e = theirs // width, theirs % width
                for channel in range(x.shape[1]):
                    for i in range(tall):
                        goal = out[k, p, channel, top + i, left : left + wide]
                        if share > 0:
                            put(own[channel], row_edges, column_edges, a, b, i, goal)
                        if share == 0:
                            put(other[channel], row_edges, column_edges, d, e, i, goal)
                        elif share < whole:
                            mix(other[channel], row_edges, column_edges, d, e, i, goal, share, whole)


@no_type_check
@compiled
def put(image, row_edges, column_edges, r, c, i, goal):
    """Row i of block (r, c). A block that is one pixel short repeats its last row or column."""
    y = min(row_edges[r] + i, row_edges[r + 1] - 1)
    line = image[y, column_edges[c] : column_edges[c + 1]]
    n = min(goal.size, line.size)
    for j in range(n):
        goal[j] = line[j]
    for j in range(n, goal.size):
        goal[j] = line[n - 1]


@no_type_check
@compiled
def mix(image, row_edges, column_edges, r, c, i, goal, share, whole):
    """The same, blended with what is there."""
    y = min(row_edges[r] + i, row_edges[r + 1] - 1)
    line = image[y, column_edges[c] : column_edges[c + 1]]
    for j in range(goal.size):
        goal[j] = (share * goal[j] + (whole - share) * line[min(j, line.size - 1)]) / whole


def assemble(
    x: Tensor,
    sample: Tensor,
    partner: Tensor,
    kept: Tensor,
    whole: int,
    source: Tensor | None,
    edges: tuple[Tensor, Tensor],
    per_block: tuple[int, int],
    out: Tensor,
) -> None:
    """Write the mixes of a plan.

    Args:
        x: (B, C, H, W), contiguous.
        sample: (P,), long.
        partner: (P,), or (K, P) for a partner per mix, long.
        kept: (K, P, rows, columns), bytes from 0 to `whole`: the share of the sample in each block.
        whole: what `kept` is if a block is the sample's; 1 for types that are not float32 or float64.
        source: (K, P, 2, cells): the cell whose pixels go to each cell, of the sample and the partner; None: its own.
        edges: where the cells start and end, down and across.
        per_block: cells per block, down and across.
        out: (K, P, C, H, W), contiguous, of x's dtype.
    """
    if out.dtype.itemsize == 2:
        x, out = x.view(torch.int16), out.view(torch.int16)  # numba knows no bfloat16, and nothing is blended
    mixes, pairs = out.shape[:2]
    if source is None:
        cells = (len(edges[0]) - 1) * (len(edges[1]) - 1)
        source = torch.arange(cells, dtype=torch.int32).expand(mixes, pairs, 2, cells)
    partners = partner if partner.ndim == 2 else partner[None]
    inputs = [t.detach().contiguous().numpy() for t in (sample, partners, kept)]
    ends = [e.contiguous().numpy() for e in edges]
    over_pairs(
        assemble_pairs,
        pairs,
        x.detach().contiguous().numpy(),
        out.numpy(),
        *inputs,
        whole,
        source.contiguous().numpy(),
        *ends,
        np.array(per_block),
    )
