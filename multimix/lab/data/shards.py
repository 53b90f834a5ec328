"""WebDataset shards: tar files in which the parts of a sample stand side by side, as KEY.jpg and KEY.cls.

The headers of all shards are read once, to note where each sample's bytes begin; from then on any sample can be read
without those before it. So shards are shuffled and resumed as files are, and not shard by shard.
"""

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from multimix.lab.data import audio, images
from multimix.lab.data.bad_files import BadFiles
from multimix.lab.data.generic import VALIDATION_NAMES, GenericOptions, assemble
from multimix.lab.data.making import Encoded
from multimix.lab.data.names import Names
from multimix.lab.data.opening import Opening
from multimix.lab.data.split import Data
from multimix.lab.errors import UsageError

LABEL_SUFFIX = ".cls"
END_OF_TAR = 1024  # bytes, all of them zero
MAX_CLASSES = 1_000_000  # a class number beyond is no class number
SPLITS = ("train", "test", *VALIDATION_NAMES)
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
        with self.shards[shard].open("rb") as file:
            file.seek(start)
            content: bytes = file.read(size)
            return content


@dataclass(frozen=True, kw_only=True)
class Shards(GenericOptions):
    """webdataset:PATH, a folder of uncompressed tar files; those called train…, test… or val… are such splits.

    Args:
        path: The folder.
    """

    path: str

    def load(self, opening: Opening) -> Data:
        """Reads the headers of all shards."""
        root = Path(self.path).expanduser()
        files = sorted(root.glob("*.tar")) if root.is_dir() else []
        if not files:
            raise UsageError(f"webdataset:PATH must name a folder with .tar files, got {self.path!r}; give another")
        by_split: dict[str, list[Path]] = {}
        for file in files:
            word = re.split(r"[^a-z]", file.name.lower())[0]
            by_split.setdefault(word if word in SPLITS else "all", []).append(file)
        if "train" not in by_split:
            by_split = {"all": files}
        found = {name: _index(tuple(shards), opening.bad_files) for name, shards in by_split.items()}
        labels = torch.cat([encoded.labels for encoded in found.values()])
        classes = [str(number) for number in range(int(labels.max()) + 1 if len(labels) else 0)]
        first = next((e for e in found.values() if len(e.labels)), None)
        is_sound = first is not None and Path(first.blobs.name(0)).suffix.lower() in audio.SUFFIXES
        return assemble(f"shards {root}", found, classes, is_sound, self, opening)


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
    """What a shard holds, by key: name, first byte and number of bytes of each sample, and each label."""

    content: dict[str, tuple[str, int, int]]
    labels: dict[str, int]

    def add(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Notes one file of the shard; a key ends where the first dot of a file's name is."""
        _, dot, suffix = member.name.rpartition("/")[2].partition(".")
        key, suffix = member.name.removesuffix(dot + suffix), f".{suffix.lower()}"
        if suffix == LABEL_SUFFIX:
            file = tar.extractfile(member)
            text = b"" if file is None else file.read(32).strip()
            if text.isdigit() and int(text) < MAX_CLASSES:
                self.labels[key] = int(text)
        elif suffix.endswith((*images.SUFFIXES, *audio.SUFFIXES)):
            self.content[key] = member.name, member.offset_data, member.size


def _samples(shard: Path, bad_files: BadFiles) -> Iterator[tuple[str, int, int, int]]:
    """Yields name, first byte, number of bytes and label of each sample of a shard."""
    parts = _Parts({}, {})
    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                if member.isfile():
                    parts.add(tar, member)
    except (tarfile.TarError, OSError) as error:
        bad_files.add(shard, f"broken tar file: {error}")
    size_of_shard = shard.stat().st_size
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
    with shard.open("rb") as file:
        file.seek(max(0, size - END_OF_TAR))
        return size >= END_OF_TAR and not any(file.read())
