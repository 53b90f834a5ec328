"""JSON that may be truncated, damaged, foreign or hostile: read within limits, or refused with the reason."""

import json
import math
import os
import stat
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from multimix.lab.core.errors import Damaged

MOST_BYTES = 64 << 20  # a results file of a thousand runs is a hundredth of it
MOST_DEPTH = 32  # lists and objects in each other; ours go eight deep
LARGEST = 1 << 128  # of whole numbers, seeds among them: beyond, they cannot be computed with
KINDS = {dict: "object", list: "list"}

T = TypeVar("T", dict[str, Any], list[Any])


def read_json(path: Path, kind: type[T]) -> T:
    """Read a file of one JSON object or list.

    Args:
        path: The file; a link is refused, as it may lead to what nobody asked to be read.
        kind: `dict` or `list`.

    Raises:
        Damaged: if it is anything else, too large or too deep, or holds a number that is not finite.
        FileNotFoundError: if it is not there.
    """
    return parsed(read_text(path), kind)


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Read a file of one JSON object per line.

    Raises:
        Damaged: as `read_json`, with the number of the line.
        FileNotFoundError: if it is not there.
    """
    found = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        try:
            found.append(parsed(line, dict))
        except Damaged as error:
            raise Damaged(f"line {number}: {error}") from error
    return found


def read_text(path: Path, most_bytes: int = MOST_BYTES) -> str:
    """Read a small UTF-8 file; never waits for a pipe, never follows a link.

    Raises:
        Damaged: if it is no such file.
        FileNotFoundError: if it is not there.
    """
    if path.is_symlink():
        raise Damaged("it is a link")
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise Damaged("it is no file")
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise Damaged(f"it is larger than {most_bytes:,} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise Damaged(f"it is no UTF-8 ({error})") from error


def parsed(text: str, kind: type[T]) -> T:
    """Return the value of a text, if it is of the kind.

    Raises:
        Damaged: as `read_json`.
    """
    if not text.strip():
        raise Damaged("it is empty")
    try:
        value = json.loads(text, parse_constant=_no_number, parse_float=_finite, parse_int=_whole)
        is_deep = _depth(value) > MOST_DEPTH
    except RecursionError as error:
        raise Damaged("it is nested too deeply") from error
    except ValueError as error:
        raise error if isinstance(error, Damaged) else Damaged(f"it is no JSON ({error})") from error
    if not isinstance(value, kind):
        raise Damaged(f"it is no JSON {KINDS[kind]}")
    if is_deep:
        raise Damaged("it is nested too deeply")
    return value


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW)


def _no_number(constant: str) -> NoReturn:
    raise Damaged(f"it holds {constant}, which is no finite number")


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _no_number(f"{digits[:20]}")


def _whole(digits: str) -> int:
    if len(digits) > len(str(LARGEST)) or abs(int(digits)) > LARGEST:
        raise Damaged(f"it holds a whole number of {len(digits)} digits")
    return int(digits)


def _depth(value: object) -> int:
    """Return how many lists and objects lie in each other, inside this one."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max((1 + _depth(each) for each in inner if isinstance(each, dict | list)), default=0)
