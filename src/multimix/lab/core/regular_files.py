"""Read regular files only: a pipe would be waited for, a device may have no end or do something when it is opened.

A folder from a stranger may hold either under the name of a picture, or a link to one.
"""

import errno
import os
import stat
from typing import BinaryIO

MAX_FILE_BYTES = 512 << 20  # of one sample or file that is read as a whole
KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file to read its bytes; links are followed.

    Raises:
        OSError: if it is something else, is not there, or may not be read.
    """
    check_regular(path)  # before opening: that alone starts some devices
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _check(os.fstat(descriptor).st_mode, path)  # again, as it may have been replaced meanwhile
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: str | os.PathLike[str], most_bytes: int = MAX_FILE_BYTES) -> bytes:
    """Read all bytes of a regular file.

    Raises:
        OSError: if it is something else, is larger, is not there, or may not be read.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most_bytes:
            raise OSError(errno.EFBIG, f"{size:,} bytes where at most {most_bytes:,} are read", str(path))
        return file.read(size)


def check_regular(path: str | os.PathLike[str]) -> None:
    """Refuse what is no regular file, for readers that open a path themselves.

    Raises:
        OSError: if it is something else, or is not there.
    """
    _check(os.stat(path).st_mode, path)


def _check(mode: int, path: str | os.PathLike[str]) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        kind = KINDS.get(stat.S_IFMT(mode), "something else")
        raise OSError(errno.EINVAL, f"no regular file but {kind}", str(path))
