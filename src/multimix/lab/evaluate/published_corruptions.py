"""The published files of corrupted images, CIFAR-10-C and those in its layout."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multimix.lab.core.checks import check
from multimix.lab.core.errors import UsageError
from multimix.lab.data import Split
from multimix.lab.evaluate.corruptions import CORRUPTIONS, MAIN, SEVERITIES
from multimix.lab.evaluate.evaluation_mode import rows_at_once
from multimix.lab.evaluate.samples import pixels_of, spread_indices

LABELS = "labels"


def open_published(folder: str, split: Split) -> dict[str, NDArray[np.uint8]]:
    """Open the published files of a test split, by type: the fifteen main types and as many extra ones as there are.

    A file is <type>.npy, (5 n, H, W, C) bytes, severity after severity in the order of the split; read as needed.

    Raises:
        UsageError: if files are missing, or not of this split.
    """
    home = Path(folder).expanduser()
    remedy = "give the folder with <type>.npy and labels.npy, or leave --corruptions out"
    check(home.is_dir(), "corruptions must be a folder", remedy, corruptions=folder)
    check(split.pixels is not None, "published corruptions are of images", "leave --corruptions out", pixels=None)
    present = [name for name in [*CORRUPTIONS, LABELS] if (home / f"{name}.npy").is_file()]
    missing = [name for name in [*MAIN, LABELS] if name not in present]
    check(not missing, f"corruptions must hold the main types and {LABELS}.npy", remedy, missing=missing)
    channels, height, width = split.sample_shape
    num = len(SEVERITIES) * len(split)
    labels = torch.from_numpy(_array(home / f"{LABELS}.npy", (num,)).astype(np.int64))
    if not torch.equal(labels, split.labels.cpu().repeat(len(SEVERITIES))):
        raise UsageError(
            f"{LABELS}.npy must be the test split's labels, five times over, got others in {folder}; give the files "
            f"that were made of this data set"
        )
    return {name: _array(home / f"{name}.npy", (num, height, width, channels)) for name in present if name != LABELS}


def published_samples(
    images: dict[str, NDArray[np.uint8]], split: Split, num_samples: int | None
) -> Iterator[tuple[str, int, Tensor, Tensor]]:
    """Yield type, severity, what the model gets, and labels."""
    device, pixels = split.labels.device, pixels_of(split, "corruption")
    indices = spread_indices(split.labels, num_samples)
    for name, of_type in images.items():
        for severity in SEVERITIES:
            for chosen in torch.split(indices, rows_at_once(split.sample_shape)):
                rows = of_type[(severity - 1) * len(split) + chosen.numpy()]
                x = torch.from_numpy(rows).to(device).movedim(-1, 1).float() / 255
                yield name, severity, pixels.as_input(x), split.labels[chosen.to(device)]


def _array(file: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    """Open an array of bytes without reading it; nothing in it is run."""
    try:
        array: Any = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{file} must be an array in numpy's format, got: {error}; copy it again") from error
    is_right = isinstance(array, np.ndarray) and array.shape == shape and array.dtype.kind in "ui"
    if not is_right or (len(shape) > 1 and array.dtype != np.uint8):
        got = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "an archive"
        raise UsageError(f"{file} must be bytes of shape {shape}, got {got}; give the files made of this data set")
    return np.asarray(array)
