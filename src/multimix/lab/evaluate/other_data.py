"""Another data set than the model's own: opened once, its images in the model's channels and size."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from multimix.lab.core.checks import check
from multimix.lab.core.errors import UsageError
from multimix.lab.data import Data, Split, open_data
from multimix.lab.data.prepare import Pixels
from multimix.lab.evaluate.corruptions.colour import luma


def open_other(flag: str, name: str | None, options: Mapping[str, Any], root: str | None) -> Data:
    """Open another data set; for all runs it is opened once.

    Args:
        flag: The flag that names it; its options are <flag>-options.NAME.
        name: As in training; an evaluator that needs a data set is not made without one.
        options: The data set's own options.
        root: Folder of local copies.

    Raises:
        UsageError: if it is not there, or cannot be used.
    """
    assert name is not None
    try:
        return _opened(name, tuple(options.items()), root)
    except UsageError as error:
        raise UsageError(f"{error} (of {flag}, whose options are {flag}-options.NAME)") from error


@lru_cache(maxsize=2)  # one for each evaluator that has another data set
def _opened(name: str, options: tuple[tuple[str, Any], ...], root: str | None) -> Data:
    return open_data(name, dict(options), root=root)


def as_pixels_of(pixels: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return images as others are: grey or coloured, resized.

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
    """Return samples of another data set as a model gets its own.

    Args:
        x: The other set's samples, as its split gives them.
        there: The other set's pixels.
        here: The model's own set's.
        shape: (channels, height, width) of the model's samples.
    """
    return here.as_input(as_pixels_of(there.of(x), shape))


def check_fits(other: Split, own: Split) -> tuple[Pixels, Pixels]:
    """Return the pixels of two splits, the other's and the model's own, whose samples can be fitted.

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
