"""The one way a Triton kernel is started: counted, on the device of its tensors; the host waits for nothing."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

_counters: list[Counter[str]] = []


def launch(kernel: Any, grid: tuple[int, ...], *arguments: Any, num_warps: int = 4, **constants: Any) -> None:
    """Run a kernel on the device that its first tensor is on, in that device's current stream.

    Args:
        kernel: decorated with `triton.jit`.
        grid: number of programs, on up to three axes; a grid of none starts nothing.
        *arguments: the kernel's, in its order; at least one is a tensor, and all tensors are on one device.
        num_warps: per program.
        **constants: its `tl.constexpr` arguments.
    """
    if 0 in grid:
        return
    for counter in _counters:
        counter[kernel.fn.__name__] += 1
    first = next(argument for argument in arguments if isinstance(argument, Tensor))
    with torch.cuda.device_of(first):  # type: ignore[no-untyped-call]  # Triton launches on the current device
        kernel[grid](*arguments, num_warps=num_warps, **constants)


@contextmanager
def counted_launches() -> Iterator[Counter[str]]:
    """How often each kernel is started inside the block, by its name."""
    counter: Counter[str] = Counter()
    _counters.append(counter)
    try:
        yield counter
    finally:
        _counters[:] = [other for other in _counters if other is not counter]
