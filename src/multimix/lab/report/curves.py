"""Test error while training, against steps and against seconds: one small picture per method, as inline SVG."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from multimix.lab.core.plots import LINES, SETTINGS, STYLES, as_svg
from multimix.lab.report import words
from multimix.lab.report.table import TableRow
from multimix.lab.statistics import Interval

AXES = ("step", "time_s")
FLOOR = 0.05  # percent; a logarithmic axis has no place for an error of zero


def curve(rows: Sequence[TableRow], axis: str, main_time: words.MainTime) -> str:
    """Return one picture as SVG: a line per row, the mean over seeds, in a band from the lowest to the highest.

    Args:
        rows: Rows that have results.
        axis: "step" or "time_s".
        main_time: The title of the time that the page shows, and what gives a row's.
    """
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(5.2, 3.2), layout="constrained")
        axes = figure.add_subplot()
        title, times = main_time
        for index, row in enumerate(rows):
            assert row.curve is not None  # rows that have results have one
            x = row.curve.step if axis == "step" else _seconds(row, row.curve.time_s, times(row)[0])
            _line(axes, row, x, index)
        _dress(axes, "steps" if axis == "step" else title)
        return as_svg(figure)


def _seconds(row: TableRow, by_clock: Sequence[float], whole: Interval | None) -> list[float]:
    """Return times of a curve in the time that the table shows: the clock's, or its share that processors worked."""
    share = whole.mean / row.time_s.mean if whole and row.time_s else 1.0
    return [share * time_s for time_s in by_clock]


def _line(axes: Axes, row: TableRow, x: Sequence[float], index: int) -> None:
    assert row.curve is not None
    error, low, high = (
        np.maximum(np.array(line) * 100, FLOOR) for line in (row.curve.error, row.curve.low, row.curve.high)
    )
    colour = LINES[index % len(LINES)]
    axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(x, error, color=colour, linestyle=STYLES[index % len(STYLES)], linewidth=1.8, label=words.kind(row))


def _dress(axes: Axes, label: str) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(label)
    axes.set_ylabel("test error, %")
    axes.set_xlim(left=0)
    axes.grid(True, which="major", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
