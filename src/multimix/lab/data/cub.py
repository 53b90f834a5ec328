"""CUB-200-2011: 11,788 photographs of 200 kinds of birds, each with a bounding box.

Wah et al., 2011, Caltech technical report CNS-TR-2011-001. What an image is stands in five text files, each with one
line per image, joined by the image's number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import torch

from multimix.lab.data.bad_files import BadFiles, BadSample, why
from multimix.lab.data.blobs import FolderBlobs
from multimix.lab.data.decode import Encoded, check_not_empty, make_split
from multimix.lab.data.images import CroppedImage, box_in_middle, header_of_file
from multimix.lab.data.names import Names, stays_inside
from multimix.lab.data.open_context import Layout, OpenContext
from multimix.lab.data.options import check_size
from multimix.lab.data.prepare import Normalise
from multimix.lab.data.split import Data

LAYOUT = Layout(("images.txt",), ("CUB_200_2011", "cub-200-2011"))
NORMALISE = Normalise((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # ImageNet's, as models are transferred from there
TRAIN, TEST = "1", "0"  # in train_test_split.txt

Table = dict[str, list[str]]


@dataclass(frozen=True)
class Bird:
    """What the text files say of one image: its path, its class, and left, top, width, height of its box in pixels."""

    path: str
    label: int
    box: tuple[float, ...]


@dataclass(frozen=True)
class Cub:
    """(N, 3, size, size) crops of images of 200 classes: random and mirrored in training, from the middle in testing.

    Boxes are those in the crops that models are tested on.

    Args:
        size: Side of the crops in pixels.
    """

    size: int = 224

    def __post_init__(self) -> None:
        check_size(self.size)

    def load(self, opening: OpenContext) -> Data:
        """Lists a local copy; images are read as they are needed."""
        home = opening.find(LAYOUT)
        if home is None:
            raise opening.missing("cub-200-2011", [LAYOUT], "no copy on the hub is known to have its boxes")
        classes = _table(home / "classes.txt", opening.bad_files)
        numbers = {number: place for place, number in enumerate(classes)}
        birds = _birds(home, numbers, opening.bad_files)
        train, test = (_split(home, birds[which], opening.bad_files) for which in (TRAIN, TEST))
        opening.bad_files.settle("cub-200-2011")
        check_not_empty("cub-200-2011", [("train on", len(train.labels)), ("test on", len(test.labels))])
        reader = CroppedImage(3, self.size)
        return Data(
            make_split(train, reader, NORMALISE, opening),
            make_split(test, reader, NORMALISE, opening),
            len(classes),
            tuple(words[0] for words in classes.values()),
            skipped=opening.bad_files.found,
        )


def _table(file: Path, bad_files: BadFiles) -> Table:
    """Reads lines of a number and what belongs to it; a line without one of them is bad, and so is a second one."""
    table: Table = {}
    for place, line in enumerate(bad_files.text_of(file).splitlines(), start=1):
        words = line.split()
        if len(words) == 1 or (words and words[0] in table):
            bad_files.add(f"{file}, line {place}", "nothing but a number" if len(words) == 1 else "its number again")
        elif words:
            table[words[0]] = words[1:]
    return table


def _split(home: Path, birds: Sequence[Bird], bad_files: BadFiles) -> Encoded:
    """Lists the images of one split, with their boxes where the middle of the image is."""
    kept, boxes = [], []
    for bird in birds:
        try:
            _, height, width = header_of_file(home / "images" / bird.path)
        except (BadSample, OSError) as error:
            bad_files.add(home / "images" / bird.path, why(error) if isinstance(error, OSError) else str(error))
            continue
        left, top, wide, tall = bird.box
        kept.append(bird)
        boxes.append(box_in_middle((left, top, left + wide, top + tall), width, height))
    labels = torch.tensor([bird.label for bird in kept], dtype=torch.int64)
    blobs = FolderBlobs(home / "images", Names(bird.path for bird in kept))
    return Encoded(blobs, labels, torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4))


def _birds(home: Path, numbers: dict[str, int], bad_files: BadFiles) -> dict[str, list[Bird]]:
    """Joins the tables and returns the images of each split; an image that is not in all of them is bad."""
    files = ("images.txt", "image_class_labels.txt", "train_test_split.txt", "bounding_boxes.txt")
    images, labels, splits, boxes = (_table(home / name, bad_files) for name in files)
    birds: dict[str, list[Bird]] = {TRAIN: [], TEST: []}
    for number, path in images.items():
        line = f"{home / 'images.txt'}, image {number}"
        missing = [
            name for name, table in zip(files, (images, labels, splits, boxes), strict=True) if number not in table
        ]
        if missing:
            bad_files.add(line, f"not in {', '.join(missing)}")
        elif not stays_inside(path[0]):
            bad_files.add(line, "it names a file outside of the folder")
        elif labels[number][0] not in numbers:
            bad_files.add(line, f"class {labels[number][0]} is not in classes.txt")
        elif (box := _numbers(boxes[number])) is None or splits[number][0] not in birds:
            bad_files.add(line, "no box of four numbers, or no split 0 or 1")
        else:
            birds[splits[number][0]].append(Bird(path[0], numbers[labels[number][0]], box))
    return birds


def _numbers(words: Sequence[str]) -> tuple[float, ...] | None:
    try:
        values = tuple(map(float, words))
    except ValueError:
        return None
    return values if len(values) == 4 and all(map(isfinite, values)) else None
