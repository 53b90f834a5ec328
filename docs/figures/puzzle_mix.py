"""The pictures of docs/puzzle-mix.md. Run: python docs/figures/puzzle_mix.py"""

from pathlib import Path

import matplotlib
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib import pyplot
from matplotlib.axes import Axes
from sklearn.datasets import load_sample_images

from multimix import MultiMix, PuzzleMix
from multimix.grid import cut
from multimix.puzzle import solve_masks
from multimix.puzzle.energy import block_saliency, pair_energy, thresholds

HERE = Path(__file__).parent
SIDE, GRID = 192, 16
LAM = torch.tensor([0.95, 0.75, 0.5, 0.25, 0.05], dtype=torch.float64)
COLOURS = pyplot.get_cmap("viridis")(np.linspace(0.05, 0.9, len(LAM)))


def photographs() -> tuple[torch.Tensor, torch.Tensor]:
    """The two photographs that scikit-learn ships, square, and their local contrast in place of a model's gradient."""
    x = torch.stack([torch.from_numpy(image[:, 80:507].copy()) for image in load_sample_images().images])
    x = F.interpolate(x.movedim(-1, 1).float() / 255, size=(SIDE, SIDE), mode="area")
    contrast = (
        F.pad(x, (0, 1, 0, 0), mode="replicate").diff(dim=3).square()
        + F.pad(x, (0, 0, 0, 1), mode="replicate").diff(dim=2).square()
    )
    return x, F.avg_pool2d(contrast.mean(1, keepdim=True), 17, 1, 8, count_include_pad=False)[:, 0]


def tv_prox(gain: torch.Tensor, right: torch.Tensor, down: torch.Tensor, steps: int) -> torch.Tensor:
    """argmin_u 1/2 |u - gain|^2 + sum over neighbours of w |u - u'|, nearly: accelerated steps on the dual."""
    flows = [(right, 2, torch.zeros_like(right)), (down, 1, torch.zeros_like(down))]
    ahead, age = [flow for _, _, flow in flows], 1.0

    def level(amounts: list[torch.Tensor]) -> torch.Tensor:
        beside, below = (F.pad(a, p) for a, p in zip(amounts, [(1, 1), (0, 0, 1, 1)], strict=True))
        return gain - beside.diff(dim=2) - below.diff(dim=1)

    for _ in range(steps):
        u, following = level(ahead), (1 + (1 + 4 * age * age) ** 0.5) / 2
        for f, (most, axis, before) in enumerate(flows):
            now = torch.clamp(ahead[f] - u.diff(dim=axis) / 8, -most, most)
            ahead[f] = now + (age - 1) / following * (now - before)
            flows[f] = most, axis, now
        age = following
    return level([flow for _, _, flow in flows])


def bare(axes: Axes, title: str, **style: object) -> None:
    """No ticks, a title below."""
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel(title, fontsize=9)
    axes.spines[:].set(color="0.6", linewidth=0.6)


def levels_picture() -> None:
    """A series of 24 blocks: gains, their prox, five thresholds, five masks."""
    rng = np.random.default_rng(5)
    gain = torch.from_numpy(np.convolve(rng.normal(size=30), np.ones(3) / 3, "same")[3:27] + 0.35 * rng.normal(size=24))
    gain, edge = gain[None, None], torch.full((1, 1, 23), 0.22, dtype=torch.float64)
    none = torch.zeros(1, 0, 24, dtype=torch.float64)
    limits = torch.tensor([-0.6, -0.28, -0.05, 0.2, 0.25], dtype=torch.float64)
    prox = tv_prox(gain, edge, none, 5000)[0, 0]
    masks = solve_masks(gain, edge, none, limits[:, None])[:, 0, 0]
    assert torch.equal(masks, prox > limits[:, None])
    figure, (top, bottom) = pyplot.subplots(
        2, 1, figsize=(9, 4.6), height_ratios=[3, 1.4], sharex=True, layout="constrained"
    )
    top.bar(np.arange(24), gain[0, 0], color="0.82", width=0.9, label="gain of each block")
    top.stairs(prox, np.arange(25) - 0.5, color="black", lw=2, baseline=None, label="its total-variation prox u")
    for limit, colour in zip(limits, COLOURS, strict=True):
        top.axhline(float(limit), color=colour, lw=1.4)
    top.set_ylabel("gain")
    top.legend(loc="lower left", fontsize=9, framealpha=1)
    top.set_title("Five thresholds cut one curve", fontsize=11)
    for k, (mask, colour) in enumerate(zip(masks, COLOURS, strict=True)):
        bottom.bar(np.arange(24)[mask], 0.8, bottom=len(LAM) - k - 0.9, color=colour, width=0.9)
    bottom.set(yticks=np.arange(5) + 0.5, yticklabels=[f"mask {k}" for k in range(5, 0, -1)], xlabel="block")
    bottom.set_ylim(0, 5)
    for axes in (top, bottom):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(HERE / "puzzle-levels.png", dpi=110)


