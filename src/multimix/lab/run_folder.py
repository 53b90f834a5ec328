"""A run on disk: what was asked, what was measured on the way, what came out.

DIR/config.json       the settings
DIR/environment.json  the machine, versions and threads: the conditions of the training time
DIR/skipped_files.txt the files of the data that could not be used, and why; absent if there were none
DIR/metrics.jsonl     one JSON object per record: step, epoch, time_s, cpu_time_s, rows, images, then name -> value
DIR/checkpoint/       states to go on from (multimix/lab/checkpoint.py)
DIR/model.safetensors the final weights
DIR/evaluation.json   the final evaluation; written last, so a folder that has it is finished. `multimix evaluate` adds
                      more numbers
DIR/metrics.csv and others that trackers write (multimix/lab/trackers/), if there are any; nothing here reads them
DIR/.lock             held by the process that writes the folder (multimix/lab/lock.py)
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import nn

from multimix.lab.config import Recipe, TrainSettings
from multimix.lab.errors import UsageError
from multimix.lab.whole import sweep, write_json, write_whole

Record = dict[str, float]
WEIGHTS = "model.safetensors"
# Settings that may change between two tries at the same run: they decide how it is done, not what comes out.
NO_PART = ("out", "checkpoint_every", "on_bad_checkpoint", "num_workers", "trackers")


@dataclass(frozen=True)
class RunFolder:
    """The files of one run, each written whole or not at all."""

    path: Path

    def check(self, settings: TrainSettings) -> None:
        """Refuses a folder that belongs to a run with other settings."""
        config = self.path / "config.json"
        if not config.exists():
            return
        try:
            there, wanted = dict(json.loads(config.read_text())), as_json(settings)
        except (ValueError, TypeError) as error:
            raise UsageError(f"a run's config.json must be readable, got {error} in {config}; remove it") from error
        check_same(there, wanted, self.path)

    def settings(self) -> TrainSettings:
        """Returns what was asked.

        Raises:
            UsageError: if it cannot be read, or does not hold here.
        """
        file = self.path / "config.json"
        try:
            values = dict(json.loads(file.read_text()))
            return TrainSettings(**values, out=str(self.path))
        except UsageError:
            raise
        except (OSError, ValueError, TypeError) as error:
            raise UsageError(
                f"a run's config.json must be readable, got {error} in {file}; train the run again"
            ) from error

    def holds_result(self, settings: TrainSettings) -> bool:
        """Whether the run was done before.

        Raises:
            UsageError: if the folder belongs to a run with other settings.
        """
        self.check(settings)
        return self.finished

    def start(
        self,
        settings: TrainSettings,
        environment: Mapping[str, Any],
        records: list[Record],
        skipped: Sequence[object] = (),
    ) -> None:
        """Makes the folder, or brings it to the state that a run goes on from: `records` and no result."""
        self.path.mkdir(parents=True, exist_ok=True)
        sweep(self.path)
        for name in ("metrics.jsonl", WEIGHTS, "skipped_files.txt"):
            (self.path / name).unlink(missing_ok=True)
        write_json(self.path / "config.json", as_json(settings))
        write_json(self.path / "environment.json", dict(environment))
        if records:
            self.write_records(records)
        if skipped:
            write_whole(self.path / "skipped_files.txt", "".join(f"{file}\n" for file in skipped))

    def write_records(self, records: list[Record]) -> None:
        """Writes all records so far."""
        write_whole(self.path / "metrics.jsonl", "".join(json.dumps(record) + "\n" for record in records))

    def finish(self, model: nn.Module, evaluation: Mapping[str, float]) -> None:
        """Writes the weights, then the evaluation that marks the run as finished."""
        weights = {name: value.contiguous() for name, value in model.state_dict().items()}
        write_whole(self.path / WEIGHTS, save(weights))
        write_json(self.path / "evaluation.json", dict(evaluation))

    def add_to_evaluation(self, values: Mapping[str, float]) -> None:
        """Writes more numbers, or new ones of the same names, into the evaluation."""
        write_json(self.path / "evaluation.json", self.evaluation() | dict(values))

    @property
    def finished(self) -> bool:
        """Whether the run came to a good end."""
        return (self.path / "evaluation.json").exists()

    def records(self) -> list[Record]:
        """Returns the records so far, oldest first."""
        file = self.path / "metrics.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def evaluation(self) -> dict[str, float]:
        """Returns the final evaluation, name -> value."""
        return dict(json.loads((self.path / "evaluation.json").read_text()))

    def environment(self) -> dict[str, Any]:
        """Returns the conditions the run was made under."""
        return dict(json.loads((self.path / "environment.json").read_text()))


def check_same(there: Mapping[str, Any], wanted: Mapping[str, Any], folder: Path) -> None:
    """Refuses a folder that holds a run with other settings."""
    for name in wanted:
        if there.get(name) != wanted[name]:
            raise UsageError(
                f"a folder holds one run, got {name}={wanted[name]!r} for {folder}, which holds a run "
                f"with {name}={there.get(name)!r}; choose another --out"
            )


def as_json(settings: Recipe) -> dict[str, Any]:
    """Returns what was run or measured, as JSON has it."""
    config = {name: value for name, value in asdict(settings).items() if name not in NO_PART}
    return dict(json.loads(json.dumps(config)))
