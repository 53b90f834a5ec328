"""The steps again as CUDA graphs: the host draws the next plan and starts one graph, while the GPU computes."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from torch import Tensor

from benchmarks.gpu import steps
from benchmarks.gpu.batches import CLASSES
from benchmarks.gpu.graphs import captured
from benchmarks.gpu.setting import NO_GPU, Row, Rows, Setting
from benchmarks.gpu.timing import interleave
from multimix import MultiMix, PuzzleMix

GRID = 8  # of Puzzle Mix: a graph is of one
METHODS = {"mixup": "mixup", "cutmix": "cutmix", steps.GIVEN: PuzzleMix(grid=GRID)}


def measure(setting: Setting) -> Iterator[tuple[str, Rows]]:
    """Tables."""
    training = steps.preact(setting)
    training = replace(training, name=f"{training.name} as a CUDA graph")
    seconds = interleave(setting, contenders(setting, training), setting.seconds(1), 5)
    rows: Rows = steps.table(training, seconds)
    yield f"{training.name}: a training step", rows if setting.cuda else [_untimed(row) for row in rows]
    yield "aims", steps.aims(setting, training, seconds)


def contenders(setting: Setting, training: steps.Training) -> dict[str, Callable[[], object]]:
    """Steps, by method and number of mixes; without a GPU nothing is captured."""
    start = captured if setting.cuda else lambda step: step
    works: dict[str, Callable[[], object]] = {}
    for k in steps.MIXES:
        x, y, saliency = training.batch(training.pairs(k))
        whole = training.batch(k * training.pairs(k))
        works[f"none, K = {k}"] = start(training.update(lambda whole=whole: (training.model(whole[0]), whole[1])))
        for name, method in METHODS.items():
            mix = MultiMix(method, num_mixes=k, num_classes=CLASSES)
            given = saliency if name == steps.GIVEN else None
            works[f"{name}, K = {k}"] = _mixed(start, training, mix, x, y, given)
    return works


def _mixed(
    start: Callable[[Callable[[], object]], Callable[[], object]],
    training: steps.Training,
    mix: MultiMix,
    x: Tensor,
    y: Tensor,
    saliency: Tensor | None,
) -> Callable[[], object]:
    plan = mix.plan(x, y, saliency=saliency)

    def forward() -> tuple[Tensor, Tensor]:
        rows, labels = mix.apply(plan, x, y)
        assert labels is not None
        return training.model(rows), labels

    replay = start(training.update(forward))

    def step() -> None:
        plan.copy_(mix.plan(x, y, saliency=saliency))
        replay()

    return step


def _untimed(row: Row) -> Row:
    return row | {"ms": NO_GPU, "× no mixing, same rows": NO_GPU}
