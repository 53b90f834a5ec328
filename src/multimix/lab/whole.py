"""Files written whole or not at all."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

UNFINISHED = ".part"  # how the names of files end while they are written


def write_whole(path: Path, content: bytes | str) -> None:
    """Writes a file so that a reader, now or after a crash, sees the old content or all of the new.

    Returns when it is on the disk under its name, so of two files the second never outlasts the first.

    Raises:
        OSError: naming the file, if it cannot be written; the old content is still there.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)  # mkstemp makes files for one's own eyes only
            os.replace(temporary, path)
            sync_folder(path.parent)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:  # a full disk does not say which file it was
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def write_json(path: Path, value: Any) -> None:
    """Writes a value as readable JSON, whole or not at all."""
    write_whole(path, json.dumps(value, indent=2) + "\n")


def sweep(folder: Path) -> None:
    """Removes what a write that was killed has left."""
    for unfinished in folder.glob(f".*{UNFINISHED}"):
        unfinished.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Returns when the names in a folder are on the disk too: until then a power cut may take a new file back."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
