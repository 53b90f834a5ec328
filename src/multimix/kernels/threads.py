"""How a loop becomes machine code, and how it runs over the pairs of a batch: numba, on threads of ours.

Numba's own parallel layer is not safe under the threads and forks of data loaders and Ray, so threads are Python's; the
kernels let go of its lock.
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
PAIRS_PER_THREAD = 16  # of Puzzle Mix's problems: fewer take less time than waking a thread
THREAD_BYTES = 8 * 2**20  # of output, for every thread: waking one costs 0.1 ms, in which this one writes 2 MiB


def kernel(function: Function) -> Function:
    """Return the function as machine code that lets go of the interpreter's lock, cached on disk.

    It is compiled at the first call: once per machine, or once per process where no folder can be written to. The cache
    notices changes in the function's own file only, so kernels that call each other stand in one file.
    """
    try:
        jitted: Any = numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:
        jitted = numba.njit(nogil=True)(function)
    return cast(Function, jitted)


def threads_by_pairs(pairs: int) -> int:
    """How many threads are worth waking for so many of Puzzle Mix's problems, at most PyTorch's number."""
    return max(1, min(torch.get_num_threads(), pairs // PAIRS_PER_THREAD))


def threads_by_bytes(pairs: int, size: int) -> int:
    """How many threads are worth waking to write so many bytes, at most one per pair, and PyTorch's number."""
    return max(1, min(torch.get_num_threads(), pairs, size // THREAD_BYTES))


def over_pairs(function: Callable[..., Any], pairs: int, threads: int, *arguments: Any) -> None:
    """Run `function(first, last, *arguments)` over all pairs, a part in each thread."""
    edges = [pairs * t // threads for t in range(threads + 1)]
    others = [_pool().submit(function, *ends, *arguments) for ends in pairwise(edges[1:])]
    function(edges[0], edges[1], *arguments)
    for other in others:
        other.result()


def announce(function: Any) -> None:
    """Say that a large kernel is about to be compiled, if neither this process nor the disk has it yet."""
    if getattr(function, "signatures", True):
        return
    folder = getattr(getattr(function, "stats", None), "cache_path", None)
    pattern = f"{function.__module__.rsplit('.', 1)[-1]}.{function.__name__}-*.nbi"
    if folder is None or not any(Path(folder).glob(pattern)):
        logger.warning("compiling %s: some ten seconds, the first time on this machine", function.__name__)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="multimix")


if hasattr(os, "register_at_fork"):  # threads do not survive a fork: a child starts its own
    os.register_at_fork(after_in_child=_pool.cache_clear)
