"""CIFAR-10 and CIFAR-100: 60,000 colour images, 32 × 32, in 10 or 100 classes.

Krizhevsky, 2009, "Learning Multiple Layers of Features from Tiny Images". Copies are known in the published binary
layout, in the published Python layout, and, for CIFAR-10, as class folders of images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from multimix.lab.core.regular_files import read_regular
from multimix.lab.data.augment import FlipCrop
from multimix.lab.data.bad_files import MAX_TEXT_BYTES, BadFiles
from multimix.lab.data.cifar_batches import SIDE, read_batch
from multimix.lab.data.cifar_pickle import BadBatch, read_pickle
from multimix.lab.data.class_folders import class_folders
from multimix.lab.data.decode import check_not_empty, make_split
from multimix.lab.data.held import HeldSplit
from multimix.lab.data.hub import from_hub
from multimix.lab.data.images import WholeImage
from multimix.lab.data.open_context import Layout, OpenContext
from multimix.lab.data.options import check_padding
from multimix.lab.data.prepare import Normalise
from multimix.lab.data.split import Data

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# Mean and standard deviation of the training images, as the codes of Wide ResNets and of Puzzle Mix have them.
NORMALISE_10 = Normalise((125.3 / 255, 123.0 / 255, 113.9 / 255), (63.0 / 255, 62.1 / 255, 66.7 / 255))
NORMALISE_100 = Normalise((129.3 / 255, 124.1 / 255, 112.4 / 255), (68.2 / 255, 65.4 / 255, 70.4 / 255))
RECORDS = {"cifar10": 10_000, "cifar100 train": 50_000, "cifar100 test": 10_000}  # in each file


@dataclass(frozen=True)
class Files:
    """The files of one layout.

    Args:
        train: Names of the training files.
        test: Name of the test file.
        homes: Folders that the archive unpacks to.
        labels: Bytes before the pixels of a binary record, or the key of the labels in a pickle; the class comes last.
    """

    train: tuple[str, ...]
    test: str
    homes: tuple[str, ...]
    labels: int | bytes

    @property
    def layout(self) -> Layout:
        """How such a copy is known."""
        return Layout((*self.train, self.test), self.homes)


BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
BINARY_10 = Files(tuple(f"{name}.bin" for name in BATCHES), "test_batch.bin", ("cifar-10-batches-bin",), 1)
PYTHON_10 = Files(BATCHES, "test_batch", ("cifar-10-batches-py",), b"labels")
BINARY_100 = Files(("train.bin",), "test.bin", ("cifar-100-binary",), 2)  # a coarse label, then the fine one
PYTHON_100 = Files(("train",), "test", ("cifar-100-python",), b"fine_labels")
FOLDERS_10 = Layout(tuple(f"train/{name}/" for name in CLASSES), ("cifar10",))


@dataclass(frozen=True)
class Cifar10:
    """(N, 3, 32, 32) images of 10 classes.

    Args:
        padding: Pixels of padding from which training images are cropped; 4 in mixup's schedule, 2 in Puzzle Mix's.
        flip: Whether to mirror training images.
    """

    padding: int = 2
    flip: bool = True

    def __post_init__(self) -> None:
        check_padding(self.padding)

    def load(self, opening: OpenContext) -> Data:
        """Reads a local copy, or fetches one."""
        augment = FlipCrop(self.padding, self.flip)
        for files in (BINARY_10, PYTHON_10):
            home = opening.find(files.layout)
            if home is not None:
                return _data("cifar10", home, files, CLASSES, NORMALISE_10, augment, opening.bad_files)
        home = opening.find(FOLDERS_10)
        if home is not None:
            return _folders(home, augment, opening)
        layouts = [BINARY_10.layout, PYTHON_10.layout, FOLDERS_10]
        return from_hub("cifar10", "uoft-cs/cifar10", NORMALISE_10, augment, opening, layouts)


@dataclass(frozen=True)
class Cifar100:
    """(N, 3, 32, 32) images of 100 (fine) classes.

    Args:
        padding: Pixels of padding from which training images are cropped; 4 in mixup's schedule, 2 in Puzzle Mix's.
        flip: Whether to mirror training images.
    """

    padding: int = 2
    flip: bool = True

    def __post_init__(self) -> None:
        check_padding(self.padding)

    def load(self, opening: OpenContext) -> Data:
        """Reads a local copy, or fetches one."""
        augment = FlipCrop(self.padding, self.flip)
        for files in (BINARY_100, PYTHON_100):
            home = opening.find(files.layout)
            if home is not None:
                return _data("cifar100", home, files, _fine_names(home), NORMALISE_100, augment, opening.bad_files)
        layouts = [BINARY_100.layout, PYTHON_100.layout]
        return from_hub("cifar100", "uoft-cs/cifar100", NORMALISE_100, augment, opening, layouts, label="fine_label")


def _data(
    name: str,
    home: Path,
    files: Files,
    classes: Sequence[str],
    normalise: Normalise,
    augment: FlipCrop,
    bad_files: BadFiles,
) -> Data:
    num_classes = 10 if name == "cifar10" else 100
    splits = []
    for part, names in (("train", files.train), ("test", (files.test,))):
        records = RECORDS.get(name) or RECORDS[f"{name} {part}"]
        read = [read_batch(home / file, files.labels, records, bad_files) for file in names]
        x, y = np.concatenate([x for x, _ in read]), np.concatenate([y for _, y in read])
        where = [f"{home / file}, record {i}" for file, (_, y) in zip(names, read, strict=True) for i in range(len(y))]
        good = (y >= 0) & (y < num_classes)
        for record in np.flatnonzero(~good):
            bad_files.add(where[record], f"label {y[record]} where there are {num_classes} classes")
        images = torch.from_numpy(x[good]).view(-1, 3, SIDE, SIDE)
        splits.append(HeldSplit(images, torch.from_numpy(y[good]), normalise, augment if part == "train" else None))
    bad_files.settle(name)
    train, test = splits
    check_not_empty(name, [("train on", len(train)), ("test on", len(test))])
    return Data(train, test, num_classes, tuple(classes), skipped=bad_files.found)


def _fine_names(home: Path) -> tuple[str, ...]:
    """Returns the names of CIFAR-100's classes, if the copy has them."""
    try:
        if (home / "fine_label_names.txt").is_file():
            names = read_regular(home / "fine_label_names.txt", MAX_TEXT_BYTES).decode().split()
        else:
            names = [name.decode() for name in read_pickle(home / "meta")[b"fine_label_names"]]
    except (OSError, BadBatch, KeyError, AttributeError, TypeError, UnicodeDecodeError):
        names = []
    return tuple(names) if len(names) == 100 else ()  # names are a comfort, nothing depends on them


def _folders(home: Path, augment: FlipCrop, opening: OpenContext) -> Data:
    """Reads CIFAR-10 as class folders of images."""
    reader = WholeImage(3, SIDE, SIDE)
    encoded = {part: class_folders(home / part, CLASSES, opening.bad_files) for part in ("train", "test")}
    train = make_split(encoded["train"], reader, NORMALISE_10, opening, augment)
    test = make_split(encoded["test"], reader, NORMALISE_10, opening)
    opening.bad_files.settle("cifar10")
    check_not_empty("cifar10", [("train on", len(train)), ("test on", len(test))])
    return Data(train, test, 10, CLASSES, skipped=opening.bad_files.found)
