"""What the examples share: K = 1 against K = 5 on any data, over seeds, under both controls.

Each example says what its data, model and loss are, and calls `run`. A step has ROWS rows, as many for all but the last
kind:

    none            ROWS samples, not mixed
    K = 1           ROWS pairs, one mix each
    same-rows   ROWS / 5 pairs, five mixes each
    same-pairs     ROWS pairs, five mixes each: five times the cost

All have as many steps, the same splits, the same first weights and the same order of samples for a seed. Nothing is
chosen by the test split: the score is that of the last weights.
"""

import argparse
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time

import torch
from torch import Tensor, nn

from multimix import MultiMix
from multimix.lab.core.atomic_files import write_atomic, write_json
from multimix.lab.core.machine import environment
from multimix.lab.report.words import marked, with_interval
from multimix.lab.statistics import paired, t_interval

MIXES = 5
RESULTS = Path(__file__).parent / "results"  # what overview.py reads
OWN = Path("runs") / "examples"  # where a trial run writes: over nothing that others rely on


@dataclass(frozen=True)
class Split:
    """Samples and their targets, as many rows in both."""

    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class Task:
    """What is learned from what.

    Args:
        title: For the table.
        train: What is learned from.
        test: What is judged by.
        model: Makes the network; random weights come from torch's global generator.
        mixers: Name of a method -> the mixer with K mixes.
        loss: Of the network's output and mixed targets.
        score: Of the network's output and the test targets; lower is better.
        score_name: What it is called, with its unit.
        rows: Rows per step; 5 divides it.
        steps: Updates.
        learning_rate: Of AdamW, the highest; it falls to zero along a cosine.
    """

    title: str
    train: Split
    test: Split
    model: Callable[[], nn.Module]
    mixers: Mapping[str, Callable[[int], MultiMix]]
    loss: Callable[[Tensor, Tensor], Tensor]
    score: Callable[[Tensor, Tensor], float]
    score_name: str
    rows: int = 100
    steps: int = 500
    learning_rate: float = 0.003


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Args:
        method: The method.
        num_mixes: K.
        control: Relative to K = 1.
        mix: What mixes.
        pairs: Per step.
    """

    method: str
    num_mixes: int
    control: str
    mix: MultiMix
    pairs: int


def rows_of(task: Task) -> list[Row]:
    """Returns the lines of the table; the first is without mixing."""
    some = next(iter(task.mixers.values()))(1)
    none = MultiMix("none", num_mixes=1, num_classes=some.num_classes, dense_targets=some.dense_targets)
    rows = [Row("none", 1, "", none, task.rows)]
    for method, mixer in task.mixers.items():
        rows += [
            Row(method, 1, "", mixer(1), task.rows),
            Row(method, MIXES, "same-rows", mixer(MIXES), task.rows // MIXES),
            Row(method, MIXES, "same-pairs", mixer(MIXES), task.rows),
        ]
    return rows


def train(task: Task, row: Row, seed: int) -> tuple[float, float]:
    """Returns the test score of the last weights, and the seconds of processor time that training took."""
    torch.manual_seed(seed)
    model = task.model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=task.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, task.steps)
    order, mixing = (torch.Generator().manual_seed(2 * seed + stream) for stream in (0, 1))
    queue = torch.empty(0, dtype=torch.int64)
    begun = process_time()
    for _ in range(task.steps):
        while len(queue) < row.pairs:
            queue = torch.cat([queue, torch.randperm(len(task.train.x), generator=order)])
        batch, queue = queue[: row.pairs], queue[row.pairs :]
        output, y = row.mix.run(model, task.train.x[batch], task.train.y[batch], generator=mixing)
        optimizer.zero_grad()
        task.loss(output, y).backward()
        optimizer.step()
        schedule.step()
    time_s = process_time() - begun
    model.eval()
    with torch.no_grad():
        output = torch.cat([model(part) for part in task.test.x.split(500)])
    return task.score(output, task.test.y), time_s


def run(
    tasks: Callable[[argparse.Namespace], list[Task]],
    name: str,
    says: str | None,
    options: Callable[[argparse.ArgumentParser], None] | None = None,
) -> None:
    """Trains every row of every task for every seed; prints the tables and writes NAME.json and .md.

    Args:
        tasks: Makes the tasks from what was typed.
        name: Of the example.
        says: What --help says of it.
        options: Adds the example's own options.
    """
    parser = argparse.ArgumentParser(description=says, formatter_class=argparse.RawDescriptionHelpFormatter)
    if options is not None:
        options(parser)
    parser.add_argument("--seeds", type=int, default=5, help="default %(default)s")
    parser.add_argument("--steps", type=int, help="updates, default the example's")
    parser.add_argument("--results", type=Path, default=OWN, help="folder to write to, default %(default)s")
    asked = parser.parse_args()
    if asked.seeds < 2 or (asked.steps is not None and asked.steps < 1):
        parser.error(f"seeds must be >= 2 and steps >= 1, got seeds={asked.seeds}, steps={asked.steps}")
    pages, found = [], []
    for task in tasks(asked):
        if asked.steps:
            task = replace(task, steps=asked.steps)
        rows = rows_of(task)
        for row in rows:
            train(replace(task, steps=2), row, seed=0)  # kernels are compiled on first use: not part of the times
        measured = [[train(task, row, seed) for seed in range(asked.seeds)] for row in rows]
        pages.append(_page(task, rows, measured, asked.seeds))
        print(f"{pages[-1]}\n", flush=True)
        found.append(
            {
                "title": task.title,
                "score": task.score_name,
                "steps": task.steps,
                "rows": [
                    {"method": row.method, "num_mixes": row.num_mixes, "control": row.control, "pairs": row.pairs}
                    | {"scores": [score for score, _ in runs], "cpu_time_s": [time_s for _, time_s in runs]}
                    for row, runs in zip(rows, measured, strict=True)
                ],
            }
        )
    asked.results.mkdir(parents=True, exist_ok=True)
    where = environment(torch.device("cpu"), 1)
    command = shlex.join(["python", f"examples/{name}.py", *sys.argv[1:]])
    write_json(asked.results / f"{name}.json", {"command": command, "environment": where, "tasks": found})
    write_atomic(asked.results / f"{name}.md", "\n\n".join([f"Printed by `{command}`.", *pages]) + "\n")


def _page(task: Task, rows: list[Row], measured: list[list[tuple[float, float]]], seeds: int) -> str:
    lines = [
        f"### {task.title}",
        "",
        f"{len(task.train.x):,} to train on, {len(task.test.x):,} to test on; {task.steps} steps of {task.rows} rows; "
        f"{seeds} seeds. Mean ± half-width of the 95 % t-interval; differences are paired by seed: ▲ worse, ▼ better, "
        "≈ not significant.",
        "",
        f"| method | K | control | {task.score_name} | against K = 1 | processor time, × none |",
        "|---|---:|---|---:|---:|---:|",
    ]
    scores = [[score for score, _ in runs] for runs in measured]
    times = [sum(time_s for _, time_s in runs) for runs in measured]
    one: list[float] = []
    for row, values, time_s in zip(rows, scores, times, strict=True):
        one = values if row.num_mixes == 1 else one
        change = "" if row.num_mixes == 1 else marked(paired(values, one).difference)
        cells = [row.method, str(row.num_mixes), row.control, with_interval(t_interval(values)), change]
        lines.append(f"| {' | '.join(cells)} | {time_s / times[0]:.2f} |")
    return "\n".join(lines)


def error_percent(output: Tensor, y: Tensor) -> float:
    """Returns the share of samples (or positions) whose class is not the likeliest one, in percent."""
    return 100 * float((output.argmax(1) != y).float().mean())


def rmse(output: Tensor, y: Tensor) -> float:
    """Returns the root of the mean squared error."""
    return float((output - y).square().mean().sqrt())
