"""Where a step's random numbers come from: one seed in, two streams out."""

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Streams:
    """The two random streams of one step.

    Attributes:
        batch: what all ranks must agree on (layer, grid, choice, anything shared by the batch).
        pairs: what every rank draws for itself (partners, coefficients and geometry of its pairs).
    """

    batch: np.random.Generator
    pairs: np.random.Generator


def open_streams(generator: torch.Generator | None) -> Streams:
    """Take one seed from `generator` and open both streams.

    The seed is hashed into Philox keys, because a CPU `torch.Generator` keeps only 32 bits of a seed: neighbouring
    ranks and steps would share streams. No other random source is read or advanced.

    Args:
        generator: a `torch.Generator` on the CPU, or None for torch's global one.

    Raises:
        ValueError: if the generator lives on another device.
    """
    if generator is not None and generator.device.type != "cpu":
        raise ValueError(
            f"generator must be on the CPU (draws for all devices are made there), got generator.device="
            f"{generator.device}; pass torch.Generator()"
        )
    seed = int(torch.empty((), dtype=torch.int64, device="cpu").random_(generator=generator))
    return Streams(_stream(seed, 0), _stream(seed, 1, _rank()))


def _stream(seed: int, *key: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key)))


def _rank() -> int:
    distributed = torch.distributed
    return distributed.get_rank() if distributed.is_available() and distributed.is_initialized() else 0
