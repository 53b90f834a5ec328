"""What a method sees when it is asked for its masks."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from multimix.masks import Constant
from multimix.scalars import as_number
from multimix.shapes import spatial_shape, to_device
from multimix.streams import Streams


@dataclass(frozen=True)
class Step:
    """One step's pairs and coefficients, before there are masks.

    Attributes:
        x: the batch.
        partner: who mixes with whom: (B,), or (K, B) with fresh partners.
        lam: coefficients; a single column where the batch shares one path.
        streams: the step's random streams.
        shared: True if the batch shares one geometry: draw it once, from `streams.batch`.
        saliency: importance of each position, for methods that need it.
    """

    x: Tensor
    partner: Int64[Tensor, "B"] | Int64[Tensor, "K B"]
    lam: Float64[np.ndarray, "K P1"]
    streams: Streams
    shared: bool
    saliency: Float[Tensor, "B *spatial"] | None = None

    @property
    def geometry(self) -> np.random.Generator:
        """The stream from which boxes and the like are drawn."""
        return self.streams.batch if self.shared else self.streams.pairs

    @property
    def spatial(self) -> tuple[int, ...]:
        """Sizes of x's spatial axes."""
        return spatial_shape(self.x)

    def constant(self) -> Constant:
        """The mask that keeps the share lam of every position."""
        share = self.lam.astype(np.float32)
        ends = bool(share.min() == 0), bool(share.max() == 1)
        return Constant(to_device(torch.from_numpy(share), self.x.device), ends)

    def tensor(self, array: np.ndarray, dtype: type[np.generic]) -> Tensor:
        """An array of draws as a tensor on x's device."""
        return to_device(torch.from_numpy(array.astype(dtype)), self.x.device)


def check_axes(method: str, x: Tensor) -> None:
    """Refuse what has no spatial axes that can be cut, or more than three."""
    if not 1 <= len(spatial_shape(x)) <= 3:
        raise ValueError(
            f"{method} cuts one, two or three spatial axes, got x: {tuple(x.shape)}; "
            f"give x as (B, L), (B, C, L), (B, C, H, W) or (B, C, D, H, W)"
        )


def checked_alpha(name: str, alpha: object) -> float:
    """The number that this is; one that is no shape of a Beta law is refused."""
    number = as_number(alpha)
    if number is None or not (math.isfinite(number) and number > 0):
        raise ValueError(f"alpha must be a finite number > 0, got alpha={alpha!r}; try {name}(alpha=1.0)")
    return number
