"""Encoded samples: where their bytes are, and what is known of them before they are decoded."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from multimix.lab.core.regular_files import read_regular
from multimix.lab.data.files.bad_files import BadFiles
from multimix.lab.data.files.names import Names


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
