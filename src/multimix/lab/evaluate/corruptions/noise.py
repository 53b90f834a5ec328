"""Noise, pixel by pixel and channel by channel."""

from torch import Tensor

from multimix.lab.evaluate.corruptions.draws import Constants, Draws

GAUSSIAN = Constants((0.04, 0.06, 0.08, 0.09, 0.10), (0.04, 0.08, 0.12, 0.15, 0.18), (0.08, 0.12, 0.18, 0.26, 0.38))
PHOTONS = Constants((500, 250, 100, 75, 50), (250, 100, 50, 30, 15), (60, 25, 12, 5, 3))
SHARE = Constants((0.01, 0.02, 0.03, 0.05, 0.07), (0.01, 0.02, 0.05, 0.08, 0.14), (0.03, 0.06, 0.09, 0.17, 0.27))
SPECKLE = Constants((0.06, 0.1, 0.12, 0.16, 0.2), (0.15, 0.2, 0.25, 0.3, 0.35), (0.15, 0.2, 0.35, 0.45, 0.6))


def gaussian_noise(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return the images with normal noise."""
    return pixels + GAUSSIAN.at(pixels, severity) * draws.normal(*pixels.shape[1:])


def shot_noise(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return what a sensor counts that gets so many photons from white."""
    photons = PHOTONS.at(pixels, severity)
    return draws.poisson(pixels * photons) / photons


def impulse_noise(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return the images with a share of values replaced by 0 or 1."""
    struck = draws.uniform(0, 1, *pixels.shape[1:]) <= SHARE.at(pixels, severity)
    salt = draws.uniform(0, 1, *pixels.shape[1:]) <= 0.5
    return pixels.where(~struck, salt.to(pixels))


def speckle_noise(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return the images with normal noise that grows with the value."""
    return pixels + pixels * SPECKLE.at(pixels, severity) * draws.normal(*pixels.shape[1:])
