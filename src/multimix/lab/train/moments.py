"""Moments of a run: so many epochs after its start, or a share of its length."""

import re
from dataclasses import dataclass

from multimix.lab.core.errors import UsageError


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
    """Args:
    amount: Epochs, or percent of the run.
    percent: Which of the two.
    """

    amount: float
    percent: bool = False

    @classmethod
    def parse(cls, name: str, text: float | str) -> "Moment":
        """Reads "5", "2.5" (epochs) or "10%" (of the run).

        Args:
            name: The setting it belongs to, for the message.
            text: What was given.

        Raises:
            UsageError: if it is neither.
        """
        found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)(%?)", str(text).strip())
        if not found or (found[2] and float(found[1]) > 100):
            raise UsageError(
                f"{name} must be a number of epochs, or 0% to 100% of the run, got {text!r}; write 5, 2.5 or 10%"
            )
        return cls(float(found[1]), bool(found[2]))

    def step(self, length: Length) -> float:
        """Returns after how many updates it comes."""
        return self.amount / 100 * length.steps if self.percent else self.amount * length.epoch

    def in_percent(self, epochs: float) -> "Moment":
        """Returns the same moment of a run of so many epochs, for a run of any length."""
        return self if self.percent else Moment(min(100.0, 100 * self.amount / epochs), percent=True)

    def __str__(self) -> str:
        return f"{self.amount:g}{'%' if self.percent else ''}"
