"""What a corruption is given: how strong it is, and random numbers.

The constants of the nineteen types, by the size of the images, are those of the code that made CIFAR-10-C,
Tiny-ImageNet-C and ImageNet-C (github.com/hendrycks/robustness, ImageNet-C/create_c/make_cifar_c.py,
make_tinyimagenet_c.py, make_imagenet_c.py). Each sample has random numbers of its own, whatever is beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from multimix.lab.core.randomness import seed_of

SEVERITIES = (1, 2, 3, 4, 5)
# Short sides, in pixels, from which the constants for 64 and for 224 pixels hold.
TINY_FROM, IMAGENET_FROM = 64, 128

T = TypeVar("T")


@dataclass(frozen=True)
class Constants(Generic[T]):
    """Five values, one per severity, for each of three sizes of images.

    Args:
        cifar: Published for 32 pixels; used below 64.
        tiny: Published for 64 pixels; used below 128.
        imagenet: Published for 224 pixels.
    """

    cifar: tuple[T, ...]
    tiny: tuple[T, ...]
    imagenet: tuple[T, ...]

    def at(self, pixels: Tensor, severity: int) -> T:
        """Return the value for images of this size."""
        side = min(pixels.shape[-2:])
        values = self.cifar if side < TINY_FROM else self.tiny if side < IMAGENET_FROM else self.imagenet
        return values[severity - 1]


class Draws:
    """The random numbers of some samples for one type and severity.

    Args:
        seed: Of the evaluation.
        purpose: The type and severity.
        indices: Of the samples.
        device: Where numbers are wanted; they are drawn on the CPU.
    """

    def __init__(self, seed: int, purpose: str, indices: range, device: torch.device) -> None:
        self._seed, self._purpose, self._indices, self._device = seed, purpose, indices, device

    @cached_property
    def _generators(self) -> list[np.random.Generator]:
        key = seed_of(self._seed, self._purpose)
        seeds = (np.random.SeedSequence([key, index]) for index in self._indices)
        return [np.random.Generator(np.random.Philox(seed)) for seed in seeds]

    def normal(self, *shape: int) -> Tensor:
        """Return standard normal numbers, (N, *shape)."""
        return self._each(lambda generator: generator.standard_normal(shape, dtype=np.float32))

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Return numbers in [low, high), (N, *shape)."""
        return self._each(lambda generator: generator.random(shape, dtype=np.float32)) * (high - low) + low

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """Return integers in [low, high), (N, *shape)."""
        return self._each(lambda generator: generator.integers(low, high, shape))

    def poisson(self, rates: Tensor) -> Tensor:
        """Return counts with these rates, of rates' shape."""
        rows = zip(self._generators, rates.double().cpu().numpy(), strict=True)
        return self._moved([generator.poisson(row).astype(np.float32) for generator, row in rows])

    def _each(self, draw: Callable[[np.random.Generator], object]) -> Tensor:
        return self._moved([draw(generator) for generator in self._generators])

    def _moved(self, rows: list[object]) -> Tensor:
        return torch.from_numpy(np.stack([np.asarray(row) for row in rows])).to(self._device)
