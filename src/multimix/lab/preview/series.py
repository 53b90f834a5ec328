"""Two files of numbers as a pair of series."""

import io
from pathlib import Path

import numpy as np
import torch

from multimix.lab.core.errors import UsageError
from multimix.lab.core.regular_files import read_regular
from multimix.lab.preview.pair import Pair, why

SUFFIXES = (".csv", ".npy")
MAX_BYTES = 64 << 20
MAX_CHANNELS = 8  # more lines cannot be told apart in one panel


def read(first: Path, second: Path, form: str | None) -> Pair:
    """Read two series; the second is cut, or padded with its last values, to the length of the first.

    A .csv has a row for each moment, a column for each channel, and may have a head; a .npy is (L,) or (channels, L).

    Raises:
        UsageError: if one cannot be read, or is no series, or they have different numbers of channels.
    """
    a, b = _read(first), _read(second)
    if len(a) != len(b):
        raise UsageError(
            f"both series must have as many channels, got {len(a)} in {str(first)!r}, {len(b)} in {str(second)!r}; "
            "drop some"
        )
    notes = []
    length, other = a.shape[1], b.shape[1]
    if other != length:
        how = "cut" if other > length else "padded with its last values"
        notes.append(f"{second} was {how} from {other:,} to {length:,} moments, as long as {first}")
        b = np.pad(b[:, :length], ((0, 0), (0, max(0, length - other))), mode="edge")
    x = torch.from_numpy(np.stack([a, b]).astype(np.float32))
    return Pair(x, "lines", ("moment", float(length)), tuple(notes))


def _read(path: Path) -> np.ndarray:
    """Return (channels, moments)."""
    try:
        content = read_regular(path, MAX_BYTES)
        values = _read_array(content) if path.suffix.lower() == ".npy" else _read_table(content)
    except (OSError, ValueError) as error:
        raise UsageError(f"a series must be a readable file, got {str(path)!r}; {why(path, error)}") from error
    if not np.issubdtype(values.dtype, np.number) or np.iscomplexobj(values):
        raise UsageError(f"a series must be made of real numbers, got {values.dtype} in {str(path)!r}; convert it")
    values = np.atleast_2d(values)
    if values.ndim != 2 or not 1 <= len(values) <= MAX_CHANNELS or values.shape[1] < 2:
        raise UsageError(
            f"a series must have 1 to {MAX_CHANNELS} channels and at least 2 moments, got shape {values.shape} in "
            f"{str(path)!r}; give (L,) or (channels, L) in a .npy, a row per moment in a .csv"
        )
    if not np.isfinite(values).all():
        raise UsageError(f"a series must be finite, got nan or inf in {str(path)!r}; fill the gaps")
    return values


def _read_array(content: bytes) -> np.ndarray:
    """Return the array of a .npy; without making room for what its header claims and the file does not hold."""
    try:
        return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except MemoryError as error:
        raise ValueError("its header claims more than there is memory") from error


def _read_table(content: bytes) -> np.ndarray:
    """Return the columns of a .csv; a single row is a series of one channel."""
    lines = content.decode("utf-8-sig").splitlines()
    table = np.loadtxt(lines[_is_head(lines) :], delimiter=",", ndmin=2)
    return table if len(table) == 1 else table.T


def _is_head(lines: list[str]) -> bool:
    if not lines:
        raise ValueError("it is empty")
    try:
        [float(cell) for cell in lines[0].split(",")]
    except ValueError:
        return True
    return False
