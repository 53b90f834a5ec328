"""What happens to a file that cannot be used: named, counted, and refused or skipped as the user chose."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from multimix.lab.core.checks import check_name
from multimix.lab.core.errors import RunFailed, UsageError
from multimix.lab.core.printable import printable
from multimix.lab.core.regular_files import read_regular
from multimix.lab.core.warnings import warn

POLICIES = ("refuse", "skip")
NUM_NAMED = 5
MAX_TEXT_BYTES = 64 << 20  # of a list or table; as lines and words in memory it takes some thirty times as much


class BadSample(ValueError):
    """A sample or file cannot be decoded; the message says why."""


UNUSABLE = (BadSample, OSError)  # what reading and decoding a sample may raise


def why(error: Exception) -> str:
    """Return why a file cannot be used, in a few words."""
    return "missing" if isinstance(error, FileNotFoundError) else getattr(error, "strerror", None) or str(error)


@contextmanager
def decoding(reason: Callable[[Exception], str]) -> Iterator[None]:
    """Turn any exception of a decoder into BadSample: on damaged files, decoders raise nearly anything.

    Args:
        reason: Makes the message of the exception.
    """
    try:
        yield
    except BadSample:
        raise
    except Exception as error:
        raise BadSample(reason(error)) from error


@dataclass(frozen=True)
class BadFile:
    """A file, or a record within one, that cannot be used.

    Args:
        name: Which one.
        reason: Why not.
    """

    name: str
    reason: str

    def __str__(self) -> str:
        return printable(f"{self.name} ({self.reason})")


class BadFiles:
    """The files that could not be used so far.

    Args:
        policy: "refuse" or "skip".
    """

    def __init__(self, policy: str = "refuse") -> None:
        check_name("on_bad_file", policy, POLICIES)
        self.policy = policy
        self._found: dict[str, BadFile] = {}

    @property
    def found(self) -> tuple[BadFile, ...]:
        """All of them, in the order in which they were found."""
        return tuple(self._found.values())

    def add(self, name: object, reason: str) -> None:
        """Note a file that cannot be used."""
        self._found.setdefault(str(name), BadFile(str(name), reason))

    def text_of(self, file: Path) -> str:
        """Return the text of a list or table that comes with a data set; if it is bad, note that and return nothing."""
        try:
            return read_regular(file, MAX_TEXT_BYTES).decode()
        except (OSError, UnicodeDecodeError) as error:
            self.add(file, "no text" if isinstance(error, UnicodeDecodeError) else why(error))
            return ""

    def lines_of(self, file: Path) -> Iterator[tuple[str, str]]:
        """Yield the lines of such a text that are not blank, each after the name to call it in messages."""
        for number, line in enumerate(self.text_of(file).splitlines(), start=1):
            if line.strip():
                yield f"{file}, line {number}", line

    def settle(self, data: str) -> None:
        """Refuse the data if there are bad files, or say which were skipped.

        Raises:
            UsageError: if the policy is to refuse.
        """
        if not self._found:
            return
        if self.policy == "refuse":
            raise UsageError(
                f"every file of {printable(data)} must be usable, got {len(self._found)} bad: {self._listed()}; "
                f"mend them, or leave them out with --on-bad-file skip"
            )
        warn(f"{data}: skipped {len(self._found)} bad: {self._listed()}")

    def add_in_training(self, bad: BadFile) -> None:
        """Refuse a bad file that was found in the middle of a run, or say once that it is skipped.

        Every process says so: each reads other samples, so the first one does not know of them.

        Raises:
            RunFailed: if the policy is to refuse.
        """
        if self.policy == "refuse":
            raise RunFailed(
                f"every file must be usable, got {bad}; mend it where it is and give the same command again, or leave "
                f"it out with --on-bad-file skip, in another --out"
            )
        if bad.name not in self._found:
            self.add(bad.name, bad.reason)
            warn(f"skipped {bad}; {len(self._found)} so far", alone=True)

    def _listed(self) -> str:
        named = ", ".join(map(str, self.found[:NUM_NAMED]))
        others = Counter(bad.reason for bad in self.found[NUM_NAMED:])
        return named + "".join(f", and {count} more ({printable(reason)})" for reason, count in others.most_common(3))
