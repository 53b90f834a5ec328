"""What Pillow makes of an image: saved as JPEG, or pixelated. The published code calls the same functions."""

import io
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from multimix.lab.evaluate.corruptions.constants import Constants
from multimix.lab.evaluate.corruptions.draws import Draws

QUALITY = Constants((80, 65, 58, 50, 40), (65, 58, 50, 40, 25), (25, 18, 15, 10, 7))
# Length of each side, as a share.
PIXELATE = Constants((0.95, 0.9, 0.85, 0.75, 0.65), (0.9, 0.8, 0.7, 0.6, 0.5), (0.6, 0.5, 0.4, 0.3, 0.25))


def jpeg_compression(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return the images after saving as JPEG."""

    def saved(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=QUALITY.at(pixels, severity))
        return Image.open(file)

    return _each(pixels, saved)


def pixelate(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return the images made smaller and large again, by averages over boxes."""
    height, width = pixels.shape[-2:]
    share = PIXELATE.at(pixels, severity)
    small = (int(width * share), int(height * share))
    return _each(
        pixels, lambda image: image.resize(small, Image.Resampling.BOX).resize((width, height), Image.Resampling.BOX)
    )


def _each(pixels: Tensor, change: Callable[[Image.Image], Image.Image]) -> Tensor:
    """Return images, grey or coloured, after a change of each, in 8 bits on the CPU."""
    levels = (pixels * 255).round().byte().movedim(1, -1).cpu().numpy()
    images = [Image.fromarray(each.squeeze(-1) if each.shape[-1] == 1 else each) for each in levels]
    changed = np.stack([np.asarray(change(image)) for image in images]).reshape(levels.shape)
    return torch.from_numpy(changed).movedim(-1, 1).to(pixels) / 255
