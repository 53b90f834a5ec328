"""What the numbers of an evaluation are called, how they are written, and which values are better."""

import re
from collections.abc import Iterable, Iterator

from multimix.lab.evaluate.evaluator import MAIN_TABLE, OTHERS, Metric, percent
from multimix.lab.evaluate.evaluators import EVALUATORS

# Found in a run's records, by no evaluator.
FROM_RECORDS = {"error_last_10": percent("median of the last 10 records", table="Error in other ways")}


def known() -> dict[str, Metric]:
    """Return the metrics of all evaluators, by name, in the order of tables and columns."""
    found = dict(FROM_RECORDS)
    for evaluator in EVALUATORS.values():
        found |= evaluator.metrics
    return found


def metric_of(name: str) -> Metric:
    """Return a number's metric; one that is not known is shown by its name, as it is."""
    return known().get(name, Metric(name, better="", digits=4))


def main_metrics() -> dict[str, Metric]:
    """Return the metrics of the first table, which every run has."""
    return {name: metric for name, metric in known().items() if metric.table == MAIN_TABLE}


def is_bin(name: str) -> bool:
    """Whether a number is one bin's: `<name>/<bin>/<of what>`."""
    return re.fullmatch(r"[^/]+/\d+/[^/]+", name) is not None


def tables(names: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield titles of tables, beside the first, with those of the numbers that they show.

    Numbers with a slash in their name are parts of another and too many for a table.
    """
    present = [name for name in dict.fromkeys(names) if "/" not in name]
    metrics = known()
    ordered = [*(name for name in metrics if name in present), *(name for name in present if name not in metrics)]
    for table in dict.fromkeys([*(metric.table for metric in metrics.values() if metric.table != OTHERS), OTHERS]):
        shown = [name for name in ordered if metric_of(name).table == table]
        if shown and table != MAIN_TABLE:
            yield table, shown
