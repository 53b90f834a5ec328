"""How often is the state of a run saved?"""

import re
from dataclasses import dataclass
from time import monotonic

from multimix.lab.core.errors import UsageError

UNITS = {"s": 1, "min": 60, "h": 3600}


@dataclass(frozen=True)
class Every:
    """Every so many steps, or every so many seconds; with neither, never."""

    steps: int | None = None
    time_s: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Every":
        """Reads "500" (steps), "30s", "10min", "2h" or "never".

        Raises:
            UsageError: if the text is none of these.
        """
        found = re.fullmatch(r"([1-9]\d*)(s|min|h)?", text)
        if text != "never" and not found:
            raise UsageError(
                f"checkpoint_every must be a number of steps, a time or never, got checkpoint_every={text!r}; "
                f"try 500, 60s, 10min or never"
            )
        if not found:
            return cls()
        amount, unit = int(found[1]), found[2]
        return cls(time_s=amount * UNITS[unit]) if unit else cls(steps=amount)


class Timer:
    """Tells when an interval has passed.

    Args:
        interval: How often.
        total_steps: Steps of the whole run. Its last state is saved if earlier ones were.
    """

    def __init__(self, interval: Every, total_steps: int) -> None:
        self._interval, self._total = interval, total_steps
        self._last = monotonic()
        self._any = interval.steps is not None

    def due_by_step(self, step: int) -> bool:
        """Whether the state after `step` updates is to be saved, whatever the time; every process says the same."""
        at_interval = self._interval.steps is not None and step % self._interval.steps == 0
        return at_interval or (self._any and step == self._total)

    def due_by_time(self) -> bool:
        """Whether the last save is too long ago."""
        return self._interval.time_s is not None and monotonic() - self._last >= self._interval.time_s

    def saved(self) -> None:
        """Starts the next interval."""
        self._last = monotonic()
        self._any = True
