"""Checks of arguments: shapes and settings always, values where the host need not wait for them."""

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from multimix.errors import SaliencyNotFinite
from multimix.host import has_tangent, in_transform, is_readable
from multimix.once import warn_of_mixed
from multimix.plan import Plan
from multimix.scalars import as_integer
from multimix.shapes import comparable, overlap, overlaps_itself, spatial_shape

MOST_MIXES = 2**15 - 1


def checked_count(name: str, value: object) -> int:
    """Return the integer that this is; anything but an integer >= 1 is refused."""
    count = as_integer(value)
    if count is None or count < 1:
        raise ValueError(f"{name} must be an integer >= 1, got {name}={value!r}")
    return count


def checked_mixes(value: object) -> int:
    """Return a number of mixes; more than masks can count in 16 bits are refused."""
    num_mixes = checked_count("num_mixes", value)
    if num_mixes > MOST_MIXES:
        raise ValueError(f"num_mixes must be at most {MOST_MIXES}, got num_mixes={num_mixes}; 5 is the paper's")
    return num_mixes


def checked_flag(name: str, value: object) -> bool:
    """Return a bool; anything else is refused, as most of it would count as True."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, got {name}={value!r}")
    return value


def checked_index(value: object) -> int:
    """Return the integer that this is, of any sign; anything else is refused."""
    index = as_integer(value)
    if index is None or not -(2**63) <= index < 2**63:
        raise ValueError(
            f"ignore_index must be an integer, got ignore_index={value!r}; give one of 64 bits, or leave it away to "
            f"count all"
        )
    return index


def check_tensor(name: str, value: Any, remedy: str = "convert it with torch.as_tensor") -> None:
    """Refuse what is no tensor, or one whose numbers do not lie in rows: a sparse or a nested one."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {name}={type(value).__name__}; {remedy}")
    if value.is_nested:
        raise ValueError(
            f"{name} must be a dense tensor, got a nested one; pad it, for example with "
            f"torch.nested.to_padded_tensor({name}, 0.0)"
        )
    if value.layout != torch.strided:
        raise ValueError(
            f"{name} must be a dense tensor, got {name}.layout={value.layout}; convert it: {name}.to_dense()"
        )


def check_model(model: Any) -> None:
    """Refuse what is no module: hooks, layers and parameters are asked for."""
    if not isinstance(model, nn.Module):
        shape = f"a tensor of shape {tuple(model.shape)}" if isinstance(model, Tensor) else repr(model)
        got = getattr(model, "__name__", None) or shape
        raise TypeError(
            f"model must be a torch.nn.Module, got model={got}; give the module itself, not its name or forward"
        )


def warn_of_validation(model: nn.Module) -> None:
    """Warn where a step looks like validation: a model in evaluation mode, and no gradients. Mixing is for training."""
    if not (model.training or torch.is_grad_enabled() or torch.compiler.is_compiling()):
        warnings.warn(
            "mix.run mixes the batch, here for a model in evaluation mode and without gradients; "
            "to validate, call model(x) on samples as they are",
            UserWarning,
            stacklevel=3,
        )


def check_batch(x: Any, y: Any = None) -> None:
    """Refuse what is no batch, an empty one, and targets of another length or device; warn of mixed ones."""
    check_tensor("x", x, _remedy_of("x", x))
    if x.ndim == 0 or x.numel() == 0:
        raise ValueError(f"x must hold at least one sample, got x: {tuple(x.shape)}; skip empty batches")
    warn_of_mixed(x)
    if y is None:
        return
    check_tensor("y", y, _remedy_of("y", y))
    if y.ndim == 0 or len(x) != len(y):
        raise ValueError(
            f"x and y must have the same number of samples, got x: {tuple(x.shape)}, y: {tuple(y.shape)}; "
            f"give one target per sample"
        )
    if x.device != y.device:
        raise ValueError(f"x and y must be on one device, got x: {x.device}, y: {y.device}; move y with y.to(x.device)")


def _remedy_of(name: str, value: object) -> str:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else ()
    if not any(isinstance(part, Tensor) for part in parts):
        return "convert it with torch.as_tensor"
    each = "mix.targets(plan, y)" if name == "y" else "mix.apply(plan, x)"
    return f"mix its tensors one by one, by {each}, or batches in a loader by multimix.adapters.MixCollate"


