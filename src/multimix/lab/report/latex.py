"""The tables in LaTeX, for papers: \\usepackage{booktabs}, nothing else."""

from collections.abc import Sequence

from multimix.lab.core.printable import printable
from multimix.lab.report import words
from multimix.lab.report.grids import Grid, grids
from multimix.lab.report.results import Results
from multimix.lab.report.table import by_data, table

SYMBOLS = {
    "\\": r"\textbackslash{}",
    "[": "{[}",  # first in a line it would be taken for an option of the line break before, as * would
    "*": "{*}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"\textbar{}",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
    "±": r"$\pm$",
    "−": r"$-$",
    "×": r"$\times$",
    "≈": r"$\approx$",
    "▲": r"$\bigtriangleup$",
    "▼": r"$\bigtriangledown$",
    "α": r"$\alpha$",
    "·": r"$\cdot$",
    "′": "'",
    "…": r"\dots{}",
}


def latex(comparisons: Sequence[Results]) -> str:
    """Return all tables of the page, to be read by \\input."""
    parts = ["% Made by multimix report. In the preamble: \\usepackage{booktabs}"]
    for results in comparisons:
        rows = table(results)
        for data, group in by_data(rows):
            for index, grid in enumerate(grids(group)):
                of = ", ".join([results.name, *([data] if data else [])])
                notes = [grid.note, words.note(rows) if index == 0 else ""]
                parts.append(_table(grid, " ".join([f"{grid.title}: {of}.", *filter(None, notes)])))
    return "\n\n".join(parts) + "\n"


def _table(grid: Grid, caption: str) -> str:
    kinds = "".join("l" if index in grid.words else "r" for index in range(len(grid.columns)))
    lines = []
    for index, line in enumerate(grid.lines):
        lines += [r"\midrule"] if line.is_first or index == 0 else []
        lines.append(_line([cell.text for cell in line.cells]))
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering\small",
            rf"\caption{{{escaped(caption)}}}",
            rf"\begin{{tabular}}{{@{{}}{kinds}@{{}}}}",
            r"\toprule",
            _line(grid.columns),
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _line(texts: Sequence[str]) -> str:
    return f"{' & '.join(map(escaped, texts))} \\\\"


def escaped(text: str) -> str:
    """Return text that LaTeX shows as it is; of what it could not show, what ASCII has of it."""
    return "".join(SYMBOLS.get(mark, mark if mark.isascii() else "?") for mark in printable(text))
