"""Which kernels mix a batch: those of its device, or PyTorch's own operations.

`MULTIMIX_KERNELS` chooses for the whole process, and is read once: `auto` (the default) takes the CPU kernels for
batches on the CPU and PyTorch elsewhere; `torch` takes PyTorch everywhere; `cpu` is the CPU kernels by name; `triton`
is refused until there are such kernels. Puzzle Mix's masks are found by the same solver in any case.
"""

import os
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from multimix.host import has_tangent, in_transform
from multimix.plan import Plan
from multimix.suggest import check_option

VARIABLE = "MULTIMIX_KERNELS"
FAMILIES = ("auto", "torch", "cpu", "triton")
TABLES = {"cpu": "multimix.kernels.cpu.table"}  # what each family can mix: imported when first used

Blend = Callable[[Tensor, Plan, Tensor, torch.memory_format, bool], None]
"""Fill a buffer: `(x, plan, out, layout, fresh)`, both tensors contiguous in that memory format, out just allocated or
not."""


@cache
def chosen() -> str:
    """The family that this process shall use.

    Raises:
        ValueError: if the variable names no family, or one that does not exist yet.
    """
    return checked_family(os.environ.get(VARIABLE) or "auto")


def checked_family(name: str) -> str:
    """The name of a family that there is."""
    check_option(VARIABLE, name, FAMILIES)
    if name == "triton":
        raise ValueError(
            f'{VARIABLE} must name kernels that there are, got {VARIABLE}="triton", whose kernels for masks are '
            f'missing in this version; unset it, or set "auto", "torch" or "cpu"'
        )
    return name


def family_of(device: torch.device) -> str:
    """The family that mixes on a device."""
    return "cpu" if device.type == "cpu" and chosen() != "torch" else "torch"


def find_kernel(x: Tensor, plan: Plan) -> Blend | None:
    """The kernel for a batch and a plan; None where PyTorch mixes.

    Kernels read plain memory: no gradient may be asked for, and nobody may trace or transform the code.
    """
    if type(x) is not Tensor or torch.compiler.is_compiling() or in_transform():
        return None
    if x._is_zerotensor() or has_tangent(x) or (x.requires_grad and torch.is_grad_enabled()):
        return None
    family = family_of(x.device)
    if family not in TABLES:
        return None
    found: Blend | None = _table(family).find(plan.mask, x.dtype)
    return found


@cache
def _table(family: str) -> Any:
    return import_module(TABLES[family])
