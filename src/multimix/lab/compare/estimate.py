"""How long will it take? Every kind of run is tried for a few steps, which also pays what is slow the first time."""

import json
import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean
from time import perf_counter

from multimix.lab.compare.slots import Slots
from multimix.lab.core.atomic_files import write_json
from multimix.lab.train.settings import TrainSettings

FEWEST_STEPS, MOST_STEPS = 6, 20  # of a trial; between them a twenty-fifth of the run
Kind = tuple[str, ...]  # a run's data set first


@dataclass(frozen=True)
class Pace:
    """What a run's parts take, in seconds.

    Args:
        start_s: Opening the data and building the model.
        step_s: One step.
        evaluation_s: One evaluation.
    """

    start_s: float
    step_s: float
    evaluation_s: float

    def time_s(self, run: TrainSettings) -> float:
        """Return what a run takes; its result is evaluated once more at the end."""
        steps = run.steps or 0
        return self.start_s + steps * self.step_s + (min(run.evaluations, steps) + 1) * self.evaluation_s


def estimate(slots: Slots, runs: Sequence[TrainSettings], folder: Path) -> float | None:
    """Return about how many seconds runs will take; None if no trial came to an end.

    Args:
        slots: Where they will be done.
        runs: What is to be done.
        folder: The comparison's; trials leave nothing there.
    """
    kinds = {_kind(run): run for run in runs}
    copies = min(slots.jobs, math.ceil(len(runs) / len(kinds)))  # never more trials than runs
    with _trials(folder) as place:
        trials = [
            _trial(run, f"{place}/{number}-{copy}")
            for number, run in enumerate(kinds.values())
            for copy in range(copies)
        ]
        slots.all(_try, trials, on_start=lambda run: None, on_end=lambda run, reason: None)
        paces = _paces(trials)
    # A trial that fails will fail, and say why, as a run.
    times = [paces[_kind(run)].time_s(run) for run in runs if _kind(run) in paces]
    return max(sum(times) / slots.jobs, *times) if times else None


def _kind(run: TrainSettings) -> Kind:
    """Return the kind of a run: those that differ in length, seed and folder alone take equally long for a step."""
    same = asdict(replace(_trial(run, out="."), steps=1, seed=0))
    return run.data, *(str(value) for value in same.values())


def _trial(run: TrainSettings, out: str) -> TrainSettings:
    """Return a run of a few steps, which two evaluations cut in halves."""
    steps = run.steps or 0
    few = min(steps, max(FEWEST_STEPS, min(MOST_STEPS, steps // 25)))
    plain = {"schedule": "constant", "unmixed_first": "0", "unmixed_last": "0", "patience": None, "trackers": ()}
    return replace(run, **plain, steps=few, evaluations=2, checkpoint_every="never", out=out)  # type: ignore[arg-type]


def _try(run: TrainSettings, jobs: int) -> None:
    from multimix.lab.train.run import train

    begun_s = perf_counter()
    marks: list[tuple[float, float, float]] = []  # time on the wall, time of training, steps
    train(run, on_record=lambda record: marks.append((perf_counter(), record["time_s"], record["step"])), jobs=jobs)
    if len(marks) > 1:
        (wall_s, trained_s, step), (last_wall_s, last_trained_s, last_step) = marks
        evaluation_s = last_wall_s - wall_s - (last_trained_s - trained_s)
        start_s = max(0.0, wall_s - begun_s - trained_s - evaluation_s)
        pace = Pace(start_s, (last_trained_s - trained_s) / (last_step - step), evaluation_s)
        write_json(Path(run.out) / "pace.json", asdict(pace))


def _paces(trials: Sequence[TrainSettings]) -> dict[Kind, Pace]:
    """Return the paces of the kinds of which a trial came to an end."""
    met: dict[Kind, list[Pace]] = {}
    for trial in trials:
        file = Path(trial.out) / "pace.json"
        if file.exists():
            met.setdefault(_kind(trial), []).append(Pace(**json.loads(file.read_text())))
    # The first run in a process starts slowly, whatever its kind; later ones tell.
    start_s: dict[str, float] = {}
    for (data, *_), paces in met.items():
        start_s[data] = min(start_s.get(data, math.inf), *(pace.start_s for pace in paces))
    return {
        kind: Pace(
            start_s[kind[0]],
            mean(pace.step_s for pace in paces),
            mean(pace.evaluation_s for pace in paces),
        )
        for kind, paces in met.items()
    }


@contextmanager
def _trials(folder: Path) -> Iterator[Path]:
    """Yield a place for trials that all machines see. What a killed comparison left there goes first."""
    place = folder / ".trials"
    shutil.rmtree(place, ignore_errors=True)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
