"""How K mixes are put together from blocks, on a CPU: in runs of pixels, as long as they can be.

Most blocks stay where they are and most neighbours are of one image, so neighbouring cells whose pixels lie side by
side are joined: each run is copied once, straight to its place.
"""

from typing import no_type_check

import numpy as np
import torch
from torch import Tensor

from multimix.kernels.cpu.indices import check_rows
from multimix.kernels.threads import kernel, over_pairs, threads_by_pairs


@no_type_check
@kernel
def assemble_pairs(
    first, last, x, out, shape, sample, partner, kept, whole, source, row_edges, column_edges, per_block, inner
):
    """Fill the mixes of the pairs from first to last. x and out are flat, `partner` is (K, P), or (1, P) for all mixes.

    Edges are those of the cells, `per_block` says how many there are in a block of the mask, down and across. Of each
    position `inner` numbers lie together.
    """
    channels, height, width = shape
    down, across = row_edges.size - 1, column_edges.size - 1
    mixes, pairs = kept.shape[0], kept.shape[1]
    image = channels * height * width
    # Per run: where it starts in x and in the row, its length, the lines it may read, its share; and how many repeats.
    runs = np.empty((6, 2 * across), np.int64)
    for p in range(first, last):
        for k in range(mixes):
            own, other = sample[p] * image, partner[min(k, partner.shape[0] - 1), p] * image
            goal = (k * pairs + p) * image
            for r in range(down):
                shares = kept[k, p, r // per_block[0]]
                count = list_runs(
                    source[k, p], shares, whole, own, other, r, row_edges, column_edges, per_block[1], width, runs
                )
                top, tall = row_edges[r], row_edges[r + 1] - row_edges[r]
                unbroken = runs[2, 0] == width and runs[4, 0] == whole and runs[3, 0] >= tall
                for c in range(channels):
                    plane = c * height * width
                    if unbroken:  # the lines follow each other, too
                        start, at, length = runs[0, 0] + plane, goal + plane + top * width, tall * width
                        read, written = x[start : start + length], out[at : at + length]
                        for n in range(length):
                            written[n] = read[n]
                        continue
                    for i in range(tall):
                        copy_runs(x, out, goal + plane + (top + i) * width, plane, i, width, runs, count, whole, inner)


@no_type_check
@kernel
def list_runs(source, shares, whole, own, other, r, row_edges, column_edges, per_block, width, runs):
    """The runs of one row of cells; how many there are. A blended cell is two: the second is added to the first."""
    across = column_edges.size - 1
    tall = row_edges[r + 1] - row_edges[r]
    count = 0
    for c in range(across):
        share = shares[c // per_block]
        left, wide = column_edges[c], column_edges[c + 1] - column_edges[c]
        for which in range(2):
            part = whole - share if which else share
            if part == 0:
                continue
            cell = source[which, r * across + c]
            a, b = cell // across, cell % across
            start = (other if which else own) + row_edges[a] * width + column_edges[b]
            lines, length = row_edges[a + 1] - row_edges[a], min(wide, column_edges[b + 1] - column_edges[b])
            j = count - 1
            joins = count > 0 and part == whole and runs[4, j] == whole and runs[5, j] == 0 and length == wide
            if joins and runs[0, j] + runs[2, j] == start and min(lines, tall) == min(runs[3, j], tall):
                runs[2, j] += length
                continue
            runs[0, count], runs[1, count], runs[2, count], runs[3, count] = start, left, length, lines
            runs[4, count], runs[5, count] = part if which == 0 or part == whole else -part, wide - length
            count += 1
    return count


@no_type_check
@kernel
def copy_runs(x, out, line, plane, i, width, runs, count, whole, inner):
    """One line of pixels. A cell that is a pixel short repeats its last column, and its last row."""
    for j in range(count):
        start, length, part = runs[0, j] + plane + min(i, runs[3, j] - 1) * width, runs[2, j], runs[4, j]
        at = line + runs[1, j]
        read, written = x[start : start + length], out[at : at + length]
        if part == whole:
            for n in range(length):
                written[n] = read[n]
        elif part > 0:
            for n in range(length):
                written[n] = part * read[n] / whole
        else:
            for n in range(length):
                written[n] += -part * read[n] / whole
        for n in range(runs[5, j]):
            last = out.dtype.type(abs(part) * read[length - inner + n] / whole)
            out[at + length + n] = last if part > 0 else out[at + length + n] + last


def assemble(
    x: Tensor,
    sample: Tensor,
    partner: Tensor,
    kept: Tensor,
    whole: int,
    source: Tensor | None,
    edges: tuple[Tensor, Tensor],
    per_block: tuple[int, int],
    inner: int,
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
        inner: numbers per position that lie together, along the last axis: W and the edges across are multiples of it.
        out: (K, P, C, H, W), contiguous, of x's dtype.

    Raises:
        IndexError: A sample or a partner is no row of x. Nothing has been written then.
    """
    if out.dtype.itemsize == 2:
        x, out = x.view(torch.int16), out.view(torch.int16)  # numba knows no bfloat16, and nothing is blended
    mixes, pairs = out.shape[:2]
    if source is None:
        cells = (len(edges[0]) - 1) * (len(edges[1]) - 1)
        source = torch.arange(cells, dtype=torch.int32, device="cpu").expand(mixes, pairs, 2, cells)
    sample, partner = sample.contiguous(), partner.contiguous()
    check_rows(len(x), sample, partner)
    inputs = [t.contiguous().numpy() for t in (sample, partner.view(-1, pairs), kept)]
    ends = [e.contiguous().numpy() for e in edges]
    over_pairs(
        assemble_pairs,
        pairs,
        threads_by_pairs(pairs),
        x.view(-1).numpy(),
        out.view(-1).numpy(),
        tuple(out.shape[2:]),
        *inputs,
        whole,
        source.contiguous().numpy(),
        *ends,
        np.array(per_block),
        inner,
    )
