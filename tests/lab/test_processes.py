"""Two processes train one model: equal weights, the gradient of one process, kills survived."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from multimix.lab.core.errors import UsageError
from multimix.lab.core.processes import check_shares, mean_over

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, env=ENVIRONMENT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_two_processes_keep_equal_weights_and_have_the_gradient_of_one(tmp_path):
    run(*TORCHRUN, str(Path(__file__).parent / "two_processes.py"), str(tmp_path))
    first, second = (json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1))
    assert first["digests"] == second["digests"]
    assert len(set(first["digests"])) == 50
    for result in (first, second):
        assert result["gap"] < 1e-6 * result["size"] + 1e-7
    records = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert len(records) == 25  # the first process wrote, once
    assert json.loads(records[-1])["images"] == 50 * 13
    if find_spec("tensorboard"):
        assert len(list((tmp_path / "run" / "tensorboard").iterdir())) == 1


def test_a_sample_of_the_kills():
    done = run(sys.executable, "-m", "benchmarks.kill", *["--methods", "mixup", "--kills", "2", "--steps", "60"])
    outcomes = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [outcome["processes"] for outcome in outcomes] == [1, 2]
    for outcome in outcomes:
        assert outcome["equal"]
        assert outcome["hits"] >= 2


def test_a_process_without_a_pair_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    check_shares(4)
    with pytest.raises(UsageError, match=r"needs at least one pair per step, got 3 pairs for 4 processes"):
        check_shares(3)


def test_processes_count_by_the_size_of_their_part():
    values = torch.tensor([[[1.0, 0.0]], [[4.0, 1.0]]], dtype=torch.float64)
    assert mean_over(values, [[2], [1]]).tolist() == [[2.0, pytest.approx(1 / 3)]]
    two_steps = values.repeat(1, 2, 1)
    assert mean_over(two_steps, [[2, 1], [1, 1]]).tolist() == [[2.0, pytest.approx(1 / 3)], [2.5, 0.5]]
