"""Many runs: data sets × methods × alphas × K × controls × seeds, here or on a cluster."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from multimix.lab.compare.board import Board, print_plan, print_subject
from multimix.lab.compare.folder import Comparison
from multimix.lab.compare.on_ray import check_ray_installed, ray_slots
from multimix.lab.compare.preflight import check_data_sets, weights_to_come
from multimix.lab.compare.rows import Row, runs
from multimix.lab.compare.settings import CompareSettings
from multimix.lab.compare.workers import local_slots
from multimix.lab.core.lock import locked
from multimix.lab.core.machine import check_device
from multimix.lab.core.printable import printable
from multimix.lab.core.warnings import warn
from multimix.lab.models import import_model
from multimix.lab.train.run_folder import RunFolder
from multimix.lab.train.settings import TrainSettings
from multimix.lab.train.trackers.names import check_installed


def compare(settings: CompareSettings, command: str, console: Console) -> dict[str, str]:
    """Do what is missing of a comparison.

    Args:
        settings: What to compare.
        command: The command line, for the record.
        console: Where to show progress.

    Returns:
        Why runs failed, by the name of their folder; empty if none did.

    Raises:
        UsageError: if a run folder holds a run with other settings, the device or Ray is missing, or a run could not
            begin.
        RunFailed: if another process is at work in the folder.
    """
    check_installed(settings.trackers)
    comparison = Comparison(settings, command)
    comparison.check()
    planned = _planned(settings)
    if missing := _missing(planned):
        # What this machine lacks is refused before anything is begun; a cluster is looked at later.
        if settings.ray is None:
            check_device(settings.device, settings.precision)
        else:
            check_ray_installed()
        check_data_sets(settings, missing)
    with locked(comparison.folder, warn):
        missing = _missing(planned)
        if missing:
            print_subject(settings, console)
            print_plan(planned, console)
        _print_count(planned, settings.out, console)
        comparison.write(warn)
        rows = {run.out: row for row, run in planned}
        for _, run in planned:
            if RunFolder(Path(run.out)).finished:
                _note_row(run, rows)
        if missing:
            _run(missing, rows, comparison, console)
            comparison.write()
    return comparison.failures


def show_plan(settings: CompareSettings, console: Console) -> None:
    """Print what a comparison would do, and does nothing.

    Raises:
        UsageError: if a run folder holds a run with other settings, or data that need not be fetched cannot be used.
    """
    Comparison(settings, "").check()
    planned = _planned(settings)
    if missing := _missing(planned):
        check_data_sets(settings, missing, fetch=False)
    print_subject(settings, console)
    print_plan(planned, console)
    for place in weights_to_come([run for _, run in planned]):
        console.print(f"starting from {printable(place)}, which is not there yet", soft_wrap=True)
    _print_count(planned, settings.out, console)


def _planned(settings: CompareSettings) -> list[tuple[Row, TrainSettings]]:
    import_model(settings.model, settings.model_options)
    planned = runs(settings)
    for _, run in planned:
        RunFolder(Path(run.out)).check(run, "the runs in a comparison's folder must have its settings")
    return planned


def _missing(planned: Sequence[tuple[Row, TrainSettings]]) -> list[TrainSettings]:
    return [run for _, run in planned if not RunFolder(Path(run.out)).finished]


def _print_count(planned: Sequence[tuple[Row, TrainSettings]], out: str, console: Console) -> None:
    finished = len(planned) - len(_missing(planned))
    console.print(f"{len(planned)} runs into {printable(out)}, {finished} of them finished before", soft_wrap=True)


def _note_row(run: TrainSettings, rows: Mapping[str, Row]) -> None:
    with suppress(OSError):  # of a folder that cannot be written the run itself says so
        RunFolder(Path(run.out)).note_row(asdict(rows[run.out]))


def _run(missing: Sequence[TrainSettings], rows: Mapping[str, Row], comparison: Comparison, console: Console) -> None:
    board = Board(missing, comparison.failures, console)

    def begin(run: TrainSettings) -> None:
        _note_row(run, rows)
        board.started(run)

    settings, many = comparison.settings, len(missing)
    with local_slots(settings.jobs, many) if settings.ray is None else ray_slots(settings, many) as (slots, shares):
        console.print(f"{len(missing)} to do, {shares}")
        with board.show():
            slots.all(_train, missing, begin, board.ended)


def _train(settings: TrainSettings, jobs: int) -> None:
    """What is done elsewhere; the loop, and all that it needs, is imported there and not here."""
    from multimix.lab.train.run import train

    train(settings, jobs=jobs)
