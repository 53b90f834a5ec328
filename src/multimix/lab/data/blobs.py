"""Where the bytes of a sample are, and how to get them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from multimix.lab.core.regular_files import read_regular
from multimix.lab.data.names import Names


class Blobs(Protocol):
    """Encoded samples, to be read one by one in any order and from any process."""

    def __len__(self) -> int:
        """The number of samples."""

    def name(self, index: int) -> str:
        """Returns what to call a sample in a message."""

    def read(self, index: int) -> bytes:
        """Returns a sample's bytes.

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
        """Returns the file's path."""
        return str(self.root / self.names[index])

    def read(self, index: int) -> bytes:
        """Returns the file's bytes."""
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
        """Returns what to call a sample in a message."""
        return self.blobs.name(int(self.indices[index]))

    def read(self, index: int) -> bytes:
        """Returns a sample's bytes."""
        return self.blobs.read(int(self.indices[index]))
