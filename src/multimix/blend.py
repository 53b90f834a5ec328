"""The kernel: masks applied to pixels, K mixes at once, into one buffer."""

import torch
from torch import Tensor

from multimix.grid import as_images
from multimix.host import has_tangent, is_lazy_view, is_readable
from multimix.masks import Blocks, Boxes, Bump, Constant, Ordered, Resized
from multimix.plan import Plan
from multimix.shapes import memory_format, spatial_shape


def blend(x: Tensor, plan: Plan, out: Tensor | None = None) -> Tensor:
    """The K * P mixed rows of a plan, mix-major: row `k * P + i` is mix k of pair i.

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
    if _compiled_fits(x, plan):
        fresh = out is None
        if out is None:
            rows = plan.num_mixes * plan.num_pairs
            out = torch.empty((rows, *x.shape[1:]), dtype=x.dtype, device=x.device, memory_format=layout)
        if out.is_contiguous(memory_format=layout):
            _blend_compiled(x.contiguous(memory_format=layout), plan, out, layout, fresh)
            return out
    if out is None:
        return plan.mask.blend(x, plan.sample, plan.partner).flatten(0, 1).contiguous(memory_format=layout)
    plan.mask.blend(x, plan.sample, plan.partner, out.view(plan.num_mixes, plan.num_pairs, *x.shape[1:]))
    return out


def _compiled_fits(x: Tensor, plan: Plan) -> bool:
    """Whether the compiled CPU kernels can do it: plain memory, no gradient, nobody tracing."""
    if type(x) is not Tensor or not is_readable(x) or x._is_zerotensor():  # zeros that autograd did not write down
        return False
    if has_tangent(x) or (x.requires_grad and torch.is_grad_enabled()):
        return False
    if isinstance(plan.mask, Blocks):
        copies = plan.mask.whole == 1 and x.dtype in (torch.float16, torch.bfloat16, torch.uint8)
        return copies or x.dtype in (torch.float32, torch.float64)
    if isinstance(plan.mask, (Constant, Bump)):
        return x.dtype in (torch.float32, torch.float64)
    if isinstance(plan.mask, (Ordered, Resized)):
        return x.dtype.itemsize <= 8
    return isinstance(plan.mask, Boxes)


def _blend_compiled(x: Tensor, plan: Plan, out: Tensor, layout: torch.memory_format, fresh: bool) -> None:
    """Hand the kernels plain arrays: a channels-last image is one whose last axis holds width times channels."""
    from multimix import compiled  # imported when first needed: numba takes half a second

    k, p = plan.num_mixes, plan.num_pairs
    if layout is not torch.contiguous_format:
        x, out = x.movedim(1, -1), out.movedim(1, -1)
    if isinstance(plan.mask, Blocks):
        _assemble_compiled(x, plan, plan.mask, out, layout)
        return
    if isinstance(plan.mask, Constant):
        compiled.lerp_rows(x.reshape(len(x), -1), plan.sample, plan.partner, plan.mask.share, out.view(k, p, -1), fresh)
        return
    if not isinstance(plan.mask, Boxes):
        last = layout is not torch.contiguous_format
        spatial = x.shape[1:-1] if last else spatial_shape(x)
        _blend_rows(x, plan, out, tuple(spatial), x.shape[-1] if last else 1)
        return
    low, high = plan.mask.low, plan.mask.high
    if layout is torch.contiguous_format:
        x, out = (x, out) if x.ndim > 2 else (x[:, None], out[:, None])
    else:
        stretch = torch.ones(low.shape[-1], dtype=torch.int64, device=x.device)
        stretch[-1] = x.shape[-1]
        low, high = low * stretch, high * stretch
        x, out = x.flatten(-2)[:, None], out.flatten(-2)[:, None]
    compiled.cut_rows(x, plan.sample, plan.partner, low, high, out.view(k, p, *x.shape[1:]), fresh)


def _blend_rows(x: Tensor, plan: Plan, out: Tensor, spatial: tuple[int, ...], inner: int) -> None:
    """Levels, bumps and resized partners: rows are flat, with `inner` channels together for each position."""
    from multimix import compiled_masks

    mask, rows = plan.mask, x.detach().reshape(len(x), -1)
    sample = torch.arange(plan.num_pairs, device=x.device) if plan.sample is None else plan.sample
    into = out.detach().view(plan.num_mixes, plan.num_pairs, -1)
    if isinstance(mask, Ordered):
        compiled_masks.pick_rows(rows, sample, plan.partner, mask.level.flatten(1), inner, into)
    elif isinstance(mask, Bump):
        compiled_masks.bump_rows(rows, sample, plan.partner, mask.factors, inner, into)
    else:
        assert isinstance(mask, Resized)
        edges = mask.boxes.low, mask.boxes.high
        compiled_masks.paste_rows(rows, sample, plan.partner, edges, spatial, inner, into)


def _assemble_compiled(x: Tensor, plan: Plan, mask: Blocks, out: Tensor, layout: torch.memory_format) -> None:
    from multimix.puzzle.assemble import assemble

    columns = mask.columns
    sample = torch.arange(plan.num_pairs, device=x.device) if plan.sample is None else plan.sample
    if layout is not torch.contiguous_format:  # one image of H rows, W * C values each
        columns = columns * x.shape[-1]
        x, out = x.flatten(2)[:, None], out.flatten(2)[:, None]
    x, out = as_images(x), as_images(out)
    out = out.view(plan.num_mixes, plan.num_pairs, *out.shape[1:])
    assemble(x, sample, plan.partner, mask.kept, mask.whole, mask.source, (mask.rows, columns), mask.per_block, out)
