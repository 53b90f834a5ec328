"""What opening a data set needs to know besides its name: where copies are, and what to do with bad files."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from multimix.lab.core.errors import UsageError
from multimix.lab.data.bad_files import BadFiles
from multimix.lab.data.split import Data

NUM_MARKS = 2  # of each layout that are named in a message


@dataclass(frozen=True)
class Layout:
    """How a published copy of a data set lies in a folder.

    Args:
        marks: Files, or folders with a slash at the end, by which it is known, relative to its home; one of them is
            enough, so that a copy from which a file is missing is recognised, and the file named.
        homes: Names of the folder it unpacks to, relative to the data root; the root itself always counts.
    """

    marks: Sequence[str]
    homes: Sequence[str] = ()

    def __str__(self) -> str:
        more = ", …" if len(self.marks) > NUM_MARKS else ""
        return f"{' or '.join(self.homes)} with {' or '.join(self.marks[:NUM_MARKS])}{more}"

    def find(self, root: Path) -> Path | None:
        """Returns the first home that holds such a copy."""
        for home in (root, *(root / name for name in self.homes)):
            if any((home / mark).is_dir() if mark.endswith("/") else (home / mark).is_file() for mark in self.marks):
                return home
        return None


@dataclass(frozen=True)
class OpenContext:
    """How a data set is to be opened.

    Args:
        root: Folder of local copies.
        bad_files: Told about files that cannot be used.
        num_workers: Processes that read and decode a set that is streamed.
    """

    root: Path | None = None
    bad_files: BadFiles = field(default_factory=BadFiles)
    num_workers: int = 0

    def find(self, layout: Layout) -> Path | None:
        """Returns the home of a local copy, if there is one."""
        return None if self.root is None else layout.find(self.root)

    def missing(self, name: str, layouts: Sequence[Layout], hub: str) -> UsageError:
        """Returns the error for a set that is nowhere: which files were looked for, and where.

        Args:
            name: The data set.
            layouts: The layouts that were looked for.
            hub: Why the Hugging Face hub did not help.
        """
        if self.root is None:
            local = "no --data-root"
        else:
            local = f"none in {self.root} (looked for in it and below it: {'; '.join(map(str, layouts))})"
        return UsageError(
            f"{name} must be a copy in a published layout under --data-root, or come from the Hugging Face hub, got "
            f"{local}, and {hub}; unpack it and give its folder"
        )


class Loader(Protocol):
    """A data set that can be opened: a frozen dataclass of its options."""

    def load(self, opening: OpenContext) -> Data:
        """Reads it.

        Raises:
            UsageError: if it is not there, or cannot be used.
        """
