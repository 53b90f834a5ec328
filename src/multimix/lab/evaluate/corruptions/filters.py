"""Linear filters along one axis as matrices, any length, reach and border, whole batches at once; levels of 8 bits."""

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

SLACK = 1e-3  # of a level: what float32 may have lost of a whole one
TRUNCATE = 4.0  # standard deviations, scikit-image's choice


def truncated(pixels: Tensor) -> Tensor:
    """Return the next lower of 256 levels, in [0, 1], as a cast to bytes does."""
    return (pixels.clamp(0, 1) * 255 + SLACK).floor() / 255


def rounded(pixels: Tensor) -> Tensor:
    """Return the nearest of 256 levels, in [0, 1]."""
    return (pixels.clamp(0, 1) * 255).round() / 255


def gaussian(x: Tensor, sigma: float, border: str = "nearest", truncate: float = TRUNCATE) -> Tensor:
    """Return (..., H, W) blurred by a Gaussian, cut off as scipy does.

    Args:
        x: Images.
        sigma: Standard deviation in pixels; 0 changes nothing.
        border: What lies outside: "nearest" (the edge) or "reflect" (the image, mirrored with its edge).
        truncate: Where the Gaussian is cut off, in standard deviations.
    """
    if sigma == 0:
        return x
    rows, columns = (_gaussian_matrix(length, sigma, border, truncate).to(x) for length in x.shape[-2:])
    return rows @ x @ columns.T


@lru_cache(maxsize=64)
def _gaussian_matrix(length: int, sigma: float, border: str, truncate: float) -> Tensor:
    radius = int(truncate * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    places = np.arange(length)[:, None] + offsets
    if border == "nearest":
        places = places.clip(0, length - 1)
    else:
        places %= 2 * length
        places = np.minimum(places, 2 * length - 1 - places)
    matrix = np.zeros((length, length))
    np.add.at(matrix, (np.arange(length)[:, None], places), weights / weights.sum())
    return torch.from_numpy(matrix)


def kernel_1d(sigma: float, size: int) -> Tensor:
    """Return a Gaussian of an odd number of taps that sum to 1."""
    taps = [math.exp(-0.5 * ((tap - size // 2) / sigma) ** 2) for tap in range(size)]
    return torch.tensor([tap / sum(taps) for tap in taps])
