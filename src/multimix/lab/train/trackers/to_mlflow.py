"""DIR/mlflow.db, or the store that MLFLOW_TRACKING_URI names."""

import os
import warnings
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from time import time

# Read at import. Nothing leaves the machine unasked, and that tables are made is no news.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what it deprecates within itself is nothing a user can act on
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param
    from mlflow.exceptions import MlflowException

from multimix.lab.core.atomic_files import write_atomic
from multimix.lab.train.run_folder import Record
from multimix.lab.train.settings import TrainSettings
from multimix.lab.train.trackers.tracker import final, metrics, name_of, parameters, stored_id


class Mlflow:
    """A run's id is kept in the folder, so a resumed run is found again, wherever the folder is.

    MLflow cannot take a value back: what a stopped try wrote after its last checkpoint stays, and is not written again.
    The same steps give the same values, but for the times.
    """

    def __init__(self, settings: TrainSettings) -> None:
        self._folder = Path(settings.out).resolve()
        self._step = 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{self._folder}/mlflow.db"))
            self._run = self._found() or self._made(name_of(settings))
        self._there = defaultdict(
            set,
            {
                name: {value.step for value in self._client.get_metric_history(self._run, name)}
                for name in self._client.get_run(self._run).data.metrics
            },
        )
        self._client.update_run(self._run, status="RUNNING")
        self._client.log_batch(
            self._run, params=[Param(name, str(value)) for name, value in parameters(settings).items()]
        )

    def log(self, record: Record) -> None:
        self._step = int(record["step"])
        self._add(metrics(record))

    def finish(self, evaluation: Mapping[str, float] | None) -> None:
        if evaluation is not None:
            self._add(final(evaluation))
        self._client.set_terminated(self._run, "KILLED" if evaluation is None else "FINISHED")

    def _add(self, values: Mapping[str, float]) -> None:
        now = int(time() * 1000)
        new = [name for name in values if self._step not in self._there[name]]
        self._client.log_batch(self._run, [Metric(name, values[name], now, self._step) for name in new])

    def _found(self) -> str | None:
        """Return the id of this folder's run, if this store has it."""
        stored = stored_id(self._folder / "mlflow_run_id")
        if stored is None:
            return None
        try:
            return str(self._client.get_run(stored).info.run_id)
        except MlflowException:
            return None

    def _made(self, name: str) -> str:
        experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME", "multimix")
        known = self._client.get_experiment_by_name(experiment)
        number = known.experiment_id if known else self._client.create_experiment(experiment)
        run = str(self._client.create_run(number, run_name=name).info.run_id)
        write_atomic(self._folder / "mlflow_run_id", run)
        return run
