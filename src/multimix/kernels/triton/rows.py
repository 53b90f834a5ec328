"""How `mix` and `spread` are started on the rows of a batch, whatever their memory format."""

from math import prod
from typing import Any

import torch
import triton.language as tl
from torch import Tensor

from multimix.kernels.triton.launch import launch
from multimix.kernels.triton.mix import BUMP, mix
from multimix.kernels.triton.spread import spread
from multimix.kernels.triton.work import Work

# Numbers of a row in a program: a thread reads 16 bytes of each image in half precision, 32 in single. Where cells move
# they are fewer, or there would not be enough registers.
BLOCK, MOVED_BLOCK, MOVED_SPREAD = 1024, 256, 512
LONG = 1 << 15  # positions of an axis, twice the square of which no longer fits 32 bits
INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # by their width in bytes


def mix_rows(x: Tensor, sample: Tensor | None, partner: Tensor, work: Work, mixes: int, out: Tensor) -> None:
    """Fill `out`, K * P rows, with the mixes of the batch `x`; both are dense, in one memory format.

    Args:
        x: (B, ...); what is only copied may have any type of up to eight bytes.
        sample: (P,), or None: pair i keeps row i.
        partner: (P,) or (K, P).
        work: the masks.
        mixes: K.
        out: (K * P, ...).
    """
    if not work.averages:
        x, out = (rows.view(INTEGERS[rows.element_size()]) for rows in (x, out))
    pairs, fresh = partner.shape[-1], partner.ndim == 2
    partner = partner.contiguous()
    first, second, third, source = _filled(work, partner)
    block, tiles = _blocks(x, MOVED_BLOCK if work.moves else BLOCK)
    launch(
        mix,
        (pairs * tiles,),
        *(x, partner if sample is None else sample.contiguous(), partner, first, second, third, source, out),
        *(mixes, pairs, pairs if fresh else 0, *_sizes(x, work)),
        SAMPLED=sample is not None,
        AVERAGES=work.averages,
        **_constants(x, work, fresh, block),
    )


def spread_rows(grad: Tensor, sample: Tensor | None, partner: Tensor, work: Work, mixes: int, out: Tensor) -> None:
    """Fill `out`, a row for each of the batch, with the transpose of `mix_rows`; both are dense, in one memory format.

    The order in which a row's readers are summed is that of the plan: first the pairs that keep it, then those that it
    is the partner of, each in their own order.
    """
    pairs, fresh = partner.shape[-1], partner.ndim == 2
    own = torch.arange(pairs, device=grad.device) if sample is None else sample
    readers, starts = _by_value(torch.cat([own, partner.flatten()]), len(out))
    first, second, third, source = _filled(work, partner)
    goals = goal_starts = source
    if work.moves:
        goals, goal_starts = _by_value(source, source.shape[-1])
    block, tiles = _blocks(grad, MOVED_SPREAD if work.moves else BLOCK)
    launch(
        spread,
        (len(out) * tiles,),
        *(grad, readers, starts, first, second, third, goals, goal_starts, out, mixes, pairs, *_sizes(grad, work)),
        **_constants(grad, work, fresh, block),
    )


def _by_value(numbers: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Along the last axis, the places of the numbers 0, 1, ... in order, and where those of each number begin."""
    ordered, places = numbers.long().sort(dim=-1, stable=True)
    every = torch.arange(count + 1, device=numbers.device).expand(*numbers.shape[:-1], -1)
    return places, torch.searchsorted(ordered, every.contiguous())


def _filled(work: Work, unread: Tensor) -> list[Tensor]:
    """Return the mask's tensors, and something in place of those that its kind has not."""
    return [*(tensor.contiguous() for tensor in work.tensors), *[unread] * (4 - len(work.tensors))]


def _numbers(x: Tensor) -> int:
    return prod(x.shape[1:])


def _blocks(x: Tensor, most: int) -> tuple[int, int]:
    """How many numbers of a row a program takes, and how many programs a row."""
    numbers = _numbers(x)
    block = min(most, max(16, 1 << (numbers - 1).bit_length()))
    return block, -(-numbers // block)


def _inner(x: Tensor) -> int:
    return 1 if x.is_contiguous() else x.shape[1]  # channels last


def _sizes(x: Tensor, work: Work) -> list[float]:
    *cells, whole = work.grid
    return [_numbers(x), _inner(x), *([1, 1, 1, *work.spatial][-3:]), *cells, 1 / whole]


def _constants(x: Tensor, work: Work, fresh: bool, block: int) -> dict[str, Any]:
    # Images have few sizes: known to the compiler they spare divisions. Series may have one for each batch, and
    # bumps would need more registers than there are.
    known = len(work.spatial) > 1 and work.kind != BUMP.value
    height, width = work.spatial[-2:] if known else (0, 0)
    return {
        "INNER": _inner(x) if known else 0,
        "HEIGHT": height,
        "WIDTH": width,
        "LONG": max(work.spatial, default=1) >= LONG,
        "KIND": work.kind,
        "AXES": len(work.spatial),
        "BITS": (max(work.grid[:2]) - 1).bit_length(),
        "FRESH": fresh,
        "MOVED": work.moves,
        "WIDE": tl.float64 if x.dtype == torch.float64 else tl.float32,
        "BLOCK": block,
        "num_warps": max(1, min(4, block // 64)),
    }
