"""What does mixing do between the samples? Decision boundaries, and the loss along the path, on points in the plane.

    python experiments/synthetic_paths.py OUT [--seeds 5] [--jobs 2]

The setting of the multi-mix paper's toy experiment: two classes in the plane, a perceptron, none, mixup with K = 1 and
with K = 5, of as many rows (same-rows) and of as many pairs (same-pairs). Boundaries are those of seed 0. The loss
along the path is that of 2,000 test points, each with one random partner of the other class: cross-entropy at
lam x + (1 - lam) x' against the blended label, less the entropy of that label, which no model could avoid; in nats.

Writes results/synthetic_paths.png, .json (loss along the path of every run) and .md beside this file.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from rich.console import Console
from safetensors.torch import load_file
from torch import Tensor, nn

from multimix.lab.compare.rows import Row
from multimix.lab.compare.run import compare
from multimix.lab.compare.settings import CompareSettings
from multimix.lab.core.atomic_files import write_atomic, write_json
from multimix.lab.data import Data, open_data
from multimix.lab.metrics import evaluation_mode
from multimix.lab.models import build_model
from multimix.lab.statistics import paired, t_interval

HERE = Path(__file__).parent / "results"
SHAPES = {"moons": {"shape": "moons"}, "spirals": {"shape": "spirals", "noise": 0.05}}
ROWS = {
    "no mixing": Row("none", 1),
    "mixup, K = 1": Row("mixup", 1),
    "K = 5, same rows": Row("mixup", 5, "same-rows"),
    "K = 5, same pairs": Row("mixup", 5, "same-pairs"),
}
COLOURS = ("#6b7280", "#1f6fb4", "#c2570c", "#2e7d32")
LAMS = torch.linspace(0, 1, 41)
POINTS = 300  # of the training split that are drawn
GRID = 200  # points per side of a picture


def main() -> None:
    """Train what is missing, then draw and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    found: dict[str, dict[str, list[list[float]]]] = {}
    matplotlib.use("agg")
    figure = Figure(figsize=(15, 6.4), layout="constrained")
    for line, (shape, options) in enumerate(SHAPES.items()):
        settings = CompareSettings(
            data=("synthetic",), data_options=options, model="mlp", methods=("none", "mixup"), num_mixes=(1, 5),
            batch_size=120, steps=1000, evaluations=4, seeds=asked.seeds, jobs=asked.jobs, out=str(asked.out / shape),
        )  # fmt: skip
        compare(settings, "python experiments/synthetic_paths.py OUT", Console(width=140))
        data = open_data("synthetic", options)
        found[shape] = {}
        for column, (title, row) in enumerate(ROWS.items()):
            models = [_model(Path(row.folder(settings, seed)), data) for seed in range(asked.seeds)]
            found[shape][title] = [_excess(model, data).tolist() for model in models]
            axes = figure.add_subplot(2, 5, 5 * line + column + 1)
            _boundary(axes, models[0], data)
            axes.set_title(title if line == 0 else "", fontsize=12)
        _paths(figure.add_subplot(2, 5, 5 * line + 5), found[shape], legend=line == 0)
    figure.savefig(HERE / "synthetic_paths.png", dpi=80)
    write_json(HERE / "synthetic_paths.json", {"lam": LAMS.tolist(), "excess_loss": _short(found)})
    write_atomic(HERE / "synthetic_paths.md", _page(found))


def _model(folder: Path, data: Data) -> nn.Module:
    model = build_model("mlp", data.sample_shape, data.num_classes)
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model.eval()


@torch.no_grad()
def _excess(model: nn.Module, data: Data) -> Tensor:
    """Returns the mean loss above the label's entropy at each lam."""
    x, labels = next(data.test.chunks(10_000))
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.nonzero(labels == label).flatten() for label in (0, 1))
    pairs = min(len(first), len(second))
    a = first[torch.randperm(len(first), generator=generator)[:pairs]]
    b = second[torch.randperm(len(second), generator=generator)[:pairs]]
    losses = []
    for lam in LAMS.tolist():
        logits = model(lam * x[a] + (1 - lam) * x[b]).log_softmax(dim=1)
        cross = -(lam * logits[:, 0] + (1 - lam) * logits[:, 1]).mean()
        entropy = -sum(share * math.log(share) for share in (lam, 1 - lam) if share > 0)
        losses.append(cross.item() - entropy)
    return torch.tensor(losses)


