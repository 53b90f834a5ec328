"""Which seed belongs to which draw.

Every draw of a run is seeded by (seed, purpose, index) and by nothing else, never by how much was drawn before. So step
1000 can be made without the 999 before it, and two runs with one seed meet the same images in the same order, whatever
method they train: their difference is the method's.
"""

import zlib
from contextlib import AbstractContextManager

import numpy as np
import torch


def seed_of(seed: int, purpose: str, index: int = 0) -> int:
    """Return the seed, in [0, 2**63), of draw number `index` for one purpose of a run."""
    entropy = [seed, zlib.crc32(purpose.encode()), index]
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> np.uint64(1))


def seed_device(seed: int, device: torch.device) -> None:
    """Seed torch's global random numbers, on the CPU and on one device.

    `torch.manual_seed` seeds every kind of device. Those that are not used keep each seed for when they will be: with a
    seed per step that takes a millisecond, and memory that grows.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


def private_random_state(device: torch.device) -> AbstractContextManager[None]:
    """Leave torch's global random state, here and on the device, as it was before the block."""
    kind = device.type if device.type in ("cuda", "mps") else "cuda"
    devices = [device.index or 0] if device.type in ("cuda", "mps") else []
    return torch.random.fork_rng(devices, device_type=kind)
