"""The table on a terminal."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from multimix.lab.report import words
from multimix.lab.report.table import TableRow
from multimix.lab.report.takeaway import takeaway

COLOURS = {"worse": "red", "better": "green", "not distinguishable": ""}


def print_table(rows: Sequence[TableRow], console: Console) -> None:
    """Prints a row per method, K and control, what it means, and how the times were measured."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for title in ("method", "K", "control", "n", words.METRIC_TITLES["error"], "vs K=1", "NLL", "ECE, %"):
        table.add_column(title, justify="left" if title in ("method", "control") else "right")
    for title in ("time, s", f"× {rows[0].row.name}", "rows", "images"):
        table.add_column(title, justify="right")
    for row in rows:
        _add(table, row)
    console.print(table)
    for row in rows:
        for seed, reason in row.failures.items():
            console.print(f"[red]{row.row.name}, seed {seed}, failed: {escape(reason)}[/red]", soft_wrap=True)
    console.print(f"[bold]{escape(takeaway(rows))}[/bold]\n")
    console.print(words.NOTE)
    console.print(escape(words.conditions(rows)))


def _add(table: Table, row: TableRow) -> None:
    head = (row.row.method, str(row.row.num_mixes), row.row.control, str(len(row.results)))
    if not row.results:
        table.add_row(*head, "failed" if row.failures else "not run", style="red")
        return
    table.add_row(
        *head,
        _metric(row, "error"),
        Text(words.change(row), style=_colour(row, "error")),
        _metric(row, "nll"),
        _metric(row, "ece"),
        words.time(row),
        words.ratio(row.time_ratio),
        words.count(row.rows_seen),
        words.count(row.images_loaded),
        style="red" if row.failures else "",
    )


def _metric(row: TableRow, name: str) -> Text:
    return Text(words.metric(row, name), style=_colour(row, name))


def _colour(row: TableRow, name: str) -> str:
    return COLOURS[row.changes[name].verdict] if name in row.changes else ""
