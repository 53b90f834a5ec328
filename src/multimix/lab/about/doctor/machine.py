"""On what is computed, with how many threads and which kernels, and where is anything kept?"""

import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

import torch

from multimix import __version__
from multimix.kernels.family import family_of, missing
from multimix.lab.core.machine import cores, installed, processor
from multimix.lab.data.files.cache import cache_folder

ABSENT = "not installed"


def devices() -> list[torch.device]:
    """Return everything that can compute here, the CPU first."""
    found = [torch.device("cpu")]
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if accelerator is not None:
        found += [torch.device(accelerator.type, index) for index in range(torch.accelerator.device_count())]
    return found


def device_name(device: torch.device) -> str:
    """Return what a device is."""
    if device.type == "cpu":
        return processor()
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def machine() -> dict[str, Any]:
    """Return the system, its cores, and how many threads PyTorch and the compiled kernels take."""
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": os.cpu_count(),
        "usable_cores": cores(),
        "threads": torch.get_num_threads(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }


def data_cache() -> dict[str, Any]:
    """Return where decoded samples are kept (None: nowhere), how much, and whether more can be."""
    folder = cache_folder()
    if folder is None:
        return {"folder": None, "bytes": 0, "writable": True}
    kept = sum(file.stat().st_size for file in folder.glob("*.safetensors")) if folder.is_dir() else 0
    return {"folder": str(folder), "bytes": kept, "writable": os.access(_nearest(folder), os.W_OK)}


def _nearest(folder: Path) -> Path:
    """Return the folder itself or, where it is not there yet, the one it would be made in."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def used_kernels() -> list[dict[str, str | None]]:
    """Return the name of each compiled kernel that was called so far, and the folder that keeps its machine code.

    The folder is None where no folder can be written, so that every process compiles the kernel again.
    """
    modules = [(name, module) for name, module in sorted(sys.modules.items()) if name.startswith("multimix.")]
    return [
        {"name": f"{name.removeprefix('multimix.')}.{function}", "folder": _folder(kernel)}
        for name, module in modules
        for function, kernel in vars(module).items()
        if _was_called(kernel) and kernel.__module__ == name
    ]


def device_kernels(device: torch.device) -> str:
    """Return the family of kernels that mixes on a device and, on a GPU without Triton, why."""
    try:
        family, why = family_of(device), missing(device)
    except ValueError:  # one of the findings
        return "unknown"
    return f"{family} ({why})" if why else family


def puzzle_solver(device: torch.device) -> str:
    """Return what found Puzzle Mix's masks on a device, once they were asked for."""
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


@dataclass(frozen=True)
class Package:
    """A package that multimix asks for.

    Args:
        name: Of the distribution.
        asked: The versions that will do.
        version: The one that is here, or ABSENT.
        extra: The extra that brings it; empty for what the library itself needs.
        fits: Whether the version will do; absent ones of an extra will, and any Triton.
    """

    name: str
    asked: str
    version: str
    extra: str
    fits: bool


def versions() -> dict[str, str]:
    """Return what everything is made of."""
    return {"multimix": __version__, "python": platform.python_version()} | {
        name: installed(name) for name in ("torch", "numpy", "numba")
    }


def packages() -> list[Package]:
    """Return all packages that multimix's metadata name; none where it was never installed."""
    try:
        return [package for line in requires("multimix") or [] if (package := _package(line)) is not None]
    except PackageNotFoundError:
        return []


def _package(line: str) -> Package | None:
    from packaging.requirements import Requirement

    requirement = Requirement(line)
    marker = "" if requirement.marker is None else str(requirement.marker)
    extra = marker.rpartition("extra ==")[2].strip(" \"'")  # as in `extra == "lab"`
    if requirement.name == "multimix":  # an extra that brings another one
        return None
    version = installed(requirement.name)
    if version == ABSENT:
        fits = extra != ""
    else:  # PyTorch brings the Triton that it needs; where that is too old, the kernels' own line says so
        fits = extra == "gpu" or requirement.specifier.contains(version, prereleases=True)
    return Package(requirement.name, str(requirement.specifier), version, extra, fits)
