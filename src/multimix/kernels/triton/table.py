"""Which masks Triton's kernels mix by, and values of which types."""

from collections.abc import Callable

import torch
from torch import Tensor

from multimix.kernels.triton.work import Work, work_of
from multimix.masks import Mask
from multimix.plan import Plan

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
WHOLE = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)  # only copied


def find(mask: Mask, dtype: torch.dtype) -> Callable[[Tensor, Plan, Tensor, torch.memory_format, bool], None] | None:
    """Return the kernel for masks of this kind and values of this type; None: there is none."""
    return None if find_work(mask, dtype) is None else _fill


def find_work(mask: Mask, dtype: torch.dtype) -> Work | None:
    """Return what the kernels take of a mask; None where they have none for it and values of this type."""
    if dtype not in FLOATS and (mask.averages or dtype not in WHOLE):
        return None
    work = work_of(mask)
    return None if work is None or any(tensor.requires_grad for tensor in work.tensors) else work


def _fill(x: Tensor, plan: Plan, out: Tensor, layout: torch.memory_format, fresh: bool) -> None:
    from multimix.kernels.triton.rows import mix_rows  # imports triton

    work = work_of(plan.mask)
    assert work is not None
    mix_rows(x.detach(), plan.sample, plan.partner, work, plan.num_mixes, out.detach())
