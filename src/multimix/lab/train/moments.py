"""When something happens in a run: after so many epochs or steps, a share of its length, or a time."""

import re
from dataclasses import dataclass
from time import monotonic

from multimix.lab.core.errors import UsageError

SECONDS = {"s": 1, "min": 60, "h": 3600}


@dataclass(frozen=True)
class Length:
    """How long a run is.

    Args:
        steps: Updates.
        epoch: Updates per epoch; seldom a whole number, as batches run on from one epoch into the next.
    """

    steps: int
    epoch: float


@dataclass(frozen=True)
class Moment:
    """A moment of a run.

    Args:
        amount: How many of the unit.
        unit: "%" of the run; s, min or h; or none: epochs, or steps, as the setting has it.
    """

    amount: float
    unit: str = ""

    @classmethod
    def parse(cls, text: float | str) -> "Moment | None":
        """Read "5", "2.5", "10%", "60s", "10min" or "2h"; return None if it is none of these."""
        found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)(%|s|min|h)?", str(text).strip())
        return cls(float(found[1]), found[2] or "") if found else None

    @classmethod
    def of_run(cls, name: str, text: float | str) -> "Moment":
        """Read "5", "2.5" (epochs) or "10%" (of the run).

        Args:
            name: The setting it belongs to, for the message.
            text: What was given.

        Raises:
            UsageError: if it is neither.
        """
        found = cls.parse(text)
        if found is None or found.unit in SECONDS or (found.unit and found.amount > 100):
            raise UsageError(
                f"{name} must be a number of epochs, or 0% to 100% of the run, got {text!r}; write 5, 2.5 or 10%"
            )
        return found

    def step(self, length: Length) -> float:
        """Return after how many updates it comes."""
        return self.amount / 100 * length.steps if self.unit else self.amount * length.epoch

    @property
    def time_s(self) -> float:
        """The seconds of a time; zero of anything else."""
        return self.amount * SECONDS.get(self.unit, 0)

    def in_percent(self, epochs: float) -> "Moment":
        """Return the same moment of a run of so many epochs, for a run of any length."""
        return self if self.unit else Moment(min(100.0, 100 * self.amount / epochs), "%")

    def __str__(self) -> str:
        return f"{self.amount:g}{self.unit}"


class SaveTimer:
    """Tells when the state of a run is to be saved.

    Args:
        every: A number of steps ("500"), a time ("30s", "10min", "2h") or "never".
        total_steps: Steps of the whole run. Its last state is saved if earlier ones were.

    Raises:
        UsageError: if `every` is none of these.
    """

    def __init__(self, every: str, total_steps: int) -> None:
        found = Moment(0) if every == "never" else Moment.parse(every)
        if found is None or found.unit == "%" or found.amount % 1 or (found.amount == 0 and every != "never"):
            raise UsageError(
                f"checkpoint_every must be a number of steps, a time or never, got checkpoint_every={every!r}; "
                f"try 500, 60s, 10min or never"
            )
        self.steps = 0 if found.unit else int(found.amount)
        self.time_s = found.time_s
        self._total = total_steps
        self._last = monotonic()
        self._any = self.steps > 0

    def due_by_step(self, step: int) -> bool:
        """Whether the state after `step` updates is to be saved, whatever the time; every process says the same."""
        return (self.steps > 0 and step % self.steps == 0) or (self._any and step == self._total)

    def due_by_time(self) -> bool:
        """Whether the last save is too long ago."""
        return self.time_s > 0 and monotonic() - self._last >= self.time_s

    def saved(self) -> None:
        """Start the next interval."""
        self._last = monotonic()
        self._any = True
