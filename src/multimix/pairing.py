"""Who mixes with whom."""

import math
from dataclasses import dataclass
from typing import SupportsFloat

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from multimix.host import is_readable
from multimix.scalars import as_number
from multimix.shapes import to_device, widest

PARTNERS = ("same", "fresh")
MOST_NUMBERS = 1 << 24  # of differences of targets at a time: bounds the memory


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


def given_partner(partner: Tensor, num_mixes: int) -> Int64[np.ndarray, "..."] | Int64[Tensor, "..."]:
    """Return partners that the caller chose, as drawn ones are: on the host, or where they are on the batch's device.

    They are copied: a plan does not change when the caller's tensor does.
    """
    own = partner[:num_mixes] if partner.ndim == 2 else partner
    if own.device.type == "cpu":
        return np.array(own.numpy(), dtype=np.int64)
    return own.to(torch.int64, copy=True)


def of_pairs(alpha: Tensor, partner: np.ndarray | Tensor) -> Float64[np.ndarray, "B"]:
    """Return the shape of each pair's law: as it is, or of each sample (a row) with its partner (a column).

    It is needed on the host, where coefficients are drawn; an accelerator is waited for.
    """
    shapes: np.ndarray = alpha.detach().cpu().double().numpy()
    if shapes.ndim == 2:
        columns = partner.cpu().numpy() if isinstance(partner, Tensor) else partner
        shapes = shapes[np.arange(len(shapes)), columns]
    return shapes


@dataclass(frozen=True, init=False)
class SimilarTargets:
    """Partners drawn by how near their targets are: `exp(-|y[i] - y[j]|² / (2 bandwidth²))`.

    For regression: the blend of two targets is a likely target of the blended input only where the two are near. A
    sample is never its own partner in a batch of two or more; unlike with other partners, it may be chosen by several.
    A bandwidth far above the spread of y makes partners uniform over the others; one far below takes the nearest.

    `mix.plan(x, features)` draws partners by the distance of features in place of y: `mix.apply(plan, x, y)` and
    `mix.run(model, x, y, plan=plan)` then mix the targets, of any kind.

    Args:
        bandwidth: in the units of y, > 0.

    Raises:
        ValueError: if bandwidth is not a finite number > 0.

    References:
        Yao et al., 2022, C-Mixup: Improving Generalization in Regression, arXiv 2210.05775. There a sample may be its
        own partner, and probabilities are over the training set; here they are over the batch.
    """

    bandwidth: float

    def __init__(self, bandwidth: SupportsFloat) -> None:
        width = as_number(bandwidth)
        if width is None or not (math.isfinite(width) and width > 0):
            raise ValueError(
                f"bandwidth must be a finite number > 0, in the units of y, got bandwidth={bandwidth!r}; try a "
                f"tenth of y's standard deviation"
            )
        object.__setattr__(self, "bandwidth", float(width))

    def check(self, y: Tensor | None) -> None:
        """Refuse targets that have no distance; values are looked at on the CPU only."""
        if y is None:
            raise ValueError("partners with similar targets need y, got y=None; call mix.plan(x, y)")
        if not y.dtype.is_floating_point:
            raise ValueError(
                f"y must be floating point for partners with similar targets, got y.dtype={y.dtype}; classes have no "
                f'distance: use partners="same"'
            )
        if y.numel() == 0:
            raise ValueError(f"y must hold values for partners with similar targets, got y: {tuple(y.shape)}")
        if is_readable(y) and not y.isfinite().all():
            raise ValueError("y must be finite for partners with similar targets, got nan or infinity; correct y")

    def draw(self, y: Float[Tensor, "B *target"], rng: np.random.Generator) -> Int64[Tensor, "B"]:
        """Draw a partner for every sample: random numbers are made on the CPU, no value of y is read there."""
        wide = widest(y.device)
        chance = to_device(torch.from_numpy(rng.random((len(y), 1))).to(wide), y.device)
        share = torch.softmax(self._logits(y.detach().reshape(len(y), -1).to(wide)), dim=1).cumsum(dim=1)
        last = share[:, -1:]
        below = torch.minimum(chance * last, last * (1 - torch.finfo(wide).eps))  # also where the product is rounded up
        return torch.searchsorted(share, below, right=True).squeeze(1)

    def _logits(self, y: Float[Tensor, "B N"]) -> Float[Tensor, "B B"]:
        """`(m² - d²) / (2 bandwidth²)`, with d the distance and m that of the nearest: 0 for the nearest.

        As a product of two quotients, for no power of a distance or of the bandwidth need be a number of this type.
        """
        distance, scale = _distances(y)
        others = len(y) > 1
        if others:
            distance.fill_diagonal_(math.inf)
        nearest = distance.amin(1, keepdim=True)
        apart, sum_ = (part / self.bandwidth / scale for part in (distance - nearest, distance + nearest))
        logits = torch.where(distance == nearest, 0.0, apart * sum_ / -2)
        return logits.fill_diagonal_(-math.inf) if others else logits


def _distances(y: Float[Tensor, "B N"]) -> tuple[Float[Tensor, "B B"], float]:
    """Euclidean distances times a power of two that keeps them finite, and that power. Not a number is far away."""
    scale = 0.5 ** (1 + math.ceil(math.log2(y.shape[1]) / 2))
    rows = max(1, MOST_NUMBERS // y.numel())
    return torch.cat([_distances_from(part, y * scale) for part in torch.split(y * scale, rows)]), scale


def _distances_from(rows: Float[Tensor, "R N"], y: Float[Tensor, "B N"]) -> Float[Tensor, "R B"]:
    difference = rows[:, None] - y
    longest = torch.linalg.vector_norm(difference, math.inf, dim=-1)
    parts = difference.div_(longest.where(longest > 0, 1.0)[..., None])  # so that no square overflows
    return torch.nan_to_num(longest * parts.square_().sum(-1).sqrt(), nan=math.inf, posinf=math.inf)
