"""All trackers of a run. One that fails is left out from then on, and the run goes on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType

from multimix.lab.train.run_folder import Record
from multimix.lab.train.settings import TrainSettings
from multimix.lab.train.trackers.tracker import Tracker


class Trackers:
    """Open inside its `with` block; a block that ends without `finish` leaves the run marked as unfinished.

    Args:
        names: Which; none in any process but the first.
        settings: The run's.
        records: What was written down so far.
        log: Called with one line per tracker that fails.
    """

    def __init__(
        self,
        names: Sequence[str],
        settings: TrainSettings,
        records: Sequence[Record],
        log: Callable[[str], None],
    ) -> None:
        self._names, self._settings, self._records, self._log_line = names, settings, records, log
        self._open: dict[str, Tracker] = {}

    def __enter__(self) -> "Trackers":
        for name in self._names:
            with self._left_out_if_it_fails(name):
                self._open[name] = _tracker(name, self._settings, self._records)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.finish(None)

    def log(self, record: Record) -> None:
        """Give a record to all."""
        for name, tracker in list(self._open.items()):
            with self._left_out_if_it_fails(name):
                tracker.log(record)

    def finish(self, evaluation: Mapping[str, float] | None) -> None:
        """Give the final evaluation to all and close them; later calls do nothing."""
        for name, tracker in list(self._open.items()):
            with self._left_out_if_it_fails(name):
                tracker.finish(evaluation)
        self._open.clear()

    @contextmanager
    def _left_out_if_it_fails(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # whatever goes wrong in there is no reason to lose a run
            self._open.pop(name, None)
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            self._log_line(f"tracker {name} failed and is left out, while the run goes on: {reason}")


def _tracker(name: str, settings: TrainSettings, records: Sequence[Record]) -> Tracker:
    if name == "tensorboard":
        from multimix.lab.train.trackers.to_tensorboard import TensorBoard

        return TensorBoard(settings, records)
    if name == "mlflow":
        from multimix.lab.train.trackers.to_mlflow import Mlflow

        return Mlflow(settings, records)
    from multimix.lab.train.trackers.to_wandb import Wandb

    return Wandb(settings, records)