def solve_picture() -> None:
    """Two photographs: saliency, gains, the prox, and the five masks it holds."""
    x, saliency = photographs()
    rows, columns = cut((SIDE, SIDE), GRID)
    blocks = block_saliency(saliency, rows, columns)
    energy = pair_energy(x, blocks, None, torch.tensor([1, 0]), rows, columns, 1.2, 0.5, 4)
    limits = thresholds(LAM[:, None].expand(-1, 2), 0.2, GRID**2)
    masks = solve_masks(energy.gain, energy.right, energy.down, limits)[:, 0]
    prox = tv_prox(*(a.double() for a in (energy.gain, energy.right, energy.down)), 20000)[0]
    figure, grid = pyplot.subplots(2, 6, figsize=(13, 4.9), layout="constrained")
    for axes, image, title in zip(
        grid[0], [*x.movedim(1, -1), *blocks.sqrt()], ["x", "x′", "saliency of x", "saliency of x′"], strict=False
    ):
        axes.imshow(image, cmap="gray")
        bare(axes, title)
    most = float(energy.gain[0].abs().max())
    grid[0, 4].imshow(energy.gain[0], cmap="RdBu", vmin=-most, vmax=most)
    bare(grid[0, 4], "gain: blue, x is salient")
    most = float(prox.abs().max())
    grid[0, 5].imshow(prox, cmap="RdBu", vmin=-most, vmax=most)
    fine = np.kron(prox.numpy(), np.ones((16, 16)))
    at = (np.arange(GRID * 16) + 0.5) / 16 - 0.5
    for limit, colour in zip(limits[:, 0], COLOURS, strict=True):
        if fine.min() < limit < fine.max():
            grid[0, 5].contour(at, at, fine, [float(limit)], colors=[colour], linewidths=1.3, linestyles="solid")
    bare(grid[0, 5], "its prox u, cut at five levels")
    for axes, mask, lam, colour in zip(grid[1], masks, LAM, COLOURS, strict=False):
        axes.imshow(mask, cmap="gray", vmin=0, vmax=1)
        bare(axes, f"lam = {lam:.2f}: keeps {mask.float().mean():.2f}")
        axes.spines[:].set(color=colour, linewidth=2.5)
    order = masks.sum(0)
    grid[1, 5].imshow(order, cmap="viridis_r", vmin=0, vmax=5)
    bare(grid[1, 5], "masks that keep a block")
    figure.savefig(HERE / "puzzle-solve.png", dpi=95)


def path_picture() -> None:
    """The five mixes without and with moving blocks."""
    x, saliency = photographs()
    figure, grid = pyplot.subplots(2, 7, figsize=(14, 4.5), layout="constrained")
    for line, (moves, name) in zip(grid, [(False, "blocks stay"), (True, "blocks move")], strict=True):
        method = PuzzleMix(grid=GRID, transport=moves, beta=0.6, transport_cost=0.2)
        mix = MultiMix(method, num_mixes=5, num_classes=2)
        generator = torch.Generator().manual_seed(4)
        x_mix, y_mix = mix(x, torch.tensor([0, 1]), saliency=saliency, generator=generator)
        pictures = [x[0], *x_mix[::2], x[1]]
        labels = [f"x  ({name})", *(f"{w:.2f} x + {1 - w:.2f} x′" for w in y_mix[::2, 0].tolist()), "x′"]
        for axes, picture, label in zip(line, pictures, labels, strict=True):
            axes.imshow(picture.movedim(0, -1))
            bare(axes, label)
    figure.savefig(HERE / "puzzle-path.png", dpi=80)


if __name__ == "__main__":
    matplotlib.use("agg")
    levels_picture()
    solve_picture()
    path_picture()
