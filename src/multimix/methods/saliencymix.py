"""SaliencyMix: a box around what stands out in the partner, pasted into the sample."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from multimix.contrast import contrast
from multimix.kernels.family import takes_triton
from multimix.masks import Boxes
from multimix.methods.method import Method
from multimix.methods.step import Step, checked_alpha
from multimix.suggest import check_option

BOXES = ("nested", "inside")


@dataclass(frozen=True)
class SaliencyMix(Method):
    """CutMix with the box around the partner's most salient position, pasted at the same place.

    On d spatial axes of sizes S the box has sides `round(S * (1 - lam) ** (1 / d))`: boxes grow around the peak as lam
    falls. Labels weigh the positions kept. Series, images and volumes.

    Saliency is given (`saliency=...`), or found without a model: contrast with the surroundings at several scales, over
    all channels (`multimix.contrast`). The paper uses OpenCV's fine-grained static saliency, from one grey channel,
    which also compares centres with surroundings, pixel by pixel; ours averages cells of 1/32 of larger
    images, runs on any device and takes any number of channels and axes. In the authors' code the whole batch
    gets the box of the first pair, as here with `MultiMix(share="batch")`, and sides are rounded down to even numbers.

    If all positions are equally salient, as in a constant image, the peak is the middle.

    Args:
        alpha: shape of the Beta(alpha, alpha) law of the coefficients, > 0; the paper uses 1.0.
        boxes: `"nested"`: clipped at the border, as in the paper, so that more than lam is kept. `"inside"`: shifted to
            fit, so that lam is kept up to rounding, and the path reaches the partner.

    Raises:
        ValueError: if alpha is not a finite number > 0, or boxes is unknown.

    References:
        Uddin et al., 2021, SaliencyMix: A Saliency Guided Data Augmentation Strategy for Better Regularization, ICLR,
        arXiv 2006.01791, sec. 3.
    """

    alpha: float = 1.0
    boxes: str = "nested"
    cuts: ClassVar[bool] = True
    salient: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", checked_alpha("SaliencyMix", self.alpha))
        check_option("boxes", self.boxes, BOXES)

    def check_input(self, x: Tensor, y: Tensor | None, model: nn.Module | None, saliency: Tensor | None) -> None:
        """Refuse a batch that cannot be cut, or in which nothing stands out.

        Raises:
            ValueError: if x has not one to three spatial axes, or is complex.
        """
        super().check_input(x, y, model, saliency)
        if saliency is None and x.dtype.is_complex:
            raise ValueError(f"x must be real for its saliency to be found, got x.dtype={x.dtype}; give saliency=...")

    def find_saliency(self, x: Tensor, y: Tensor | None, model: nn.Module | None) -> Float[Tensor, "B *spatial"]:
        """Contrast with the surroundings."""
        return contrast(x)

    def mask(self, step: Step) -> Boxes:
        """K boxes per pair."""
        assert step.saliency is not None
        sizes = np.array(step.spatial)
        scale = (1.0 - step.lam[..., None]) ** (1.0 / len(sizes))
        side, limit = step.tensors(np.rint(scale * sizes).astype(np.int64), sizes)
        partner = step.partner if step.partner.ndim == 2 else step.partner[None]
        if takes_triton(step.saliency):
            from multimix.kernels.triton.peaks import boxes_around_peaks  # imports triton

            partner = partner[:, : step.lam.shape[1]]
            low, high = boxes_around_peaks(step.saliency.detach(), partner, side, self.boxes == "inside")
            return Boxes(low, high, step.spatial)
        peak = peaks(step.saliency)[partner[:, : step.lam.shape[1]]]
        low = peak - side // 2
        if self.boxes == "inside":
            low = torch.minimum(low.clamp_min(0), limit - side)
            return Boxes(low, low + side, step.spatial)
        return Boxes(low.clamp_min(0), torch.minimum(low + side, limit), step.spatial)


def peaks(saliency: Float[Tensor, "B *spatial"]) -> Int64[Tensor, "B d"]:
    """Return the position of the highest value of each sample; the middle, where all are the same. No value is read."""
    flat = saliency.flatten(1)
    lowest, highest = flat.aminmax(dim=1)
    place, position = flat.argmax(1), []
    for size in reversed(saliency.shape[1:]):
        position.append(torch.where(highest > lowest, place % size, size // 2))
        place = place // size
    return torch.stack(position[::-1], dim=1)
