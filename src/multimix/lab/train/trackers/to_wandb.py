"""DIR/wandb/: an offline run, to be sent with `wandb sync`, or whatever WANDB_MODE says."""

import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from multimix.lab.core.atomic_files import write_atomic
from multimix.lab.core.own_folder import check_no_links
from multimix.lab.train.run_folder import Record
from multimix.lab.train.settings import TrainSettings
from multimix.lab.train.trackers.tracker import final, metrics, name_of, parameters, stored_id


class Wandb:
    """A run's id is kept in the folder. Offline, a resumed run is written anew and what was there before is removed;
    online, it goes on after the last step that the server has.
    """

    def __init__(self, settings: TrainSettings) -> None:
        mode = os.environ.get("WANDB_MODE", "offline")
        if mode == "offline":  # read when wandb is imported: nothing leaves the machine unasked
            os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb

        folder = Path(settings.out).resolve()
        id_file = folder / "wandb_run_id"
        run_id = stored_id(id_file)
        if run_id is None:
            run_id = secrets.token_hex(4)
            write_atomic(id_file, run_id)
        check_no_links(folder)  # what is removed next is this run's own
        for earlier in folder.glob(f"wandb/offline-run-*-{run_id}"):
            shutil.rmtree(earlier)
        self._run = wandb.init(
            dir=str(folder),
            mode=mode,  # type: ignore[arg-type]  # wandb refuses others
            id=run_id,
            resume="allow",
            project=os.environ.get("WANDB_PROJECT", "multimix"),
            name=name_of(settings),
            config=parameters(settings),
            settings=wandb.Settings(silent=mode == "offline", console="off"),
        )

    def log(self, record: Record) -> None:
        step = int(record["step"])
        if step >= self._run.step:
            self._run.log(metrics(record), step=step, commit=True)

    def finish(self, evaluation: Mapping[str, float] | None) -> None:
        if evaluation is not None:
            self._run.summary.update(final(evaluation))
        self._run.finish(exit_code=int(evaluation is None))
