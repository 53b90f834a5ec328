"""What was measured of finished runs, on a terminal: a line per run, the main numbers; evaluation.json has all."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from multimix.lab.evaluate.evaluators import EVALUATORS
from multimix.lab.report.metrics import metric_of
from multimix.lab.report.terminal import new_table, width_needed

Results = Mapping[str, Mapping[str, float]]  # numbers by name, of each run by its name


def print_evaluated(results: Results, evaluators: Sequence[str], console: Console) -> None:
    """Print one table, or one for each evaluator where that is too wide.

    Args:
        results: What was measured of each run.
        evaluators: What was asked.
        console: Where to print it.
    """
    measured = dict.fromkeys(name for values in results.values() for name in values)
    groups = [
        [name for name in measured if name in kind.metrics and kind.metrics[name].column]
        for evaluator, kind in EVALUATORS.items()
        if evaluator in evaluators
    ]
    whole = _table(results, [name for group in groups for name in group])
    for table in (
        [whole] if width_needed(whole, console) <= console.width else [_table(results, group) for group in groups]
    ):
        console.print(table)


def _table(results: Results, names: Sequence[str]) -> Table:
    table = new_table()
    table.add_column("run", no_wrap=True)
    for name in names:
        table.add_column(metric_of(name).column, justify="right", vertical="bottom", no_wrap=True)
    for run, values in results.items():
        table.add_row(run, *(_cell(name, values[name]) if name in values else "" for name in names))
    return table


def _cell(name: str, value: float) -> str:
    metric = metric_of(name)
    return f"{value * metric.scale:.{metric.digits}f}"
