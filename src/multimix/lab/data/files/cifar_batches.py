"""One file of CIFAR, in the published binary layout or the published Python layout: its pixels and labels.

A pickle of the Python layout is a program. The published files use three names of NumPy; here these stand for inert
records of what they were called with, from which an array of bytes is made. Any other name is refused, so nothing runs.
"""

import io
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np

from multimix.lab.core.regular_files import read_regular
from multimix.lab.data.files.bad_files import UNUSABLE, BadFiles, BadSample, decoding, why

SIDE = 32
PIXELS = 3 * SIDE * SIDE  # red, then green, then blue, row by row
KNOWN = [
    *((module, "_reconstruct") for module in ("numpy.core.multiarray", "numpy._core.multiarray")),
    *(("numpy", name) for name in ("ndarray", "dtype")),
]
PUTS = ("PUT", "BINPUT", "LONG_BINPUT")  # store an object in the memo, at an index that the pickle chooses

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Labels = np.ndarray[Any, np.dtype[np.int64]]


def read_batch(file: Path, labels: int | bytes, records: int, bad_files: BadFiles) -> tuple[Pixels, Labels]:
    """Read the pixels and labels of one file; nothing of a file that is not whole.

    Args:
        file: The file.
        labels: Bytes before the pixels of a binary record, the class last; or the key of the labels in a pickle.
        records: How many records are published.
        bad_files: Where a file that is not what was published is noted.
    """
    try:
        x, y = _binary(file, labels, records) if isinstance(labels, int) else _python(file, labels)
        if len(x) == len(y) == records:
            return x, y
        bad_files.add(file, f"{len(x):,} images and {len(y):,} labels where {records:,} are published")
    except UNUSABLE as error:
        bad_files.add(file, why(error))
    return np.empty((0, PIXELS), np.uint8), np.empty(0, np.int64)


def _binary(file: Path, num_labels: int, records: int) -> tuple[Pixels, Labels]:
    content = np.frombuffer(read_regular(file), dtype=np.uint8)
    expected = records * (num_labels + PIXELS)
    if len(content) != expected:
        raise BadSample(f"{len(content):,} bytes where {expected:,} are published")
    rows = content.reshape(records, num_labels + PIXELS)
    return rows[:, num_labels:], rows[:, num_labels - 1].astype(np.int64)


def _python(file: Path, key: bytes) -> tuple[Pixels, Labels]:
    content = read_pickle(file)
    x, y = _bytes(content.get(b"data")), content.get(key)
    if x is None or x.ndim != 2 or x.shape[1] != PIXELS or not isinstance(y, list):
        raise BadSample(f"no CIFAR batch: it has no (N, {PIXELS:,}) bytes of data with {key.decode()}")
    if not all(isinstance(label, int) and abs(label) < 2**31 for label in y):
        raise BadSample(f"no CIFAR batch: its {key.decode()} are not all numbers of classes")
    return x, np.array(y, dtype=np.int64)


class _Record:
    """Stands for whatever a pickle makes by one of the known names: keeps arguments and state, and does nothing."""

    state: Any = None

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Unpickler(pickle.Unpickler):
    """Makes a record by each known name."""

    def find_class(self, module: str, name: str) -> type[_Record]:
        """Return what stands for a name.

        Raises:
            BadSample: for a name that is not known.
        """
        if (module, name) not in KNOWN:
            raise BadSample(f"no CIFAR file: it asks for {module}.{name}, which the published one does not")
        return _Record


def read_pickle(file: Path) -> dict[bytes, Any]:
    """Read a file of the published Python layout: a dictionary of lists, strings and records of arrays.

    Raises:
        BadSample: if it is anything else.
        OSError: if there is no such file.
    """
    pickled = read_regular(file)
    with decoding("broken pickle: {}".format):
        for number, (opcode, argument, _) in enumerate(pickletools.genops(pickled), start=1):
            if opcode.name in PUTS and int(argument or 0) > number:  # Python makes room for all indices up to this one
                raise BadSample(f"no CIFAR file: it asks for {argument:,} places in memory")
        content = _Unpickler(io.BytesIO(pickled), encoding="bytes").load()
    if not isinstance(content, dict):
        raise BadSample(f"no CIFAR file: it holds a {type(content).__name__} where a dictionary was published")
    return content


def _bytes(array: Any) -> Pixels | None:
    """Make the array of bytes that a record stands for; None if it is no record."""
    if not isinstance(array, _Record):
        return None
    with decoding("no CIFAR file: it holds a broken array ({})".format):
        _, shape, dtype, fortran, content = array.state
        if dtype.arguments[0] not in (b"u1", "u1") or fortran or not isinstance(content, bytes):
            raise BadSample("no CIFAR file: it holds an array that is not of bytes, row by row")
        return np.frombuffer(content, dtype=np.uint8).reshape(shape)
