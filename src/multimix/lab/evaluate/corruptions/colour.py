"""Brightness, contrast and saturation."""

import torch
from torch import Tensor

from multimix.lab.evaluate.corruptions.draws import Constants, Draws

BRIGHTER = Constants((0.05, 0.1, 0.15, 0.2, 0.3), (0.1, 0.2, 0.3, 0.4, 0.5), (0.1, 0.2, 0.3, 0.4, 0.5))
FADED = (0.4, 0.3, 0.2, 0.1, 0.05)
CONTRAST = Constants((0.75, 0.5, 0.4, 0.3, 0.15), FADED, FADED)
# What saturation is multiplied by, and what is added.
SATURATION = Constants(
    ((0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2)),
    ((0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (30.0, 0.2)),
    ((0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (20.0, 0.2)),
)
LUMA = (0.299, 0.587, 0.114)


def luma(pixels: Tensor) -> Tensor:
    """Return (N, 1, H, W) grey images, by ITU-R 601 as PIL does."""
    if pixels.shape[1] == 1:
        return pixels
    return (pixels * torch.tensor(LUMA).to(pixels).view(-1, 1, 1)).sum(dim=1, keepdim=True)


def brightness(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return the images with a higher value in HSV; hue and saturation stay."""
    value = pixels.amax(dim=1, keepdim=True)
    brighter = (value + BRIGHTER.at(pixels, severity)).clamp(max=1)
    return torch.where(value > 0, pixels * brighter / value.clamp(min=1e-6), brighter)


def contrast(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return the images drawn towards the mean of each channel."""
    mean = pixels.mean(dim=(2, 3), keepdim=True)
    return mean + CONTRAST.at(pixels, severity) * (pixels - mean)


def saturate(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return the images with another saturation in HSV; hue and value stay.

    Grey has hue 0, so where saturation is added it turns red, as published. Grey images are treated as coloured ones
    and made grey again: severities 1 to 3 do not change them.
    """
    factor, shift = SATURATION.at(pixels, severity)
    colours = pixels.expand(-1, 3, -1, -1)
    value, lowest = colours.amax(dim=1, keepdim=True), colours.amin(dim=1, keepdim=True)
    spread = value - lowest
    red = torch.tensor([0.0, 1.0, 1.0]).to(pixels).view(-1, 1, 1)
    below = torch.where(spread > 0, (value - colours) / spread.clamp(min=1e-6), red)  # 0 at the value, 1 at the lowest
    saturation = spread / value.clamp(min=1e-6)
    saturated = value * (1 - below * (factor * saturation + shift).clamp(0, 1))
    return luma(saturated) if pixels.shape[1] == 1 else saturated
