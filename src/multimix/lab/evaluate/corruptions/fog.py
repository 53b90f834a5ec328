"""Fog: brightness that varies like a cloud, under which contrast fades."""

import torch
from torch import Tensor

from multimix.lab.evaluate.corruptions.constants import Constants
from multimix.lab.evaluate.corruptions.draws import Draws

# Thickness, and by what roughness falls from each scale to the next finer one.
FOG = Constants(
    ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75)),
    ((0.4, 3.0), (0.7, 3.0), (1.0, 2.5), (1.5, 2.0), (2.0, 1.75)),
    ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)),
)
ROUGHNESS = 100.0  # of the coarsest scale


def fog(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Returns the images in fog."""
    thickness, decay = FOG.at(pixels, severity)
    height, width = pixels.shape[-2:]
    side = 1 << (max(height, width) - 1).bit_length()
    cloud = plasma(draws.uniform(-1, 1, side, side), decay)[:, None, :height, :width]
    brightest = pixels.amax(dim=(1, 2, 3), keepdim=True)
    return (pixels + thickness * cloud) * brightest / (brightest + thickness)


def plasma(noise: Tensor, decay: float) -> Tensor:
    """Returns (N, S, S) fractal heights in [0, 1] by the diamond-square algorithm, S a power of two; edges wrap round.

    Args:
        noise: (N, S, S) in [-1, 1], what is added at each place.
        decay: By what roughness falls from one scale to the next; what is added falls by its square.
    """
    heights, side, roughness = torch.zeros_like(noise), noise.shape[-1], ROUGHNESS
    step = side
    while step >= 2:
        half, add = step // 2, roughness**2
        corners = heights[:, ::step, ::step]
        below = corners + corners.roll(-1, 1)
        middles = (below + below.roll(-1, 2)) / 4 + add * noise[:, half::step, half::step]
        heights[:, half::step, half::step] = middles
        beside = corners + corners.roll(-1, 2) + middles + middles.roll(1, 1)
        heights[:, ::step, half::step] = beside / 4 + add * noise[:, ::step, half::step]
        above = corners + corners.roll(-1, 1) + middles + middles.roll(1, 2)
        heights[:, half::step, ::step] = above / 4 + add * noise[:, half::step, ::step]
        step, roughness = half, roughness / decay
    heights -= heights.amin(dim=(1, 2), keepdim=True)
    return heights / heights.amax(dim=(1, 2), keepdim=True)
