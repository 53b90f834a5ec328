"""Samples within tar files, in which the parts of a sample stand side by side, as KEY.jpg and KEY.cls.

The headers of all shards are read once, to note where each sample's bytes begin; from then on any sample can be read
without those before it. So shards are shuffled and resumed as files are, and not shard by shard.
"""

import os
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
import torch

from multimix.lab.core.regular_files import MAX_FILE_BYTES, open_regular
from multimix.lab.data.files import audio, images
from multimix.lab.data.files.bad_files import BadFiles, why
from multimix.lab.data.files.blobs import Encoded, Names

MAX_HEADER_BYTES = 64 << 10  # of a header that stands before a member, such as a long name: tarfile reads it whole
BEFORE_OTHERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
LABEL_SUFFIX = ".cls"
SUFFIXES = (LABEL_SUFFIX, *images.SUFFIXES, *audio.SUFFIXES)  # others may stand beside a sample and are not read
END_OF_TAR = 1024  # bytes, all of them zero
MAX_CLASSES = 1_000_000  # a class number beyond is no class number
Places = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


class BadTar(ValueError):
    """A tar file is broken; the message says in what way."""


class _Checked(tarfile.TarInfo):
    """A header whose size is checked before tarfile uses it: with a negative one, tarfile would loop without end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Parse a header and check its size."""
        header = super().frombuf(buf, encoding, errors)
        _check_size(header, MAX_HEADER_BYTES if header.type in BEFORE_OTHERS else None)
        return header


def tar_members(file: BinaryIO) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Yield all members of an uncompressed tar file, each with the file to read it from.

    Raises:
        BadTar: if a header is none, or claims a size that cannot be.
        OSError: if the file cannot be read.
    """
    try:
        with tarfile.open(fileobj=file, mode="r:", tarinfo=_Checked) as tar:
            for member in tar:
                _check_size(member)  # again, as a header before it may give another
                yield tar, member
    except (BadTar, OSError):
        raise
    except Exception as error:  # of wild numbers and deep nesting, tarfile raises nearly anything
        raise BadTar(str(error) or type(error).__name__) from error


def _check_size(header: tarfile.TarInfo, most: int | None = None) -> None:
    if header.size < 0 or (most is not None and header.size > most):
        raise BadTar(f"{header.name} claims {header.size:,} bytes")


@dataclass(frozen=True)
class ShardBlobs:
    """Samples within tar files.

    Args:
        shards: The tar files.
        names: Of the samples within them.
        places: Shard, first byte and number of bytes of each sample, (N, 3) int64.
    """

    shards: Sequence[Path]
    names: Names
    places: Places

    def __len__(self) -> int:
        return len(self.places)

    def name(self, index: int) -> str:
        """Return the shard and the name within it."""
        return f"{self.shards[self.places[index, 0]]}, {self.names[index]}"

    def read(self, index: int) -> bytes:
        """Return a sample's bytes."""
        shard, start, size = self.places[index].tolist()
        with open_regular(self.shards[shard]) as file:
            file.seek(start)
            return file.read(size)


def list_shards(shards: Sequence[Path], bad_files: BadFiles) -> Encoded:
    """List the samples of tar files."""
    found = [(number, *sample) for number, shard in enumerate(shards) for sample in _samples(shard, bad_files)]
    places = np.array([(number, start, size) for number, _, start, size, _ in found], dtype=np.int64).reshape(-1, 3)
    labels = torch.tensor([label for *_, label in found], dtype=torch.int64)
    return Encoded(ShardBlobs(shards, Names(name for _, name, *_ in found), places), labels)


@dataclass
class _Parts:
    """What a shard holds, by key: name, first byte and number of bytes of each sample, and each label.

    `unusable` says of other files why they are not used.
    """

    content: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    unusable: dict[str, str] = field(default_factory=dict)

    def add(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Note one file of the shard; a key ends where the first dot of a file's name is."""
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
    """Yield name, first byte, number of bytes and label of each sample of a shard."""
    parts = _Parts()
    try:
        with open_regular(shard) as file:
            size_of_shard = os.fstat(file.fileno()).st_size
            file.seek(max(0, size_of_shard - END_OF_TAR))
            is_whole = size_of_shard >= END_OF_TAR and not any(file.read(END_OF_TAR))
            file.seek(0)
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
    if not is_whole:
        bad_files.add(shard, "it does not end as a tar file does: truncated")
    for key, (name, start, size) in parts.content.items():
        if key not in parts.labels:
            bad_files.add(f"{shard}, {name}", f"no {LABEL_SUFFIX} with a class number beside it")
        elif start + size > size_of_shard:
            bad_files.add(f"{shard}, {name}", "truncated")
        else:
            yield name, start, size, parts.labels[key]
