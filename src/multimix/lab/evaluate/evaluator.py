"""What an evaluator is: one question to a finished model, its options, and what is known of the numbers it answers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from multimix.lab.data import Data

MAIN_TABLE, OTHERS = "Results", "Other numbers"  # titles of tables: of a report's first, of one for all that has none


@dataclass(frozen=True)
class Metric:
    """What a number is called, how it is written, and which values are better.

    Attributes:
        title: Its name in a report.
        column: A short name for the table on the terminal; without one it is not shown there.
        table: Title of the report's table that shows it.
        better: "lower", "higher" or, where neither is better, "".
        scale: What it is multiplied by; fractions are shown in percent.
        digits: Digits after the point.
    """

    title: str
    column: str = ""
    table: str = OTHERS
    better: str = "lower"
    scale: float = 1.0
    digits: int = 3


def percent(title: str, column: str = "", table: str = OTHERS, better: str = "lower") -> Metric:
    """Return the metric of a fraction."""
    return Metric(f"{title}, %", column, table, better, 100.0, 2)


class Evaluator(ABC):
    """One question to a finished model.

    An evaluator is a frozen dataclass of its options in a file of its own, listed in `EVALUATORS`. An option that is
    named like a setting of `multimix evaluate`, a field of `EvaluateSettings`, has its value; others need a default.
    """

    metrics: ClassVar[Mapping[str, Metric]]
    """The numbers that tables show, by their names in evaluation.json, in the order of a report's columns."""

    def check(self, data: Data) -> None:  # noqa: B027  an evaluator may take all data
        """Raise UsageError for data that cannot be evaluated; called for all runs before the first is evaluated."""

    @abstractmethod
    def __call__(self, model: nn.Module, data: Data) -> dict[str, float]:
        """Return numbers by name, fractions where there is a choice.

        Leave the model as it was, compute where the data are, and draw from generators seeded by the evaluator's own
        options: the same call gives the same numbers.
        """
