"""SmoothMix: the partner shows through a soft round window."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float64

from multimix.host import in_transform
from multimix.kernels.family import takes_triton
from multimix.masks import Bump
from multimix.methods.method import Method
from multimix.methods.step import Step, checked_alpha


@dataclass(frozen=True)
class SmoothMix(Method):
    """Let the partner show through a Gaussian bump around a random centre; there are no borders to be learnt.

    One uniform centre per pair. Mix k has the bump whose mean over the image is 1 - lam[k]: bumps widen as lam falls,
    so masks are nested, and labels weigh lam. A position's value is the mean of the bump over it, not the bump at its
    middle, so this holds to rounding for any width. Widths are shares of each axis. Series, images and volumes.

    OpenMixup's code draws the width, uniformly from a quarter to half of the image's side, and labels follow: partners
    are shown by 0.11 to 0.73, and 0.43 on average; it gives that weight to the sample, which must be a slip. Here lam
    is drawn, as in all methods, and the width follows: the path reaches from the sample to the partner.

    Args:
        alpha: shape of the Beta(alpha, alpha) law of the coefficients, > 0.

    Raises:
        ValueError: if alpha is not a finite number > 0.

    References:
        Lee et al., 2020, SmoothMix: a Simple Yet Effective Data Augmentation to Train Robust Classifiers, CVPR
        Workshops.
    """

    alpha: float = 1.0
    blends: ClassVar[bool] = True
    cuts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", checked_alpha("SmoothMix", self.alpha))

    def mask(self, step: Step) -> Bump:
        """K nested bumps per pair."""
        share, centre = 1.0 - step.lam, step.geometry.random((len(step.spatial), step.lam.shape[1]))
        if takes_triton(step.x):
            from multimix.kernels.triton.bumps import bumps  # imports triton

            shares, centres = step.tensors(share, centre)
            shown, weight = bumps(shares, centres, step.spatial)
            return step.weighed(Bump(shown), weight)
        from multimix.kernels.cpu.bumps import widths  # numba takes half a second to import

        width = widths(share, centre)
        means = (bump(size, c, width) for size, c in zip(step.spatial, centre, strict=True))
        factors = [rising(mean).astype(np.float32) for mean in means]
        whole = all(factor.max() == 1 for factor in factors)
        return Bump(tuple(step.tensors(*factors)), (True, bool(whole)))


def bump(
    size: int, centre: Float64[np.ndarray, "... P"], width: Float64[np.ndarray, "K P"]
) -> Float64[np.ndarray, "... K P {size}"]:
    """Return the mean of a Gaussian, 1 at its centre, over each position of an axis; non-decreasing in its width.

    Args:
        size: number of positions.
        centre: as a share of the axis.
        width: standard deviations, as shares of the axis.
    """
    scale = math.sqrt(2) * width[..., None]
    edges = np.arange(size + 1) / size
    areas = np.diff(_erf((edges - centre[..., None]) / scale)) * (scale * (math.sqrt(math.pi) / 2 * size))
    return np.asarray(np.minimum(areas, 1.0, out=areas))


def _erf(x: Float64[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
    if not in_transform():
        return torch.from_numpy(x).erf().numpy()  # in a quarter of scipy's time
    from scipy.special import erf  # tensors made inside a transform have no memory to read

    return np.asarray(erf(x))


def rising(factor: Float64[np.ndarray, "K P S"]) -> Float64[np.ndarray, "K P S"]:
    """Wider bumps are higher everywhere; make it so where rounding errors are not, in place."""
    for k in range(1, len(factor)):  # a fifth of the time of np.maximum.accumulate
        np.maximum(factor[k], factor[k - 1], out=factor[k])
    return factor
