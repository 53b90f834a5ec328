"""Encoded samples: where their bytes are, and what is known of them before they are decoded."""

import os
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Protocol

import numpy as np
from torch import Tensor

from multimix.lab.core.regular_files import read_regular
from multimix.lab.data.files.bad_files import BadFiles


class Names:
    """A constant list of file names.

    Args:
        names: The names, in order.
    """

    def __init__(self, names: Iterable[str]) -> None:
        content, ends = bytearray(), array("q", [0])
        for name in names:
            content += os.fsencode(name)
            ends.append(len(content))
        self._content = np.frombuffer(bytes(content), dtype=np.uint8)
        self._ends = np.frombuffer(ends, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> str:
        return os.fsdecode(self._content[self._ends[index] : self._ends[index + 1]].tobytes())


def stays_inside(name: str) -> bool:
    """Whether a name from a data set's own tables is that of a file within its folder."""
    path = PurePath(name)
    return not path.is_absolute() and ".." not in path.parts and "\0" not in name


class Blobs(Protocol):
    """Encoded samples, to be read one by one in any order and from any process."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def name(self, index: int) -> str:
        """Return what to call a sample in a message."""

    def read(self, index: int) -> bytes:
        """Return a sample's bytes.

        Raises:
            OSError: if there is no such file, or it cannot be read.
        """


@dataclass(frozen=True)
class FolderBlobs:
    """One file per sample.

    Args:
        root: Folder that the names are relative to.
        names: The files.
    """

    root: Path
    names: Names

    def __len__(self) -> int:
        return len(self.names)

    def name(self, index: int) -> str:
        """Return the file's path."""
        return str(self.root / self.names[index])

    def read(self, index: int) -> bytes:
        """Return the file's bytes."""
        return read_regular(self.root / self.names[index])


@dataclass(frozen=True)
class Chosen:
    """Some samples of others.

    Args:
        blobs: The others.
        indices: Which of them, (N,) int64.
    """

    blobs: Blobs
    indices: Tensor

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        """Return what to call a sample in a message."""
        return self.blobs.name(int(self.indices[index]))

    def read(self, index: int) -> bytes:
        """Return a sample's bytes."""
        return self.blobs.read(int(self.indices[index]))


def choose(blobs: Blobs, indices: Tensor) -> Chosen:
    """Return the samples with these indices; a choice of a choice is a choice of the first samples."""
    return Chosen(blobs.blobs, blobs.indices[indices]) if isinstance(blobs, Chosen) else Chosen(blobs, indices)


@dataclass(frozen=True)
class Encoded:
    """Encoded samples with what is known of them.

    Args:
        blobs: The samples.
        labels: Class of each, (N,) int64.
        boxes: Where the object is, (N, 4), as shares of width and height.
    """

    blobs: Blobs
    labels: Tensor
    boxes: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, indices: Tensor) -> "Encoded":
        """Return the samples with these indices."""
        boxes = None if self.boxes is None else self.boxes[indices]
        return Encoded(choose(self.blobs, indices), self.labels[indices], boxes)

    def without(self, unusable: Tensor, reason: str, bad_files: BadFiles) -> "Encoded":
        """Return the samples without those that cannot be used, and note these.

        Args:
            unusable: Which ones, (N,) bool.
            reason: Why; {label} stands for the sample's label.
            bad_files: Where they are noted.
        """
        for index in unusable.nonzero().flatten().tolist():
            bad_files.add(self.blobs.name(index), reason.format(label=int(self.labels[index])))
        return self.subset((~unusable).nonzero().flatten()) if bool(unusable.any()) else self


def encoded_files(folder: Path, names: Iterable[str], labels: Tensor, boxes: Tensor | None = None) -> Encoded:
    """Return the files of a folder as samples.

    Args:
        folder: The folder that names are relative to.
        names: The files.
        labels: Class of each, (N,) int64.
        boxes: Where the object is, (N, 4), as shares of width and height.
    """
    return Encoded(FolderBlobs(folder, Names(names)), labels, boxes)
