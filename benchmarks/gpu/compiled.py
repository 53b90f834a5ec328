"""The steps again with the model compiled; it comes last, because compiling is slow."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch

from benchmarks.gpu import steps
from benchmarks.gpu.setting import NO_GPU, NO_TIME, Rows, Setting
from benchmarks.gpu.timing import interleave

LONGEST_S = 6.0  # of timing, once all is compiled

MODELS: dict[str, tuple[Callable[[Setting], steps.Training], float]] = {  # and the seconds that compiling may take
    "PreActResNet-18": (steps.preact, 60.0),
    "ResNet-50": (steps.resnet50, 120.0),
}


def measure(setting: Setting) -> Iterator[tuple[str, Rows]]:
    """Tables."""
    for number, (name, (build, least)) in enumerate(MODELS.items()):
        title = f"{name}, compiled: a training step"
        if not setting.cuda:
            yield title, [{"method": "all", "ms": NO_GPU}]
        elif setting.left() < least and not setting.tiny:
            yield title, [{"method": "all", "ms": NO_TIME}]
        else:
            yield title, _compiled(setting, build(setting), len(MODELS) - number)


def _compiled(setting: Setting, training: steps.Training, groups: int) -> Rows:
    """Mixing at the input only, saliency given: a layer inside a compiled model runs uncompiled."""
    works = steps.contenders(replace(training, model=torch.compile(training.model, dynamic=False)))
    works = {name: work for name, work in works.items() if not name.startswith(("manifold", "puzzlemix, K"))}
    for work in works.values():
        work()
    return steps.table(training, interleave(setting, works, min(LONGEST_S, setting.seconds(groups)), 5))
