"""Frost on the window: a layer of ice over the image.

The published code lays crops of five photographs of ice over the images. They are not ours to ship, so the ice is made
here: fractal noise with ridges like needles, in the mean colours and with the spread that the five photographs have at
a fifth of their size. So `frost` is like the published type, not the same.
"""

import math

import torch
from torch import Tensor

from multimix.lab.evaluate.corruptions.colour import luma
from multimix.lab.evaluate.corruptions.constants import Constants
from multimix.lab.evaluate.corruptions.draws import Draws

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


def frost(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Returns the images behind ice that is made, not photographed."""
    clear, thick = FROST.at(pixels, severity)
    tints = torch.tensor(ICE).to(pixels)[draws.integers(0, len(ICE))] / 255
    relief = _relief(draws.normal(2, *pixels.shape[-2:]))
    ice = (tints[:, :3, None, None] + tints[:, 3:, None, None] * relief).clamp(0, 1)
    return clear * pixels + thick * (ice if pixels.shape[1] == 3 else luma(ice))


def _relief(noise: Tensor) -> Tensor:
    """Returns (N, 1, H, W) heights of mean 0 and variance 1, clouds and sharp ridges, from (N, 2, H, W) noise."""
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
