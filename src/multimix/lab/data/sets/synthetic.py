"""Points in the plane whose classes one can see: two moons, spirals, Gaussian rings."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from multimix.lab.core.checks import check, check_at_least_one, check_finite, check_name
from multimix.lab.data.data_set import EncodedData
from multimix.lab.data.files import BadFiles
from multimix.lab.data.held import HeldSplit

# The points are the same for every run: seeds vary the training, not the question.
SEED = 0
NUM_TEST = 2000
TURNS = 1.5  # of each spiral arm around the middle


def moons(share: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Return points on two half circles that reach into each other; `share` in [0, 1] is the place along one."""
    angle = math.pi * share
    upper = torch.stack([angle.cos(), angle.sin()], dim=1)
    lower = torch.stack([1 - angle.cos(), 0.5 - angle.sin()], dim=1)
    return torch.where(labels[:, None] == 0, upper, lower)


def spirals(share: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Return points on spiral arms that start in the middle; uniform along the radius."""
    angle = 2 * math.pi * (TURNS * share + labels / num_classes)
    return 2 * share[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)


def rings(share: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Return points on circles around one middle, class 0 the innermost."""
    angle = 2 * math.pi * share
    return (labels[:, None] + 0.5) * torch.stack([angle.cos(), angle.sin()], dim=1)


SHAPES: dict[str, Callable[[Tensor, Tensor, int], Tensor]] = {"moons": moons, "spirals": spirals, "rings": rings}


@dataclass(frozen=True)
class Synthetic:
    """(N, 2) float32 points, each class as often as the others, with Gaussian noise.

    Args:
        shape: "moons", "spirals" or "rings".
        num_classes: Spiral arms or rings; there are two moons.
        num_train: Points to train on; 2,000 more to test on.
        noise: Standard deviation of the noise.
    """

    name = "synthetic"
    shape: str = "moons"
    num_classes: int = 2
    num_train: int = 500
    noise: float = 0.1

    def __post_init__(self) -> None:
        check_name("shape", self.shape, SHAPES)
        check_at_least_one("num_train", self.num_train)
        check(self.num_classes >= 2, "num_classes must be >= 2", "give at least 2", num_classes=self.num_classes)
        check_finite("noise", self.noise, "try 0.1")
        if self.shape == "moons":
            check(self.num_classes == 2, "moons must be two", "choose rings", num_classes=self.num_classes)

    def load(self, root: Path | None, bad_files: BadFiles) -> EncodedData:
        """Draw the points."""
        generator = torch.Generator().manual_seed(SEED)
        splits = {part: self._split(num, generator) for part, num in (("train", self.num_train), ("test", NUM_TEST))}
        return EncodedData(self.name, splits, self.num_classes)

    def _split(self, num: int, generator: torch.Generator) -> HeldSplit:
        labels = torch.arange(num) % self.num_classes
        x = SHAPES[self.shape](torch.rand(num, generator=generator), labels, self.num_classes)
        return HeldSplit(x + self.noise * torch.randn(num, 2, generator=generator), labels)
