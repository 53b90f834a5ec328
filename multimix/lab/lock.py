"""One run at a time in a folder."""

import errno
import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from multimix.lab.errors import RunFailed

NAME = ".lock"
UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)  # what file systems without locks say


@contextmanager
def locked(folder: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Makes a folder, and keeps others from running in it until the block ends or this process does.

    The lock is the kernel's and dies with its process, however that ends; the file itself means nothing and stays, as
    removing it would let two processes lock two files of one name.

    Args:
        folder: Of the run.
        tell: Told, in one line, if the file system knows no locks.

    Raises:
        RunFailed: if somebody else runs there, or nothing can be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / NAME).open("a")
    except OSError as error:
        raise RunFailed(
            f"a run must be able to write its folder, got {(error.strerror or str(error)).lower()} for {folder}; "
            f"make it writable, or choose another --out"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunFailed(
                f"only one run can write a folder, got {folder}, which another process is writing; wait until it "
                f"ends, end it, or choose another --out"
            ) from error
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise
            tell(f"{folder} cannot be locked ({(error.strerror or '').lower()}): let no other run write it")
        yield
