"""CIFAR-10 and CIFAR-100: 60,000 colour images, 32 × 32, in 10 or 100 classes.

Krizhevsky, 2009, "Learning Multiple Layers of Features from Tiny Images". Copies are known in the published binary
layout and, of CIFAR-10, as class folders of images. The published Python layout is pickles, which are programs, and is
not read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from multimix.lab.core.regular_files import read_regular
from multimix.lab.data.data_set import EncodedData
from multimix.lab.data.files import MAX_TEXT_BYTES, UNUSABLE, BadFiles, BadSample, class_folders, why
from multimix.lab.data.held import HeldSplit
from multimix.lab.data.prepare import Normalise
from multimix.lab.data.sets.published import HubCopy, Layout, PublishedImages, usable_records

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE = 32
PIXELS = 3 * SIDE * SIDE  # red, then green, then blue, row by row


@dataclass(frozen=True)
class Cifar(PublishedImages):
    """(N, 3, 32, 32) images; `padding` is 4 in mixup's schedule, 2 in Puzzle Mix's.

    Attributes:
        records: Records in each file of a split.
        label_bytes: Bytes before the pixels of a record, the class last.
    """

    records: ClassVar[Mapping[str, int]]
    label_bytes: ClassVar[int] = 1
    sample_shape = (3, SIDE, SIDE)

    def read(self, home: Path, bad_files: BadFiles) -> EncodedData:
        """Read files of records, the last of them for testing, or list class folders."""
        binary = self.layouts[0]
        if not binary.is_at(home):
            return self.encoded(
                {part: class_folders(home / part, CLASSES, bad_files) for part in self.records}, CLASSES
            )
        files = {"train": binary.marks[:-1], "test": binary.marks[-1:]}
        splits = {part: self._split(part, [home / name for name in names], bad_files) for part, names in files.items()}
        return self.encoded(splits, self.classes(home))

    def classes(self, home: Path) -> Sequence[str] | int:
        """Return the names of the classes, or how many there are if the copy does not name them."""
        return CLASSES

    def _split(self, part: str, files: Sequence[Path], bad_files: BadFiles) -> HeldSplit:
        x, y = map(torch.cat, zip(*(self._batch(part, file, bad_files) for file in files), strict=True))
        return HeldSplit(x.view(-1, *self.sample_shape), y)

    def _batch(self, part: str, file: Path, bad_files: BadFiles) -> tuple[Tensor, Tensor]:
        """Read the pixels and labels of one file; nothing of a file that is not whole."""
        expected = self.records[part] * (self.label_bytes + PIXELS)
        content = b""
        try:
            content = read_regular(file)
            if len(content) != expected:
                raise BadSample(f"{len(content):,} bytes where {expected:,} are published")
        except UNUSABLE as error:
            bad_files.add(file, why(error))
            content = b""
        rows = np.frombuffer(content, dtype=np.uint8).reshape(-1, self.label_bytes + PIXELS)
        labels, x = rows[:, self.label_bytes - 1], rows[:, self.label_bytes :]
        return usable_records(file, x, labels, self.num_classes, bad_files)


@dataclass(frozen=True)
class Cifar10(Cifar):
    """CIFAR-10."""

    name = "cifar10"
    num_train, num_classes, records = 50_000, 10, {"train": 10_000, "test": 10_000}
    layouts = (
        Layout([*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"], ["cifar-10-batches-bin"]),
        Layout([f"train/{name}/" for name in CLASSES], ["cifar10"]),
    )
    hub = HubCopy("uoft-cs/cifar10")
    # Mean and standard deviation of the training images, as the codes of Wide ResNets and of Puzzle Mix have them.
    prepare = Normalise((125.3 / 255, 123.0 / 255, 113.9 / 255), (63.0 / 255, 62.1 / 255, 66.7 / 255))


@dataclass(frozen=True)
class Cifar100(Cifar):
    """CIFAR-100, with its fine classes."""

    name = "cifar100"
    num_train, num_classes, records = 50_000, 100, {"train": 50_000, "test": 10_000}
    label_bytes = 2  # a coarse label, then the fine one
    layouts = (Layout(["train.bin", "test.bin"], ["cifar-100-binary"]),)
    hub = HubCopy("uoft-cs/cifar100", label="fine_label")
    prepare = Normalise((129.3 / 255, 124.1 / 255, 112.4 / 255), (68.2 / 255, 65.4 / 255, 70.4 / 255))

    def classes(self, home: Path) -> Sequence[str] | int:
        """Return the names of the fine classes; nothing depends on them."""
        try:
            names = read_regular(home / "fine_label_names.txt", MAX_TEXT_BYTES).decode().split()
        except (OSError, ValueError):
            return self.num_classes
        return names if len(names) == self.num_classes else self.num_classes
