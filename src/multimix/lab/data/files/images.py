"""From an encoded image to bytes in (channels, height, width)."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import ExifTags, Image, UnidentifiedImageError
from torch import Tensor

from multimix.lab.core.regular_files import open_regular
from multimix.lab.data.files.bad_files import BadSample, decoding
from multimix.lab.data.files.decode import Reader

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".ppm", ".pgm", ".tif", ".tiff")
# Only these are tried: some of PIL's other readers start programs.
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "PPM", "TIFF")
MODES = {1: "L", 3: "RGB"}
MAX_PIXELS = 89_478_485  # of one image: Pillow's own bound, 256 MiB of colour
# How an image is brought upright, by the orientation that its EXIF data name.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)  # orientations in which width and height change places
# Share of the area that a training crop covers, and its width over its height: Szegedy et al., 2015, arXiv 1409.4842.
CROP_AREA, CROP_RATIO = (0.08, 1.0), (3 / 4, 4 / 3)
CROP_TRIES = 10
TEST_MARGIN = 256 / 224  # the short side of a test image, in units of the crop from its middle


@dataclass(frozen=True)
class WholeImage(Reader):
    """Decodes images of one size, as they are.

    Args:
        channels: 1 for grey, 3 for colour; images are converted.
        height: In pixels.
        width: In pixels.
    """

    channels: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a sample."""
        return self.channels, self.height, self.width

    def __call__(self, content: bytes, rng: np.random.Generator | None = None) -> Tensor:
        """Decode an image.

        Raises:
            BadSample: if it is no image, broken, too large, or of another size.
        """
        return _tensor(decoded(content, self.channels, (self.width, self.height)))


@dataclass(frozen=True)
class CroppedImage(Reader):
    """Decodes images of any size, cropped and scaled: at random for training, from the middle for testing.

    Args:
        channels: 1 for grey, 3 for colour; images are converted.
        size: Side of the square that comes out, in pixels.
        flip: Whether to mirror training crops.
    """

    channels: int
    size: int
    flip: bool = True

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a sample."""
        return self.channels, self.size, self.size

    is_random = True

    def __call__(self, content: bytes, rng: np.random.Generator | None = None) -> Tensor:
        """Decode a crop: with a generator a random one, mirrored half of the time if `flip`.

        Raises:
            BadSample: if it is no image, or broken.
        """
        image = decoded(content, self.channels)
        box = _middle(*image.size) if rng is None else _random_box(*image.size, rng)
        image = image.resize((self.size, self.size), Image.Resampling.BILINEAR, box=box)
        x = _tensor(image)
        return x.flip(2) if self.flip and rng is not None and rng.random() < 0.5 else x


def decoded(content: bytes, channels: int, size: tuple[int, int] | None = None) -> Image.Image:
    """Decode an image and bring it upright, as its EXIF data say.

    Args:
        content: The encoded image.
        channels: 1 for grey, 3 for colour.
        size: Width and height it must have; checked before the pixels are decoded.

    Raises:
        BadSample: if that fails, or it has another size or more than `MAX_PIXELS`.
    """
    with _opened(io.BytesIO(content)) as image:
        width, height = _upright_size(image)
        if size is not None and (width, height) != size:
            raise BadSample(f"{width} × {height} pixels where {size[0]} × {size[1]} are usual")
        turn = TURNS.get(_orientation(image))
        pixels = _eight_bits(image).convert(MODES[channels])
        return pixels if turn is None else pixels.transpose(turn)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return an image with 8 bits per channel; PIL itself would turn all but the darkest 16-bit greys into white."""
    if image.mode in ("I", "F"):
        raise BadSample("32 bits per pixel, of which it does not say what is white")
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.array(image).astype(np.uint16) >> 8).astype(np.uint8))
    return image


def header(source: bytes | Path) -> tuple[int, int, int]:
    """Return (channels, height, width) of the upright image, without decoding the pixels.

    Args:
        source: The encoded image, or its file, of which only the beginning is read.

    Raises:
        BadSample: if it is no image, or has more than `MAX_PIXELS`.
        OSError: if the file cannot be read.
    """
    stream = open_regular(source) if isinstance(source, Path) else io.BytesIO(source)
    with stream, _opened(stream) as image:
        is_grey = image.mode in ("1", "L", "LA") or image.mode.startswith("I;16")
        width, height = _upright_size(image)
        return 1 if is_grey else 3, height, width


@contextmanager
def _opened(stream: BinaryIO) -> Iterator[Image.Image]:
    """Open an image without decoding its pixels; whatever is wrong with it becomes BadSample."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    with decoding(lambda error: _reason(size, error)), Image.open(stream, formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:  # Pillow warns from here on, and refuses twice as many
            raise Image.DecompressionBombError
        yield image


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height of an image that is not decoded yet, as they will be once it is upright."""
    return (image.height, image.width) if _orientation(image) in SIDEWAYS else image.size


def _orientation(image: Image.Image) -> int:
    """Return the orientation that EXIF data name before the pixels; 1, upright, if that cannot be read."""
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return 1  # Pillow turns a TIFF itself, and would decode all of a PNG to look behind its pixels
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # as with pixels, anything may be raised; a picture with broken EXIF data is still a picture
        return 1


def box_in_middle(box: tuple[float, ...], width: int, height: int) -> tuple[float, ...]:
    """Return a box, given in pixels of the whole image, as shares of the crop that `CroppedImage` tests on."""
    left, top, right, bottom = _middle(width, height)
    shares = (
        (box[0] - left) / (right - left),
        (box[1] - top) / (bottom - top),
        (box[2] - left) / (right - left),
        (box[3] - top) / (bottom - top),
    )
    return tuple(min(max(share, 0.0), 1.0) for share in shares)


def _reason(size: int, error: Exception) -> str:
    if not size:
        return "empty file"
    if isinstance(error, Image.DecompressionBombWarning | Image.DecompressionBombError):
        return f"more than {MAX_PIXELS:,} pixels"
    return "no image" if isinstance(error, UnidentifiedImageError) else f"broken image: {error}"


def _tensor(image: Image.Image) -> Tensor:
    pixels = np.array(image)
    return torch.from_numpy(pixels if pixels.ndim == 3 else pixels[:, :, None]).permute(2, 0, 1).contiguous()


def _middle(width: int, height: int) -> tuple[float, float, float, float]:
    side = min(width, height) / TEST_MARGIN
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def _random_box(width: int, height: int, rng: np.random.Generator) -> tuple[float, float, float, float]:
    for _ in range(CROP_TRIES):
        area = width * height * rng.uniform(*CROP_AREA)
        ratio = np.exp(rng.uniform(*np.log(CROP_RATIO)))
        wide, tall = (area * ratio) ** 0.5, (area / ratio) ** 0.5
        if wide <= width and tall <= height:
            left, top = rng.uniform(0, width - wide), rng.uniform(0, height - tall)
            return left, top, left + wide, top + tall
    return _middle(width, height)
