"""Does memory stay flat as data grow? A streamed set of 1, 4 and 16 times the images, read by worker processes.

    python -m benchmarks.memory

Every size is a process of its own that lists the folder and reads batches; what is reported is the most memory that
process and its workers took at any of the steps looked at: RSS of the process as top shows it, and Pss of all together,
in which pages that processes share count once (Linux).

glibc keeps freed batches for a while, by chance more or fewer, whatever the size of the set. So every size is measured
twice: as it comes, and with MALLOC_MMAP_THRESHOLD_ set so that freed batches go back at once, which shows the growth
that the first hides.
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
GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}
DIFFERENT = 200  # images that differ; the others are hard links to them, each a file of its own to whoever reads
BATCH, NUM_WORKERS, STEPS, LOOK_EVERY = 64, 2, 60, 5


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
            for gives_back in (False, True):
                environment = os.environ | (GIVE_BACK if gives_back else {})
                done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
                measured = json.loads(done.stdout.splitlines()[-1])
                rows.append({"images": factor * options.images, "gives_back": gives_back} | measured)
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

    start = memory_mb(os.getpid(), "Rss")
    data = open_data(f"folder:{root / 'data'}", {"size": 128}, num_workers=NUM_WORKERS)
    assert isinstance(data.train, StreamedSplit)
    order = SampleOrder(len(data.train), BATCH, seed=0)
    rss, workers, everything = 0.0, 0.0, 0.0
    for step, _ in enumerate(data.train.batches(order, range(STEPS))):
        if step % LOOK_EVERY == 0:
            own = memory_mb(os.getpid(), "Pss")
            others = sum(memory_mb(pid, "Pss") for pid in descendants(os.getpid()))
            rss = max(rss, memory_mb(os.getpid(), "Rss"))
            workers, everything = max(workers, others), max(everything, own + others)
    return {"start_rss_mb": start, "rss_mb": rss, "workers_pss_mb": workers, "all_pss_mb": everything}


def memory_mb(pid: int, kind: str) -> float:
    """Returns a process's memory: "Rss", or "Pss" with shared pages shared out."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:")) / 1024


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
    tight = [row for row in rows if row["gives_back"]]
    first, last = tight[0], tight[-1]
    growth = last["all_pss_mb"] - first["all_pss_mb"]
    each = growth * 2**20 / (last["images"] - first["images"])
    lines = [
        "# Memory of a streamed set",
        "",
        f"`python -m benchmarks.memory --images {first['images']}`: JPEG images of {SIDE} × {SIDE} pixels in class "
        f"folders, {STEPS} batches of {BATCH} crops of 128 × 128, {NUM_WORKERS} worker processes; megabytes, the most "
        f"that was seen at every {LOOK_EVERY}th step. {machine}.",
        "",
        "| images | decoded they would take | freed memory | RSS at start | RSS | Pss of its workers | Pss of all |",
        "|---:|---:|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        decoded = row["images"] * SIDE * SIDE * 3 / 2**20
        columns = ("start_rss_mb", "rss_mb", "workers_pss_mb", "all_pss_mb")
        freed = "given back at once" if row["gives_back"] else "as glibc likes"
        numbers = " | ".join(f"{row[name]:,.0f}" for name in columns)
        lines.append(f"| {row['images']:,} | {decoded:,.0f} | {freed} | {numbers} |")
    lines += [
        "",
        "As it comes, glibc keeps a few hundred MB of freed batches, at any number of images: more or fewer by chance, "
        "not by the size of the set. With `MALLOC_MMAP_THRESHOLD_=1048576` in the environment they go back at once "
        "and the growth can be seen:",
        f"from the smallest to the largest set everything together grows by {growth:,.0f} MB, {each:,.0f} bytes per "
        f"image, for its name, its label and its place in the order of an epoch, in every process that reads.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
