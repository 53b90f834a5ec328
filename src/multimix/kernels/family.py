"""Which kernels mix a batch: those of its device, or PyTorch's own operations.

`MULTIMIX_KERNELS` chooses for the whole process, and is read once: `auto` (the default) takes the CPU kernels for
batches on the CPU, Triton's on a GPU where they can be used, and PyTorch elsewhere; `torch` takes PyTorch everywhere;
`cpu` the CPU kernels, and PyTorch on a GPU; `triton` is as `auto`, but where the kernels cannot be used it is an error,
and with `TRITON_INTERPRET=1` also batches on the CPU go through Triton's kernels, in its interpreter.
"""

import os
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from multimix.host import has_tangent, in_transform
from multimix.kernels.triton import available
from multimix.plan import Plan
from multimix.suggest import check_option

VARIABLE = "MULTIMIX_KERNELS"
FAMILIES = ("auto", "torch", "cpu", "triton")
TABLES = {  # what each family can mix: imported when first used
    "cpu": "multimix.kernels.cpu.table",
    "triton": "multimix.kernels.triton.table",
}

Blend = Callable[[Tensor, Plan, Tensor, torch.memory_format, bool], None]
"""Fill a buffer: `(x, plan, out, layout, fresh)`, both tensors contiguous in that memory format, out just allocated or
not."""


@cache
def chosen() -> str:
    """Return the family that this process shall use.

    Raises:
        ValueError: if the variable names no family, or one that cannot be used here.
    """
    return checked_family(os.environ.get(VARIABLE) or "auto")


def checked_family(name: str) -> str:
    """Return the name of a family that can be used."""
    check_option(VARIABLE, name, FAMILIES)
    if name != "triton":
        return name
    if not available.interpreted() and not torch.cuda.is_available():
        _refuse_triton("no GPU was found, and no TRITON_INTERPRET=1, which runs them on the CPU, slowly")
    if available.interpreted() and (why := available.why_not(torch.device("cpu"))):
        _refuse_triton(why)
    return name


def family_of(device: torch.device) -> str:
    """Return the family that mixes on a device: cpu, triton or torch."""
    name = chosen()
    if device.type == "cpu" and name != "torch":
        return "triton" if name == "triton" and available.interpreted() else "cpu"
    if device.type != "cuda" or name not in ("auto", "triton"):
        return "torch"
    if name == "triton" and (why := available.why_not(device)):
        _refuse_triton(why)
    return "triton" if available.usable(device) else "torch"


# What torch.compiler.assume_constant_result sets; that would import the whole compiler here and now.
family_of._dynamo_marked_constant = True  # type: ignore[attr-defined]


def missing(device: torch.device) -> str:
    """Why PyTorch has to mix on a GPU where Triton's kernels would; empty elsewhere."""
    return available.why_not(device) if device.type == "cuda" and chosen() == "auto" else ""


def _refuse_triton(why: str) -> None:
    raise ValueError(
        f'{VARIABLE} must name kernels that can be used here, got {VARIABLE}="triton": {why}; unset it, or set "auto", '
        f'"torch" or "cpu"'
    )


def find_kernel(x: Tensor, plan: Plan) -> Blend | None:
    """Return the kernel for a batch and a plan, to fill a buffer; None where there is none.

    It reads plain memory: no gradient may be asked for, and nobody may trace or transform the code.
    """
    if torch.compiler.is_compiling() or not _is_plain(x) or (x.requires_grad and torch.is_grad_enabled()):
        return None
    family = family_of(x.device)
    if family not in TABLES:
        return None
    found: Blend | None = _table(family).find(plan.mask, x.dtype)
    return found


def find_operator(x: Tensor, plan: Plan) -> Callable[[Tensor | None], Tensor] | None:
    """Return what mixes a batch, into a buffer if there is one, where gradients are asked for or the code is traced.

    None: PyTorch's own operations do; tangents and transforms of torch.func would be lost on this one.
    """
    if not takes_triton(x):
        return None
    from multimix.kernels.triton.operators import mixed
    from multimix.kernels.triton.table import find_work

    work = find_work(plan.mask, x.dtype)
    return None if work is None else lambda out: mixed(x, plan, work, out)


def takes_triton(x: Tensor) -> bool:
    """Whether Triton's kernels may read x: it is on a device that has them, and nobody transforms it."""
    return _is_plain(x) and family_of(x.device) == "triton"


def _is_plain(x: Tensor) -> bool:
    """Whether x is what it seems to be: no other kind of tensor, in no transform, with no tangent."""
    if type(x) is not Tensor or in_transform():
        return False
    return torch.compiler.is_compiling() or not (x._is_zerotensor() or has_tangent(x))


@cache
def _table(family: str) -> Any:
    return import_module(TABLES[family])
