"""Print, as JSON, how long a process's first steps take; K changes on the way. Started by `benchmarks.gpu.memory`."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch._dynamo.utils
from torch import Tensor, nn

from benchmarks.gpu.batches import CLASSES, batch, seed
from benchmarks.gpu.setting import Rows
from multimix import MultiMix, Plan, PuzzleMix

MIXES = (1, 1, 5, 5, 3)
COMPILED = (1, 5, 3)
METHODS = {"mixup": "mixup", "cutmix": "cutmix", "puzzlemix, grid 8": PuzzleMix(grid=8)}


def first_steps(device: torch.device) -> Rows:
    """Steps of a small network: eager, then compiled as one graph (apply, model and loss)."""
    x, y, saliency = batch(128, 32, device)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES))
    model.to(device)
    rows: Rows = []
    for name, method in METHODS.items():
        for k in MIXES:
            mix = MultiMix(method, num_mixes=k, num_classes=CLASSES)
            rows.append(_row(f"{name}, K = {k}", _step(mix, model, x, y, saliency, _loss)))
    compiled = torch.compile(_loss, fullgraph=True)
    for k in COMPILED:
        mix = MultiMix("mixup", num_mixes=k, num_classes=CLASSES)
        rows.append(_row(f"mixup, K = {k}, torch.compile", _step(mix, model, x, y, saliency, compiled)))
    return rows


def _loss(mix: MultiMix, plan: Plan, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    rows, labels = mix.apply(plan, x, y)
    assert labels is not None
    return nn.functional.cross_entropy(model(rows), labels)


def _step(
    mix: MultiMix, model: nn.Module, x: Tensor, y: Tensor, saliency: Tensor, loss: Callable[..., Tensor]
) -> Callable[[], object]:
    return lambda: loss(mix, mix.plan(x, y, saliency=saliency, generator=seed(0)), model, x, y).backward()


def _row(name: str, step: Callable[[], object]) -> dict[str, object]:
    """One call: its time, and what it compiled."""
    kernels, graphs = _kernels(), _graphs()
    start = time.perf_counter()
    step()
    torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    return {
        "step": name,
        "ms": f"{1e3 * seconds:.1f}",
        "Triton kernels compiled": _kernels() - kernels,
        "graphs compiled": _graphs() - graphs,
    }


def _kernels() -> int:
    """Kernels in Triton's cache, Inductor's among them."""
    return sum(1 for _ in Path(os.environ["TRITON_CACHE_DIR"]).glob("*/*.cubin"))


def _graphs() -> int:
    return int(torch._dynamo.utils.counters["stats"]["unique_graphs"])


if __name__ == "__main__":
    print(json.dumps(first_steps(torch.device("cuda", 0))))