def check_blendable(x: Tensor, method: str) -> None:
    """Refuse integers where values are averaged."""
    if not x.dtype.is_floating_point and not x.dtype.is_complex:
        numbers = "for token numbers mix what the embedding gives, by ManifoldMixup(layers=[...]); else pass x.float()"
        remedy = "convert it, for example x.float() / 255" if x.dtype == torch.uint8 else numbers
        raise ValueError(f"x must be floating point, because {method} averages values, got x.dtype={x.dtype}; {remedy}")


def check_targets(
    x: Tensor, y: Tensor | None, num_classes: int | None, dense: bool, ignored: int | None, cuts: bool
) -> None:
    """Refuse targets that labels cannot be made of; where positions are cut, also those of positions if not dense."""
    if y is None:
        raise TypeError("y must be a torch.Tensor, got y=None; to mix x alone use mix.apply(mix.plan(x), x)")
    if dense:
        _check_dense(y, spatial_shape(x), f"x: {tuple(x.shape)}")
    _check_labels(y, num_classes, dense, ignored, spatial_shape(x))
    if cuts and not dense:
        _check_whole(y, spatial_shape(x))


def _check_whole(y: Tensor, spatial: tuple[int, ...]) -> None:
    """Refuse maps of x's positions as whole targets where positions are cut: both maps would be blended everywhere."""
    if y.ndim > 2 and _seems_dense(y, spatial):
        raise ValueError(
            f"targets with x's spatial axes {spatial} must follow its positions where those are cut, got y: "
            f"{tuple(y.shape)}, dense_targets=False; pass MultiMix(..., dense_targets=True), or y.flatten(1) to blend "
            f"whole targets"
        )


def check_other_targets(
    plan: Plan, y: Any, num_classes: int | None, dense: bool, ignored: int | None, cuts: bool
) -> None:
    """Refuse targets that do not belong to a plan's batch, or as `check_targets`."""
    _check_is_plan(plan)
    check_tensor("y", y)
    if y.ndim == 0 or len(y) != plan.batch_size:
        raise ValueError(
            f"y must have one target per sample of the plan's batch ({plan.batch_size}), got y: {tuple(y.shape)}; give "
            f"the targets of the whole batch"
        )
    if y.device != plan.weight.device:
        raise ValueError(
            f"plan and y must be on one device, got plan: {plan.weight.device}, y: {y.device}; move y to the plan's"
        )
    if dense and plan.mask.spatial is not None:
        _check_dense(y, plan.mask.spatial, f"plan for {plan.mask.spatial}")
    _check_labels(y, num_classes, dense, ignored, plan.mask.spatial or ())
    if cuts and not dense:
        _check_whole(y, plan.mask.spatial or ())


def _check_labels(
    y: Tensor, num_classes: int | None, dense: bool, ignored: int | None, spatial: tuple[int, ...]
) -> None:
    if y.dtype.is_floating_point or y.dtype == torch.bool:
        if num_classes is not None and y.ndim == 1:
            raise ValueError(
                f"y must be integer class indices where num_classes is given, got y.dtype={y.dtype}, y: "
                f"{tuple(y.shape)}, num_classes={num_classes}; pass y.long(), or for numbers leave num_classes away"
            )
        if num_classes is not None and not dense and y.shape[1] != num_classes:
            dense_too = "for targets of x's positions pass dense_targets=True (classes as y.long())"
            remedy = (
                dense_too if _seems_dense(y, spatial) else "correct num_classes, or for other targets leave it away"
            )
            raise ValueError(
                f"soft y must have one column per class where num_classes is given, got y: {tuple(y.shape)}, "
                f"num_classes={num_classes}; {remedy}"
            )
        return
    if y.dtype.is_complex:
        raise ValueError(f"y must be integer, boolean or floating point, got y.dtype={y.dtype}; give real targets")
    if not dense and y.ndim != 1:
        raise ValueError(
            f"integer y must be class indices of shape ({len(y)},), got y: {tuple(y.shape)}; "
            f"{_integer_remedy(y, spatial)}"
        )
    if num_classes is None:
        raise ValueError(
            "num_classes is needed to turn integer labels into soft ones, got num_classes=None; pass "
            f"MultiMix(..., num_classes=10) or give y as ({len(y)}, C) floats; for numbers to be predicted y.float()"
        )
    if is_readable(y):
        y = comparable(y)
        counted = y if ignored is None else y[y.long() != ignored]
        low, high = (int(v) for v in torch.aminmax(counted)) if counted.numel() else (0, 0)
        if low < 0 or high >= num_classes:
            raise ValueError(
                f"labels must lie in 0..{num_classes - 1} (num_classes={num_classes}), got labels from {low} to "
                f"{high}; correct num_classes or the labels{_ignoring(ignored, dense)}"
            )


