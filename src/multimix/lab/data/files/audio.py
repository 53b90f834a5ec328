"""From an encoded sound to 16-bit samples in (1, samples)."""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from multimix.lab.data.files.bad_files import BadSample, decoding
from multimix.lab.data.files.decode import Reader

if TYPE_CHECKING:
    import soundfile

Samples = np.ndarray[tuple[int, ...], np.dtype[np.int16]]
SUFFIXES = (".wav", ".flac", ".ogg")
# Programs that write sound while it is recorded, and do not know its length, declare a size near the largest.
UNKNOWN_SIZE = 0x7FFF0000
MIN_RATE, MAX_RATE = 100, 768_000  # samples a second
MAX_SAMPLES = 1 << 27  # of one sound, all channels together: 46 minutes of one channel at 48 kHz
FLOATS = ("FLOAT", "DOUBLE")  # kinds of samples that are numbers in [-1, 1]
LARGEST = 32767  # of 16 bits
BLOCK = 1 << 16  # samples that are looked at together


@dataclass(frozen=True)
class Sound(Reader):
    """Decodes sounds of one rate, cut or padded with silence at the end to one length; channels are averaged.

    Args:
        rate: Samples per second.
        samples: Samples that come out.
    """

    rate: int
    samples: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a sample."""
        return 1, self.samples

    dtype = torch.int16

    def __call__(self, content: bytes, rng: np.random.Generator | None = None) -> Tensor:
        """Decode a sound.

        Raises:
            BadSample: if it is no sound, empty, truncated, or of another rate.
        """
        import soundfile

        rate, samples = header(content)
        if rate != self.rate:
            raise BadSample(f"{rate:,} samples a second where {self.rate:,} are usual")
        with decoding("broken sound: {}".format), soundfile.SoundFile(io.BytesIO(content)) as file:
            is_float, most = file.subtype in FLOATS, self.samples
            sound: Samples = _floats(file, most) if is_float else file.read(most, dtype="int16", always_2d=True)
        if len(sound) < min(samples, self.samples):
            raise BadSample(f"truncated: it ends after {len(sound):,} of {samples:,} samples")
        mono = sound[:, 0] if sound.shape[1] == 1 else sound.mean(axis=1).round().astype(np.int16)
        out = np.zeros(self.samples, dtype=np.int16)
        out[: len(mono)] = mono
        return torch.from_numpy(out)[None]


def header(content: bytes) -> tuple[int, int]:
    """Return (samples per second, samples) without decoding.

    Raises:
        BadSample: if it is no sound, empty, truncated, or more than fits.
    """
    import soundfile

    if not content:
        raise BadSample("empty file")
    with decoding(lambda error: "no sound"):
        info = soundfile.info(io.BytesIO(content))
    if info.frames == 0:
        raise BadSample("a sound of length 0")
    if not MIN_RATE <= info.samplerate <= MAX_RATE:
        raise BadSample(f"{info.samplerate:,} samples a second where {MIN_RATE} to {MAX_RATE:,} are read")
    if info.frames * info.channels > MAX_SAMPLES:
        raise BadSample(f"{info.frames:,} samples in {info.channels:,} channels, more than {MAX_SAMPLES:,} in all")
    if missing := _missing_bytes(content):
        raise BadSample(f"truncated: {missing:,} bytes are missing")
    return info.samplerate, info.frames


def _floats(file: "soundfile.SoundFile", most: int) -> Samples:
    """Return the first samples of a file of floats as 16 bits; libsndfile would round them to -1, 0 and 1."""
    blocks = []
    for block in file.blocks(BLOCK, frames=min(most, file.frames), dtype="float64", always_2d=True):
        if not np.isfinite(block).all():
            raise BadSample("nan or inf among its samples")
        blocks.append((block.clip(-1, 1) * LARGEST).round().astype(np.int16))
    return np.concatenate(blocks)


def _missing_bytes(content: bytes) -> int:
    """Return how many bytes fewer a wav file holds than it says; decoders do not report that."""
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        return 0
    place = 12
    while place + 8 <= len(content):
        kind, size = content[place : place + 4], int.from_bytes(content[place + 4 : place + 8], "little")
        if kind == b"data":
            return 0 if size >= UNKNOWN_SIZE else max(0, place + 8 + size - len(content))
        place += 8 + size + size % 2
    return 0
