"""Splashes on the lens: water, or mud; and the edges of images, at which water is bright."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multimix.lab.evaluate.corruptions.colour import luma
from multimix.lab.evaluate.corruptions.draws import Constants, Draws
from multimix.lab.evaluate.corruptions.filters import gaussian

STEEP = np.tan(np.pi / 8)  # gradients flatter than this are level, steeper than its inverse upright
SOBEL = np.array([[[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]])
BESIDE = np.ones((3, 3, 3), dtype=bool)
BESIDE[[0, 2]] = False  # images lie one behind the other and do not touch

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]
# Mean and standard deviation of the liquid's height, its smoothness, what is dry, the water's opacity or the mud's
# smoothness, whether it is mud.
SPATTER = Constants(
    (
        (0.62, 0.1, 0.7, 0.7, 0.5, False),
        (0.65, 0.1, 0.8, 0.7, 0.5, False),
        (0.65, 0.3, 1.0, 0.69, 0.5, False),
        (0.65, 0.1, 0.7, 0.69, 0.6, True),
        (0.65, 0.1, 0.5, 0.68, 0.6, True),
    ),
    (
        (0.62, 0.1, 0.7, 0.7, 0.6, False),
        (0.65, 0.1, 0.8, 0.7, 0.6, False),
        (0.65, 0.3, 1.0, 0.69, 0.6, False),
        (0.65, 0.1, 0.7, 0.68, 0.6, True),
        (0.65, 0.1, 0.5, 0.67, 0.6, True),
    ),
    (
        (0.65, 0.3, 4.0, 0.69, 0.6, False),
        (0.65, 0.3, 3.0, 0.68, 0.6, False),
        (0.65, 0.3, 2.0, 0.68, 0.5, False),
        (0.65, 0.3, 1.0, 0.65, 1.5, True),
        (0.67, 0.4, 1.0, 0.65, 1.5, True),
    ),
)
WATER, MUD = (175, 238, 238), (63, 42, 20)
MUD_FROM = 0.8  # thinner mud does not show
FARTHEST = 20  # pixels from an edge, beyond which the water is equally bright
RELIEF = ((-2, -1, 0), (-1, 1, 1), (0, 1, 2))
Bytes = NDArray[np.uint8]
Numbers = NDArray[np.float64]


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


def _ridges(size: Integers, right: Integers, down: Integers) -> Mask:
    """Return where the gradient is larger than on both sides along its direction."""
    padded = np.pad(size, ((0, 0), (1, 1), (1, 1)))
    height, width = size.shape[1:]

    def at(row: int, column: int) -> Integers:
        return padded[:, 1 + row : 1 + row + height, 1 + column : 1 + column + width]

    level = np.abs(down) < STEEP * np.abs(right)
    upright = np.abs(down) * STEEP > np.abs(right)
    same = right * down >= 0  # the gradient points to the lower right, or back
    across = np.where(same, (size > at(-1, -1)) & (size > at(1, 1)), (size > at(-1, 1)) & (size > at(1, -1)))
    sideways = (size > at(0, -1)) & (size >= at(0, 1))
    upwards = (size > at(-1, 0)) & (size >= at(1, 0))
    return np.where(level, sideways, np.where(upright, upwards, across))


def spatter(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return the images behind drops of water (severities 1 to 3) or mud (4 and 5); grey images stay grey."""
    mean, std, smoothness, dry, last, is_mud = SPATTER.at(pixels, severity)
    liquid = gaussian(mean + std * draws.normal(*pixels.shape[-2:]), smoothness)
    colours = torch.tensor(MUD if is_mud else WATER).to(pixels).view(1, 3, 1, 1) / 255
    colours = colours if pixels.shape[1] == 3 else luma(colours)
    if is_mud:
        cover = gaussian((liquid > dry).to(pixels), last)[:, None]
        cover = cover.where(cover >= MUD_FROM, 0)
        return pixels * (1 - cover) + colours * cover
    heights = (liquid.where(liquid >= dry, 0) * 255 + 1e-3).clamp(max=255).byte().cpu().numpy()
    return pixels + last * torch.from_numpy(_water(heights)).to(pixels)[:, None] * colours


def _water(heights: Bytes) -> NDArray[np.float32]:
    """Return how bright drops of these heights are, (N, H, W) in [0, 1]: brighter away from their edges and below.

    Distances are Euclidean; the published code's are within 3 % of that. Images without a drop get none.
    """
    from scipy import ndimage

    edges = canny(heights, low=50, high=150)
    # Images lie one behind the other, farther apart than any distance that counts.
    far = np.full(heights.shape, float(FARTHEST))
    distance = ndimage.distance_transform_edt(~edges, sampling=(2 * FARTHEST, 1, 1)) if edges.any() else far
    even = _equalised(_means_of_nine(np.minimum(distance, FARTHEST)).astype(np.uint8))
    relief = ndimage.correlate(even.astype(np.float64), np.array([RELIEF]), mode="mirror").clip(0, 255)
    brightness = heights * np.rint(_means_of_nine(relief))
    most = brightness.max(axis=(1, 2), keepdims=True)
    water: NDArray[np.float32] = (brightness / np.where(most > 0, most, 1)).astype(np.float32)
    return water


def _means_of_nine(images: Numbers) -> Numbers:
    from scipy import ndimage

    return ndimage.correlate(images, np.full((1, 3, 3), 1 / 9), mode="mirror")


def _equalised(images: Bytes) -> Bytes:
    """Return images whose levels are spread so that each is about as frequent."""
    result = np.empty_like(images)
    for image, target in zip(images, result, strict=True):
        counts = np.bincount(image.ravel(), minlength=256)
        least = int(image.min())
        others = image.size - counts[least]
        spread = np.rint((counts.cumsum() - counts[least]) * (255 / others)) if others else np.full(256, least)
        target[:] = spread.clip(0, 255).astype(np.uint8)[image]
    return result
