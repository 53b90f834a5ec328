"""One self-contained HTML page about a comparison."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from multimix.lab.comparison import Comparison
from multimix.lab.config import Recipe
from multimix.lab.report import words
from multimix.lab.report.curves import AXES, curve
from multimix.lab.report.table import TableRow
from multimix.lab.report.takeaway import takeaway
from multimix.lab.whole import write_whole


def write_page(comparison: Comparison, rows: Sequence[TableRow]) -> Path:
    """Writes `report.html` into the comparison's folder and returns its path."""
    pages = Environment(
        loader=PackageLoader("multimix.lab.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    path = comparison.folder / "report.html"
    html = pages.get_template("page.html.jinja").render(
        settings=comparison.settings,
        recipe=[(item.name, getattr(comparison.settings, item.name)) for item in fields(Recipe)],
        command=comparison.command,
        rows=rows,
        failures=[(row, seed, reason) for row in rows for seed, reason in row.failures.items()],
        takeaway=takeaway(rows),
        words=words,
        environment=_environment(rows),
        curves=_curves(rows),
    )
    write_whole(path, html)
    return path


def _curves(rows: Sequence[TableRow]) -> list[tuple[str, list[Markup]]]:
    """A method's pictures: its rows beside the baseline without mixing, if there is one."""
    done = [row for row in rows if row.results]
    methods = list(dict.fromkeys(row.row.method for row in done if row.row.method != "none"))
    baseline = [row for row in done if row.row.method == "none"]
    return [
        (method, [Markup(curve(baseline + [row for row in done if row.row.method == method], axis)) for axis in AXES])
        for method in methods or ["none"]
        if done
    ]


def _environment(rows: Sequence[TableRow]) -> list[tuple[str, str]]:
    """What the runs were made on: every value that was met."""
    met: dict[str, dict[str, None]] = {}
    for row in rows:
        for run in row.results:
            for name, value in run.environment.items():
                met.setdefault(name, {})[str(value)] = None
    return [(name, ", ".join(values)) for name, values in met.items()]
