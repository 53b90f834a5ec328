"""Study O in small: the arithmetic where the answer is known, and all of it once."""

import json
import math
import shutil
from dataclasses import replace

import pytest

from experiments.overhead.__main__ import DESIGNS, EPOCHS, RACES, UPDATE_ROUNDS, once, updates_of, write
from experiments.overhead.clock import all_samples, time_epochs
from experiments.overhead.compare import of_errors, of_paces, ratio, reached
from experiments.overhead.design import Design
from experiments.overhead.middle import Middle
from experiments.overhead.race import MANY, ONE, PROCESSES, REFERENCE, SMALL, folder, read, run
from multimix.lab.data import open_data


@pytest.fixture(scope="module")
def pool():
    return all_samples(open_data("digits"))


def test_an_epoch_of_k_mixes_has_as_many_updates_as_one_of_small_batches():
    assert Design("cutmix", 1, 100).updates_per_epoch(60_000) == 600
    assert Design("cutmix", 5, 100).updates_per_epoch(60_000) == 3_000
    assert Design("cutmix", 1, 20).updates_per_epoch(60_000) == 3_000
    assert Design("cutmix", 5, 100).samples == Design("cutmix", 1, 20).samples == 20


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
def test_all_arms_of_a_race_see_as_many_rows(race, tmp_path):
    settings = {arm: race.settings(arm, 0, tmp_path) for arm in race.arms(1)}
    assert {each.steps * each.batch_size for each in settings.values()} == {race.updates * race.batch}
    assert settings[SMALL].steps == 5 * settings[MANY].steps
    assert settings[SMALL].samples_per_step == settings[MANY].samples_per_step


def test_all_designs_can_be_had():
    assert all(rows % k == 0 for rows in UPDATE_ROUNDS for _, k in DESIGNS)
    assert all(Design(*each).updates_per_epoch(size) % 1 == 0 for each in EPOCHS for size in (1_000, 60_000))


def test_a_ratio_is_what_its_interval_says():
    verdicts = {(1.1, 1.2): "more", (0.8, 0.9): "less", (0.96, 1.04): "equal within 5%"}
    verdicts |= dict.fromkeys([(0.9, 1.1), (1.01, 1.2), (0.8, 0.99)], "not decided")
    assert {limits: Middle(1.0, *limits, 5).verdict for limits in verdicts} == verdicts
    found = Middle.ratio([2.0, 8.0, 30.0], [1.0, 2.0, 10.0])  # round by round: 2, 4, 3
    assert (found.value, found.low, found.high, found.n) == (3, 2, 4, 3)


def records(*pairs, step_s=0.01):
    """Returns those of a run: (updates, error)."""
    return [{"step": step, "validation_error": error, "time_s": step_s * step} for step, error in pairs]


def runs_of(step_s):
    """Runs of two seeds that reach 10 % after 100, 300 and 40 updates, which take as long as given."""
    courses = {REFERENCE: [(200, 0.1)], ONE: [(50, 0.3), (100, 0.1)], SMALL: [(100, 0.2), (300, 0.05)]}
    courses[MANY] = [(20, 0.11), (40, 0.1), (60, 0.02)]
    return {
        (processes, arm): {seed: records(*course, step_s=step_s(processes, arm) * (1 + seed)) for seed in (0, 1)}
        for processes in PROCESSES
        for arm, course in courses.items()
    }


def test_seconds_to_the_error_are_compared_within_a_seed():
    runs = runs_of(lambda processes, arm: 0.01)
    assert reached(runs[1, MANY][0], 0.1)["step"] == 40
    assert reached(runs[1, MANY][0], 0.01) is None
    found = of_errors(runs, PROCESSES, 0.1)
    assert found[f"seconds to the error, {ONE} / {MANY}, 1 process"].value == pytest.approx(100 / 40)
    assert found[f"seconds to the error, {SMALL} / {MANY}, 2 processes"].value == pytest.approx(300 / 40)
    runs[1, MANY][1] = records((60, 0.9))  # a seed that does not reach it has no part in its ratios
    assert of_errors(runs, [1], 0.1)[f"seconds to the error, {ONE} / {MANY}, 1 process"] is None


def test_what_a_second_process_costs_is_told_apart_from_the_arm():
    seconds = {(1, SMALL): 0.002, (1, MANY): 0.008, (2, SMALL): 0.003, (2, MANY): 0.006}
    found = of_paces(runs_of(lambda processes, arm: seconds.get((processes, arm), 0.01)))
    assert found[f"an update of {ONE}, 2 processes / 1"].value == pytest.approx(1)
    assert found[f"an update of {SMALL}, 2 processes / 1"].value == pytest.approx(1.5)
    assert found[f"an update of {SMALL} / {MANY}, 2 processes / 1"].value == pytest.approx(2)


def test_a_ratio_is_a_geometric_mean_with_its_interval():
    found = ratio({0: 2.0, 1: 8.0, 2: 9.0}, {0: 1.0, 1: 1.0, 3: 1.0})
    assert (found.value, found.n) == (pytest.approx(4), 2)
    assert found.high / found.value == pytest.approx(math.exp(12.7062 * math.log(2)), rel=1e-4)  # t times the error
    assert ratio({0: 2.0}, {0: 1.0}) is None


def test_all_of_it_in_small(pool, tmp_path):
    some = [("none", 1), ("puzzlemix", 1), ("puzzlemix", 5)]
    updates = once(tmp_path / "updates.json", lambda: updates_of(pool, some, {40: 2}, 200))
    assert once(tmp_path / "updates.json", lambda: pytest.fail("measured twice")) == updates
    assert [(line["design"]["method"], line["design"]["num_mixes"]) for line in updates] == some
    assert all(0 < times["load"][1] < times["update"][1] for times in (line["times"] for line in updates))
    designs = [Design("cutmix", 1, 20), Design("cutmix", 5, 20)]
    epochs = time_epochs(pool, (40, 400), designs, rounds=2, longest_s=1e-9, updates=3)
    assert [(line["updates"], line["timed"]) for line in epochs] == [(2, 2), (10, 3), (20, 3), (100, 3)]
    whole = time_epochs(pool, (40,), designs, rounds=2, longest_s=1e9, updates=3)
    assert [(line["updates"], line["timed"]) for line in whole] == [(2, 2), (10, 10)]

    tiny = replace(RACES[0], samples=50, validation=50, batch=20, updates=2, evaluations=2, error=1.0)
    run(tmp_path, tiny, pool, 0)
    for arm in tiny.arms(1):  # other seeds, and two processes: the same again
        for processes, seed in ((1, 1), (2, 0), (2, 1)):
            shutil.copytree(folder(tmp_path, tiny, 1, 0, arm), folder(tmp_path, tiny, processes, seed, arm))
    races = {race: read(tmp_path, race, (0, 1)) for race in (tiny,)}
    races[replace(tiny, error=None)] = races[tiny]
    write(tmp_path, updates, epochs, races)
    page = (tmp_path / "overhead.md").read_text()
    assert "Printed by `python -m experiments.overhead OUT --data-root ROOT`" in page
    assert page.count("| puzzlemix |") == 2
    assert "| 400 | cutmix, K = 5, B = 20 | 100 | 3 |" in page
    assert page.count("of 2 |") == 7
    assert "an update of K = 5, 2 processes / 1 | 1.00 [1.00, 1.00] | equal within 5% | 2 |" in page
    content = json.loads((tmp_path / "overhead.json").read_text())
    assert [len(each["runs"]) for each in content["races"]] == [14, 14]
    assert [each["error"] for each in content["races"]] == [1.0, None]
