"""The published files of corrupted images, CIFAR-10-C and those in its layout."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from multimix.lab.core.checks import check
from multimix.lab.core.errors import UsageError
from multimix.lab.data import Split
from multimix.lab.evaluate.corruptions import EXTRA, MAIN, SEVERITIES
from multimix.lab.evaluate.judging import rows_at_once
from multimix.lab.evaluate.samples import spread_indices

LABELS = "labels.npy"


@dataclass(frozen=True)
class PublishedCorruptions:
    """<type>.npy, (5 n, H, W, C) bytes, severity after severity in the order of the test split; checked.

    Args:
        images: By type; read as they are needed.
        split: The test split they were made of.
        indices: Which of its samples are wanted.
    """

    images: dict[str, NDArray[np.uint8]]
    split: Split
    indices: Tensor

    @classmethod
    def open(cls, folder: str, split: Split, num_samples: int | None) -> "PublishedCorruptions":
        """Open the fifteen main types and as many of the extra ones as there are.

        Raises:
            UsageError: if files are missing, or not of this split.
        """
        home = Path(folder).expanduser()
        remedy = "give the folder with <type>.npy and labels.npy, or leave --corruptions out"
        check(home.is_dir(), "corruptions must be a folder", remedy, corruptions=folder)
        check(split.pixels is not None, "published corruptions are of images", "leave --corruptions out", pixels=None)
        missing = [name for name in [*MAIN, "labels"] if not (home / f"{name}.npy").is_file()]
        check(not missing, f"corruptions must hold the main types and {LABELS}", remedy, missing=missing)
        channels, height, width = split.sample_shape
        num = len(SEVERITIES) * len(split)
        present = [name for name in [*MAIN, *EXTRA] if (home / f"{name}.npy").is_file()]
        images = {name: _array(home / f"{name}.npy", (num, height, width, channels)) for name in present}
        labels = torch.from_numpy(_array(home / LABELS, (num,)).astype(np.int64))
        if not torch.equal(labels, split.labels.cpu().repeat(len(SEVERITIES))):
            raise UsageError(
                f"{LABELS} must be the test split's labels, five times over, got others in {folder}; give the files "
                f"that were made of this data set"
            )
        return cls(images, split, spread_indices(split.labels, num_samples))

    def samples(self) -> Iterator[tuple[str, int, Tensor, Tensor]]:
        """Yield type, severity, what the model gets, and labels."""
        device, pixels = self.split.labels.device, self.split.pixels
        assert pixels is not None
        for name, images in self.images.items():
            for severity in SEVERITIES:
                for chosen in torch.split(self.indices, rows_at_once(self.split.sample_shape)):
                    rows = images[(severity - 1) * len(self.split) + chosen.numpy()]
                    x = torch.from_numpy(rows).to(device).movedim(-1, 1).float() / 255
                    yield name, severity, pixels.as_input(x), self.split.labels[chosen.to(device)]


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
