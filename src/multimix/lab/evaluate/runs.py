"""Finished runs: which ones are meant, and the answers put into their folders."""

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

import torch
from rich.console import Console
from rich.status import Status
from rich.text import Text

from multimix.lab.core.checks import check_name
from multimix.lab.core.errors import Damaged, RunFailed, UsageError
from multimix.lab.core.lock import locked
from multimix.lab.core.machine import check_device
from multimix.lab.core.own_folder import subfolders
from multimix.lab.core.printable import printable
from multimix.lab.core.processes import launched
from multimix.lab.core.randomness import private_random_state, seed_device, seed_of
from multimix.lab.core.ranks import num_processes
from multimix.lab.core.warnings import warn
from multimix.lab.data import Data
from multimix.lab.evaluate.evaluators import CHECKS, EVALUATORS
from multimix.lab.evaluate.settings import EvaluateSettings
from multimix.lab.models import is_code
from multimix.lab.train.initial_weights import build_model_of, load_initial_weights
from multimix.lab.train.progress import duration
from multimix.lab.train.run import open_data_of
from multimix.lab.train.run_folder import CONFIG, WEIGHTS, RunFolder
from multimix.lab.train.settings import TrainSettings

COMPARISON = "compare.json"  # in a folder that holds the folders of many runs; nothing is read from it


@dataclass(frozen=True)
class FinishedRun:
    """A run that came to a good end.

    Args:
        folder: Its files.
        trained: What was trained, with the data where they are now.
    """

    folder: RunFolder
    trained: TrainSettings

    @property
    def data_settings(self) -> str:
        """What decides which samples it meets; the same for runs that can share them."""
        run = self.trained
        parts = (
            *(run.data, run.data_options, run.data_root, run.on_bad_file),
            *(run.validation_share, run.labels_per_class, run.split_seed),
        )
        return json.dumps(parts, sort_keys=True)


def evaluate_runs(settings: EvaluateSettings, console: Console) -> dict[str, dict[str, float]]:
    """Asks finished runs, and writes the answers into their folders.

    All that can be refused is refused before the first run is asked. Everything is computed in float32, whatever the
    precision of the training.

    Args:
        settings: Which runs, and what is asked.
        console: Where to show progress.

    Returns:
        What was measured of each run, by the name to show it under.

    Raises:
        UsageError: if a folder holds no finished run, or the data, the device or an evaluator do not fit.
        RunFailed: if another process is at work in a run's folder, or a number is not finite.
    """
    for name in settings.evaluators:
        check_name("evaluators", name, EVALUATORS)
    check_device(settings.device, "fp32")
    if num_processes() > 1:
        raise UsageError(f"runs are evaluated in one process, got {num_processes()}; give the command without torchrun")
    runs = finished_runs(settings)
    for run in runs:
        _check_code(run, settings)
    device = launched(settings.device).device
    results = {}
    with console.status("opening the data") as status:
        data = _opened(runs, device)
        for run in runs:
            _check(run, data[run.data_settings], settings)
        for number, (name, run) in enumerate(zip(_names(runs), runs, strict=True), start=1):
            start = monotonic()
            with locked(run.folder.path, warn):
                results[name] = _evaluate(run, data[run.data_settings], settings, device, status)
                run.folder.add_to_evaluation(results[name])
            console.print(f"{number}/{len(runs)}  {name}  {duration(monotonic() - start)}", soft_wrap=True)
    return results


def finished_runs(settings: EvaluateSettings) -> list[FinishedRun]:
    """Returns the runs that are meant, each once.

    Raises:
        UsageError: if a folder holds no finished run.
    """
    paths = {path.resolve(): path for place in settings.runs for path in _folders(Path(place).expanduser())}
    return [_finished_run(path, settings) for path in paths.values()]


