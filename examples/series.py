"""Time series: (B, channels, time) is mixed as it is; CutMix cuts a stretch of time.

    pip install --no-deps aeon    # ships the files; nothing of it is imported
    python examples/series.py

Three UCR sets: OSULeaf (outlines of leaves, 6 kinds, 200 to learn from), ItalyPowerDemand (days, summer or winter, 67)
and JapaneseVowels (nine speakers, 270; 12 channels of 7 to 29 moments). Series of unequal length are padded with zeros,
and a last channel says where there is something: it is mixed as well, so that the network knows whose moments are half
there. Eighteen minutes on one core.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from harness import Split, Task, error_percent, run
from torch import Tensor, nn

from multimix import MultiMix


def read(file: Path) -> tuple[list[Tensor], list[str]]:
    """Returns the series of a .ts file, each (channels, time), and the names of their classes."""
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith(("#", "@"))]
    series, names = [], []
    for line in lines:
        *channels, name = line.split(":")
        series.append(torch.tensor([[float(value) for value in channel.split(",")] for channel in channels]))
        names.append(name.strip())
    return series, names


def padded(series: list[Tensor], length: int) -> Tensor:
    """Returns (N, channels + 1, length): zeros where a series has ended, and where it has not in the last channel."""
    rows = [
        F.pad(torch.cat([s, torch.ones(1, s.shape[1])]), (0, max(0, length - s.shape[1])))[:, :length] for s in series
    ]
    return torch.stack(rows)


def network(channels: int, classes: int) -> nn.Module:
    """Returns a small convolutional network over time."""
    sizes = [(channels, 32, 7), (32, 64, 5), (64, 64, 3)]
    layers: list[nn.Module] = []
    for inputs, outputs, width in sizes:
        layers += [nn.Conv1d(inputs, outputs, width, padding=width // 2), nn.BatchNorm1d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(64, classes))


def task(home: Path, name: str) -> Task:
    """Returns one set's task, with the split it is published with."""
    (train, train_names), (test, test_names) = (read(home / name / f"{name}_{split}.ts") for split in ("TRAIN", "TEST"))
    classes = sorted(set(train_names))
    length = max(s.shape[1] for s in train)
    x, x_test = padded(train, length), padded(test, length)
    present = x[:, -1:]
    mean = x.sum((0, 2), keepdim=True) / present.sum()
    deviation = (((x - mean) * present).square().sum((0, 2), keepdim=True) / present.sum()).sqrt()
    mean[:, -1], deviation[:, -1] = 0, 1
    x, x_test = ((part - mean) / deviation * torch.cat([part[:, -1:]] * part.shape[1], 1) for part in (x, x_test))
    labels, test_labels = (torch.tensor([classes.index(n) for n in names]) for names in (train_names, test_names))
    return Task(
        title=name,
        train=Split(x, labels),
        test=Split(x_test, test_labels),
        model=lambda: network(x.shape[1], len(classes)),
        mixers={
            "mixup": lambda k: MultiMix("mixup", num_mixes=k, num_classes=len(classes)),
            "cutmix": lambda k: MultiMix("cutmix", num_mixes=k, num_classes=len(classes)),
        },
        loss=F.cross_entropy,
        score=error_percent,
        score_name="error, %",
        rows=50,
        steps=200,
        learning_rate=0.01,
    )


def tasks(asked: argparse.Namespace) -> list[Task]:
    """Returns the three tasks."""
    home = asked.data
    if home is None:
        package = find_spec("aeon")
        if package is None or not package.submodule_search_locations:
            raise SystemExit(
                "aeon must be installed for its files, got none; pip install --no-deps aeon, or give --data"
            )
        home = Path(package.submodule_search_locations[0]) / "datasets" / "data"
    if not (home / "OSULeaf").is_dir():
        raise SystemExit(f"data must be a folder with OSULeaf/OSULeaf_TRAIN.ts and so on, got {home}; give another")
    return [task(home, name) for name in ("OSULeaf", "ItalyPowerDemand", "JapaneseVowels")]


def options(parser: argparse.ArgumentParser) -> None:
    """Adds what this example needs to be told."""
    parser.add_argument("--data", type=Path, help="folder of .ts files, default aeon's")


if __name__ == "__main__":
    run(tasks, "series", __doc__, options)
