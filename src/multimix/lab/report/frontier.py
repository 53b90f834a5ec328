"""Test error against the time it cost: one picture per method, its rows beside those without mixing."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from multimix.lab.core.plots import LINES, SETTINGS, as_svg
from multimix.lab.report import words
from multimix.lab.report.table import TableRow

MARKERS = "osD^vP"
FLOOR = 0.05  # percent; a logarithmic axis has no place for an error of zero
MARGIN = 1.15  # beside the outermost points
TALL = 1.4  # how far beyond the outermost means intervals are shown


@dataclass(frozen=True, order=True)
class Point:
    """A row as a point.

    Args:
        time_s: Mean time of its runs.
        error: Mean test error in percent.
        low: Lower end of its interval; the mean itself for a single seed.
        high: Upper end.
    """

    time_s: float
    error: float
    low: float
    high: float


def frontiers(rows: Sequence[TableRow]) -> list[tuple[str, str]]:
    """Return a title and a picture as SVG for each method that mixes; all have the same axes.

    A point is a row: its mean error over seeds with the 95 % interval, against its mean training time. A line joins the
    lengths of one kind of row.
    """
    done = [row for row in rows if "error" in row.metrics and row.time_s is not None]
    if len(done) < 2:
        return []
    title, times = words.main_time(rows)
    points = [_point(row, times(row)[0].mean) for row in done]  # type: ignore[union-attr]
    plain = [(row, point) for row, point in zip(done, points, strict=True) if row.row.method == "none"]
    mixed = [(row, point) for row, point in zip(done, points, strict=True) if row.row.method != "none"]
    by_method = [(method, [*plain, *own]) for method, own in groupby(mixed, lambda pair: words.method(pair[0]))]
    return [(method, _picture(those, points, title)) for method, those in by_method or [("none", plain)]]


def _point(row: TableRow, time_s: float) -> Point:
    error = row.metrics["error"]
    low, high = (error.mean, error.mean) if error.n < 2 else (error.low, error.high)
    return Point(time_s, *(max(FLOOR, 100 * value) for value in (error.mean, low, high)))


def _picture(rows: Sequence[tuple[TableRow, Point]], every: Sequence[Point], time: str) -> str:
    series: dict[str, list[Point]] = {}
    for row, point in rows:
        series.setdefault(words.kind(row), []).append(point)
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(4.4, 3.4), layout="constrained")
        axes = figure.add_subplot()
        for index, (label, points) in enumerate(series.items()):
            colour, marker = LINES[index % len(LINES)], MARKERS[index % len(MARKERS)]
            x = [point.time_s for point in sorted(points)]
            axes.plot(x, [p.error for p in sorted(points)], color=colour, marker=marker, markersize=5, label=label)
            low, high = [p.low for p in sorted(points)], [p.high for p in sorted(points)]
            axes.vlines(x, low, high, color=colour, linewidth=1.2)
        axes.set_xlim(min(p.time_s for p in every) / MARGIN, max(p.time_s for p in every) * MARGIN)
        # Means are all seen; an interval that is very wide, as those of two seeds are, is cut off.
        axes.set_ylim(
            max(min(p.low for p in every), min(p.error for p in every) / TALL) / MARGIN,
            min(max(p.high for p in every), max(p.error for p in every) * TALL) * MARGIN,
        )
        _dress(axes, time)
        figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=9)
        return as_svg(figure)


def _dress(axes: Axes, time: str) -> None:
    axes.set(xscale="log", yscale="log", xlabel=time, ylabel="test error, %")
    for axis, ticks in ((axes.xaxis, (1, 2, 5)), (axes.yaxis, (1, 1.5, 2, 3, 5, 7))):
        axis.set_major_locator(LogLocator(subs=ticks, numticks=12))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
        axis.set_minor_locator(NullLocator())
    axes.grid(True, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
