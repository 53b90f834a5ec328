"""Training until a fixed validation error: what the runs say."""

import math
from collections.abc import Mapping, Sequence

from experiments.overhead.middle import Middle
from experiments.overhead.race import MANY, ONE, SMALL, Runs
from multimix.lab.statistics import t_interval
from multimix.lab.train.run_folder import Record

Each = Mapping[int, float]  # seed -> number


def reached(records: Sequence[Record], error: float) -> Record | None:
    """Return the first record of a run with such an error or a lower one; None if there is none."""
    return next((record for record in records if record["validation_error"] <= error), None)


def at_the_error(runs: Runs, processes: int, arm: str, error: float) -> dict[int, Record]:
    """Return the first record at the error, for each seed that reaches it."""
    found = {seed: reached(records, error) for seed, records in runs[processes, arm].items()}
    return {seed: record for seed, record in found.items() if record is not None}


def seconds_to(runs: Runs, processes: int, arm: str, error: float) -> Each:
    """Return the seconds of training until the error, for each seed that reaches it."""
    return {seed: record["time_s"] for seed, record in at_the_error(runs, processes, arm, error).items()}


def pace(runs: Runs, processes: int, arm: str) -> Each:
    """Return the seconds of an update, over a whole run, for each seed."""
    return {seed: records[-1]["time_s"] / records[-1]["step"] for seed, records in runs[processes, arm].items()}


def over(first: Each, second: Each) -> Each:
    """Return one in units of the other, for the seeds that both have."""
    return {seed: first[seed] / second[seed] for seed in sorted(first.keys() & second.keys())}


def ratio(first: Each, second: Each) -> Middle | None:
    """Return the geometric mean of the ratios within a seed and its 95 % t-interval; None with fewer than two seeds."""
    logs = [math.log(value) for value in over(first, second).values()]
    if len(logs) < 2:
        return None
    found = t_interval(logs)
    return Middle(math.exp(found.mean), math.exp(found.low), math.exp(found.high), found.n)


def of_errors(runs: Runs, processes: Sequence[int], error: float) -> dict[str, Middle | None]:
    """Return the ratios of seconds to the error, by what is divided by what."""
    contrasts = [(number, first) for number in processes for first in (ONE, SMALL)]
    return {
        f"seconds to the error, {first} / {MANY}, {number} process{'es' * (number > 1)}": ratio(
            seconds_to(runs, number, first, error), seconds_to(runs, number, MANY, error)
        )
        for number, first in contrasts
    }


def of_paces(runs: Runs) -> dict[str, Middle | None]:
    """Return what a second process does to the seconds of an update, by arm, and to what K > 1 saves there."""
    found = {
        f"an update of {arm}, 2 processes / 1": ratio(pace(runs, 2, arm), pace(runs, 1, arm))
        for arm in (ONE, SMALL, MANY)
    }
    two, one = (over(pace(runs, number, SMALL), pace(runs, number, MANY)) for number in (2, 1))
    return found | {f"an update of {SMALL} / {MANY}, 2 processes / 1": ratio(two, one)}
