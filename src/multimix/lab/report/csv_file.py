"""Every number of every row, one a line: for spreadsheets and data frames. Fractions stay fractions, times seconds."""

import csv
import io
import math
from collections.abc import Iterator, Sequence

from multimix.lab.report.metrics import metric_of
from multimix.lab.report.results import Results, rounded
from multimix.lab.report.table import TableRow, table
from multimix.lab.statistics import Interval

TITLES = (
    "source",
    "data",
    "method",
    "alpha",
    "num_mixes",
    "control",
    "variant",
    "length",
    "metric",
    "better",
    "n",
    "mean",
    "low",
    "high",
    "reference",
    "pairs",
    "difference",
    "difference_low",
    "difference_high",
    "p_t",
    "p_holm",
    "p_signed_rank",
    "effect_size",
    "detectable",
    "verdict",
)
TIMES = ("time_s", "cpu_time_s")
COUNTS = ("rows_seen", "images_loaded", "core_hours")
BEGINS = ("=", "+", "-", "@", "\t", "\r")  # of a formula, for one spreadsheet or another


def csv_of(comparisons: Sequence[Results]) -> str:
    """Return the lines; what is not there is empty."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(TITLES)
    for results in comparisons:
        for row in table(results):
            writer.writerows(map(as_cell, line) for line in _lines(row, results))
    return file.getvalue()


def _lines(row: TableRow, results: Results) -> Iterator[list[object]]:
    if not row.results:
        return
    alpha = "" if row.row.alpha is None else row.row.alpha
    data = row.row.data or ", ".join(results.settings["data"])
    head = [results.name, data, row.row.method, alpha, row.row.num_mixes, row.row.control, row.row.variant]
    head += ["" if row.row.length is None else row.row.length]
    for name, value in row.metrics.items():
        yield [*head, name, metric_of(name).better, *_interval(value), *_change(row, name)]
    nothing = [""] * (len(TITLES) - TITLES.index("reference"))
    for name in TIMES:
        value = getattr(row, name)
        yield [*head, name, "lower", *_interval(value), *nothing]
    for name in COUNTS:
        yield [*head, name, "", len(row.results), _number(getattr(row, name)), "", "", *nothing]


def _interval(value: Interval) -> list[object]:
    return [value.n, _number(value.mean), _number(value.low), _number(value.high)]


def _change(row: TableRow, name: str) -> list[object]:
    if name not in row.changes:
        return [""] * (len(TITLES) - TITLES.index("reference"))
    change = row.changes[name]
    found, reference = change.paired, row.row.reference
    return [
        reference.label if reference else "",
        found.difference.n,
        _number(found.difference.mean),
        _number(found.difference.low),
        _number(found.difference.high),
        _number(found.p_t),
        _number(change.p_holm),
        _number(found.p_signed_rank),
        _number(found.effect_size),
        _number(found.detectable),
        change.verdict,
    ]


def _number(value: float | None) -> object:
    return "" if value is None or math.isnan(value) else rounded(value)


def as_cell(value: object) -> object:
    """Return a value as a cell that no spreadsheet computes: a text that looks like a formula comes after a quote."""
    if not isinstance(value, str) or not value.startswith(BEGINS) or _is_number(value):
        return value
    return f"'{value}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
