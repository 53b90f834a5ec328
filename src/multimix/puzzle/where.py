"""Where masks and moves are found: on the device of the batch, or on the CPU, by one copy each way."""

import warnings
from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from multimix.kernels.family import family_of
from multimix.kernels.triton.available import MOST_PLACES
from multimix.shapes import packed, to_device, unpacked

CPU = torch.device("cpu")


def solved_here(device: torch.device, places: int) -> bool:
    """Whether Triton's kernels solve problems of so many places on a device; the host need not wait for them.

    Where they cannot be used at all, that is said once, as a warning.
    """
    if family_of(device) == "triton":
        return places <= MOST_PLACES
    if device.type not in ("cpu", "cuda"):  # of a GPU of CUDA that is said where its kernels are chosen
        _warn(device.type)
    return False


@cache
def _warn(kind: str) -> None:
    message = f"Puzzle Mix finds its masks on the CPU, for which every step waits: there is no Triton for {kind}"
    warnings.warn(message, RuntimeWarning, stacklevel=2)


def moved_together(tensors: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """Tensors of one device on another, by one copy of their bytes. From an accelerator to the CPU, the host waits."""
    if all(tensor.device == device for tensor in tensors):
        return list(tensors)
    tensors = [tensor.detach() for tensor in tensors]
    return unpacked(to_device(packed(tensors), device), tensors)