def _seems_dense(y: Tensor, spatial: tuple[int, ...]) -> bool:
    return bool(spatial) and tuple(y.shape[1:][-len(spatial) :]) == spatial


def _integer_remedy(y: Tensor, spatial: tuple[int, ...]) -> str:
    if y.ndim == 2 and y.shape[1] == 1:
        return "pass y.squeeze(1)"
    dense = "for classes of x's positions pass dense_targets=True; else " if _seems_dense(y, spatial) else ""
    return f"{dense}pass soft, multi-label or binary targets as floats (y.float())"


def _ignoring(ignored: int | None, dense: bool) -> str:
    return ", or pass MultiMix(..., ignore_index=...)" if dense and ignored is None else ""


def _check_dense(y: Tensor, spatial: tuple[int, ...], got: str) -> None:
    integer = not y.dtype.is_floating_point and y.dtype != torch.bool
    if y.numel() == 0:
        raise ValueError(f"dense targets must hold values, got y: {tuple(y.shape)}; leave targets without any away")
    if (
        y.ndim <= len(spatial)
        or tuple(y.shape[y.ndim - len(spatial) :]) != spatial
        or (integer and y.ndim != len(spatial) + 1)
    ):
        one_channel = tuple(y.shape[1:]) == (1, *spatial)
        remedy = "pass y.squeeze(1)" if one_channel else "resize the targets or pass dense_targets=False"
        raise ValueError(
            f"dense targets must end in x's spatial axes {spatial} (integers: ({len(y)}, *spatial)), got {got}, y: "
            f"{tuple(y.shape)}; {remedy}"
        )


def check_saliency(saliency: Any, x: Tensor) -> None:
    """Refuse saliency that does not belong to the batch; values are looked at on the CPU only."""
    wanted = (len(x), *spatial_shape(x))
    if isinstance(saliency, Tensor):
        check_tensor("saliency", saliency)
    if not isinstance(saliency, Tensor) or tuple(saliency.shape) != wanted:
        got = tuple(saliency.shape) if isinstance(saliency, Tensor) else type(saliency).__name__
        raise ValueError(
            f"saliency must be a tensor of shape {wanted} for x: {tuple(x.shape)}, got saliency: {got}; "
            f"average or sum over channels first"
        )
    if saliency.device != x.device or not saliency.is_floating_point():
        raise ValueError(
            f"saliency must be floating point on x's device, got {saliency.dtype} on {saliency.device}, x: {x.device}; "
            f"use saliency.float().to(x.device)"
        )
    if is_readable(saliency):
        lowest, highest = torch.aminmax(saliency.detach())
        if not bool((lowest >= 0) & (highest < torch.inf)):
            lows, highs = torch.aminmax(saliency.detach().flatten(1), dim=1)
            row = int(((lows >= 0) & (highs < torch.inf)).int().argmin())
            raise SaliencyNotFinite(
                f"saliency must be finite and >= 0, got values from {float(lows[row])} to {float(highs[row])} in row "
                f"{row}; look for nan or inf in x and in the loss, or take the absolute value of your own"
            )


def check_partner(x: Tensor, partner: Any, num_mixes: int) -> None:
    """Refuse what is no choice of partners for a batch; values are looked at on the CPU only."""
    check_tensor("partner", partner)
    shapes = (len(x),), (num_mixes, len(x))
    other = partner.dtype.is_floating_point or partner.dtype.is_complex or partner.dtype == torch.bool
    if tuple(partner.shape) not in shapes or other:
        raise ValueError(
            f"partner must be integers of shape {shapes[0]}, or {shapes[1]} for one per mix, got partner: "
            f"{tuple(partner.shape)}, {partner.dtype}; give the row of the batch that each sample mixes with"
        )
    if partner.device.type != "cpu" and partner.device != x.device:
        raise ValueError(
            f"partner must be on the CPU or on x's device, got partner: {partner.device}, x: {x.device}; move it with "
            f"partner.to(x.device)"
        )
    if is_readable(partner):
        low, high = (int(v) for v in torch.aminmax(partner.long()))
        if low < 0 or high >= len(x):
            raise ValueError(
                f"partner must hold rows of the batch, 0..{len(x) - 1}, got values from {low} to {high}; correct them"
            )


