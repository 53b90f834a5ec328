"""Of what was predicted with this confidence, how much came true: a small diagram per row, pooled over seeds."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from multimix.lab.core.plots import GRID, INK, LINES, SETTINGS, as_svg
from multimix.lab.report.results import Result
from multimix.lab.report.table import TableRow

PLAIN, SCALED = "reliability", "reliability_scaled"
MANY = 5  # the number of mixes that is shown beside one, if there is such a row; else the largest


def shown(rows: Sequence[TableRow]) -> list[TableRow]:
    """Return the rows whose diagrams are shown: of each method K = 1, and K = 5 with each control, at full length."""
    longest = max((row.row.length or 0 for row in rows), default=0)
    own = [row for row in rows if (row.row.length or 0) == longest and not row.row.variant]
    measured = [row for row in own if bins(row.results, PLAIN)]
    counts = {row.row.num_mixes for row in measured if row.row.control}
    many = MANY if MANY in counts else max(counts, default=1)
    return [row for row in measured if row.row.num_mixes in (1, many)]


def bins(runs: Sequence[Result], name: str) -> dict[int, tuple[float, float, float]]:
    """Return bin -> (samples, their mean confidence, their accuracy) over all runs."""
    sums: dict[int, np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
    for run in runs:
        for full_name, count in run.evaluation.items():
            if full_name.startswith(f"{name}/") and full_name.endswith("/count"):
                of_bin = full_name.removesuffix("count")
                means = (run.evaluation[f"{of_bin}confidence"], run.evaluation[f"{of_bin}accuracy"])
                number = int(of_bin.split("/")[1])
                sums[number] = sums.get(number, np.zeros(3)) + count * np.array([1.0, *means])
    return {number: (n, sure / n, right / n) for number, (n, sure, right) in sorted(sums.items())}


def diagram(row: TableRow) -> str:
    """Return a row's diagram as SVG: as trained, and with temperature scaling where that was measured."""
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(2.3, 2.1))
        axes = figure.add_axes((0.2, 0.2, 0.75, 0.75))
        axes.plot([0, 100], [0, 100], color=GRID, linewidth=1)
        _dots(axes, bins(row.results, PLAIN), LINES[1], "as trained")
        if scaled := bins(row.results, SCALED):
            _dots(axes, scaled, LINES[2], "scaled", linestyle="--")
        axes.set(xlim=(0, 100), ylim=(0, 100), xticks=(0, 50, 100), yticks=(0, 50, 100), aspect="equal")
        axes.tick_params(labelsize=8)
        axes.set_xlabel("confidence, %", fontsize=8)
        axes.set_ylabel("right, %", fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=7, loc="lower right", labelcolor=INK)
        return as_svg(figure)


def _dots(
    axes: Axes, found: dict[int, tuple[float, float, float]], colour: str, label: str, linestyle: str = "-"
) -> None:
    """Draw a dot for each bin; its area is the share of samples in it."""
    count, sure, right = np.array(list(found.values())).T
    axes.plot(sure * 100, right * 100, color=colour, linewidth=1.2, linestyle=linestyle, label=label)
    axes.scatter(sure * 100, right * 100, s=4 + 60 * count / count.sum(), color=colour, linewidth=0, alpha=0.6)
