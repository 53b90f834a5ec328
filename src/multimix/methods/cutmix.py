"""CutMix: a box of the partner pasted into the sample."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float64

from multimix.masks import Boxes, kept_shares
from multimix.methods.method import Method
from multimix.methods.step import Step, checked_alpha
from multimix.suggest import check_option

BOXES = ("nested", "inside", "independent")


@dataclass(frozen=True)
class CutMix(Method):
    """Paste a box of the partner; label weights are the exact shares of kept positions.

    On d spatial axes (one, two or three) of sizes S the box has sides `S * (1 - lam) ** (1 / d)` around a uniform
    centre; a real edge e lies at position `floor(e)`, and boxes are clipped at the border. So does the CutMix in Puzzle
    Mix's code; the authors' own makes whole numbers of sides, half sides and centres first, and smaller boxes with it.

    Args:
        alpha: shape of the Beta(alpha, alpha) law of the coefficients, > 0; the paper uses 1.0.
        boxes: `"nested"`: one centre per pair, K boxes that grow as lam falls (clipping keeps more than lam: at 32
            pixels and K = 5 the path ends half way on average). `"inside"`: nested, each box shifted to fit, edges
            rounded, so that the kept share is lam up to a pixel per edge and the path reaches the partner.
            `"independent"`: K centres per pair, so K boxes that need not be nested.

    Raises:
        ValueError: if alpha is not a finite number > 0, or boxes is unknown.

    References:
        Yun et al., 2019, CutMix, arXiv 1905.04899, eq. (1)-(2).
    """

    alpha: float = 1.0
    boxes: str = "nested"
    cuts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", checked_alpha("CutMix", self.alpha))
        check_option("boxes", self.boxes, BOXES)

    def mask(self, step: Step) -> Boxes:
        """K boxes per pair."""
        sizes = np.array(step.spatial, dtype=np.float64)
        num_mixes, columns = step.lam.shape
        centres = num_mixes if self.boxes == "independent" else 1
        centre = step.geometry.random((centres, columns, len(sizes))) * sizes
        low, high = box_edges(step.lam, centre, sizes, fit=self.boxes == "inside")
        low, high = low.astype(np.int64), high.astype(np.int64)
        lows, highs, weight = step.tensors(low, high, kept_shares(low, high, step.spatial))
        return step.weighed(Boxes(lows, highs, step.spatial), weight)


def box_edges(
    lam: Float64[np.ndarray, "K P"], centre: Float64[np.ndarray, "#K P d"], sizes: Float64[np.ndarray, "d"], fit: bool
) -> tuple[Float64[np.ndarray, "K P d"], Float64[np.ndarray, "K P d"]]:
    """First positions inside, and one past the last, of boxes that cover a share 1 - lam before they are clipped.

    Args:
        lam: coefficients.
        centre: centres, in positions.
        sizes: sizes of the spatial axes.
        fit: shift boxes into the image instead of clipping them.
    """
    side = sizes * (1.0 - lam[..., None]) ** (1.0 / len(sizes))
    low = centre - side / 2
    if fit:  # edges are rounded, not cut off: a box at the border must not lose a pixel on average
        low = np.clip(low, 0.0, sizes - side)
        return np.rint(low), np.rint(low + side)
    high = np.floor(centre + side / 2)
    return np.maximum(np.floor(low), 0.0), np.minimum(high, sizes)  # the centre is inside: half of np.clip is enough
