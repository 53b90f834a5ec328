"""CIFAR-10 and CIFAR-100: 60,000 colour images, 32 × 32, in 10 or 100 classes.

Krizhevsky, 2009, "Learning Multiple Layers of Features from Tiny Images". Copies are known in the published binary
layout, in the published Python layout, and, for CIFAR-10, as class folders of images.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch

from multimix.lab.core.regular_files import read_regular
from multimix.lab.data.data_set import EncodedData
from multimix.lab.data.files import MAX_TEXT_BYTES, BadFiles, class_folders
from multimix.lab.data.files.cifar_batches import SIDE, read_batch, read_pickle
from multimix.lab.data.held import HeldSplit
from multimix.lab.data.prepare import Normalise
from multimix.lab.data.sets.published import HubCopy, Layout, PublishedImages, usable_records

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))


@dataclass(frozen=True)
class Batches(Layout):
    """A layout of files of records, the last of which is for testing.

    Args:
        labels: Bytes before the pixels of a binary record, the class last; or the key of the labels in a pickle.
    """

    labels: int | bytes = 1


@dataclass(frozen=True)
class Cifar(PublishedImages):
    """(N, 3, 32, 32) images; `padding` is 4 in mixup's schedule, 2 in Puzzle Mix's.

    Attributes:
        records: Records in each file of a split.
    """

    records: ClassVar[Mapping[str, int]]
    sample_shape = (3, SIDE, SIDE)

    def read(self, home: Path, bad_files: BadFiles) -> EncodedData:
        """Read files of records, or list class folders."""
        layout = next(layout for layout in self.layouts if layout.is_at(home))
        if not isinstance(layout, Batches):
            return self.encoded(
                {part: class_folders(home / part, CLASSES, bad_files) for part in self.records}, CLASSES
            )
        files = {"train": layout.marks[:-1], "test": layout.marks[-1:]}
        splits = {part: self._split(part, home, names, layout.labels, bad_files) for part, names in files.items()}
        return self.encoded(splits, self.classes(home))

    def classes(self, home: Path) -> Sequence[str] | int:
        """Return the names of the classes, or how many there are if the copy does not name them."""
        return CLASSES

    def _split(
        self, part: str, home: Path, names: Sequence[str], labels: int | bytes, bad_files: BadFiles
    ) -> HeldSplit:
        batches = []
        for file in (home / name for name in names):
            batch = read_batch(file, labels, self.records[part], bad_files)
            batches.append(usable_records(file, *batch, self.num_classes, bad_files))
        x, y = map(torch.cat, zip(*batches, strict=True))
        return HeldSplit(x.view(-1, *self.sample_shape), y)


@dataclass(frozen=True)
class Cifar10(Cifar):
    """CIFAR-10."""

    name = "cifar10"
    num_train, num_classes, records = 50_000, 10, {"train": 10_000, "test": 10_000}
    layouts = (
        Batches([*(f"{name}.bin" for name in BATCHES), "test_batch.bin"], ["cifar-10-batches-bin"]),
        Batches([*BATCHES, "test_batch"], ["cifar-10-batches-py"], b"labels"),
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
    layouts = (
        Batches(["train.bin", "test.bin"], ["cifar-100-binary"], 2),  # a coarse label, then the fine one
        Batches(["train", "test"], ["cifar-100-python"], b"fine_labels"),
    )
    hub = HubCopy("uoft-cs/cifar100", label="fine_label")
    prepare = Normalise((129.3 / 255, 124.1 / 255, 112.4 / 255), (68.2 / 255, 65.4 / 255, 70.4 / 255))

    def classes(self, home: Path) -> Sequence[str] | int:
        """Return the names of the fine classes; nothing depends on them."""
        try:
            if (home / "fine_label_names.txt").is_file():
                names = read_regular(home / "fine_label_names.txt", MAX_TEXT_BYTES).decode().split()
            else:
                names = [name.decode() for name in read_pickle(home / "meta")[b"fine_label_names"]]
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            return self.num_classes
        return names if len(names) == self.num_classes else self.num_classes
