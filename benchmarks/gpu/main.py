"""What mixing does and costs on a GPU: is it exact, how fast, how much memory.

    PYTHONPATH=src python -m benchmarks.gpu [--parts exact,blend] [--minutes 5] [--out FOLDER]

One command, offline, from a checkout. It needs PyTorch, numpy, scipy, numba and jaxtyping; timm and torchvision are
measured beside multimix where they can be imported. Results are written to gpu.json after every table, and to gpu.md at
the end. A part that fails leaves its traceback there, the others go on, and the exit status is 1.

`--tiny` runs every part on the CPU in seconds, on a few small images: it shows that the command works, and no more.
"""

import argparse
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu import blend, compiled, exact, memory, plans, puzzle, replayed, steps
from benchmarks.gpu.card import card
from benchmarks.gpu.page import page
from benchmarks.gpu.setting import Rows, Setting
from benchmarks.timing import write_atomic, write_json

Part = Callable[[Setting], Iterator[tuple[str, Rows]]]
PARTS: dict[str, tuple[Part, float]] = {  # and its share of the time
    "exact": (exact.measure, 0.3),
    "blend": (blend.measure, 0.1),
    "puzzle": (puzzle.measure, 0.1),
    "plans": (plans.measure, 0.05),
    "memory": (memory.measure, 0.1),
    "steps": (steps.measure, 0.2),
    "replayed": (replayed.measure, 0.05),
    "compiled": (compiled.measure, 0.1),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write `gpu.json` and `gpu.md`; the exit status."""
    options = _parsed(arguments)
    device = torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")
    results: dict[str, Any] = {"card": card(device), "tiny": options.tiny, "parts": {}}
    start, done = time.monotonic(), 0.0
    whole = sum(PARTS[name][1] for name in options.parts)
    for name in options.parts:
        measure, share = PARTS[name]
        done += share
        setting = Setting(device, options.tiny, start + 60 * options.minutes * done / whole)
        _run(measure, setting, results["parts"].setdefault(name, {"tables": {}}), results, options.out / "gpu.json")
    text = page(results, __doc__ or "")
    write_atomic(options.out / "gpu.md", text)
    print(text)
    return int(any("error" in part for part in results["parts"].values()))


def _run(measure: Part, setting: Setting, part: dict[str, Any], results: dict[str, Any], file: Path) -> None:
    """Measure a part; what there is, is written after every table."""
    start = time.monotonic()
    try:
        for title, rows in measure(setting):
            part["tables"][title] = rows
            write_json(file, results)
    except Exception:
        part["error"] = traceback.format_exc()
        print(part["error"], flush=True)
    part["seconds"] = round(time.monotonic() - start, 1)
    write_json(file, results)
    if setting.cuda:
        torch.cuda.empty_cache()


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", default=",".join(PARTS), help="which parts, in this order (default %(default)s)")
    parser.add_argument("--tiny", action="store_true", help="a few small images, on the CPU too")
    parser.add_argument("--minutes", type=float, default=5.0, help="what it may take (default %(default)g)")
    parser.add_argument("--out", type=Path, default=Path("build/gpu"), help="folder to write to (default %(default)s)")
    options = parser.parse_args(arguments)
    options.parts = options.parts.split(",")
    if unknown := [name for name in options.parts if name not in PARTS]:
        parser.error(f"--parts must be some of {','.join(PARTS)}, got {','.join(unknown)}; see --help")
    if not options.tiny and not torch.cuda.is_available():
        parser.error("a CUDA device is needed, got none; --tiny tries the command on a CPU")
    return options
