"""Variance against K, with the floor and the best K: a picture of what `multimix variance` measured."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from multimix.lab.core.plots import LINES, SETTINGS, STYLES, THEME, as_svg
from multimix.lab.variance.claims import drawn
from multimix.lab.variance.designs import LARGE, MIXES

Json = dict[str, Any]
# What the page's stand-ins are where there is no page: ink, grid, lines.
PLAIN = ("#1a1a1a", "#d0d0d0", "#0b6bcb", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#475569")
DPI = 150


def variance_plot(result: Mapping[str, Any], format: str = "svg") -> bytes:
    """Draw one panel per moment: V of P pairs × K, and of K P pairs × 1, in units of K = 1, against K.

    The shaded band is the 95 % interval; the dotted line the floor, what is left for K to infinity; the triangle on the
    axis is the K with least V × time from as many pairs.

    Args:
        result: What variance.json holds (`multimix.lab.variance.run` names its keys). Read are, per moment: at;
            designs: kind, num_mixes, sampling, share, partners, norm, variance; floor: to_one; best: same_pairs.
        format: "svg", for a page, whose colours it takes; or "png", which stands alone.
    """
    moments = result["moments"]
    plain = format == "png"
    colours = dict(zip(THEME, PLAIN, strict=True))
    settings = {key: colours.get(value, value) if plain else value for key, value in SETTINGS.items()}
    with matplotlib.rc_context(settings | ({"figure.facecolor": "white"} if plain else {})):
        figure = Figure(figsize=(3.6 * len(moments) + 1.4, 4.8), layout="constrained")
        grid = figure.subplots(1, len(moments), squeeze=False, sharey=True)
        lines = [colours[line] for line in LINES] if plain else list(LINES)
        for axes, moment in zip(grid.flat, moments, strict=True):
            _panel(axes, moment, lines)
        grid.flat[0].set_ylabel("V, in units of K = 1")
        figure.legend(*grid.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
        return _png(figure) if plain else as_svg(figure).encode()


def _panel(axes: Axes, moment: Json, lines: Sequence[str]) -> None:
    unit = moment["designs"][0]["variance"]["value"]
    for index, (label, group) in enumerate(_groups(moment["designs"]).items()):
        k = [design["num_mixes"] for design in group]
        value, low, high = ([design["variance"][name] / unit for design in group] for name in ("value", "low", "high"))
        colour, style = lines[index % len(lines)], STYLES[index % len(STYLES)]
        axes.fill_between(k, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(k, value, color=colour, linestyle=style, linewidth=1.8, marker="o", markersize=3, label=label)
    floor = moment["floor"]["to_one"]["value"]
    if floor is not None:
        axes.axhline(floor, color=lines[-1], linestyle=":", linewidth=1.4, label="floor: K to infinity")
    best = moment["best"]["same_pairs"]
    axes.plot([best], [0.02], "^", color=lines[-1], transform=axes.get_xaxis_transform(), label="K with least V × time")
    values = sorted({design["num_mixes"] for design in moment["designs"]})
    axes.set(xscale="log", yscale="log", title=_when(moment["at"]), xlabel="K")
    axes.xaxis.set_major_locator(FixedLocator(values))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(True, which="major", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _groups(designs: Sequence[Json]) -> dict[str, list[Json]]:
    """Return the lines, each from K = 1 on: as configured, as published, with the other partners, and large batches."""
    trained = [design for design in designs if design["norm"] == "batch"]
    ones = {drawn(design): design for design in trained if design["num_mixes"] == 1}
    first = trained[0]
    groups: dict[str, list[Json]] = {}
    for design in trained:
        configured = (design["sampling"], design["share"]) == (first["sampling"], first["share"])
        published = (design["sampling"], design["share"]) == ("iid", "batch")
        if design["kind"] in (MIXES, LARGE) and design["num_mixes"] > 1 and (configured or published):
            one = ones.get(drawn(design), first)
            groups.setdefault(f"{design['kind']}, {drawn(design)}", [one]).append(design)
    return groups


def _when(at: str) -> str:
    return f"{at} of the run" if at.endswith("%") else f"after {at} epochs"


def _png(figure: Figure) -> bytes:
    picture = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(picture, format="png", dpi=DPI)
    return picture.getvalue()
