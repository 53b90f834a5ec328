"""From encoded samples to tensors, and a look at a few samples to see what is usual among them."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from multimix.lab.core.errors import UsageError
from multimix.lab.core.machine import cores
from multimix.lab.data.files import audio, images
from multimix.lab.data.files.bad_files import UNUSABLE, BadFiles, why
from multimix.lab.data.files.blobs import Blobs, choose
from multimix.lab.data.files.cache import Bad, cache_file, read_cache, write_cache

NUM_MEASURED = 2000  # images from which the mean and standard deviation are measured
NUM_GLANCES = 200  # samples looked at to see what is usual in a folder
MAX_THREADS = 8
PORTION = 256  # samples per piece of work: a thread pool takes longer to hand one over than to decode a small image

Header = TypeVar("Header")


class Reader(Protocol):
    """Decodes a sample; `is_random` says whether a generator changes what comes out."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a decoded sample."""

    @property
    def dtype(self) -> torch.dtype:
        """Its type."""

    @property
    def is_random(self) -> bool:
        """Whether what comes out depends on the generator."""

    def __call__(self, content: bytes, rng: np.random.Generator | None = None) -> Tensor:
        """Decode a sample, at random if there is a generator.

        Raises:
            BadSample: if that cannot be done.
        """


def decode(blobs: Blobs, reader: Reader, bad_files: BadFiles) -> tuple[Tensor, Tensor]:
    """Decode all samples, or take them from the cache.

    Returns:
        The good ones, and their indices.
    """
    file = cache_file(blobs, reader)
    kept = None if file is None else read_cache(file, (len(blobs), *reader.shape), reader.dtype)
    x, bad = kept or _decoded(blobs, reader)
    if file is not None and kept is None:
        write_cache(file, x, bad)
    for index, reason in bad.items():
        bad_files.add(blobs.name(index), reason)
    good = torch.tensor([index for index in range(len(blobs)) if index not in bad], dtype=torch.int64)
    return (x[good] if bad else x), good


def _decoded(blobs: Blobs, reader: Reader) -> tuple[Tensor, Bad]:
    """Return all samples, and why which of them are bad."""
    x = torch.zeros(len(blobs), *reader.shape, dtype=reader.dtype)

    def decode_portion(start: int) -> Bad:
        bad = {}
        for index in range(start, min(start + PORTION, len(blobs))):
            try:
                x[index] = reader(blobs.read(index))
            except UNUSABLE as error:
                bad[index] = why(error)
        return bad

    with ThreadPoolExecutor(min(cores(), MAX_THREADS)) as threads:
        portions = threads.map(decode_portion, range(0, len(blobs), PORTION))
        return x, {index: reason for bad in portions for index, reason in bad.items()}


def decode_some(blobs: Blobs, reader: Reader) -> Tensor:
    """Return up to a few thousand decoded samples, evenly spaced, from which to measure; bad ones are left out."""
    step = max(1, len(blobs) // NUM_MEASURED)
    return decode(choose(blobs, torch.arange(0, len(blobs), step)), reader, BadFiles("skip"))[0]


def usual_image(blobs: Blobs, what: str, any_size: bool = False) -> images.WholeImage:
    """Return a reader for images of the size, and grey or colour, that most of them have.

    Args:
        blobs: The encoded images.
        what: What to call them in messages.
        any_size: Whether their sizes may differ.

    Raises:
        UsageError: if no size is that of most.
    """
    counts = _glances(blobs, images.header, f"{what} must hold images")
    (channels, height, width), count = counts.most_common(1)[0]
    if any_size:
        channels = Counter(channels for channels, _, _ in counts.elements()).most_common(1)[0][0]
    elif count * 2 <= counts.total():
        sizes = ", ".join(f"{wide} × {high}" for _, high, wide in list(counts)[:3])
        raise UsageError(
            f"images of {what} must have one size unless they are to be cropped and scaled, got {sizes}, …; "
            f"pass --data-options.size, such as 224"
        )
    return images.WholeImage(channels, height, width)


def usual_rate(blobs: Blobs, what: str) -> int:
    """Return the rate, in samples per second, that most sounds have.

    Raises:
        UsageError: if none can be read.
    """
    return _glances(blobs, lambda content: audio.header(content)[0], f"{what} must hold sounds").most_common(1)[0][0]


def _glances(blobs: Blobs, header: Callable[[bytes], Header], rule: str) -> Counter[Header]:
    """Count what the headers of some samples say, evenly spaced; bad ones are left to decoding."""

    def headers() -> Iterator[Header]:
        for index in range(0, len(blobs), max(1, len(blobs) // NUM_GLANCES)):
            try:
                yield header(blobs.read(index))
            except UNUSABLE:
                continue

    counts = Counter(headers())
    if not counts:
        raise UsageError(f"{rule} that can be read, got {len(blobs)} that cannot; give another folder")
    return counts
