"""Choosing by measurement: who races, who goes on, what is said in the end."""

import json
import shlex
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multimix.lab.choose import halving
from multimix.lab.choose import run as race_run
from multimix.lab.choose.candidates import Candidate, candidates, without_test
from multimix.lab.choose.halving import Measured, Race, Rung, first_length, predicted_s, ranking
from multimix.lab.choose.result import answer, train_command
from multimix.lab.choose.run import choose
from multimix.lab.choose.settings import ChooseSettings
from multimix.lab.command_line.main import main
from multimix.lab.command_line.parse import parse
from multimix.lab.core.atomic_files import write_json
from multimix.lab.core.errors import InterruptedByCtrlC, RunFailed, UsageError
from multimix.lab.core.plain_console import PlainConsole
from multimix.lab.data import open_data
from multimix.lab.train.run_folder import RunFolder

NAMES = ("none", "a", "b", "c", "d", "e")
RACE = Race(NAMES, frozenset({"none"}), first=10, most_seeds=3)


def asked(**given):
    return ChooseSettings(**{"budget": "1h", "out": "o", "model": "mlp", "methods": ("mixup",), "jobs": 0} | given)


def test_candidates_are_no_mixing_and_methods_by_k_and_rows():
    found = candidates(asked(methods=("none", "mixup", "cutmix"), batch_size=100, num_mixes=(1, 5)))
    assert found[:3] == [Candidate("none", 1, 100), Candidate("none", 1, 20), Candidate("mixup", 1, 100)]
    assert len(found) == len(set(found)) == 2 + 2 * 2 * 2
    assert Candidate("cutmix", 5, 20) in found
    assert Candidate("mixup", 5, 24) not in candidates(asked())  # 24 rows are no whole number of pairs


def test_a_length_is_the_same_rows_for_all_and_a_seed_the_same_samples():
    large, small = (candidate.settings(asked(), length=30, seed=2) for candidate in candidates(asked())[:2])
    assert large.steps * large.batch_size == small.steps * small.batch_size == 30 * 120
    assert large.seed == small.seed == large.split_seed == small.split_seed == 2
    assert large.validation_share > 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"budget": "30"}, "budget must be a time above zero, got budget='30'; try 90s, 30min or 2h"),
        ({"budget": "10%"}, "budget must be a time above zero"),
        ({"budget": "0s"}, "budget must be a time above zero"),
        ({"methods": ("none",)}, "methods must name one that mixes, got methods=.*none"),
        ({"methods": ("mixpu",)}, "methods must be one of .*, got methods='mixpu'; did you mean"),
        ({"num_mixes": (7,), "batch_sizes": (20,)}, "num_mixes must divide one of batch_sizes, got num_mixes=7"),
        ({"epochs": 3}, "lengths are numbers of steps, got epochs=3"),
        ({"patience": 3}, "runs of a race are whole"),
        ({"validation_share": 0.0}, "validation_share must be in"),
    ],
)
def test_settings_that_cannot_be(wrong, said):
    with pytest.raises(UsageError, match=said):
        asked(**wrong)


def test_a_budget_is_a_time():
    assert [asked(budget=text).budget_s for text in ("90s", "30min", "1.5h")] == [90, 1800, 5400]


def measure(errors, time_s=1.0):
    """The records of runs, name -> errors of its seeds at length 10."""
    return {(name, 10, seed): Measured(e, time_s) for name, each in errors.items() for seed, e in enumerate(each)}


def test_the_better_half_goes_on_at_twice_the_length_with_one_more_seed():
    done = measure({"none": [0.9], "a": [0.5], "b": [0.1], "c": [0.2], "d": [0.3], "e": [0.4]})
    rung = RACE.following(done, RACE.opening(), left_s=1e9)
    assert rung.contenders == ("b", "c", "d", "none")  # no mixing goes on, to be compared with
    assert rung.seeds == 2
    at_twice = {(name, 20, seed) for name in rung.contenders for seed in (0, 1)}
    assert set(rung.runs) == at_twice | {(name, 10, 1) for name in rung.contenders}


