"""A run on disk: what was asked, what was measured on the way, what came out.

DIR/config.json       the settings
DIR/row.json          which row of a comparison's tables it was begun for, if it was begun by one
DIR/environment.json  the machine, versions and threads: the conditions of the training time
DIR/data.json         a digest of the labels of all splits, which tells whether the data are still the same
DIR/skipped_files.txt the files of the data that could not be used, and why; absent if there were none
DIR/metrics.jsonl     one JSON object per record: step, epoch, time_s, cpu_time_s, rows, images, then name -> value
DIR/checkpoint/       states to go on from (multimix/lab/train/checkpoint.py)
DIR/model.safetensors the final weights
DIR/evaluation.json   the final evaluation; written last, so a folder that has it is finished. `multimix evaluate` adds
                      more numbers
DIR/tensorboard/      and others that trackers write (multimix/lab/train/trackers/), if any; nothing here reads them
DIR/.lock             held by the process that writes the folder (multimix/lab/core/lock.py)
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import nn

from multimix.lab.core.atomic_files import sweep, write_atomic, write_json
from multimix.lab.core.errors import Damaged, UsageError
from multimix.lab.core.json_file import read_json, read_json_lines
from multimix.lab.core.own_folder import check_no_links, check_ours
from multimix.lab.core.printable import printable
from multimix.lab.train.recipe import Recipe
from multimix.lab.train.settings import TrainSettings
from multimix.lab.train.stored_settings import stored_settings

Record = dict[str, float]
CONFIG, ROW, DATA, WEIGHTS = "config.json", "row.json", "data.json", "model.safetensors"
LABELS = "labels_sha256"  # in DATA, and in checkpoints
# Settings that may change between two tries at the same run: they decide how it is done, not what comes out.
NO_PART = ("out", "checkpoint_every", "on_bad_checkpoint", "num_workers", "trackers")


@dataclass(frozen=True)
class RunFolder:
    """The files of one run, each written whole or not at all."""

    path: Path

    def check(self, settings: TrainSettings, rule: str = "a folder holds one run") -> None:
        """Refuse a folder that belongs to a run with other settings, which breaks the rule, or to somebody else."""
        self._check_initial_weights(settings)
        check_ours(self.path, CONFIG, "a run", may_hold=lambda path: path.name == ROW)
        config = self.path / CONFIG
        if not config.exists():
            return
        try:
            there = read_json(config, dict)
        except Damaged as error:
            raise UsageError(
                f"a run's config.json must be readable, got {config}: {error}; choose another --out, or move the "
                f"folder away"
            ) from error
        check_same(there, to_config(settings), self.path, rule=rule)

    def _check_initial_weights(self, settings: TrainSettings) -> None:
        """Refuse to start from weights that the run would write over."""
        if settings.initial_weights is None:
            return
        weights = Path(settings.initial_weights).expanduser().resolve()
        if weights.is_relative_to(self.path.resolve()):
            raise UsageError(
                f"initial_weights must not lie in the run's own folder, got "
                f"initial_weights={settings.initial_weights!r}, out={settings.out!r}; choose another --out"
            )

    def settings(self) -> TrainSettings:
        """Return what was asked; no model that it names is imported.

        Raises:
            UsageError: if it cannot be read, or does not hold here.
        """
        file = self.path / CONFIG
        try:
            return stored_settings(TrainSettings, read_json(file, dict) | {"out": str(self.path)})
        except (OSError, Damaged) as error:
            raise UsageError(f"a run's config.json must be readable, got {file}: {error}; leave it out") from error

    def holds_result(self, settings: TrainSettings) -> bool:
        """Whether the run was done before.

        Raises:
            UsageError: if the folder belongs to a run with other settings.
        """
        self.check(settings)
        if not self.finished:
            check_no_links(self.path)
        return self.finished

    def note_row(self, row: Mapping[str, Any]) -> None:
        """Write down which row of a comparison's tables the run is for, unless that was done before."""
        if not (self.path / ROW).exists():
            self.path.mkdir(parents=True, exist_ok=True)
            write_json(self.path / ROW, dict(row))

    def start(
        self,
        settings: TrainSettings,
        environment: Mapping[str, Any],
        records: list[Record],
        labels: str,
        skipped: Sequence[object] = (),
    ) -> None:
        """Make the folder, or bring it to the state that a run goes on from: `records` and no result.

        Args:
            settings: What is trained.
            environment: The conditions of the training time.
            records: What was measured so far.
            labels: The digest of the labels of all splits.
            skipped: Files of the data that could not be used.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        sweep(self.path)
        for name in ("metrics.jsonl", WEIGHTS, "skipped_files.txt"):
            (self.path / name).unlink(missing_ok=True)
        write_json(self.path / CONFIG, to_config(settings))
        write_json(self.path / "environment.json", dict(environment))
        write_json(self.path / DATA, {LABELS: labels})
        if records:
            self.write_records(records)
        if skipped:
            write_atomic(self.path / "skipped_files.txt", "".join(f"{printable(str(file))}\n" for file in skipped))

    def write_records(self, records: list[Record]) -> None:
        """Write all records so far."""
        write_atomic(self.path / "metrics.jsonl", "".join(json.dumps(record) + "\n" for record in records))

    def finish(self, model: nn.Module, evaluation: Mapping[str, float]) -> None:
        """Write the weights, then the evaluation that marks the run as finished."""
        # Copies: a file holds no memory that two names share, as tied weights do.
        weights = {name: value.detach().contiguous().clone() for name, value in model.state_dict().items()}
        write_atomic(self.path / WEIGHTS, save(weights))
        write_json(self.path / "evaluation.json", dict(evaluation))

    def add_to_evaluation(self, values: Mapping[str, float]) -> None:
        """Write more numbers, or new ones of the same names, into the evaluation."""
        write_json(self.path / "evaluation.json", self.evaluation() | dict(values))

    @property
    def finished(self) -> bool:
        """Whether the run came to a good end."""
        return (self.path / "evaluation.json").exists()

    def config(self) -> dict[str, Any]:
        """Return the settings as they were written, unchecked.

        Raises:
            Damaged: naming the file, if it cannot be read; so do the other files.
        """
        return self._read("config.json")

    def row(self) -> dict[str, Any] | None:
        """Return which row it is for, unchecked; None if no comparison began it."""
        return self._read(ROW) if (self.path / ROW).exists() else None

    def records(self) -> list[Record]:
        """Return the records so far, oldest first."""
        try:
            return read_json_lines(self.path / "metrics.jsonl")
        except FileNotFoundError:
            return []
        except Damaged as error:
            raise Damaged(f"metrics.jsonl: {error}") from error

    def evaluation(self) -> dict[str, float]:
        """Return the final evaluation, name -> value."""
        return self._read("evaluation.json")

    def environment(self) -> dict[str, Any]:
        """Return the conditions the run was made under."""
        return self._read("environment.json")

    def labels(self) -> str | None:
        """Return the digest of the labels that it was trained on; None if it was not written down."""
        if not (self.path / DATA).exists():
            return None
        found = self._read(DATA).get(LABELS)
        if not isinstance(found, str):
            raise Damaged(f"{DATA}: {LABELS} is no text")
        return found

    def _read(self, name: str) -> dict[str, Any]:
        try:
            return read_json(self.path / name, dict)
        except (OSError, Damaged) as error:
            said = error.strerror if isinstance(error, OSError) else error
            raise Damaged(f"{name}: {said}") from error


def check_same(
    there: Mapping[str, Any], wanted: Mapping[str, Any], folder: Path, what: str = "run", rule: str = ""
) -> None:
    """Refuse a folder that holds a run, or another such thing, with other settings."""
    for name in wanted:
        if there.get(name) != wanted[name]:
            raise UsageError(
                f"{rule or f'a folder holds one {what}'}, got {name}={wanted[name]!r} for {folder}, which holds a "
                f"{what} with {name}={there.get(name)!r}; choose another --out"
            )


def to_config(settings: Recipe) -> dict[str, Any]:
    """Return what was run or measured, as JSON has it."""
    config = {name: value for name, value in asdict(settings).items() if name not in NO_PART}
    return dict(json.loads(json.dumps(config)))
