"""CUB-200-2011: 11,788 photographs of 200 kinds of birds, each with a bounding box.

Wah et al., 2011, Caltech technical report CNS-TR-2011-001. Class, split and box of an image are in five text files,
each with one line per image, joined by the image's number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import torch

from multimix.lab.data.data_set import EncodedData
from multimix.lab.data.files import UNUSABLE, BadFiles, Encoded, encoded_files, stays_inside, why
from multimix.lab.data.files.images import box_in_middle, header
from multimix.lab.data.sets.published import Layout, PublishedPhotos

PARTS = {"1": "train", "0": "test"}  # in train_test_split.txt
TABLES = ("images.txt", "image_class_labels.txt", "train_test_split.txt", "bounding_boxes.txt")


@dataclass(frozen=True)
class Bird:
    """What the text files say of one image: its path, its class, and left, top, width, height of its box in pixels."""

    path: str
    label: int
    box: tuple[float, ...]


@dataclass(frozen=True)
class Cub(PublishedPhotos):
    """(N, 3, size, size) crops of images of 200 classes; boxes are those in the crops that models are tested on."""

    name = "cub-200-2011"
    layouts = (Layout(["images.txt"], ["CUB_200_2011", "cub-200-2011"]),)
    hub = "no copy on the hub is known to have its boxes"
    num_train, num_classes = 5_994, 200

    def read(self, home: Path, bad_files: BadFiles) -> EncodedData:
        """List the images, whose sizes are read to place the boxes."""
        classes = _table(home / "classes.txt", bad_files)
        birds = _birds(home, {number: place for place, number in enumerate(classes)}, bad_files)
        splits = {part: _split(home / "images", birds[part], bad_files) for part in PARTS.values()}
        return self.encoded(splits, [words[0] for words in classes.values()])


def _table(file: Path, bad_files: BadFiles) -> dict[str, list[str]]:
    """Read lines of a number and what belongs to it; a line without one of them is bad, and so is a second one."""
    table: dict[str, list[str]] = {}
    for where, line in bad_files.lines_of(file):
        number, *words = line.split()
        if not words or number in table:
            bad_files.add(where, "its number again" if words else "nothing but a number")
        else:
            table[number] = words
    return table


def _birds(home: Path, classes: Mapping[str, int], bad_files: BadFiles) -> dict[str, list[Bird]]:
    """Join the tables and return the images of each split; an image that is not in all of them is bad."""
    tables = {name: _table(home / name, bad_files) for name in TABLES}
    images, labels, splits, boxes = tables.values()
    birds: dict[str, list[Bird]] = {part: [] for part in PARTS.values()}
    for number, (path, *_) in images.items():
        line = f"{home / 'images.txt'}, image {number}"
        missing = [name for name, table in tables.items() if number not in table]
        if missing:
            bad_files.add(line, f"not in {', '.join(missing)}")
        elif not stays_inside(path):
            bad_files.add(line, "it names a file outside of the folder")
        elif labels[number][0] not in classes:
            bad_files.add(line, f"class {labels[number][0]} is not in classes.txt")
        elif (box := _numbers(boxes[number])) is None or splits[number][0] not in PARTS:
            bad_files.add(line, "no box of four numbers, or no split 0 or 1")
        else:
            birds[PARTS[splits[number][0]]].append(Bird(path, classes[labels[number][0]], box))
    return birds


def _split(folder: Path, birds: Sequence[Bird], bad_files: BadFiles) -> Encoded:
    """List the images of one split, with their boxes where the middle of the image is."""
    kept, boxes = [], []
    for bird in birds:
        try:
            _, height, width = header(folder / bird.path)
        except UNUSABLE as error:
            bad_files.add(folder / bird.path, why(error))
            continue
        left, top, wide, tall = bird.box
        kept.append(bird)
        boxes.append(box_in_middle((left, top, left + wide, top + tall), width, height))
    labels = torch.tensor([bird.label for bird in kept], dtype=torch.int64)
    shares = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return encoded_files(folder, [bird.path for bird in kept], labels, shares)


def _numbers(words: Sequence[str]) -> tuple[float, ...] | None:
    try:
        values = tuple(map(float, words))
    except ValueError:
        return None
    return values if len(values) == 4 and all(map(isfinite, values)) else None
