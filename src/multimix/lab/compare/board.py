"""What is shown of a comparison: its plan, then its runs, live on a terminal, a line per finished run elsewhere."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from time import monotonic
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from multimix.lab.compare.rows import Row
from multimix.lab.compare.settings import CompareSettings
from multimix.lab.core.errors import Damaged
from multimix.lab.core.printable import printable
from multimix.lab.train.progress import duration, record_line
from multimix.lab.train.run_folder import Record, RunFolder
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


class Board:
    """Which runs are under way and how far each has come, as their folders tell.

    Args:
        runs: The runs to be done.
        failures: Told why a run failed, by the name of its folder.
        console: Where to show it.
        line: Says what a record holds.
    """

    def __init__(
        self,
        runs: Sequence[TrainSettings],
        failures: dict[str, str],
        console: Console,
        line: Callable[[Record], str] = record_line,
    ) -> None:
        self._num_runs, self._rows = len(runs), sum(_rows(run) for run in runs)
        self._failures, self._console, self._line = failures, console, line
        self._active: list[TrainSettings] = []
        self._num_done = self._rows_done = 0
        self._start = monotonic()
        self._first: tuple[float, float] | None = None  # when rows were first seen done, and how many

    def show(self) -> AbstractContextManager[Any]:
        """Show the board while a block runs, if there is a terminal to show it on."""
        self._start = monotonic()
        if not self._console.is_terminal:
            return nullcontext()
        return Live(get_renderable=self._render, console=self._console, refresh_per_second=4, transient=True)

    def started(self, run: TrainSettings) -> None:
        """Note that a run begins."""
        self._active.append(run)

    def ended(self, run: TrainSettings, reason: str | None) -> None:
        """Note that a run is over: well, or with the reason why not."""
        self._active.remove(run)
        self._num_done += 1
        self._rows_done += _rows(run)
        name = Path(run.out).name
        count = f"{self._num_done:>{len(str(self._num_runs))}}/{self._num_runs}"
        if reason is not None:
            self._failures[name] = reason
            failed = Text(f"failed: {printable(reason)}", style="red")
            self._console.print(Text.assemble(f"{count}  {printable(name)}  ", failed), soft_wrap=True)
        elif not self._console.is_terminal:
            records = _records(run)  # a file system over a network may not show them yet
            said = self._line(records[-1]) if records else "finished"
            self._console.print(f"{count}  {printable(name)}  {said}{self._left(self._rows_done)}", soft_wrap=True)

    def _render(self) -> RenderableType:
        active = [(run, _records(run)) for run in list(self._active)]
        rows = self._rows_done + sum(records[-1]["rows"] for _, records in active if records)
        head = Table.grid(padding=(0, 1))
        head.add_row(
            ProgressBar(total=self._rows, completed=rows, width=30),
            f"{self._num_done} of {self._num_runs} runs, {duration(monotonic() - self._start)}{self._left(rows)}",
        )
        body = Table.grid(padding=(0, 2))
        for run, records in active:
            body.add_row(printable(Path(run.out).name), self._line(records[-1]) if records else "starting")
        return Group(head, body)

    def _left(self, rows: float) -> str:
        """Return how long the rest will take at the pace since the first rows, before which kernels are compiled."""
        if not rows or rows >= self._rows:
            return ""
        now = monotonic()
        self._first = self._first or (now, rows)
        begun, before = self._first
        return (
            f", about {duration((now - begun) / (rows - before) * (self._rows - rows))} left" if rows > before else ""
        )


def _records(run: TrainSettings) -> list[Record]:
    """Return what a run has written down; nothing where that cannot be read, which is for the report to say."""
    try:
        return RunFolder(Path(run.out)).records()
    except Damaged:
        return []


def _rows(run: TrainSettings) -> int:
    return (run.steps or 0) * run.batch_size


def print_subject(settings: CompareSettings, console: Console) -> None:
    """Print what a comparison trains, on what."""
    console.print(f"data: {', '.join(settings.data)}; model: {settings.model}", soft_wrap=True)


def print_plan(planned: Sequence[tuple[Row, TrainSettings]], console: Console) -> None:
    """Print a line per row; columns that say nothing are left out."""
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
