"""The tables in Markdown."""

import re
from collections.abc import Sequence

from multimix.lab.core.printable import printable
from multimix.lab.report import words
from multimix.lab.report.grids import Grid, grids
from multimix.lab.report.results import Results
from multimix.lab.report.table import by_data, table
from multimix.lab.report.takeaway import takeaway

SPECIAL = str.maketrans({mark: f"\\{mark}" for mark in "\\|*_`<[~#&"})


def markdown(comparisons: Sequence[Results]) -> str:
    """Return all tables of the page, with what they mean."""
    parts = []
    for results in comparisons:
        rows = table(results)
        parts += [f"## {escaped(results.name)}"]
        for data, group in by_data(rows):
            parts += [f"*{escaped(takeaway(group))}*"]
            for grid in grids(group):
                parts += [f"### {escaped(grid.title + (f', {data}' if data else ''))}", _table(grid)]
                parts += [escaped(grid.note)] if grid.note else []
        parts += [escaped(words.note(rows)), escaped(words.conditions(rows)), *map(escaped, results.notes)]
        parts += [fenced("\n".join(map(printable, results.commands)))]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(grid: Grid) -> str:
    rules = ["---" if index in grid.words else "---:" for index in range(len(grid.columns))]
    lines = [grid.columns, *([cell.text for cell in line.cells] for line in grid.lines)]
    head, *rest = [f"| {' | '.join(map(escaped, line))} |" for line in lines]
    return "\n".join([head, f"|{'|'.join(rules)}|", *rest])


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return printable(text).translate(SPECIAL)


def fenced(text: str) -> str:
    """Return a block of code, between more backticks than there are anywhere in it."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}"
