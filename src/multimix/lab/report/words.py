"""The table in words: the same on the terminal and on the page."""

import math
from collections.abc import Callable, Sequence

from multimix.lab.report.metrics import metric_of
from multimix.lab.report.table import Change, TableRow
from multimix.lab.statistics import Interval, verdict

CONDITIONS = "{device}, {processor}, {threads} thread(s) per run, {jobs} run(s) at a time, torch {torch}"
MAX_WAITED = 0.1  # share of the training time; a process that has a core to itself stays below a few percent


def note(rows: Sequence[TableRow]) -> str:
    """Return what the numbers and marks mean."""
    same = "method and alpha" if has_alphas(rows) else "method"
    same = f"{same} and length (steps of K = 1)" if has_lengths(rows) else same
    return (
        f"Mean ± half-width of the 95 % t-interval over n seeds. Against K = 1 of the same {same}"
        f"{', a variant against the same row without it' * has_variants(rows)}, seed by seed, at "
        "95 %: ▲ worse, ▼ better, ≈ not significant; one comparison in twenty is marked by chance alone."
    )


def has_variants(rows: Sequence[TableRow]) -> bool:
    """Whether any row has a variant."""
    return any(row.row.variant for row in rows)


def has_lengths(rows: Sequence[TableRow]) -> bool:
    """Whether rows were trained at several lengths."""
    return any(row.row.length is not None for row in rows)


def difference_title(rows: Sequence[TableRow]) -> str:
    """Return the title of the column that compares."""
    return "difference" if has_variants(rows) else "vs K=1"


def has_alphas(rows: Sequence[TableRow]) -> bool:
    """Whether alpha is varied."""
    return any(row.row.alpha is not None for row in rows)


def method(row: TableRow) -> str:
    """Return a row's method, with its alpha where that is varied."""
    return row.row.method + (f", α = {alpha(row)}" if alpha(row) else "")


def kind(row: TableRow) -> str:
    """Return what a row is among those of its method: K, control and variant; no mixing has its own name."""
    mixes = "" if row.row.method == "none" and not row.row.control else f"K = {row.row.num_mixes}"
    none = "none" if row.row.method == "none" else ""
    return ", ".join(part for part in (none, mixes, row.row.control, row.row.variant) if part)


def alpha(row: TableRow) -> str:
    """Return a row's alpha, where it is varied."""
    return "" if row.row.alpha is None else f"{row.row.alpha:g}"


def with_interval(value: Interval, scale: float = 1.0, digits: int = 2) -> str:
    """Return `mean ± half-width`; a single value has no half-width."""
    mean = f"{value.mean * scale:.{digits}f}".replace("-", "−")
    return mean if math.isnan(value.half_width) else f"{mean} ± {value.half_width * scale:.{digits}f}"


def with_limits(difference: Interval, name: str) -> str:
    """Return a paired difference of a metric, marked, with its interval and number of seeds; ▲ is worse, ▼ better."""
    shown = metric_of(name)
    return f"{marked(difference, shown.scale, shown.digits, shown.better)}, n = {difference.n}"


def marked(difference: Interval, scale: float = 1.0, digits: int = 2, better: str = "lower") -> str:
    """Return a paired difference with its interval: ▲ is worse, ▼ better, ≈ not significant."""
    mark = {"worse": "▲", "better": "▼", "not significant": "≈"}[verdict(difference, better)]
    values = (difference.mean, difference.low, difference.high)
    mean, low, high = (f"{v * scale:+.{digits}f}".replace("-", "−") for v in values)
    return f"{mark} {mean} ({low} to {high})"


def metric(row: TableRow, name: str) -> str:
    """Return one metric of a row, marked where it differs from its reference: ▲ is higher, ▼ is lower."""
    if name not in row.metrics:
        return ""
    value, shown = row.metrics[name], metric_of(name)
    fewer = f" (n = {value.n})" if value.n < len(row.results) else ""
    marked = name in row.changes and row.changes[name].verdict != "not significant"
    mark = f" {_mark(row.changes[name])}" if marked else ""
    return with_interval(value, shown.scale, shown.digits) + fewer + mark


def _mark(change: Change) -> str:
    if change.verdict == "not significant":
        return "≈"
    return "▲" if change.difference.mean > 0 else "▼"


def change(row: TableRow) -> str:
    """Return how a row's error differs from its reference's, in points."""
    if "error" not in row.changes:
        return ""
    change = row.changes["error"]
    return f"{_mark(change)} {points(change.difference.mean)}"


def change_interval(row: TableRow) -> str:
    """Return the 95 % interval of that difference."""
    if "error" not in row.changes or math.isnan(row.changes["error"].difference.half_width):
        return ""
    difference = row.changes["error"].difference
    if difference.half_width == 0:
        return "every seed the same"
    return f"{points(difference.low)} to {points(difference.high)}"


def points(fraction: float) -> str:
    """Return a difference of fractions in points of a percent, with its sign."""
    return f"{fraction * 100:+.2f}".replace("-", "−")


def p_value(p: float | None) -> str:
    """Return a p-value, as exact as it can be relied on."""
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def number(value: float | None, scale: float = 1.0, digits: int = 2) -> str:
    """Return a number that may not be there."""
    return "" if value is None else f"{value * scale:.{digits}f}".replace("-", "−")


def time(value: Interval | None) -> str:
    """Return a time in seconds."""
    return "" if value is None else with_interval(value, digits=1)


def count(value: int) -> str:
    """Return a count short enough for a column."""
    return f"{value / 1000:,.0f} k" if value >= 10_000 else str(value)


def conditions(rows: Sequence[TableRow]) -> str:
    """Return under what conditions the training times were measured, and warns where they cannot be relied on."""
    results = [run for row in rows for run in row.results]
    found = sorted({CONDITIONS.format_map(run.environment) for run in results})
    if not found:
        return ""
    if len(found) > 1:
        return f"Training times are not comparable: measured under {len(found)} conditions, {'; '.join(found)}."
    share = waited(rows)
    busy = (
        f" Other programs kept the runs waiting {share:.0%} of the time: what the clock says is too long and uneven, "
        "the processor's time tells more."
    )
    return f"Training times without evaluation: {found[0]}.{busy * bool(share)}"


MainTime = tuple[str, Callable[[TableRow], tuple[Interval | None, float | None]]]


def main_time(rows: Sequence[TableRow]) -> MainTime:
    """Return the title of the time that a table shows, and what gives a row's time and ratio: the clock's, or the
    processor's where other programs kept the runs waiting.
    """
    if waited(rows):
        return "processor time, s", lambda row: (row.cpu_time_s, row.cpu_time_ratio)
    return "training time, s", lambda row: (row.time_s, row.time_ratio)


def waited(rows: Sequence[TableRow]) -> float:
    """Return the share of their training time that runs on a CPU waited for other programs; 0 where it is small."""
    results = [run for row in rows for run in row.results]
    if not results or any(run.environment.get("device") != "cpu" for run in results):
        return 0.0
    # With several threads this sees less than there is: one that sleeps may have no work, or no core.
    time_s = sum(run.cost["time_s"] for run in results)
    share = 1 - sum(run.cost["cpu_time_s"] for run in results) / time_s
    return share if share > MAX_WAITED else 0.0
