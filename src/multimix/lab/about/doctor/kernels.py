"""Which kernels and which solver are used: asked of the ones that ran in this process."""

import os
import sys
from dataclasses import dataclass
from typing import Any

import torch

from multimix.kernels.family import family_of, missing


@dataclass(frozen=True)
class Kernel:
    """A loop that numba made machine code of.

    Args:
        name: Its module and function.
        folder: Where its machine code is kept from process to process; None where it cannot be.
    """

    name: str
    folder: str | None


def used_kernels() -> list[Kernel]:
    """Returns the compiled kernels of the library that were called so far."""
    modules = [(name, module) for name, module in sorted(sys.modules.items()) if name.startswith("multimix.")]
    return [
        Kernel(f"{name.removeprefix('multimix.')}.{function}", _folder(kernel))
        for name, module in modules
        for function, kernel in vars(module).items()
        if _was_called(kernel) and kernel.__module__ == name
    ]


def device_kernels(device: torch.device) -> str:
    """Returns the family of kernels that mixes on a device and, on a GPU without Triton, why."""
    try:
        family, why = family_of(device), missing(device)
    except ValueError:  # one of the findings
        return "unknown"
    return f"{family} ({why})" if why else family


def puzzle_solver(device: torch.device) -> str:
    """Returns what found Puzzle Mix's masks on a device, once they were asked for."""
    if "multimix.kernels.triton.cut" in sys.modules and family_of(device) == "triton":
        return "exact, Triton"
    if "multimix.puzzle.solver_cpu" not in sys.modules:
        return "not used"
    return "exact, compiled" if device.type == "cpu" else "exact, on the CPU"


def _was_called(kernel: Any) -> bool:
    """Whether this is a kernel that was called from Python; those have let go of the interpreter's lock."""
    return bool(getattr(kernel, "signatures", ())) and bool(getattr(kernel, "targetoptions", {}).get("nogil"))


def _folder(kernel: Any) -> str | None:
    folder = kernel.stats.cache_path
    return folder if folder is not None and os.access(folder, os.W_OK) else None
