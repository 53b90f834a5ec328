"""Which Triton kernel mixes by which kind of mask, and values of which types it takes."""

from collections.abc import Callable

import torch
from torch import Tensor

from multimix.masks import Mask
from multimix.plan import Plan


def find(mask: Mask, dtype: torch.dtype) -> Callable[[Tensor, Plan, Tensor, torch.memory_format, bool], None] | None:
    """The kernel for masks of this kind and values of this type; None: there is none."""
    return None
