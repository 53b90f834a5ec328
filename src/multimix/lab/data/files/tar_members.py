"""The members of a tar file from an unknown source: no header is trusted."""

import tarfile
from collections.abc import Iterator
from typing import BinaryIO, Self

MAX_HEADER_BYTES = 64 << 10  # of a header that stands before a member, such as a long name: tarfile reads it whole


class BadTar(ValueError):
    """A tar file is broken; the message says in what way."""


BEFORE_OTHERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)


class _Checked(tarfile.TarInfo):
    """A header whose size is checked before tarfile uses it: with a negative one, tarfile would loop without end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Parse a header and check its size."""
        header = super().frombuf(buf, encoding, errors)
        _check_size(header, MAX_HEADER_BYTES if header.type in BEFORE_OTHERS else None)
        return header


def tar_members(file: BinaryIO) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Yield all members of an uncompressed tar file, each with the file to read it from.

    Raises:
        BadTar: if a header is none, or claims a size that cannot be.
        OSError: if the file cannot be read.
    """
    try:
        with tarfile.open(fileobj=file, mode="r:", tarinfo=_Checked) as tar:
            for member in tar:
                _check_size(member)  # again, as a header before it may give another
                yield tar, member
    except (BadTar, OSError):
        raise
    except Exception as error:  # of wild numbers and deep nesting, tarfile raises nearly anything
        raise BadTar(str(error) or type(error).__name__) from error


def _check_size(header: tarfile.TarInfo, most: int | None = None) -> None:
    if header.size < 0 or (most is not None and header.size > most):
        raise BadTar(f"{header.name} claims {header.size:,} bytes")
