"""The plan of a comparison on a terminal: which rows, what they cost, how many of their runs are done."""

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from multimix.lab.compare.rows import Row
from multimix.lab.train.run_folder import RunFolder
from multimix.lab.train.settings import TrainSettings

TITLES = (
    "data",
    "method",
    "alpha",
    "K",
    "control",
    "variant",
    "steps",
    "pairs per step",
    "rows per step",
    "seeds",
    "finished",
)
LEFT = ("data", "method", "control", "variant")


def print_plan(planned: Sequence[tuple[Row, TrainSettings]], console: Console) -> None:
    """Prints a line per row; columns that say nothing are left out."""
    by_row: dict[Row, list[TrainSettings]] = {}
    for row, run in planned:
        by_row.setdefault(row, []).append(run)
    lines = [_line(row, runs) for row, runs in by_row.items()]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    shown = [column for column in range(len(TITLES)) if any(line[column] for line in lines)]
    for column in shown:
        table.add_column(TITLES[column], justify="left" if TITLES[column] in LEFT else "right")
    for line in lines:
        table.add_row(*(line[column] for column in shown))
    console.print(table)


def _line(row: Row, runs: Sequence[TrainSettings]) -> list[str]:
    run = runs[0]
    finished = sum(RunFolder(Path(run.out)).finished for run in runs)
    return [
        row.data,
        row.method,
        "" if row.alpha is None else f"{row.alpha:g}",
        str(row.num_mixes),
        row.control,
        row.variant,
        str(run.steps),
        str(run.samples_per_step),
        str(run.batch_size),
        str(len(runs)),
        str(finished) if finished else "",
    ]
