"""The kernel: masks applied to pixels, K mixes at once, into one buffer."""

import torch
from torch import Tensor

from multimix.host import has_tangent, in_transform, is_lazy_view, is_readable
from multimix.masks import Blocks, Boxes, Bump, Constant, Everything, Ordered, Resized
from multimix.methods.step import spatial_shape
from multimix.plan import Plan
from multimix.puzzle.blocks import as_images


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
    layout = _memory_format(x)
    if _compiled_fits(x, plan):
        fresh = out is None
        if out is None:
            rows = plan.num_mixes * plan.num_pairs
            out = torch.empty((rows, *x.shape[1:]), dtype=x.dtype, device=x.device, memory_format=layout)
        if out.is_contiguous(memory_format=layout):
            _blend_compiled(x.contiguous(memory_format=layout), plan, out, layout, fresh)
            return out
    if out is None:
        return _blend_torch(x, plan).flatten(0, 1).contiguous(memory_format=layout)
    _blend_torch(x, plan, out.view(plan.num_mixes, plan.num_pairs, *x.shape[1:]))
    return out


def _blend_torch(x: Tensor, plan: Plan, out: Tensor | None = None) -> Tensor:
    """Any device, differentiable, traceable: one broadcast operation over (K, P, ...)."""
    own = (x if plan.sample is None else x[plan.sample])[None]
    if isinstance(plan.mask, Everything):
        return own.clone() if out is None else out.copy_(own)
    if isinstance(plan.mask, Blocks):
        return _blend_blocks(x, plan, plan.mask, out)
    if isinstance(plan.mask, Resized):
        return _paste_resized(x, plan, plan.mask, out)
    partner = x[plan.partner] if plan.partner.ndim == 2 else x[plan.partner][None]
    if isinstance(plan.mask, Boxes):
        inside = plan.mask.inside()
        return torch.where(inside.unsqueeze(2) if x.ndim > 2 else inside, partner, own, out=out)
    if isinstance(plan.mask, Ordered):
        keeps = plan.mask.keeps()
        return torch.where(keeps.unsqueeze(2) if x.ndim > 2 else keeps, own, partner, out=out)
    if isinstance(plan.mask, Bump):
        share = plan.mask.share(torch.float64 if x.dtype in (torch.float64, torch.complex128) else torch.float32)
        return lerp(own, partner, share.unsqueeze(2) if x.ndim > 2 else share, plan.mask.ends, out)
    share = plan.mask.share.reshape(*plan.mask.share.shape, *[1] * (x.ndim - 1))
    return lerp(partner, own, share, plan.mask.ends, out)


def lerp(start: Tensor, end: Tensor, share: Tensor, ends: tuple[bool, bool], out: Tensor | None = None) -> Tensor:
    """`(1 - share) * start + share * end`; at a share of 0 or 1 a copy of the one, whatever the other holds.

    Args:
        start: values, of any floating-point or complex type. What is narrower than float32 is computed there.
        end: values.
        share: in [0, 1], at least float32: in bfloat16 it would differ from the label's.
        ends: whether a share may be exactly 0, and exactly 1; each costs another pass.
        out: a buffer to fill.
    """
    if start.is_complex():
        into = None if out is None else torch.view_as_real(out)
        mixed = lerp(torch.view_as_real(start), torch.view_as_real(end), share[..., None], ends, into)
        return torch.view_as_complex(mixed) if out is None else out
    if start.dtype.itemsize < 4:
        mixed = torch.lerp(start.float(), end.float(), share).to(start.dtype)
        mixed = mixed if out is None else out.copy_(mixed)
    else:
        mixed = torch.lerp(start, end, share.to(start.dtype), out=out)
    if torch.compiler.is_compiling():  # passes are fused there, and flags that change would compile anew
        ends = (True, True)
    for may_be, value, copied in zip(ends, (0, 1), (start, end), strict=True):
        if may_be:
            mixed = torch.where(share == value, copied, mixed, out=out)
    return mixed


def _paste_resized(x: Tensor, plan: Plan, mask: Resized, out: Tensor | None) -> Tensor:
    """One mix at a time: positions to look up take the memory of a mix, not of all K."""
    flat = x.flatten(2) if x.ndim > 2 else x[:, None]
    own = flat if plan.sample is None else flat[plan.sample]
    inside = mask.boxes.inside().flatten(2).unsqueeze(2)
    mixes = []
    for k in range(plan.num_mixes):
        partner = flat[plan.partner[k] if plan.partner.ndim == 2 else plan.partner]
        resized = partner.gather(2, mask.shown(k)[:, None].expand_as(partner))
        mixed = torch.where(inside[k], resized, own)
        mixes.append(mixed if out is None else out[k].copy_(mixed.view_as(out[k])))
    return torch.stack(mixes).view(len(mixes), plan.num_pairs, *x.shape[1:]) if out is None else out


def _blend_blocks(x: Tensor, plan: Plan, mask: Blocks, out: Tensor | None) -> Tensor:
    """One mix at a time: positions to look up take the memory of a mix, not of all K."""
    flat = x.flatten(2) if x.ndim > 2 else x[:, None]
    share = mask.share().flatten(2).unsqueeze(2)
    mixes = []
    for k in range(plan.num_mixes):
        rows = (plan.sample, plan.partner[k] if plan.partner.ndim == 2 else plan.partner)
        sides = [flat if row is None else flat[row] for row in rows]
        shown = [mask.shown(k, which) for which in (0, 1)]
        own, partner = (
            side if s is None else side.gather(2, s[:, None].expand_as(side))
            for side, s in zip(sides, shown, strict=True)
        )
        if mask.whole > 1:
            mixed = lerp(partner, own, share[k] / mask.whole, (True, True))
        else:
            mixed = torch.where(share[k] == 1, own, partner)
        mixes.append(mixed if out is None else out[k].copy_(mixed.view_as(out[k])))
    return torch.stack(mixes).view(len(mixes), plan.num_pairs, *x.shape[1:]) if out is None else out


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


def _memory_format(x: Tensor) -> torch.memory_format:
    """The memory format that mixed rows shall have: x's own, where it has one."""
    if in_transform() or x.is_contiguous():  # vmap knows no other format
        return torch.contiguous_format
    if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last):
        return torch.channels_last
    if x.ndim == 5 and x.is_contiguous(memory_format=torch.channels_last_3d):
        return torch.channels_last_3d
    return torch.contiguous_format
