"""How a loop becomes machine code, and how it runs over the pairs of a batch: numba, on threads of ours.

Numba's own parallel layer is not safe under the threads and forks of data loaders and Ray.
"""

import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import torch

logger = logging.getLogger("multimix")
Function = TypeVar("Function", bound=Callable[..., Any])
PAIRS_PER_THREAD = 16  # fewer take less time than waking a thread


def compiled(function: Function) -> Function:
    """The function as machine code that lets go of the interpreter lock, cached on disk.

    Where no folder can be written to, every process compiles it afresh.
    """
    try:
        jitted: Any = numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:
        jitted = numba.njit(nogil=True)(function)
    return cast(Function, jitted)


def over_pairs(kernel: Callable[..., Any], pairs: int, *arguments: Any) -> None:
    """Run `kernel(first, last, *arguments)` over all pairs, in as many threads as PyTorch would use."""
    _announce(kernel)
    threads = max(1, min(torch.get_num_threads(), pairs // PAIRS_PER_THREAD))
    edges = [pairs * t // threads for t in range(threads + 1)]
    parts = [_pool(threads - 1).submit(kernel, *ends, *arguments) for ends in pairwise(edges[1:])]
    kernel(edges[0], edges[1], *arguments)
    for part in parts:
        part.result()


def _announce(kernel: Any) -> None:
    """Say that a kernel is about to be compiled, if neither this process nor the disk has it yet."""
    if getattr(kernel, "signatures", True):
        return
    folder = getattr(getattr(kernel, "stats", None), "cache_path", None)
    pattern = f"{kernel.__module__.rsplit('.', 1)[-1]}.{kernel.__name__}-*.nbi"
    if folder is None or not any(Path(folder).glob(pattern)):
        logger.warning("compiling %s: some ten seconds, the first time on this machine", kernel.__name__)


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="multimix-puzzle")


# Threads do not survive a fork: the child starts its own.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
