"""The tables in Markdown."""

from collections.abc import Sequence

from multimix.lab.report import words
from multimix.lab.report.grids import Grid, grids
from multimix.lab.report.results import Results
from multimix.lab.report.table import by_data, table
from multimix.lab.report.takeaway import takeaway

SPECIAL = str.maketrans({mark: f"\\{mark}" for mark in "\\|*_`<["})


def markdown(comparisons: Sequence[Results]) -> str:
    """Returns all tables of the page, with what they mean."""
    parts = []
    for results in comparisons:
        rows = table(results)
        parts += [f"## {_escaped(results.name)}"]
        for data, group in by_data(rows):
            parts += [f"*{_escaped(takeaway(group))}*"]
            for grid in grids(group):
                parts += [f"### {_escaped(grid.title + (f', {data}' if data else ''))}", _table(grid)]
                parts += [_escaped(grid.note)] if grid.note else []
        parts += [_escaped(words.note(rows)), _escaped(words.conditions(rows)), *map(_escaped, results.notes)]
        parts += [f"```\n{chr(10).join(results.commands)}\n```"]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(grid: Grid) -> str:
    rules = ["---" if index in grid.words else "---:" for index in range(len(grid.columns))]
    lines = [grid.columns, *([cell.text for cell in line.cells] for line in grid.lines)]
    head, *rest = [f"| {' | '.join(map(_escaped, line))} |" for line in lines]
    return "\n".join([head, f"|{'|'.join(rules)}|", *rest])


def _escaped(text: str) -> str:
    return text.translate(SPECIAL)
