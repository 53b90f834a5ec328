"""JPEG, there and back: what libjpeg, and with it PIL, makes of an image, for whole batches on any device.

Baseline, the standard's example tables scaled by a quality, colour at half of the resolution (4:2:0). Entropy coding
loses nothing, so it is left out. Numbers are rounded where libjpeg rounds; its fixed-point arithmetic differs by a level
here and there.

References:
    ITU-T T.81, 1992, annexes A.3.3 (transform) and K.1, K.2 (tables); libjpeg 6b, jcparam.c (quality), jcsample.c,
    jdsample.c (halving and triangle interpolation of colour).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from multimix.lab.evaluate.corruptions.constants import Constants
from multimix.lab.evaluate.corruptions.draws import Draws

QUALITY = Constants((80, 65, 58, 50, 40), (65, 58, 50, 40, 25), (25, 18, 15, 10, 7))
BLOCK = 8
# fmt: off
BRIGHT = (
    16, 11, 10, 16, 24, 40, 51, 61,
    12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77,
    24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)
COLOUR = (
    17, 18, 24, 47, 99, 99, 99, 99,
    18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99,
    *(99,) * 32,
)
# fmt: on
TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


def jpeg_compression(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Returns the images after saving as JPEG."""
    return jpeg(pixels, QUALITY.at(pixels, severity))


def jpeg(pixels: Tensor, quality: int) -> Tensor:
    """Returns images, grey or red, green and blue, after JPEG with a quality in 1..100."""
    levels = (pixels * 255).round()
    if pixels.shape[1] == 1:
        return _coded(levels, BRIGHT, quality) / 255
    ycc = _mixed(levels, TO_YCC)
    ycc[:, 1:] += 128
    bright, colours = ycc.round().clamp(0, 255).split((1, 2), dim=1)
    height, width = pixels.shape[-2:]
    colours = _coded(_halved(colours), COLOUR, quality)[..., : -(-height // 2), : -(-width // 2)]
    colours = _doubled(colours)[..., :height, :width] - 128
    back = torch.cat([_coded(bright, BRIGHT, quality), colours], dim=1)
    return _mixed(back, TO_RGB).round().clamp(0, 255) / 255


def _mixed(x: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    return torch.einsum("oc,nchw->nohw", torch.tensor(matrix).to(x), x)


def _halved(x: Tensor) -> Tensor:
    """Returns means of 2 × 2 pixels, halves rounded down and up in turns; to the right the edge goes on for a block."""
    height, width = x.shape[-2:]
    x = F.pad(x, (0, -width % (2 * BLOCK), 0, height % 2), mode="replicate")
    sums = 4 * F.avg_pool2d(x, 2)
    bias = 1 + torch.arange(sums.shape[-1], device=x.device) % 2
    return ((sums.round() + bias) / 4).floor()


def _doubled(x: Tensor) -> Tensor:
    """Returns images of twice the size: three parts of the nearer sample and one of the other, along both axes."""
    middle = F.pad(x, (1, 1, 1, 1), mode="replicate")
    rows = torch.stack([3 * middle[:, :, 1:-1] + middle[:, :, :-2], 3 * middle[:, :, 1:-1] + middle[:, :, 2:]], dim=3)
    rows = rows.flatten(2, 3)
    left, right = 3 * rows[..., 1:-1] + rows[..., :-2] + 8, 3 * rows[..., 1:-1] + rows[..., 2:] + 7
    return (torch.stack([left, right], dim=4).flatten(3) / 16).floor()


def _coded(x: Tensor, table: tuple[int, ...], quality: int) -> Tensor:
    """Returns levels of 255 after transform, quantisation and back; the edge goes on to whole blocks."""
    height, width = x.shape[-2:]
    x = F.pad(x, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate") - 128
    transform, step = _cosines().to(x), _steps(table, quality).to(x)
    blocks = x.unflatten(3, (-1, BLOCK)).unflatten(2, (-1, BLOCK)).transpose(3, 4)
    numbers = (transform @ blocks @ transform.T / step).round() * step
    blocks = transform.T @ numbers @ transform
    x = blocks.transpose(3, 4).flatten(4, 5).flatten(2, 3)
    return (x.round() + 128).clamp(0, 255)[..., :height, :width]


def _cosines() -> Tensor:
    """Returns the 8 × 8 discrete cosine transform, an orthogonal matrix."""
    angles = torch.arange(BLOCK)[:, None] * (2 * torch.arange(BLOCK) + 1) * (math.pi / (2 * BLOCK))
    matrix = angles.cos() / 2
    matrix[0] /= math.sqrt(2)
    return matrix


def _steps(table: tuple[int, ...], quality: int) -> Tensor:
    """Returns the 8 × 8 quantisation steps of a quality."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    steps = [min(max((step * scale + 50) // 100, 1), 255) for step in table]
    return torch.tensor(steps).view(BLOCK, BLOCK)
