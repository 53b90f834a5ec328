"""How precisely a device computes."""

import torch


def widest(device: torch.device) -> torch.dtype:
    """The floating-point type with the most digits that a device has: Apple's GPUs have no float64."""
    return torch.float32 if device.type == "mps" else torch.float64
