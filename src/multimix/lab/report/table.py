"""The table of a comparison, in numbers: what each row cost and how well it did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from multimix.lab.compare.rows import Row
from multimix.lab.report.metrics import is_bin, metric_of
from multimix.lab.report.results import Curve, Result, Results
from multimix.lab.statistics import Interval, Paired, holm, paired, t_interval, verdict


@dataclass(frozen=True)
class Change:
    """What a row changed against its reference, seed by seed, and whether that can be told from chance.

    Args:
        paired: The comparison of the seeds that both have.
        verdict: "worse", "better" or "not significant"; "higher" or "lower" where neither is better.
        p_holm: The p-value of the paired t-test, corrected for all comparisons of this metric in the table; None where
            there is no p-value.
    """

    paired: Paired
    verdict: str
    p_holm: float | None = None

    @property
    def difference(self) -> Interval:
        """The row minus its reference."""
        return self.paired.difference


@dataclass(frozen=True)
class TableRow:
    """One row: its results, what failed, and the comparison with its reference: K = 1, or itself without the variant.

    Args:
        row: What is tried in it.
        results: Its finished runs.
        failures: Why its other runs failed, by seed.
        curve: Its error while training.
        metrics: Metric name -> mean and interval over seeds.
        time_s: Training time of a run in seconds, mean and interval over seeds.
        cpu_time_s: The same for the time that processors worked: steadier where others use the machine too.
        time_ratio: Mean training time, in units of the first row's of its data set; None if that is missing.
        cpu_time_ratio: The same for the processors' time.
        time_ratio_reference: Mean training time in units of its reference's.
        cpu_time_ratio_reference: The same for the processors' time.
        changes: Metric name -> change against the reference; empty where there is nothing to compare.
    """

    row: Row
    results: list[Result]
    failures: dict[int, str]
    curve: Curve | None
    metrics: dict[str, Interval]
    time_s: Interval | None
    cpu_time_s: Interval | None
    time_ratio: float | None
    cpu_time_ratio: float | None
    time_ratio_reference: float | None
    cpu_time_ratio_reference: float | None
    changes: dict[str, Change]

    @property
    def rows_seen(self) -> int:
        """Rows the model was trained on."""
        return int(self.results[0].cost["rows"])

    @property
    def images_loaded(self) -> int:
        """Images loaded, an image as often as it was loaded."""
        return int(self.results[0].cost["images"])

    @property
    def core_hours(self) -> float:
        """Time that processors worked for all its runs."""
        return sum(run.cost["cpu_time_s"] for run in self.results) / 3600


def table(results: Results) -> list[TableRow]:
    """Make the table of a comparison; each data set's part is a family of comparisons."""
    runs = {row.row: row.runs for row in results.rows}
    first: dict[str, list[Result]] = {}
    for row, those in runs.items():
        first.setdefault(row.data, those)
    rows = [
        table_row(row.row, row.runs, row.failures, first[row.row.data], _reference(row.row, runs), row.curve)
        for row in results.rows
    ]
    return [row for _, group in by_data(rows) for row in corrected(group)]


def _reference(row: Row, runs: Mapping[Row, list[Result]]) -> list[Result]:
    return [] if row.reference is None else runs.get(row.reference, [])


def by_data(table: Sequence[TableRow]) -> list[tuple[str, list[TableRow]]]:
    """Return the rows of each data set; its name is empty where there is one."""
    return [(data, list(those)) for data, those in groupby(table, key=lambda row: row.row.data)]


def corrected(rows: Sequence[TableRow]) -> list[TableRow]:
    """Return the rows with p-values corrected for all comparisons among them, metric by metric."""
    changed = [dict(row.changes) for row in rows]
    for name in {name: None for changes in changed for name in changes}:
        family = [changes for changes in changed if name in changes and changes[name].paired.p_t is not None]
        adjusted = holm([float(changes[name].paired.p_t or 0) for changes in family])
        for changes, p in zip(family, adjusted, strict=True):
            changes[name] = replace(changes[name], p_holm=p)
    return [replace(row, changes=changes) for row, changes in zip(rows, changed, strict=True)]


def table_row(
    row: Row,
    results: list[Result],
    failures: dict[int, str],
    first: list[Result],
    reference: list[Result],
    curve: Curve | None = None,
) -> TableRow:
    """Put a row together.

    Args:
        row: What is tried in it.
        results: Its finished runs.
        failures: Why its other runs failed, by seed.
        first: The runs of the first row of its data set, the unit of training time.
        reference: The runs of the row it is compared with, if there is one.
        curve: Its error while training.
    """
    return TableRow(
        row=row,
        results=results,
        failures=failures,
        curve=curve,
        metrics={
            name: t_interval([run.evaluation[name] for run in results if name in run.evaluation])
            for name in _names(results)
        },
        time_s=_time(results, "time_s"),
        cpu_time_s=_time(results, "cpu_time_s"),
        time_ratio=_ratio(results, first, "time_s"),
        cpu_time_ratio=_ratio(results, first, "cpu_time_s"),
        time_ratio_reference=_ratio(results, reference, "time_s"),
        cpu_time_ratio_reference=_ratio(results, reference, "cpu_time_s"),
        changes=changes_of(results, reference),
    )


def _names(results: Sequence[Result]) -> list[str]:
    """Return the numbers that any run has; those by bin are no metrics."""
    return list(dict.fromkeys(name for run in results for name in run.evaluation if not is_bin(name)))


def _time(results: Sequence[Result], name: str) -> Interval | None:
    return t_interval([run.cost[name] for run in results]) if results else None


def _ratio(results: Sequence[Result], reference: Sequence[Result], name: str) -> float | None:
    own, other = _time(results, name), _time(reference, name)
    return None if own is None or other is None else own.mean / other.mean


def changes_of(results: Sequence[Result], reference: Sequence[Result]) -> dict[str, Change]:
    """Compare the seeds that both rows have finished, metric by metric."""
    references = {run.seed: run.evaluation for run in reference}
    changes = {}
    for name in _names(results):
        both = [run for run in results if name in run.evaluation and name in references.get(run.seed, {})]
        if both:
            found = paired([run.evaluation[name] for run in both], [references[run.seed][name] for run in both])
            changes[name] = Change(found, verdict(found.difference, metric_of(name).better))
    return changes
