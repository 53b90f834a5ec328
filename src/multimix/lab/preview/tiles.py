"""Pictures side by side."""

from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.patheffects import Stroke
from torch import Tensor

TILE_INCHES = 1.8
OUTLINES = (0.25, 0.75)  # shares of x: one line around a box, two where a region is of both
Point = tuple[float, float]


@dataclass(frozen=True)
class Tile:
    """One picture of a preview.

    Attributes:
        picture: (C, H, W) in [0, 1].
        label: what stands under it.
        arrows: from where to where, in pixels, and their colour.
        framed: whether it has a thin frame, as all-white masks need.
        share: (H, W), the share of x: where it changes there is a line.
        colours: of a picture with one channel.
    """

    picture: Tensor
    label: str
    arrows: list[tuple[Point, Point, str]] = field(default_factory=list)
    framed: bool = False
    share: Tensor | None = None
    colours: str = "gray"


def draw_tiles(tiles: list[Tile], columns: int, title: str, upwards: bool) -> Figure:
    """Return a figure with so many tiles in a line.

    Args:
        tiles: The tiles.
        columns: How many stand side by side.
        title: Above them.
        upwards: Whether the first row of a picture is its lowest.
    """
    lines = -(-len(tiles) // columns)
    height, width = tiles[0].picture.shape[-2:]
    tall = min(max(height / width, 0.3), 3.0)  # of one tile, for pictures that are no thinner than a ribbon
    figure = Figure(figsize=(TILE_INCHES * columns, (TILE_INCHES * tall + 0.75) * lines), layout="constrained")
    figure.suptitle(title, fontsize=11)
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, tile in zip(grid.flat, tiles, strict=False):
        _draw(axes, tile, upwards)
    return figure


def _draw(axes: Axes, tile: Tile, upwards: bool) -> None:
    picture = tile.picture
    if tile.framed:
        axes.set_axis_on()
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(color="0.6", linewidth=0.6)
    axes.imshow(
        picture.squeeze(0).numpy() if len(picture) == 1 else picture.permute(1, 2, 0).numpy(),
        cmap=tile.colours,
        vmin=0,
        vmax=1,
        interpolation="nearest",
        origin="lower" if upwards else "upper",
    )
    if tile.share is not None:
        axes.add_artist(outline(tile.share.numpy()))
    for start, end, colour in tile.arrows:
        style = {"arrowstyle": "-|>", "color": colour, "lw": 1, "mutation_scale": 7, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", end, start, arrowprops=style)
    axes.annotate(
        tile.label,
        (0.5, 0),
        (0, -4),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="center",
        va="top",
        size=8.5,
    )


def outline(share: np.ndarray) -> PathPatch:
    """Return the borders between pixels of x and of its partner: white, with a dark rim to be seen on anything."""
    ends: list[np.ndarray] = []
    for level in OUTLINES:
        above = share > level
        beside = np.argwhere(above[:, 1:] != above[:, :-1])[:, ::-1] + 0.5  # (x, y) of the lower ends
        below = np.argwhere(above[1:] != above[:-1])[:, ::-1] + 0.5  # of the right ends
        ends += [np.stack([beside - (0, 1), beside], 1), np.stack([below - (1, 0), below], 1)]
    points = np.concatenate(ends).reshape(-1, 2)
    # One path for all borders, drawn in two strokes: a stroke for each border would take most of a preview's time.
    path = Path(points, np.tile(np.array([Path.MOVETO, Path.LINETO], Path.code_type), len(points) // 2))
    rim = [Stroke(linewidth=2.2, foreground="black"), Stroke(linewidth=1.0, foreground="white")]
    return PathPatch(path, fill=False, capstyle="projecting", path_effects=rim)
