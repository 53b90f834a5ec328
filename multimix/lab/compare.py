"""Many runs, one table: methods × K × controls × seeds on this machine."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from multimix.lab.comparison import Comparison
from multimix.lab.config import CompareSettings, TrainSettings
from multimix.lab.controls import runs
from multimix.lab.environment import check_device
from multimix.lab.progress import Board, duration
from multimix.lab.report.page import write_page
from multimix.lab.report.table import table
from multimix.lab.report.terminal import print_table
from multimix.lab.run_folder import RunFolder
from multimix.lab.workers import Workers, cores

TRIAL_STEPS = 6


def compare(settings: CompareSettings, command: str, console: Console) -> dict[str, str]:
    """Does what is missing of a comparison, then prints the table and writes the page.

    Args:
        settings: What to compare.
        command: The command line, for the record.
        console: Where to show progress and the table.

    Returns:
        Why runs failed, by the name of their folder; empty if none did.

    Raises:
        UsageError: if a run folder holds a run with other settings, or the device is missing.
    """
    planned = [run for _, run in runs(settings)]
    for run in planned:
        RunFolder(Path(run.out)).check(run)
    missing = [run for run in planned if not RunFolder(Path(run.out)).finished]
    if missing:
        check_device(settings.device, settings.precision)
    console.print(f"{len(planned)} runs into {settings.out}, {len(planned) - len(missing)} of them finished before")
    comparison = Comparison(settings, command)
    comparison.write()
    if missing:
        _run(missing, comparison, console)
        comparison.write()
    rows = table(comparison)
    print_table(rows, console)
    console.print(f"\nReport: {write_page(comparison, rows)}", soft_wrap=True)
    return comparison.failures


def _run(missing: Sequence[TrainSettings], comparison: Comparison, console: Console) -> None:
    jobs = min(comparison.settings.jobs or cores(), len(missing))
    board = Board(missing, comparison.failures, console)
    workers = Workers(_train, jobs)
    try:
        rows_per_s = _rows_per_s(workers, missing, jobs)
        rows = sum((run.steps or 0) * run.batch_size for run in missing)
        time = f"about {duration(rows / rows_per_s)}" if rows_per_s else "in a time that a trial could not tell"
        console.print(f"{len(missing)} to do, {jobs} at a time with {max(1, cores() // jobs)} thread(s) each: {time}")
        with board.show():
            workers.all(missing, board.started, board.ended)
    finally:
        workers.close()


def _train(settings: TrainSettings, jobs: int) -> None:
    """What a worker does; the loop, and all that it needs, is imported there and not in the parent."""
    from multimix.lab.train import train

    train(settings, jobs=jobs)


def _rows_per_s(workers: Workers, missing: Sequence[TrainSettings], jobs: int) -> float:
    """Tries every kind of run for a few steps: tells the speed, and leaves no first-time costs to the runs measured."""
    kinds = {(run.method, run.num_mixes, run.batch_size): run for run in missing}
    with tempfile.TemporaryDirectory() as folder:
        trials = [
            replace(run, steps=TRIAL_STEPS, out=f"{folder}/{kind}-{job}")
            for kind, run in enumerate(kinds.values())
            for job in range(jobs)
        ]
        workers.all(trials, on_start=lambda run: None, on_end=lambda run, reason: None)
        records = [RunFolder(Path(trial.out)).records() for trial in trials]
    done = [record for record in records if len(record) > 1]  # a trial that fails will fail, and say why, as a run
    rows = sum(record[-1]["rows"] - record[0]["rows"] for record in done)
    time_s = sum(record[-1]["time_s"] - record[0]["time_s"] for record in done)
    return jobs * rows / time_s if done else 0.0
