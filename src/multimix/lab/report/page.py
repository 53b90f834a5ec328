"""One self-contained HTML page about comparisons."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from multimix.lab.compare.controls import CONTROLS
from multimix.lab.core.atomic_files import write_atomic
from multimix.lab.report import reliability, words
from multimix.lab.report.curves import AXES, curve
from multimix.lab.report.forest import forests
from multimix.lab.report.frontier import frontiers
from multimix.lab.report.grids import Grid, grids
from multimix.lab.report.previews import Previews, Samples, previews
from multimix.lab.report.results import Results
from multimix.lab.report.summary import summary
from multimix.lab.report.table import TableRow, by_data, table
from multimix.lab.report.variance_part import VariancePart

MAX_LINES = 5  # of a picture, beside the line without mixing


@dataclass(frozen=True)
class Group:
    """What the page shows of one data set.

    Args:
        place: What its links begin with.
        data: Its name; empty where there is one.
        sentences: What follows from its table.
        frontiers: Method -> picture of error against time.
        forests: Control -> picture of paired differences.
        grids: Its tables.
        curves: Title -> pictures of error while training.
        diagrams: Method -> rows and their reliability diagrams.
        previews: The methods' paths.
    """

    place: str
    data: str
    sentences: list[str]
    frontiers: list[tuple[str, Markup]]
    forests: list[tuple[str, Markup]]
    grids: list[Grid]
    curves: list[tuple[str, list[Markup]]]
    diagrams: list[tuple[str, list[tuple[str, Markup]]]]
    previews: Previews


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
    def of(cls, results: Results, number: int, samples: Samples) -> "Part":
        """Make the tables and pictures of the page's comparison of that number."""
        rows = table(results)
        groups = [
            _group(f"{number}-{index}", data, those, results.settings, samples)
            for index, (data, those) in enumerate(by_data(rows))
        ]
        return cls(results, rows, groups)

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


def write_page(
    path: Path,
    comparisons: Sequence[Results],
    variances: Sequence[VariancePart] = (),
    samples: Samples = Samples(),  # noqa: B008  frozen
) -> None:
    """Write the page.

    Args:
        path: The file.
        comparisons: What to show, in this order.
        variances: What to show of folders that multimix variance wrote.
        samples: Of which data samples may be shown.
    """
    pages = Environment(
        loader=PackageLoader("multimix.lab.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    parts = [Part.of(results, number, samples) for number, results in enumerate(comparisons)]
    title = ", ".join(part.results.name for part in parts) or "variance"
    shown = {"title": title, "parts": parts, "variances": variances, "controls": CONTROLS}
    write_atomic(path, pages.get_template("page.html.jinja").render(words=words, **shown))


def _group(place: str, data: str, rows: list[TableRow], settings: dict[str, Any], samples: Samples) -> Group:
    return Group(
        place=place,
        data=data,
        sentences=summary(rows),
        frontiers=[(title, Markup(picture)) for title, picture in frontiers(rows)],
        forests=[(title, Markup(picture)) for title, picture in forests(rows)],
        grids=list(grids(rows)),
        curves=_curves(rows),
        diagrams=_diagrams(rows),
        previews=previews([row.row for row in rows], settings, samples),
    )


def _diagrams(rows: Sequence[TableRow]) -> list[tuple[str, list[tuple[str, Markup]]]]:
    """Each method's diagrams, K = 1 first."""
    by_method: dict[str, list[tuple[str, Markup]]] = {}
    for row in reliability.shown(rows):
        name = " ".join([f"K = {row.row.num_mixes}", row.row.control])
        by_method.setdefault(words.method(row), []).append((name, Markup(reliability.diagram(row))))
    return list(by_method.items())


def _curves(rows: Sequence[TableRow]) -> list[tuple[str, list[Markup]]]:
    """Return a method's pictures, for each alpha: its rows beside the baseline without mixing, if there is one."""
    longest = max((row.row.length or 0 for row in rows), default=0)
    done = [row for row in rows if row.results and row.curve is not None and (row.row.length or 0) == longest]
    baseline = [row for row in done if row.row.method == "none"]
    mixed: dict[str, list[TableRow]] = {}
    for row in done:
        if row.row.method != "none":
            mixed.setdefault(words.method(row), []).append(row)
    pictures = [picture for title, own in mixed.items() for picture in _split(title, own)]
    pictures = pictures or ([("none", [])] if baseline else [])
    time = words.main_time(rows)
    return [(title, [Markup(curve(baseline + own, axis, time)) for axis in AXES]) for title, own in pictures]


def _split(title: str, rows: list[TableRow]) -> list[tuple[str, list[TableRow]]]:
    """A method's rows, or, where that are too many lines for one picture, K = 1 with the rows of each control."""
    if len(rows) <= MAX_LINES:
        return [(title, rows)]
    controls = dict.fromkeys(row.row.control for row in rows if row.row.control)
    kinds = [(control, "") for control in controls]
    kinds += [(control, row.row.variant) for row in rows if row.row.variant for control in [row.row.control]]
    return [
        (", ".join(filter(None, [title, *kind])), [row for row in rows if _belongs(row, *kind)])
        for kind in dict.fromkeys(kinds)
    ]


def _belongs(row: TableRow, control: str, variant: str) -> bool:
    return row.row.control in (control, "") and row.row.variant in (variant, "")
