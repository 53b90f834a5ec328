"""ResizeMix: the whole partner, made smaller, pasted into the sample."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float64, Int64

from multimix.masks import Boxes, Resized, kept_shares
from multimix.methods.method import Method
from multimix.methods.step import Step
from multimix.scalars import as_number


@dataclass(frozen=True)
class ResizeMix(Method):
    """Paste the whole partner into the sample, resized to a scale that grows along the path.

    One place per pair. The box of scale s has sides `round(s * S)`, lies in the image, at each place with the same
    probability, and inside the boxes of larger scales. On d spatial axes a scale of s keeps `lam = 1 - s ** d`, up to
    rounding, and labels weigh what is kept. Series, images and volumes.

    As in the paper the scale is uniform, not lam Beta: lam follows its law all the same, by strata too. Its path
    begins and ends inside: on images, between 0.99 and 0.36 of the sample. Resizing takes the nearest position, as the
    authors' code does, but the one in the middle of what is left out, not its first corner; integers stay integers.
    That code draws a centre and shifts boxes to fit, which puts more of them at the border, and one scale per batch.

    Args:
        smallest: the smallest scale, from 0 on; the paper uses 0.1.
        largest: the largest scale, up to 1; the paper uses 0.8.

    Raises:
        ValueError: unless 0 <= smallest < largest <= 1.

    References:
        Qin et al., 2020, ResizeMix: Mixing Data with Preserved Object Information and True Labels, arXiv 2012.11101.
    """

    smallest: float = 0.1
    largest: float = 0.8
    cuts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        smallest, largest = as_number(self.smallest), as_number(self.largest)
        if smallest is None or largest is None or not 0 <= smallest < largest <= 1:
            raise ValueError(
                f"scales must be numbers, 0 <= smallest < largest <= 1, got smallest={self.smallest!r}, "
                f"largest={self.largest!r}; try ResizeMix(smallest=0.1, largest=0.8)"
            )
        object.__setattr__(self, "smallest", smallest)
        object.__setattr__(self, "largest", largest)

    def quantile(self, uniform: Float64[np.ndarray, "K P"], axes: int) -> Float64[np.ndarray, "K P"]:
        """Return the kept shares of uniform scales, the largest scale first."""
        scale = self.largest - (self.largest - self.smallest) * uniform
        lam: np.ndarray = 1.0 - scale**axes
        return lam

    def mask(self, step: Step) -> Resized:
        """K nested boxes per pair."""
        sizes = np.array(step.spatial)
        scale = (1.0 - step.lam[..., None]) ** (1.0 / len(sizes))
        sides = np.rint(scale * sizes).astype(np.int64)
        low = first_positions(sides, step.geometry.random((step.lam.shape[1], len(sizes))), sizes)
        lows, highs, weight = step.tensors(low, low + sides, kept_shares(low, low + sides, step.spatial))
        return step.weighed(Resized(Boxes(lows, highs, step.spatial)), weight)


def first_positions(
    sides: Int64[np.ndarray, "K P d"], place: Float64[np.ndarray, "P d"], sizes: Int64[np.ndarray, "d"]
) -> Int64[np.ndarray, "K P d"]:
    """Where boxes begin, each place with the same probability: a box one longer begins there, or one earlier."""
    low: np.ndarray = np.floor(place * (sizes - sides + 1)).astype(np.int64)
    return low
