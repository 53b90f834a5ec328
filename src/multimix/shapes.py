"""How a batch is laid out: its spatial axes, its memory, and which types of numbers can be worked with."""

from collections.abc import Sequence
from itertools import accumulate
from operator import mul

import numpy as np
import torch
from torch import Tensor

from multimix.host import in_transform

ALIGNED = 16  # bytes, as vector loads need


def spatial_shape(x: Tensor) -> tuple[int, ...]:
    """Sizes of the spatial axes: all after the channels; (B, L) is a series without a channel axis."""
    return tuple(x.shape[2:]) if x.ndim > 2 else tuple(x.shape[1:])


def memory_format(x: Tensor) -> torch.memory_format:
    """Return the memory format that mixed rows shall have: x's own, where it has one."""
    if in_transform() or x.is_contiguous():  # vmap knows no other format
        return torch.contiguous_format
    if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last):
        return torch.channels_last
    if x.ndim == 5 and x.is_contiguous(memory_format=torch.channels_last_3d):
        return torch.channels_last_3d
    return torch.contiguous_format


def to_device(host: Tensor, device: torch.device) -> Tensor:
    """Return a small host tensor on the device, without waiting for it."""
    if device.type == "cuda":
        return host.pin_memory().to(device, non_blocking=True)
    return host.to(device)


def send(arrays: Sequence[np.ndarray], device: torch.device) -> list[Tensor]:
    """Arrays of draws as tensors on the device, all of them in one copy, which is not waited for."""
    hosts = [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]
    if device.type == "cpu":
        return hosts
    return unpacked(to_device(packed(hosts, pinned=device.type == "cuda"), device), hosts)


def packed(hosts: Sequence[Tensor], pinned: bool = False) -> Tensor:
    """Return the bytes of several tensors of a device in one, each from a multiple of ALIGNED on.

    Args:
        hosts: tensors.
        pinned: whether their device is the CPU and a GPU shall copy them from there: then no further copy is needed.
    """
    room = sum(map(_room, hosts))
    together = torch.empty(room, dtype=torch.uint8, device=hosts[0].device, pin_memory=pinned)
    for place, host in zip(unpacked(together, hosts), hosts, strict=True):
        place.copy_(host)
    return together


def unpacked(together: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """View of what was packed: each has the type and shape of one of the tensors."""
    # A view of all bytes for each type, then a part of it: a slice and two views for each tensor take thrice as long.
    views = {dtype: together.view(dtype) for dtype in {host.dtype for host in like}}
    found, start = [], 0
    for host in like:
        strides = [*accumulate(reversed(host.shape[1:]), mul, initial=1)][::-1][: host.ndim]
        whole = views[host.dtype]
        found.append(whole.as_strided(host.shape, strides, whole.storage_offset() + start // host.itemsize))
        start += _room(host)
    return found


def _room(host: Tensor) -> int:
    return -(-host.nbytes // ALIGNED) * ALIGNED


def comparable(y: Tensor) -> Tensor:
    """Return integers that torch can compare, which it cannot with unsigned ones of more than 8 bits."""
    return y.long() if y.dtype in (torch.uint16, torch.uint32, torch.uint64) else y


def widest(device: torch.device) -> torch.dtype:
    """Return the floating-point type with the most digits that a device has: Apple's GPUs have no float64."""
    return torch.float32 if device.type == "mps" else torch.float64


def overlaps_itself(x: Tensor) -> bool:
    """Whether numbers of a tensor may lie in one place: a stride that does not step over what smaller ones reach."""
    reach = 0
    for stride, size in sorted(zip(x.stride(), x.shape, strict=True)):
        if size > 1:
            if stride <= reach:
                return True
            reach += stride * (size - 1)
    return False


def overlap(a: Tensor, b: Tensor) -> bool:
    """Whether the memory of two tensors overlaps: that of all their storages, which arrays of NumPy may share."""
    first, second = (
        (storage.data_ptr(), storage.data_ptr() + storage.nbytes())
        for storage in (a.untyped_storage(), b.untyped_storage())
    )
    return a.device == b.device and 0 < first[0] < second[1] and 0 < second[0] < first[1]
