"""Study O: what does K > 1 cost, and what does it save? Seconds of an update, of an epoch, and to a fixed error.

    python -m experiments.overhead OUT --data-root ROOT

in the repository's root; ROOT holds CIFAR-10. Fourteen minutes on two cores, which must be idle: all seconds are
the clock's. It may be stopped; the same command goes on with the part, or the run, that was cut off. Writes
results/overhead.json (every time and every record) and overhead.md.

This was written before the run; only the minutes above were put in afterwards.

**Words.** An update sees B rows: B / K samples, K mixes each. So an epoch of N samples has N·K / B updates. With K = 5
and as many rows an epoch has five times the updates of K = 1, and as many as K = 1 with a fifth of the rows, which is
called *small batch*; for as many rows in all K = 5 makes as many updates as K = 1 and a fifth of a small batch's. What
K > 1 may save is thus, against K = 1, samples to load and saliencies to compute; against a small batch, updates, and
where processes share the work, synchronisations: each update is one.

**What is run.** small-cnn, samples in memory, one thread per process, one run at a time.

1. *An update*, on CIFAR-10, cropped and mirrored, N = 10,000: no mixing, and mixup, CutMix and Puzzle Mix with K = 1,
   2, 5, 8, all with the same rows; B = 40, 120, 480, as each K must divide B. In each round all designs of one B do one
   update, in a random order. Loading is timed as a part of the update; mixing is done once more before it, outside of
   its time; the rest is what remains. Compared with K = 1 of the same method and B within a round: median, and
   bootstrap over rounds.
2. *An epoch*, N = 1,000, 10,000, 60,000 (both splits of CIFAR-10, for time only): CutMix, K = 1, 2, 5 with 100 rows,
   and the small batch of 20. Whole epochs where one takes less than 10 seconds; else the first 40 updates, scaled. The
   page says which. Three rounds; lines in a random order in each.
3. *To a fixed error*, `multimix train` in one process and under torchrun in two (gloo), which take turns; five seeds,
   each with samples of its own. Digits, N = 200 and 1,000, mixup, B = 120, 240 updates of K = 1 or as many rows: K = 1,
   small batch, K = 5. 700 other samples are judged every 1,200 rows, 24 times in a run; the seconds are known no finer.
   The error to reach is 10 % and 3 %: above the 7.8 and 1.9 % that no mixing with K = 1 ended with in a pilot on seeds
   100 to 103, as on hard samples some arms did not come to that. The rate falls to zero along a cosine from 0.1 or 0.3,
   whichever had more seeds at no mixing's end, and sooner, in the pilot: 0.3, but 0.1 for the small batch and K = 5 at
   N = 1,000, where CutMix did not come there. And CIFAR-10, 30 updates of 100 rows or as many rows, for the seconds of
   an update only: there a process computes for longer than it waits. Seeds 1 to 5; seed 0 tried the program.

**What is concluded.** Of each ratio one of four words: *more* (its 95 % interval is above 1.05), *less* (below
1 / 1.05), *equal within 5 %* (between the two), or *not decided*.

- K costs (or saves) time in an update of a method and B where K's update takes more (less) than that of K = 1. Is it by
  loading, by mixing or by the rest? The table's columns say; they are shown, not tested.
- N costs nothing of its own where an update takes as long at 60,000 as at 1,000: then an epoch takes the time of
  N·K / B updates, whatever N.
- K = 5 is sooner at the error than K = 1, or than a small batch, in one process and in two, where that one's seconds
  over those of K = 5 are *more*. Where an arm misses the error with two seeds or more, nothing is concluded from its
  ratio, which the other seeds make.
- Fewer synchronisations pay where a second process makes the updates of a small batch dearer, compared with those of
  K = 5: where their ratio in two processes over that in one is *more*. Whether a second process helps at all: an arm's
  update in two processes over that in one.

Nothing is concluded about which arm ends with less error: study F asks that. Many ratios are printed and none is
corrected for their number; a word that only one of many lines has is weak.
"""

