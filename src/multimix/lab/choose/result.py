"""The answer of a race, in words: what to train with, how sure that is, and the command that does it."""

import shlex
from collections.abc import Mapping
from dataclasses import fields, replace
from statistics import mean

from rich import box
from rich.table import Table

from multimix.lab.choose.candidates import Candidate
from multimix.lab.choose.halving import Decision, Standing
from multimix.lab.choose.settings import ChooseSettings
from multimix.lab.statistics import FEWEST_SEEDS, Interval, paired_difference, t_interval
from multimix.lab.train.progress import duration
from multimix.lab.train.settings import TrainSettings

# In the order they are typed; then all others that are not as they would be anyway.
FIRST = ("data", "model", "method", "num_mixes", "batch_size", "steps")
FEWEST_FOR_INTERVAL = 3  # of two seeds a 95 % interval is thirteen standard errors to each side
OF_THE_RACE = ("seed", "validation_share", "split_seed", "evaluations", "out")


def answer(
    decision: Decision, field: Mapping[str, Candidate], settings: ChooseSettings, num_runs: int, spent_s: float
) -> list[str]:
    """Return what to train with, line by line.

    Args:
        decision: What was decided.
        field: All candidates by name.
        settings: The race's.
        num_runs: Runs that were done.
        spent_s: What they took.
    """
    best = decision.best
    return [
        f"train with: {_called(best, field, settings)}",
        f"validation error: {_percent(t_interval(best.errors))} %, {len(best.errors)} seed(s); chosen from "
        f"{len(field)} candidates on these samples, so expect a little more on others",
        *_against_no_mixing(decision, field, settings),
        *_cheaper(decision, field, settings),
        _length_note(best),
        f"cost: {num_runs} runs in {duration(spent_s)} of {duration(settings.budget_s)}",
        train_command(field[best.name].settings(settings, best.length, 0), settings),
    ]


def standings_table(decision: Decision, field: Mapping[str, Candidate], settings: ChooseSettings) -> Table:
    """Return those that were compared on the same seeds at the end, the best first."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for title in ("candidate", "steps", "seeds", "validation error, %", "minus no mixing", "time of a run"):
        table.add_column(title, justify="left" if title == "candidate" else "right")
    for standing in decision.ranked:
        candidate, plain = field[standing.name], decision.plain
        against = "" if plain in (None, standing) else _points(_difference(standing, decision))
        table.add_row(
            candidate.label,
            str(candidate.steps(settings, standing.length)),
            str(len(standing.errors)),
            _percent(t_interval(standing.errors)),
            against,
            f"{standing.time_s:.1f} s",
        )
    return table


def train_command(run: TrainSettings, settings: ChooseSettings) -> str:
    """Return the command that trains like a run of the race, on all samples, those held out included."""
    split_seed = settings.split_seed if settings.labels_per_class is not None else 0
    wanted = replace(run, split_seed=split_seed, out=f"{settings.out}-trained")
    usual = TrainSettings(optimizer=wanted.optimizer, out=wanted.out)
    others = [item.name for item in fields(TrainSettings) if item.name not in (*FIRST, *OF_THE_RACE)]
    flags: list[str] = []
    for name in (*FIRST, *others, "split_seed", "out"):
        value = getattr(wanted, name)
        if name in (*FIRST, "out") or value != getattr(usual, name):
            flags += _flags(f"--{name.replace('_', '-')}", value)
    return shlex.join(["multimix", "train", *flags])


def _flags(flag: str, value: object) -> list[str]:
    if isinstance(value, dict):
        return [part for name, each in value.items() for part in _flags(f"{flag}.{name}", each)]
    if isinstance(value, bool):
        return [flag, str(value).lower()]
    return [flag, ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)]


def _called(standing: Standing, field: Mapping[str, Candidate], settings: ChooseSettings) -> str:
    candidate = field[standing.name]
    return f"{candidate.label}, {candidate.steps(settings, standing.length)} steps"


def _difference(standing: Standing, decision: Decision) -> Interval:
    assert decision.plain is not None
    return paired_difference(standing.errors, decision.plain.errors)


def _against_no_mixing(decision: Decision, field: Mapping[str, Candidate], settings: ChooseSettings) -> list[str]:
    best, plain = decision.best, decision.plain
    if plain is None:
        return ["no run without mixing ended well, so nothing can be said of a difference to it"]
    if best is plain:
        return ["no method had a lower error than no mixing"]
    n = len(best.errors)
    significant = f"{'not ' if plain in decision.alike else ''}significant"
    verdict = significant if n >= FEWEST_SEEDS else f"{n} seed(s) are too few to tell it from chance"
    error = f"{_called(plain, field, settings)}: {100 * mean(plain.errors):.2f} %"
    return [
        f"{field[best.name].label} minus no mixing: {_points(_difference(best, decision))} points, paired by seed "
        f"({error}); {verdict}"
    ]


def _cheaper(decision: Decision, field: Mapping[str, Candidate], settings: ChooseSettings) -> list[str]:
    """Return the cheapest whose error is not significantly higher, if there is a cheaper one and seeds to tell it."""
    best, cheapest = decision.best, decision.alike[0]
    if cheapest is best or len(best.errors) < FEWEST_SEEDS:
        return []
    return [
        f"cheapest without a significantly higher error: {_called(cheapest, field, settings)}: "
        f"{100 * mean(cheapest.errors):.2f} %, {cheapest.time_s:.1f} s a run instead of {best.time_s:.1f} s"
    ]


def _length_note(standing: Standing) -> str:
    if standing.reached:
        return "length: reached, longer runs were no better"
    return "length: not reached, its error was lowest at the longest length tried; more steps may lower it further"


def _percent(interval: Interval) -> str:
    return f"{100 * interval.mean:.2f}{_half_width(interval)}"


def _points(interval: Interval) -> str:
    return f"{100 * interval.mean:+.2f}{_half_width(interval)}"


def _half_width(interval: Interval) -> str:
    return "" if interval.n < FEWEST_FOR_INTERVAL else f" ± {100 * interval.half_width:.2f}"
