"""Which CPU kernel mixes by which kind of mask, and values of which types it takes.

Kernels are imported when first used: numba takes half a second.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from multimix.masks import Blocks, Boxes, Bump, Constant, Mask, Ordered, Resized
from multimix.plan import Plan


class Job(NamedTuple):
    """What to write, as plain arrays. A channels-last image has one channel, and a last axis of width times channels.

    Attributes:
        x: (B, C, *spatial), contiguous.
        sample: (P,), long.
        partner: (P,) or (K, P), long.
        out: (K, P, C, *spatial), contiguous.
        inner: numbers per position that lie together.
        fresh: whether out was allocated for this call.
    """

    x: Tensor
    sample: Tensor
    partner: Tensor
    out: Tensor
    inner: int
    fresh: bool


Write = Callable[[Any, Job], None]
Takes = Callable[[Any, torch.dtype], bool]


def find(mask: Mask, dtype: torch.dtype) -> Callable[[Tensor, Plan, Tensor, torch.memory_format, bool], None] | None:
    """Return the kernel for masks of this kind and values of this type; None: there is none."""
    write, takes = KERNELS.get(type(mask), (None, None))
    if write is None or takes is None or not takes(mask, dtype) or _is_learnt(mask):
        return None
    return partial(_run, write)


def _is_learnt(mask: Mask) -> bool:
    """Whether a gradient is asked for by shares: other masks hold what has none."""
    shares = [mask.share] if isinstance(mask, Constant) else mask.factors if isinstance(mask, Bump) else []
    return any(share.requires_grad for share in shares)


def _run(write: Write, x: Tensor, plan: Plan, out: Tensor, layout: torch.memory_format, fresh: bool) -> None:
    inner = 1
    if x.requires_grad or out.requires_grad:
        x, out = x.detach(), out.detach()
    if layout is not torch.contiguous_format:
        inner = x.shape[1]
        x, out = (rows.movedim(1, -1).flatten(-2)[:, None] for rows in (x, out))
    elif x.ndim < 3:
        x, out = (rows.view(len(rows), 1, -1) for rows in (x, out))
    sample = _counted(plan.num_pairs) if plan.sample is None else plan.sample
    out = out.view(plan.num_mixes, plan.num_pairs, *out.shape[1:])
    write(plan.mask, Job(x, sample, plan.partner, out, inner, fresh))


@lru_cache(maxsize=8)
def _counted(pairs: int) -> Tensor:
    """Return the samples of pairs that keep sample i as pair i."""
    return torch.arange(pairs, device="cpu")


def _constant(mask: Constant, job: Job) -> None:
    from multimix.kernels.cpu.streamed import lerp_rows

    lerp_rows(job.x, job.sample, job.partner, mask.share, job.out, job.fresh)


def _boxes(mask: Boxes, job: Job) -> None:
    from multimix.kernels.cpu.streamed import cut_rows

    low, high = mask.low, mask.high
    if job.inner > 1:
        stretch = torch.ones(low.shape[-1], dtype=torch.int64, device="cpu")
        stretch[-1] = job.inner
        low, high = low * stretch, high * stretch
    cut_rows(job.x, job.sample, job.partner, low, high, job.out, job.fresh)


def _resized(mask: Resized, job: Job) -> None:
    from multimix.kernels.cpu.rows import paste_rows

    edges = mask.boxes.low, mask.boxes.high
    paste_rows(job.x.flatten(1), job.sample, job.partner, edges, mask.spatial, job.inner, job.out.flatten(2))


def _ordered(mask: Ordered, job: Job) -> None:
    from multimix.kernels.cpu.rows import pick_rows

    pick_rows(job.x.flatten(1), job.sample, job.partner, mask.level.flatten(1), job.inner, job.out.flatten(2))


def _bump(mask: Bump, job: Job) -> None:
    from multimix.kernels.cpu.rows import bump_rows

    bump_rows(job.x.flatten(1), job.sample, job.partner, mask.factors, job.inner, job.out.flatten(2))


def _blocks(mask: Blocks, job: Job) -> None:
    from multimix.kernels.cpu.blocks import assemble

    x, out = (job.x, job.out) if len(mask.spatial) == 2 else (job.x.unsqueeze(-2), job.out.unsqueeze(-2))
    edges = mask.rows, mask.columns * job.inner
    assemble(x, job.sample, job.partner, mask.kept, mask.whole, mask.source, edges, mask.per_block, job.inner, out)


def _floats(mask: Mask, dtype: torch.dtype) -> bool:
    return dtype in (torch.float32, torch.float64)


def _copied(mask: Mask, dtype: torch.dtype) -> bool:
    return dtype.itemsize <= 8


def _block_types(mask: Blocks, dtype: torch.dtype) -> bool:
    copied = not mask.averages and dtype in (torch.float16, torch.bfloat16, torch.uint8)
    return copied or _floats(mask, dtype)


def _all(mask: Mask, dtype: torch.dtype) -> bool:
    return True


KERNELS: dict[type, tuple[Write, Takes]] = {
    Constant: (_constant, _floats),
    Boxes: (_boxes, _all),
    Resized: (_resized, _copied),
    Ordered: (_ordered, _copied),
    Bump: (_bump, _floats),
    Blocks: (_blocks, _block_types),
}
