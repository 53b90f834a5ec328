"""A race from its first run to its answer: rung by rung, until nothing is left to find out or the time is up."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from time import monotonic

from rich.console import Console

from multimix.lab.choose.candidates import (
    Candidate,
    candidates,
    measured,
    train_without_test,
    training_time_s,
    without_test,
)
from multimix.lab.choose.folder import RaceFolder
from multimix.lab.choose.halving import Key, Measured, Race, Rung, first_length
from multimix.lab.choose.result import answer, standings_table
from multimix.lab.choose.settings import ChooseSettings
from multimix.lab.compare.board import Board
from multimix.lab.compare.slots import Slots
from multimix.lab.compare.workers import local_slots
from multimix.lab.core.errors import RunFailed, UsageError
from multimix.lab.core.lock import locked
from multimix.lab.core.machine import check_device
from multimix.lab.core.plain_console import PlainConsole
from multimix.lab.core.printable import printable
from multimix.lab.core.warnings import warn
from multimix.lab.models import import_model
from multimix.lab.train.initial_weights import build_model_of
from multimix.lab.train.method_schedule import check_method_fits
from multimix.lab.train.progress import duration, record_line
from multimix.lab.train.recipe import DEFAULT_STEPS
from multimix.lab.train.settings import TrainSettings
from multimix.lab.train.trackers.names import check_installed

FEWEST_STEPS = 30  # of the shortest runs, where the budget says how long they are
MARGIN = 0.5  # of the budget is planned for the halving: other candidates may be slower than the one that was timed


def choose(settings: ChooseSettings, command: str, console: PlainConsole) -> dict[str, str]:
    """Race candidates until the budget is spent or the race decided, and print what to train with.

    Args:
        settings: What to choose from.
        command: The command line, for the record.
        console: Where to show progress and the outcome.

    Returns:
        Why runs failed, by the name of their folder; empty if none did.

    Raises:
        UsageError: if the budget is too small for the first rung, the folder holds something else, the device is
            missing, or the data cannot be used.
        RunFailed: if another process is at work in the folder, or no candidate has a result.
    """
    check_installed(settings.trackers)
    import_model(settings.model, settings.model_options)
    folder = RaceFolder(settings, command)
    field = {candidate.name: candidate for candidate in candidates(settings)}
    folder.resume(field)
    check_device(settings.device, settings.precision)
    _check_data([candidate.settings(settings, 1, 0) for candidate in field.values()])
    with locked(folder.folder, warn), local_slots(settings.jobs, len(field)) as (slots, shares):
        folder.resume(field)  # again: until it was locked, another process may have begun a race in it
        names = (
            f"{len(field)} candidates into {printable(settings.out)}, budget {duration(settings.budget_s)}, {shares}"
        )
        console.progress.print(names, soft_wrap=True)
        return _Race(folder, field, slots, console).run()


def show_candidates(settings: ChooseSettings, console: Console) -> None:
    """Print who would race, and do nothing.

    Raises:
        UsageError: if the folder holds something else.
    """
    found = candidates(settings)
    RaceFolder(settings, "").resume([candidate.name for candidate in found])
    for candidate in found:
        console.print(candidate.label, soft_wrap=True)
    console.print(f"{len(found)} candidates into {printable(settings.out)}, budget {duration(settings.budget_s)}")


def _check_data(runs: Sequence[TrainSettings]) -> None:
    """Open the data once, so that what does not work with them is refused at once and not by every run."""
    from multimix.lab.train.run import open_data_of

    data = without_test(open_data_of(runs[0], sharing=1), runs[0])
    model = build_model_of(runs[0], data.sample_shape, data.num_classes)
    for run in runs:
        check_method_fits(run, model, data.sample_shape, data.num_classes)


class _Race:
    """A race under way.

    Args:
        folder: Where it stands.
        field: All candidates by name.
        slots: Where runs are done.
        console: Where to show progress and the outcome.
    """

    def __init__(self, folder: RaceFolder, field: dict[str, Candidate], slots: Slots, console: PlainConsole) -> None:
        self._folder, self._field, self._slots, self._console = folder, field, slots, console
        self._settings = folder.settings
        self._failures: dict[str, str] = {}
        self._done: dict[Key, Measured] = {}

    def run(self) -> dict[str, str]:
        plain = frozenset(name for name, candidate in self._field.items() if candidate.method == "none")
        self._folder.write()
        race = Race(tuple(self._field), plain, self._first(), self._settings.seeds, self._slots.jobs)
        self._folder.rungs = self._folder.rungs or [race.opening()]
        # Of the rungs that were decided and no other runs: a race that was killed must see what one that was not did.
        self._done.clear()
        self._note(key for rung in self._folder.rungs for key in rung.runs)
        self._finish(race, self._last_complete(race))
        return self._failures

    def _last_complete(self, race: Race) -> Rung:
        """Do what there is time for; return the last rung of which all was done, or the first one."""
        rungs = self._folder.rungs
        complete = rungs[0]
        for number, rung in enumerate(rungs):  # it grows
            self._folder.write()
            if not self._is_done(race, rung, number):
                break
            complete = rung
            if rung is rungs[-1]:
                following = race.following(self._done, rung, self._left_s)
                rungs += [following] if following not in (None, rung) else []  # the same again: its runs failed
        return complete

    def _first(self) -> int:
        """Return the length of the first rung, once the first candidate was timed.

        Raises:
            UsageError: if the budget is too small for the first rung: a run of each candidate, and one twice as long.
            RunFailed: if that run fails.
        """
        settings, name = self._settings, next(iter(self._field))
        if self._folder.first is not None:
            return self._folder.first
        key = name, settings.steps or FEWEST_STEPS, 0
        if self._measured(key) is None:
            self._do([key], self._board([key]))
        if (found := self._measured(key)) is None:
            raise RunFailed(f"the first run must end well, got {'; '.join(self._failures.values())}")
        needed_s = 3 * len(self._field) * found.time_s / self._slots.jobs
        if needed_s > settings.budget_s:
            raise UsageError(
                f"budget must hold a run of each of {len(self._field)} candidates and one twice as long, got budget="
                f"{settings.budget!r} where they take about {duration(needed_s)} from {key[1]} steps on; give more, "
                f"fewer methods, or fewer --steps"
            )
        self._folder.first = settings.steps or self._by_budget(key, found)
        return self._folder.first

    def _by_budget(self, key: Key, timed: Measured) -> int:
        trained_s = training_time_s(self._run(key))
        length = first_length(
            len(self._field),
            self._settings.seeds,
            MARGIN * self._settings.budget_s * self._slots.jobs,
            start_s=max(0.0, timed.time_s - trained_s),
            step_s=trained_s / key[1],
        )
        return int(max(FEWEST_STEPS, min(DEFAULT_STEPS, length)))

    def _is_done(self, race: Race, rung: Rung, number: int) -> bool:
        """Do what is missing of a rung; return whether there was time for all of it."""
        missing = [key for key in rung.runs if key not in self._done and not self._failed(key)]
        if not missing:
            return True
        time_s = duration(race.time_s(self._done, missing))
        said = f"rung {number + 1}: {len(rung.contenders)} candidates, {rung.seeds} seed(s), {len(missing)} runs"
        self._console.progress.print(f"{said} to do: about {time_s}", soft_wrap=True)
        jobs, board = self._slots.jobs, self._board(missing)
        with board.show():
            for begin in range(0, len(missing), jobs):
                together = missing[begin : begin + jobs]
                if race.time_s(self._done, together) > self._left_s:
                    return False
                self._do(together, board)
        return True

    def _board(self, keys: Sequence[Key]) -> Board:
        line = partial(record_line, split="validation")
        return Board([self._run(key) for key in keys], self._failures, self._console.progress, line)

    def _do(self, keys: Sequence[Key], board: Board) -> None:
        begun, spent_s = monotonic(), self._folder.spent_s
        try:
            self._slots.all(train_without_test, [self._run(key) for key in keys], board.started, board.ended)
        finally:  # also if it was interrupted
            self._folder.spent_s = spent_s + monotonic() - begun
            self._folder.write()
        self._note(keys)

    def _note(self, keys: Iterable[Key]) -> None:
        self._done |= {key: found for key in keys if (found := self._measured(key))}

    def _finish(self, race: Race, rung: Rung) -> None:
        if not self._done:
            raise RunFailed(f"one run must end well to choose by, got {'; '.join(self._failures.values())}")
        decision = race.decide(self._done, rung)
        self._folder.answer = answer(decision, self._field, self._settings, len(self._done), self._folder.spent_s)
        self._folder.write()
        self._console.print(standings_table(decision, self._field, self._settings))
        for line in self._folder.answer:
            self._console.print(printable(line), soft_wrap=True, highlight=False)

    @property
    def _left_s(self) -> float:
        return self._settings.budget_s - self._folder.spent_s

    def _run(self, key: Key) -> TrainSettings:
        name, length, seed = key
        return self._field[name].settings(self._settings, length, seed)

    def _failed(self, key: Key) -> bool:
        return Path(self._run(key).out).name in self._failures

    def _measured(self, key: Key) -> Measured | None:
        return measured(self._run(key))
