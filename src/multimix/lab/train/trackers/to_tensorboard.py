"""DIR/tensorboard/: event files; look with `tensorboard --logdir DIR`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import time

from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from multimix.lab.core.own_folder import check_no_links
from multimix.lab.train.run_folder import Record
from multimix.lab.train.settings import TrainSettings
from multimix.lab.train.trackers.tracker import final, metrics, parameters


class TensorBoard:
    """An event file cannot take an event back, so a resumed run writes a new one and removes those before.

    Times of events are seconds of training after a start that all have in common: over "relative" time, curves show
    neither pauses nor evaluations.
    """

    def __init__(self, settings: TrainSettings, records: Sequence[Record]) -> None:
        folder = Path(settings.out) / "tensorboard"
        check_no_links(folder.parent)  # what is removed next is this run's own
        for file in folder.glob("events.out.tfevents.*"):
            file.unlink()
        self._settings = parameters(settings)
        self._step = 0
        self._start = time() - (records[-1]["time_s"] if records else 0.0)
        # purge_step: a TensorBoard that is open, and has read the old file, forgets it.
        self._writer = SummaryWriter(str(folder), purge_step=0)
        text = f"```json\n{json.dumps(self._settings, indent=2)}\n```"
        self._writer.add_text("settings", text, 0)

    def log(self, record: Record) -> None:
        self._step = int(record["step"])
        for name, value in metrics(record).items():
            self._writer.add_scalar(name, value, self._step, self._start + record["time_s"])
        self._writer.flush()

    def finish(self, evaluation: Mapping[str, float] | None) -> None:
        if evaluation is not None:
            values = final(evaluation)
            plain = {
                name: value if isinstance(value, bool | int | float | str) else str(value)
                for name, value in self._settings.items()
            }
            for summary in hparams(plain, values):  # type: ignore[no-untyped-call]
                self._writer._get_file_writer().add_summary(summary)  # type: ignore[no-untyped-call]
            for name, value in values.items():
                self._writer.add_scalar(name, value, self._step)
        self._writer.close()
