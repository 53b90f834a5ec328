"""How important each position of an image is to a model: the gradient of its loss with respect to the input.

Only the input's gradient is computed (0.67 of a training step was measured, against 0.97 for a full backward pass), and
the caller's model is left as it was: parameter gradients, batch-norm statistics, training flags, the synchronisation
state of DistributedDataParallel and random generators.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

Criterion = Callable[[Any, Tensor], Tensor]
IGNORED = -100  # by F.cross_entropy


def input_saliency(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    criterion: Criterion = F.cross_entropy,
    *,
    chunk_size: int | None = None,
    resolution: float = 1.0,
) -> Float[Tensor, "B *spatial"]:
    """sqrt(mean over channels of the squared gradient of `criterion(model(x), y)` by x), in eval mode.

    Runs under the caller's autocast. The model's own hooks run as in any forward pass.

    Args:
        model: any module called as `model(x)`, may be wrapped (DistributedDataParallel, torch.compile, Fabric).
        x: the batch.
        y: its targets, as the criterion takes them.
        criterion: gives a loss, or one per sample; its scale does not matter.
        chunk_size: rows at a time, when memory is short; None: all. In eval mode the result is the same.
        resolution: below 1 the model sees a smaller image (0.5: a quarter of the cost), and each gradient stands for
            a patch. The model must take images of that size.

    Raises:
        ValueError: if no gradient reaches the input, or criterion does not fit the targets.
        TypeError: if criterion cannot take what the model returns.
    """
    if criterion is F.cross_entropy and y.is_floating_point() and (y.ndim == 1 or y.shape[1] == 1):
        raise ValueError(  # over a single column it is constant, and would find nothing salient
            f"criterion must fit the targets, got F.cross_entropy and y: {tuple(y.shape)} of floats; pass the loss of "
            f"your training, for example PuzzleMix(criterion=F.mse_loss)"
        )
    if not y.is_floating_point():  # as mixing takes them: any integers, and truth values as numbers
        y = y.float() if y.dtype == torch.bool else y.long()
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(_untouched(model, x))
        parts = zip(torch.split(x, chunk_size or len(x)), torch.split(y, chunk_size or len(x)), strict=True)
        return torch.cat([_gradient(model, part, targets, criterion, resolution) for part, targets in parts])


def ignoring(y: Tensor | None, ignored: int | None, method: object) -> Tensor | None:
    """Return targets of which `F.cross_entropy` ignores what is ignored, if it is the method's criterion.

    Any other gets targets as they are: its user knows which to ignore.
    """
    criterion = getattr(method, "criterion", None)
    if y is None or ignored is None or criterion is not F.cross_entropy:
        return y
    if y.is_floating_point() or y.dtype == torch.bool:  # no classes
        return y
    y = y.long()
    return y.masked_fill(y == ignored, IGNORED)


def _gradient(
    model: nn.Module, x: Tensor, y: Tensor, criterion: Criterion, resolution: float
) -> Float[Tensor, "B *spatial"]:
    seen = x.detach().clone() if x.is_inference() else x.detach()
    spatial = x.shape[2:] if x.ndim > 2 else x.shape[1:]
    if resolution != 1.0:
        size = [max(1, round(s * resolution)) for s in spatial]
        seen = F.interpolate(seen if x.ndim > 2 else seen[:, None], size=size, mode="area").view(
            *x.shape[: -len(spatial)], *size
        )
    seen.requires_grad_()
    loss = _loss(criterion, model(seen), y)
    # A sum over samples, not their mean: half precision does not underflow with the batch, and chunks are alike.
    loss = loss.float().mean() * len(x) if loss.ndim == 0 else loss.float().sum()
    gradient = torch.autograd.grad(loss, seen, allow_unused=True)[0] if loss.requires_grad else None
    if gradient is None:
        raise ValueError(
            "a gradient must reach the model's input to give its saliency, got none; let the model run outside "
            "torch.no_grad and without detach, round or argmax on the way, or pass saliency=..."
        )
    gradient = gradient.float() if gradient.dtype.itemsize < 4 else gradient
    strength = gradient.square().mean(1).sqrt() if gradient.ndim > 2 else gradient.abs()
    if resolution != 1.0:
        strength = F.interpolate(strength[:, None], size=spatial, mode="nearest-exact")[:, 0]
    return strength


def _loss(criterion: Criterion, output: Any, y: Tensor) -> Tensor:
    """Return the criterion of an output, which may be anything that the user's model returns."""
    try:
        return criterion(output, y)
    except (TypeError, AttributeError, LookupError) as error:
        if isinstance(output, Tensor):
            raise
        raise TypeError(
            f"criterion must take the model's output and y to give its saliency, got output={type(output).__name__}; "
            f'give the method criterion=lambda out, y: F.cross_entropy({_logits(output)}, y, reduction="none")'
        ) from error


def _logits(output: Any) -> str:
    """Write how logits are taken out of an output, so far as it shows."""
    if isinstance(output, Mapping):
        tensors = [name for name, value in output.items() if isinstance(value, Tensor)]
        return f"out[{'logits' if 'logits' in tensors else (tensors or ['logits'])[0]!r}]"
    return "out[0]" if isinstance(output, (list, tuple)) else "out.logits"


@contextmanager
def _untouched(model: nn.Module, x: Tensor) -> Iterator[None]:
    """Eval mode and no gradient synchronisation inside; everything as before afterwards.

    Flags are set one by one: `model.eval()` may run code of the model's own, and would not restore frozen parts.
    """
    modules = list(model.modules())
    training = [module.training for module in modules]
    parallel = [module for module in modules if isinstance(module, DistributedDataParallel)]
    sync = [(ddp.require_backward_grad_sync, ddp.require_forward_param_sync) for ddp in parallel]
    devices = [x.device] if x.device.type != "cpu" else []
    try:
        for module in modules:
            module.training = False
        for ddp in parallel:
            ddp.require_backward_grad_sync = ddp.require_forward_param_sync = False
        with torch.random.fork_rng(devices=devices, device_type=x.device.type if devices else "cuda"):
            yield
    finally:
        for module, flag in zip(modules, training, strict=True):
            module.training = flag
        for ddp, (backward, forward) in zip(parallel, sync, strict=True):
            ddp.require_backward_grad_sync, ddp.require_forward_param_sync = backward, forward
