"""Paired differences of error at a glance: a line per row with its 95 % interval, and a line at zero."""

from collections.abc import Sequence

import matplotlib
from matplotlib.figure import Figure

from multimix.lab.core.plots import BETTER, FAINT, INK, SETTINGS, WORSE, as_svg
from multimix.lab.report import words
from multimix.lab.report.table import TableRow

COLOURS = {"better": BETTER, "worse": WORSE}
LINE_INCHES = 0.27
FRAME_INCHES = 0.75


def forests(rows: Sequence[TableRow]) -> list[tuple[str, str]]:
    """Return a title and a picture as SVG for each control and variant; all have the same axis."""
    compared = [row for row in rows if "error" in row.changes and row.changes["error"].difference.n > 1]
    limits = _limits(compared)
    kinds = dict.fromkeys((row.row.control, row.row.variant) for row in compared)
    groups = [[row for row in compared if (row.row.control, row.row.variant) == kind] for kind in kinds]
    return [(_title(those[0]), _picture(those, limits)) for those in groups]


def _limits(rows: Sequence[TableRow]) -> tuple[float, float]:
    ends = [100 * end for row in rows for end in _interval(row)] + [0.0]
    margin = 0.04 * (max(ends) - min(ends)) or 1.0
    return min(ends) - margin, max(ends) + margin


def _interval(row: TableRow) -> tuple[float, float]:
    difference = row.changes["error"].difference
    return difference.low, difference.high


def _title(row: TableRow) -> str:
    against = "the row without it" if row.row.variant else "K = 1"
    return f"{', '.join(filter(None, (row.row.variant, row.row.control)))} against {against}"


def _picture(rows: Sequence[TableRow], limits: tuple[float, float]) -> str:
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(4.4, LINE_INCHES * len(rows) + FRAME_INCHES), layout="constrained")
        axes = figure.add_subplot()
        axes.axvline(0, color=INK, linewidth=1)
        for place, row in enumerate(rows):
            colour = COLOURS.get(row.changes["error"].verdict, FAINT)
            low, high = _interval(row)
            axes.plot([100 * low, 100 * high], [place, place], color=colour, linewidth=1.8)
            axes.plot(100 * row.changes["error"].difference.mean, place, "o", color=colour, markersize=5)
        axes.set(xlim=limits, ylim=(len(rows) - 0.5, -0.5))
        axes.set_yticks(range(len(rows)), [_label(row, rows) for row in rows])
        axes.set_xlabel("difference of error, points: left is better")
        axes.tick_params(axis="y", length=0)
        axes.grid(True, axis="x", linewidth=0.6)
        axes.spines[["top", "right", "left"]].set_visible(False)
        return as_svg(figure)


def _label(row: TableRow, rows: Sequence[TableRow]) -> str:
    """Return what tells a row from the others in its picture."""
    several = len({other.row.num_mixes for other in rows}) > 1
    mixes = f"K = {row.row.num_mixes}" if several else ""
    length = "" if row.row.length is None else f"{row.row.length} steps"
    return ", ".join(part for part in (words.method(row), mixes, length) if part)
