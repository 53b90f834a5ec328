"""Medians of contenders that take turns: by CUDA events on a GPU."""

import math
import statistics
import time
from collections.abc import Callable, Mapping

import torch

from benchmarks.gpu.setting import Setting

SAMPLE_S = 2e-3  # about what a timing lasts: faster calls are repeated within it, at most MOST_REPEATS times
MOST_REPEATS = 200
LEAST_REPEATS = 3  # the first call of a sample also waits for its launch

Contenders = Mapping[str, Callable[[], object]]


def interleave(setting: Setting, contenders: Contenders, budget_s: float, min_rounds: int = 7) -> dict[str, float]:
    """Return the median seconds of a call of each contender.

    On a GPU a sample starts with nothing queued, so what it shows is the slower of host and device. Elsewhere it is one
    call: a trial of the command.
    """
    if not setting.cuda:
        return {name: host_seconds(setting, contend, 1) for name, contend in contenders.items()}
    for contend in contenders.values():
        for _ in range(3):  # kernels are compiled, the allocator has its memory
            contend()
    repeats = {
        name: max(LEAST_REPEATS, min(MOST_REPEATS, math.ceil(SAMPLE_S / _seconds(contend, LEAST_REPEATS))))
        for name, contend in contenders.items()
    }
    times: dict[str, list[float]] = {name: [] for name in contenders}
    end, done = time.perf_counter() + budget_s, 0
    while done < min_rounds or time.perf_counter() < end:
        for name, contend in contenders.items():
            times[name].append(_seconds(contend, repeats[name]))
        done += 1
    return {name: statistics.median(values) for name, values in times.items()}


def _seconds(contend: Callable[[], object], repeats: int) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    for _ in range(repeats):
        contend()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1000 / repeats


def host_seconds(setting: Setting, contend: Callable[[], object], calls: int) -> float:
    """Return the median seconds for which a call keeps the host; what it started on the device is not waited for."""
    times = []
    for _ in range(calls):
        if setting.cuda:
            torch.cuda.synchronize()
        start = time.perf_counter()
        contend()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
