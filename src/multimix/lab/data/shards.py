"""WebDataset shards: tar files in which the parts of a sample stand side by side, as KEY.jpg and KEY.cls.

The headers of all shards are read once, to note where each sample's bytes begin; from then on any sample can be read
without those before it. So shards are shuffled and resumed as files are, and not shard by shard.
"""

import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from multimix.lab.core.errors import UsageError
from multimix.lab.core.regular_files import MAX_FILE_BYTES, open_regular
from multimix.lab.data import audio, images
from multimix.lab.data.bad_files import BadFiles, why
from multimix.lab.data.decode import Encoded
from multimix.lab.data.generic import VALIDATION_NAMES, GenericOptions, assemble
from multimix.lab.data.names import Names
from multimix.lab.data.open_context import OpenContext
from multimix.lab.data.split import Data
from multimix.lab.data.tar_members import BadTar, tar_members

LABEL_SUFFIX = ".cls"
SUFFIXES = (LABEL_SUFFIX, *images.SUFFIXES, *audio.SUFFIXES)  # others may stand beside a sample and are not read
END_OF_TAR = 1024  # bytes, all of them zero
MAX_CLASSES = 1_000_000  # a class number beyond is no class number
SPLITS = ("train", "test", *VALIDATION_NAMES)
WHOLE = "all"  # what is not split
Places = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


@dataclass(frozen=True)
class ShardBlobs:
    """Samples within tar files.

    Args:
        shards: The tar files.
        names: Of the samples within them.
        places: Shard, first byte and number of bytes of each sample, (N, 3) int64.
    """

    shards: tuple[Path, ...]
    names: Names
    places: Places

    def __len__(self) -> int:
        return len(self.places)

    def name(self, index: int) -> str:
        """Returns the shard and the name within it."""
        return f"{self.shards[self.places[index, 0]]}, {self.names[index]}"

    def read(self, index: int) -> bytes:
        """Returns a sample's bytes."""
        shard, start, size = self.places[index].tolist()
        with open_regular(self.shards[shard]) as file:
            file.seek(start)
            content: bytes = file.read(size)
            return content


@dataclass(frozen=True, kw_only=True)
class Shards(GenericOptions):
    """webdataset:PATH, a folder of uncompressed tar files; the word train, test or val in their names is their split.

    Args:
        path: The folder.
    """

    path: str

    def load(self, opening: OpenContext) -> Data:
        """Reads the headers of all shards."""
        root = Path(self.path).expanduser()
        files = sorted(root.glob("*.tar")) if root.is_dir() else []
        if not files:
            raise UsageError(f"webdataset:PATH must name a folder with .tar files, got {self.path!r}; give another")
        by_split: dict[str, list[Path]] = {}
        for file in files:
            by_split.setdefault(_split_of(file), []).append(file)
        if WHOLE in by_split and len(by_split) > 1:
            raise UsageError(
                f"either all shards or none must be called by their split, train, test or val, got "
                f"{by_split[WHOLE][0].name} in {root}; rename it"
            )
        found = {name: _index(tuple(shards), opening.bad_files) for name, shards in by_split.items()}
        to_train = found.get("train", next(iter(found.values())))
        num_classes = int(to_train.labels.max()) + 1 if len(to_train.labels) else 0
        found = {name: _known(encoded, num_classes, opening.bad_files) for name, encoded in found.items()}
        is_sound = len(to_train.labels) > 0 and Path(to_train.blobs.name(0)).suffix.lower() in audio.SUFFIXES
        classes = [str(number) for number in range(num_classes)]
        return assemble(f"shards {root}", found, classes, is_sound, self, opening)


def _split_of(shard: Path) -> str:
    """Returns the first word of a shard's name that is a split's name, as in imagenet-train-0001.tar."""
    return next((word for word in re.split(r"[^a-z]+", shard.name.lower()) if word in SPLITS), WHOLE)


def _known(encoded: Encoded, num_classes: int, bad_files: BadFiles) -> Encoded:
    """Returns the samples whose class there is in the training split."""
    known = encoded.labels < num_classes
    for index in (~known).nonzero().flatten().tolist():
        label = int(encoded.labels[index])
        bad_files.add(encoded.blobs.name(index), f"class {label} where training has none above {num_classes - 1}")
    return encoded if bool(known.all()) else encoded.subset(known.nonzero().flatten())


def _index(shards: tuple[Path, ...], bad_files: BadFiles) -> Encoded:
    names: list[str] = []
    places: list[tuple[int, int, int]] = []
    labels: list[int] = []
    for number, shard in enumerate(shards):
        for name, start, size, label in _samples(shard, bad_files):
            names.append(name)
            places.append((number, start, size))
            labels.append(label)
    blobs = ShardBlobs(shards, Names(names), np.array(places, dtype=np.int64).reshape(-1, 3))
    return Encoded(blobs, torch.tensor(labels, dtype=torch.int64))


@dataclass
class _Parts:
    """What a shard holds, by key: name, first byte and number of bytes of each sample, and each label.

    `unusable` says of other files why they are not used.
    """

    content: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    unusable: dict[str, str] = field(default_factory=dict)

    def add(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Notes one file of the shard; a key ends where the first dot of a file's name is."""
        _, dot, suffix = member.name.rpartition("/")[2].partition(".")
        key, suffix = member.name.removesuffix(dot + suffix), f".{suffix.lower()}"
        if suffix not in SUFFIXES or member.isdir():
            return
        if not member.isfile() or member.issparse():
            self.unusable[member.name] = "no regular file but a link, a device or one with holes"
        elif key in (self.labels if suffix == LABEL_SUFFIX else self.content):
            self.unusable[member.name] = "a second one of the same sample"
        elif member.size > MAX_FILE_BYTES:
            self.unusable[member.name] = f"{member.size:,} bytes where at most {MAX_FILE_BYTES:,} are read"
        elif suffix == LABEL_SUFFIX:
            file = tar.extractfile(member)
            text = b"" if file is None else file.read(32).strip()
            if text.isdigit() and int(text) < MAX_CLASSES:
                self.labels[key] = int(text)
        else:
            self.content[key] = member.name, member.offset_data, member.size


def _samples(shard: Path, bad_files: BadFiles) -> Iterator[tuple[str, int, int, int]]:
    """Yields name, first byte, number of bytes and label of each sample of a shard."""
    parts = _Parts()
    try:
        with open_regular(shard) as file:
            size_of_shard = os.fstat(file.fileno()).st_size
            for tar, member in tar_members(file):
                parts.add(tar, member)
    except BadTar as error:
        bad_files.add(shard, f"broken tar file: {error}")
    except OSError as error:
        bad_files.add(shard, why(error))
        return
    for name, reason in parts.unusable.items():
        bad_files.add(f"{shard}, {name}", reason)
    for key in parts.labels.keys() - parts.content.keys():
        bad_files.add(f"{shard}, {key}{LABEL_SUFFIX}", "no image or sound beside it")
    if not _ends_well(shard, size_of_shard):
        bad_files.add(shard, "it does not end as a tar file does: truncated")
    for key, (name, start, size) in parts.content.items():
        if key not in parts.labels:
            bad_files.add(f"{shard}, {name}", f"no {LABEL_SUFFIX} with a class number beside it")
        elif start + size > size_of_shard:
            bad_files.add(f"{shard}, {name}", "truncated")
        else:
            yield name, start, size, parts.labels[key]


def _ends_well(shard: Path, size: int) -> bool:
    with open_regular(shard) as file:
        file.seek(max(0, size - END_OF_TAR))
        return size >= END_OF_TAR and not any(file.read())
