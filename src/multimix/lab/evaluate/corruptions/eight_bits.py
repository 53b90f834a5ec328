"""Bytes and numbers in [0, 1]."""

from torch import Tensor

SLACK = 1e-3  # of a level: what float32 may have lost of a whole one


def truncated(pixels: Tensor) -> Tensor:
    """Return the next lower of 256 levels, in [0, 1], as a cast to bytes does."""
    return (pixels.clamp(0, 1) * 255 + SLACK).floor() / 255


def rounded(pixels: Tensor) -> Tensor:
    """Return the nearest of 256 levels, in [0, 1]."""
    return (pixels.clamp(0, 1) * 255).round() / 255
