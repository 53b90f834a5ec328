"""Edges of images, as thin lines."""

import numpy as np
from numpy.typing import NDArray

STEEP = np.tan(np.pi / 8)  # gradients flatter than this are level, steeper than its inverse upright
SOBEL = np.array([[[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]])
BESIDE = np.ones((3, 3, 3), dtype=bool)
BESIDE[[0, 2]] = False  # images lie one behind the other and do not touch

Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]


def canny(images: NDArray[np.uint8], low: int, high: int) -> Mask:
    """Return where (N, H, W) images have edges: ridges of the gradient above `low` that somewhere exceed `high`.

    Sobel derivatives, sum of absolute values; ties and borders as in OpenCV.

    References:
        Canny, 1986, A Computational Approach to Edge Detection, section VIII.
    """
    from scipy import ndimage

    levels = images.astype(np.int64)
    right, down = (ndimage.correlate(levels, kernel, mode="nearest") for kernel in (SOBEL, SOBEL.swapaxes(1, 2)))
    size = np.abs(right) + np.abs(down)
    ridges = _ridges(size, right, down) & (size > low)
    lines, _ = ndimage.label(ridges, structure=BESIDE)
    strong = np.unique(lines[ridges & (size > high)])
    return np.isin(lines, strong)


def _ridges(size: Numbers, right: Numbers, down: Numbers) -> Mask:
    """Return where the gradient is larger than on both sides along its direction."""
    padded = np.pad(size, ((0, 0), (1, 1), (1, 1)))
    height, width = size.shape[1:]

    def at(row: int, column: int) -> Numbers:
        return padded[:, 1 + row : 1 + row + height, 1 + column : 1 + column + width]

    level = np.abs(down) < STEEP * np.abs(right)
    upright = np.abs(down) * STEEP > np.abs(right)
    same = right * down >= 0  # the gradient points to the lower right, or back
    across = np.where(same, (size > at(-1, -1)) & (size > at(1, 1)), (size > at(-1, 1)) & (size > at(1, -1)))
    sideways = (size > at(0, -1)) & (size >= at(0, 1))
    upwards = (size > at(-1, 0)) & (size >= at(1, 0))
    return np.where(level, sideways, np.where(upright, upwards, across))
