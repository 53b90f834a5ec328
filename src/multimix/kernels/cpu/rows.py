"""How mixes by levels, bumps and resized partners are written on a CPU: each pair is read once for all K of them.

Rows are flat: `outer` times the positions of the spatial axes in reading order, times `inner`; so channels come first
(inner = 1) or last (outer = 1). What is only copied goes as integers of its width, whatever its type.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from multimix.kernels.cpu.indices import check_rows
from multimix.kernels.threads import kernel, over_pairs, threads_by_bytes

BLOCK = 4096  # numbers of a row handled at a time, by all K mixes: what is read stays in a first-level cache
INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # by their width in bytes


def pick_rows(rows: Tensor, sample: Tensor, partner: Tensor, level: Tensor, inner: int, out: Tensor) -> None:
    """Write `rows[sample[i]]` where `level[i]` is above k, else `rows[partner[k, i]]`.

    Args:
        rows: (B, N), contiguous, of any type of up to eight bytes.
        sample: (P,), long.
        partner: (P,) or (K, P), long.
        level: (P, S), with N a multiple of S * inner.
        inner: numbers per position that lie together.
        out: (K, P, N), contiguous, of x's dtype, sharing no memory with it.

    Raises:
        IndexError: A sample or a partner is no row.
    """
    arguments = (_copied(rows), *_pairs(rows, sample, partner), level.contiguous().numpy(), inner, _copied(out))
    over_pairs(_pick, out.shape[1], threads_by_bytes(out.shape[1], out.nbytes), *arguments)


def bump_rows(
    rows: Tensor, sample: Tensor, partner: Tensor, factors: tuple[Tensor, ...], inner: int, out: Tensor
) -> None:
    """Write `(1 - b) rows[sample[i]] + b rows[partner[k, i]]`, with b the product of one factor per axis.

    At b = 0 and b = 1 one row is copied and the other does not enter, whatever it holds.

    Args:
        rows: (B, N), contiguous, float32 or float64.
        sample: (P,), long.
        partner: (P,) or (K, P), long.
        factors: (K, P, S) for each spatial axis, one to three.
        inner: numbers per position that lie together.
        out: (K, P, N), contiguous, of x's dtype, sharing no memory with it.

    Raises:
        IndexError: A sample or a partner is no row.
    """
    last = factors[-1].to(rows.dtype).repeat_interleave(inner, 2).contiguous()
    lead = last.new_ones(*last.shape[:2], 1)
    for factor in factors[:-1]:
        lead = (lead[..., None] * factor.to(rows.dtype)[:, :, None]).flatten(2)
    arguments = (rows.numpy(), *_pairs(rows, sample, partner), lead.contiguous().numpy(), last.numpy(), out.numpy())
    over_pairs(_bump, out.shape[1], threads_by_bytes(out.shape[1], out.nbytes), *arguments)


def paste_rows(
    rows: Tensor,
    sample: Tensor,
    partner: Tensor,
    edges: tuple[Tensor, Tensor],
    spatial: tuple[int, ...],
    inner: int,
    out: Tensor,
) -> None:
    """Write `rows[sample[i]]`, and in the box the whole of `rows[partner[k, i]]`, resized to it.

    Args:
        rows: (B, N), contiguous, of any type of up to eight bytes.
        sample: (P,), long.
        partner: (P,) or (K, P), long.
        edges: of boxes inside the image, first positions and ends, (K, P, d).
        spatial: sizes of the one to three spatial axes.
        inner: numbers per position that lie together.
        out: (K, P, N), contiguous, of x's dtype, sharing no memory with it.

    Raises:
        IndexError: A sample or a partner is no row.
    """
    low, high = (np.clip(edge.numpy(), 0, spatial) for edge in edges)
    missing = 3 - len(spatial)
    sizes = (1,) * missing + spatial
    low = np.pad(low, ((0, 0), (0, 0), (missing, 0)))
    high = np.pad(high, ((0, 0), (0, 0), (missing, 0)), constant_values=1)
    arguments = (_copied(rows), *_pairs(rows, sample, partner), low, high, sizes, inner, _copied(out))
    over_pairs(_paste, out.shape[1], threads_by_bytes(out.shape[1], out.nbytes), *arguments)


def _copied(rows: Tensor) -> np.ndarray:
    """Numbers that are only copied, as integers: numpy has no bfloat16."""
    return rows.view(INTEGERS[rows.element_size()]).numpy()


def _pairs(rows: Tensor, sample: Tensor, partner: Tensor) -> tuple[np.ndarray, np.ndarray]:
    sample, partner = sample.contiguous(), partner.reshape(-1, partner.shape[-1]).contiguous()
    check_rows(len(rows), sample, partner)
    return sample.numpy(), partner.numpy()


@kernel
def _pick(start: int, stop: int, rows: Any, sample: Any, partner: Any, level: Any, inner: int, out: Any) -> None:
    mixes, several = out.shape[0], partner.shape[0] > 1
    positions = level.shape[1]
    size = positions * inner
    levels = np.empty(size, level.dtype)
    for i in range(start, stop):
        for position in range(positions):
            for c in range(inner):
                levels[position * inner + c] = level[i, position]
        mine = rows[sample[i]]
        for begin in range(0, rows.shape[1], size):
            for at in range(0, size, BLOCK):
                end = min(at + BLOCK, size)
                own, above = mine[begin + at : begin + end], levels[at:end]
                for k in range(mixes):
                    other = rows[partner[k if several else 0, i]][begin + at : begin + end]
                    target = out[k, i, begin + at : begin + end]
                    for n in range(end - at):
                        a, b = own[n], other[n]
                        target[n] = a if above[n] > k else b


@kernel
def _bump(start: int, stop: int, rows: Any, sample: Any, partner: Any, lead: Any, last: Any, out: Any) -> None:
    mixes, several = out.shape[0], partner.shape[0] > 1
    lines, size = lead.shape[2], last.shape[2]
    zero, half, one = last.dtype.type(0), last.dtype.type(0.5), last.dtype.type(1)
    for i in range(start, stop):
        mine = rows[sample[i]]
        for line in range(rows.shape[1] // size):
            own = mine[line * size : (line + 1) * size]
            for k in range(mixes):
                other = rows[partner[k if several else 0, i]][line * size : (line + 1) * size]
                target, factor, across = (
                    out[k, i, line * size : (line + 1) * size],
                    lead[k, i, line % lines],
                    last[k, i],
                )
                for n in range(size):
                    a, b, share = own[n], other[n], factor * across[n]
                    mixed = a + share * (b - a) if share < half else b - (b - a) * (one - share)
                    target[n] = a if share == zero else b if share == one else mixed


@kernel
def _paste(
    start: int,
    stop: int,
    rows: Any,
    sample: Any,
    partner: Any,
    low: Any,
    high: Any,
    sizes: Any,
    inner: int,
    out: Any,
) -> None:
    mixes, several = out.shape[0], partner.shape[0] > 1
    depth, height, width = sizes
    line, plane = width * inner, height * width * inner
    there = np.empty(line, np.int64)
    for i in range(start, stop):
        for k in range(mixes):
            out[k, i] = rows[sample[i]]
            other = rows[partner[k if several else 0, i]]
            deep, high_up, wide = (
                high[k, i, 0] - low[k, i, 0],
                high[k, i, 1] - low[k, i, 1],
                high[k, i, 2] - low[k, i, 2],
            )
            for step in range(wide):
                for c in range(inner):
                    there[step * inner + c] = (2 * step + 1) * width // (2 * wide) * inner + c
            for begin in range(0, rows.shape[1], depth * plane):
                for z in range(deep):
                    z_from = (2 * z + 1) * depth // (2 * deep)
                    for y in range(high_up):
                        y_from = (2 * y + 1) * height // (2 * high_up)
                        source = begin + z_from * plane + y_from * line
                        target = begin + (low[k, i, 0] + z) * plane + (low[k, i, 1] + y) * line + low[k, i, 2] * inner
                        for n in range(wide * inner):
                            out[k, i, target + n] = other[source + there[n]]
