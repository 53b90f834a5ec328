"""Who mixes with whom."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from multimix.precision import widest

PARTNERS = ("same", "fresh")


def draw_partner(num_samples: int, rng: np.random.Generator) -> Int64[np.ndarray, "{num_samples}"]:
    """Draw a partner for every sample: a random cycle through the batch.

    Each sample's partner is uniform over the others, each sample is partner once, none is its own partner, and for
    more than two samples no pair comes twice with its sides swapped (which would waste a forward pass).
    A batch of one is its own partner.
    """
    order = rng.permutation(num_samples)
    partner = np.empty(num_samples, dtype=np.int64)
    partner[order[:-1]] = order[1:]
    partner[order[-1]] = order[0]
    return partner


def draw_fresh_partners(
    num_mixes: int, num_samples: int, rng: np.random.Generator
) -> Int64[np.ndarray, "{num_mixes} {num_samples}"]:
    """Draw a new partner for every mix: the repeated-mixup control, K independent cycles."""
    return np.stack([draw_partner(num_samples, rng) for _ in range(num_mixes)])


@dataclass(frozen=True)
class SimilarTargets:
    """Partners drawn by how near their targets are: `exp(-|y[i] - y[j]|² / (2 bandwidth²))`.

    For regression: the blend of two targets is a likely target of the blended input only where the two are near. A
    sample is never its own partner in a batch of two or more; unlike with other partners, it may be chosen by several.
    A bandwidth far above the spread of y makes partners uniform over the others; one far below takes the nearest.

    Args:
        bandwidth: in the units of y, > 0.

    Raises:
        ValueError: if bandwidth is not a finite number > 0.

    References:
        Yao et al., 2022, C-Mixup: Improving Generalization in Regression, arXiv 2210.05775. There a sample may be its
        own partner, and probabilities are over the training set; here they are over the batch.
    """

    bandwidth: float

    def __post_init__(self) -> None:
        width = self.bandwidth
        if isinstance(width, bool) or not isinstance(width, (int, float)) or not (math.isfinite(width) and width > 0):
            raise ValueError(
                f"bandwidth must be a finite number > 0, in the units of y, got bandwidth={width!r}; try a tenth of "
                f"y's standard deviation"
            )

    def check(self, y: Tensor | None) -> None:
        """Refuse targets that have no distance; values are looked at on the CPU only."""
        if y is None:
            raise ValueError("partners with similar targets need y, got y=None; call mix.plan(x, y)")
        if not y.dtype.is_floating_point:
            raise ValueError(
                f"y must be floating point for partners with similar targets, got y.dtype={y.dtype}; classes have no "
                f'distance: use partners="same"'
            )
        if y.device.type == "cpu" and not y.isfinite().all():
            raise ValueError("y must be finite for partners with similar targets, got nan or infinity; correct y")

    def draw(self, y: Float[Tensor, "B *target"], rng: np.random.Generator) -> Int64[Tensor, "B"]:
        """Draw a partner for every sample: random numbers are made on the CPU, no value of y is read there."""
        wide = widest(y.device)
        chance = torch.from_numpy(rng.random((len(y), 1))).to(wide).to(y.device)
        flat = y.detach().reshape(len(y), -1).to(wide)
        distance = (flat[:, None] - flat[None]).square().sum(-1)
        if len(y) > 1:
            distance.fill_diagonal_(math.inf)
        share = torch.softmax(distance / (-2 * self.bandwidth**2), dim=1).cumsum(dim=1)
        return torch.searchsorted(share, chance * share[:, -1:], right=True).squeeze(1)
