"""Labels follow pixels; and a training accuracy that means something."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from multimix.blend import blend
from multimix.host import is_readable
from multimix.kernels.family import family_of, takes_triton
from multimix.masks import Constant
from multimix.masks.mask import lerp
from multimix.plan import Plan
from multimix.shapes import comparable


def mix_targets(
    y: Tensor, plan: Plan, num_classes: int | None, dtype: torch.dtype, dense: bool, ignored: int | None = None
) -> Tensor:
    """Return the targets of a plan's mixed rows.

    Args:
        y: integer classes (B,), or floating or boolean targets (B, ...) (soft, multi-label, binary, regression). With
            `dense`, integer (B, *spatial) or floating (B, ..., *spatial).
        plan: what was mixed; `plan.weight` weights whole targets, `plan.mask` the positions of dense ones.
        num_classes: C, needed for integer targets.
        dtype: type of soft labels made from integers; at least float32 is used.
        dense: whether targets have x's spatial axes and follow its pixels.
        ignored: an integer target that gets no label mass.

    Returns:
        Soft labels (K * P, C) from integers ((K * P, C, *spatial) if dense), else targets of y's shape behind K * P,
        in y's type but at least float32.
    """
    y = y.resolve_neg()
    if y.dtype.is_floating_point or y.dtype == torch.bool:
        y = y.to(torch.promote_types(y.dtype, torch.float32))
    elif ignored is not None:  # a class more, left away afterwards
        assert num_classes is not None
        y = y.long()  # in a narrow type -100 would be a class
        y = y.masked_fill(y == ignored, num_classes)
        return mix_targets(y, plan, num_classes + 1, dtype, dense)[:, :num_classes].contiguous()
    elif dense:
        assert num_classes is not None
        y = _one_hot(comparable(y), num_classes, _soft_dtype(dtype))
    else:
        assert num_classes is not None
        return _soft_labels(comparable(y), plan, num_classes, _soft_dtype(dtype))
    if dense and plan.mask.spatial is not None:
        spatial = y.shape[y.ndim - len(plan.mask.spatial) :]
        return blend(y.reshape(len(y), -1, *spatial), plan).reshape(-1, *y.shape[1:])
    ends = plan.mask.ends if isinstance(plan.mask, Constant) else (True, True)
    if takes_triton(y):
        return blend(y, replace(plan, mask=Constant(plan.weight, ends)))
    weight = plan.weight.to(y.dtype).reshape(*plan.weight.shape, *[1] * (y.ndim - 1))
    own = y if plan.sample is None else y[plan.sample]
    return lerp(y[plan.partner], own, weight, ends).flatten(0, 1)


def _soft_dtype(dtype: torch.dtype) -> torch.dtype:
    return dtype if dtype == torch.float64 else torch.float32


def _one_hot(y: Tensor, num_classes: int, dtype: torch.dtype) -> Float[Tensor, "B C *spatial"]:
    """What is no class gives nan where no value can be checked; torch's own one-hot would end a GPU's context."""
    classes = torch.arange(num_classes, device=y.device).view(-1, *[1] * (y.ndim - 1))
    hot = (y[:, None] == classes).to(dtype)
    return hot if is_readable(y) else hot.masked_fill(((y < 0) | (y >= num_classes))[:, None], torch.nan)


def _soft_labels(y: Tensor, plan: Plan, num_classes: int, dtype: torch.dtype) -> Float[Tensor, "KP C"]:
    """Two scatters into zeros: no one-hot tensor is made. Where no value can be checked, what is no class gives nan."""
    if takes_triton(y) and not plan.weight.requires_grad:
        from multimix.kernels.triton.operators import softened

        return softened(y, plan, num_classes, dtype)
    y = y.long()
    if type(y) is Tensor and is_readable(y) and family_of(y.device) == "cpu" and not plan.weight.requires_grad:
        return _soft_labels_compiled(y, plan, num_classes, dtype)
    weight = plan.weight.to(dtype)[..., None]
    own = (y if plan.sample is None else y[plan.sample]).expand(weight.shape[:2])[..., None]
    partner = y[plan.partner].expand(weight.shape[:2])[..., None]
    soft = torch.zeros((*weight.shape[:2], num_classes), dtype=dtype, device=y.device)
    if not is_readable(y):
        strange = [(classes < 0) | (classes >= num_classes) for classes in (own, partner)]
        own, partner = (classes.clamp(0, num_classes - 1) for classes in (own, partner))
        soft = soft.masked_fill(strange[0] | strange[1], torch.nan)
    soft = soft.scatter_add(2, own, weight)  # not in place: vmap has no room in zeros that are not its own
    return soft.scatter_add_(2, partner, 1 - weight).flatten(0, 1)


def _soft_labels_compiled(y: Tensor, plan: Plan, num_classes: int, dtype: torch.dtype) -> Float[Tensor, "KP C"]:
    from multimix.kernels.cpu.labels import soften  # imported when first needed: numba takes half a second

    own = y if plan.sample is None else y[plan.sample]
    soft = torch.empty((*plan.weight.shape, num_classes), dtype=dtype, device="cpu")
    soften(own, y[plan.partner].expand(plan.weight.shape), plan.weight.to(dtype), soft)
    return soft.flatten(0, 1)


def mixed_accuracy(logits: Tensor, y_mix: Tensor) -> Float[Tensor, ""]:
    """Training accuracy on mixed batches: the share of label mass on the predicted class.

    On unmixed labels it is the usual accuracy; on mixed ones its best value is the mean of the larger label weight.

    Args:
        logits: (N, C), (N, C, *spatial), or binary (N,) or (N, 1), where a logit > 0 predicts class 1.
        y_mix: labels of the same shape, >= 0; for binary logits the probability of class 1.

    Returns:
        A scalar on the logits' device; reading it is left to the caller.

    Raises:
        TypeError: if either is no tensor.
        ValueError: if shapes differ, or have no axis.
    """
    for name, value in {"logits": logits, "y_mix": y_mix}.items():
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} must be a torch.Tensor, got {name}={type(value).__name__}")
    if logits.shape != y_mix.shape or logits.ndim == 0:
        raise ValueError(
            f"logits and y_mix must have the same shape, a row per mix, got logits: {tuple(logits.shape)}, y_mix: "
            f"{tuple(y_mix.shape)}; pass the mixed labels, not class indices"
        )
    if logits.ndim == 1 or logits.shape[1] == 1:
        return torch.where(logits > 0, y_mix, 1 - y_mix).mean()
    mass = y_mix.gather(1, logits.argmax(dim=1, keepdim=True))
    return mass.sum() / y_mix.sum()
