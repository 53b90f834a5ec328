"""One self-contained HTML page about comparisons."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from multimix.lab.report import words
from multimix.lab.report.curves import AXES, curve
from multimix.lab.report.grids import Grid, grids
from multimix.lab.report.results import Results
from multimix.lab.report.summary import summary
from multimix.lab.report.table import TableRow, by_data, table
from multimix.lab.whole import write_whole


@dataclass(frozen=True)
class Group:
    """What the page shows of one data set.

    Args:
        data: Its name; empty where there is one.
        sentences: What follows from its table.
        grids: Its tables.
        curves: Title -> pictures of error while training.
    """

    data: str
    sentences: list[str]
    grids: list[Grid]
    curves: list[tuple[str, list[Markup]]]


@dataclass(frozen=True)
class Part:
    """What the page shows of one comparison.

    Args:
        results: The comparison.
        rows: Its table.
        groups: What is shown of each data set.
    """

    results: Results
    rows: list[TableRow]
    groups: list[Group]

    @classmethod
    def of(cls, results: Results) -> "Part":
        """Makes the tables and pictures."""
        rows = table(results)
        return cls(results, rows, [_group(data, those) for data, those in by_data(rows)])

    @property
    def failures(self) -> list[tuple[str, int, str]]:
        """Row, seed and reason of runs that failed."""
        return [(row.row.name, seed, reason) for row in self.rows for seed, reason in row.failures.items()]

    @property
    def seeds(self) -> str:
        """How many seeds rows have."""
        counts = sorted({len(row.results) for row in self.rows if row.results}) or [0]
        many = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        return f"{many} seed{'s' * (many != '1')}"

    @property
    def settings(self) -> list[tuple[str, str]]:
        """What was set: all that another would need to do the same."""
        return [
            (name, ", ".join(map(str, value)) if isinstance(value, list) else str(value))
            for name, value in self.results.settings.items()
            if value is not None and value not in ([], {})
        ]

    @property
    def environment(self) -> list[tuple[str, str]]:
        """What the runs were made on: every value that was met."""
        met: dict[str, dict[str, None]] = {}
        for row in self.rows:
            for run in row.results:
                for name, value in run.environment.items():
                    met.setdefault(name, {})[str(value)] = None
        return [(name, ", ".join(values)) for name, values in met.items()]


def write_page(path: Path, comparisons: Sequence[Results], variances: Sequence[Path] = ()) -> None:
    """Writes the page.

    Args:
        path: The file.
        comparisons: What to show, in this order.
        variances: Folders that multimix variance wrote.
    """
    pages = Environment(
        loader=PackageLoader("multimix.lab.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    parts = [Part.of(results) for results in comparisons]
    title = ", ".join(part.results.name for part in parts) or "variance"
    write_whole(path, pages.get_template("page.html.jinja").render(title=title, parts=parts, words=words))


def _group(data: str, rows: list[TableRow]) -> Group:
    return Group(data, summary(rows), list(grids(rows)), _curves(rows))


def _curves(rows: Sequence[TableRow]) -> list[tuple[str, list[Markup]]]:
    """A method's pictures, for each alpha: its rows beside the baseline without mixing, if there is one."""
    done = [row for row in rows if row.results]
    baseline = [row for row in done if row.row.method == "none"]
    mixed: dict[str, list[TableRow]] = {}
    for row in done:
        if row.row.method != "none":
            alpha = f", α = {words.alpha(row)}" if words.alpha(row) else ""
            mixed.setdefault(row.row.method + alpha, []).append(row)
    pictures: dict[str, Any] = mixed or ({"none": []} if baseline else {})
    return [(title, [Markup(curve(baseline + own, axis)) for axis in AXES]) for title, own in pictures.items()]
