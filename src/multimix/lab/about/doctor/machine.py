"""On what is computed, with how many threads, and where is anything kept?"""

import os
import platform
from pathlib import Path
from typing import Any

import torch

from multimix.lab.core.machine import processor
from multimix.lab.data.files.cache import cache_folder


def devices() -> list[torch.device]:
    """Returns everything that can compute here, the CPU first."""
    found = [torch.device("cpu")]
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if accelerator is not None:
        found += [torch.device(accelerator.type, index) for index in range(torch.accelerator.device_count())]
    return found


def device_name(device: torch.device) -> str:
    """Returns what a device is."""
    if device.type == "cpu":
        return processor()
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def machine() -> dict[str, Any]:
    """Returns the system, its cores, and how many threads PyTorch and the compiled kernels take."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": os.cpu_count(),
        "usable_cores": usable,
        "threads": torch.get_num_threads(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }


def data_cache() -> dict[str, Any]:
    """Returns where decoded samples are kept (None: nowhere), how much, and whether more can be."""
    folder = cache_folder()
    if folder is None:
        return {"folder": None, "bytes": 0, "writable": True}
    kept = sum(file.stat().st_size for file in folder.glob("*.safetensors")) if folder.is_dir() else 0
    return {"folder": str(folder), "bytes": kept, "writable": os.access(_nearest(folder), os.W_OK)}


def _nearest(folder: Path) -> Path:
    """Returns the folder itself or, where it is not there yet, the one it would be made in."""
    return next(place for place in (folder, *folder.parents) if place.exists())
