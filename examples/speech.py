"""Speech: waveforms and spectrograms; CutMix along time alone where frequencies are channels.

    python examples/speech.py FOLDER

FOLDER has free-spoken-digit-dataset/recordings/*.wav: 3,000 recordings of six speakers
(https://github.com/Jakobovski/free-spoken-digit-dataset); the usual split is used. Three tasks: the waveform (B, 1,
samples); the log-spectrogram as an image (B, 1, frequencies, time), where CutMix cuts a box; the same with frequencies
as channels (B, frequencies, time), where it cuts a stretch of time, every frequency of it. Forty minutes on one core, a
quarter hour with --seeds 2.
"""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from harness import Split, Task, error_percent, run
from torch import Tensor, nn

from multimix import MultiMix
from multimix.lab.data import open_data


def waveform_network() -> nn.Module:
    """Returns a small network on samples; its first layer has a wide stride."""
    sizes = [(1, 32, 64, 16), (32, 32, 7, 4), (32, 64, 5, 2)]
    layers: list[nn.Module] = []
    for inputs, outputs, width, stride in sizes:
        layers += [nn.Conv1d(inputs, outputs, width, stride), nn.BatchNorm1d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(64, 10))


def image_network() -> nn.Module:
    """Returns a small network on spectrograms as images."""
    sizes = [(1, 16, 4), (16, 32, 2), (32, 64, 2)]
    layers: list[nn.Module] = []
    for inputs, outputs, stride in sizes:
        layers += [nn.Conv2d(inputs, outputs, 5, stride, padding=2), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def series_network(frequencies: int) -> nn.Module:
    """Returns a small network on spectrograms as series."""
    sizes = [(frequencies, 64, 5, 2), (64, 64, 5, 2), (64, 64, 3, 1)]
    layers: list[nn.Module] = []
    for inputs, outputs, width, stride in sizes:
        layers += [nn.Conv1d(inputs, outputs, width, stride), nn.BatchNorm1d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(64, 10))


def splits(folder: Path, form: str) -> tuple[Split, Split]:
    """Returns training and test split."""
    data = open_data("fsdd", {"form": form}, root=folder)
    parts = []
    for split in (data.train, data.test):
        batches = list(split.chunks(500))
        parts.append(Split(*(torch.cat([batch[i] for batch in batches]) for i in (0, 1))))
    return parts[0], parts[1]


def tasks(asked: argparse.Namespace) -> list[Task]:
    """Returns the three tasks."""

    def task(title: str, train: Split, test: Split, model: nn.Module | type, methods: tuple[str, ...]) -> Task:
        def mixer(method: str, k: int) -> MultiMix:
            return MultiMix(method, num_mixes=k, num_classes=10)

        mixers = {method: lambda k, method=method: mixer(method, k) for method in methods}
        return Task(title, train, test, model, mixers, F.cross_entropy, error_percent, "error, %", 100, 300, 0.01)

    def without_channel(split: Split) -> Split:
        x: Tensor = split.x.squeeze(1)
        return Split(x, split.y)

    (waves, test_waves), (images, test_images) = (splits(asked.folder, form) for form in ("waveform", "spectrogram"))
    series, test_series = without_channel(images), without_channel(test_images)
    both = ("mixup", "cutmix")
    return [
        task("waveform", waves, test_waves, waveform_network, both),
        task("spectrogram, boxes", images, test_images, image_network, both),
        task("spectrogram, stretches of time", series, test_series, lambda: series_network(series.x.shape[1]), both),
    ]


def options(parser: argparse.ArgumentParser) -> None:
    """Adds what this example needs to be told."""
    parser.add_argument("folder", type=Path)


if __name__ == "__main__":
    run(tasks, "speech", __doc__, options)
