"""A comparison's tables as text, cell by cell: what the page, LaTeX and Markdown write down, each in its own way."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from multimix.lab.evaluate.evaluator import MAIN_TABLE
from multimix.lab.report import words
from multimix.lab.report.metrics import main_metrics, metric_of, tables
from multimix.lab.report.table import TableRow
from multimix.lab.statistics import Interval, power

STATED = 0.005  # a difference of error that many would call small: half a point
TEXTS = ("method", "control", "variant")  # columns of words, not numbers
UNTIL_NOTE = (
    "The error is the highest of any row at its end, so all rows reach it; the mean over seeds, at the records "
    "that were written: the steps between them are not looked at."
)


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


Cells = dict[str, Callable[[TableRow], Cell]]  # title of a column -> cell of a row that has results


def grids(rows: Sequence[TableRow]) -> Iterator[Grid]:
    """Yield the tables of one data set: results, what else was evaluated, certainty, costs."""
    yield _grid(MAIN_TABLE, _main(rows), rows)
    for title, shown in tables([name for row in rows for name in row.metrics]):
        those = [row for row in rows if any(name in row.metrics for name in shown)]
        yield _grid(title, {metric_of(name).title: _metric_cell(name) for name in shown}, those)
    compared = [row for row in rows if "error" in row.changes]
    if compared:
        family = sum(row.changes["error"].p_holm is not None for row in compared)
        note = f"Comparisons of error that Holm's correction is for, all in this table: {family}."
        yield _grid("How sure: differences of error", CERTAINTY, compared, note)
    done = [row for row in rows if row.results]
    if done:
        yield _grid("Costs", _costs(rows[0].row.label), done)
    if len(done) > 1 and not words.has_lengths(rows) and all(row.curve is not None for row in done):
        target = max(row.curve.error[-1] for row in done if row.curve is not None)
        yield _grid(f"Time to a test error of {target * 100:.2f} %", _until(target), done, UNTIL_NOTE)


def _grid(title: str, columns: Cells, rows: Sequence[TableRow], note: str = "") -> Grid:
    named = heads(rows)
    lines: list[Line] = []
    before: tuple[object, ...] = ()
    for row in rows:
        cells = [Cell(head(row)) for head in named.values()]
        if row.results:
            cells += [cell(row) for cell in columns.values()]
        else:
            cells += [Cell(unfinished(row)), *[Cell("")] * (len(columns) - 1)]
        group = (row.row.method, row.row.alpha)
        lines.append(Line(cells, "failed" if row.failures else "", group != before))
        before = group
    titles = [*named, *columns]
    return Grid(title, titles, {index for index, name in enumerate(titles) if name in TEXTS}, lines, note)


# The columns that tell a row from the others.
HEADS: dict[str, Callable[[TableRow], str]] = {
    "method": lambda row: row.row.method,
    "alpha": words.alpha,
    "K": lambda row: str(row.row.num_mixes),
    "control": lambda row: row.row.control,
    "variant": lambda row: row.row.variant,
    "length": lambda row: "" if row.row.length is None else str(row.row.length),
    "n": lambda row: str(len(row.results)),
}


def heads(rows: Sequence[TableRow]) -> dict[str, Callable[[TableRow], str]]:
    """Return the columns that tell a row from the others, without those in which all are alike."""
    left_out = {"alpha": not words.has_alphas(rows), "variant": not words.has_variants(rows)}
    left_out["length"] = not words.has_lengths(rows)
    return {title: text for title, text in HEADS.items() if not left_out.get(title)}


def unfinished(row: TableRow) -> str:
    """Return what is said of a row without results."""
    return "failed" if row.failures else "not run"


def _metric_cell(name: str) -> Callable[[TableRow], Cell]:
    def cell(row: TableRow) -> Cell:
        return Cell(words.metric(row, name), style=_style(row, name))

    return cell


def _style(row: TableRow, name: str) -> str:
    verdict = row.changes[name].verdict if name in row.changes else ""
    return verdict if verdict in ("worse", "better") else ""


def _main(rows: Sequence[TableRow]) -> Cells:
    metrics = {metric.title: _metric_cell(name) for name, metric in main_metrics().items()}
    error = metric_of("error").title
    title, times = words.main_time(rows)
    return {
        error: metrics.pop(error),
        words.difference_title(rows): lambda row: Cell(
            words.change(row), words.change_interval(row), _style(row, "error")
        ),
        **metrics,
        title: lambda row: Cell(words.time(times(row)[0])),
        f"× {rows[0].row.label}": lambda row: Cell(words.number(times(row)[1])),
    }


CERTAINTY: Cells = {
    "difference, points": lambda row: Cell(words.change(row), style=_style(row, "error")),
    "95 % interval": lambda row: Cell(words.change_interval(row)),
    "p, t-test": lambda row: Cell(words.p_value(row.changes["error"].paired.p_t)),
    "p, Holm": lambda row: Cell(words.p_value(row.changes["error"].p_holm)),
    "p, signed rank": lambda row: Cell(words.p_value(row.changes["error"].paired.p_signed_rank)),
    "effect size": lambda row: Cell(words.number(row.changes["error"].paired.effect_size)),
    "found at 80 %, points": lambda row: Cell(words.number(row.changes["error"].paired.detectable, 100)),
    "power for 0.5 points": lambda row: Cell(_stated_power(row)),
}


def _stated_power(row: TableRow) -> str:
    found = row.changes["error"].paired
    return "" if found.spread is None else f"{power(STATED, found.spread, found.difference.n):.0%}"


def _costs(unit: str) -> Cells:
    return {
        "training time, s": lambda row: Cell(words.time(row.time_s)),
        f"time × {unit}": lambda row: Cell(words.number(row.time_ratio)),
        "processor time, s": lambda row: Cell(words.time(row.cpu_time_s)),
        f"processor × {unit}": lambda row: Cell(words.number(row.cpu_time_ratio)),
        "rows seen": lambda row: Cell(words.count(row.rows_seen)),
        "images loaded": lambda row: Cell(words.count(row.images_loaded)),
        "core-hours": lambda row: Cell(f"{row.core_hours:.3g}"),
    }


def _until(target: float) -> Cells:
    """Say when a row first reached an error, by the mean over seeds."""

    def reached(row: TableRow) -> tuple[float, float]:
        """Return the step, and its share of all."""
        assert row.curve is not None
        steps = row.curve.step
        step = next(step for step, error in zip(steps, row.curve.error, strict=True) if error <= target)
        return step, step / steps[-1]

    def until_then(row: TableRow, whole: Interval | None) -> Cell:
        return Cell("" if whole is None else f"{whole.mean * reached(row)[1]:.1f}")

    return {
        "steps": lambda row: Cell(words.count(int(reached(row)[0]))),
        "training time, s": lambda row: until_then(row, row.time_s),
        "processor time, s": lambda row: until_then(row, row.cpu_time_s),
    }
