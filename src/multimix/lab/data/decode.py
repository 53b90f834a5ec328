"""From encoded samples to a split: decoded once and held where that is small, streamed where it is not."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from typing import TypeVar

import torch
from torch import Tensor

from multimix.lab.core.errors import UsageError
from multimix.lab.core.machine import cores
from multimix.lab.data import audio, images
from multimix.lab.data.augment import FlipCrop
from multimix.lab.data.bad_files import BadFiles, BadSample, why
from multimix.lab.data.blobs import Blobs, Chosen
from multimix.lab.data.cache import Bad, cache_file, read_cache, write_cache
from multimix.lab.data.held import HeldSplit
from multimix.lab.data.open_context import OpenContext
from multimix.lab.data.prepare import Normalise
from multimix.lab.data.split import Split
from multimix.lab.data.streamed import Decoding, Reader, StreamedSplit

HOLD_BYTES = 2 << 30  # Tiny-ImageNet, 1.2 GB, is held; Speech Commands, 3.4 GB, and ImageNet are not
NUM_MEASURED = 2000  # images from which the mean and standard deviation are measured
NUM_GLANCES = 200  # samples looked at to see what is usual in a folder
MAX_THREADS = 8
PORTION = 256  # samples per piece of work: a thread pool takes longer to hand one over than to decode a small image

Header = TypeVar("Header")


@dataclass(frozen=True)
class Encoded:
    """Encoded samples with what is known of them.

    Args:
        blobs: The samples.
        labels: Class of each, (N,) int64.
        boxes: Where the object is, (N, 4), as shares of width and height.
    """

    blobs: Blobs
    labels: Tensor
    boxes: Tensor | None = None

    def subset(self, indices: Tensor) -> "Encoded":
        """Returns the samples with these indices."""
        boxes = None if self.boxes is None else self.boxes[indices]
        return Encoded(Chosen(self.blobs, indices), self.labels[indices], boxes)


def make_split(
    encoded: Encoded,
    reader: Reader,
    prepare: Callable[[Tensor], Tensor],
    opening: OpenContext,
    augment: FlipCrop | None = None,
) -> Split:
    """Makes a split of encoded samples.

    Decoded here, bad files are told to `opening.bad_files`, to be settled by who asked; streamed, when they are met.
    """
    if reader.is_random or len(encoded.labels) * prod(reader.shape) * reader.dtype.itemsize > HOLD_BYTES:
        items = torch.arange(len(encoded.labels))
        decoding = Decoding(encoded.blobs, items, encoded.labels, reader, opening.bad_files.policy == "skip")
        return StreamedSplit(decoding, prepare, opening.bad_files, opening.num_workers, augment, encoded.boxes)
    x, good = decode(encoded.blobs, reader, opening.bad_files)
    boxes = None if encoded.boxes is None else encoded.boxes[good]
    return HeldSplit(x, encoded.labels[good], prepare, augment, boxes)


def decode(blobs: Blobs, reader: Reader, bad_files: BadFiles) -> tuple[Tensor, Tensor]:
    """Decodes all samples.

    Returns:
        The good ones, and their indices.
    """
    shape = (len(blobs), *reader.shape)
    file = cache_file(blobs, reader)
    kept = None if file is None else read_cache(file, shape, reader.dtype)
    x, bad = kept or _decoded(blobs, reader)
    if file is not None and kept is None:
        write_cache(file, x, bad)
    for index, reason in bad.items():
        bad_files.add(blobs.name(index), reason)
    good = torch.tensor([index for index in range(len(blobs)) if index not in bad], dtype=torch.int64)
    return (x if len(good) == len(x) else x[good]), good


def _decoded(blobs: Blobs, reader: Reader) -> tuple[Tensor, Bad]:
    """Returns all samples, and why which of them are bad."""
    x = torch.zeros(len(blobs), *reader.shape, dtype=reader.dtype)

    def decode_portion(start: int) -> list[tuple[int, str]]:
        bad = []
        for index in range(start, min(start + PORTION, len(blobs))):
            try:
                x[index] = reader(blobs.read(index))
            except BadSample as error:
                bad.append((index, str(error)))
            except OSError as error:
                bad.append((index, why(error)))
        return bad

    with ThreadPoolExecutor(min(cores(), MAX_THREADS)) as threads:
        bad = dict(pair for pairs in threads.map(decode_portion, range(0, len(blobs), PORTION)) for pair in pairs)
    return x, bad


def usual_image(blobs: Blobs, what: str, any_size: bool = False) -> images.WholeImage:
    """Returns a reader for images of the size, and grey or colour, that most of them have.

    Args:
        blobs: The encoded images.
        what: What to call them in messages.
        any_size: Whether their sizes may differ.

    Raises:
        UsageError: if no size is that of most.
    """
    counts: Counter[tuple[int, int, int]] = Counter(glances(blobs, images.header))
    if not counts:
        raise UsageError(f"{what} must hold images that can be read, got {len(blobs)} that cannot; give another folder")
    (channels, height, width), count = counts.most_common(1)[0]
    if any_size:
        colours = Counter(channels for channels, _, _ in counts.elements())
        return images.WholeImage(colours.most_common(1)[0][0], height, width)
    if count * 2 <= counts.total():
        sizes = ", ".join(f"{wide} × {high}" for _, high, wide in list(counts)[:3])
        raise UsageError(
            f"images of {what} must have one size unless they are to be cropped and scaled, got {sizes}, …; "
            f"pass --data-options.size, such as 224"
        )
    return images.WholeImage(channels, height, width)


def usual_rate(blobs: Blobs, what: str) -> int:
    """Returns the rate, in samples per second, that most sounds have.

    Raises:
        UsageError: if none can be read.
    """
    rates = Counter(rate for rate, _ in glances(blobs, audio.header))
    if not rates:
        raise UsageError(f"{what} must hold sounds that can be read, got {len(blobs)} that cannot; give another folder")
    return rates.most_common(1)[0][0]


def glances(blobs: Blobs, header: Callable[[bytes], Header]) -> Iterator[Header]:
    """Yields what the headers of some samples say, evenly spaced; those that cannot be read are left to decoding."""
    for index in range(0, len(blobs), max(1, len(blobs) // NUM_GLANCES)):
        try:
            yield header(blobs.read(index))
        except (BadSample, OSError):
            continue


def decode_some(blobs: Blobs, reader: Reader) -> Tensor:
    """Returns up to a few thousand decoded samples, evenly spaced, from which to measure; bad ones are left out."""
    step = max(1, len(blobs) // NUM_MEASURED)
    chosen = Chosen(blobs, torch.arange(0, len(blobs), step))
    return decode(chosen, reader, BadFiles("skip"))[0]


def statistics(x: Tensor, what: str) -> Normalise:
    """Returns the normalisation by the mean and standard deviation of (N, C, H, W) bytes, channel by channel.

    Args:
        x: The images.
        what: What to call them in messages.

    Raises:
        UsageError: if there are none.
    """
    if not len(x):
        raise UsageError(f"{what} must hold images that can be decoded, got none; give another folder")
    counts = torch.stack([channel.flatten().bincount(minlength=256) for channel in x.unbind(1)]).double()
    values = torch.arange(256, dtype=torch.float64) / 255
    share = counts / counts.sum(dim=1, keepdim=True)
    mean = share @ values
    std = (share @ values.square() - mean.square()).clamp(min=1e-4).sqrt()
    return Normalise(tuple(mean.tolist()), tuple(std.tolist()))


def check_not_empty(data: str, splits: Sequence[tuple[str, int]]) -> None:
    """Refuses a set with an empty split.

    Raises:
        UsageError: naming the split.
    """
    for name, count in splits:
        if count == 0:
            raise UsageError(f"{data} must have samples to {name}, got none that can be used; look at its folder")
