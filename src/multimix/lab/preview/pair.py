"""Two files as a pair of samples that can be mixed."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from multimix.lab.config import PreviewSettings
from multimix.lab.errors import UsageError


@dataclass(frozen=True)
class Pair:
    """Two samples of one shape.

    Args:
        x: (2, channels, *spatial).
        kind: How it is shown: picture, spectrogram or lines.
        across: What lies along its last axis, and how much of it there is, for lines: the values at both ends.
        notes: What was done to make the two alike, and what else the user should know.
    """

    x: Tensor
    kind: str
    across: tuple[str, float] = ("", 0.0)
    notes: tuple[str, ...] = ()


def read_pair(settings: PreviewSettings) -> Pair:
    """Reads both files.

    Raises:
        UsageError: if one cannot be read, they are of different kinds, or a setting is for another kind.
    """
    from multimix.lab.preview import pictures, series, sounds

    first, second = Path(settings.file_a), Path(settings.file_b)
    kinds = dict.fromkeys(sounds.SUFFIXES, sounds.read) | dict.fromkeys(series.SUFFIXES, series.read)
    readers = [kinds.get(path.suffix.lower(), pictures.read) for path in (first, second)]
    if readers[0] is not readers[1]:
        raise UsageError(
            f"both files must be pictures, sounds or series, got {settings.file_a!r}, {settings.file_b!r}; give two of "
            "a kind"
        )
    if settings.form is not None and readers[0] is not sounds.read:
        raise UsageError(f"form is for sounds, got form={settings.form!r} for {settings.file_a!r}; leave it out")
    return readers[0](first, second, settings.form)


def why(path: Path, error: object) -> str:
    """Returns why a file cannot be read."""
    if not path.exists():
        return "there is no such file"
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return "it is a folder" if path.is_dir() else f"reading it failed: {reason}"
