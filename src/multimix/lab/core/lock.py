"""One process at a time in a folder."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from multimix.lab.core.errors import RunFailed

NAME = ".lock"
UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)  # what file systems without locks say
UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def locked(folder: Path, log: Callable[[str], None]) -> Iterator[None]:
    """Make a folder, and keep others from writing it until the block ends or this process does.

    The lock is the kernel's and dies with its process, however that ends; the file itself means nothing and stays, as
    removing it would let two processes lock two files of one name.

    Args:
        folder: Of a run or a comparison.
        log: Called with one line if the file system knows no locks.

    Raises:
        RunFailed: if somebody else writes there, or nothing can be written.
    """
    lock = FileLock(folder / NAME, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise RunFailed(
            f"only one process can write a folder, got {folder}, which another one is writing; wait until it ends, "
            f"end it, or choose another folder"
        ) from error
    except OSError as error:
        if error.errno in UNSUPPORTED:
            log(f"{folder} cannot be locked ({(error.strerror or '').lower()}): let no other process write it")
        else:
            remedy = "make it writable, or choose" if error.errno in UNWRITABLE else "choose"
            raise RunFailed(
                f"a run must be able to write its folder, got {(error.strerror or str(error)).lower()} for {folder}; "
                f"{remedy} another folder"
            ) from error
    try:
        yield
    finally:
        lock.release()
