"""Files written whole or not at all."""

import json
import os
import secrets
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

UNFINISHED = ".multimix-{}.part"  # what files are called while they are written; nobody else calls them so


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a file so that a reader, now or after a crash, sees the old content or all of the new.

    Returns when it is on the disk under its name, so of two files the second never outlasts the first.

    Raises:
        OSError: naming the file, if it cannot be written; the old content is still there.
    """
    # Names of files may be no UTF-8; a text shows what they are rather than not be written.
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    try:
        temporary = path.parent / UNFINISHED.format(secrets.token_hex(8))
        try:
            with open(temporary, "xb") as file:  # with the rights that the user's umask leaves
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            sync_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:  # a full disk does not say which file it was
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def write_json(path: Path, value: Any) -> None:
    """Write a value as readable JSON, whole or not at all."""
    write_atomic(path, json.dumps(value, indent=2) + "\n")


def sweep(folder: Path) -> None:
    """Remove what a write that was killed has left."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if is_unfinished(path):
            path.unlink(missing_ok=True)


def is_unfinished(path: Path) -> bool:
    """Whether a file is what a write that was killed has left."""
    return fnmatchcase(path.name, UNFINISHED.format("*")) and path.is_file() and not path.is_symlink()


def sync_folder(folder: Path) -> None:
    """Return when the names in a folder are on the disk too: until then a power cut may take a new file back."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
