"""Nineteen corruptions of images, five severities each.

References:
    Hendrycks and Dietterich, 2019, Benchmarking Neural Network Robustness to Common Corruptions and Perturbations,
    arXiv 1903.12261, section 4.1 and appendix B.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from multimix.lab.core.checks import check
from multimix.lab.evaluate.corruptions.blur import defocus_blur, gaussian_blur, glass_blur, motion_blur, zoom_blur
from multimix.lab.evaluate.corruptions.colour import brightness, contrast, saturate
from multimix.lab.evaluate.corruptions.constants import SEVERITIES
from multimix.lab.evaluate.corruptions.digital import elastic_transform, jpeg_compression, pixelate
from multimix.lab.evaluate.corruptions.draws import Draws
from multimix.lab.evaluate.corruptions.filters import rounded, truncated
from multimix.lab.evaluate.corruptions.noise import gaussian_noise, impulse_noise, shot_noise, speckle_noise
from multimix.lab.evaluate.corruptions.spatter import spatter
from multimix.lab.evaluate.corruptions.weather import fog, frost, snow

__all__ = ["CORRUPTIONS", "EXTRA", "MAIN", "SEVERITIES", "check_images", "corrupt"]

Corruption = Callable[[Tensor, int, Draws], Tensor]

# Each takes (N, C, H, W) pixels in [0, 1], a severity in 1..5 and random numbers; cut to [0, 1] and bytes by `corrupt`.
MAIN: dict[str, Corruption] = {
    "gaussian_noise": gaussian_noise,
    "shot_noise": shot_noise,
    "impulse_noise": impulse_noise,
    "defocus_blur": defocus_blur,
    "glass_blur": glass_blur,
    "motion_blur": motion_blur,
    "zoom_blur": zoom_blur,
    "snow": snow,
    "frost": frost,
    "fog": fog,
    "brightness": brightness,
    "contrast": contrast,
    "elastic_transform": elastic_transform,
    "pixelate": pixelate,
    "jpeg_compression": jpeg_compression,
}
EXTRA: dict[str, Corruption] = {
    "speckle_noise": speckle_noise,
    "gaussian_blur": gaussian_blur,
    "spatter": spatter,
    "saturate": saturate,
}
CORRUPTIONS = MAIN | EXTRA
SMALLEST = 8  # pixels


def check_images(shape: tuple[int, ...]) -> None:
    """Refuse samples that these corruptions are not for.

    Raises:
        UsageError: if a sample is no grey or coloured image of at least 8 × 8 pixels.
    """
    fits = len(shape) == 3 and shape[0] in (1, 3) and min(shape[1:]) >= SMALLEST
    rule = "images to corrupt must have 1 or 3 channels and at least 8 × 8 pixels"
    check(fits, rule, "choose another data set", shape=tuple(shape))


def corrupt(pixels: Tensor, name: str, severity: int, seed: int, first: int = 0) -> Tensor:
    """Return images after one corruption, in 256 levels as the published files are.

    What happens to an image depends on (seed, name, severity, its index), not on the images beside it.

    Args:
        pixels: (N, C, H, W) images in [0, 1], C = 1 or 3.
        name: One of `CORRUPTIONS`.
        severity: 1 to 5.
        seed: The source of chance.
        first: Index of the first image among all.
    """
    device = torch.device("cpu") if pixels.device.type == "mps" else pixels.device  # mps has no float64
    draws = Draws(seed, f"{name}/{severity}", range(first, first + len(pixels)), device)
    clean = rounded(pixels.to(device, torch.float32))
    return truncated(CORRUPTIONS[name](clean, severity, draws)).to(pixels)
