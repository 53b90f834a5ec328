"""How many of K mixes keep each position of a field, where each mix keeps the highest: one launch after a sort."""

from typing import no_type_check

import torch
import triton
import triton.language as tl
from torch import Tensor

from multimix.kernels.triton.launch import launch
from multimix.kernels.triton.places import part_of_row

BLOCK = 1024  # positions in a program


def count_levels(values: Tensor, num_kept: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return the levels of `masks.Ordered`, and how many positions each mix keeps: those asked for, and all as high.

    Args:
        values: (P, N), float32.
        num_kept: (K, P), int64, at most N.
        dtype: of the levels, wide enough for K.
    """
    pairs, positions = values.shape
    falling = values.sort(dim=1, descending=True).values
    level, kept = torch.empty_like(values, dtype=dtype), torch.empty_like(num_kept)
    block = min(BLOCK, max(16, 1 << (positions - 1).bit_length()))
    launch(
        levels,
        (pairs * -(-positions // block),),
        *(values, falling, num_kept.contiguous(), level, kept, len(num_kept), pairs, positions),
        STEPS=positions.bit_length(),
        BLOCK=block,
        num_warps=max(1, min(4, block // 64)),
    )
    return level, kept


@no_type_check
@triton.jit(do_not_specialize=["mixes", "pairs"])
def levels(values, falling, num_kept, level, kept, mixes, pairs, positions, STEPS: tl.constexpr, BLOCK: tl.constexpr):
    """Fill a part of a pair's levels; the program of the first part also counts, by bisection of the sorted values."""
    pair, at = part_of_row(positions, BLOCK)
    inside = at < positions
    value = tl.load(values + pair * positions + at, mask=inside, other=0.0)
    falling += pair * positions
    count = tl.zeros([BLOCK], tl.int32)
    for k in range(mixes):
        item = k * pairs.to(tl.int64) + pair
        asked = tl.load(num_kept + item)
        lowest = tl.load(falling + tl.maximum(asked - 1, 0))
        lowest = tl.where(asked > 0, lowest, float("inf"))
        count += (value >= lowest).to(tl.int32)
        if tl.program_id(0) % tl.cdiv(positions, BLOCK) == 0:
            low, high = asked * 0, asked * 0 + positions  # so many are kept at least, at most
            for _ in range(STEPS):
                middle = (low + high) // 2
                above = (low < high) & (tl.load(falling + tl.minimum(middle, positions - 1)) >= lowest)
                low, high = tl.where(above, middle + 1, low), tl.where(above | (low >= high), high, middle)
            tl.store(kept + item, low)
    tl.store(level + pair * positions + at, count.to(level.dtype.element_ty), mask=inside)
