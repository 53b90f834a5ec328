"""The README's picture: the ordered path between two photographs. Run: python docs/figures/path.py"""

from pathlib import Path

import matplotlib
import torch
import torch.nn.functional as F
from matplotlib import pyplot
from sklearn.datasets import load_sample_images

from multimix import CutMix, MixUp, MultiMix

HEIGHT = 150  # pixels per picture
FILE = Path(__file__).with_suffix(".png")


def photographs() -> torch.Tensor:
    """The two photographs that scikit-learn ships, (2, 3, H, W) in [0, 1]."""
    x = torch.stack([torch.from_numpy(image.copy()) for image in load_sample_images().images])
    x = x.movedim(-1, 1).float() / 255
    return F.interpolate(x, size=(HEIGHT, HEIGHT * x.shape[3] // x.shape[2]), mode="area")


def main() -> None:
    """Draw one row per method: x, five mixes, x′, each with the weight of x in its label."""
    matplotlib.use("agg")
    x = photographs()
    figure, grid = pyplot.subplots(2, 7, figsize=(14, 3.6), layout="constrained")
    for axes, (name, method) in zip(grid, {"MixUp": MixUp(), "CutMix": CutMix()}.items(), strict=True):
        mix = MultiMix(method, num_mixes=5, num_classes=2)
        x_mix, y_mix = mix(x, torch.tensor([0, 1]), generator=torch.Generator().manual_seed(7))
        pictures = [x[0], *x_mix[::2], x[1]]
        labels = [
            "x",
            *(f"{weight:.2f}" for weight in y_mix[::2, 0].tolist()),
            "x′",
        ]  # few letters: readable on a phone
        for axis, picture, label in zip(axes, pictures, labels, strict=True):
            axis.imshow(picture.movedim(0, -1).numpy())
            axis.set_title(label, fontsize=26)
            axis.set(xticks=[], yticks=[], frame_on=False)
        axes[0].set_ylabel(name, fontsize=26)
    figure.savefig(FILE, dpi=90)


if __name__ == "__main__":
    main()
