"""The ordered path from one picture to another, as a picture."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from multimix import MultiMix, Plan
from multimix.lab.config import PreviewSettings
from multimix.lab.errors import UsageError
from multimix.lab.mixing import mixer
from multimix.lab.puzzle_tiles import Blocks, Tile, in_place_of_a_model, puzzle_tiles
from multimix.lab.randomness import seed_of
from multimix.lab.whole import write_whole

TILE_INCHES = 1.8
DPI = 150
MAX_COLUMNS = 9
STYLE: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 1, "interpolation": "nearest"}


def preview(settings: PreviewSettings) -> list[str]:
    """Writes the picture.

    Returns:
        What the user should know: the label weights of each mix, and whether an image was resized.

    Raises:
        UsageError: if an image cannot be read, or the method mixes inside a model.
    """
    a, b = _read(settings.image_a), _read(settings.image_b)
    notes = []
    if a.mode != b.mode:
        a, b = a.convert("RGB"), b.convert("RGB")
    if a.size != b.size:
        notes.append(f"{settings.image_b} was resized from {_size(b)} to {_size(a)}, the size of {settings.image_a}")
        b = b.resize(a.size, Image.Resampling.BICUBIC)
    x = torch.stack([_tensor(a), _tensor(b)])
    try:
        mix = mixer(settings, num_classes=2, num_mixes=settings.num_mixes)
        saliency = in_place_of_a_model(mix, x)
        plan, path, weights = _path(mix, x, saliency, settings.seed)
    except (TypeError, ValueError) as error:  # the method mixes inside a model, or has to ask one
        raise UsageError(
            f"a preview has two images and no model to mix inside of or to ask, got method={settings.method!r}; "
            f"choose another method ({error})"
        ) from error
    tiles = [Tile(picture, _label(i, len(path), w)) for i, (picture, w) in enumerate(zip(path, weights, strict=True))]
    columns = min(len(tiles), MAX_COLUMNS)
    if isinstance(plan.mask, Blocks):
        assert saliency is not None
        columns = len(tiles)
        tiles += puzzle_tiles(plan, plan.mask, saliency, path)
        notes.append("saliency is local contrast here: in training it is the gradient of the model's loss")
    _draw(tiles, columns, settings)
    shares = ", ".join(f"{weight:.2f}" for weight in weights)
    return [*notes, f"{settings.out}: label weights of {Path(settings.image_a).name}: {shares}"]


def _read(path: str) -> Image.Image:
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            return upright.convert("L" if upright.mode in ("1", "L", "I;16") else "RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise UsageError(f"an image must be a readable picture file, got {path!r}; {_why(path, error)}") from error


def _why(path: str, error: Exception) -> str:
    if not Path(path).exists():
        return "there is no such file"
    return "it is a folder" if Path(path).is_dir() else f"reading it failed: {error}"


def _size(image: Image.Image) -> str:
    return f"{image.width} × {image.height}"


def _tensor(image: Image.Image) -> Tensor:
    """Returns (C, H, W) values in [0, 1]."""
    pixels = np.asarray(image, dtype=np.float32) / 255
    return torch.from_numpy(np.atleast_3d(pixels)).permute(2, 0, 1)


def _path(mix: MultiMix, x: Tensor, saliency: Tensor | None, seed: int) -> tuple[Plan, Tensor, list[float]]:
    """Returns the plan, the pictures from x to its partner, both ends included, and the share of x in each label."""
    y = torch.tensor([0, 1])
    plan = mix.plan(x, y, saliency=saliency, generator=torch.Generator().manual_seed(seed_of(seed, "mix")))
    x_mix, y_mix = mix.apply(plan, x, y)
    assert y_mix is not None
    own, shares = x_mix[:: len(x)], y_mix[:: len(x), 0]  # rows are mix-major: every second one is of the first pair
    return plan, torch.cat([x[:1], own, x[1:]]), [1.0, *shares.tolist(), 0.0]


def _label(index: int, count: int, weight: float) -> str:
    title = {0: "x", count - 1: "x′"}.get(index, f"mix {index}")
    return f"{title}\n{weight:.2f} x + {1 - weight:.2f} x′"


def _draw(tiles: list[Tile], columns: int, settings: PreviewSettings) -> None:
    lines = -(-len(tiles) // columns)
    height, width = tiles[0].picture.shape[-2:]
    tall = min(max(height / width, 0.3), 3.0)  # of one tile, for pictures that are no thinner than a ribbon
    figure = Figure(figsize=(TILE_INCHES * columns, (TILE_INCHES * tall + 0.75) * lines), layout="constrained")
    figure.suptitle(f"{settings.method}, K = {settings.num_mixes}", fontsize=11)
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, tile in zip(grid.flat, tiles, strict=False):
        picture = tile.picture
        if tile.framed:
            axes.set_axis_on()
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set(color="0.6", linewidth=0.6)
        axes.imshow(picture.squeeze(0).numpy() if len(picture) == 1 else picture.permute(1, 2, 0).numpy(), **STYLE)
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
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(file, format=Path(settings.out).suffix[1:], dpi=DPI)
    Path(settings.out).parent.mkdir(parents=True, exist_ok=True)
    write_whole(Path(settings.out), file.getvalue())
