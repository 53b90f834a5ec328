"""Is a folder one that multimix may write into? Other files are neither written over nor removed."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from multimix.lab.core.atomic_files import is_unfinished
from multimix.lab.core.errors import UsageError
from multimix.lab.core.lock import NAME as LOCK
from multimix.lab.core.printable import printable

MOST_NAMED = 3
LOGS = (".log", ".out", ".err")  # a scheduler, or tee, begins them before a run; nothing here has such a name


def check_ours(folder: Path, mark: str, what: str, may_hold: Callable[[Path], bool] = lambda path: False) -> None:
    """Refuse a folder that is not empty and that multimix has not begun.

    Args:
        folder: That is to be written into; it need not be there.
        mark: The file that is written into it before any other.
        what: What the folder is to be of, for the message.
        may_hold: Which other things are ours too.

    Raises:
        UsageError: naming what was found.
    """
    if not folder.is_dir() or (folder / mark).exists():
        return
    foreign = sorted(
        printable(path.name)
        for path in folder.iterdir()
        if path.name != LOCK and path.suffix not in LOGS and not is_unfinished(path) and not may_hold(path)
    )
    if foreign:
        more = f" and {len(foreign) - MOST_NAMED} more" if len(foreign) > MOST_NAMED else ""
        raise UsageError(
            f"the folder of {what} must be new, empty or begun by multimix (then it holds {mark}), got {folder} with "
            f"{', '.join(foreign[:MOST_NAMED])}{more}; choose another --out, or move that away"
        )


def check_no_file(folder: Path, what: str) -> None:
    """Refuse a file in place of a folder.

    Raises:
        UsageError: if it is one.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"the folder of {what} must be a folder, got the file {folder}; choose another --out")


def check_writable(folder: Path, what: str) -> None:
    """Refuse, without writing anything, a place where a folder could not be made or written.

    Raises:
        UsageError: if it is one.
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise UsageError(f"the folder of {what} must be a folder, got the file {there}; choose another --out")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(
            f"the folder of {what} must be in a writable place, got {folder} in {there}; choose another --out"
        )


def check_no_links(folder: Path) -> None:
    """Refuse a folder that holds links: what is written or removed in it would be so elsewhere.

    Raises:
        UsageError: naming the first.
    """
    for path in sorted(folder.iterdir() if folder.is_dir() else ()):
        if path.is_symlink():
            raise UsageError(
                f"a run's folder must hold no links, got {printable(path.name)} in {folder}, which leads to "
                f"{path.resolve()}; put in its place what it leads to, or choose another --out"
            )


def subfolders(folder: Path) -> Iterator[Path]:
    """Yield the folders in a folder, by name; not those that are links and may lead anywhere."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield path
