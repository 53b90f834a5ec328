"""Does memory stay flat as data grow? A streamed set of 1, 4 and 16 times the images, read by worker processes.

    python -m benchmarks.memory

Every size is a process of its own that lists the folder and reads batches; what is reported is the largest memory of
that process and of its workers, pages that they share counted once (Linux: Pss), when the steps are done.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

RESULTS = Path(__file__).parent / "results"
SIDE = 160
CLASSES = 10
DIFFERENT = 200  # images that differ; the others are hard links to them, each a file of its own to whoever reads
BATCH, NUM_WORKERS, STEPS = 64, 2, 60


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes `memory.json` and `memory.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000, help="images of the smallest set (default %(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure is not None:
        print(json.dumps(measure(options.measure)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for factor in (1, 4, 16):
            root = Path(folder) / str(factor)
            write_images(root, factor * options.images)
            command = [sys.executable, "-m", "benchmarks.memory", "--measure", str(root)]
            environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(2**20)}
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            rows.append({"images": factor * options.images} | json.loads(done.stdout.splitlines()[-1]))
            print(rows[-1], flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    (options.out / "memory.json").write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")
    (options.out / "memory.md").write_text(page(rows, machine))


def write_images(root: Path, count: int) -> None:
    """Writes class folders of JPEG images, train and test."""
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 256, (DIFFERENT, 4, 4, 3), dtype=np.uint8)
    originals = root / "originals"
    originals.mkdir(parents=True)
    for number, few in enumerate(corners):
        image = Image.fromarray(few).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        image.save(originals / f"{number}.jpg", quality=90)
    for split, size in (("train", count), ("test", CLASSES)):
        for label in range(CLASSES):
            (root / "data" / split / f"class_{label}").mkdir(parents=True)
        for number in range(size):
            path = root / "data" / split / f"class_{number % CLASSES}" / f"image_{number:08}.jpg"
            os.link(originals / f"{number % DIFFERENT}.jpg", path)


def measure(root: Path) -> dict[str, float]:
    """Reads batches of a folder and returns what that took, in MB."""
    from multimix.lab.data import SampleOrder, StreamedSplit, open_data

    before = memory_mb(os.getpid())
    data = open_data(f"folder:{root / 'data'}", {"size": 128}, num_workers=NUM_WORKERS)
    assert isinstance(data.train, StreamedSplit)
    listed = memory_mb(os.getpid())
    order = SampleOrder(len(data.train), BATCH, seed=0)
    workers = 0.0
    for step, _ in enumerate(data.train.batches(order, range(STEPS))):
        if step == STEPS // 2:
            workers = sum(memory_mb(pid) for pid in descendants(os.getpid()))
    return {"start_mb": before, "listed_mb": listed, "end_mb": memory_mb(os.getpid()), "workers_mb": workers}


def memory_mb(pid: int) -> float:
    """Returns a process's share of memory."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def descendants(pid: int) -> list[int]:
    """Returns all processes under a process: workers are children of the server that forks them."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = [pid]
    for other in found:
        found += [child for child, parent in parents.items() if parent == other]
    return found[1:]


def page(rows: Sequence[dict[str, float]], machine: str) -> str:
    """Returns the results as a page."""
    lines = [
        "# Memory of a streamed set",
        "",
        f"`python -m benchmarks.memory`: JPEG images of {SIDE} × {SIDE} pixels in class folders, {STEPS} batches of "
        f"{BATCH} crops of 128 × 128, {NUM_WORKERS} worker processes; megabytes, shared pages counted once. {machine}.",
        "",
        "Measured with `MALLOC_MMAP_THRESHOLD_=1048576`, so that freed batches go back to the system at once. Without "
        "it glibc 2.36 was seen, at any number of images, to keep up to 800 MB of freed batches for dozens of steps.",
        "",
        "| images | decoded they would take | process at start | after listing | after the steps | its workers |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        decoded = row["images"] * SIDE * SIDE * 3 / 2**20
        numbers = " | ".join(f"{row[name]:,.0f}" for name in ("start_mb", "listed_mb", "end_mb", "workers_mb"))
        lines.append(f"| {row['images']:,} | {decoded:,.0f} | {numbers} |")
    first, last = rows[0], rows[-1]
    growth = (last["end_mb"] + last["workers_mb"]) - (first["end_mb"] + first["workers_mb"])
    each = growth * 2**20 / (last["images"] - first["images"])
    lines += [
        "",
        f"From the smallest to the largest set everything together grows by {growth:,.0f} MB: {each:,.0f} bytes",
    ]
    lines[-1] += " per image, for its name, its label and its place in the order of an epoch."
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
