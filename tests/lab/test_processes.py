"""Two processes train one model: equal weights, the gradient of one process, kills survived."""

import json
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from together import run_together

from multimix.lab.core.errors import FailedAlone, UsageError
from multimix.lab.core.processes import check_shares, fail_if_peer_dies, mean_over

HERE = Path(__file__).parent


def test_two_processes_keep_equal_weights_and_have_the_gradient_of_one(tmp_path):
    run_together(HERE / "two_processes.py", str(tmp_path))
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


def test_a_sample_of_the_kills(tmp_path):
    asked = ["--methods", "mixup", "--kills", "1", "--steps", "60", "--out", str(tmp_path / "outcomes")]
    run_together(HERE.parents[1] / "benchmarks" / "kill.py", *asked, processes=1)
    outcomes = [json.loads(line) for line in (tmp_path / "outcomes").read_text().splitlines()]
    assert [outcome["processes"] for outcome in outcomes] == [1, 2]
    for outcome in outcomes:
        assert outcome["equal"]
        assert outcome["hits"] >= 1


def test_a_process_without_a_pair_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    check_shares(4)
    with pytest.raises(UsageError, match=r"needs at least one pair per step, got 3 pairs for 4 processes"):
        check_shares(3)


@pytest.mark.parametrize(
    "error",
    [
        # As Gloo words it where a peer was killed.
        RuntimeError("[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:547] Connection closed by peer [::1]:1234"),
        torch.distributed.DistNetworkError("the server has gone"),
    ],
)
def test_an_error_of_a_dead_process_is_told_in_the_programs_words(error):
    two = SimpleNamespace(world_size=2, global_rank=1)
    with pytest.raises(FailedAlone, match="process 1: all processes of a run must live"), fail_if_peer_dies(two):
        raise error
    with pytest.raises(type(error)), fail_if_peer_dies(SimpleNamespace(world_size=1)):
        raise error
    with pytest.raises(RuntimeError, match="a layer of mine"), fail_if_peer_dies(two):
        raise RuntimeError("a layer of mine")


def test_processes_count_by_the_size_of_their_part():
    values = torch.tensor([[[1.0, 0.0]], [[4.0, 1.0]]], dtype=torch.float64)
    assert mean_over(values, [[2], [1]]).tolist() == [[2.0, pytest.approx(1 / 3)]]
    two_steps = values.repeat(1, 2, 1)
    assert mean_over(two_steps, [[2, 1], [1, 1]]).tolist() == [[2.0, pytest.approx(1 / 3)], [2.5, 0.5]]
