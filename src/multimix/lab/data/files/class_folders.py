"""Class folders: one folder per class, its name the class's name, its files the samples."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from multimix.lab.data.files import audio, images
from multimix.lab.data.files.bad_files import BadFiles
from multimix.lab.data.files.blobs import Encoded, FolderBlobs, Names, encoded_files

# What file managers leave behind, besides names that begin with a dot.
LITTER = ("Thumbs.db", "desktop.ini")


def class_names(root: Path) -> list[str]:
    """Return the names of the class folders in a folder, sorted: their order is that of the labels."""
    if not root.is_dir():
        return []
    return sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith("."))


def class_folders(
    root: Path,
    classes: Sequence[str],
    bad_files: BadFiles,
    suffixes: Sequence[str] = images.SUFFIXES,
    inner: str = "",
    ignored: Sequence[str] = (),
) -> Encoded:
    """List the samples of class folders.

    Args:
        root: Folder of the class folders.
        classes: Names of the classes; a class folder of another name is bad, and so is one that is empty or not there.
        bad_files: Where folders and files that cannot be samples are noted, and samples in no class folder.
        suffixes: What the names of samples end in.
        inner: Folder within each class folder that holds its samples, where there is one.
        ignored: Folders that belong there and are no classes.
    """
    if not root.is_dir():
        bad_files.add(root, "missing")
        return encoded_files(root, [], torch.empty(0, dtype=torch.int64))
    for other in sorted(set(class_names(root)) - {*classes, *ignored}):
        bad_files.add(root / other, "a folder of no known class")
    for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
        if entry.name.lower().endswith(tuple(suffixes)) and not is_litter(entry.name) and not entry.is_dir():
            bad_files.add(entry.path, "in no class folder")
    counts: list[int] = []
    names = Names(_listed(root, classes, bad_files, suffixes, inner, counts))  # lists the folders and counts
    return Encoded(FolderBlobs(root, names), torch.from_numpy(np.repeat(np.arange(len(classes)), counts)))


def _listed(
    root: Path, classes: Sequence[str], bad_files: BadFiles, suffixes: Sequence[str], inner: str, counts: list[int]
) -> Iterator[str]:
    """Yield the samples of one class after the other, and append to `counts` how many each class has."""
    for name in classes:
        folder = os.path.join(name, inner) if inner else name
        found = _samples(root / folder, bad_files, suffixes)
        counts.append(len(found))
        if not found:
            bad_files.add(root / folder, "a class folder without samples" if (root / folder).exists() else "missing")
        yield from (os.path.join(folder, file) for file in found)


def _samples(folder: Path, bad_files: BadFiles, suffixes: Sequence[str]) -> list[str]:
    """Return the sorted names of the samples in one folder."""
    found = []
    for entry in os.scandir(folder) if folder.is_dir() else ():
        if is_litter(entry.name):
            continue
        if entry.name.lower().endswith(tuple(suffixes)):
            found.append(entry.name)
        else:
            bad_files.add(entry.path, f"its name ends in none of {', '.join(suffixes)}")
    return sorted(found)


def is_litter(name: str) -> bool:
    """Whether a file is one that programs leave behind: hidden, such as ._*.jpg in archives of macOS, or well known."""
    return name.startswith(".") or name in LITTER


def kind_of(root: Path, classes: Sequence[str]) -> Sequence[str]:
    """Return the suffixes of images, or those of sounds if the folders hold more sounds than images."""
    names = [entry.name.lower() for name in classes for entry in os.scandir(root / name)]
    return max((images.SUFFIXES, audio.SUFFIXES), key=lambda suffixes: sum(name.endswith(suffixes) for name in names))


def labels_of(names: Sequence[str], classes: Sequence[str]) -> Tensor:
    """Return the place of each name among the classes, -1 for one that is not there."""
    places = {name: place for place, name in enumerate(classes)}
    return torch.tensor([places.get(name, -1) for name in names], dtype=torch.int64)


def note_unlisted(folder: Path, listed: Sequence[str], table: str, bad_files: BadFiles) -> None:
    """Note the files of a folder that its table does not list.

    Args:
        folder: The folder; it need not be there.
        listed: Names of the files that the table lists.
        table: What to call it in messages.
        bad_files: Where they are noted.
    """
    there = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    for name in sorted(there.difference(listed)):
        if not is_litter(name):
            bad_files.add(folder / name, f"not listed in {table}")
