"""Two processes that share no disk: what one meets both know, what one has both go on from, and their pairs differ."""

import json
import re
from pathlib import Path

import pytest
from together import run_together


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What each of the two says about every trial."""
    folder = tmp_path_factory.mktemp("pair")
    run_together(Path(__file__).parent / "pair.py", str(folder))
    return [json.loads((folder / f"rank{rank}.json").read_text()) for rank in (0, 1)]


def test_a_loss_that_is_no_number_ends_both(results):
    (said, kept), (also_said, _) = (result["nan"] for result in results)
    for line in (said, also_said):
        assert re.match(r"RunFailed: the loss must stay finite, got loss=\S+ at step 2; ", line)
    assert "the state of step 1 is kept" in said  # the second, which does not write, does not know
    assert kept == ["step-000000001.safetensors"]


def test_a_disk_that_is_full_ends_both(results):
    for stopped, failed, unchanged in (result["full"] for result in results):
        assert stopped.startswith("Interrupted: stopped by ")
        assert failed.startswith("RunFailed: a checkpoint must be written, got file too large for HERE/full/checkpoint")
        assert "the state of step 8 is kept" in failed
        assert unchanged


def test_damaged_states_are_passed_over_by_both(results):
    (*said, equal, told), (*also_said, _, _) = (result["damaged"] for result in results)
    assert equal
    assert told == 1 + 2 + 3  # the newest; then two and what became of it; then two and that it starts from nothing
    for stopped, newest, every, anew in (said, also_said):
        assert "after step 16 of 32; the state is saved" in stopped
        assert "after step 24 of 32; the state is saved" in newest
        assert every.startswith("RunFailed: a good checkpoint must be there to go on from, got 2 refused in HERE")
        assert anew == "finished"


def test_a_folder_of_another_run_is_refused_by_both(results):
    for result in results:
        assert result["other"].startswith("UsageError: a folder holds one run, got steps=9 for HERE/other, which holds")


def test_a_folder_that_is_being_written_is_refused_by_both(results):
    for result in results:
        assert result["busy"].startswith("RunFailed: only one process can write a folder, got HERE/busy, which another")


def test_everything_beside_the_weights_is_gone_on_from(results):
    for straight, stopped, gone_on, _ in (result["options"] for result in results):
        assert (straight, gone_on) == ("finished", "finished")
        assert "after step 16 of 32; the state is saved" in stopped
    assert results[0]["options"][-1]


@pytest.mark.parametrize("trial", ["streamed", "small"])
def test_uneven_parts_of_streamed_data_keep_equal_weights(results, trial):
    (ended, digests), (also_ended, other_digests) = (result[trial] for result in results)
    assert (ended, also_ended) == ("finished", "finished")
    assert digests == other_digests
    assert len(set(digests)) == 6


@pytest.mark.parametrize("method", ["manifold", "cutmix", "puzzlemix"])
def test_plans_have_one_shape_and_other_pairs(results, method):
    plans = list(zip(*(result[method] for result in results), strict=True))
    for name in ("layer", "grid"):
        assert all(first[name] == second[name] for first, second in plans)
    assert all(first["lam"] != second["lam"] for first, second in plans)
    assert any(first["partner"] != second["partner"] for first, second in plans)
    drawn = {"manifold": "layer", "puzzlemix": "grid"}.get(method)
    if drawn is not None:
        assert len({str(first[drawn]) for first, _ in plans}) > 1


def test_only_the_first_writes(results):
    assert set(results[0]["written"]) > {"nan", "straight", "streamed10"}
    assert results[1]["written"] == ["images"]  # its own copy of the data
