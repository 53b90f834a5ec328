"""The table of a comparison, in numbers: what each row cost and how well it did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from multimix.lab.comparison import Comparison
from multimix.lab.config import CompareSettings
from multimix.lab.controls import Row, rows
from multimix.lab.run_folder import Record, RunFolder
from multimix.lab.statistics import Interval, paired_difference, t_interval, verdict

METRICS = ("error", "nll", "ece")


@dataclass(frozen=True)
class Result:
    """A finished run.

    Args:
        seed: Its seed.
        evaluation: The final evaluation.
        records: What was measured on the way; the last record holds what the run cost.
        environment: The conditions it was measured under.
    """

    seed: int
    evaluation: dict[str, float]
    records: list[Record]
    environment: dict[str, Any]


@dataclass(frozen=True)
class Change:
    """What a row changed against its reference, seed by seed, and whether that can be told from chance.

    Args:
        difference: The row minus its reference.
        verdict: "worse", "better" or "not distinguishable".
    """

    difference: Interval
    verdict: str


@dataclass(frozen=True)
class TableRow:
    """One row: its results, what failed, and the comparison with its reference: K = 1, or itself without the variant.

    Args:
        row: What is tried in it.
        results: Its finished runs.
        failures: Why its other runs failed, by seed.
        metrics: Metric name -> mean and interval over seeds.
        time_s: Training time of a run in seconds, mean and interval over seeds.
        time_ratio: Mean training time, in units of the first row's of its data set; None if that is missing.
        time_ratio_reference: The same in units of its reference's.
        changes: Metric name -> change against the reference; empty where there is nothing to compare.
    """

    row: Row
    results: list[Result]
    failures: dict[int, str]
    metrics: dict[str, Interval]
    time_s: Interval | None
    time_ratio: float | None
    time_ratio_reference: float | None
    changes: dict[str, Change]

    @property
    def rows_seen(self) -> int:
        """Rows the model was trained on."""
        return int(self.results[0].records[-1]["rows"])

    @property
    def images_loaded(self) -> int:
        """Images loaded, an image as often as it was loaded."""
        return int(self.results[0].records[-1]["images"])


def table(comparison: Comparison) -> list[TableRow]:
    """Reads the run folders of a comparison; what is not there yet is left out."""
    results = {row: _results(row, comparison.settings) for row in rows(comparison.settings)}
    first: dict[str, list[Result]] = {}
    for row, those in results.items():
        first.setdefault(row.data, those)
    return [
        table_row(row, those, _failures(row, comparison), first[row.data], _reference(row, results))
        for row, those in results.items()
    ]


def _reference(row: Row, results: Mapping[Row, list[Result]]) -> list[Result]:
    return [] if row.reference is None else results.get(row.reference, [])


def by_data(table: Sequence[TableRow]) -> list[tuple[str, list[TableRow]]]:
    """Returns the rows of each data set; its name is empty where there is one."""
    return [(data, list(those)) for data, those in groupby(table, key=lambda row: row.row.data)]


def table_row(
    row: Row, results: list[Result], failures: dict[int, str], first: list[Result], reference: list[Result]
) -> TableRow:
    """Puts a row together.

    Args:
        row: What is tried in it.
        results: Its finished runs.
        failures: Why its other runs failed, by seed.
        first: The runs of the first row of its data set, the unit of training time.
        reference: The runs of the row it is compared with, if there is one.
    """
    return TableRow(
        row=row,
        results=results,
        failures=failures,
        metrics={name: t_interval([run.evaluation[name] for run in results]) for name in METRICS if results},
        time_s=t_interval(_times(results)) if results else None,
        time_ratio=_ratio(results, first),
        time_ratio_reference=_ratio(results, reference),
        changes=_changes(results, reference),
    )


def _results(row: Row, settings: CompareSettings) -> list[Result]:
    folders = {seed: RunFolder(Path(row.folder(settings, seed))) for seed in range(settings.seeds)}
    return [
        Result(seed, at.evaluation(), at.records(), at.environment()) for seed, at in folders.items() if at.finished
    ]


def _failures(row: Row, comparison: Comparison) -> dict[int, str]:
    names = {seed: Path(row.folder(comparison.settings, seed)).name for seed in range(comparison.settings.seeds)}
    return {seed: comparison.failures[name] for seed, name in names.items() if name in comparison.failures}


def _times(results: Sequence[Result]) -> list[float]:
    return [run.records[-1]["time_s"] for run in results]


def _ratio(results: Sequence[Result], reference: Sequence[Result]) -> float | None:
    if not results or not reference:
        return None
    return t_interval(_times(results)).mean / t_interval(_times(reference)).mean


def _changes(results: Sequence[Result], reference: Sequence[Result]) -> dict[str, Change]:
    """Compares the seeds that both rows have finished."""
    references = {run.seed: run for run in reference}
    pairs = [(run, references[run.seed]) for run in results if run.seed in references]
    changes = {}
    for name in METRICS if pairs else ():
        difference = paired_difference([a.evaluation[name] for a, _ in pairs], [b.evaluation[name] for _, b in pairs])
        changes[name] = Change(difference, verdict(difference))
    return changes