import argparse
import dataclasses
import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from experiments.overhead.clock import all_samples, time_epochs, time_updates
from experiments.overhead.design import Design
from experiments.overhead.page import Line, as_page, ratios
from experiments.overhead.race import PROCESSES, RACES, SEEDS, Race, Runs, read, start
from multimix.lab.core.atomic_files import write_atomic, write_json
from multimix.lab.core.errors import UsageError
from multimix.lab.core.machine import environment
from multimix.lab.data import Data, open_data

COMMAND = "python -m experiments.overhead OUT --data-root ROOT"
RESULTS = Path(__file__).parents[1] / "results"
DATA = "cifar10"
DESIGNS = (("none", 1), *((method, k) for method in ("mixup", "cutmix", "puzzlemix") for k in (1, 2, 5, 8)))
UPDATE_ROUNDS, UPDATE_SAMPLES = {40: 40, 120: 30, 480: 8}, 10_000  # rounds by B; N
EPOCHS = (("cutmix", 1, 100), ("cutmix", 2, 100), ("cutmix", 5, 100), ("cutmix", 1, 20))
SIZES = (1_000, 10_000, 60_000)
EPOCH_ROUNDS, LONGEST_S, FIRST_UPDATES = 3, 10.0, 40


def main() -> None:
    """Do what is missing, then write the results."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.overhead", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="folder of what was measured; the same command does what is missing")
    parser.add_argument("--data-root", type=Path, required=True, help="folder that holds CIFAR-10")
    asked = parser.parse_args()
    try:
        measure(asked.out, asked.data_root)
    except (UsageError, subprocess.CalledProcessError) as error:
        parser.exit(2 if isinstance(error, UsageError) else 1, f"{error}\n")


def measure(out: Path, root: Path) -> None:
    """Measure what is missing, then write the results."""
    torch.set_num_threads(1)
    samples = all_samples(open_data(DATA, root=root))
    out.mkdir(parents=True, exist_ok=True)
    updates = once(out / "updates.json", lambda: updates_of(samples, DESIGNS, UPDATE_ROUNDS, UPDATE_SAMPLES))
    designs = [Design(*each) for each in EPOCHS]
    epochs = once(
        out / "epochs.json",
        lambda: time_epochs(samples, SIZES, designs, EPOCH_ROUNDS, LONGEST_S, FIRST_UPDATES),
    )
    for seed in SEEDS:  # one process and two take turns
        for processes in PROCESSES:
            start(out, str(root.resolve()), seed, processes)
    races = {race: read(out, race, SEEDS) for race in RACES}
    write(RESULTS, updates, epochs, races)


def updates_of(samples: Data, designs: Sequence[tuple[str, int]], rounds: Mapping[int, int], size: int) -> list[Line]:
    """Time updates of all methods and K, for one B after the other, on so many samples."""
    data = dataclasses.replace(samples, train=samples.train.subset(torch.arange(size)))
    return [
        line
        for rows, number in rounds.items()
        for line in time_updates(data, [Design(*each, rows) for each in designs], number)
    ]


def once(file: Path, measure: Callable[[], list[Line]]) -> list[Line]:
    """Return what a file holds; measure and write it if it is not there."""
    if not file.exists():
        write_json(file, measure())
    found: list[Line] = json.loads(file.read_text())
    return found


def write(folder: Path, updates: Sequence[Line], epochs: Sequence[Line], races: Mapping[Race, Runs]) -> None:
    """Write the page, and beside it all that it was made from."""
    conditions = environment(torch.device("cpu"), 1)
    content = {"command": COMMAND, "environment": conditions, "updates": updates, "epochs": epochs}
    content["races"] = [
        dataclasses.asdict(race)
        | {"ratios": {name: found and dataclasses.asdict(found) for name, found in ratios(race, runs).items()}}
        | {"runs": [
            {"processes": processes, "arm": arm, "seed": seed, "records": records}
            for (processes, arm), seeds in runs.items()
            for seed, records in seeds.items()
        ]}
        for race, runs in races.items()
    ]  # fmt: skip
    write_json(folder / "overhead.json", content)
    write_atomic(folder / "overhead.md", as_page(COMMAND, conditions, updates, epochs, races))


if __name__ == "__main__":
    main()
