"""Fashion-MNIST: 70,000 grey images of clothes, 28 × 28, in the idx files that MNIST came in.

Xiao et al., 2017, arXiv 1708.07747. Debian has it as the package dataset-fashion-mnist, in
/usr/share/datasets/fashion-mnist.
"""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from multimix.lab.core.regular_files import MAX_FILE_BYTES, open_regular
from multimix.lab.data.augment import FlipCrop
from multimix.lab.data.bad_files import BadFiles, why
from multimix.lab.data.decode import check_not_empty
from multimix.lab.data.held import HeldSplit
from multimix.lab.data.hub import from_hub
from multimix.lab.data.open_context import Layout, OpenContext
from multimix.lab.data.options import check_padding
from multimix.lab.data.prepare import Normalise
from multimix.lab.data.split import Data

CLASSES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
SIZE = 28
IMAGES_MAGIC, LABELS_MAGIC = 2051, 2049  # bytes in three dimensions, bytes in one
NORMALISE = Normalise((0.2860,), (0.3530,))  # of the 60,000 training images
FILES = {"train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")}
FILES["test"] = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
LAYOUT = Layout(
    marks=tuple(name + end for names in FILES.values() for name in names for end in (".gz", "")),
    homes=("fashion-mnist", "fashion_mnist", "FashionMNIST/raw"),
)


@dataclass(frozen=True)
class FashionMnist:
    """(N, 1, 28, 28) images of 10 classes.

    Args:
        padding: Pixels of padding from which training images are cropped.
        flip: Whether to mirror training images.
    """

    padding: int = 2
    flip: bool = True

    def __post_init__(self) -> None:
        check_padding(self.padding)

    def load(self, opening: OpenContext) -> Data:
        """Reads a local copy, or fetches one."""
        home = opening.find(LAYOUT)
        augment = FlipCrop(self.padding, self.flip)
        if home is None:
            return from_hub("fashion-mnist", "zalando-datasets/fashion_mnist", NORMALISE, augment, opening, [LAYOUT])
        splits = {}
        for name, files in FILES.items():
            x, labels = read_split(home, *files, opening.bad_files)
            splits[name] = HeldSplit(x, labels, NORMALISE, augment if name == "train" else None)
        opening.bad_files.settle("fashion-mnist")
        check_not_empty("fashion-mnist", [("train on", len(splits["train"])), ("test on", len(splits["test"]))])
        return Data(splits["train"], splits["test"], 10, CLASSES, skipped=opening.bad_files.found)


def read_split(home: Path, images: str, labels: str, bad_files: BadFiles) -> tuple[Tensor, Tensor]:
    """Reads the images and labels of a split; neither can be used without the other."""
    x = _read(home, images, IMAGES_MAGIC, (SIZE, SIZE), bad_files)
    y = _read(home, labels, LABELS_MAGIC, (), bad_files)
    if x is not None and y is not None and len(x) != len(y):
        bad_files.add(home / labels, f"{len(y):,} labels for {len(x):,} images")
        x = None
    if x is None or y is None:
        return torch.empty(0, 1, SIZE, SIZE, dtype=torch.uint8), torch.empty(0, dtype=torch.int64)
    good = y < len(CLASSES)
    for record in np.flatnonzero(~good):
        bad_files.add(f"{home / labels}, record {record}", f"label {y[record]} where there are {len(CLASSES)} classes")
    return torch.from_numpy(x[good])[:, None], torch.from_numpy(y[good].astype(np.int64))


def _read(
    home: Path, name: str, magic: int, shape: tuple[int, ...], bad_files: BadFiles
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None:
    """Reads one idx file, packed or not: a magic number and sizes as big-endian 32-bit integers, then the bytes."""
    file = home / f"{name}.gz" if (home / f"{name}.gz").exists() else home / name
    try:
        content = _content(file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        bad_files.add(file, f"broken gzip file: {error}")
        return None
    except OSError as error:
        bad_files.add(file, why(error))
        return None
    if len(content) > MAX_FILE_BYTES:
        bad_files.add(file, f"more than {MAX_FILE_BYTES:,} bytes")
        return None
    head = np.frombuffer(content[: 4 * (2 + len(shape))], dtype=">u4").tolist()
    if len(head) != 2 + len(shape) or head[0] != magic or tuple(head[2:]) != shape:
        bad_files.add(file, "no idx file of such data: its header is another")
        return None
    body = np.frombuffer(content, dtype=np.uint8, offset=4 * len(head))
    expected = head[1] * int(np.prod(shape, dtype=int))
    if len(body) != expected:
        bad_files.add(file, f"{len(body):,} bytes of data where its header says {expected:,}")
        return None
    return body.reshape(head[1], *shape)


def _content(file: Path) -> bytes:
    """Return the bytes of a file, unpacked; of one that unpacks to more than fits, only one byte too many."""
    with open_regular(file) as stream:
        unpacked = gzip.GzipFile(fileobj=stream) if file.suffix == ".gz" else stream
        return unpacked.read(MAX_FILE_BYTES + 1)
