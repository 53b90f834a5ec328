"""A number of mixes that changes during a run: as many rows in every step, of other numbers of pairs."""

import json

import pytest
import torch
from safetensors.torch import load_file

from multimix.lab.core.errors import UsageError
from multimix.lab.data import SampleOrder, open_data
from multimix.lab.train.course import Course
from multimix.lab.train.moments import NumMixes
from multimix.lab.train.run import train
from multimix.lab.train.settings import TrainSettings


def settings(out="o", **changes):
    asked = {"model": "mlp", "num_mixes": "1@0,2@0.5,5@0.8", "batch_size": 20, "steps": 10, "evaluations": 5}
    return TrainSettings(**asked | {"checkpoint_every": "never", "out": str(out)} | changes)


def test_phases_begin_at_their_share_of_the_steps():
    schedule = NumMixes.parse(" 1@0, 2@.5,5@0.80")
    assert schedule.phases(10) == ((0, 1), (5, 2), (8, 5))
    assert schedule.phases(11) == ((0, 1), (6, 2), (9, 5))  # 5.5 and 8.8 steps: from the first one after that
    assert schedule.phases(1) == ((0, 1),)
    assert NumMixes.parse("1@0,2@0.5,3@0.55,5@0.8").phases(5) == ((0, 1), (3, 3), (4, 5))  # 2 would begin when 3 does
    assert str(schedule) == "1@0,2@0.5,5@0.8"
    assert NumMixes.parse(5).phases(7) == ((0, 5),)


@pytest.mark.parametrize(
    "given", [0, -1, "", "five", "1@0.1,2@0.5", "2@0,1@0.5,3@0.5", "1@0,2@1.0", "1@0;2@0.5", "0@0,2@0.5", "1@0,2@0.5,"]
)
def test_what_is_no_schedule_is_refused(given):
    with pytest.raises(
        UsageError, match=r"num_mixes must be an integer >= 1, or values|num_mixes must be an integer >= 1, got"
    ):
        NumMixes.parse(given)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 24}, r"batch_size must be divisible by num_mixes, got batch_size=24, .*; try 30"),
        ({"epochs": 3, "steps": None}, r"a schedule of num_mixes needs a run in steps, and moments in percent"),
        ({"schedule": "multistep:1,2"}, r"moments in percent"),
        ({"unmixed_last": "1"}, r"moments in percent"),
        ({"micro_batch_size": 4}, r"micro_batch_size must hold one pair's mixes, got micro_batch_size=4.*try 5"),
    ],
)
def test_what_does_not_go_with_a_schedule_is_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        settings(**changes)
    settings(schedule="multistep:50%,75%", unmixed_last="10%", micro_batch_size=5)


def test_steps_hold_fewer_pairs_and_as_many_rows():
    course = Course.of(settings(), 10, settings().length(898))
    assert [course.samples(step) for step in range(10)] == [20] * 5 + [10] * 3 + [4] * 2
    assert [course.at(step).num_mixes for step in range(10)] == [1] * 5 + [2] * 3 + [5] * 2
    assert [course.rows(steps) for steps in (0, 1, 5, 6, 10)] == [0, 20, 100, 120, 200]
    plain_ends = settings(unmixed_first="20%", unmixed_last="30%")
    course = Course.of(plain_ends, 10, plain_ends.length(898))
    assert [course.samples(step) for step in range(10)] == [20] * 5 + [10] * 3 + [4] * 2
    rows = [20, 20, 20, 20, 20, 20, 20, 10, 4, 4]
    assert [course.rows(steps) for steps in range(11)] == [sum(rows[:steps]) for steps in range(11)]


def test_the_order_goes_on_where_the_phase_before_it_stopped():
    phases = ((0, 7), (3, 4), (5, 1))
    order = SampleOrder.of(10, phases, seed=3)
    sizes = [7, 7, 7, 4, 4, 1, 1, 1]
    assert [order.batch_at(step) for step in range(8)] == sizes
    assert [order.start(step) for step in range(9)] == [sum(sizes[:step]) for step in range(9)]
    met = torch.cat([order.at(step) for step in range(8)])
    one_by_one = SampleOrder(10, 1, seed=3)
    assert torch.equal(met, torch.cat([one_by_one.at(step) for step in range(len(met))]))
    for step in range(8):
        parts = [order.rows(step, rank, 3) for rank in range(3)]
        assert [part.stop for part in parts[:-1]] == [part.start for part in parts[1:]]
        assert (parts[0].start, parts[-1].stop) == (0, sizes[step])


def test_a_run_with_a_schedule_counts_what_it_saw(tmp_path):
    records = []
    train(settings(tmp_path), on_record=records.append)
    assert [record["rows"] for record in records] == [40, 80, 120, 160, 200]
    assert [record["images"] for record in records] == [40, 80, 110, 130, 138]
    assert records[-1]["epoch"] == 138 / len(open_data("digits").train)
    assert json.loads((tmp_path / "config.json").read_text())["num_mixes"] == "1@0,2@0.5,5@0.8"


def test_a_schedule_that_says_the_same_all_along_is_that_number(tmp_path):
    train(settings(tmp_path / "number", num_mixes=2))
    train(settings(tmp_path / "schedule", num_mixes="2@0,2@0.35,2@0.6"))
    numbers, schedule = (load_file(tmp_path / name / "model.safetensors") for name in ("number", "schedule"))
    assert all(torch.equal(numbers[name], schedule[name]) for name in numbers)


def test_a_schedule_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    train(settings(tmp_path / "straight"))

    class Enough(Exception):
        pass

    def stop(step, *_):
        if step == 7:
            raise Enough

    with pytest.raises(Enough):
        train(settings(tmp_path / "stopped", checkpoint_every="6"), on_step=stop)
    train(settings(tmp_path / "stopped", checkpoint_every="6"))
    straight, stopped = (load_file(tmp_path / name / "model.safetensors") for name in ("straight", "stopped"))
    assert all(torch.equal(straight[name], stopped[name]) for name in straight)
