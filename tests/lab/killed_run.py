"""A run that is killed at a record; test_trackers.py starts it with a folder and a list of trackers."""

import os
import signal
import sys

from multimix.lab.train.run import train
from multimix.lab.train.settings import TrainSettings

SETTINGS = {"method": "mixup", "num_mixes": 2, "batch_size": 40, "steps": 40, "model": "mlp", "checkpoint_every": "10"}
KILLED_AT = 18  # a record between two checkpoints


def kill(record: dict[str, float]) -> None:
    if record["step"] >= KILLED_AT:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    out, *trackers = sys.argv[1:]
    train(TrainSettings(**SETTINGS | {"steps": 1}, out=f"{out}-first"))
    loaded = {"tensorboard", "mlflow", "wandb"} & set(sys.modules)
    assert not loaded, f"nobody asked for {loaded}"
    train(TrainSettings(**SETTINGS, out=out, trackers=tuple(trackers)), on_record=kill)
