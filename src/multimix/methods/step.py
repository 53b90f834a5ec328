"""What a method sees when it is asked for its masks."""

import math
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor, nn

from multimix.masks import Constant, Mask
from multimix.scalars import as_number
from multimix.shapes import send, spatial_shape
from multimix.streams import Streams

AnyMask = TypeVar("AnyMask", bound=Mask)
MOST_COLOURS = 4  # of an image as it is stored


@dataclass(frozen=True)
class Step:
    """One step's pairs and coefficients, before there are masks.

    Attributes:
        x: the batch.
        drawn: who mixes with whom, on the host, or on x's device where that depends on x.
        lam: coefficients; a single column where the batch shares one path.
        streams: the step's random streams.
        shared: True if the batch shares one geometry: draw it once, from `streams.batch`.
        saliency: importance of each position, for methods that need it.
    """

    x: Tensor
    drawn: Int64[np.ndarray, "B"] | Int64[np.ndarray, "K B"] | Int64[Tensor, "B"]
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
        """Return the mask that keeps the share lam of every position."""
        share = self.lam.astype(np.float32)
        ends = bool(share.min() == 0), bool(share.max() == 1)
        return Constant(self.tensors(share)[0], ends)

    @cached_property
    def partner(self) -> Int64[Tensor, "B"] | Int64[Tensor, "K B"]:
        """Who mixes with whom: (B,), or (K, B) with fresh partners; on x's device."""
        return self.drawn if isinstance(self.drawn, Tensor) else send([self.drawn], self.x.device)[0]

    def tensors(self, *arrays: np.ndarray) -> list[Tensor]:
        """Arrays of draws as tensors on x's device, in one copy with the partners: call it once, and before those."""
        if isinstance(self.drawn, Tensor) or "partner" in vars(self):
            return send(arrays, self.x.device)
        *sent, vars(self)["partner"] = send([*arrays, self.drawn], self.x.device)
        return sent

    def weighed(self, mask: AnyMask, weight: Float32[Tensor, "K P1"]) -> AnyMask:
        """Return a mask whose label weights were found on the way to it: no launch is spent on them again."""
        vars(self)["weight"] = mask, weight
        return mask

    def weight_of(self, mask: Mask) -> Float32[Tensor, "K P1"]:
        """Return the label weights of a mask: those known, if it is the one that they were found with."""
        known, weight = vars(self).get("weight", (None, None))
        return weight if known is mask and weight is not None else mask.weight()


def check_axes(method: str, x: Tensor) -> None:
    """Refuse what has no spatial axes that can be cut, or more than three; warn of images that seem channels last."""
    if not 1 <= len(spatial_shape(x)) <= 3:
        raise ValueError(
            f"{method} cuts one, two or three spatial axes, got x: {tuple(x.shape)}; "
            f"give x as (B, L), (B, C, L), (B, C, H, W) or (B, C, D, H, W)"
        )
    if x.ndim == 4 and x.shape[1] == x.shape[2] > MOST_COLOURS >= x.shape[3]:
        warnings.warn(
            f"x should be (B, C, H, W), got x: {tuple(x.shape)}, which looks like (B, H, W, C): {method} would cut "
            f"across colours; use x.permute(0, 3, 1, 2)",
            stacklevel=2,
        )


def check_saliency_source(method: str, x: Tensor, y: Tensor | None, model: nn.Module | None, saliency: object) -> None:
    """Refuse a batch whose saliency is not given and cannot be had from the model's gradient."""
    if saliency is not None:
        return
    if model is None or y is None:
        raise ValueError(
            f"{method} needs saliency, got model={'None' if model is None else 'given'}, "
            f"y={'None' if y is None else 'given'}; call mix(x, y, model=model), or mix.run(model, x, y), or give "
            f"saliency=..."
        )
    if not x.dtype.is_floating_point:
        raise ValueError(
            f"x must be floating point for {method} to find its saliency by a gradient, got x.dtype={x.dtype}; give "
            f"saliency=..."
        )


def checked_criterion(criterion: object) -> None:
    """Refuse what cannot be called with an output and targets."""
    if not callable(criterion):
        raise TypeError(
            f"criterion must be a function of the model's output and the targets, got criterion={criterion!r}; give "
            f"the loss of your training, for example F.cross_entropy"
        )


def checked_alpha(name: str, alpha: object) -> float:
    """Return the number that this is; one that is no shape of a Beta law is refused."""
    number = as_number(alpha)
    if number is None or not (math.isfinite(number) and number > 0):
        raise ValueError(f"alpha must be a finite number > 0, got alpha={alpha!r}; try {name}(alpha=1.0)")
    return number
