"""Where the host's time of a mixed step goes: single operations, kernels of ours, and whole calls."""

from collections.abc import Callable
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.gpu.batches import CLASSES, batch
from benchmarks.gpu.setting import Row, Rows, Setting
from benchmarks.gpu.timing import host_seconds
from multimix import MultiMix

K = 5
CALLS = 201


def parts(setting: Setting, pairs: int, side: int) -> Rows:
    """Microseconds for which each keeps the host; rows hold others, and do not add up."""
    x, y, _ = batch(pairs, side, setting.device)
    small, mix = torch.zeros(16, device=x.device), MultiMix("mixup", num_mixes=K, num_classes=CLASSES)
    plan, model = mix.plan(x, y), nn.Identity()
    rows, soft = mix.apply(plan, x, y)
    assert soft is not None
    hard = torch.randint(CLASSES, (len(rows),), device=x.device)
    logits = torch.randn(len(rows), CLASSES, device=x.device, requires_grad=True)
    autocast = torch.autocast("cuda", torch.bfloat16) if setting.cuda else nullcontext()

    def loss(targets: Tensor) -> None:
        with autocast:
            value = F.cross_entropy(logits, targets)
        torch.autograd.grad(value, logits)

    works: dict[str, Callable[[], object]] = {
        "an operation of PyTorch, in place": lambda: small.add_(1),
        "mixup's rows: mix.apply(plan, x, out=rows)": lambda: mix.apply(plan, x, out=rows),
        "rows and labels: mix.apply(plan, x, y)": lambda: mix.apply(plan, x, y),
        "mix.plan(x, y)": lambda: mix.plan(x, y),
        "all of mixing: mix.run(nn.Identity(), x, y)": lambda: mix.run(model, x, y),
        "cross-entropy of class numbers, and its gradient": lambda: loss(hard),
        "of soft labels": lambda: loss(soft),
    }
    return [_row(setting, name, work) for name, work in works.items()]


def _row(setting: Setting, name: str, work: Callable[[], object]) -> Row:
    for _ in range(3):
        work()
    return {"what": name, "host, µs": f"{1e6 * host_seconds(setting, work, 1 if setting.tiny else CALLS):.1f}"}
