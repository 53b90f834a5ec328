"""Which card, driver and libraries were measured."""

import subprocess

import torch

from benchmarks.timing import machine


def card(device: torch.device) -> dict[str, str]:
    """Return what to print above the tables."""
    host = machine("triton", "timm", "torchvision")
    described = {
        "date": str(host["date"]),
        "card": torch.cuda.get_device_name(device) if device.type == "cuda" else "none: on the CPU, times mean nothing",
        "driver": _driver() if device.type == "cuda" else "none",
        "CUDA": str(torch.version.cuda),
        "processor": f"{host['processor']}, {host['cores']} cores",
        "system": str(host["system"]),
    }
    return described | {name: str(version) for name, version in host["versions"].items()}


def _driver() -> str:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.split("\n")[0]
    except (OSError, subprocess.SubprocessError):
        return "unknown: nvidia-smi cannot be asked"
