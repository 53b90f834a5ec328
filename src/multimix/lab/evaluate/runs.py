"""Finished runs: which ones are meant, and the numbers added to their folders."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

import torch
from rich.console import Console
from rich.status import Status
from rich.text import Text
from torch import Tensor

from multimix.lab.core.checks import check
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
from multimix.lab.evaluate.evaluators import build_evaluators, check_options_used
from multimix.lab.evaluate.settings import EvaluateSettings
from multimix.lab.models import is_code
from multimix.lab.train.data_digest import labels_digest
from multimix.lab.train.initial_weights import build_model_of, fitting_weights, load_initial_weights
from multimix.lab.train.progress import duration
from multimix.lab.train.run import open_data_of
from multimix.lab.train.run_folder import CONFIG, DATA, WEIGHTS, RunFolder
from multimix.lab.train.settings import TrainSettings

COMPARISON = "compare.json"  # in a folder that holds the folders of many runs; nothing is read from it
RACE = "choose.json"  # as well; its runs had no test samples, so they cannot be evaluated on them


@dataclass(frozen=True)
class FinishedRun:
    """A run that came to a good end.

    Args:
        folder: Its files.
        trained: What was trained, with the data where they are now.
        asked: What is measured of it, with the data where they are now.
    """

    folder: RunFolder
    trained: TrainSettings
    asked: EvaluateSettings

    @property
    def data_settings(self) -> str:
        """What decides which samples it is evaluated on; the same for runs that can share them."""
        run = self.trained
        parts = (
            *(run.data, run.data_options, run.data_root, run.on_bad_file),
            *(run.validation_share, run.labels_per_class, run.split_seed),
        )
        return json.dumps(parts, sort_keys=True)

    def check(self, data: Data) -> None:
        """Refuse a run whose data cannot be evaluated.

        Raises:
            UsageError: if they are not those that it was trained on, or an evaluator does not take them.
        """
        labels = self.folder.labels()
        if labels not in (None, labels_digest(data)):
            raise UsageError(
                f"the data of a run must be those that it was trained on, got others for runs="
                f"{str(self.folder.path)!r}: the labels of data={self.trained.data!r} differ, so samples may have "
                f"moved from one split to another; put the files back as they were, or train it again"
            )
        try:
            for evaluator in build_evaluators(self.asked).values():
                evaluator.check(data)
        except UsageError as error:
            raise UsageError(f"{self.folder.path}, data {self.trained.data}: {error}") from error

    def evaluate(self, data: Data, device: torch.device, status: Status) -> dict[str, float]:
        """Return what its model is measured to do.

        Raises:
            UsageError: if its weights cannot be used, or an evaluator does not take its model.
            RunFailed: if a number is not finite.
        """
        model = build_model_of(self.trained, data.sample_shape, data.num_classes)
        load_initial_weights(model, str(self.folder.path), setting="runs")
        model = model.to(device).eval()
        values: dict[str, float] = {}
        for name, evaluator in build_evaluators(self.asked).items():
            status.update(Text(printable(f"{self.folder.path.resolve().name}: {name}")))
            with private_random_state(device):
                seed_device(seed_of(self.asked.seed, name), device)  # for models that draw even in evaluation mode
                values |= evaluator(model, data)
        for name, value in values.items():
            if not math.isfinite(value):
                raise RunFailed(
                    f"what is measured must be finite, got {name}={value} for {self.folder.path}; "
                    f"nothing was written to it"
                )
        return values


def evaluate_runs(settings: EvaluateSettings, console: Console) -> dict[str, dict[str, float]]:
    """Evaluate finished runs, and add the numbers to their folders.

    All that can be refused is refused before the first run is evaluated. Everything is computed in float32, whatever
    the precision of the training.

    Args:
        settings: Which runs, and what is measured.
        console: Where to show progress.

    Returns:
        What was measured of each run, by the name to show it under.

    Raises:
        UsageError: if a folder holds no finished run, the data, the device or an evaluator do not fit,
            or an option is of an evaluator that is not asked for.
        RunFailed: if another process is at work in a run's folder, or a number is not finite.
    """
    build_evaluators(settings)  # wrong options are refused before a folder is read
    check_options_used(settings)
    check_device(settings.device, "fp32")
    if num_processes() > 1:
        raise UsageError(f"runs are evaluated in one process, got {num_processes()}; give the command without torchrun")
    runs = finished_runs(settings)
    for run in runs:
        model, file = run.trained.model, run.folder.path / CONFIG
        if is_code(model) and model not in settings.allow_code:
            raise UsageError(
                f"a model that a folder names is imported, and so runs code, only if that is allowed, got "
                f"model={model!r} in {file}; if you trust it, give --allow-code {model}"
            )
    device = launched(settings.device).device
    results = {}
    with console.status("opening the data") as status:
        data = _opened(runs, device)
        for run in runs:
            run.check(data[run.data_settings])
        _check_weights(runs, data)
        for number, (name, run) in enumerate(zip(_names(runs), runs, strict=True), start=1):
            start = monotonic()
            with locked(run.folder.path, warn):
                results[name] = run.evaluate(data[run.data_settings], device, status)
                run.folder.add_to_evaluation(results[name])
            console.print(f"{number}/{len(runs)}  {name}  {duration(monotonic() - start)}", soft_wrap=True)
    return results


def finished_runs(settings: EvaluateSettings) -> list[FinishedRun]:
    """Return the runs that are meant, each once.

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


