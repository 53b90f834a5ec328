"""Processes that do runs: how they are started, and how they end."""

import json
import logging
import os
import re
import signal
import time
from pathlib import Path

import torch

from multimix.lab.compare.workers import Worker, threads_each
from multimix.lab.core.warnings import logger
from multimix.lab.train.settings import TrainSettings


def conditions(run: TrainSettings, jobs: int) -> None:
    """Writes down what a run finds in its process."""
    found = {
        "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "threads": torch.get_num_threads(),
        "log_level": logger.level,
    }
    Path(run.out).write_text(json.dumps(found))


def test_a_run_has_its_share_of_the_cores_hears_signals_and_is_as_quiet_as_its_parent(tmp_path, monkeypatch):
    monkeypatch.setattr(logger, "level", logging.ERROR)
    worker = Worker(1)
    try:
        assert worker.submit(conditions, TrainSettings(out=str(tmp_path / "found"))).result() is None
    finally:
        worker.end()
    assert json.loads((tmp_path / "found").read_text()) == {
        "blocked": 0,
        "threads": threads_each(1),
        "log_level": logging.ERROR,
    }


def test_threads_that_wait_leave_their_core_to_others(monkeypatch):
    """What a process that is started then inherits; what the user has set stays."""
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    before, worker = dict(os.environ), Worker(1)
    monkeypatch.setattr(worker._pool, "submit", lambda *args: dict(os.environ))
    inherited = worker.submit(conditions, TrainSettings(out="o"))
    assert [inherited[name] for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")] == ["PASSIVE", "7"]
    assert dict(os.environ) == before


def ignores(process: int, number: int) -> bool:
    """Whether a process ignores a signal."""
    (mask,) = re.findall(r"SigIgn:\s+(\w+)", Path(f"/proc/{process}/status").read_text())
    return bool(int(mask, 16) >> (number - 1) & 1)


def test_ctrl_c_while_a_worker_starts_leaves_no_traceback(tmp_path, capfd):
    worker = Worker(1)
    try:
        future = worker.submit(conditions, TrainSettings(out=str(tmp_path / "found")))
        (number,) = worker._pool._processes
        while ignores(number, signal.SIGINT):  # as the server of processes does
            time.sleep(0.01)
        os.kill(number, signal.SIGINT)
        assert future.exception() is not None
    finally:
        worker.end()
    assert capfd.readouterr().err == ""
