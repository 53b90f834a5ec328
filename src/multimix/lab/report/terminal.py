"""The tables on a terminal, as wide as it is."""

from collections.abc import Callable, Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from multimix.lab.report import words
from multimix.lab.report.grids import HEADS, TEXTS, heads, unfinished
from multimix.lab.report.summary import lowest
from multimix.lab.report.table import TableRow, by_data
from multimix.lab.report.takeaway import takeaway

COLOURS = {"worse": "red", "better": "green", "not significant": ""}
# What a narrow terminal does without, in this order; the page has all of it.
DISPENSABLE = ("images", "rows", "vs K=1", "difference", "ECE, %", "NLL", "processor time, s", "time, s")

Cell = Callable[[TableRow], str | Text]


def print_tables(rows: Sequence[TableRow], console: Console) -> None:
    """Print a table for each data set and what it means, and how the times were measured."""
    cells = _cells(rows)
    groups = by_data(rows)
    left_out = []
    for dispensable in [*DISPENSABLE, f"× {rows[0].row.label}"]:
        if (
            dispensable in cells
            and max(width_needed(_table(group, cells), console) for _, group in groups) > console.width
        ):
            del cells[dispensable]
            left_out.append(dispensable)
    for data, group in groups:
        if data:
            console.print(data, style="bold underline")
        _print_table(group, cells, console)
    if left_out:
        console.print(f"Columns left out, as the terminal is narrow; the report has them: {'; '.join(left_out)}.\n")
    console.print(words.note(rows))
    console.print(words.conditions(rows))


def _print_table(rows: Sequence[TableRow], cells: dict[str, Cell], console: Console) -> None:
    console.print(_table(rows, cells))
    for row in rows:
        for seed, reason in row.failures.items():
            console.print(f"{row.row.label}, seed {seed}, failed: {reason}", style="red", soft_wrap=True)
    console.print(" ".join([takeaway(rows), *lowest(rows)]) + "\n", style="bold")


def _cells(rows: Sequence[TableRow]) -> dict[str, Cell]:
    """Return the columns, and what each shows of a row that has results."""
    title, times = words.main_time(rows)
    return {
        **heads(rows),
        "error, %": lambda row: _metric(row, "error"),
        words.difference_title(rows): lambda row: Text(words.change(row), style=_colour(row, "error")),
        "NLL": lambda row: _metric(row, "nll"),
        "ECE, %": lambda row: _metric(row, "ece"),
        title.replace("training ", ""): lambda row: words.time(times(row)[0]),
        f"× {rows[0].row.label}": lambda row: words.number(times(row)[1]),
        "rows": lambda row: words.count(row.rows_seen),
        "images": lambda row: words.count(row.images_loaded),
    }


def _table(rows: Sequence[TableRow], cells: dict[str, Cell]) -> Table:
    table = new_table()
    for title in cells:
        table.add_column(title, justify="left" if title in TEXTS else "right", no_wrap=title in HEADS)
    for row in rows:
        if row.results:
            table.add_row(*(cell(row) for cell in cells.values()), style="red" if row.failures else "")
        else:
            named = (cell(row) for title, cell in cells.items() if title in HEADS)
            table.add_row(*named, unfinished(row), style="red")
    return table


def new_table() -> Table:
    """Return an empty table as all are drawn: a line below the titles, little space."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))


def width_needed(table: Table, console: Console) -> int:
    """Return the width at which no cell wraps."""
    return Measurement.get(console, console.options.update(width=10_000), table).maximum


def _metric(row: TableRow, name: str) -> Text:
    return Text(words.metric(row, name), style=_colour(row, name))


def _colour(row: TableRow, name: str) -> str:
    return COLOURS[row.changes[name].verdict] if name in row.changes else ""
