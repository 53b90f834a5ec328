"""The picture of docs/methods.md: five mixes by each method that mixes images. Run: python docs/figures/methods.py"""

from pathlib import Path

import matplotlib
import torch
import torch.nn.functional as F
from matplotlib import pyplot
from path import photographs

from multimix import CutMix, MultiMix, PuzzleMix, SaliencyMix, TopMix

WIDTH = 150  # pixels per picture
METHODS = {
    "mixup": "mixup",
    "cutmix": CutMix(boxes="inside"),
    "puzzlemix": PuzzleMix(grid=16, transport=False),
    "fmix": "fmix",
    "resizemix": "resizemix",
    "gridmix": "gridmix",
    "smoothmix": "smoothmix",
    "saliencymix": SaliencyMix(boxes="inside"),
    "topmix": TopMix(grid=16),
}
FILE = Path(__file__).with_suffix(".png")


def saliency(x: torch.Tensor) -> torch.Tensor:
    """Squared differences of neighbours, smoothed: there is no model that Puzzle Mix could ask."""
    across, down = x.diff(dim=3).square().mean(1), x.diff(dim=2).square().mean(1)
    edges = F.pad(across, (0, 1)) + F.pad(down, (0, 0, 0, 1))
    return F.avg_pool2d(edges[:, None], 13, stride=1, padding=6)[:, 0]


def main() -> None:
    """Draw one row per method: x, five mixes, x′, each with the weight of x in its label."""
    matplotlib.use("agg")
    x = photographs()
    x = F.interpolate(x, size=(WIDTH * x.shape[2] // x.shape[3], WIDTH), mode="area")
    figure, grid = pyplot.subplots(len(METHODS), 7, figsize=(11, 13), layout="constrained")
    for axes, (name, method) in zip(grid, METHODS.items(), strict=True):
        mix = MultiMix(method, num_mixes=5, num_classes=2)
        given = saliency(x) if name in ("puzzlemix", "topmix") else None
        generator = torch.Generator().manual_seed(11)
        x_mix, y_mix = mix(x, torch.tensor([0, 1]), saliency=given, generator=generator)
        pictures = [x[0], *x_mix[::2], x[1]]
        labels = ["x", *(f"{w:.2f}" for w in y_mix[::2, 0].tolist()), "x′"]  # few letters: readable on a phone
        for axis, picture, label in zip(axes, pictures, labels, strict=True):
            axis.imshow(picture.movedim(0, -1).numpy())
            axis.set_title(label, fontsize=20)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        axes[0].set_ylabel(name, fontsize=14)
    figure.savefig(FILE, dpi=72, pil_kwargs={"optimize": True})


if __name__ == "__main__":
    main()
