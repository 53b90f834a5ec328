"""Parts of the library swapped for the time of a block."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from multimix.kernels import family


@contextmanager
def swapped(name: str, new: object) -> Iterator[None]:
    """Another object wherever the library has imported this name."""
    homes = [m for key, m in list(sys.modules.items()) if key.startswith("multimix.") and callable(getattr(m, name, 0))]
    old = [getattr(home, name) for home in homes]
    try:
        for home in homes:
            setattr(home, name, new)
        yield
    finally:
        for home, function in zip(homes, old, strict=True):
            setattr(home, name, function)


@contextmanager
def reference_on_cpu(device: torch.device) -> Iterator[None]:
    """What a device is compared with: the CPU's kernels, or PyTorch's operations where these are what it runs."""
    kernels = "torch" if family.family_of(device) == "cpu" else "cpu"
    with swapped("chosen", lambda: kernels):
        yield
