"""Data sets in a published layout: a local copy is read, or one is fetched from the Hugging Face hub.

One class for each kind of sample: images of one size, images of many sizes, sounds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from multimix.lab.core.errors import UsageError
from multimix.lab.data.augment import FlipCrop
from multimix.lab.data.data_set import EncodedData
from multimix.lab.data.files import BadFiles, Encoded, hub
from multimix.lab.data.files.audio import Sound
from multimix.lab.data.files.images import CroppedImage, WholeImage
from multimix.lab.data.held import HeldSplit
from multimix.lab.data.options import GenericOptions
from multimix.lab.data.prepare import Normalise, sound_as
from multimix.lab.data.sets.hub import from_hub

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

    def is_at(self, home: Path) -> bool:
        """Whether a folder is such a copy."""
        return any((home / mark).is_dir() if mark.endswith("/") else (home / mark).is_file() for mark in self.marks)

    def find(self, root: Path) -> Path | None:
        """Return the first home below a folder, or the folder itself, that is such a copy."""
        return next((home for home in (root, *(root / name for name in self.homes)) if self.is_at(home)), None)


@dataclass(frozen=True)
class HubCopy:
    """Where on the hub a published data set is.

    Args:
        repo: The repository.
        label: Name of the column of labels, where several columns could be it.
        unlabelled: Splits that have no labels and are left out.
    """

    repo: str
    label: str | None = None
    unlabelled: Sequence[str] = ()


class Published:
    """A published data set: a frozen dataclass of its options, which finds a copy.

    Attributes:
        name: What it is called by.
        layouts: In which layouts copies are known.
        hub: Its copy on the hub, or why there is none that can be used.
        num_train: Samples in the training split.
        num_classes: Classes.
        sample_shape: The shape of a sample with these options.
        reader: Decodes a sample.
        prepare: Makes a batch of samples ready for the model.
        augment: Moves training images.
    """

    name: ClassVar[str]
    layouts: ClassVar[Sequence[Layout]]
    hub: ClassVar[HubCopy | str]
    num_train: ClassVar[int]
    num_classes: ClassVar[int]
    sample_shape: Any
    reader: Any
    prepare: Any
    augment: Any = None

    def __post_init__(self) -> None:
        self.generic_options()  # checks them

    def generic_options(self) -> GenericOptions:
        """Return those of the options that sets of any kind have."""
        shared = {item.name for item in fields(GenericOptions)}
        options: dict[str, Any] = asdict(self)  # type: ignore[call-overload]
        return GenericOptions(**{option: value for option, value in options.items() if option in shared})

    def load(self, root: Path | None, bad_files: BadFiles) -> EncodedData:
        """Read a local copy, or fetch one."""
        homes = [] if root is None else [layout.find(root) for layout in self.layouts]
        home = next(filter(None, homes), None)
        if home is not None:
            return self.read(home, bad_files)
        if isinstance(self.hub, str):
            raise self._missing(root, self.hub)
        try:
            found = hub.fetch(self.hub.repo)
        except hub.HubUnavailable as error:
            raise self._missing(root, f"hf:{self.hub.repo} cannot be fetched ({error})") from error
        labelled = {part: dataset for part, dataset in found.items() if str(part) not in self.hub.unlabelled}
        return from_hub(self.name, labelled, self.hub.label, self.generic_options(), bad_files, self.prepare)

    def read(self, home: Path, bad_files: BadFiles) -> EncodedData:
        """Read a local copy.

        Args:
            home: Folder in one of the layouts.
            bad_files: Where files that cannot be used are noted.
        """
        raise NotImplementedError

    def encoded(self, splits: Mapping[str, Encoded | HeldSplit], classes: Sequence[str] | int) -> EncodedData:
        """Return what was found, to be decoded as is usual for this set."""
        return EncodedData(self.name, splits, classes, self.reader, self.prepare, self.augment)

    def _missing(self, root: Path | None, why_not_hub: str) -> UsageError:
        """Return the error for a set that is nowhere: which files were looked for, and why the hub did not help."""
        local = "no --data-root"
        if root is not None:
            local = f"none in {root} (looked for in it and below it: {'; '.join(map(str, self.layouts))})"
        return UsageError(
            f"{self.name} must be a copy in a published layout under --data-root, or come from the Hugging Face hub, "
            f"got {local}, and {why_not_hub}; unpack it and give its folder"
        )


@dataclass(frozen=True)
class PublishedImages(Published):
    """A set of images of one size, its class attributes `sample_shape` and `prepare`.

    Args:
        padding: Pixels of padding from which training images are cropped.
        flip: Whether to mirror half of the training images.
    """

    padding: int = 2
    flip: bool = True

    @property
    def reader(self) -> WholeImage:
        return WholeImage(*self.sample_shape)

    @property
    def augment(self) -> FlipCrop:
        return FlipCrop(self.padding, self.flip)


@dataclass(frozen=True)
class PublishedPhotos(Published):
    """A set of colour images of many sizes: crops at random and mirrored in training, from the middle in testing.

    Args:
        size: Side of the crops in pixels.
    """

    size: int = 224
    prepare = Normalise((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # ImageNet's

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return 3, self.size, self.size

    @property
    def reader(self) -> CroppedImage:
        return CroppedImage(3, self.size)


@dataclass(frozen=True)
class PublishedSounds(Published):
    """A set of sounds of one rate, cut or padded with silence to one length.

    Args:
        form: "spectrogram" or "waveform".
    """

    form: str = "spectrogram"
    rate: ClassVar[int]
    samples: ClassVar[int]

    @property
    def reader(self) -> Sound:
        return Sound(self.rate, self.samples)

    @property
    def prepare(self) -> Callable[[Tensor], Tensor]:
        return sound_as(self.form, self.rate)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        silence = torch.zeros(1, *self.reader.shape, dtype=self.reader.dtype)
        return tuple(self.prepare(silence).shape[1:])


def usable_records(file: Path, x: Any, labels: Any, num_classes: int, bad_files: BadFiles) -> tuple[Tensor, Tensor]:
    """Return the records of a file whose label is that of a class; the others are bad.

    Args:
        file: The file, for messages.
        x: Samples as a NumPy array.
        labels: Their labels, a NumPy array of integers.
        num_classes: Classes there are.
        bad_files: Where the others are noted.
    """
    good = (labels >= 0) & (labels < num_classes)
    for record in np.flatnonzero(~good):
        bad_files.add(f"{file}, record {record}", f"label {labels[record]} where there are {num_classes} classes")
    return torch.from_numpy(x[good]), torch.from_numpy(labels[good].astype(np.int64))
