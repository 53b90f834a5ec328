"""Boxes around the most salient position of each pair's partner: one launch."""

from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from multimix.kernels.triton.launch import launch

BLOCK = 1024  # positions looked at together


def boxes_around_peaks(saliency: Tensor, partner: Tensor, side: Tensor, inside: bool) -> tuple[Tensor, Tensor]:
    """First positions of boxes, and one past the last: clipped to the image, or shifted into it.

    Args:
        saliency: (B, *spatial), one to three axes. Of equal highest values the first counts; where all are equal, the
            middle.
        partner: (1, P), or (K, P) for a partner per mix.
        side: (K, P, d), int64: the sides of the boxes.
        inside: whether they are shifted, not clipped.
    """
    mixes, pairs, axes = side.shape
    spatial = saliency.shape[1:]
    low, high = torch.empty_like(side), torch.empty_like(side)
    block = min(BLOCK, max(16, 1 << (spatial.numel() - 1).bit_length()))
    launch(
        peak_boxes,
        (len(partner) * pairs,),
        *(saliency.resolve_neg().contiguous(), partner.contiguous(), side.contiguous(), low, high, mixes, pairs),
        *([1, 1, 1, *spatial][-3:]),
        FRESH=len(partner) > 1,
        AXES=axes,
        INSIDE=inside,
        WIDE=tl.float64 if saliency.dtype == torch.float64 else tl.float32,
        BLOCK=block,
        num_warps=max(1, min(4, block // 64)),
    )
    return low, high


@no_type_check
@triton.jit
def peak_of(saliency, positions, WIDE: tl.constexpr, BLOCK: tl.constexpr):
    """Return the first position of the highest value; -1 where all are the same."""
    best, least, peak = tl.full((), float("-inf"), WIDE), tl.full((), float("inf"), WIDE), tl.full((), 0, tl.int32)
    for begin in range(0, positions, BLOCK):
        at = begin + tl.arange(0, BLOCK)
        value = tl.load(saliency + at, mask=at < positions, other=0.0).to(WIDE)
        most = tl.max(tl.where(at < positions, value, float("-inf")), axis=0)
        least = tl.minimum(least, tl.min(tl.where(at < positions, value, float("inf")), axis=0))
        first = tl.min(tl.where((at < positions) & (value == most), at, positions), axis=0)
        peak = tl.where(most > best, first, peak).to(tl.int32)
        best = tl.maximum(best, most)
    return tl.where(best > least, peak, -1)


@no_type_check
@triton.jit(do_not_specialize=["mixes", "pairs"])
def peak_boxes(
    saliency,
    partner,
    side,
    low,
    high,
    mixes,
    pairs,
    depth,
    height,
    width,
    FRESH: tl.constexpr,
    AXES: tl.constexpr,
    INSIDE: tl.constexpr,
    WIDE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Fill the boxes of a pair, or of one of its mixes where each has a partner of its own."""
    positions = depth * height * width
    pair = tl.program_id(0) % pairs
    row = tl.load(partner + tl.program_id(0))
    peak = peak_of(saliency + row * positions, positions, WIDE, BLOCK)
    first, last = 0, mixes
    if FRESH:
        first = tl.program_id(0) // pairs
        last = first + 1
    sizes = (depth, height, width)
    place = (peak // (height * width), peak // width % height, peak % width)
    for k in range(first, last):
        for axis in tl.static_range(3 - AXES, 3):
            item = (k * pairs + pair) * AXES + axis + AXES - 3
            length = tl.load(side + item)
            begin = tl.where(peak < 0, sizes[axis] // 2, place[axis]) - length // 2
            if INSIDE:
                begin = tl.minimum(tl.maximum(begin, 0), sizes[axis] - length)
            tl.store(low + item, tl.maximum(begin, 0))
            tl.store(high + item, tl.minimum(begin + length, sizes[axis]))
