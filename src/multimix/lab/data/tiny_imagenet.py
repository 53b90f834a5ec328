"""Tiny-ImageNet: 100,000 images of 200 classes to train on, 10,000 to test on, 64 × 64, each with a bounding box.

The course set of Stanford's CS231n, 2015. Its test images have no labels, so the validation images are what models are
tested on, as in the literature. Copies scaled to another size are read too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from multimix.lab.data.augment import FlipCrop
from multimix.lab.data.bad_files import BadFiles
from multimix.lab.data.blobs import Blobs, FolderBlobs
from multimix.lab.data.class_folders import class_folders, class_names, is_litter
from multimix.lab.data.decode import Encoded, check_not_empty, make_split, usual_image
from multimix.lab.data.generic import labels_of
from multimix.lab.data.hub import from_hub
from multimix.lab.data.names import Names, stays_inside
from multimix.lab.data.open_context import Layout, OpenContext
from multimix.lab.data.options import check_padding
from multimix.lab.data.prepare import Normalise
from multimix.lab.data.split import Data

LAYOUT = Layout(("val/val_annotations.txt",), ("tiny-imagenet-200", "tiny-imagenet"))
NORMALISE = Normalise((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))  # as in Puzzle Mix
BOX_SIDE = 64  # boxes are in pixels of the original images, the last pixel included
MAX_DIGITS = 6  # of a pixel's place
WHOLE = (0, 0, BOX_SIDE - 1, BOX_SIDE - 1)

Box = tuple[int, ...]


@dataclass(frozen=True)
class TinyImagenet:
    """(N, 3, 64, 64) images of 200 classes.

    Args:
        padding: Pixels of padding from which training images are cropped.
        flip: Whether to mirror training images.
    """

    padding: int = 4
    flip: bool = True

    def __post_init__(self) -> None:
        check_padding(self.padding)

    def load(self, opening: OpenContext) -> Data:
        """Reads a local copy, or fetches one."""
        home = opening.find(LAYOUT)
        if home is not None:
            return self.read(home, opening)
        augment = FlipCrop(self.padding, self.flip)
        return from_hub("tiny-imagenet", "zh-plus/tiny-imagenet", NORMALISE, augment, opening, [LAYOUT])

    def read(self, home: Path, opening: OpenContext) -> Data:
        """Reads a copy in the published layout."""
        classes = _classes(home, opening.bad_files)
        train = class_folders(home / "train", classes, opening.bad_files, inner="images")
        train = Encoded(
            train.blobs, train.labels, _train_boxes(home / "train", classes, train.blobs, opening.bad_files)
        )
        test = _test(home / "val", classes, opening.bad_files)
        check_not_empty("tiny-imagenet", [("train on", len(train.labels)), ("test on", len(test.labels))])
        reader = usual_image(train.blobs, str(home))
        augment = FlipCrop(self.padding, self.flip)
        train_split = make_split(train, reader, NORMALISE, opening, augment)
        test_split = make_split(test, reader, NORMALISE, opening)
        opening.bad_files.settle("tiny-imagenet")
        check_not_empty("tiny-imagenet", [("train on", len(train_split)), ("test on", len(test_split))])
        return Data(train_split, test_split, len(classes), tuple(classes), skipped=opening.bad_files.found)


def _classes(home: Path, bad_files: BadFiles) -> list[str]:
    """Returns the classes (WordNet ids), sorted: those of wnids.txt, so that a missing folder is noticed."""
    listed = home / "wnids.txt"
    if not listed.is_file():
        return class_names(home / "train")
    names = sorted(bad_files.text_of(listed).split())
    for name in names:
        if not stays_inside(name):
            bad_files.add(listed, f"it names a folder outside of its own, {name}")
    return [name for name in names if stays_inside(name)]


def _test(home: Path, classes: list[str], bad_files: BadFiles) -> Encoded:
    """Lists the validation images: those of val_annotations.txt, a name, a class and a box per line."""
    names, wnids, boxes = [], [], []
    for number, parts in _lines(home / "val_annotations.txt", bad_files):
        if len(parts) != 6 or not stays_inside(parts[0]) or parts[1] not in classes or _box(parts[2:]) is None:
            bad_files.add(f"{home / 'val_annotations.txt'}, line {number}", "no name, known class and box")
            continue
        names.append(f"images/{parts[0]}")
        wnids.append(parts[1])
        boxes.append(_box(parts[2:]) or WHOLE)
    listed = set(names)
    for file in sorted((home / "images").iterdir()) if (home / "images").is_dir() else ():
        if f"images/{file.name}" not in listed and not is_litter(file.name):
            bad_files.add(file, "not listed in val_annotations.txt")
    return Encoded(FolderBlobs(home, Names(names)), labels_of(wnids, classes), _shares(boxes))


def _train_boxes(home: Path, classes: list[str], blobs: Blobs, bad_files: BadFiles) -> Tensor:
    """Reads the boxes of the training images; an image that has none is all object."""
    known: dict[str, Box] = {}
    for file in (home / wnid / f"{wnid}_boxes.txt" for wnid in classes):
        for number, parts in _lines(file, bad_files) if file.is_file() else ():
            box = _box(parts[1:])
            if box is None:
                bad_files.add(f"{file}, line {number}", "no name and box")
            else:
                known[parts[0]] = box
    return _shares([known.get(Path(blobs.name(index)).name, WHOLE) for index in range(len(blobs))])


def _lines(file: Path, bad_files: BadFiles) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(bad_files.text_of(file).splitlines(), start=1):
        if line.strip():
            yield number, line.split()


def _box(parts: list[str]) -> Box | None:
    """Returns left, top, right, bottom, or None if that is not what these words are."""
    are_pixels = len(parts) == 4 and all(part.isdecimal() and len(part) <= MAX_DIGITS for part in parts)
    return tuple(map(int, parts)) if are_pixels else None


def _shares(boxes: list[Box]) -> Tensor:
    """Returns boxes as shares of width and height."""
    pixels = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return (pixels + torch.tensor([0, 0, 1, 1])) / BOX_SIDE