def check_alphas(x: Tensor, alpha: Any, one_each: bool, shared: bool) -> None:
    """Refuse what are no shapes of Beta laws, one for each pair; they are needed on the host, so they are read there.

    Args:
        x: the batch.
        alpha: what was given.
        one_each: whether each pair has one partner, so that a table of pairs can be looked up.
        shared: whether all pairs share their coefficients, so that none can have its own.
    """
    check_tensor("alpha", alpha)
    if shared:
        raise ValueError(
            f'alpha must be left out where the batch shares its coefficients, got share="batch", alpha: '
            f'{tuple(alpha.shape)}; pass MultiMix(..., share="pair")'
        )
    shapes = [(len(x),), (len(x), len(x))][: 2 if one_each else 1]
    if tuple(alpha.shape) not in shapes or not alpha.dtype.is_floating_point:
        table = f", or {shapes[-1]} for each sample with each partner" if one_each else " where partners are fresh"
        raise ValueError(
            f"alpha must be floating point of shape {shapes[0]}{table}, got alpha: {tuple(alpha.shape)}, "
            f"{alpha.dtype}; give the shape of each pair's Beta law"
        )
    lowest, highest = (float(v) for v in torch.aminmax(alpha.detach()))
    if not (lowest > 0 and highest < torch.inf):
        raise ValueError(
            f"alpha must be finite and > 0, got values from {lowest:g} to {highest:g}; clamp it, for example "
            f"alpha.clamp(0.01, 100)"
        )


def _check_is_plan(plan: Any) -> None:
    if not isinstance(plan, Plan):
        raise TypeError(f"plan must be a Plan, got plan={type(plan).__name__}; make one with mix.plan(x)")


def check_plan(x: Tensor, plan: Plan) -> None:
    """Refuse what is no plan, and one made for another batch size, device or kind of numbers."""
    _check_is_plan(plan)
    if len(x) != plan.batch_size:
        raise ValueError(
            f"plan must be made for this batch size, got plan for {plan.batch_size} samples, x: {tuple(x.shape)}; "
            f"make one with mix.plan(x)"
        )
    if plan.mask.spatial not in (None, spatial_shape(x)):
        raise ValueError(
            f"plan must be made for images of this size, got plan for {plan.mask.spatial}, x: {tuple(x.shape)}; "
            f"make one with mix.plan(x)"
        )
    if plan.weight.device != x.device:
        raise ValueError(
            f"plan and x must be on one device, got plan: {plan.weight.device}, x: {x.device}; make the plan from x"
        )
    if not plan.layer and plan.mask.averages:
        check_blendable(x, "this plan")


def checked_features(features: Tensor, plan: Plan) -> Tensor:
    """Return features of a layer, which must be of the size of a plan's masks, if those have one."""
    if plan.mask.spatial not in (None, spatial_shape(features)):
        raise ValueError(
            f'masks must fit the features of layer "{plan.layer}", got masks for {plan.mask.spatial}, features: '
            f"{tuple(features.shape)}; mix there with masks without positions, as ManifoldMixup does"
        )
    return features


def check_out(x: Tensor, y: Tensor | None, out: Tensor, rows: int) -> None:
    """Refuse a buffer that mixes cannot be written to."""
    check_tensor("out", out, "allocate it with x.new_empty")
    if in_transform():
        raise ValueError("out must not be used inside a transform of torch.func, got an out; leave out away")
    if out.shape != (rows, *x.shape[1:]) or out.dtype != x.dtype or out.device != x.device:
        raise ValueError(
            f"out must have shape {(rows, *x.shape[1:])}, {x.dtype}, on {x.device}, got out: {tuple(out.shape)}, "
            f"{out.dtype}, {out.device}; allocate it with x.new_empty"
        )
    compiling = torch.compiler.is_compiling()
    if torch.is_grad_enabled() and (x.requires_grad or out.requires_grad):
        raise ValueError(
            "out must not be used where gradients flow to x, got x.requires_grad="
            f"{x.requires_grad}, out.requires_grad={out.requires_grad}; leave out away or detach x"
        )
    if not compiling and (has_tangent(x) or has_tangent(out)):
        raise ValueError("out must not be used where tangents flow from x, got dual tensors; leave out away")
    if not compiling and overlaps_itself(out):
        raise ValueError(
            f"out must have a place of its own for every number, got strides {out.stride()} for shape "
            f"{tuple(out.shape)}; allocate it with x.new_empty"
        )
    for name, other in (("x", x), ("y", y)):
        if other is not None and not compiling and overlap(out, other):
            raise ValueError(f"out must not share memory with {name}, got one that does; allocate a buffer")
