"""A comparison's tables as text, cell by cell: what the page, LaTeX and Markdown write down, each in its own way."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from multimix.lab.report import words
from multimix.lab.report.metrics import main_metrics, metric_of, tables
from multimix.lab.report.table import TableRow
from multimix.lab.statistics import Interval, power

STATED = 0.005  # a difference of error that many would call small: half a point


@dataclass(frozen=True)
class Cell:
    """A cell.

    Args:
        text: What it says.
        small: What the page says below it.
        style: "worse" or "better", where it can be told.
    """

    text: str
    small: str = ""
    style: str = ""


@dataclass(frozen=True)
class Line:
    """A line of a table.

    Args:
        cells: One for each column.
        style: "failed" where a run failed.
        is_first: Whether it begins a method.
    """

    cells: list[Cell]
    style: str = ""
    is_first: bool = False


@dataclass(frozen=True)
class Grid:
    """A table.

    Args:
        title: What it shows.
        columns: Titles.
        words: Which columns hold words, not numbers.
        lines: One for each row.
        note: How to read it.
    """

    title: str
    columns: list[str]
    words: set[int]
    lines: list[Line]
    note: str = ""


@dataclass(frozen=True)
class Columns:
    """How a row is shown.

    Args:
        title: What the table shows.
        cells: Title -> cell of a row that has results.
        note: How to read it.
    """

    title: str
    cells: dict[str, Callable[[TableRow], Cell]]
    note: str = ""


def grids(rows: Sequence[TableRow]) -> Iterator[Grid]:
    """Yields the tables of one data set: results, themes that were evaluated, certainty, costs."""
    yield _grid(_main(rows), rows)
    names = [name for row in rows for name in row.metrics]
    for title, shown in tables(names):
        those = [row for row in rows if any(name in row.metrics for name in shown)]
        cells = {metric_of(name).title: _metric_cell(name) for name in shown}
        yield _grid(Columns(title, cells), those)
    compared = [row for row in rows if "error" in row.changes]
    if compared:
        yield _grid(_certainty(compared), compared)
    done = [row for row in rows if row.results]
    if done:
        yield _grid(_costs(rows), done)
    if len(done) > 1 and all(row.curve is not None for row in done):
        yield _grid(_until(done), done)


def _grid(columns: Columns, rows: Sequence[TableRow]) -> Grid:
    heads = _heads(rows)
    titles = [*heads, *columns.cells]
    lines: list[Line] = []
    before: tuple[object, ...] = ()
    for row in rows:
        cells = [Cell(head(row)) for head in heads.values()]
        if row.results:
            cells += [cell(row) for cell in columns.cells.values()]
        else:
            said = "failed" if row.failures else "not run"
            cells += [Cell(said), *[Cell("")] * (len(columns.cells) - 1)]
        group = (row.row.method, row.row.alpha)
        lines.append(Line(cells, "failed" if row.failures else "", group != before))
        before = group
    texts = {index for index, title in enumerate(titles) if title in ("method", "control", "variant")}
    return Grid(columns.title, titles, texts, lines, columns.note)


def _heads(rows: Sequence[TableRow]) -> dict[str, Callable[[TableRow], str]]:
    """What tells a row from the others."""
    alpha: dict[str, Callable[[TableRow], str]] = {"alpha": words.alpha} if words.has_alphas(rows) else {}
    variant: dict[str, Callable[[TableRow], str]] = {}
    if words.has_variants(rows):
        variant = {"variant": lambda row: row.row.variant}
    return {
        "method": lambda row: row.row.method,
        **alpha,
        "K": lambda row: str(row.row.num_mixes),
        "control": lambda row: row.row.control,
        **variant,
        "n": lambda row: str(len(row.results)),
    }


def _metric_cell(name: str) -> Callable[[TableRow], Cell]:
    def cell(row: TableRow) -> Cell:
        return Cell(words.metric(row, name), style=_style(row, name))

    return cell


def _style(row: TableRow, name: str) -> str:
    verdict = row.changes[name].verdict if name in row.changes else ""
    return verdict if verdict in ("worse", "better") else ""


def _main(rows: Sequence[TableRow]) -> Columns:
    metrics = {metric.title: _metric_cell(name) for name, metric in main_metrics().items()}
    error = metric_of("error").title
    title, times = words.main_time(rows)
    return Columns(
        "Results",
        {
            error: metrics.pop(error),
            words.difference_title(rows): lambda row: Cell(
                words.change(row), words.change_interval(row), _style(row, "error")
            ),
            **metrics,
            title: lambda row: Cell(words.time(times(row)[0])),
            f"× {rows[0].row.label}": lambda row: Cell(words.ratio(times(row)[1])),
        },
    )


def _certainty(rows: Sequence[TableRow]) -> Columns:
    family = sum(row.changes["error"].p_holm is not None for row in rows)
    return Columns(
        "How sure: differences of error",
        {
            "difference, points": lambda row: Cell(words.change(row), style=_style(row, "error")),
            "95 % interval": lambda row: Cell(words.change_interval(row)),
            "p, t-test": lambda row: Cell(words.p_value(row.changes["error"].paired.p_t)),
            "p, Holm": lambda row: Cell(words.p_value(row.changes["error"].p_holm)),
            "p, signed rank": lambda row: Cell(words.p_value(row.changes["error"].paired.p_signed_rank)),
            "effect size": lambda row: Cell(words.number(row.changes["error"].paired.effect_size)),
            "found at 80 %, points": lambda row: Cell(words.number(row.changes["error"].paired.detectable, 100)),
            "power for 0.5 points": lambda row: Cell(_stated_power(row)),
        },
        f"Comparisons of error that Holm's correction is for, all in this table: {family}.",
    )


def _stated_power(row: TableRow) -> str:
    found = row.changes["error"].paired
    return "" if found.spread is None else f"{power(STATED, found.spread, found.difference.n):.0%}"


def _until(rows: Sequence[TableRow]) -> Columns:
    """When an error that all rows reach was reached first, by the mean over seeds."""
    target = max(row.curve.error[-1] for row in rows if row.curve is not None)
    cells: dict[str, Callable[[TableRow], Cell]] = {
        "steps": lambda row: Cell(words.count(int(_reached(row, target)))),
        "training time, s": lambda row: Cell(_until_then(row, row.time_s, target)),
        "processor time, s": lambda row: Cell(_until_then(row, row.cpu_time_s, target)),
    }
    return Columns(
        f"Time to a test error of {target * 100:.2f} %",
        cells,
        "The error is the highest of any row at its end, so all rows reach it; the mean over seeds, at the records "
        "that were written: the steps between them are not looked at.",
    )


def _reached(row: TableRow, target: float) -> float:
    assert row.curve is not None
    return next(step for step, error in zip(row.curve.step, row.curve.error, strict=True) if error <= target)


def _until_then(row: TableRow, whole: Interval | None, target: float) -> str:
    assert row.curve is not None
    return "" if whole is None else f"{whole.mean * _reached(row, target) / row.curve.step[-1]:.1f}"


def _costs(rows: Sequence[TableRow]) -> Columns:
    unit = rows[0].row.label
    return Columns(
        "Costs",
        {
            "training time, s": lambda row: Cell(words.time(row.time_s)),
            f"time × {unit}": lambda row: Cell(words.ratio(row.time_ratio)),
            "processor time, s": lambda row: Cell(words.time(row.cpu_time_s)),
            f"processor × {unit}": lambda row: Cell(words.ratio(row.cpu_time_ratio)),
            "rows seen": lambda row: Cell(words.count(row.rows_seen)),
            "images loaded": lambda row: Cell(words.count(row.images_loaded)),
            "core-hours": lambda row: Cell(f"{row.core_hours:.3g}"),
        },
    )
