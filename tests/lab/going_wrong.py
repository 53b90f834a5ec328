"""A work that goes wrong, for test_compare.py: a file of its own, so that a worker imports no training to do it."""

import os

from multimix.lab.core.errors import RunFailed
from multimix.lab.train.settings import TrainSettings


def go_wrong(settings: TrainSettings, jobs: int) -> None:
    if settings.seed == 1:
        raise RunFailed("for a reason")
    if settings.seed == 2:
        raise KeyError("odd")
    if settings.seed == 4:
        os._exit(9)
