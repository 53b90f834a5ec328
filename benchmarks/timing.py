"""How long things take, side by side, on which machine."""

import datetime
import gc
import importlib.metadata
import json
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

SAMPLE_S = 1e-3  # the shortest timing lasts this long: faster calls are repeated within it, all equally often


def interleave(
    contenders: Mapping[str, Callable[[], object]], budget_s: float, min_rounds: int = 7
) -> dict[str, float]:
    """Median seconds of each contender, over `rounds`."""
    times = rounds(contenders, budget_s, min_rounds)
    return {name: statistics.median(values) for name, values in times.items()}


def rounds(
    contenders: Mapping[str, Callable[[], object]], budget_s: float, min_rounds: int = 7
) -> dict[str, list[float]]:
    """Seconds of each contender, round by round.

    Round-robin: every round times each of them once, so that whatever disturbs the machine for a while disturbs them
    alike. The first call of each is thrown away.
    """
    for contend in contenders.values():
        contend()
    repeats = math.ceil(SAMPLE_S / min(_time(contend, 1) for contend in contenders.values()))
    times: dict[str, list[float]] = {name: [] for name in contenders}
    gc.collect()
    gc.disable()
    end = time.perf_counter() + budget_s
    done = 0
    while done < min_rounds or time.perf_counter() < end:
        for name, contend in contenders.items():
            times[name].append(_time(contend, repeats))
        done += 1
    gc.enable()
    return times


def _time(contend: Callable[[], object], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        contend()
    return (time.perf_counter() - start) / repeats


def machine(*packages: str) -> dict[str, Any]:
    """What was measured on: processor, caches, cores, threads, versions, date."""
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "caches": _caches(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "versions": {name: _version(name) for name in ("torch", "numpy", "numba", *packages)},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _caches() -> str:
    folders = sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"))
    kinds = [[(folder / part).read_text().strip() for part in ("level", "type", "size")] for folder in folders]
    return ", ".join(f"L{level} {size}" for level, kind, size in kinds if kind != "Instruction") or "unknown"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def write_atomic(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(path.suffix + ".partial")
    partial.write_text(text)
    os.replace(partial, path)


def write_json(path: Path, content: object) -> None:
    """Write JSON, whole or not at all."""
    write_atomic(path, json.dumps(content, indent=2) + "\n")


def table(rows: list[dict[str, object]]) -> str:
    """Rows of equal keys as a Markdown table."""
    heads = list(rows[0])
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(str(row[head]) for head in heads) + " |" for row in rows]
    return "\n".join(lines)
