"""Where was this measured? Without it a training time means nothing."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from multimix.lab.core.errors import UsageError


def check_device(device: str, precision: str) -> None:
    """Refuse a device that this machine does not have, or that does not compute in a precision.

    Raises:
        UsageError: if it is not there, or does not.
    """
    here = {"auto": True, "cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not here[device]:
        raise UsageError(
            f"device must be one that this machine has, got device={device!r}; "
            f"choose one of {', '.join(name for name in here if here[name])}"
        )
    accelerated = here["cuda"] or here["mps"]
    if precision == "fp16" and (device == "cpu" or not accelerated):
        raise UsageError(
            f"fp16 needs an accelerator, got precision={precision!r}, device={device!r}; use bf16, or fp32, on a CPU"
        )


def environment(device: torch.device, jobs: int) -> dict[str, Any]:
    """Return the conditions of a measurement: machine, versions, threads, and how many runs shared the machine."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "jobs": jobs,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "multimix": installed("multimix"),
        "system": f"{platform.system()} {platform.machine()}",
    }


def processor() -> str:
    """Return the name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def installed(package: str) -> str:
    """Return the version of a package that runs, which may hide an installed one, or that there is none."""
    running = getattr(sys.modules.get(package), "__version__", None)
    try:
        return str(running or version(package))
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "not installed"


def threads_each(jobs: int) -> int:
    """Return how many threads a run has where so many share the machine."""
    return max(1, cores() // jobs)


def cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
