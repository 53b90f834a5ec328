"""The pictures of docs/evaluation.md. Run: python docs/figures/corruptions.py"""

from pathlib import Path

import matplotlib
import torch
import torch.nn.functional as F
from matplotlib import pyplot
from sklearn.datasets import load_sample_images

from multimix.lab.evaluate.corruptions import EXTRA, MAIN, SEVERITIES, corrupt

HERE = Path(__file__).parent


def photograph(side: int) -> torch.Tensor:
    """One of the photographs that scikit-learn ships, square."""
    image = torch.from_numpy(load_sample_images().images[0][:, 110:537].copy())
    return F.interpolate(image.movedim(-1, 0)[None].float() / 255, size=(side, side), mode="area")


def sheet(side: int, name: str, inches: float) -> None:
    """All types, two beside each other, clean and with rising severity."""
    x = photograph(side)
    kinds = [*MAIN, *EXTRA]
    lines = -(-len(kinds) // 2)
    width = 1 + len(SEVERITIES)
    figure, grid = pyplot.subplots(lines, 2 * width, figsize=(2 * width * inches, lines * inches), layout="constrained")
    for axes in grid.flat:
        axes.axis("off")
    for number, kind in enumerate(kinds):
        line = grid[number % lines, number // lines * width : (number // lines + 1) * width]
        for axes, severity in zip(line, [0, *SEVERITIES], strict=True):
            y = x if severity == 0 else corrupt(x, kind, severity, seed=4)
            axes.imshow(y[0].movedim(0, -1), interpolation="nearest")
        line[0].set_title(kind, fontsize=9, loc="left", pad=3)
    for start in (0, width):
        for severity in SEVERITIES:
            grid[0, start + severity].set_title(str(severity), fontsize=9, pad=3)
    figure.savefig(HERE / name, dpi=90)


if __name__ == "__main__":
    matplotlib.use("agg")
    sheet(32, "corruptions.png", 0.95)
