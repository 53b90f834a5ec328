"""What happens to a file that cannot be used: named, counted, and refused or skipped as the user chose."""

from collections import Counter
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
    """A sample cannot be decoded; the message says why."""


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
    """Those met so far.

    Args:
        policy: "refuse" or "skip".
    """

    def __init__(self, policy: str = "refuse") -> None:
        check_name("on_bad_file", policy, POLICIES)
        self.policy = policy
        self._found: dict[str, BadFile] = {}

    @property
    def found(self) -> tuple[BadFile, ...]:
        """All of them, in the order they were met."""
        return tuple(self._found.values())

    def add(self, name: object, reason: str) -> None:
        """Notes a file that cannot be used."""
        self._found.setdefault(str(name), BadFile(str(name), reason))

    def text_of(self, file: Path) -> str:
        """Returns what stands in a list or table that comes with a data set; nothing if it is bad."""
        try:
            return read_regular(file, MAX_TEXT_BYTES).decode()
        except (OSError, UnicodeDecodeError) as error:
            self.add(file, "no text" if isinstance(error, UnicodeDecodeError) else why(error))
            return ""

    def settle(self, data: str) -> None:
        """Refuses the data if a bad file was met, or says what was skipped.

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

    def met_while_training(self, bad: BadFile) -> None:
        """Refuses a bad file that was met in the middle of a run, or says once that it is skipped.

        Every process says so: each reads samples of its own, so no other knows.

        Raises:
            RunFailed: if the policy is to refuse.
        """
        if self.policy == "refuse":
            raise RunFailed(f"every file must be usable, got {bad}; mend it, or leave it out with --on-bad-file skip")
        if bad.name not in self._found:
            self.add(bad.name, bad.reason)
            warn(f"skipped {bad}; {len(self._found)} so far", alone=True)

    def _listed(self) -> str:
        named = ", ".join(map(str, self.found[:NUM_NAMED]))
        others = Counter(bad.reason for bad in self.found[NUM_NAMED:])
        return named + "".join(f", and {count} more ({printable(reason)})" for reason, count in others.most_common(3))


def why(error: OSError) -> str:
    """Returns why a file cannot be read, in a few words."""
    return "missing" if isinstance(error, FileNotFoundError) else error.strerror or str(error)
