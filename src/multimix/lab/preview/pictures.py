"""Two picture files as a pair."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from multimix.lab.core.errors import UsageError
from multimix.lab.core.regular_files import read_regular
from multimix.lab.data.files.bad_files import BadSample
from multimix.lab.data.files.images import decoded, header
from multimix.lab.preview.pair import Pair, why


def read(first: Path, second: Path, form: str | None) -> Pair:
    """Read two pictures; the second takes on the size of the first, and both are grey or both in colour."""
    a, b = _read(first), _read(second)
    notes = []
    if a.mode != b.mode:
        a, b = a.convert("RGB"), b.convert("RGB")
    if a.size != b.size:
        notes.append(f"{second} was resized from {_size(b)} to {_size(a)}, the size of {first}")
        b = b.resize(a.size, Image.Resampling.BICUBIC)
    return Pair(torch.stack([_tensor(a), _tensor(b)]), "picture", notes=tuple(notes))


def _read(path: Path) -> Image.Image:
    try:
        content = read_regular(path)
        channels, _, _ = header(content)
        return decoded(content, channels)
    except (OSError, BadSample) as error:
        raise UsageError(
            f"a file must be a readable picture, sound (.wav, .flac, .ogg) or series (.csv, .npy), got {str(path)!r}; "
            f"{why(path, error)}"
        ) from error


def _size(image: Image.Image) -> str:
    return f"{image.width} × {image.height}"


def _tensor(image: Image.Image) -> Tensor:
    """Return (C, H, W) values in [0, 1]."""
    pixels = np.asarray(image, dtype=np.float32) / 255
    return torch.from_numpy(np.atleast_3d(pixels)).permute(2, 0, 1)
