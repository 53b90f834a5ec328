"""Regression: targets are blended like inputs, and partners may be chosen by how near their targets are (C-Mixup).

    python examples/regression.py

Diabetes progression from ten measurements (442 patients, scikit-learn), and a digit's angle from its pixels: 8 × 8
digits turned by up to 60 degrees, an image to a number. A small network each; a minute on one core.
"""

import argparse

import torch
import torch.nn.functional as F
from harness import Split, Task, rmse, run
from sklearn.datasets import load_diabetes, load_digits
from torch import Tensor, nn

from multimix import MultiMix, SimilarTargets


def mlp(inputs: int) -> nn.Module:
    """Returns a network of two hidden layers with one output."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0)
    )


def split(x: Tensor, y: Tensor, title: str, unit: str, spread: float) -> Task:
    """Returns the task; every fifth sample of a fixed order is tested on. y is learned in units of its spread."""
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    x, y = x[order], y[order]
    test = torch.arange(len(x)) % 5 == 0
    mean, deviation = x[~test].mean(0), x[~test].std(0).clamp_min(1e-6)
    x = (x - mean) / deviation
    return Task(
        title=title,
        train=Split(x[~test], y[~test] / spread),
        test=Split(x[test], y[test] / spread),
        model=lambda: mlp(x[0].numel()),
        mixers={
            "mixup": lambda k: MultiMix("mixup", num_mixes=k),
            "mixup, similar targets": lambda k: MultiMix("mixup", num_mixes=k, partners=SimilarTargets(0.2)),
        },
        loss=F.mse_loss,
        score=lambda output, y: rmse(output, y) * spread,
        score_name=f"RMSE, {unit}",
    )


def tasks(_: argparse.Namespace) -> list[Task]:
    """Returns both tasks."""
    x, y = (torch.tensor(array, dtype=torch.float32) for array in load_diabetes(return_X_y=True))
    digits = torch.tensor(load_digits().images, dtype=torch.float32)[:, None]
    angle = torch.rand(len(digits), generator=torch.Generator().manual_seed(0)) * 120 - 60
    turned = F.grid_sample(digits, F.affine_grid(turns(angle), list(digits.shape), False), align_corners=False)
    return [
        split(x, y - y.mean(), "diabetes", "points", float(y.std())),
        split(turned, angle, "angle of digits", "degrees", float(angle.std())),
    ]


def turns(degrees: Tensor) -> Tensor:
    """Returns rotations as affine maps, (N, 2, 3)."""
    cos, sin, zero = degrees.deg2rad().cos(), degrees.deg2rad().sin(), torch.zeros_like(degrees)
    return torch.stack([cos, -sin, zero, sin, cos, zero], dim=1).view(-1, 2, 3)


if __name__ == "__main__":
    run(tasks, "regression", __doc__)
