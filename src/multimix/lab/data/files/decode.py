"""From encoded samples to tensors."""

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from multimix.lab.core.machine import cores
from multimix.lab.data.files.bad_files import UNUSABLE, BadFiles, why
from multimix.lab.data.files.blobs import Blobs, choose
from multimix.lab.data.files.cache import Bad, cache_file, read_cache, write_cache

NUM_MEASURED = 2000  # images from which the mean and standard deviation are measured
MAX_THREADS = 8
PORTION = 256  # samples per piece of work: a thread pool takes longer to hand one over than to decode a small image


class Reader(ABC):
    """Decodes samples of one shape.

    Attributes:
        dtype: Type of a decoded sample.
        is_random: Whether a generator changes what comes out.
    """

    dtype = torch.uint8
    is_random = False

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The shape of a decoded sample."""

    @abstractmethod
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
