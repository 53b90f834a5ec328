"""JPEG, there and back: what libjpeg, and with it PIL, makes of an image, for whole batches on any device.

Baseline, the standard's example tables scaled by a quality, colour at half of the resolution (4:2:0). Entropy coding
loses nothing, so it is left out. Integers are libjpeg's, and so are the results, bit for bit: a coefficient rounded the
other way would change a whole block. They are held in float64, which can be multiplied fast and loses none.

References:
    ITU-T T.81, 1992, annex K (tables); Loeffler, Ligtenberg, Moschytz, 1989 (transform); libjpeg 6b: jfdctint.c,
    jidctint.c (its integers), jccolor.c, jdcolor.c, jcparam.c (quality), jcsample.c, jdsample.c (half resolution).
"""

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
# The transform times 2^13 sqrt 8: rows are frequencies, columns places. The inverse is its transpose.
COSINES = (
    (8192, 8192, 8192, 8192, 8192, 8192, 8192, 8192),
    (11363, 9633, 6437, 2260, -2260, -6437, -9633, -11363),
    (10703, 4433, -4433, -10703, -10703, -4433, 4433, 10703),
    (9633, -2259, -11362, -6436, 6436, 11362, 2259, -9633),
    (8192, -8192, -8192, 8192, 8192, -8192, -8192, 8192),
    (6437, -11362, 2261, 9633, -9633, -2261, 11362, -6437),
    (4433, -10704, 10704, -4433, -4433, 10704, -10704, 4433),
    (2260, -6436, 9633, -11363, 11363, -9633, 6436, -2260),
)
# Times 2^16.
TO_YCC = ((19595, 38470, 7471), (-11059, -21709, 32768), (32768, -27439, -5329))
CENTRE = (0, 128 * 65536 - 1, 128 * 65536 - 1)  # the last one rounds halves down
TO_RGB = ((0, 91881), (-22554, -46802), (116130, 0))


def jpeg_compression(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Returns the images after saving as JPEG."""
    return jpeg(pixels, QUALITY.at(pixels, severity))


def jpeg(pixels: Tensor, quality: int) -> Tensor:
    """Returns images, grey or red, green and blue, after JPEG with a quality in 1..100."""
    levels = (pixels.double() * 255).round()
    if pixels.shape[1] == 1:
        return (_coded(levels, BRIGHT, quality) / 255).to(pixels.dtype)
    height, width = pixels.shape[-2:]
    ycc = _shifted(_mixed(levels, TO_YCC) + torch.tensor(CENTRE).to(levels).view(-1, 1, 1), 16)
    bright, colours = ycc[:, :1], ycc[:, 1:]
    colours = _coded(_halved(colours), COLOUR, quality)[..., : -(-height // 2), : -(-width // 2)]
    colours = _doubled(colours)[..., :height, :width] - 128
    back = _coded(bright, BRIGHT, quality) + _shifted(_mixed(colours, TO_RGB), 16)
    return (back.clamp(0, 255) / 255).to(pixels.dtype)


def _mixed(x: Tensor, matrix: tuple[tuple[int, ...], ...]) -> Tensor:
    return torch.einsum("oc,nchw->nohw", torch.tensor(matrix).to(x), x)


def _shifted(x: Tensor, bits: int) -> Tensor:
    """Returns integers divided by a power of two, rounded, halves up."""
    return ((x + (1 << (bits - 1))) / (1 << bits)).floor()


def _halved(x: Tensor) -> Tensor:
    """Returns means of 2 × 2 pixels, halves rounded down and up in turns; to the right the edge goes on for a block."""
    height, width = x.shape[-2:]
    x = F.pad(x, (0, -width % (2 * BLOCK), 0, height % 2), mode="replicate")
    sums = x[..., ::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, ::2] + x[..., 1::2, 1::2]
    bias = 1 + torch.arange(sums.shape[-1], device=x.device) % 2
    return ((sums + bias) / 4).floor()


def _doubled(x: Tensor) -> Tensor:
    """Returns images of twice the size: three parts of the nearer sample and one of the other, along both axes."""
    wide = F.pad(x, (1, 1, 1, 1), mode="replicate")
    rows = torch.stack([3 * x + wide[:, :, :-2, 1:-1], 3 * x + wide[:, :, 2:, 1:-1]], dim=3).flatten(2, 3)
    wide = F.pad(rows, (1, 1, 0, 0), mode="replicate")
    both = torch.stack([3 * rows + wide[..., :-2] + 8, 3 * rows + wide[..., 2:] + 7], dim=4).flatten(3)
    return (both / 16).floor()


def _coded(x: Tensor, table: tuple[int, ...], quality: int) -> Tensor:
    """Returns levels of 255 after transform, quantisation and back; the edge goes on to whole blocks."""
    height, width = x.shape[-2:]
    x = F.pad(x, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate") - 128
    cosines, step = torch.tensor(COSINES).to(x), _steps(table, quality).to(x)
    blocks = x.view(*x.shape[:2], x.shape[2] // BLOCK, BLOCK, -1, BLOCK).transpose(3, 4)
    numbers = _shifted(cosines @ _shifted(blocks @ cosines.T, 11), 15)  # 8 times the coefficients
    kept = numbers.sign() * ((numbers.abs() + 4 * step) / (8 * step)).floor() * step
    blocks = _shifted(_shifted(cosines.T @ kept, 11) @ cosines, 18)
    x = blocks.transpose(3, 4).flatten(4, 5).flatten(2, 3)
    return (x + 128).clamp(0, 255)[..., :height, :width]


def _steps(table: tuple[int, ...], quality: int) -> Tensor:
    """Returns the 8 × 8 quantisation steps of a quality."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    steps = [min(max((step * scale + 50) // 100, 1), 255) for step in table]
    return torch.tensor(steps).view(BLOCK, BLOCK)
