"""A camera that moves while the shutter is open."""

import math

import torch
from torch import Tensor

from multimix.lab.evaluate.corruptions.constants import Constants
from multimix.lab.evaluate.corruptions.draws import Draws
from multimix.lab.evaluate.corruptions.eight_bits import truncated

# Reach and standard deviation, in pixels.
MOTION = Constants(
    ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5)),
    ((10, 1.0), (10, 1.5), (10, 2.0), (10, 2.5), (12, 3.0)),
    ((10, 3.0), (15, 5.0), (15, 8.0), (15, 12.0), (20, 15.0)),
)
NEGLIGIBLE = 1e-6  # of the whole weight: less than can be seen in 8 bits


def motion_blur(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Returns the images drawn out along a line between 45° down and 45° up."""
    radius, sigma = MOTION.at(pixels, severity)
    return moved(pixels, radius, sigma, draws.uniform(-45, 45))


def moved(pixels: Tensor, radius: int, sigma: float, degrees: Tensor) -> Tensor:
    """Returns images drawn out as ImageMagick's motion blur does: half a Gaussian, 2 r + 1 whole pixels along a line.

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
