"""Images of one data set in the form of another's: the channels and size that a model was made for."""

import torch.nn.functional as F
from torch import Tensor

from multimix.lab.core.checks import check
from multimix.lab.data import Split
from multimix.lab.data.prepare import Pixels
from multimix.lab.evaluate.corruptions.colour import luma


def as_pixels_of(pixels: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Returns images as others are: grey or coloured, resized.

    Args:
        pixels: (N, C, H, W) in [0, 1], C = 1 or 3.
        shape: (channels, height, width) that is wanted, 1 or 3 channels.
    """
    if pixels.shape[1] == 3 and shape[0] == 1:
        pixels = luma(pixels)
    elif pixels.shape[1] == 1:
        pixels = pixels.expand(-1, shape[0], -1, -1)
    if pixels.shape[2:] == tuple(shape[1:]):
        return pixels
    return F.interpolate(pixels, size=tuple(shape[1:]), mode="bilinear", antialias=True).clamp(0, 1)


def fitted(x: Tensor, there: Pixels, here: Pixels, shape: tuple[int, ...]) -> Tensor:
    """Returns samples of another data set as a model gets its own.

    Args:
        x: The other set's samples, as its split gives them.
        there: The other set's pixels.
        here: The model's own set's.
        shape: (channels, height, width) of the model's samples.
    """
    return here.as_input(as_pixels_of(there.of(x), shape))


def check_fits(other: Split, own: Split) -> tuple[Pixels, Pixels]:
    """Returns the pixels of two splits, the other's and the model's own, whose samples can be fitted.

    Raises:
        UsageError: if one of them holds no images, or images of another kind than grey or coloured.
    """
    for split in (other, own):
        shape = tuple(split.sample_shape)
        fits = split.pixels is not None and len(shape) == 3 and shape[0] in (1, 3)
        check(fits, "both data sets must be images, grey or coloured", "choose another", shape=shape)
    assert other.pixels is not None
    assert own.pixels is not None
    return other.pixels, own.pixels
