"""Blurs that are one kernel for all: out of focus, and Gaussian."""

import torch
import torch.nn.functional as F
from torch import Tensor

from multimix.lab.evaluate.corruptions.constants import Constants
from multimix.lab.evaluate.corruptions.draws import Draws
from multimix.lab.evaluate.corruptions.filters import gaussian, kernel_1d

SIGMA = Constants((0.4, 0.6, 0.7, 0.8, 1.0), (0.5, 0.75, 1.0, 1.25, 1.5), (1.0, 2.0, 3.0, 4.0, 6.0))
# Radius of the disk, and standard deviation of the blur that takes the steps off its edge.
DISK = Constants(
    ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1)),
    ((0.5, 0.6), (1.0, 0.1), (1.5, 0.1), (2.5, 0.01), (3.0, 0.1)),
    ((3.0, 0.1), (4.0, 0.5), (6.0, 0.5), (8.0, 0.5), (10.0, 0.5)),
)
LARGE = 8  # radius above which the disk's edge is smoothed by five taps, not three


def gaussian_blur(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Returns the images blurred by a Gaussian."""
    return gaussian(pixels, SIGMA.at(pixels, severity))


def defocus_blur(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Returns the images as a lens out of focus shows them: every point a disk."""
    kernel = disk(*DISK.at(pixels, severity)).to(pixels)
    margin, channels = len(kernel) // 2, pixels.shape[1]
    padded = F.pad(pixels, (margin,) * 4, mode="reflect")
    return F.conv2d(padded, kernel.expand(channels, 1, -1, -1), groups=channels)


def disk(radius: float, smoothing: float) -> Tensor:
    """Returns a (2 r + 1, 2 r + 1) kernel: a disk with a smoothed edge, its margins of zeros cut off."""
    reach = LARGE if radius <= LARGE else int(radius)
    places = torch.arange(-reach, reach + 1)
    hard = (places[:, None] ** 2 + places**2 <= radius**2).float()
    taps = kernel_1d(smoothing, 3 if radius <= LARGE else 5)
    margin = len(taps) // 2
    padded = F.pad((hard / hard.sum())[None, None], (margin,) * 4, mode="reflect")
    kernel = F.conv2d(padded, torch.outer(taps, taps)[None, None])[0, 0]
    cut = int((kernel.sum(0) > 0).int().argmax())
    return kernel[cut : len(kernel) - cut, cut : len(kernel) - cut]
