"""One file of CIFAR, in the published binary layout or the published Python layout: pixels and labels, or why not."""

from pathlib import Path
from typing import Any

import numpy as np

from multimix.lab.core.regular_files import read_regular
from multimix.lab.data.bad_files import BadFiles, why
from multimix.lab.data.cifar_pickle import BadBatch, read_pickle

SIDE = 32
PIXELS = 3 * SIDE * SIDE  # red, then green, then blue, row by row

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Labels = np.ndarray[Any, np.dtype[np.int64]]


def read_batch(file: Path, labels: int | bytes, records: int, bad_files: BadFiles) -> tuple[Pixels, Labels]:
    """Reads the pixels and labels of one file; nothing of a file that is not whole.

    Args:
        file: The file.
        labels: Bytes before the pixels of a binary record, or the key of the labels in a pickle.
        records: How many records are published.
        bad_files: Told about a file that is not what was published.
    """
    try:
        x, y = _binary(file, labels, records) if isinstance(labels, int) else _python(file, labels)
        if len(x) == len(y) == records:
            return x, y
        bad_files.add(file, f"{len(x):,} images and {len(y):,} labels where {records:,} are published")
    except BadBatch as error:
        bad_files.add(file, str(error))
    except OSError as error:
        bad_files.add(file, why(error))
    return np.empty((0, PIXELS), np.uint8), np.empty(0, np.int64)


def _binary(file: Path, num_labels: int, records: int) -> tuple[Pixels, Labels]:
    content = np.frombuffer(read_regular(file), dtype=np.uint8)
    expected = records * (num_labels + PIXELS)
    if len(content) != expected:
        raise BadBatch(f"{len(content):,} bytes where {expected:,} are published")
    rows = content.reshape(records, num_labels + PIXELS)
    return rows[:, num_labels:], rows[:, num_labels - 1].astype(np.int64)  # the class comes last


def _python(file: Path, key: bytes) -> tuple[Pixels, Labels]:
    content = read_pickle(file)
    x, y = content.get(b"data"), content.get(key)
    if not isinstance(x, np.ndarray) or x.ndim != 2 or x.shape[1] != PIXELS or not isinstance(y, list):
        raise BadBatch(f"no CIFAR batch: it has no (N, {PIXELS:,}) bytes of data with {key.decode()}")
    if not all(isinstance(label, int) and abs(label) < 2**31 for label in y):
        raise BadBatch(f"no CIFAR batch: its {key.decode()} are not all numbers of classes")
    return x, np.array(y, dtype=np.int64)
