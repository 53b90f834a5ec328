"""What does mixing cost in a training step: K = 1, and K = 5 of a fifth of the pairs, beside no mixing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.gpu.batches import CLASSES
from benchmarks.gpu.setting import NO_GPU, NO_TIME, Rows, Setting
from benchmarks.gpu.timing import interleave
from multimix import MultiMix
from multimix.lab.models.preact_resnet18 import PreActResNet18
from multimix.lab.models.resnet50 import ResNet50

METHODS = ("mixup", "cutmix", "manifold", "puzzlemix")
GIVEN = "puzzlemix, saliency given"
MIXES = (1, 5)
MOST = {"mixup": 0.02, "cutmix": 0.02, GIVEN: 0.1}  # of a step without mixing


@dataclass(frozen=True)
class Training:
    """A model and how it is trained: in bfloat16, channels_last, by SGD.

    Attributes:
        name: in tables.
        model: the network.
        rows: that it sees in a step, about.
        side: of the images.
        device: where.
    """

    name: str
    model: nn.Module
    rows: int
    side: int
    device: torch.device

    def pairs(self, num_mixes: int) -> int:
        """Return the pairs of a step whose K mixes are as many rows: of 128 and K = 5, 26 pairs are 130 rows."""
        return -(-self.rows // num_mixes)

    def batch(self, pairs: int) -> tuple[Tensor, Tensor, Tensor]:
        """Images, labels, saliency."""
        x = torch.rand(pairs, 3, self.side, self.side, device=self.device).contiguous(memory_format=torch.channels_last)
        y = torch.randint(CLASSES, (pairs,), device=self.device)
        return x, y, torch.rand(pairs, self.side, self.side, device=self.device)

    def update(self, forward: Callable[[], tuple[Any, Tensor]]) -> Callable[[], object]:
        """Return a step: forward pass, loss, backward pass, update."""
        optimizer = torch.optim.SGD(self.model.parameters(), lr=0.0, momentum=0.9)  # as dear as any

        def step() -> None:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type != "cpu"):
                logits, labels = forward()
                loss = F.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        return step


def preact(setting: Setting) -> Training:
    """PreActResNet-18 on 128 images of 32 pixels."""
    rows, side, width = (4, 16, 16) if setting.tiny else (128, 32, 64)
    return _training("PreActResNet-18", PreActResNet18((3, side, side), CLASSES, width=width), rows, side, setting)


def resnet50(setting: Setting) -> Training:
    """ResNet-50 on 64 images of 224 pixels."""
    rows, side = (2, 32) if setting.tiny else (64, 224)
    return _training("ResNet-50", ResNet50((3, side, side), CLASSES), rows, side, setting)


def _training(name: str, model: nn.Module, rows: int, side: int, setting: Setting) -> Training:
    model = model.to(setting.device, memory_format=torch.channels_last)
    return Training(name, model, rows, side, setting.device)


def measure(setting: Setting) -> Iterator[tuple[str, Rows]]:
    """Tables."""
    for number, build in enumerate((preact, resnet50)):
        training = build(setting)
        if not setting.left():
            yield training.name, [{"method": "all", "ms": NO_TIME}]
            continue
        seconds = interleave(setting, contenders(training), setting.seconds(2 - number), 5)
        values = "bfloat16" if setting.cuda else "float32"
        title = f"{training.name}, {training.side} px, {values}, channels_last: a training step"
        yield title, table(training, seconds)
        if number == 0:
            yield "aims", aims(setting, training, seconds)


def contenders(training: Training) -> dict[str, Callable[[], object]]:
    """Steps, by method and number of mixes; those without mixing by their rows."""
    works: dict[str, Callable[[], object]] = {}
    for k in MIXES:
        x, y, saliency = training.batch(training.pairs(k))
        whole = training.batch(k * training.pairs(k))
        works[f"none, K = {k}"] = training.update(lambda whole=whole: (training.model(whole[0]), whole[1]))
        for method in (*METHODS, GIVEN):
            mix = MultiMix(method.partition(",")[0], num_mixes=k, num_classes=CLASSES)
            given = saliency if method == GIVEN else None
            works[f"{method}, K = {k}"] = training.update(
                lambda mix=mix, x=x, y=y, s=given: mix.run(training.model, x, y, saliency=s)
            )
    return works


def table(training: Training, seconds: dict[str, float]) -> Rows:
    """Milliseconds, beside a step without mixing of as many rows."""
    rows: Rows = []
    for name, s in seconds.items():
        method, _, k = name.rpartition(", K = ")
        pairs = training.pairs(int(k))
        rows.append(
            {
                "method": method,
                "pairs × K": f"{pairs} × {k}" if method != "none" else f"{pairs * int(k)} rows",
                "ms": f"{1e3 * s:.2f}",
                "× no mixing, same rows": f"{s / seconds[f'none, K = {k}']:.3f}",
            }
        )
    return rows


def aims(setting: Setting, training: Training, seconds: dict[str, float]) -> Rows:
    """What mixing adds to a step."""
    rows: Rows = []
    for (method, most), k in ((item, k) for item in MOST.items() for k in MIXES):
        added = seconds[f"{method}, K = {k}"] / seconds[f"none, K = {k}"] - 1
        what = f"{method}, K = {k}: share of a step of {training.name}"
        rows.append({"what": what, "aim": f"≤ {most:.0%}", "measured": f"{added:.1%}" if setting.cuda else NO_GPU})
    return rows