def _folders(place: Path) -> list[Path]:
    """Return a run's folder, or those of the finished runs in a folder of runs, in the order of their names."""
    if not (place / COMPARISON).exists():
        return [place]
    finished = [path for path in subfolders(place) if RunFolder(path).finished]
    if not finished:
        raise UsageError(
            f"a comparison must have a finished run, got none in {place}; give its multimix compare command again"
        )
    return sorted(finished, key=lambda path: _natural(path.name))


def _natural(name: str) -> list[tuple[int, str]]:
    """Return what sorts s2 before s10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name)]


def _check_code(run: FinishedRun, settings: EvaluateSettings) -> None:
    """Refuses to import what nobody but the run's folder names."""
    model = run.trained.model
    if is_code(model) and model not in settings.allow_code:
        raise UsageError(
            f"a model that a folder names is imported, and so runs code, only if that is allowed, got model={model!r} "
            f"in {run.folder.path / CONFIG}; if you trust it, give --allow-code {model}"
        )


def _finished_run(path: Path, settings: EvaluateSettings) -> FinishedRun:
    folder = RunFolder(path)
    if not (path / CONFIG).exists():
        raise UsageError(
            f"runs must be folders of runs or of comparisons, got runs={str(path)!r}; "
            f"give the --out of a multimix train or compare"
        )
    if not folder.finished or not (path / WEIGHTS).exists():
        raise UsageError(
            f"a run must be finished to be evaluated, got runs={str(path)!r}, which is not; "
            f"give its multimix train command again"
        )
    try:
        folder.evaluation()
    except Damaged as error:
        raise UsageError(
            f"a run's evaluation.json must be readable, got {path}/{error}; remove it, and give the multimix train "
            f"command again"
        ) from error
    trained = folder.settings()
    return FinishedRun(folder, replace(trained, data_root=settings.data_root or trained.data_root))


def _names(runs: Sequence[FinishedRun]) -> list[str]:
    """Returns how runs are shown: by their folders' names, or whole paths where names are met twice."""
    names = [printable(run.folder.path.resolve().name) for run in runs]
    return names if len(set(names)) == len(names) else [printable(str(run.folder.path)) for run in runs]


def _opened(runs: Iterable[FinishedRun], device: torch.device) -> dict[str, Data]:
    """Returns the data of the runs on the device, each set once."""
    opened: dict[str, Data] = {}
    for run in runs:
        if run.data_settings not in opened:
            data = open_data_of(run.trained, sharing=1).to(device)
            trained = run.trained
            opened[run.data_settings] = data.with_splits(
                trained.validation_share, trained.labels_per_class, trained.split_seed
            )
    return opened


def _check(run: FinishedRun, data: Data, settings: EvaluateSettings) -> None:
    """Refuses a run whose data cannot be asked."""
    for name in settings.evaluators:
        if name in CHECKS:
            try:
                CHECKS[name](data, _for_run(settings, run))
            except UsageError as error:
                raise UsageError(f"{run.folder.path}, data {run.trained.data}: {error}") from error


def _evaluate(
    run: FinishedRun, data: Data, settings: EvaluateSettings, device: torch.device, status: Status
) -> dict[str, float]:
    model = build_model_of(run.trained, data.sample_shape, data.num_classes)
    load_initial_weights(model, str(run.folder.path), setting="runs")
    model = model.to(device).eval()
    values: dict[str, float] = {}
    for name in settings.evaluators:
        status.update(Text(printable(f"{run.folder.path.resolve().name}: {name}")))
        with private_random_state(device):
            seed_device(seed_of(settings.seed, name), device)  # for models that draw even when they are evaluated
            values |= EVALUATORS[name](model, data, _for_run(settings, run))
    for name, value in values.items():
        if not math.isfinite(value):
            raise RunFailed(
                f"what is measured must be finite, got {name}={value} for {run.folder.path}; nothing was written to it"
            )
    return values


def _for_run(settings: EvaluateSettings, run: FinishedRun) -> EvaluateSettings:
    return replace(settings, data_root=run.trained.data_root)