def _finished_run(path: Path, settings: EvaluateSettings) -> FinishedRun:
    folder = RunFolder(path)
    if (path / RACE).exists() or (path.parent / RACE).exists():
        raise UsageError(
            f"runs must be folders of runs or of comparisons, got runs={str(path)!r} of multimix choose, which keeps "
            f"the test samples out; train with the command that it printed, and evaluate that run"
        )
    is_run = (path / CONFIG).exists()
    remedy = "give the --out of a multimix train or compare"
    check(is_run, "runs must be folders of runs or of comparisons", remedy, runs=str(path))
    if not folder.finished or not (path / WEIGHTS).exists():
        raise UsageError(
            f"a run must be finished to be evaluated, got runs={str(path)!r}, which is not; "
            f"give its multimix train command again"
        )
    _check_readable(folder)
    trained = folder.settings()
    root = settings.data_root or trained.data_root
    return FinishedRun(folder, replace(trained, data_root=root), replace(settings, data_root=root))


def _check_readable(folder: RunFolder) -> None:
    """Refuse a run with a damaged file that is needed later."""
    again = "remove it, and give the multimix train command again"
    for name, read, remedy in (
        ("evaluation.json", folder.evaluation, again),
        (DATA, folder.labels, "put the whole one back, or train the run again in another folder"),
    ):
        try:
            read()
        except Damaged as error:
            raise UsageError(f"a run's {name} must be readable, got {folder.path}/{error}; {remedy}") from error


def _check_weights(runs: Sequence[FinishedRun], data: Mapping[str, Data]) -> None:
    """Refuse runs whose weights do not fit their models; for models that differ in their weights alone one is built.

    Raises:
        UsageError: if a model cannot be built, or a file is damaged or another model's.
    """
    tensors: dict[str, dict[str, Tensor]] = {}
    for run in runs:
        trained, samples = run.trained, data[run.data_settings]
        kind = json.dumps((run.data_settings, trained.model, trained.model_options), sort_keys=True)
        if kind not in tensors:
            model = build_model_of(trained, samples.sample_shape, samples.num_classes)
            tensors[kind] = {name: value.to("meta") for name, value in model.state_dict().items()}
        fitting_weights(tensors[kind], str(run.folder.path), setting="runs")


def _names(runs: Sequence[FinishedRun]) -> list[str]:
    """Return how runs are shown: by their folders' names, or whole paths where two have the same name."""
    names = [printable(run.folder.path.resolve().name) for run in runs]
    return names if len(set(names)) == len(names) else [printable(str(run.folder.path)) for run in runs]


def _opened(runs: Sequence[FinishedRun], device: torch.device) -> dict[str, Data]:
    """Return the data of the runs on the device, each set once."""
    opened: dict[str, Data] = {}
    for run in runs:
        if run.data_settings not in opened:
            trained, data = run.trained, open_data_of(run.trained, sharing=1).to(device)
            splits = (trained.validation_share, trained.labels_per_class, trained.split_seed)
            opened[run.data_settings] = data.with_splits(*splits)
    return opened
