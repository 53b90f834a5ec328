"""What a data set is before it is decoded: a dataclass of its options, which finds its encoded samples."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from multimix.lab.data.augment import FlipCrop
from multimix.lab.data.files.bad_files import BadFiles
from multimix.lab.data.files.blobs import Encoded
from multimix.lab.data.files.decode import Reader
from multimix.lab.data.held import HeldSplit
from multimix.lab.data.prepare import as_is


@dataclass(frozen=True)
class EncodedData:
    """What was found of a data set, and how it is to be decoded.

    Args:
        name: What to call it in messages.
        splits: Samples for "train", "test" and, where it is published, "validation": encoded, or already in memory.
        classes: Names of the classes; or how many there are, where they have no names.
        reader: Decodes an encoded sample.
        prepare: Makes a batch of decoded samples ready for the model.
        augment: Moves the images of a training batch, before they are made ready.
        notes: What a user should know about how the splits were made.
    """

    name: str
    splits: Mapping[str, Encoded | HeldSplit]
    classes: Sequence[str] | int
    reader: Reader | None = None
    prepare: Callable[[Tensor], Tensor] = as_is
    augment: FlipCrop | None = None
    notes: tuple[str, ...] = ()


class DataSet(Protocol):
    """A data set that can be opened: a frozen dataclass of its options."""

    def load(self, root: Path | None, bad_files: BadFiles) -> EncodedData:
        """Find its samples.

        Args:
            root: Folder of local copies, if there is one.
            bad_files: Where files that cannot be used are noted.

        Raises:
            UsageError: if it is not there, or cannot be used.
        """
