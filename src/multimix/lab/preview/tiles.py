"""Pictures side by side."""

from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
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
        axes.add_collection(outline(tile.share.numpy()), autolim=False)
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


def outline(share: np.ndarray) -> LineCollection:
    """Return the borders between pixels of x and of its partner: white, with a dark rim to be seen on anything."""
    segments: list[list[Point]] = []
    for level in OUTLINES:
        above = share > level
        segments += [[(j + 0.5, i - 0.5), (j + 0.5, i + 0.5)] for i, j in np.argwhere(above[:, 1:] != above[:, :-1])]
        segments += [[(j - 0.5, i + 0.5), (j + 0.5, i + 0.5)] for i, j in np.argwhere(above[1:] != above[:-1])]
    rim = [Stroke(linewidth=2.2, foreground="black"), Stroke(linewidth=1.0, foreground="white")]
    return LineCollection(segments, capstyle="projecting", path_effects=rim)