def test_of_equal_errors_the_cheaper_is_the_better():
    done = measure({"a": [0.2], "none": [0.2]}) | {("b", 10, 0): Measured(0.2, 0.5)}
    assert [standing.name for standing in ranking(done, NAMES, 1)] == ["b", "a", "none"]


def test_a_slow_starter_is_judged_by_its_best_length_and_a_settled_one_runs_no_longer():
    done = {("a", length, 0): Measured(error, 1) for length, error in ((10, 0.1), (20, 0.2), (40, 0.3))}
    done |= {("none", length, 0): Measured(error, 1) for length, error in ((10, 0.9), (20, 0.5), (40, 0.2))}
    first, second = ranking(done, NAMES, 1)
    assert (first.name, first.length, first.reached) == ("a", 10, True)
    assert (second.name, second.length, second.reached) == ("none", 40, False)
    race = Race(("none", "a"), frozenset({"none"}), 10, most_seeds=1)
    assert race.following(done, race.opening(), 1e9).runs == (("none", 80, 0),)


def test_the_race_is_over_when_nothing_is_left_to_find_out():
    done = {(name, length, 0): Measured(0.1, 1) for name in ("none", "a") for length in (10, 20, 40)}
    race = Race(("none", "a"), frozenset({"none"}), 10, most_seeds=1)
    assert race.following(done, race.opening(), 1e9) is None


def test_the_time_of_a_run_is_foretold_by_its_own_then_by_the_slowest():
    done = {("a", 10, 0): Measured(0, 2), ("a", 20, 0): Measured(0, 3), ("b", 10, 0): Measured(0, 5)}
    assert predicted_s(done, "a", 20) == 3
    assert predicted_s(done, "a", 40) == 6
    assert predicted_s(done, "c", 10) == 5


errors = st.lists(st.floats(0, 1), min_size=len(NAMES), max_size=len(NAMES))


@settings(max_examples=50, deadline=None)
@given(one=errors, two=errors, costs=st.lists(st.floats(0.1, 9), min_size=6, max_size=6), left_s=st.floats(0, 500))
def test_who_goes_on_has_the_best_paired_mean_and_no_more_than_the_time_left(one, two, costs, left_s):
    done = {}
    for name, *each, cost in zip(NAMES, one, two, costs, strict=True):
        done |= {(name, 10, seed): Measured(error, cost) for seed, error in enumerate(each)}
    rung = Race(NAMES, frozenset({"none"}), 10, 5).following(done, Rung(NAMES, 2, ()), left_s)
    if rung is None:
        return
    assert RACE.time_s(done, rung.runs) <= left_s
    mean = {name: (a + b) / 2 for name, a, b in zip(NAMES, one, two, strict=True)}
    left_out = [mean[name] for name in NAMES if name not in rung.contenders]
    assert all(mean[name] <= min(left_out, default=1) + 1e-12 for name in rung.contenders if name != "none")
    assert "none" in rung.contenders
    assert 2 <= len(rung.contenders) <= len(NAMES) // 2 + 1


@pytest.mark.parametrize(
    ("a", "best", "alike"),
    [
        ([0.10, 0.11, 0.09, 0.10, 0.11], "a", {"a"}),  # clearly better than no mixing
        ([0.28, 0.33, 0.26, 0.34, 0.29], "a", {"a", "none"}),  # a little better, maybe by chance
        ([0.50, 0.51, 0.49, 0.50, 0.51], "none", {"none"}),
    ],
)
def test_the_lowest_error_is_recommended_and_what_it_cannot_be_told_from_is_known(a, best, alike):
    done = measure({"a": a, "none": [0.30, 0.31, 0.32, 0.30, 0.31]})
    decision = RACE.decide(done, Rung(NAMES, 5, ()))
    assert decision.best.name == best
    assert {standing.name for standing in decision.alike} == alike


