"""Where large results go: new memory on a CPU, in pages that do not cost more than the mixing."""

import ctypes
import mmap
from functools import cache
from typing import Any

import torch
from torch import Tensor

HUGE_BYTES = 2 * 2**20  # a huge page; another size only means that the advice is given for a little less, or refused
LARGE_BYTES = 8 * 2**20  # smaller blocks are mostly kept for the next call by the C library


def empty(shape: tuple[int, ...], dtype: torch.dtype, layout: torch.memory_format) -> Tensor:
    """An uninitialised CPU tensor.

    The system hands out memory in pages of 4 KiB, one fault for each: ten times what it costs to mix into them. Where
    Linux leaves it to the program ("madvise", the default of most distributions), large tensors ask for pages of 2 MiB.
    """
    new = torch.empty(shape, dtype=dtype, memory_format=layout)
    if new.nbytes >= LARGE_BYTES and (advise := _madvise()) is not None:
        first = -(-new.data_ptr() // HUGE_BYTES) * HUGE_BYTES
        last = (new.data_ptr() + new.nbytes) // HUGE_BYTES * HUGE_BYTES
        if first < last:
            advise(first, last - first, mmap.MADV_HUGEPAGE)  # advice: a refusal changes nothing but the time
    return new


@cache
def _madvise() -> Any:
    """The system's call, or None where there is none."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return None
    call = getattr(ctypes.CDLL(None), "madvise", None)
    if call is not None:
        call.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return call
