"""What a comparison measured, apart from where it lies: all that tables, pages and exports are made of."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from multimix.lab.compare.rows import Row
from multimix.lab.core.errors import Damaged
from multimix.lab.report import readable
from multimix.lab.train.run_folder import Record

SIGNIFICANT_DIGITS = 6
CURVE = ("step", "time_s", "error")  # of each record
COSTS = ("step", "time_s", "cpu_time_s", "rows", "images")
MAX_POINTS = 26  # of a curve: the default 25 evaluations and one more
SEVERITY = re.compile(r"corruption/[^/]+/\d+")
LAST_RECORDS = 10  # the published codes report the median error of the last ten epochs


@dataclass(frozen=True)
class Result:
    """A finished run.

    Args:
        seed: Its seed.
        evaluation: The final evaluation, without the single severities of corruptions, which are many; beside it
            `error_last_10`, the median error of the last ten records.
        cost: What it cost: step, time_s, cpu_time_s, rows, images.
        environment: The conditions it was measured under.
    """

    seed: int
    evaluation: dict[str, float]
    cost: dict[str, float]
    environment: dict[str, Any]

    @classmethod
    def of(
        cls, seed: int, evaluation: Mapping[str, Any], records: Sequence[Record], environment: Mapping[str, Any]
    ) -> "Result":
        """Put a run's files together, in as many digits as results files have.

        Raises:
            Damaged: if they do not hold what tables are made of.
        """
        if not records:
            raise Damaged("there is no record")
        values = {name: value for name, value in evaluation.items() if not SEVERITY.fullmatch(name)}
        if len(records) >= LAST_RECORDS:
            last = [readable.number(record.get("error"), "error") for record in records[-LAST_RECORDS:]]
            values["error_last_10"] = float(np.median(last))
        return cls.read(seed, values, records[-1], environment)

    @classmethod
    def read(
        cls, seed: object, evaluation: Mapping[str, Any], cost: Mapping[str, Any], environment: object
    ) -> "Result":
        """Return a run of which nothing is known to be as it should.

        Raises:
            Damaged: if tables could not be made of it.
        """
        values, costs = readable.evaluation(evaluation), readable.cost(cost, COSTS)
        return cls(
            seed=readable.whole(seed, "seed"),
            evaluation={name: rounded(value) for name, value in values.items()},
            cost={name: rounded(value) for name, value in costs.items()},
            environment=readable.environment(environment),
        )


@dataclass(frozen=True)
class Curve:
    """Test error while training, over the seeds of a row.

    Args:
        step: Steps done.
        time_s: Mean seconds of training until then.
        error: Mean error.
        low: The lowest seed's.
        high: The highest seed's.
    """

    step: list[float]
    time_s: list[float]
    error: list[float]
    low: list[float]
    high: list[float]

    @classmethod
    def of(cls, runs: Sequence[Sequence[Record]]) -> "Curve":
        """Return the curve of runs' records, to the end of the one that stopped first."""
        moments = list(zip(*runs, strict=False))
        kept = sorted(set(np.linspace(0, len(moments) - 1, min(len(moments), MAX_POINTS)).round().astype(int)))
        points = np.array([[[record[name] for record in moments[i]] for i in kept] for name in CURVE])
        step, time_s, error = points
        lines = (step.mean(1), time_s.mean(1), error.mean(1), error.min(1), error.max(1))
        return cls(*([rounded(value) for value in line.tolist()] for line in lines))

    @classmethod
    def read(cls, stored: object) -> "Curve | None":
        """Return a curve of which nothing is known to be as it should; None for none.

        Raises:
            Damaged: if it could not be drawn.
        """
        if stored is None:
            return None
        lines = readable.typed(stored, dict, "curve")
        return cls(**readable.curve({item.name: lines.get(item.name, []) for item in fields(cls)}))


@dataclass(frozen=True)
class RowResults:
    """A row's runs.

    Args:
        row: What is tried in it.
        runs: Its finished runs, by seed.
        failures: Why its other runs failed, by seed.
        curve: Its error while training; None without runs.
    """

    row: Row
    runs: list[Result]
    failures: dict[int, str] = field(default_factory=dict)
    curve: Curve | None = None


@dataclass(frozen=True)
class Results:
    """A comparison.

    Args:
        name: What it is called: the name of its folder.
        commands: The command lines that made it, the last one last.
        settings: The last command's settings.
        rows: In the order of the tables.
        notes: What a reader should know about what was left out.
    """

    name: str
    commands: list[str]
    settings: dict[str, Any]
    rows: list[RowResults]
    notes: list[str]

    @property
    def core_hours(self) -> float:
        """Time that processors worked for its runs, evaluation while training not counted."""
        return sum(run.cost["cpu_time_s"] for row in self.rows for run in row.runs) / 3600


def rounded(value: float) -> float:
    """Return a number as a results file has it."""
    return value if isinstance(value, int) else float(f"{value:.{SIGNIFICANT_DIGITS}g}")