@pytest.mark.parametrize("seeds", [3, 2])
def test_an_interval_needs_three_seeds(seeds):
    done = measure({"a": [0.10, 0.12, 0.11][:seeds], "none": [0.30, 0.31, 0.33][:seeds]})
    decision = RACE.decide(done, Rung(NAMES, seeds, ()))
    runs = {name: Candidate("none" if name == "none" else "mixup", 1, 120) for name in NAMES}
    _, error, difference, *_ = answer(decision, runs, asked(batch_size=120), 9, 60.0)
    assert ("±" in error) == ("±" in difference) == (seeds == 3)


@pytest.mark.parametrize("seeds", [5, 4])
def test_the_cheapest_of_those_that_cannot_be_told_apart_is_named_where_seeds_are_enough(seeds):
    done = measure(
        {"a": [0.10, 0.12, 0.09, 0.10, 0.11][:seeds], "none": [0.30, 0.31, 0.32, 0.30, 0.31][:seeds]}, time_s=2
    )
    done |= measure({"b": [0.11, 0.11, 0.10, 0.11, 0.11][:seeds]}, time_s=1)
    decision = RACE.decide(done, Rung(NAMES, seeds, ()))
    assert [standing.name for standing in decision.alike] == ["b", "a"]
    runs = {name: Candidate("none" if name == "none" else "mixup", 1, 120) for name in NAMES}
    said = "\n".join(answer(decision, runs, asked(batch_size=120), 9, 60.0))
    assert "train with: mixup, K = 1, 120 rows per step" in said
    assert f"minus no mixing: {'-20.40 ± 1.88' if seeds == 5 else '-20.50 ± 2.76'} points, paired by seed" in said
    assert ("10.80 %, 1.0 s a run instead of 2.0 s" in said) == (seeds == 5)
    assert ("; significant" in said) == (seeds == 5)
    assert ("4 seed(s) are too few to tell it from chance" in said) == (seeds == 4)


def test_the_first_length_lets_the_halving_fit():
    length = first_length(4, most_seeds=5, time_s=1000, start_s=1, step_s=0.1)
    # four runs, and four twice as long; then three candidates: two seeds at twice that, one more below; and so on
    assert 29 * 1 + (12 + 3 * (2 * 4 + 2) + 3 * (3 * 8 + 4)) * length * 0.1 == pytest.approx(1000)


@pytest.mark.parametrize(("before", "now", "goes_on"), [(0.9, 0.6, True), (0.7, 0.6, False), (0.5, 0.6, False)])
def test_a_slow_starter_goes_on_if_the_like_of_its_last_gain_would_make_it_the_best(before, now, goes_on):
    lasting = {"none": (0.40, 0.38), "a": (0.45, 0.44), "b": (0.46, 0.45), "d": (0.9, 0.89), "e": (0.9, 0.89)}
    done = {
        (name, length, 0): Measured(error, 1)
        for name, each in (lasting | {"c": (before, now)}).items()
        for length, error in zip((10, 20), each, strict=True)
    }
    rung = RACE.following(done, RACE.opening(), left_s=1e9)
    assert rung.contenders == ("none", "a", "b") + ("c",) * goes_on  # 0.6 less 0.3 is below 0.38, less 0.1 is not
    needed_s = RACE.time_s(done, rung.runs)
    if goes_on:  # where time is short it is the first to be left out
        assert RACE.following(done, RACE.opening(), needed_s - 1).contenders == ("none", "a", "b")


def test_held_out_samples_stand_in_for_the_test_split():
    run = candidates(asked())[0].settings(asked(), 10, 1)
    opened = open_data("digits")
    data = without_test(opened, run)
    assert data.test is data.validation
    assert len(data.train) + len(data.test) == len(opened.train)
    few = candidates(asked(validation_share=0.01))[0].settings(asked(validation_share=0.01), 10, 1)
    with pytest.raises(UsageError, match="at least 50 samples must be held out to choose by, got 10 with"):
        without_test(opened, few)


def tiny(out, **given):
    few = {"steps": 2, "batch_size": 20, "num_mixes": (1,), "batch_sizes": (20,), "methods": ("mixup", "cutmix")}
    return asked(**{"out": str(out), "seeds": 2, "device": "cpu"} | few | given)


def quiet():
    return PlainConsole(quiet=True)