def _boundary(axes: Axes, model: nn.Module, data: Data) -> None:
    x, labels = next(data.train.chunks(POINTS))
    low, high = x.amin(dim=0) - 0.3, x.amax(dim=0) + 0.3
    probabilities = probabilities_on_grid(model, low, high)
    colours = torch.tensor([to_rgb(colour) for colour in (COLOURS[1], COLOURS[2])])
    sure, label = probabilities.max(dim=-1)
    picture = 1 - (2 * sure - 1)[..., None] * (1 - colours[label])
    (left, bottom), (right, top) = low.tolist(), high.tolist()
    axes.imshow(picture.numpy(), extent=(left, right, bottom, top), origin="lower", aspect="auto")
    axes.scatter(x[:, 0], x[:, 1], s=7, c=colours[labels].numpy(), edgecolors="black", linewidths=0.3)
    axes.set(xticks=[], yticks=[])


def probabilities_on_grid(model: nn.Module, low: Tensor, high: Tensor) -> Tensor:
    """Returns the (GRID, GRID, C) probabilities, rows from the bottom up; the model stays in the mode it was in."""
    steps = torch.linspace(0, 1, GRID, device=low.device)
    across, up = (low[axis] + (high[axis] - low[axis]) * steps for axis in (0, 1))
    points = torch.stack(torch.meshgrid(across, up, indexing="xy"), dim=-1)
    with evaluation_mode(model):
        logits: Tensor = model(points.reshape(-1, 2))
    return logits.softmax(dim=1).reshape(GRID, GRID, -1)


def _paths(axes: Axes, found: dict[str, list[list[float]]], legend: bool) -> None:
    for (title, runs), colour in zip(found.items(), COLOURS, strict=True):
        values = np.array(runs)
        axes.plot(LAMS, values.mean(axis=0), color=colour, label=title)
        axes.fill_between(LAMS, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.2, linewidth=0)
    axes.set(xlabel="λ", yscale="log", ylim=(1e-3, None))
    axes.set_title("loss above the label's entropy, nats", fontsize=11)
    axes.grid(True, linewidth=0.4)
    axes.spines[["top", "right"]].set_visible(False)
    if legend:
        axes.legend(frameon=False, fontsize=9)


def _short(found: Any) -> Any:
    return json.loads(json.dumps(found), parse_float=lambda text: float(f"{float(text):.5g}"))


def _page(found: dict[str, dict[str, list[list[float]]]]) -> str:
    seeds = len(next(iter(next(iter(found.values())).values())))
    parts = [
        "# Between the samples: points in the plane",
        f"Printed by `python experiments/synthetic_paths.py OUT`: perceptron, 1,000 steps of 120 rows, {seeds} seeds. "
        "Loss along the path above the label's entropy, mean over λ and pairs, nats: mean ± half-width of the 95 % "
        "t-interval over seeds; differences to K = 1 are paired by seed.",
        "![Decision boundaries of seed 0, and the loss along the path](synthetic_paths.png)",
        "| points | | loss along the path | against K = 1 |\n|---|---|---:|---:|",
    ]
    for shape, rows in found.items():
        means = {title: [float(np.mean(run)) for run in runs] for title, runs in rows.items()}
        for title, values in means.items():
            own = t_interval(values)
            change = ""
            if title.startswith("K = 5"):
                difference = paired(values, means["mixup, K = 1"]).difference
                change = f"{difference.mean:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})"
            parts[-1] += f"\n| {shape} | {title} | {own.mean:.4f} ± {own.half_width:.4f} | {change} |"
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
