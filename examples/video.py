"""Video: (B, C, T, H, W) is mixed as it is; CutMix cuts a box of time, height and width.

    python examples/video.py

Which way does the digit go? scikit-learn's 8 × 8 digits, eight frames of 12 × 12, moving up, down, left, right or not
at all: five classes that no single frame shows, and noise. The clips are made, the digits are real. Five minutes on one
core.
"""

import argparse

import torch
import torch.nn.functional as F
from harness import Split, Task, error_percent, run
from sklearn.datasets import load_digits
from torch import Tensor, nn

from multimix import MultiMix

FRAMES, SIZE = 8, 12
NOISE = 0.8  # standard deviation; ink is at most 1
WAYS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))


def clips(digits: Tensor, seed: int) -> Split:
    """Returns a clip of every digit, (N, 1, 8, 12, 12), with noise, and which way it goes."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(len(WAYS), (len(digits),), generator=generator)
    start = torch.randint(SIZE, (len(digits), 2), generator=generator)
    still = F.pad(digits, (0, SIZE - 8, 0, SIZE - 8))
    moved = [
        torch.stack(
            [torch.roll(image, (int(r) + t * WAYS[way][0], int(c) + t * WAYS[way][1]), (0, 1)) for t in range(FRAMES)]
        )
        for image, way, (r, c) in zip(still, y.tolist(), start, strict=True)
    ]
    x = torch.stack(moved)[:, None]
    return Split(x + NOISE * torch.randn(x.shape, generator=generator), y)


def network() -> nn.Module:
    """Returns a small network of 3-D convolutions."""
    return nn.Sequential(
        nn.Conv3d(1, 8, 3, padding=1), nn.BatchNorm3d(8), nn.ReLU(), nn.MaxPool3d((1, 2, 2)),
        nn.Conv3d(8, 16, 3, padding=1), nn.BatchNorm3d(16), nn.ReLU(), nn.MaxPool3d(2),
        nn.Conv3d(16, 32, 3, padding=1), nn.BatchNorm3d(32), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(),
        nn.Linear(32, len(WAYS)),
    )  # fmt: skip


def tasks(_: argparse.Namespace) -> list[Task]:
    """Returns the task; the digits of the test clips are in no training clip."""
    digits = torch.tensor(load_digits().images, dtype=torch.float32) / 16
    return [
        Task(
            title="which way a digit goes",
            train=clips(digits[:500], seed=0),
            test=clips(digits[500:1200], seed=1),
            model=network,
            mixers={
                "mixup": lambda k: MultiMix("mixup", num_mixes=k, num_classes=len(WAYS)),
                "cutmix": lambda k: MultiMix("cutmix", num_mixes=k, num_classes=len(WAYS)),
            },
            loss=F.cross_entropy,
            score=error_percent,
            score_name="error, %",
            rows=50,
            steps=200,
            learning_rate=0.01,
        )
    ]


if __name__ == "__main__":
    run(tasks, "video", __doc__)
