"""Two files as a pair of samples that can be mixed."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor


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


def why(path: Path, error: object) -> str:
    """Return why a file cannot be read."""
    if not path.exists():
        return "there is no such file"
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return "it is a folder" if path.is_dir() else f"reading it failed: {reason}"
