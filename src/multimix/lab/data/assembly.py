"""From what a data set found to splits: decoded once and held where that is small, streamed where it is not.

The same for every data set: bad files are refused or skipped as the user chose, and no split may be empty.
"""

from collections.abc import Mapping, Sized
from math import prod

from multimix.lab.core.errors import UsageError
from multimix.lab.data.data_set import EncodedData
from multimix.lab.data.files.bad_files import BadFiles
from multimix.lab.data.files.decode import decode
from multimix.lab.data.held import HeldSplit
from multimix.lab.data.split import Data, Split
from multimix.lab.data.streamed import StreamedSplit

HOLD_BYTES = 2 << 30  # Tiny-ImageNet, 1.2 GB, is held; Speech Commands, 3.4 GB, and ImageNet are not


def assemble(found: EncodedData, bad_files: BadFiles, num_workers: int = 0) -> Data:
    """Decode a data set, or prepare it for streaming.

    Args:
        found: Its samples.
        bad_files: Those found so far; those found while decoding are added.
        num_workers: Processes that read and decode a set that is streamed.

    Raises:
        UsageError: if there are bad files that are not to be skipped, or a split is empty.
    """
    splits = {part: _split(found, part, bad_files, num_workers) for part in found.splits}
    bad_files.settle(found.name)
    check_not_empty(found.name, splits)
    names = () if isinstance(found.classes, int) else tuple(found.classes)
    num_classes = found.classes if isinstance(found.classes, int) else len(names)
    validation, skipped = splits.get("validation"), bad_files.found
    return Data(splits["train"], splits["test"], num_classes, names, validation, skipped, found.notes)


def _split(found: EncodedData, part: str, bad_files: BadFiles, num_workers: int) -> Split:
    """Make one split; of a streamed one, bad files are found later, when they are read."""
    samples, augment = found.splits[part], found.augment if part == "train" else None
    if isinstance(samples, HeldSplit):
        return HeldSplit(samples.x, samples.labels, found.prepare, augment, samples.boxes)
    reader = found.reader
    assert reader is not None
    if reader.is_random or len(samples) * prod(reader.shape) * reader.dtype.itemsize > HOLD_BYTES:
        how = (reader, found.prepare, bad_files, num_workers, augment)
        return StreamedSplit(samples.blobs, samples.labels, *how, samples.boxes)
    x, good = decode(samples.blobs, reader, bad_files)
    boxes = None if samples.boxes is None else samples.boxes[good]
    return HeldSplit(x, samples.labels[good], found.prepare, augment, boxes)


def check_not_empty(name: str, splits: Mapping[str, Sized]) -> None:
    """Refuse a set with nothing to train or test on.

    Raises:
        UsageError: naming the split.
    """
    for part in ("train", "test"):
        if not len(splits[part]):
            raise UsageError(f"{name} must have samples to {part} on, got none that can be used; look at its folder")
