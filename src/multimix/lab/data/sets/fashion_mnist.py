"""Fashion-MNIST: 70,000 grey images of clothes, 28 × 28, in the idx files that MNIST came in.

Xiao et al., 2017, arXiv 1708.07747. Debian has it as the package dataset-fashion-mnist, in
/usr/share/datasets/fashion-mnist.
"""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from multimix.lab.core.regular_files import MAX_FILE_BYTES, open_regular
from multimix.lab.data.data_set import EncodedData
from multimix.lab.data.files import UNUSABLE, BadFiles, BadSample, why
from multimix.lab.data.held import HeldSplit
from multimix.lab.data.prepare import Normalise
from multimix.lab.data.sets.published import HubCopy, Layout, PublishedImages, usable_records

CLASSES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
MAGIC = {1: 2049, 3: 2051}  # of bytes in as many dimensions
FILES = {
    part: (f"{name}-images-idx3-ubyte", f"{name}-labels-idx1-ubyte")
    for part, name in (("train", "train"), ("test", "t10k"))
}


@dataclass(frozen=True)
class FashionMnist(PublishedImages):
    """(N, 1, 28, 28) images of 10 classes."""

    name = "fashion-mnist"
    layouts = (
        Layout(
            marks=[name + end for names in FILES.values() for name in names for end in (".gz", "")],
            homes=["fashion-mnist", "fashion_mnist", "FashionMNIST/raw"],
        ),
    )
    hub = HubCopy("zalando-datasets/fashion_mnist")
    num_train, num_classes, sample_shape = 60_000, 10, (1, 28, 28)
    prepare = Normalise((0.2860,), (0.3530,))  # of the 60,000 training images

    def read(self, home: Path, bad_files: BadFiles) -> EncodedData:
        """Read the idx files."""
        return self.encoded({part: self._split(home, *names, bad_files) for part, names in FILES.items()}, CLASSES)

    def _split(self, home: Path, images: str, labels: str, bad_files: BadFiles) -> HeldSplit:
        """Read the images and labels of a split; neither can be used without the other."""
        x = _read(home, images, self.sample_shape[1:], bad_files)
        y = _read(home, labels, (), bad_files)
        if x is not None and y is not None and len(x) == len(y):
            x, y = usable_records(home / labels, x[:, None], y, self.num_classes, bad_files)
            return HeldSplit(x, y)
        if x is not None and y is not None:
            bad_files.add(home / labels, f"{len(y):,} labels for {len(x):,} images")
        return HeldSplit(torch.empty(0, *self.sample_shape, dtype=torch.uint8), torch.empty(0, dtype=torch.int64))


def _read(home: Path, name: str, shape: tuple[int, ...], bad_files: BadFiles) -> Any:
    """Read the bytes of one idx file, an array of (N, *shape), packed or not; return None if it is bad."""
    file = home / f"{name}.gz" if (home / f"{name}.gz").exists() else home / name
    try:
        return _array(_content(file), shape)
    except UNUSABLE as error:
        bad_files.add(file, why(error))
        return None


def _array(content: bytes, shape: tuple[int, ...]) -> Any:
    """Parse an idx file: a magic number and sizes as big-endian 32-bit integers, then the bytes."""
    head = np.frombuffer(content[: 4 * (2 + len(shape))], dtype=">u4").tolist()
    if len(head) != 2 + len(shape) or head[0] != MAGIC[1 + len(shape)] or tuple(head[2:]) != shape:
        raise BadSample("no idx file of such data: its header is another")
    body = np.frombuffer(content, dtype=np.uint8, offset=4 * len(head))
    expected = head[1] * int(np.prod(shape, dtype=int))
    if len(body) != expected:
        raise BadSample(f"{len(body):,} bytes of data where its header says {expected:,}")
    return body.reshape(head[1], *shape)


def _content(file: Path) -> bytes:
    """Return the bytes of a file, unpacked if it is packed, but no more than fit."""
    with open_regular(file) as stream:
        try:
            unpacked = gzip.GzipFile(fileobj=stream) if file.suffix == ".gz" else stream
            content = unpacked.read(MAX_FILE_BYTES + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise BadSample(f"broken gzip file: {error}") from error
    if len(content) > MAX_FILE_BYTES:
        raise BadSample(f"more than {MAX_FILE_BYTES:,} bytes")
    return content
