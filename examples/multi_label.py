"""Several labels per sample: floats in, floats out, trained with binary cross-entropy.

    python examples/multi_label.py

Which digits are in the picture? scikit-learn's 8 × 8 digits, two to four of them in a row of four places; ten labels,
each 0 or 1, so that mixed labels are shares of each. Labels are made from the images, the images are real. Ten minutes
on one core.
"""

import argparse

import torch
import torch.nn.functional as F
from harness import Split, Task, run
from sklearn.datasets import load_digits
from torch import Tensor, nn

from multimix import MultiMix


def images(digits: Tensor, labels: Tensor, count: int, seed: int) -> Split:
    """Returns rows of four places, (N, 1, 8, 32), two to four of them with a digit; which digits, (N, 10)."""
    generator = torch.Generator().manual_seed(seed)
    picks = torch.randint(len(digits), (count, 4), generator=generator)
    taken = torch.rand(count, 4, generator=generator).argsort(1) < torch.randint(2, 5, (count, 1), generator=generator)
    places = digits[picks] * taken[:, :, None, None]
    x = places.transpose(1, 2).reshape(count, 1, 8, 32)
    return Split(x, (F.one_hot(labels[picks], 10) * taken[:, :, None]).amax(1).float())


def network() -> nn.Module:
    """Returns a small convolutional network with ten outputs, the highest of each over the row."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(),
        nn.Conv2d(64, 64, (4, 4)), nn.BatchNorm2d(64), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
        nn.Linear(64, 10),
    )  # fmt: skip


def wrong_labels(output: Tensor, y: Tensor) -> float:
    """Returns the share of labels that are wrong at a threshold of one half, in percent."""
    return 100 * float(((output > 0) != (y > 0.5)).float().mean())


def tasks(_: argparse.Namespace) -> list[Task]:
    """Returns the task; the digits of the test images are in no training image."""
    there = load_digits()
    digits, labels = torch.tensor(there.images, dtype=torch.float32) / 16, torch.tensor(there.target)
    return [
        Task(
            title="digits in a row",
            train=images(digits[:1200], labels[:1200], 3000, seed=0),
            test=images(digits[1200:], labels[1200:], 1000, seed=1),
            model=network,
            mixers={
                "mixup": lambda k: MultiMix("mixup", num_mixes=k),
                "cutmix": lambda k: MultiMix("cutmix", num_mixes=k),
            },
            loss=F.binary_cross_entropy_with_logits,
            score=wrong_labels,
            score_name="wrong labels, %",
            steps=300,
            learning_rate=0.01,
        )
    ]


if __name__ == "__main__":
    run(tasks, "multi_label", __doc__)
