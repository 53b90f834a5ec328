"""The pictures of docs/concepts.md. Run: python docs/figures/how_it_works.py"""

from pathlib import Path

import matplotlib
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from PIL import Image
from scipy.stats import beta
from sklearn.datasets import load_sample_images
from torch import Tensor

from multimix import CutMix, MixUp, MultiMix, PuzzleMix

HERE = Path(__file__).parent
SIDE, NUM_MIXES, PAIRS, ALPHA = 160, 5, 20, 1.0
METHODS = {"MixUp": MixUp(), "CutMix": CutMix(boxes="inside"), "Puzzle Mix": PuzzleMix(grid=8)}
COLOURS = pyplot.get_cmap("viridis")(np.linspace(0.05, 0.9, NUM_MIXES))
LINE = {"color": "0.6", "linewidth": 0.6}


def seeded(seed: int) -> torch.Generator:
    """A generator that starts anew."""
    return torch.Generator().manual_seed(seed)


def photographs() -> tuple[Tensor, Tensor]:
    """The two photographs that scikit-learn ships, square, and their local contrast in place of a model's gradient."""
    x = torch.stack([torch.from_numpy(image[:, 80:507].copy()) for image in load_sample_images().images])
    x = F.interpolate(x.movedim(-1, 1).float() / 255, size=(SIDE, SIDE), mode="area")
    contrast = x.diff(dim=2, append=x[:, :, -1:]).square() + x.diff(dim=3, append=x[..., -1:]).square()
    return x, F.avg_pool2d(contrast.mean(1, keepdim=True), 17, 1, 8, count_include_pad=False)[:, 0]


def bare(axes: Axes, below: str = "") -> None:
    """No ticks, words below."""
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel(below, fontsize=9)
    axes.spines[:].set(**LINE)


def masks() -> None:
    """For every method its masks, and below them the mixes they make."""
    x, saliency = photographs()
    marks = torch.tensor([1.0, 0.0]).reshape(2, 1, 1, 1).expand(2, 1, SIDE, SIDE).contiguous()
    figure, grid = pyplot.subplots(6, 7, figsize=(12, 11), layout="constrained")
    for row, (name, method) in enumerate(METHODS.items()):
        mix = MultiMix(method, num_mixes=NUM_MIXES, num_classes=2)
        plan = mix.plan(x, torch.tensor([0, 1]), saliency=saliency, generator=seeded(7))
        shares, pictures = mix.apply(plan, marks)[0][::2, 0], mix.apply(plan, x)[0][::2]
        above, below = grid[2 * row : 2 * row + 2]
        bare(above[0])
        above[0].text(0.5, 0.5, f"{name}:\nmasks", ha="center", va="center", fontsize=12)
        above[0].spines[:].set_visible(False)
        above[-1].axis("off")
        for axes, share, weight in zip(above[1:-1], shares, plan.weight[:, 0].tolist(), strict=True):
            axes.imshow(share, cmap="gray", vmin=0, vmax=1)
            bare(axes, f"mean {weight:.2f}")
        labels = ["x", *(f"{w:.2f} x + {1 - w:.2f} x′" for w in plan.weight[:, 0].tolist()), "x′"]
        for axes, picture, label in zip(below, [x[0], *pictures, x[1]], labels, strict=True):
            axes.imshow(picture.movedim(0, -1))
            bare(axes, label)
    figure.savefig(HERE / "how-masks.png", dpi=80)
    with Image.open(HERE / "how-masks.png") as picture:  # 256 colours: a third of the bytes
        picture.convert("RGB").quantize().save(HERE / "how-masks.png", optimize=True)


def coefficients() -> None:
    """Where the coefficients of twenty pairs lie, stratified and independent, under their density."""
    figure, panels = pyplot.subplots(1, 2, figsize=(10, 3.4), layout="constrained", sharey=True)
    edges = beta.ppf(np.linspace(0, 1, NUM_MIXES + 1), ALPHA, ALPHA)
    for axes, sampling in zip(panels, ("stratified", "iid"), strict=True):
        mix = MultiMix(MixUp(ALPHA), num_mixes=NUM_MIXES, sampling=sampling)
        lam = mix.plan(torch.zeros(PAIRS, 1), generator=seeded(3)).lam
        for k, colour in enumerate(COLOURS):
            axes.scatter(lam[k], range(PAIRS), s=16, color=colour, label=f"mix {k + 1}")
        if sampling == "stratified":
            for edge in edges:
                axes.axvline(edge, **LINE)
        axes.set(title=f'sampling="{sampling}"', xlabel="λ, the share of x", xlim=(-0.02, 1.02))
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set(ylabel="pair", yticks=[0, 5, 10, 15])
    panels[1].legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.savefig(HERE / "how-coefficients.png", dpi=100)


def rows() -> None:
    """What a step of 20 rows sees: 20 pairs once, 4 pairs five times, 20 pairs five times."""
    cases = (
        (20, 1, "K = 1:\n20 pairs, 20 rows"),
        (4, 5, "same rows:\nB/K = 4 pairs × 5"),
        (20, 5, "same pairs:\n20 pairs × 5"),
    )
    figure, panels = pyplot.subplots(1, 3, figsize=(10, 2.9), layout="constrained")
    for axes, (pairs, mixes, title) in zip(panels, cases, strict=True):
        lam = MultiMix("mixup", num_mixes=mixes).plan(torch.zeros(pairs, 1), generator=seeded(1)).lam.numpy()
        own, other = np.array(to_rgb("tab:blue")), np.array(to_rgb("tab:orange"))
        picture = np.ones((5, 20, 3))
        picture[:mixes, :pairs] = lam[..., None] * own + (1 - lam[..., None]) * other
        axes.imshow(picture, extent=(0, 20, 5, 0), aspect="auto")
        for place in range(21):
            axes.axvline(place, color="white", linewidth=1.5)
        for place in range(6):
            axes.axhline(place, color="white", linewidth=1.5)
        axes.set(title=title, xlabel="pair", xticks=[0.5, pairs - 0.5], yticks=[0.5, 4.5] if mixes > 1 else [0.5])
        axes.set_xticklabels(["1", str(pairs)])
        axes.set_yticklabels(["1", "5"] if mixes > 1 else ["1"])
        axes.spines[:].set_visible(False)
        axes.title.set_fontsize(10)
    panels[0].set_ylabel("mix")
    figure.savefig(HERE / "how-rows.png", dpi=100)


if __name__ == "__main__":
    matplotlib.use("agg")
    masks()
    coefficients()
    rows()