def written_in(out):
    return json.loads((out / "choose.json").read_text())


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A race on digits, without longer runs: three candidates, and a second seed for those who go on."""
    out = tmp_path_factory.mktemp("choose") / "race"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(halving, "SETTLED", 0)
        assert choose(tiny(out), "multimix choose", quiet()) == {}
    return out


def test_a_race_on_digits_ends_with_a_command_that_can_be_given(real):
    going_on = len(written_in(real)["rungs"][-1]["contenders"])
    assert len(list(real.glob("*/evaluation.json"))) == 6 + going_on
    *_, cost, command = written_in(real)["answer"]
    assert cost.startswith(f"cost: {6 + going_on} runs in ")
    name, asked_for = parse(shlex.split(command)[1:])
    assert name == "train"
    assert (asked_for.data, asked_for.model, asked_for.validation_share) == ("digits", "mlp", 0)
    assert asked_for.out == f"{real}-trained"
    last = json.loads(next(real.glob("*-s1/metrics.jsonl")).read_text())
    assert last["error"] == last["validation_error"]  # the test split is not there


def test_a_race_that_was_decided_says_the_same_again_and_trains_nothing(real, monkeypatch):
    before = written_in(real)
    monkeypatch.setattr(halving, "SETTLED", 0)
    monkeypatch.setattr(race_run, "train_without_test", None)
    choose(tiny(real), "multimix choose", quiet())
    assert written_in(real) == before


def fake(settings, jobs):
    """Do no training: an error that falls with the length and differs between seeds, and a time that grows."""
    at_best = {"none": 0.3, "mixup": 0.2, "cutmix": 0.25}[settings.method] + (
        0.010 if settings.method == "none" else 0.011
    ) * settings.seed
    error = at_best + abs(settings.steps - 8) / 100
    Path(settings.out).mkdir(parents=True)
    write_json(Path(settings.out) / "config.json", {})
    record = dict.fromkeys(("step", "epoch", "loss", "mixed_accuracy", "error", "rows"), 1.0)
    RunFolder(Path(settings.out)).write_records([record | {"time_s": settings.steps / 1000}])
    write_json(Path(settings.out) / "cost.json", {"time_s": settings.steps / 1000})
    write_json(Path(settings.out) / "evaluation.json", {"error": error})


@pytest.mark.parametrize(("until", "given"), [(1, {}), (7, {}), (2, {"steps": None, "budget": "8s"})])
def test_a_race_killed_after_some_runs_goes_on_to_the_same_decision(until, given, tmp_path, monkeypatch):
    left = [until]

    def killed(settings, jobs):
        if not left[0]:
            raise InterruptedByCtrlC
        left[0] -= 1
        fake(settings, jobs)

    monkeypatch.setattr(race_run, "train_without_test", fake)
    choose(tiny(tmp_path / "whole", **given), "", quiet())
    monkeypatch.setattr(race_run, "train_without_test", killed)
    with pytest.raises(KeyboardInterrupt):
        choose(tiny(tmp_path / "killed", **given), "", quiet())
    monkeypatch.setattr(race_run, "train_without_test", fake)
    choose(tiny(tmp_path / "killed", **given), "", quiet())
    whole, killed = written_in(tmp_path / "whole"), written_in(tmp_path / "killed")
    assert killed["rungs"] == whole["rungs"]
    assert killed["answer"][:-2] == whole["answer"][:-2]  # then the time it took, and its folder
    if "steps" in given:  # the first run, of 30 steps, told how long the shortest may be
        assert 30 < whole["first"] < 500
        return
    assert len(whole["rungs"]) > 3
    assert whole["answer"][0] == "train with: mixup, K = 1, 20 rows per step, 8 steps"
    assert "length: reached, longer runs were no better" in whole["answer"]


def test_a_race_out_of_time_answers_by_what_is_done_and_goes_on_with_a_larger_budget(tmp_path, monkeypatch):
    monkeypatch.setattr(race_run, "train_without_test", fake)
    clock = iter(range(0, 10**6, 10))  # each run takes ten seconds
    monkeypatch.setattr(race_run, "monotonic", lambda: next(clock))
    choose(tiny(tmp_path / "o", budget="55s"), "", quiet())
    first = written_in(tmp_path / "o")
    assert first["spent_s"] <= 60
    assert first["answer"][0].startswith("train with: mixup")
    assert first["answer"][2].endswith("seed(s) are too few to tell it from chance")
    choose(tiny(tmp_path / "o", budget="1h"), "", quiet())
    assert len(written_in(tmp_path / "o")["rungs"]) > len(first["rungs"])


def test_a_candidate_whose_runs_fail_is_left_out_and_named(tmp_path, monkeypatch):
    def failing(settings, jobs):
        if settings.method == "cutmix":
            raise RunFailed("the loss must stay finite")
        if settings.method == "mixup" and settings.steps > 4:
            raise RunFailed("the loss must stay finite")
        fake(settings, jobs)

    monkeypatch.setattr(race_run, "train_without_test", failing)
    failures = choose(tiny(tmp_path / "o"), "", quiet())
    assert set(failures) == {"cutmix-k1-b20-2-s0", "cutmix-k1-b20-4-s0", "mixup-k1-b20-8-s0", "mixup-k1-b20-8-s1"}
    assert written_in(tmp_path / "o")["answer"][0].startswith("train with: mixup, K = 1, 20 rows per step, 4 steps")


def test_a_budget_too_small_for_one_run_of_each_is_refused_after_the_first(tmp_path):
    with pytest.raises(UsageError, match=r"hold a run of each of 3 candidates and one twice as long, got"):
        choose(tiny(tmp_path / "o", budget="0.001s"), "", quiet())
    assert len(list((tmp_path / "o").glob("*/evaluation.json"))) == 1


def test_a_folder_of_something_else_is_refused(real, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UsageError, match="the folder of a race must be new, empty or begun by multimix"):
        choose(tiny(tmp_path), "", quiet())
    with pytest.raises(UsageError, match=r"a folder holds one race, got methods=\['mixup'\] for"):
        choose(tiny(real, methods=("mixup",)), "", quiet())
    (tmp_path / "thesis.tex").unlink()
    shutil.copy(real / "choose.json", tmp_path)
    text = (tmp_path / "choose.json").read_text()
    (tmp_path / "choose.json").write_text(text.replace("cutmix-k1-b20", "cutmix-k9-b20"))
    with pytest.raises(UsageError, match=r"choose.json must be readable, got .*: one of its runs is of no candidate"):
        choose(tiny(tmp_path), "", quiet())
    (tmp_path / "choose.json").write_text('{"settings": 3}')
    with pytest.raises(UsageError, match=r"a race's choose.json must be readable, got .*: it holds no settings"):
        choose(tiny(tmp_path), "", quiet())


def test_the_command_says_all_that_is_not_usual():
    given = asked(
        learning_rate=0.3, model="small-cnn", model_options={"stride": 2}, channels_last=True, labels_per_class=9
    )
    run = candidates(given)[0].settings(given, 10, 3)
    _, parsed = parse(shlex.split(train_command(run, given))[1:])
    expected = {"learning_rate": 0.3, "model_options": {"stride": 2}, "channels_last": True, "labels_per_class": 9}
    assert {key: getattr(parsed, key) for key in expected} == expected
    assert (parsed.steps, parsed.batch_size, parsed.seed, parsed.evaluations) == (10, 120, 0, 25)


def test_the_program_shows_candidates_and_its_help_opens_with_what_must_be_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["choose", "--methods", "mixup", "--budget", "1min", "--out", "o", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "mixup, K = 5, 120 rows per step" in printed
    assert "5 candidates into o, budget 1 min 0 s" in printed
    assert not (tmp_path / "o").exists()
    with pytest.raises(SystemExit):
        main(["choose", "--help"])
    shown = capsys.readouterr().out.split("ALL_OPTIONS")[0].split("options:")[1]
    places = [shown.index(f"--{name} ") for name in ("data", "model", "budget", "out", "methods")]
    assert places == sorted(places)
