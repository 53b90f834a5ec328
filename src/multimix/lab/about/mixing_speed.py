"""How long mixing takes, in copies of its output: a unit that says the same on every machine."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import cycle

import torch

from multimix import MultiMix, Plan
from multimix.lab.about.method_facts import Layers
from multimix.methods import METHODS

NUM_MIXES = 5
SHAPE = (128, 3, 32, 32)
BUDGET_S = 0.4
MIN_ROUNDS = 8
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
    """Returns how fast a method mixes on a device, on one core of a CPU; what mixes inside a model, at the input."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # two that share a busy core wait for each other: the ratio would be of waiting
    try:
        return _speed(method, device)
    finally:
        torch.set_num_threads(threads)


def _speed(method: str, device: torch.device) -> Speed:
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
    contenders = {
        "copy": lambda: out.copy_(source),
        "mixing": lambda: mix.apply(next(plans), x, out=out[:rows]),
        "whole": lambda: mix.apply(draw(), x, out=out[:rows]),
    }
    times = _medians(contenders, device)
    return Speed(times["copy"] * 1e3, times["mixing"] / times["copy"], times["whole"] / times["copy"])


def _medians(contenders: Mapping[str, Callable[[], object]], device: torch.device) -> dict[str, float]:
    """Returns median seconds; contenders take turns, so that a disturbance meets all of them."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for call in contenders.values():
        _time(call, device)
    end = time.perf_counter() + BUDGET_S
    while min(map(len, times.values())) < MIN_ROUNDS or time.perf_counter() < end:
        for name, call in contenders.items():
            times[name].append(_time(call, device))
    return {name: statistics.median(values) for name, values in times.items()}


def _time(call: Callable[[], object], device: torch.device) -> float:
    _wait(device)
    start = time.perf_counter()
    call()
    _wait(device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
