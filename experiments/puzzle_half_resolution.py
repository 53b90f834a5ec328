"""What does saliency at half resolution do to Puzzle Mix's masks?

    python experiments/puzzle_half_resolution.py        about half a minute on one core

A small network learns to tell 32 x 32 crops of two photographs apart. Then its saliency is taken at full and at half
resolution, and masks are made of the same pairs with the same coefficients (K = 5, 256 pairs, two levels).

Came out (torch 2.13, one core of an AMD EPYC): 4.1, 5.9, 6.5 and 6.6 % of the blocks differ on grids of 2, 4, 8 and 16
(19 to 23 % between masks of different pairs), label weights by 0.04 to 0.06; the saliency takes 0.14 of the time.
"""

import time

import torch
import torch.nn.functional as F
from sklearn.datasets import load_sample_images
from torch import Tensor

from multimix import MultiMix, PuzzleMix
from multimix.lab.models.small_cnn import SmallCNN
from multimix.puzzle.saliency import input_saliency

SIDE, PAIRS = 32, 256


def crops(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Crops of the two photographs that scikit-learn ships, a quarter of their size, and which one each is of."""
    photographs = [torch.from_numpy(image.copy()).movedim(-1, 0).float() / 255 for image in load_sample_images().images]
    photographs = [F.avg_pool2d(image, 4) for image in photographs]
    y = torch.randint(2, (count,), generator=generator)
    x = []
    for label in y.tolist():
        image = photographs[label]
        top, left = (int(torch.randint(size - SIDE, (), generator=generator)) for size in image.shape[1:])
        x.append(image[:, top : top + SIDE, left : left + SIDE])
    return torch.stack(x), y


def main() -> None:
    """Train, compare, print."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    model = SmallCNN((3, SIDE, SIDE), 2)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(150):
        x, y = crops(64, generator)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    x, y = crops(PAIRS, generator)
    print(f"training loss {loss.item():.3f}")
    saliency, seconds = {}, {}
    for resolution in (1.0, 0.5):
        input_saliency(model, x, y, resolution=resolution)
        start = time.perf_counter()
        saliency[resolution] = input_saliency(model, x, y, resolution=resolution)
        seconds[resolution] = time.perf_counter() - start
    print(f"time at half resolution: {seconds[0.5] / seconds[1.0]:.2f} of full")
    for grid in (2, 4, 8, 16):
        mix = MultiMix(PuzzleMix(grid=grid, levels=2), num_mixes=5, num_classes=2)
        plans = [mix.plan(x, y, saliency=s, generator=torch.Generator().manual_seed(1)) for s in saliency.values()]
        full, half = (plan.mask.kept.bool() for plan in plans)
        change = (plans[0].weight - plans[1].weight).abs().mean()
        chance = (full.flatten(2) != half.roll(1, 1).flatten(2)).float().mean()
        print(
            f"grid {grid:2}: {(full != half).float().mean():.1%} of blocks differ "
            f"(of another pair's masks {chance:.0%}), label weights by {change:.3f} on average"
        )


if __name__ == "__main__":
    main()
