"""What is done to digital images: stretched and bent like rubber, pixelated, saved as JPEG.

Pillow pixelates and saves, as in the published code.
"""

import io
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from multimix.lab.evaluate.corruptions.draws import Constants, Draws
from multimix.lab.evaluate.corruptions.filters import gaussian

# Strength and smoothness of the local displacements, largest move of the three corners; all as shares of the short
# side. The published code for 224 pixels takes them of 244.
SLIP = 244 / 224
ELASTIC = Constants(
    ((0.0, 0.0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
    ((0.0, 0.0, 0.08), (0.05, 0.3, 0.06), (0.1, 0.08, 0.06), (0.1, 0.03, 0.03), (0.16, 0.03, 0.02)),
    (
        (2 * SLIP, 0.7 * SLIP, 0.1 * SLIP),
        (2 * SLIP, 0.08 * SLIP, 0.2 * SLIP),
        (0.05 * SLIP, 0.01 * SLIP, 0.02 * SLIP),
        (0.07 * SLIP, 0.01 * SLIP, 0.02 * SLIP),
        (0.12 * SLIP, 0.01 * SLIP, 0.02 * SLIP),
    ),
)
TRUNCATE = 3.0  # of the smoothing Gaussian
QUALITY = Constants((80, 65, 58, 50, 40), (65, 58, 50, 40, 25), (25, 18, 15, 10, 7))
# Length of each side, as a share.
PIXELATE = Constants((0.95, 0.9, 0.85, 0.75, 0.65), (0.9, 0.8, 0.7, 0.6, 0.5), (0.6, 0.5, 0.4, 0.3, 0.25))


def elastic_transform(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return the images under a random affine map, then under smooth random displacements."""
    height, width = pixels.shape[-2:]
    side = min(height, width)
    strength, smoothness, most = (side * share for share in ELASTIC.at(pixels, severity))
    x, y = torch.meshgrid(torch.arange(width).double(), torch.arange(height).double(), indexing="xy")
    back = _affine_back(draws.uniform(-most, most, 3, 2), height, width)
    places = torch.stack([x, y, torch.ones_like(x)], dim=-1).to(back)
    stretched = _sampled(pixels, places.flatten(0, 1) @ back, edge_twice=False)
    bends = draws.uniform(-1, 1, 2, height, width).double()
    bends = strength * gaussian(bends, smoothness, "reflect", TRUNCATE)
    bent = places[..., :2] + bends.movedim(1, -1)
    return _sampled(stretched, bent.flatten(1, 2), edge_twice=True)


def _affine_back(moves: Tensor, height: int, width: int) -> Tensor:
    """Return (N, 3, 2) maps from places in the result, (x, y, 1), to places in the images: three corners move."""
    x, y, reach = width // 2, height // 2, min(height, width) // 3
    corners = torch.tensor([[x + reach, y + reach], [x + reach, y - reach], [x - reach, y - reach]])
    corners = corners.to(moves.device, torch.float64)
    moved = corners + moves.double()
    back: Tensor = torch.linalg.solve(F.pad(moved, (0, 1), value=1.0), corners.expand_as(moved))
    return back


def _sampled(pixels: Tensor, places: Tensor, edge_twice: bool) -> Tensor:
    """Return the images at (N, H * W, 2) places (x, y), linear between pixels, mirrored outside."""
    size = torch.tensor([pixels.shape[-1], pixels.shape[-2]], device=places.device)
    grid = (2 * places + 1) / size - 1 if edge_twice else 2 * places / (size - 1) - 1
    grid = grid.view(-1, *pixels.shape[-2:], 2).to(pixels)
    return F.grid_sample(pixels, grid, mode="bilinear", padding_mode="reflection", align_corners=not edge_twice)


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
