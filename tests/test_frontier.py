"""The frontier study: splits, arms and choices, where the answer is known."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.frontier.analysis import Findings
from experiments.frontier.choose import best_length, choose, is_done
from experiments.frontier.overview import rows
from experiments.frontier.page import write_page
from experiments.frontier.parallel import check
from experiments.frontier.passes import differences, row
from experiments.frontier.pool import pool
from experiments.frontier.protocol import Arm, Protocol
from experiments.frontier.records import Record, Records, judged, wrong_of
from experiments.frontier.replicate import line as replicated_line
from experiments.frontier.replicate import replicate
from experiments.frontier.samples import draw
from experiments.frontier.stages import Study
from multimix.lab.compare.controls import CONTROLS
from multimix.lab.data import open_data

FOLDER = Path(__file__).parents[1] / "experiments" / "frontier"
TINY = Protocol(
    name="tiny",
    data="digits",
    model="small-cnn",
    labels_per_class=2,
    validation=30,
    test=50,
    batch_size=10,
    first_length=1,
    lengths=2,
    rates=(0.1,),
    methods=("mixup",),
    tuning_seeds=1,
    final_seeds=1,
)


def record(length, error, rate=0.1, seed=0, arm="none K=1"):
    return Record(arm, length, rate, seed, 1.0, "x", error, 0.0, error, 0.0, 0.0, 0.0, "")


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_protocol_can_be_read_and_its_arms_see_as_many_rows(file):
    protocol = Protocol.read(file)
    for arm in protocol.arms():
        pairs = protocol.batch_size * arm.pairs
        assert pairs == round(pairs)
        rows = pairs * arm.num_mixes * arm.updates
        assert rows == protocol.batch_size * (5 if arm.kind == "K=5 same pairs" else 1)


def test_arms_have_the_names_of_the_controls():
    for method, k, word in (("mixup", 5, "same rows"), ("mixup", 5, "same pairs"), ("mixup", 5, "small batch")):
        kind = word if word == "small batch" else f"K={k} {word}"
        (arm,) = (arm for arm in TINY.arms() if (arm.method, arm.kind) == (method, kind))
        control = CONTROLS[word.replace(" ", "-")]
        assert arm.pairs * arm.num_mixes == pytest.approx(k**control.rows)
        assert arm.updates == k**control.updates
        assert (arm.num_mixes > 1) == control.mixes


def test_splits_are_apart_and_drawn_by_the_seed():
    data = open_data("digits")
    splits = {}
    for seed in (0, 1):
        drawn = draw(data, TINY, seed)
        parts = (drawn.train, drawn.validation, drawn.test)
        assert [len(part) for part in parts] == [20, 30, 50]
        assert drawn.train.labels.bincount().tolist() == [2] * 10
        splits[seed] = [{tuple(x.flatten().tolist()) for x in part.x} for part in parts]
        assert len(set.union(*splits[seed])) == 100
    assert all(first != second for first, second in zip(splits[0], splits[1], strict=True))


def test_a_run_is_done_once_and_again_to_the_same_bits(tmp_path):
    lines: list[str] = []
    study = Study(TINY, open_data("digits"), tmp_path, lines.append)
    choices = study.tune()
    study.finish(choices)
    done = len(lines)
    assert {record.arm for record in study.records.all.values()} == {arm.name for arm in TINY.arms()}
    study.finish(study.tune())
    assert len(lines) == done
    text = (tmp_path / "records.jsonl").read_text()
    (tmp_path / "records.jsonl").write_text(text[:-40])  # a process was killed in the middle of a line
    late = Study(TINY, open_data("digits"), tmp_path / "late", lines.append, minutes=0)
    with pytest.raises(TimeoutError, match="the same command goes on"):
        late.tune()
    assert len(lines) == done
    again = Study(TINY, open_data("digits"), tmp_path, lines.append)
    again.finish(again.tune())
    assert len(lines) == done + 1
    before, after = (Records(tmp_path).all, study.records.all)
    assert before.keys() == after.keys()
    assert all(before[key].wrong == after[key].wrong for key in after)


def test_longer_runs_may_be_tried_at_the_best_rate_alone(tmp_path):
    protocol = Protocol(**{**vars(TINY), "rates": (1e-6, 0.1), "lengths": 3, "rates_up_to": 2, "methods": ()})
    study = Study(protocol, open_data("digits"), tmp_path, lambda line: None)
    choices = study.tune()
    tried = {
        rate: {run.length for run in study.records.of("none K=1", [0]) if run.rate == rate} for rate in protocol.rates
    }
    assert tried == {1e-6: {1, 2}, 0.1: {1, 2, 4}}
    assert choices["none K=1"].rate == 0.1


def test_several_runs_at_a_time_give_the_records_of_one_after_the_other(tmp_path):
    settings = {**vars(TINY), "kinds": ("K=1",)}
    command = [sys.executable, str(Path(__file__).with_name("several_runs.py")), str(tmp_path), json.dumps(settings)]
    environment = os.environ | {"PYTHONPATH": str(FOLDER.parents[1])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert "the same command goes on" in found["late"]
    assert found["same runs"]
    assert found["same samples wrong"]
    assert found["times of updates"]
    assert found["logits"][0] == found["logits"][1] != []
    assert found["timed once"]
    assert "in the run mixup K=1" in found["failed"]
    assert found["recorded beside the failed one"] > 0


@pytest.mark.parametrize(
    "settings", [{"lengths": 4}, {"rates_up_to": 1}, {"kinds": ("K=5 same rows", "repeats")}], ids=str
)
def test_runs_that_depend_on_each_other_are_not_done_at_a_time(settings):
    with pytest.raises(ValueError, match="several runs at a time"):
        check(Protocol(**{**vars(TINY), "kinds": ("K=1",), **settings}))


def test_differences_by_passes_take_each_arm_at_its_best_rate(tmp_path):
    protocol = Protocol(**{**vars(TINY), "lengths": 3, "rates": (0.1, 0.3)})
    records = Records(tmp_path)
    for length in (1, 2, 4):
        for rate in (0.1, 0.3):
            records.add(record(length, 0.5 if rate == 0.1 else 0.4, rate, arm="mixup K=1"))
            records.add(record(length, (0.6 if rate == 0.1 else 0.7) / length, rate, arm="mixup K=5 same rows"))
            records.add(record(length, 0.9, rate, seed=100, arm="mixup K=5 same rows"))  # no tuning run
    found = differences(protocol, records, "mixup", "K=1")
    assert found == pytest.approx({0.5: 20.0, 1.0: -10.0, 2.0: -25.0})  # 10 rows, 20 samples
    assert not differences(protocol, records, "mixup", "small batch")
    assert row("here", "mixup", 3, {7.5: 5.0, 16.0: -1.0, 960.0: 2.0}) == (
        "| here | mixup | 3 | +5.0 |  | -1.0 |  |  |  |  | +2.0 |  |"
    )
    for wrong in ({2000.0: 1.0}, {16.0: 1.0, 20.0: 1.0}):
        with pytest.raises(ValueError, match="change EDGES"):
            row("here", "mixup", 3, wrong)


def test_the_bits_say_which_samples_were_wrong():
    logits, labels = torch.eye(3)[[0, 1, 2, 0, 1]], torch.tensor([0, 1, 0, 0, 2])
    found = judged((logits, labels), (logits, labels))
    assert found["error"] == found["validation_error"] == pytest.approx(0.4)
    some = Record("a", 1, 0.1, 0, 1.0, "x", **found)
    assert wrong_of(some, 5).tolist() == [False, False, True, False, True]


def test_lengths_are_tried_until_two_in_a_row_are_no_better():
    lengths = [1, 2, 4, 8, 16, 32]
    assert not is_done({1: 0.5, 2: 0.6, 4: 0.7}, lengths)  # at least four
    assert is_done({1: 0.5, 2: 0.6, 4: 0.7, 8: 0.8}, lengths)
    assert not is_done({1: 0.5, 2: 0.4, 4: 0.3, 8: 0.4}, lengths)
    assert is_done({1: 0.5, 2: 0.4, 4: 0.3, 8: 0.4, 16: 0.3}, lengths)
    assert is_done(dict.fromkeys(lengths, 0.1) | {32: 0.0}, lengths)


def test_rate_and_length_are_those_with_the_least_validation_error():
    protocol = Protocol(**{**vars(TINY), "rates": (0.1, 0.3, 1.0)})
    runs = [record(1, 0.5), record(2, 0.4), record(1, 0.3, 0.3), record(2, 0.3, 0.3), record(1, 0.9, 1.0)]
    found = choose(protocol, Arm("none", "K=1"), runs, protocol.rates)
    assert (found.rate, found.length, found.reached, found.at_edge) == (0.3, 1, True, False)
    assert best_length({1: 0.5, 2: 0.4, 4: 0.1}, budget=3) == 2


def test_the_page_compares_what_the_protocol_names(tmp_path):
    study = Study(TINY, open_data("digits"), tmp_path / "frontier-tiny", lambda line: None)
    study.finish(study.tune())
    text = write_page(TINY, study.folder).read_text()
    assert "0 of 1 final seeds" not in text
    assert "Fewer than 5 seeds: nothing is claimed." in text
    found = Findings(TINY, study.records)
    a, b = (found.at_best(f"mixup {kind}", "error")[0] for kind in ("K=5 same rows", "K=1"))
    assert found.difference("mixup K=5 same rows", "mixup K=1").mean == pytest.approx(a - b)
    assert found.pooled("K=5 same rows", {"mixup": "mixup K=1"}).mean == pytest.approx(a - b)
    for arm, draws in found.draws.items():
        lengths = np.array(list(found.errors[arm].values()))
        assert lengths.min() - 0.25 < draws.mean() < lengths.max() + 0.25
    (shown,) = (line for line in text.splitlines() if line.startswith("| A, mixup"))
    assert f"{100 * (a - b):+.1f} [" in shown


def of_data(name, seeds, p_a, p_b, lengths=8):
    """What `report` writes of a data set, as far as the overview reads it."""
    change = {"mean": -0.01, "low": -0.02, "high": 0.001}
    methods = ["mixup", "cutmix"]
    protocol = {"name": name, "data": "digits", "labels_per_class": 5, "methods": methods, "lengths": lengths}
    return {
        "protocol": protocol,
        "seeds": list(range(seeds)),
        "errors": {f"{method} {kind}": error for method in ("none", "mixup") for kind, error in ERRORS.items()}
        | {f"cutmix {kind}": error + 0.02 for kind, error in ERRORS.items()},
        "differences": {"A, pooled": {**change, "p": p_a}, "B, pooled": {**change, "p": p_b}},
        "seconds_to_equal_error": {
            "mixup": {"small batch": 3.0, "K=5 same rows": 2.0},
            "cutmix": {"small batch": 8.0, "K=5 same rows": 2.0},
        },
    }


ERRORS = {"K=1": 0.2, "small batch": 0.1, "K=5 same rows": 0.15}


def test_the_overview_corrects_for_all_comparisons_planned():
    first, second, few = rows(
        [of_data("a", 10, 0.001, 0.5), of_data("b", 5, 0.02, 0.002), of_data("c", 4, 1e-9, 1e-9, 1)]
    )
    assert first == (
        "| [digits, 5 labels per class](frontier-a.md) | mixup, cutmix | 10 | 20.0 | 10.0 | 21.0 | 11.0 | 16.0 | "
        f"-1.0 [-2.0, +0.1] | {14 * 0.001:.3g} | -1.0 [-2.0, +0.1] | 1 | 1.5 to 4.0 |"
    )
    assert f"| {12 * 0.02:.3g} |" in second
    assert f"| {13 * 0.002:.3g} |" in second
    assert few.count("no claim") == 2
    assert few.endswith("| one length |")  # nothing says when that error was reached


def test_a_part_of_it_is_done_anew_with_other_seeds(tmp_path):
    study = Study(TINY, open_data("digits"), tmp_path / "frontier-tiny", lambda line: None)
    study.finish(study.tune())
    said = []
    table = replicate(Findings(TINY, study.records), study.data, "mixup", 2, said.append)
    assert [line.split(":")[0] for line in said] == ["seed 1000", "seed 1001"]
    assert [line[:44].rstrip() for line in table[1:]] == [
        "mixup K=1, %",
        "mixup small batch, %",
        "mixup K=5 same rows, %",
        "K=5 same rows minus K=1, points",
        "K=5 same rows minus small batch, points",
    ]
    for place, line in enumerate(table[1:4]):
        errors = [float(text.split(",")[place].split()[-2]) for text in said]
        mean = float(line[66:].split(" ±")[0])
        assert mean == pytest.approx(np.mean(errors), abs=0.11)
        assert line.endswith(("agrees", "differs"))


@pytest.mark.parametrize(
    ("now", "verdict"), [(0.145, "agrees"), (0.135, "differs"), (0.23, "agrees"), (0.245, "differs")]
)
def test_what_comes_out_anew_is_held_against_both_intervals(now, verdict):
    """Half-widths: 0.03 recorded below, 0.05 above, and 0.025 now; together 0.039 and 0.056."""
    errors = [now - 0.01, now, now + 0.01]  # 4.30 standard errors of 0.01 / sqrt(3)
    assert replicated_line("x", (0.18, 0.15, 0.23), errors).endswith(verdict)


def test_methods_done_anew_are_pooled_within_a_seed(tmp_path):
    for method, shift in (("mixup", 1), ("cutmix", 3)):
        kinds = "K=1", "small batch", "K=5 same rows"
        shifts = [shift + seed % 2 * (method == "mixup") for seed in range(4)]
        runs = [zip(kinds, (20 + seed, 10.0, 20 + seed - by), strict=True) for seed, by in enumerate(shifts)]
        lines = [
            f"seed {seed}: " + ", ".join(f"{method} {kind} {error} %" for kind, error in run)
            for seed, run in enumerate(runs)
        ]
        (tmp_path / f"{method}.txt").write_text("\n".join([*lines, f"{method} K=1, %  20.0 [19.0, 21.0]"]))
    a, b = pool(sorted(tmp_path.iterdir()))
    assert a.startswith("A: K=5 same rows minus K=1: -2.2 [-2.7, -1.8] points, n = 4, p 0.0006")
    assert b.startswith("B: K=5 same rows minus small batch: +9.2 [+7.4, +11.1] points, n = 4, p 0.0006")


def test_bootstrap_draws_of_the_error_have_its_binomial_spread(tmp_path):
    # One length, one tuning seed, many final seeds with the same true error: what is left are seeds and samples.
    rng = np.random.default_rng(0)
    protocol = Protocol(**{**vars(TINY), "lengths": 1, "final_seeds": 20, "methods": ()})
    records = Records(tmp_path)
    for arm in protocol.arms():
        for seed in [0, *range(100, 120)]:
            wrong = rng.random(50) < 0.3
            bits = base64.b64encode(np.packbits(wrong).tobytes()).decode()
            error = float(wrong.mean())
            records.add(Record(arm.name, 1, 0.1, seed, 1.0, "x", error, 0.0, error, 0.0, 0.0, 0.0, bits))
    draws = Findings(protocol, records).draws["none K=1"]
    # Seeds are drawn, then samples within them: twice the variance of one of the two.
    assert draws.std() == pytest.approx(np.sqrt(2 * 0.3 * 0.7 / 50 / 20), rel=0.35)
