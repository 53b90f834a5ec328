"""The page of study O."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from experiments.overhead.compare import at_the_error, of_errors, of_paces, pace
from experiments.overhead.design import Design
from experiments.overhead.middle import SAME, Middle
from experiments.overhead.race import PROCESSES, Race, Runs
from multimix.lab.report.words import with_interval
from multimix.lab.statistics import t_interval

Line = dict[str, Any]


def as_page(
    command: str,
    conditions: Mapping[str, Any],
    updates: Sequence[Line],
    epochs: Sequence[Line],
    races: Mapping[Race, Runs],
) -> str:
    """Return the page."""
    parts = [
        "# What K > 1 costs, and what it saves",
        f"Printed by `{command}`, whose head says what is run and what is concluded from what; "
        f"{conditions['processor']}, torch {conditions['torch']}, one thread per process. Brackets hold 95 % "
        f"intervals. A ratio is *more* or *less* where its interval lies above {1 + SAME:.2f} or below "
        f"1 / {1 + SAME:.2f}, *equal* where it lies between the two.",
        "## An update",
        "Milliseconds; medians over rounds in which all lines of one B take turns. *load*: B / K samples are gathered, "
        "cropped and mirrored, from memory. *mix*: the plan, for Puzzle Mix with its saliency, and the blend. *rest*: "
        "forward and backward pass, and the optimizer's step. Ratios are those of whole updates within a round.",
        update_table(updates),
        "## An epoch",
        "An update uses B / K samples, so an epoch of N has N·K / B updates: with as many rows an epoch of K mixes has "
        "K times the updates of K = 1, as many as K = 1 with B / K rows. *timed*: its first updates where all of them "
        "would take too long.",
        epoch_table(epochs),
    ]
    for race, runs in races.items():
        parts += [
            f"## {race.data}, N = {race.samples:,}",
            race_text(race),
            race_table(race, runs),
            ratio_table(race, runs),
        ]
    return "\n\n".join(parts) + "\n"


def update_table(updates: Sequence[Line]) -> str:
    """Return what an update costs."""
    rows = []
    times = {Design(**line["design"]): line["times"] for line in updates}
    for design, own in times.items():
        one, none = (times[Design(method, 1, design.rows)]["update"] for method in (design.method, "none"))
        rest = [update - load - mix for update, load, mix in zip(own["update"], own["load"], own["mix"], strict=True)]
        shares = [f"{median(part) * 1e3:.2f}" for part in (own["load"], own["mix"], rest)]
        against = ["", ""] if design.num_mixes == 1 else _ratio(Middle.ratio(own["update"], one))
        against += [""] if design.method == "none" else [_limits(Middle.ratio(own["update"], none), 2)]
        milliseconds = _limits(Middle.of([1e3 * seconds for seconds in own["update"]]), 1)
        rows.append([f"{design.rows}", design.method, f"{design.num_mixes}", milliseconds, *shares, *against])
    return _table(
        ["B", "method", "K", "an update, ms", "load", "mix", "rest", "against K = 1", "", "against no mixing"], rows
    )


def epoch_table(epochs: Sequence[Line]) -> str:
    """Return what an epoch costs, against the first design; and an update, against the smallest N."""
    rows = []
    first, smallest = epochs[0]["design"], min(line["samples"] for line in epochs)
    found = {(Design(**line["design"]), line["samples"]): line for line in epochs}
    for (design, size), line in found.items():
        reference = found[Design(**first), size]
        against = ["", ""] if line is reference else _ratio(Middle.ratio(_epoch_s(line), _epoch_s(reference)))
        growth = Middle.ratio(line["update"], found[design, smallest]["update"])
        slower = ["", ""] if size == smallest else _ratio(growth)
        timed = "all" if line["timed"] == line["updates"] else f"{line['timed']:,}"
        seconds = _limits(Middle.of(_epoch_s(line)), 2)
        rows.append([f"{size:,}", design.name, f"{line['updates']:,}", timed, seconds, *against, *slower])
    heads = [f"against {Design(**first).name}", "", f"an update against N = {smallest:,}", ""]
    return _table(["N", "", "updates", "timed", "an epoch, s", *heads], rows)


def _epoch_s(line: Line) -> list[float]:
    return [seconds * line["updates"] for seconds in line["update"]]


def race_text(race: Race) -> str:
    """Return what is raced for."""
    rows = f"{race.method}; every run sees {race.updates * race.batch:,} rows"
    if race.error is None:
        return f"{rows}, for the seconds of an update only."
    return (
        f"{rows}. The error to reach is {race.error:.0%}. Medians over the seeds that reach it; seconds of training, "
        "evaluations left out. With two processes every update is one synchronisation: gradients, and batch norm's "
        "averages."
    )


def race_table(race: Race, runs: Runs) -> str:
    """Return what each arm took."""
    heads = ["processes", "", "", "an update, ms"]
    rows = []
    for (processes, arm), seeds in runs.items():
        row = [
            f"{processes}",
            arm,
            race.arms(processes)[arm].name,
            f"{median(pace(runs, processes, arm).values()) * 1e3:.1f}",
        ]
        if race.error is not None:
            there = at_the_error(runs, processes, arm, race.error).values()
            middle = [
                f"{median(record[name] for record in there):,.{digits}f}" if there else ""
                for name, digits in (("step", 0), ("time_s", 2))
            ]
            last = t_interval([records[-1]["validation_error"] for records in seeds.values()])
            row += [f"{len(there)} of {len(seeds)}", *middle, with_interval(last, 100)]
        rows.append(row)
    more = ["reached by", "updates until then", "seconds until then", "error at the end, %"]
    return _table(heads + more * (race.error is not None), rows)


def ratios(race: Race, runs: Runs) -> dict[str, Middle | None]:
    """Return the ratios that conclusions are drawn from."""
    return ({} if race.error is None else of_errors(runs, PROCESSES, race.error)) | of_paces(runs)


def ratio_table(race: Race, runs: Runs) -> str:
    """Return them as a table."""
    rows = [
        [what, *(["", "fewer than two seeds", ""] if found is None else [*_ratio(found), f"{found.n}"])]
        for what, found in ratios(race, runs).items()
    ]
    return _table(["within a seed, geometric mean", "ratio", "", "seeds"], rows)


def _ratio(found: Middle) -> list[str]:
    return [_limits(found, 2), found.verdict]


def _limits(found: Middle, digits: int) -> str:
    value, low, high = (f"{number:.{digits}f}" for number in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (heads, ["---"] * len(heads), *rows))
