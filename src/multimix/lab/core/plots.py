"""Pictures as inline SVG whose colours are the page's, light or dark."""

import io
import re
from typing import Any

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# Stand-ins that nobody would choose, replaced by the page's colours.
INK, GRID = "#010101", "#020202"
LINES = ("#030301", "#030302", "#030303", "#030304", "#030305", "#030306")
BETTER, WORSE, FAINT = "#040401", "#040402", "#040403"
STYLES = ("-", "--", "-.", ":")
THEME = {INK: "var(--ink)", GRID: "var(--grid)"} | {line: f"var(--line-{i})" for i, line in enumerate(LINES)}
VERDICTS = {BETTER: "var(--better)", WORSE: "var(--worse)", FAINT: "var(--faint)"}
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it takes the page's font and can be searched
    "svg.hashsalt": "multimix",  # the same data give the same page
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.edgecolor": GRID,
    "grid.color": GRID,
}


def as_svg(figure: Figure) -> str:
    """Return a figure that was drawn with the stand-ins; SETTINGS must still hold."""
    picture = io.StringIO()
    FigureCanvasSVG(figure).print_figure(
        picture, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
    )
    svg = picture.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r' id="\w+_\d+"', "", svg)  # names of groups: a page has many pictures, and an id must be the only one
    svg = re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", svg)  # a hundredth of a point is enough
    svg = re.sub(r"\s*\n(?:L )?\s*", " ", svg)  # pairs that follow a pair are the ends of lines without a word
    for stand_in, colour in (THEME | VERDICTS).items():
        svg = svg.replace(stand_in, colour)
    return svg
