"""Frosted glass: a blur, pixels that change places, and a blur."""

import torch
from torch import Tensor

from multimix.lab.evaluate.corruptions.constants import Constants
from multimix.lab.evaluate.corruptions.draws import Draws
from multimix.lab.evaluate.corruptions.eight_bits import truncated
from multimix.lab.evaluate.corruptions.filters import gaussian

# Standard deviation of the blur, largest distance, rounds.
GLASS = Constants(
    ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
    ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
)


def glass_blur(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Returns the images seen through frosted glass.

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
    """Returns which pixel of the image each pixel shows after one round, as indices (N, H, W) into H × W.

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
