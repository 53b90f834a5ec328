"""Millions of file names in little memory.

A Python list of a million paths takes some 150 MB, and as reference counts change, every worker process gets a copy of
its own. Here all names are one string of bytes, which is never written to and thus shared.
"""

import os
from array import array
from collections.abc import Iterable
from pathlib import PurePath

import numpy as np


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
