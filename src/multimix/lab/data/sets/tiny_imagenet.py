"""Tiny-ImageNet: 100,000 images of 200 classes to train on, 10,000 to test on, 64 × 64, each with a bounding box.

The course set of Stanford's CS231n, 2015. Its test images have no labels, so the validation images are what models are
tested on, as in the literature. Copies scaled to another size are read too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from multimix.lab.data.data_set import EncodedData
from multimix.lab.data.files import (
    BadFiles,
    Blobs,
    Encoded,
    class_folders,
    class_names,
    encoded_files,
    labels_of,
    note_unlisted,
    stays_inside,
)
from multimix.lab.data.generic import generic_data
from multimix.lab.data.prepare import Normalise
from multimix.lab.data.sets.published import HubCopy, Layout, PublishedImages

BOX_SIDE = 64  # boxes are in pixels of the original images, the last pixel included
MAX_DIGITS = 6  # of a pixel's place
WHOLE = (0, 0, BOX_SIDE - 1, BOX_SIDE - 1)

Box = tuple[int, ...]


@dataclass(frozen=True)
class TinyImagenet(PublishedImages):
    """(N, 3, 64, 64) images of 200 classes."""

    padding: int = 4
    name = "tiny-imagenet"
    layouts = (Layout(["val/val_annotations.txt"], ["tiny-imagenet-200", "tiny-imagenet"]),)
    hub = HubCopy("zh-plus/tiny-imagenet")
    num_train, num_classes, sample_shape = 100_000, 200, (3, 64, 64)
    prepare = Normalise((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))  # as in Puzzle Mix

    def read(self, home: Path, bad_files: BadFiles) -> EncodedData:
        """List the images and their boxes."""
        classes = _classes(home, bad_files)
        train = class_folders(home / "train", classes, bad_files, inner="images")
        train = replace(train, boxes=_train_boxes(home / "train", classes, train.blobs, bad_files))
        splits = {"train": train, "test": _test(home / "val", classes, bad_files)}
        return generic_data(self.name, splits, classes, self.generic_options(), normalise=self.prepare)


def _classes(home: Path, bad_files: BadFiles) -> list[str]:
    """Return the classes (WordNet ids), sorted: those of wnids.txt, so that a missing folder is noticed."""
    listed = home / "wnids.txt"
    if not listed.is_file():
        return class_names(home / "train")
    names = sorted(bad_files.text_of(listed).split())
    for name in names:
        if not stays_inside(name):
            bad_files.add(listed, f"it names a folder outside of its own, {name}")
    return [name for name in names if stays_inside(name)]


def _test(home: Path, classes: Sequence[str], bad_files: BadFiles) -> Encoded:
    """List the validation images: those of val_annotations.txt, a name, a class and a box per line."""
    names, wnids, boxes = [], [], []
    for where, line in bad_files.lines_of(home / "val_annotations.txt"):
        words = line.split()
        box = _box(words[2:])
        if box is None or words[1] not in classes or not stays_inside(words[0]):
            bad_files.add(where, "no name, known class and box")
            continue
        names.append(words[0])
        wnids.append(words[1])
        boxes.append(box)
    note_unlisted(home / "images", names, "val_annotations.txt", bad_files)
    return encoded_files(home / "images", names, labels_of(wnids, classes), _shares(boxes))


def _train_boxes(home: Path, classes: Sequence[str], blobs: Blobs, bad_files: BadFiles) -> Tensor:
    """Read the boxes of the training images; an image that has none is all object."""
    known: dict[str, Box] = {}
    for file in (home / wnid / f"{wnid}_boxes.txt" for wnid in classes):
        for where, line in bad_files.lines_of(file) if file.is_file() else ():
            name, *words = line.split()
            box = _box(words)
            if box is None:
                bad_files.add(where, "no name and box")
            else:
                known[name] = box
    return _shares([known.get(Path(blobs.name(index)).name, WHOLE) for index in range(len(blobs))])


def _box(words: Sequence[str]) -> Box | None:
    """Return left, top, right, bottom, or None if that is not what these words are."""
    are_pixels = len(words) == 4 and all(word.isdecimal() and len(word) <= MAX_DIGITS for word in words)
    return tuple(map(int, words)) if are_pixels else None


def _shares(boxes: Sequence[Box]) -> Tensor:
    """Return boxes as shares of width and height."""
    pixels = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return (pixels + torch.tensor([0, 0, 1, 1])) / BOX_SIDE
