"""`num_mixes="auto"`: the K with the least gradient variance times time, measured before the run proper.

DIR/auto_num_mixes.json holds the choice and what it was made by; where it is, nothing is measured again.

  num_mixes     the choice
  why           in a sentence
  settings      of the run, with num_mixes "auto"
  environment   the conditions of the times
  warm_up       steps with K = 1 before the measurement, on a model that is thrown away
  measured      a list: num_mixes, num_pairs, and as in variance.json variance, relative, to_one, time_s,
                variance_time_to_one
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from multimix.lab.config import AUTO, TrainSettings
from multimix.lab.data import Data
from multimix.lab.environment import check_device, environment
from multimix.lab.errors import Damaged, UsageError
from multimix.lab.json_file import read_json
from multimix.lab.lock import locked
from multimix.lab.processes import launched
from multimix.lab.randomness import private_random_state
from multimix.lab.ranks import num_processes
from multimix.lab.run_folder import CHOICE as FILE
from multimix.lab.run_folder import RunFolder, as_json, check_same
from multimix.lab.variance.cost import efficiency, step_times
from multimix.lab.variance.designs import FEWER, Design
from multimix.lab.variance.estimates import as_numbers, interval, number
from multimix.lab.variance.measuring import Measured, gradients
from multimix.lab.variance.probe import Probe
from multimix.lab.variance.training import trained
from multimix.lab.whole import write_json
from multimix.variance import best_num_mixes, ratio

MOST = 16
REPLICATES = 24
WARM_UP_SHARE, WARM_UP_STEPS = 0.05, 200
Json = dict[str, Any]


def known_num_mixes(settings: TrainSettings) -> int | None:
    """Returns the K that was chosen for a folder before, if there is one.

    Raises:
        UsageError: if the folder belongs to a run with other settings, or its choice cannot be read.
    """
    file = Path(settings.out) / FILE
    if not file.exists():
        RunFolder(Path(settings.out)).check(settings)  # of a run whose K was given
        return None
    try:
        there = read_json(file, dict)
        settled, chosen = there.get("settings"), there.get("num_mixes")
        if not isinstance(settled, dict) or type(chosen) is not int or chosen < 1:
            raise Damaged("it holds no settings with a choice")
    except Damaged as error:
        raise UsageError(f"{FILE} must be readable, got {file}: {error}; remove it") from error
    check_same(settled, as_json(settings), Path(settings.out))
    return chosen


def measured_num_mixes(
    settings: TrainSettings,
    open_data: Callable[[], Data],
    tell: Callable[[str], None],
    show: Callable[[Table], None] = lambda table: None,
) -> int:
    """Chooses K: a warm-up with K = 1, then variance and time of a step for every K that divides its rows.

    Args:
        settings: The run's, with num_mixes "auto".
        open_data: Gives the samples.
        tell: Told, in one line each, what is going on and why the choice was made.
        show: Given the table of what was measured.

    Raises:
        UsageError: if there is no choice, or it would have to be made by several processes.
        RunFailed: if a gradient is not finite, or the choice cannot be written.
    """
    choices = _choices(settings)
    folder, one = Path(settings.out), replace(settings, num_mixes=1)
    check_device(settings.device, settings.precision)
    fabric = launched(settings.device, settings.precision)
    data = open_data().to(fabric.device)
    data = data.with_splits(settings.validation_share, settings.labels_per_class, settings.split_seed)
    steps = one.length(len(data.train)).steps
    warm_up = min(WARM_UP_STEPS, math.ceil(WARM_UP_SHARE * steps))
    with locked(folder, tell), private_random_state(fabric.device):
        among = ", ".join(map(str, choices))
        tell(f"choosing K among {among}: {warm_up} steps with K = 1, then {REPLICATES} batches each")
        (learner,) = trained(one, fabric, data, [warm_up])
        measured = measure_choices(Probe.of(learner, data), settings, choices)
        chosen = best_num_mixes(
            {row["num_mixes"]: row["variance"]["value"] for row in measured},
            {row["num_mixes"]: row["time_s"] for row in measured},
        )
        why = _why(measured, chosen)
        show(_table(measured))
        tell(why)
        result = {"num_mixes": chosen, "why": why, "settings": as_json(settings)}
        result |= {"environment": environment(fabric.device, 1), "warm_up": warm_up, "measured": measured}
        write_json(folder / FILE, result)
    return chosen


def _choices(settings: TrainSettings) -> list[int]:
    """The values of K that divide the rows of a step, leave two pairs, and fit into one part of it."""
    if num_processes() > 1:
        raise UsageError(
            f"K is chosen by one process, got num_mixes={AUTO!r} in {num_processes()}; choose it without torchrun, "
            f"then give --num-mixes"
        )
    if settings.precision == "fp16":
        raise UsageError(f"K is chosen in fp32 or bf16, got num_mixes={AUTO!r}, precision='fp16'; give --num-mixes")
    rows = settings.batch_size
    most = min(MOST, rows // 2, settings.micro_batch_size or MOST)
    choices = [k for k in range(1, most + 1) if rows % k == 0]
    if len(choices) < 2:
        raise UsageError(
            f"batch_size must be divisible by a K from 2 to {MOST}, with two pairs left and one pair in a micro-batch, "
            f"to choose from, got batch_size={rows}, micro_batch_size={settings.micro_batch_size}; try 120"
        )
    return choices


def measure_choices(probe: Probe, settings: TrainSettings, choices: Sequence[int]) -> list[Json]:
    """Measures batches of as many rows as they would be trained on, for each K."""
    draw = (settings.sampling, settings.share, settings.partners)
    designs = [Design.of(FEWER, k, settings.batch_size, draw) for k in choices]
    times = step_times(probe, designs)
    found = [Measured.of(gradients(probe, design, REPLICATES)) for design in designs]
    rows = []
    for design, measured, time in zip(designs, found, times, strict=True):
        to_one = ratio(measured.variance, found[0].variance)
        rows.append(
            {
                "num_mixes": design.num_mixes,
                "num_pairs": design.num_pairs,
                "variance": as_numbers(measured.variance),
                "relative": as_numbers(measured.relative),
                "to_one": as_numbers(to_one),
                "time_s": time.median_s,
                "variance_time_to_one": as_numbers(efficiency(to_one, time, times[0])),
            }
        )
    return rows


def _why(measured: Sequence[Json], chosen: int) -> str:
    """The choice in a sentence, and how sure it is."""
    price = next(row["variance_time_to_one"] for row in measured if row["num_mixes"] == chosen)
    if chosen == 1:
        others = (row for row in measured if row["num_mixes"] != 1)
        next_best = min(others, key=lambda row: row["variance_time_to_one"]["value"])
        price = interval(next_best["variance_time_to_one"])
        return (
            f"K = 1 is chosen: least gradient variance × time; next is K = {next_best['num_mixes']}, {price} times that"
        )
    least = f"K = {chosen} is chosen: least gradient variance × time, {interval(price)} times that of K = 1"
    if price["high"] is not None and price["high"] < 1:
        return least
    return f"{least}, from which it is not distinguishable"


def _table(measured: Sequence[Json]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for head in ("K", "pairs", "V", "V / K=1", "step, ms", "V × time / K=1"):
        table.add_column(head, justify="right")
    for row in measured:
        first = row["num_mixes"] == 1
        ratios = ("1", "1") if first else (interval(row["to_one"]), interval(row["variance_time_to_one"]))
        sizes = (str(row["num_mixes"]), str(row["num_pairs"]), number(row["variance"]["value"]))
        table.add_row(*sizes, ratios[0], f"{row['time_s'] * 1e3:.1f}", ratios[1])
    return table
