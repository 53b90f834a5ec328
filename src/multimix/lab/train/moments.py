"""When something happens in a run, and what changes in it: the words for both stand here and nowhere else.

5, 2.5, 10%               epochs, or a share of the run's length
500, 60s, 10min, 2h       steps, or a time: how often the state is saved
VALUE@0,VALUE@0.5         values, phase by phase, from shares of the run's steps on
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

from multimix.lab.core.errors import UsageError

SECONDS = {"s": 1, "min": 60, "h": 3600}
T = TypeVar("T")


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


@dataclass(frozen=True)
class Phases(Generic[T]):
    """Values, one after the other.

    Args:
        values: The value in each phase.
        shares: When each phase begins, as a share of the run's steps; the first at 0.
    """

    values: tuple[T, ...]
    shares: tuple[float, ...] = (0.0,)

    def phases(self, steps: int) -> tuple[tuple[int, T], ...]:
        """Return the first step of each phase, counted from 0, and its value, in a run of so many steps.

        A phase that begins after the last step, or when the next one does, is left out.
        """
        firsts = [math.ceil(share * steps) for share in self.shares]
        ends = [*firsts[1:], steps]
        return tuple((first, value) for first, end, value in zip(firsts, ends, self.values, strict=True) if first < end)

    def __str__(self) -> str:
        """Return how phases are written; what never changes, without a share."""
        if len(self.values) == 1:
            return str(self.values[0])
        return ",".join(f"{value}@{share:g}" for value, share in zip(self.values, self.shares, strict=True))


class NumMixes(Phases[int]):
    """K, phase by phase: 5, or a schedule such as 1@0,2@0.5,5@0.8."""

    @classmethod
    def parse(cls, given: int | str) -> "NumMixes":
        """Read 5 or "1@0,2@0.5,5@0.8": one mix of each pair at first, two from half of the steps on, then five.

        Raises:
            UsageError: if it is neither.
        """
        if isinstance(given, int):
            if given < 1:
                raise UsageError(f"num_mixes must be an integer >= 1, got num_mixes={given}; give at least 1")
            return cls((given,))
        values, shares = split_phases(given)
        if not values or not all(value.isdecimal() and int(value) >= 1 for value in values):
            raise UsageError(
                f"num_mixes must be an integer >= 1, or values of it at rising shares of the run from 0 on, got "
                f"num_mixes={given!r}; write 5, or 1@0,2@0.5,5@0.8"
            )
        return cls(tuple(map(int, values)), shares)


def split_phases(given: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Return the values and when each begins: at rising shares of the run, the first at 0; nothing if it is not so."""
    found = [re.fullmatch(r"\s*([^@,\s]+)@(\d*\.?\d+)\s*", part) for part in given.split(",")]
    parts = [(part[1], float(part[2])) for part in found if part]
    values, shares = tuple(value for value, _ in parts), tuple(share for _, share in parts)
    rises = all(first < second for first, second in zip((-1.0, *shares), (*shares, 1.0), strict=True))
    return (values, shares) if len(parts) == len(found) and shares[:1] == (0.0,) and rises else ((), ())


def at_step(phases: Sequence[tuple[int, T]], step: int) -> T:
    """Return the value at a step, of phases as `Phases.phases` gives them."""
    return next(value for first, value in reversed(phases) if step >= first)
