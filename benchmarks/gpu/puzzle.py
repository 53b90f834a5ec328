"""What does Puzzle Mix cost without its saliency: by grid, levels and number of mixes, beside the CPU's solver."""

from collections.abc import Callable, Iterator
from functools import partial
from statistics import mean

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu.batches import CLASSES, batch
from benchmarks.gpu.setting import NO_GPU, NO_TIME, Rows, Setting
from benchmarks.gpu.swaps import swapped
from benchmarks.gpu.timing import host_seconds, interleave
from multimix import MultiMix, PuzzleMix

MIXES = (1, 5)
LEVELS = (2, 3)
MOST_MS, MOST_RATIO = 1.0, 1.2
COLUMNS = ("plan + apply, ms", "kernels, ms", "host, ms", "CPU's solver, ms")


def measure(setting: Setting) -> Iterator[tuple[str, Rows]]:
    """Tables."""
    pairs, side = (2, 8) if setting.tiny else (128, 32)
    rows, seconds = costs(setting, pairs, side)
    yield f"plan and apply with labels, saliency given, {pairs} × 3 × {side}²", rows
    yield "aims", aims(setting, seconds)


def costs(setting: Setting, pairs: int, side: int) -> tuple[Rows, dict[tuple[int, int, int], float]]:
    """Rows, and seconds by grid, levels and number of mixes."""
    grids = (2,) if setting.tiny else (2, 4, 8, 16)
    rows: Rows = []
    found: dict[tuple[int, int, int], float] = {}
    for number, (grid, levels) in enumerate((g, n) for g in grids for n in LEVELS):
        works = {k: _step(setting, pairs, side, grid, levels, k) for k in MIXES}
        contenders = {f"{k}{suffix}": work for k in MIXES for suffix, work in _both(setting, works[k]).items()}
        seconds = (
            interleave(setting, contenders, setting.seconds(2 * len(grids) - number + 1), 3) if setting.left() else {}
        )
        for k in MIXES:
            what = {"grid": grid, "levels": levels, "K": k}
            if not seconds:
                rows.append(what | dict.fromkeys(COLUMNS, NO_TIME))
                continue
            found[grid, levels, k] = seconds[f"{k}"]
            times = (
                f"{1e3 * seconds[f'{k}']:.3f}",
                f"{1e3 * kernel_seconds(works[k]):.3f}" if setting.cuda else NO_GPU,
                f"{1e3 * host_seconds(setting, works[k], 1 if setting.tiny else 15):.3f}",
                f"{1e3 * seconds[f'{k}, CPU']:.3f}" if f"{k}, CPU" in seconds else NO_GPU,
            )
            rows.append(what | dict(zip(COLUMNS, times, strict=True)))
    return rows, found


def _step(setting: Setting, pairs: int, side: int, grid: int, levels: int, num_mixes: int) -> Callable[[], object]:
    x, y, saliency = batch(pairs, side, setting.device)
    mix = MultiMix(PuzzleMix(grid=grid, levels=levels), num_mixes=num_mixes, num_classes=CLASSES)
    return lambda: mix.apply(mix.plan(x, y, saliency=saliency), x, y)


def _both(setting: Setting, work: Callable[[], object]) -> dict[str, Callable[[], object]]:
    """With the device's kernels, and with masks and moves found on the CPU."""
    if not setting.cuda:
        return {"": work}
    return {"": work, ", CPU": partial(_on_cpu, work)}


def _on_cpu(work: Callable[[], object]) -> None:
    with swapped("solved_here", lambda device, places: False):
        work()


def kernel_seconds(work: Callable[[], object], calls: int = 5) -> float:
    """Return the seconds that the GPU computes or copies, by the profiler: without the gaps in which it has no work."""
    work()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        for _ in range(calls):
            work()
        torch.cuda.synchronize()
    cuda = torch.autograd.DeviceType.CUDA
    events = [event for event in profiled.events() if event.device_type == cuda]
    return float(sum(event.time_range.elapsed_us() for event in events)) / calls / 1e6


def aims(setting: Setting, seconds: dict[tuple[int, int, int], float]) -> Rows:
    """Beside what was aimed at; means over the grids."""
    rows: Rows = []
    for levels in LEVELS:
        one, five = (mean(values) if (values := _of(seconds, levels, k)) else None for k in MIXES)
        known = setting.cuda and one is not None and five is not None
        name = f"Puzzle Mix, {levels} levels, mean over grids"
        measured = (
            (f"{1e3 * five:.2f} ms", f"{five / one:.2f}") if known else (NO_TIME if setting.cuda else NO_GPU,) * 2
        )
        rows.append({"what": f"{name}: K = 5, no saliency", "aim": f"≤ {MOST_MS:g} ms", "measured": measured[0]})
        rows.append({"what": f"{name}: K = 5 / K = 1", "aim": f"≤ {MOST_RATIO:g}", "measured": measured[1]})
    return rows


def _of(seconds: dict[tuple[int, int, int], float], levels: int, k: int) -> list[float]:
    return [value for (_, n, mixes), value in seconds.items() if n == levels and mixes == k]
