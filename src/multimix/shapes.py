"""How a batch is laid out: its spatial axes, its memory format, and what its device can hold."""

import torch
from torch import Tensor

from multimix.host import in_transform


def spatial_shape(x: Tensor) -> tuple[int, ...]:
    """Sizes of the spatial axes: all after the channels; (B, L) is a series without a channel axis."""
    return tuple(x.shape[2:]) if x.ndim > 2 else tuple(x.shape[1:])


def memory_format(x: Tensor) -> torch.memory_format:
    """The memory format that mixed rows shall have: x's own, where it has one."""
    if in_transform() or x.is_contiguous():  # vmap knows no other format
        return torch.contiguous_format
    if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last):
        return torch.channels_last
    if x.ndim == 5 and x.is_contiguous(memory_format=torch.channels_last_3d):
        return torch.channels_last_3d
    return torch.contiguous_format


def to_device(host: Tensor, device: torch.device) -> Tensor:
    """A small host tensor on the device, without waiting for it."""
    if device.type == "cuda":
        return host.pin_memory().to(device, non_blocking=True)
    return host.to(device)


def widest(device: torch.device) -> torch.dtype:
    """The floating-point type with the most digits that a device has: Apple's GPUs have no float64."""
    return torch.float32 if device.type == "mps" else torch.float64
