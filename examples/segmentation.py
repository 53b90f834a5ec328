"""Segmentation: targets follow the pixels, so that every pixel keeps the class of the image it came from.

    python examples/segmentation.py

Which digit, or none, does each pixel of a handwritten digit belong to? scikit-learn's 8 × 8 digits, four of them beside
and above each other in an image of 16 × 16; a pixel with ink is of its digit's class, the others are background. Labels
are made from the images, the images are real. `dense_targets=True` is all that mixing needs. Twelve minutes on
one core.
"""

import argparse

import torch
import torch.nn.functional as F
from harness import Split, Task, run
from sklearn.datasets import load_digits
from torch import Tensor, nn

from multimix import MultiMix

BACKGROUND = 10


def images(digits: Tensor, labels: Tensor, count: int, seed: int) -> Split:
    """Returns images of four digits, (N, 1, 16, 16), and the class of every pixel, (N, 16, 16)."""
    picks = torch.randint(len(digits), (count, 4), generator=torch.Generator().manual_seed(seed))
    rows = [torch.cat([digits[picks[:, i]], digits[picks[:, i + 1]]], dim=2) for i in (0, 2)]
    x = torch.cat(rows, dim=1)
    classes = labels[picks].view(count, 2, 2).repeat_interleave(8, dim=1).repeat_interleave(8, dim=2)
    return Split(x[:, None], torch.where(x > 0.25, classes, BACKGROUND))


def network() -> nn.Module:
    """Returns a small fully convolutional network that sees 15 pixels around each."""
    sizes = [(1, 16, 1), (16, 32, 1), (32, 32, 2), (32, 32, 3)]
    layers: list[nn.Module] = []
    for inputs, outputs, dilation in sizes:
        layers += [
            nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, nn.Conv2d(32, BACKGROUND + 1, 1))


def error_on_ink(output: Tensor, y: Tensor) -> float:
    """Returns the share of pixels with ink that got another class, in percent."""
    ink = y != BACKGROUND
    return 100 * float((output.argmax(1)[ink] != y[ink]).float().mean())


def tasks(_: argparse.Namespace) -> list[Task]:
    """Returns the task; the digits of the test images are in no training image."""
    there = load_digits()
    digits, labels = torch.tensor(there.images, dtype=torch.float32) / 16, torch.tensor(there.target)

    def mixer(method: str, k: int) -> MultiMix:
        return MultiMix(method, num_mixes=k, num_classes=BACKGROUND + 1, dense_targets=True)

    return [
        Task(
            title="pixels of digits",
            train=images(digits[:1200], labels[:1200], 2000, seed=0),
            test=images(digits[1200:], labels[1200:], 500, seed=1),
            model=network,
            mixers={"mixup": lambda k: mixer("mixup", k), "cutmix": lambda k: mixer("cutmix", k)},
            loss=F.cross_entropy,
            score=error_on_ink,
            score_name="error on ink, %",
            rows=50,
            steps=300,
            learning_rate=0.01,
        )
    ]


if __name__ == "__main__":
    run(tasks, "segmentation", __doc__)
