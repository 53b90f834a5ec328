"""Weather: fog, frost on the window, falling snow.

The published frost lays crops of five photographs of ice over the images. They are not ours to ship, so the ice is made
here: fractal noise with ridges like needles, in the mean colours and with the spread that the five photographs have at
a fifth of their size. So `frost` is like the published type, not the same.
"""

import math

import torch
from torch import Tensor

from multimix.lab.evaluate.corruptions.blur import enlarged, moved
from multimix.lab.evaluate.corruptions.colour import luma
from multimix.lab.evaluate.corruptions.constants import Constants
from multimix.lab.evaluate.corruptions.draws import Draws
from multimix.lab.evaluate.corruptions.filters import truncated

# Thickness, and by what roughness falls from each scale to the next finer one.
FOG = Constants(
    ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75)),
    ((0.4, 3.0), (0.7, 3.0), (1.0, 2.5), (1.5, 2.0), (2.0, 1.75)),
    ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)),
)
ROUGHNESS = 100.0  # of the coarsest scale
# Weight of the image and of the ice.
FROST = Constants(
    ((1.0, 0.2), (1.0, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
    ((1.0, 0.3), (0.9, 0.4), (0.8, 0.45), (0.75, 0.5), (0.7, 0.55)),
    ((1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
)
# Of each photograph: mean red, green and blue, standard deviation of the grey values; in levels of 255.
ICE = (
    (78, 149, 166, 15),
    (201, 205, 214, 18),
    (201, 205, 214, 18),
    (138, 153, 165, 21.5),
    (112, 123, 135, 35),
)
SLOPE = 1.1  # amplitude falls as frequency to this power; the photographs' power falls with 1.8 to 2.8
RIDGES = 0.7  # share of the variance that is needles
# Mean and standard deviation of the flakes' brightness, their size, what is no flake, reach and standard deviation of
# their fall, share of the scene that is not whitened.
SNOW = Constants(
    (
        (0.1, 0.2, 1.0, 0.6, 8, 3.0, 0.95),
        (0.1, 0.2, 1.0, 0.5, 10, 4.0, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4.0, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6.0, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12.0, 0.8),
    ),
    (
        (0.1, 0.2, 1.0, 0.6, 8, 3.0, 0.8),
        (0.1, 0.2, 1.0, 0.5, 10, 4.0, 0.8),
        (0.15, 0.3, 1.75, 0.55, 10, 4.0, 0.7),
        (0.25, 0.3, 2.25, 0.6, 12, 6.0, 0.65),
        (0.3, 0.3, 1.25, 0.65, 14, 12.0, 0.6),
    ),
    (
        (0.1, 0.3, 3.0, 0.5, 10, 4.0, 0.8),
        (0.2, 0.3, 2.0, 0.5, 12, 4.0, 0.7),
        (0.55, 0.3, 4.0, 0.9, 12, 8.0, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8.0, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12.0, 0.55),
    ),
)


def fog(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return the images in fog."""
    thickness, decay = FOG.at(pixels, severity)
    height, width = pixels.shape[-2:]
    side = 1 << (max(height, width) - 1).bit_length()
    cloud = plasma(draws.uniform(-1, 1, side, side), decay)[:, None, :height, :width]
    brightest = pixels.amax(dim=(1, 2, 3), keepdim=True)
    return (pixels + thickness * cloud) * brightest / (brightest + thickness)


def plasma(noise: Tensor, decay: float) -> Tensor:
    """Return (N, S, S) fractal heights in [0, 1] by the diamond-square algorithm, S a power of two; edges wrap round.

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


def frost(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return the images behind ice that is made, not photographed."""
    clear, thick = FROST.at(pixels, severity)
    tints = torch.tensor(ICE).to(pixels)[draws.integers(0, len(ICE))] / 255
    relief = _relief(draws.normal(2, *pixels.shape[-2:]))
    ice = (tints[:, :3, None, None] + tints[:, 3:, None, None] * relief).clamp(0, 1)
    return clear * pixels + thick * (ice if pixels.shape[1] == 3 else luma(ice))


def _relief(noise: Tensor) -> Tensor:
    """Return (N, 1, H, W) heights of mean 0 and variance 1, clouds and sharp ridges, from (N, 2, H, W) noise."""
    height, width = noise.shape[-2:]
    rows = torch.fft.fftfreq(height, device=noise.device)[:, None]
    columns = torch.fft.rfftfreq(width, device=noise.device)
    frequency = torch.hypot(rows, columns).clamp(min=0.5 / max(height, width))
    amplitude = frequency**-SLOPE
    twice = 2 * torch.ones_like(columns)  # what the other half of the spectrum adds
    twice[0] = 1
    if width % 2 == 0:
        twice[-1] = 1
    amplitude = amplitude / (amplitude.square() * twice).sum().div(height * width).sqrt()
    clouds: Tensor = torch.fft.irfft2(torch.fft.rfft2(noise) * amplitude, s=(height, width))
    ridges = (math.sqrt(2 / math.pi) - clouds[:, 1].abs()) / math.sqrt(1 - 2 / math.pi)
    return (math.sqrt(1 - RIDGES) * clouds[:, 0] + math.sqrt(RIDGES) * ridges)[:, None]


def snow(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return the images in falling snow."""
    mean, std, size, threshold, radius, sigma, clear = SNOW.at(pixels, severity)
    flakes = enlarged(mean + std * draws.normal(1, *pixels.shape[-2:]), size)
    flakes = truncated(flakes.where(flakes >= threshold, 0))
    fallen = moved(flakes, radius, sigma, draws.uniform(-135, -45))
    scene = clear * pixels + (1 - clear) * pixels.maximum(1.5 * luma(pixels) + 0.5)
    return scene + fallen + fallen.flip(2, 3)
