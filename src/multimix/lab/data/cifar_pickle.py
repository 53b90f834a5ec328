"""CIFAR's published Python layout, read without running anything that a pickle asks for.

A pickle is a program. The published files use three functions of NumPy; here their names stand for inert records of
what they were called with, from which an array of bytes is made by hand. Any other name is refused.
"""

import io
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np

from multimix.lab.core.regular_files import read_regular

PUTS = ("PUT", "BINPUT", "LONG_BINPUT")  # these name the place


class BadBatch(ValueError):
    """A file is not what was published; the message says why."""


class _Dtype:
    """Stands for a NumPy data type."""

    def __init__(self, kind: Any, *rest: Any) -> None:
        self.kind = kind

    def __setstate__(self, state: Any) -> None:
        """Byte order and the like mean nothing for bytes."""


class _Array:
    """Stands for a NumPy array."""

    state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _reconstruct(*arguments: Any) -> _Array:
    return _Array()


class _Admitted(pickle.Unpickler):
    """Knows three names, each of them harmless."""

    def find_class(self, module: str, name: str) -> Any:
        """Returns what stands for a name.

        Raises:
            BadBatch: for any other name.
        """
        known = {
            ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
            ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
            ("numpy", "ndarray"): _Array,
            ("numpy", "dtype"): _Dtype,
        }
        if (module, name) not in known:
            raise BadBatch(f"no CIFAR file: it asks for {module}.{name}, which the published one does not")
        return known[module, name]


def read_pickle(file: Path) -> dict[bytes, Any]:
    """Reads a file of the published Python layout: a dictionary of lists, strings and arrays of bytes.

    Raises:
        BadBatch: if it is anything else.
        OSError: if there is no such file.
    """
    pickled = read_regular(file)
    try:
        _check_memo(pickled)
        content = _Admitted(io.BytesIO(pickled), encoding="bytes").load()
    except BadBatch:
        raise
    except Exception as error:  # a broken pickle can raise nearly anything
        raise BadBatch(f"broken pickle: {error}") from error
    if not isinstance(content, dict):
        raise BadBatch(f"no CIFAR file: it holds a {type(content).__name__} where a dictionary was published")
    return {key: _bytes(value) if isinstance(value, _Array) else value for key, value in content.items()}


def _check_memo(pickled: bytes) -> None:
    """Refuse a pickle that stores objects at places no pickle needs: Python makes room for all places before one."""
    for number, (opcode, argument, _) in enumerate(pickletools.genops(pickled), start=1):
        if opcode.name in PUTS and int(argument or 0) > number:
            raise BadBatch(f"no CIFAR file: it asks for {argument:,} places in memory")


def _bytes(array: _Array) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Makes the array that a record stands for."""
    try:
        _, shape, dtype, fortran, content = array.state
        if dtype.kind not in (b"u1", "u1") or fortran or not isinstance(content, bytes):
            raise BadBatch("no CIFAR file: it holds an array that is not of bytes, row by row")
        return np.frombuffer(content, dtype=np.uint8).reshape(shape)
    except (TypeError, ValueError, AttributeError) as error:
        raise BadBatch(f"no CIFAR file: it holds a broken array ({error})") from error
