"""Mixing as operators of PyTorch: differentiable, any number of times, and one node each in a compiled graph.

The blend is linear in the batch: its backward pass is its transpose, whose backward pass is the blend.
"""

from typing import Any

import torch
from torch import Tensor

from multimix.kernels.triton.work import NO_GRID, Work
from multimix.plan import Plan
from multimix.shapes import memory_format

PLANNED = (
    "Tensor? sample, Tensor partner, Tensor mask0, Tensor? mask1, Tensor? mask2, Tensor? source, int kind, "
    "SymInt[] sizes, bool averages, SymInt mixes, SymInt rows"
)


def mixed(x: Tensor, plan: Plan, work: Work, out: Tensor | None) -> Tensor:
    """Return the K * P mixed rows of a plan, in x's memory format, or in a buffer to fill."""
    planned = plan.sample, plan.partner, *_spelled(work), plan.num_mixes, len(x)
    if out is not None and out.is_contiguous(memory_format=memory_format(x)):
        _mix_into(x, *planned, out)
        return out
    rows: Tensor = _mix(x, *planned)
    return rows if out is None else out.copy_(rows)


def softened(y: Tensor, plan: Plan, num_classes: int, dtype: torch.dtype) -> Tensor:
    """Integer labels as those of the K * P mixed rows, (K * P, C); nan where a label is no class."""
    if torch.compiler.is_compiling():
        labels: Tensor = _soften(y, plan.sample, plan.partner, plan.weight, num_classes, dtype)
        return labels
    return _soft_rows(y, plan.sample, plan.partner, plan.weight, num_classes, dtype)  # in half of the host's time


def _spelled(work: Work) -> tuple[Any, ...]:
    """Tensors one by one: PyTorch has no batched gradients of operators that take lists of them."""
    missing = [None] * (4 - len(work.tensors))
    return *work.tensors, *missing, work.kind, [*work.grid, *work.spatial], work.averages


def _work(*spelled: Any) -> Work:
    *tensors, kind, sizes, averages = spelled
    there = [tensor for tensor in tensors if tensor is not None]
    return Work(kind, there, sizes[len(NO_GRID) :], sizes[: len(NO_GRID)], averages)


@torch.library.custom_op("multimix::mix", mutates_args=(), schema=f"(Tensor x, {PLANNED}) -> Tensor")
def _mix(x: Tensor, sample: Tensor | None, partner: Tensor, *planned: Any) -> Tensor:
    from multimix.kernels.triton.rows import mix_rows  # imports triton

    *work, mixes, _ = planned
    out = _mixed_shape(x, sample, partner, *planned)
    mix_rows(_dense(x), sample, partner, _work(*work), mixes, out)
    return out


@torch.library.custom_op(
    "multimix::mix_into", mutates_args={"out"}, schema=f"(Tensor x, {PLANNED}, Tensor(a!) out) -> ()"
)
def _mix_into(x: Tensor, sample: Tensor | None, partner: Tensor, *planned: Any) -> None:
    from multimix.kernels.triton.rows import mix_rows  # imports triton

    *work, mixes, _, out = planned
    mix_rows(_dense(x), sample, partner, _work(*work), mixes, out)


@torch.library.custom_op("multimix::spread", mutates_args=(), schema=f"(Tensor grad, {PLANNED}) -> Tensor")
def _spread(grad: Tensor, sample: Tensor | None, partner: Tensor, *planned: Any) -> Tensor:
    from multimix.kernels.triton.rows import spread_rows  # imports triton

    *work, mixes, _ = planned
    out = _spread_shape(grad, sample, partner, *planned)
    spread_rows(_dense(grad), sample, partner, _work(*work), mixes, out)
    return out


def _soft_rows(
    y: Tensor, sample: Tensor | None, partner: Tensor, weight: Tensor, num_classes: int, dtype: torch.dtype
) -> Tensor:
    from multimix.kernels.triton.labels import soften  # imports triton

    out = _soft_shape(y, sample, partner, weight, num_classes, dtype)
    soften(y, sample, partner, weight, out)
    return out


_soften = torch.library.custom_op(
    "multimix::soften",
    _soft_rows,
    mutates_args=(),
    schema="(Tensor y, Tensor? sample, Tensor partner, Tensor weight, SymInt num_classes, ScalarType dtype) -> Tensor",
)


def _soft_shape(
    y: Tensor, sample: Tensor | None, partner: Tensor, weight: Tensor, num_classes: int, dtype: torch.dtype
) -> Tensor:
    return torch.empty((weight.numel(), num_classes), dtype=dtype, device=y.device)


def _mixed_shape(x: Tensor, sample: Tensor | None, partner: Tensor, *planned: Any) -> Tensor:
    return _rows_like(x, planned[-2] * partner.shape[-1])


def _spread_shape(grad: Tensor, sample: Tensor | None, partner: Tensor, *planned: Any) -> Tensor:
    return _rows_like(grad, planned[-1])


def _rows_like(x: Tensor, rows: int) -> Tensor:
    return torch.empty((rows, *x.shape[1:]), dtype=x.dtype, device=x.device, memory_format=memory_format(x))


def _dense(x: Tensor) -> Tensor:
    """Gradients may be expanded, or laid out in any way."""
    return x.resolve_neg().contiguous(memory_format=memory_format(x))


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[1:7])
    ctx.rest = inputs[7:]


def _backward(transpose: Any) -> Any:
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        planned = *ctx.saved_tensors, *ctx.rest
        return transpose(grad, *planned), *[None] * len(planned)

    return backward


_mix.register_fake(_mixed_shape)
_spread.register_fake(_spread_shape)
_soften.register_fake(_soft_shape)
_mix.register_autograd(_backward(_spread), setup_context=_remember)
_spread.register_autograd(_backward(_mix), setup_context=_remember)
