"""A lens that zooms while the shutter is open."""

import math

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from multimix.lab.evaluate.corruptions.constants import Constants
from multimix.lab.evaluate.corruptions.draws import Draws

# End (exclusive, before rounding) and step of the factors, which begin at 1.
SMALL = ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01))
ZOOM = Constants(SMALL, SMALL, ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)))


def zoom_blur(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Returns the mean of the images and of a series of enlarged ones."""
    end, step = ZOOM.at(pixels, severity)
    factors = np.arange(1, end, step).tolist()  # as published, also in how many there are
    total = pixels.clone()
    for factor in factors:
        total += enlarged(pixels, factor)
    return total / (len(factors) + 1)


def enlarged(pixels: Tensor, factor: float) -> Tensor:
    """Returns the middle of the images, enlarged to their size; corners lie on corners, linear between."""
    size = pixels.shape[-2:]
    parts = [math.ceil(length / factor) for length in size]
    top, left = ((length - part) // 2 for length, part in zip(size, parts, strict=True))
    middle = pixels[..., top : top + parts[0], left : left + parts[1]]
    large = [round(part * factor) for part in parts]
    wide = F.interpolate(middle, size=large, mode="bilinear", align_corners=True)
    top, left = ((many - length) // 2 for many, length in zip(large, size, strict=True))
    return wide[..., top : top + size[0], left : left + size[1]]
