"""How long mixing takes, in copies of its output: a unit that says the same on every machine."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle

import torch
from torch.utils.benchmark import Timer

from multimix import MultiMix, Plan
from multimix.lab.about.method_facts import Layers
from multimix.methods import METHODS

NUM_MIXES = 5
SHAPE = (128, 3, 32, 32)
BUDGET_S = 0.15  # for each of the three times
PLANS = 8  # plans that are applied in turn: some methods draw how fine their blocks are


@dataclass(frozen=True)
class Speed:
    """Times of mixing K = 5 of 128 images of 3 x 32 x 32 into a buffer.

    Args:
        copy_ms: Of `copy_` of the output.
        mixing: Of applying a plan, in copies.
        whole: Of drawing it (without the gradient of a model) and applying it, in copies.
    """

    copy_ms: float
    mixing: float
    whole: float


def mixing_speed(method: str, device: torch.device) -> Speed:
    """Return how fast a method mixes on a device, on one core of a CPU; what mixes inside a model, at the input."""
    x = torch.rand(SHAPE).to(device)
    saliency = torch.rand(SHAPE[0], *SHAPE[2:]).to(device) if METHODS[method].asks_model else None
    y = torch.zeros(len(x), dtype=torch.int64, device=device)
    mix = MultiMix(method, num_mixes=NUM_MIXES, num_classes=2)
    generator = torch.Generator().manual_seed(0)

    def draw() -> Plan:
        return mix.plan(x, y, model=Layers(), saliency=saliency, generator=generator)

    plans = cycle([draw() for _ in range(PLANS)])
    out = torch.zeros(NUM_MIXES * len(x), *x.shape[1:], device=device)
    source = torch.rand_like(out)
    rows = next(plans).num_mixes * len(x)
    copy_s = _median_s(lambda: out.copy_(source), device)
    mixing_s = _median_s(lambda: mix.apply(next(plans), x, out=out[:rows]), device)
    whole_s = _median_s(lambda: mix.apply(draw(), x, out=out[:rows]), device)
    return Speed(copy_s * 1e3, mixing_s / copy_s, whole_s / copy_s)


def _median_s(call: Callable[[], object], device: torch.device) -> float:
    """Return the median seconds of a call, on one core: two threads on a busy core would wait for each other."""

    def finished() -> None:
        call()
        if device.type != "cpu":
            torch.accelerator.synchronize(device)

    timer = Timer("finished()", globals={"finished": finished}, num_threads=1)
    return float(timer.blocked_autorange(min_run_time=BUDGET_S).median)
