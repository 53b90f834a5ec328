"""Blurs: out of focus, Gaussian, through frosted glass, by a camera that moves, by a lens that zooms."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from multimix.lab.evaluate.corruptions.constants import Constants
from multimix.lab.evaluate.corruptions.draws import Draws
from multimix.lab.evaluate.corruptions.filters import gaussian, kernel_1d, truncated

SIGMA = Constants((0.4, 0.6, 0.7, 0.8, 1.0), (0.5, 0.75, 1.0, 1.25, 1.5), (1.0, 2.0, 3.0, 4.0, 6.0))
# Radius of the disk, and standard deviation of the blur that takes the steps off its edge.
DISK = Constants(
    ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1)),
    ((0.5, 0.6), (1.0, 0.1), (1.5, 0.1), (2.5, 0.01), (3.0, 0.1)),
    ((3.0, 0.1), (4.0, 0.5), (6.0, 0.5), (8.0, 0.5), (10.0, 0.5)),
)
LARGE = 8  # radius above which the disk's edge is smoothed by five taps, not three
# Standard deviation of the blur, largest distance, rounds.
GLASS = Constants(
    ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
    ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
)
# Reach and standard deviation, in pixels.
MOTION = Constants(
    ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5)),
    ((10, 1.0), (10, 1.5), (10, 2.0), (10, 2.5), (12, 3.0)),
    ((10, 3.0), (15, 5.0), (15, 8.0), (15, 12.0), (20, 15.0)),
)
NEGLIGIBLE = 1e-6  # of the whole weight: less than can be seen in 8 bits
# End (exclusive, before rounding) and step of the factors, which begin at 1.
SMALL = ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01))
ZOOM = Constants(SMALL, SMALL, ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)))


def gaussian_blur(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return the images blurred by a Gaussian."""
    return gaussian(pixels, SIGMA.at(pixels, severity))


def defocus_blur(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return the images as a lens out of focus shows them: every point a disk."""
    kernel = disk(*DISK.at(pixels, severity)).to(pixels)
    margin, channels = len(kernel) // 2, pixels.shape[1]
    padded = F.pad(pixels, (margin,) * 4, mode="reflect")
    return F.conv2d(padded, kernel.expand(channels, 1, -1, -1), groups=channels)


def disk(radius: float, smoothing: float) -> Tensor:
    """Return a (2 r + 1, 2 r + 1) kernel: a disk with a smoothed edge, its margins of zeros cut off."""
    reach = LARGE if radius <= LARGE else int(radius)
    places = torch.arange(-reach, reach + 1)
    hard = (places[:, None] ** 2 + places**2 <= radius**2).float()
    taps = kernel_1d(smoothing, 3 if radius <= LARGE else 5)
    margin = len(taps) // 2
    padded = F.pad((hard / hard.sum())[None, None], (margin,) * 4, mode="reflect")
    kernel = F.conv2d(padded, torch.outer(taps, taps)[None, None])[0, 0]
    cut = int((kernel.sum(0) > 0).int().argmax())
    return kernel[cut : len(kernel) - cut, cut : len(kernel) - cut]


def glass_blur(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return the images seen through frosted glass.

    The published code walks over the pixels from the bottom right and means to swap each with a neighbour. As it
    writes, of the two only the first changes: it becomes a copy of the second. The published files were made that way,
    so this is what happens here.
    """
    sigma, most, rounds = GLASS.at(pixels, severity)
    blurred = truncated(gaussian(pixels, sigma)).flatten(2)
    height, width = pixels.shape[-2:]
    for _ in range(rounds):
        moves = draws.integers(-most, most, height, width, 2)
        source = sources(moves, most).flatten(1)
        blurred = blurred.gather(2, source[:, None].expand_as(blurred))
    return gaussian(blurred.view_as(pixels), sigma)


def sources(moves: Tensor, most: int) -> Tensor:
    """Return which pixel of the image each pixel shows after one round, as indices (N, H, W) into H × W.

    Pixel by pixel a copy is taken of a neighbour, which may be a copy by then. So a pixel's source is the end of a
    chain of copies, always of pixels that come later in the image; chains are followed by doubling.

    Args:
        moves: (N, H, W, 2), how far down and to the right the neighbour is.
        most: Width of the margin at the top and left, and less one at the bottom and right, whose pixels stay.
    """
    height, width = moves.shape[1:3]
    own = torch.arange(height * width, device=moves.device).view(height, width)
    visited = torch.zeros(height, width, dtype=torch.bool, device=moves.device)
    visited[most + 1 : height - most + 1, most + 1 : width - most + 1] = True
    target = own + visited * (moves[..., 0] * width + moves[..., 1])
    copied = (visited.flatten()[target]) & (target > own)
    last = torch.where(copied, target, own).flatten(1)
    for _ in range((height * width).bit_length()):
        last = last.gather(1, last)
    return target.flatten(1).gather(1, last).view_as(target)


def motion_blur(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return the images drawn out along a line between 45° down and 45° up."""
    radius, sigma = MOTION.at(pixels, severity)
    return moved(pixels, radius, sigma, draws.uniform(-45, 45))


def moved(pixels: Tensor, radius: int, sigma: float, degrees: Tensor) -> Tensor:
    """Return images drawn out as ImageMagick's motion blur does: half a Gaussian, 2 r + 1 whole pixels along a line.

    Args:
        pixels: Images; outside, their edge goes on.
        radius: Half of the line's length.
        sigma: Standard deviation of the Gaussian.
        degrees: (N,) direction of the line from each pixel on, clockwise from the right.
    """
    taps = [math.exp(-(tap**2) / (2 * sigma**2)) for tap in range(2 * radius + 1)]
    angle = degrees.double() * (math.pi / 180)
    num, channels, height, width = pixels.shape
    rows, columns = (torch.arange(length, device=pixels.device) for length in (height, width))
    flat, result = pixels.flatten(2), torch.zeros_like(pixels)
    for tap, weight in enumerate(taps):
        if weight < NEGLIGIBLE * sum(taps):
            break
        right, down = ((tap * part - 0.5).ceil().long() for part in (angle.cos(), angle.sin()))
        row = (rows + down[:, None]).clamp(0, height - 1)
        column = (columns + right[:, None]).clamp(0, width - 1)
        place = (row[:, :, None] * width + column[:, None]).flatten(1)[:, None].expand(num, channels, -1)
        result += weight / sum(taps) * flat.gather(2, place).view_as(pixels)
    return truncated(result)


def zoom_blur(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return the mean of the images and of a series of enlarged ones."""
    end, step = ZOOM.at(pixels, severity)
    factors = np.arange(1, end, step).tolist()  # as published, also in how many there are
    total = pixels.clone()
    for factor in factors:
        total += enlarged(pixels, factor)
    return total / (len(factors) + 1)


def enlarged(pixels: Tensor, factor: float) -> Tensor:
    """Return the middle of the images, enlarged to their size; corners lie on corners, linear between."""
    size = pixels.shape[-2:]
    parts = [math.ceil(length / factor) for length in size]
    top, left = ((length - part) // 2 for length, part in zip(size, parts, strict=True))
    middle = pixels[..., top : top + parts[0], left : left + parts[1]]
    large = [round(part * factor) for part in parts]
    wide = F.interpolate(middle, size=large, mode="bilinear", align_corners=True)
    top, left = ((many - length) // 2 for many, length in zip(large, size, strict=True))
    return wide[..., top : top + size[0], left : left + size[1]]
