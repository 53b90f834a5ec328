"""One self-contained HTML page about a comparison."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from multimix.lab.comparison import Comparison
from multimix.lab.config import CompareSettings
from multimix.lab.report import words
from multimix.lab.report.curves import AXES, curve
from multimix.lab.report.table import TableRow, by_data
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
        listed=_settings(comparison.settings),
        command=comparison.command,
        rows=rows,
        failures=[(row, seed, reason) for row in rows for seed, reason in row.failures.items()],
        takeaway=takeaway,
        words=words,
        environment=_environment(rows),
        groups=[(data, group, _curves(group)) for data, group in by_data(rows)],
    )
    write_whole(path, html)
    return path


def _curves(rows: Sequence[TableRow]) -> list[tuple[str, list[Markup]]]:
    """A method's pictures, for each alpha: its rows beside the baseline without mixing, if there is one."""
    done = [row for row in rows if row.results]
    baseline = [row for row in done if row.row.method == "none"]
    mixed: dict[str, list[TableRow]] = {}
    for row in done:
        if row.row.method != "none":
            alpha = f", α = {words.alpha(row)}" if words.alpha(row) else ""
            mixed.setdefault(row.row.method + alpha, []).append(row)
    pictures = mixed or ({"none": []} if baseline else {})
    return [(title, [Markup(curve(baseline + own, axis)) for axis in AXES]) for title, own in pictures.items()]


def _settings(settings: CompareSettings) -> list[tuple[str, str]]:
    """What was set: all that another would need to do the same."""
    values = [(item.name, getattr(settings, item.name)) for item in fields(CompareSettings)]
    return [
        (name, ", ".join(map(str, value)) if isinstance(value, tuple) else str(value))
        for name, value in values
        if value is not None and value != ()
    ]


def _environment(rows: Sequence[TableRow]) -> list[tuple[str, str]]:
    """What the runs were made on: every value that was met."""
    met: dict[str, dict[str, None]] = {}
    for row in rows:
        for run in row.results:
            for name, value in run.environment.items():
                met.setdefault(name, {})[str(value)] = None
    return [(name, ", ".join(values)) for name, values in met.items()]
