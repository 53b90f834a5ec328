"""Where a step's random numbers come from: one seed in, two streams out."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from numpy.random.bit_generator import ISeedSequence


@dataclass(frozen=True)
class Streams:
    """The two random streams of one step, each opened when first needed: opening one costs as much as drawing a step.

    Args:
        seed: of the step, at least 0, below 2**63.
    """

    seed: int

    @cached_property
    def batch(self) -> np.random.Generator:
        """What all ranks must agree on (layer, grid, choice, anything shared by the batch)."""
        return _stream(self.seed, 0)

    @cached_property
    def pairs(self) -> np.random.Generator:
        """What every rank draws for itself (partners, coefficients and geometry of its pairs)."""
        return _stream(self.seed, 1 + _rank())


def open_streams(generator: torch.Generator | None) -> Streams:
    """Take one seed from `generator` for both streams.

    No other random source is read or advanced.

    Args:
        generator: a `torch.Generator` on the CPU, or None for torch's global one.

    Raises:
        TypeError: if it is something else, such as a seed.
        ValueError: if the generator lives on another device.
    """
    if not isinstance(generator, torch.Generator | None):
        raise TypeError(
            f"generator must be a torch.Generator, got generator={generator!r}; for a seed give "
            f"torch.Generator().manual_seed(seed)"
        )
    if generator is not None and generator.device.type != "cpu":
        raise ValueError(
            f"generator must be on the CPU (draws for all devices are made there), got generator.device="
            f"{generator.device}; pass torch.Generator()"
        )
    return Streams(int(torch.empty((), dtype=torch.int64, device="cpu").random_(generator=generator)))


def _stream(seed: int, number: int) -> np.random.Generator:
    """A Philox stream of its own for every seed and number, by its 128-bit key: Philox needs no well-mixed seeds.

    A CPU `torch.Generator` would not do: it keeps only 32 bits of a seed, so steps and ranks would share streams.
    """
    return np.random.Generator(np.random.Philox(cast(np.random.SeedSequence, _Key(seed, number))))


class _Key(ISeedSequence):
    """A Philox key as it is. `Philox(key=...)` would first ask the system for random bits, and throw them away."""

    def __init__(self, *words: int) -> None:
        self.words = words

    def generate_state(self, n_words: int, dtype: object = np.uint32) -> Any:
        return np.array(self.words, dtype=np.uint64)


def _rank() -> int:
    distributed = torch.distributed
    return distributed.get_rank() if distributed.is_available() and distributed.is_initialized() else 0
