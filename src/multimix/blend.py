"""Masks applied to pixels: K mixes at once, into one buffer, by the device's kernel or by PyTorch."""

import torch
from torch import Tensor

from multimix.host import is_lazy_view
from multimix.kernels.family import find_kernel, find_operator
from multimix.plan import Plan
from multimix.shapes import memory_format


def blend(x: Tensor, plan: Plan, out: Tensor | None = None) -> Tensor:
    """Return the K * P mixed rows of a plan, mix-major: row `k * P + i` is mix k of pair i.

    `mask * x[sample] + (1 - mask) * x[partner]`; a mask of 1 gives the sample itself, 0 the partner. Types narrower
    than float32 are blended in float32 and rounded once.

    Args:
        x: the batch, B rows.
        plan: what to mix.
        out: a buffer of K * P rows to fill; its memory format wins. None: a new tensor in x's memory format.
    """
    if out is not None and is_lazy_view(out):
        return out.copy_(blend(x, plan))
    x = x.resolve_conj().resolve_neg()
    layout = memory_format(x)
    kernel = find_kernel(x, plan)
    if kernel is not None and (out is None or out.is_contiguous(memory_format=layout)):
        fresh = out is None
        if out is None:
            rows = plan.num_mixes * plan.num_pairs
            out = torch.empty((rows, *x.shape[1:]), dtype=x.dtype, device=x.device, memory_format=layout)
        kernel(x.contiguous(memory_format=layout), plan, out, layout, fresh)
        if not fresh and not out.is_inference():  # or autograd would take what an earlier step saved for unchanged
            torch.autograd.graph.increment_version(out)
        return out
    operator = find_operator(x, plan)
    if operator is not None:
        return operator(out)
    if out is None:
        return plan.mask.blend(x, plan.sample, plan.partner).flatten(0, 1).contiguous(memory_format=layout)
    plan.mask.blend(x, plan.sample, plan.partner, out.view(plan.num_mixes, plan.num_pairs, *x.shape[1:]))
    return out
