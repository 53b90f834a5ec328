"""A sweep killed in the middle, and another beside it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from multimix.lab.command_line.main import main
from multimix.lab.compare.folder import Comparison
from multimix.lab.compare.rows import runs
from multimix.lab.core.errors import UsageError
from multimix.lab.report.gather import gather
from multimix.lab.report.table import table

FLAGS = ["--methods", "none,mixup", "--num-mixes", "1,2", "--controls", "same-rows", "--seeds", "1"]
FLAGS += ["--batch-size", "20", "--steps", "80", "--checkpoint-every", "20", "--evaluations", "16"]
LONG_S = 120


def begun(out: Path) -> subprocess.Popen[str]:
    """A sweep whose runs are done by a worker with one thread, as many as the tests have."""
    command = [sys.executable, "-m", "multimix", "compare", *FLAGS, "--jobs", "1", "--out", str(out)]
    one_core = partial(os.sched_setaffinity, 0, {min(os.sched_getaffinity(0))})
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=one_core)


def wait_for(what, limit_s: float = LONG_S) -> None:
    give_up = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file of a folder: when it was written, and what is in it."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def records(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def without_times(out: Path) -> list[object]:
    return [
        (row.row, row.metrics, row.changes, row.failures, row.rows_seen, row.images_loaded)
        for row in table(gather(Comparison.read(out)))
    ]


def test_a_killed_sweep_does_only_what_is_missing_and_comes_to_the_same_table(tmp_path, capsys):
    """A second one is refused while the first goes on, and finds the folder free when that one is killed."""
    out, middle = tmp_path / "killed", tmp_path / "killed" / "mixup-k1-s0"
    sweep = begun(out)
    wait_for(lambda: (out / "compare.json").exists())
    assert main(["compare", *FLAGS, "--jobs", "1", "--out", str(out)]) == 1
    assert "only one process can write a folder" in capsys.readouterr().err
    wait_for(lambda: len(list((middle / "checkpoint").glob("step-*.safetensors"))) > 1)
    sweep.send_signal(signal.SIGKILL)
    sweep.wait()
    sweep.stderr.close()
    time.sleep(1)  # its worker ends with it
    assert (out / "none-s0" / "evaluation.json").exists()
    assert not (middle / "evaluation.json").exists()
    assert not (out / "mixup-k2-same-rows-s0").exists()
    finished, at_kill = files(out / "none-s0"), records(middle)
    saved = max(int(path.stem.removeprefix("step-")) for path in (middle / "checkpoint").glob("step-*.safetensors"))

    assert main(["compare", *FLAGS, "--jobs", "0", "--out", str(out)]) == 0
    assert "1 of them finished before" in capsys.readouterr().out
    assert files(out / "none-s0") == finished
    kept = [record for record in at_kill if record["step"] <= saved]
    assert kept
    assert records(middle)[: len(kept)] == kept  # times too: it went on, and did not begin again
    assert not (out / ".trials").exists()

    assert main(["compare", *FLAGS, "--jobs", "0", "--out", str(tmp_path / "straight")]) == 0
    assert without_times(out) == without_times(tmp_path / "straight")


def test_a_comparison_whose_data_is_gone_can_still_be_reported(tmp_path, monkeypatch):
    command = ["--methods", "none", "--epochs", "1", "--seeds", "1", "--jobs", "0", "--evaluations", "2"]
    assert main(["compare", *command, "--out", str(tmp_path / "here")]) == 0
    moved = shutil.move(tmp_path / "here", tmp_path / "there")

    def gone(*args, **options):
        raise UsageError("gone")

    monkeypatch.setattr("multimix.lab.compare.rows.open_data", gone)
    assert main(["report", str(moved)]) == 0
    with pytest.raises(UsageError, match="gone"):
        runs(Comparison.read(tmp_path / "there").settings)
