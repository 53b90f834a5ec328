"""Where a model of points in the plane changes its mind: the decision boundary, as inline SVG.

The picture of the multi-mix paper's toy experiment: colour tells the most likely class, its strength how sure the model
is, the points are those it learned from. More mixes per pair are expected to widen the band in which it is unsure.
"""

import io
from typing import Any

import matplotlib
import torch
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch import Tensor, nn

from multimix.lab.data import Split
from multimix.lab.metrics import evaluation_mode

GRID = 200  # points per side
MARGIN = 0.1  # around the points, in units of their spread
MAX_POINTS = 500
COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown", "tab:pink", "tab:olive")
SETTINGS: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "multimix", "figure.facecolor": "none"}


def boundary(model: nn.Module, split: Split, title: str = "") -> str:
    """Return the picture.

    Args:
        model: Gives logits for points in the plane.
        split: The points, on the model's device.
        title: What to write above it.

    Raises:
        ValueError: if the samples are no points in the plane.
    """
    if tuple(split.sample_shape) != (2,):
        raise ValueError(f"samples must be points in the plane, got shape {tuple(split.sample_shape)}; try synthetic")
    x, labels = next(split.chunks(MAX_POINTS))
    low, high = _frame(x)
    probabilities = probabilities_on_grid(model, low, high).cpu()
    colours = torch.tensor([to_rgb(COLOURS[label % len(COLOURS)]) for label in range(probabilities.shape[-1])])
    sure, label = probabilities.max(dim=-1)
    chance = 1 / probabilities.shape[-1]
    strength = ((sure - chance) / (1 - chance))[..., None]
    picture = 1 - strength * (1 - colours[label])
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(3.6, 3.6), layout="constrained")
        axes = figure.add_subplot()
        (left, bottom), (right, top) = low.tolist(), high.tolist()
        axes.imshow(picture.numpy(), extent=(left, right, bottom, top), origin="lower", aspect="equal")
        points = x.cpu()
        axes.scatter(
            points[:, 0], points[:, 1], s=8, c=colours[labels.cpu()].numpy(), edgecolors="black", linewidths=0.4
        )
        axes.set(title=title, xticks=[], yticks=[])
        file = io.StringIO()
        FigureCanvasSVG(figure).print_figure(file, format="svg", metadata={"Date": None})
    svg = file.getvalue()
    return svg[svg.index("<svg") :]


def probabilities_on_grid(model: nn.Module, low: Tensor, high: Tensor) -> Tensor:
    """Return the (GRID, GRID, C) probabilities, rows from the bottom up; the model stays in the mode it was in."""
    steps = torch.linspace(0, 1, GRID, device=low.device)
    across, up = (low[axis] + (high[axis] - low[axis]) * steps for axis in (0, 1))
    points = torch.stack(torch.meshgrid(across, up, indexing="xy"), dim=-1)
    with evaluation_mode(model):
        logits: Tensor = model(points.reshape(-1, 2))
    return logits.softmax(dim=1).reshape(GRID, GRID, -1)


def _frame(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the lower left and the upper right corner of the picture."""
    low, high = x.amin(dim=0), x.amax(dim=0)
    return low - MARGIN * (high - low), high + MARGIN * (high - low)
