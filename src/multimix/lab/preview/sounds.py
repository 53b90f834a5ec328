"""Two sound files as a pair, as a model would get them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from multimix.lab.core.errors import UsageError
from multimix.lab.core.regular_files import read_regular
from multimix.lab.data.files.audio import SUFFIXES, Sound, header
from multimix.lab.data.files.bad_files import BadSample
from multimix.lab.data.prepare import sound_as
from multimix.lab.preview.pair import Pair, why

__all__ = ["SUFFIXES", "read"]

MAX_SECONDS = 10.0  # more cannot be told apart in a picture as wide as a page


def read(first: Path, second: Path, form: str | None) -> Pair:
    """Read two sounds; the second is cut, or padded with silence, to the length of the first.

    Raises:
        UsageError: if one cannot be read, or their rates differ.
    """
    contents, headers, waves = [], [], []
    for path in (first, second):
        with _readable(path):
            contents.append(read_regular(path))
            headers.append(header(contents[-1]))
    (rate, length), (other_rate, other) = headers
    if rate != other_rate:
        raise UsageError(
            f"both sounds must have as many samples a second, got {rate} in {str(first)!r}, {other_rate} in "
            f"{str(second)!r}; convert one of them"
        )
    samples, notes = length, []
    if length > MAX_SECONDS * rate:
        samples = int(MAX_SECONDS * rate)
        notes.append(
            f"{first} was cut from {_seconds(length, rate)} to {_seconds(samples, rate)}, the most that is shown"
        )
    if other != samples:
        how = "cut" if other > samples else "padded with silence"
        notes.append(
            f"{second} was {how} from {_seconds(other, rate)} to {_seconds(samples, rate)}, as long as {first}"
        )
    window = round(rate / 50)
    if samples < window:
        raise UsageError(f"a sound must last a fiftieth of a second, got {_seconds(samples, rate)} in {str(first)!r}")
    for path, content in zip((first, second), contents, strict=True):
        with _readable(path):
            waves.append(Sound(rate, samples)(content))
    x = sound_as(form or "spectrogram", rate)(torch.stack(waves))
    if form == "waveform":
        return Pair(x, "lines", ("time, s", samples / rate), tuple(notes))
    across = (f"time to {_seconds(samples, rate)}, frequency up to {rate / 2000:g} kHz", samples / rate)
    return Pair(x, "spectrogram", across, tuple(notes))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say which file it was that could not be read."""
    try:
        yield
    except (OSError, BadSample) as error:
        raise UsageError(f"a sound must be a readable file, got {str(path)!r}; {why(path, error)}") from error


def _seconds(samples: int, rate: int) -> str:
    return f"{samples / rate:.2f} s"
