"""Fewer pixels, enlarged."""

import torch
from torch import Tensor

from multimix.lab.evaluate.corruptions.constants import Constants
from multimix.lab.evaluate.corruptions.draws import Draws
from multimix.lab.evaluate.corruptions.filters import box_matrix

# Length of each side, as a share.
PIXELATE = Constants((0.95, 0.9, 0.85, 0.75, 0.65), (0.9, 0.8, 0.7, 0.6, 0.5), (0.6, 0.5, 0.4, 0.3, 0.25))


def pixelate(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Returns the images made smaller and large again, as PIL does it with boxes."""
    height, width = pixels.shape[-2:]
    share = PIXELATE.at(pixels, severity)
    small = resized(pixels, int(height * share), int(width * share))
    return resized(small, height, width)


def resized(pixels: Tensor, height: int, width: int) -> Tensor:
    """Returns resized images, rounded to bytes after each of the two passes."""
    sizes = ((pixels.shape[-2], height), (pixels.shape[-1], width))
    rows, columns = (box_matrix(old, new).to(pixels.device) for old, new in sizes)
    levels = (pixels.double() * 255).round()
    levels = _nearest(levels @ columns.T)
    return (_nearest(rows @ levels) / 255).to(pixels.dtype)


def _nearest(levels: Tensor) -> Tensor:
    """Returns whole levels; halves, which are frequent, go up."""
    return torch.floor(levels + (0.5 + 1e-6))
