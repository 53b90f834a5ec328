"""The arithmetic of the scripts in experiments/, where the answer is known."""

import base64
import importlib.util
import itertools
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from experiments.frontier.analysis import Findings
from experiments.frontier.protocol import Protocol
from experiments.frontier.records import Record, Records
from multimix.lab.compare.rows import Row
from multimix.lab.core.errors import UsageError
from multimix.lab.report.results import Result, Results, RowResults
from multimix.lab.report.results_file import write_results
from multimix.lab.variance.designs import FEWER, LARGE, MIXES

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
DRAW = {"sampling": "stratified", "share": "pair", "partners": "same"}
MILLISECONDS = {  # of a step
    **{"stage3-k1": 10, "stage3-k4": 25, "stage3-k16": 100, "stage3-k64": 400},
    **{"head.2-k1": 10, "head.2-k4": 10, "head.2-k16": 11, "head.2-k64": 20},
}
ENVIRONMENT = {"device": "cpu", "processor": "x", "threads": 1, "jobs": 1, "torch": "2"}


def script(name):
    """Imports a script by its path."""
    spec = importlib.util.spec_from_file_location(name, EXPERIMENTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


late, starved, theory, rename = map(script, ("late_layers", "starved_loader", "theory_and_error", "rename_controls"))
regret, plane, by_size = map(script, ("choose_regret", "synthetic_paths", "variance_batch_size"))


def result(seed, error, steps=10, time_s=1.0):
    cost = {"step": steps, "time_s": 2 * time_s, "cpu_time_s": time_s, "rows": 1, "images": 1}
    return Result(seed, {"error": error, "nll": 10 * error}, cost, ENVIRONMENT)


def row(method, k=1, control="", variant="", errors=(0.1, 0.2), **cost):
    runs = [result(seed, error, **cost) for seed, error in enumerate(errors)]
    return RowResults(Row(method, k, control, variant=variant), runs)


def comparison(name, rows, **settings):
    return Results(name, ["command"], {"data": ["digits"], "model": "small-cnn", "steps": 10, **settings}, rows, [])


class TestRenamedControls:
    def test_only_names_change_and_once(self):
        old = (
            '{"control": "equal-epochs", "controls": ["large-batch", "equal-pairs"], "error": 0.10000, "equal_rows": 5}'
        )
        new, count = rename.renamed(old)
        assert count == 4
        assert (
            new == '{"control": "same-images", "controls": ["k-batch", "same-pairs"], "error": 0.10000, "same_rows": 5}'
        )
        assert rename.restored(new) == old
        assert rename.renamed(new) == (new, 0)

    def test_no_committed_result_has_an_old_name(self):
        for folder in rename.FOLDERS:
            for file in (rename.ROOT / folder).rglob("*"):
                if file.suffix in (".json", ".md"):
                    assert rename.renamed(file.read_text())[1] == 0, file


class TestLateLayers:
    def trials(self):
        """Steps of 10 ms and so on; of each, one short run that was disturbed."""
        rows = []
        for variant, milliseconds in MILLISECONDS.items():
            runs = [result(i, 0.5, 15, 15e-3 * milliseconds * factor) for i, factor in enumerate((1, 1, 9))]
            rows.append(RowResults(Row("manifold", 1, variant=variant), runs))
        return comparison("step_times", rows)

    def test_a_step_takes_the_median_of_the_short_runs(self):
        found = late.step_times(self.trials())
        assert found["stage3-k4"].median == pytest.approx(0.025)
        assert (found["stage3-k4"].high, found["stage3-k4"].n) == (pytest.approx(0.225), 3)

    def test_all_k_take_as_long_and_pairs_are_equal_where_that_is_affordable(self):
        found = late.variants(1000, late.step_times(self.trials()))
        steps = {name: changes["steps"] for name, changes in found.items()}
        assert steps == {
            "stage3-k1": 1000,
            "stage3-k4-equal-time": 400,
            "stage3-k4-same-pairs": 1000,
            "stage3-k16-equal-time": 100,
            "stage3-k16-same-pairs": 1000,
            "stage3-k64-equal-time": 25,  # a step costs 40 times as much: too dear for as many pairs
            "head.2-k1": 1000,
            "head.2-k4-equal-time": 1000,
            "head.2-k4-same-pairs": 1000,
            "head.2-k16-equal-time": 909,
            "head.2-k16-same-pairs": 1000,
            "head.2-k64-equal-time": 500,
            "head.2-k64-same-pairs": 1000,
        }
        assert found["head.2-k64-equal-time"]["batch_size"] == 64 * 120
        assert found["head.2-k64-equal-time"]["num_mixes"] == 64
        assert found["head.2-k64-equal-time"]["method_options"] == {"layers": ["head.2"]}

    def test_differences_are_to_the_same_layer_by_seed_and_every_row_is_on_the_page(self):
        rows = [row("none"), row("manifold", errors=(0.9, 0.9))]
        variants = late.variants(1000, late.step_times(self.trials()))
        rows += [row("manifold", variant=name, errors=(0.1, 0.3), steps=1000) for name in variants]
        worse = "head.2-k4-equal-time"
        rows = [row("manifold", variant=worse, errors=(0.15, 0.37)) if r.row.variant == worse else r for r in rows]
        shift = late.difference(rows[-6].runs, [result(1, 0.3), result(0, 0.1)], "error")  # the order does not matter
        assert (shift.mean, shift.half_width) == pytest.approx((0.06, 0.127), rel=1e-2)
        page = late.as_page(self.trials(), comparison("runs", rows), "late_layers", "python late.py OUT --steps 9")
        assert "Printed by `python late.py OUT --steps 9`" in page
        assert "+6.00 (−6.71 to +18.71), n = 2" in page  # 0.05 and 0.07: t is 12.71
        assert page.count("| equal time |") == 6
        assert page.count("| same pairs |") == 5
        assert "Same pairs not done for K = 64" in page


class TestStarvedLoader:
    def test_a_step_takes_the_longer_of_loading_and_computing(self):
        step = starved.Step.of(loaders=2, decode_s=0.01, one_s=0.1, many_s=0.08)
        assert (step.one_s, step.many_s) == pytest.approx((0.6, 0.12))  # 120 and 24 samples, by two
        assert step.ratio == pytest.approx(5)
        assert step.regime == "both wait"
        step = starved.Step.of(loaders=8, decode_s=0.01, one_s=0.1, many_s=0.08)
        assert (step.one_s, step.many_s) == pytest.approx((0.15, 0.08))
        assert step.regime == "K = 1 waits"
        step = starved.Step.of(loaders=64, decode_s=0.01, one_s=0.1, many_s=0.08)
        assert step.ratio == pytest.approx(0.1 / 0.08)
        assert step.regime == "none waits"

    def results(self, lengths=(100, 500, 700)):
        found = []
        for steps in lengths:
            rows = [row("none")]
            for method in ("mixup", "cutmix"):
                rows.append(row(method, errors=(10 / steps, 20 / steps), steps=steps, time_s=0.01 * steps))
                more = {"errors": (11 / steps, 21 / steps), "steps": steps, "time_s": 0.02 * steps}
                rows.append(row(method, 5, "same-rows", **more))
            found.append(comparison(str(steps), rows))
        return found

    def test_five_times_the_steps_are_compared_where_all_wait_and_as_many_where_none_does(self):
        found = starved.equal_time(starved.by_length(self.results()), "mixup", "error")
        assert [(c.starved, c.one_steps, c.many_steps) for c in found] == [
            (True, 100, 500),
            (False, 100, 100),
            (False, 500, 500),
            (False, 700, 700),
        ]
        assert found[0].difference.mean == pytest.approx((11 + 21) / 1000 - (10 + 20) / 200)
        assert found[1].difference.mean == pytest.approx(0.01)

    def test_the_page_is_made_again_without_measuring_again(self, tmp_path, monkeypatch):
        monkeypatch.setattr(starved, "HERE", tmp_path)
        monkeypatch.setattr(starved, "REPETITIONS", 5)
        monkeypatch.setattr(sys, "argv", ["starved_loader.py", str(tmp_path / "training_length.json")])
        write_results(tmp_path / "training_length.json", self.results())
        starved.main()
        page, measured = ((tmp_path / f"starved_loader.{end}").read_text() for end in ("md", "json"))
        assert json.loads(measured)["computing"]["mixup"]["5"]["median"] == pytest.approx(0.02)
        assert page.count("| both wait | 100 | 500 |") == 4
        starved.main()
        assert (tmp_path / "starved_loader.json").read_text() == measured
        assert (tmp_path / "starved_loader.png").stat().st_size > 1000

    def test_other_results_are_refused(self):
        with pytest.raises(UsageError, match="must be those of experiments/training_length"):
            starved.by_length([comparison("digits", [row("mixup")])])


class TestTheoryAndError:
    def test_rank_correlations_are_scipys_ties_included(self):
        rng = np.random.default_rng(0)
        x = np.array([1.0, 2.0, 2.0, 5.0, 8.0])
        y = rng.integers(0, 4, size=(50, 5)).astype(float)
        y[0] = 3.0
        found = theory.spearman(x, y)
        assert np.isnan(found[0])
        for i in range(1, 50):
            assert found[i] == pytest.approx(stats.spearmanr(x, y[i]).statistic)

    def design(self, kind, k, value, **changes):
        estimate = {"value": value, "low": value / 2, "high": None, "n": 8}
        plain = {"kind": kind, "num_mixes": k, "norm": "batch", **DRAW}
        return plain | {"to_one": estimate, "variance_time_to_one": estimate | {"value": 2 * value}} | changes

    def moment(self, values):
        """Designs of as many rows as configured, among others that must not be taken."""
        designs = [self.design(MIXES, 1, 1.0), self.design(MIXES, 1, 9.0, sampling="iid")]
        designs += [self.design(MIXES, 1, 9.0, norm="kept")]
        for k, value in values.items():
            designs += [self.design(kind, k, 9.0) for kind in (MIXES, LARGE)] + [self.design(FEWER, k, value)]
        return {"at": "50%", "designs": designs}

    def test_theory_is_read_of_as_many_rows_drawn_as_configured(self):
        found = theory.theory_of({"method": "mixup", **DRAW}, self.moment({2: 0.8, 5: 1.5}))
        assert found.known["to_one"] == {1: (1, 0.5, np.inf), 2: (0.8, 0.4, np.inf), 5: (1.5, 0.75, np.inf)}
        assert found.known["variance_time_to_one"][5][0] == 3.0
        assert found.best("to_one") == 2

    def rows(self, method, errors):
        return [row(method, k, "same-rows" if k > 1 else "", errors=values) for k, values in errors.items()]

    def test_what_ranks_as_the_error_does_has_one_and_the_opposite_minus_one(self):
        errors = {1: (0.2, 0.3, 0.22), 2: (0.1, 0.2, 0.12), 5: (0.3, 0.4, 0.32)}
        rows = self.rows("mixup", errors) + self.rows("cutmix", {k: [-e for e in v] for k, v in errors.items()})
        read = [
            theory.theory_of({"method": name, **DRAW}, self.moment({2: 0.8, 5: 1.5, 8: 3.0}))
            for name in ("mixup", "cutmix")
        ]
        runs, theories = theory.matched(comparison("methods", rows), read)
        assert list(runs["mixup"].same_rows) == list(theories[0].known["to_one"]) == [1, 2, 5]  # 8 has no runs
        found = theory.correlations(runs, theories)
        assert found["mixup", "50%", "to_one", "error"].value == pytest.approx(1)
        sure = found["mixup", "50%", "to_one", "nll"]  # the seeds all rank alike
        assert (sure.value, sure.low, sure.high, sure.seeds) == pytest.approx((1, 1, 1, 3))
        assert sure.meaning("NLL") == "significant, NLL rises with it"
        assert found["cutmix", "50%", "to_one", "error"].meaning("error") == "significant, error falls with it"
        assert found["mixup", "50%", "num_mixes", "error"].value == pytest.approx(0.5)
        pooled = found["all", "50%", "to_one", "error"]
        assert (pooled.value, pooled.methods) == (pytest.approx(0), 2)
        assert (runs["mixup"].best("error"), runs["cutmix"].best("error")) == (2, 5)
        assert runs["mixup"].change(2, 1, "error").mean == pytest.approx(-0.1)

    def test_the_interval_is_as_wide_as_the_seeds_disagree(self):
        errors = {1: (0.1, 0.3), 2: (0.2, 0.2), 5: (0.3, 0.11)}  # one seed rises with K, the other falls
        read = [theory.theory_of({"method": "mixup", **DRAW}, self.moment({2: 2.0, 5: 3.0}))]
        runs, theories = theory.matched(comparison("methods", self.rows("mixup", errors)), read)
        found = theory.correlations(runs, theories)["mixup", "50%", "to_one", "error"]
        assert (found.low, found.high) == pytest.approx((-1, 1))
        assert found.meaning("error") == "not significant"

    def test_too_few_k_are_refused(self):
        read = [theory.theory_of({"method": "mixup", **DRAW}, self.moment({2: 2.0}))]
        with pytest.raises(UsageError, match=r"3 values of K, one of them 1, must have runs .* got \[1, 2\] for mixup"):
            theory.matched(comparison("methods", self.rows("mixup", {1: (0.1,), 2: (0.2,)})), read)


def test_regret_is_what_the_rule_recommends_minus_the_best(tmp_path):
    """CutMix with K = 1 is better by far, at the second length, and worse on test samples at the third."""
    protocol = Protocol.read(EXPERIMENTS / "frontier" / "digits5.yaml")
    protocol = replace(protocol, methods=("cutmix",), kinds=regret.KINDS, rates=(0.1,), final_seeds=2, lengths=3)

    def record(arm, length, seed):
        error = 0.3 if arm != "cutmix K=1" else {30: 0.2, 60: 0.05, 120: 0.06}[length]
        wrong = base64.b64encode(np.packbits([1, 0, 0, 0])).decode()
        error += seed % 3 / 1000 * (1 + (arm == "cutmix K=1"))
        test_error = error + 0.05 * (length > 30)
        return Record(arm, length, 0.1, seed, length / 30, "c", error, 1.0, test_error, 1.0, 0.0, 0.0, wrong)

    records = Records(tmp_path)
    arms = [arm.name for arm in protocol.arms()]
    for arm, length, seed in itertools.product(arms, (30, 60, 120), (0, 1, 2)):
        records.add(record(arm, length, seed))
    before = regret.table(Findings(protocol, records))
    assert before[0].startswith("FINAL RUNS ARE MISSING: these are VALIDATION errors")
    assert "| 100% | multimix choose | cutmix K=1, length 60 | 5.20 | 0.00 |" in "\n".join(before)
    for arm, length, seed in itertools.product(arms, (30, 60, 120), (100, 101)):
        records.add(record(arm, length, seed))
    after = regret.table(Findings(protocol, records))
    assert after[0] == "Test errors over 2 final seeds."
    assert "| 100% | multimix choose | cutmix K=1, length 60 | 10.30 | 0.00 |" in "\n".join(after)
    assert "| 100% | always no mixing | none K=1, length 30 | 30.15 | 19.85 |" in "\n".join(after)
    assert "| 10% | always CutMix, K = 5 | cutmix K=5 same rows, length 30 |" in "\n".join(after)


def test_the_grid_of_a_decision_boundary_is_where_it_says():
    model = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[10.0, 0.0], [0.0, 10.0]]))  # class 0 where x is larger than y
    probabilities = plane.probabilities_on_grid(model, torch.tensor([-1.0, -1.0]), torch.tensor([1.0, 1.0]))
    assert probabilities.shape == (plane.GRID, plane.GRID, 2)
    assert probabilities[0, -1, 0] > 0.99  # lower right
    assert probabilities[-1, 0, 1] > 0.99  # upper left
    assert abs(probabilities[50, 50, 0] - 0.5) < 1e-4


def test_variance_by_batch_size_measures_every_size_and_draw(monkeypatch, tmp_path, capsys):
    part = by_size.Part("digits", {"steps": 2, "replicates": 8, "at": ("100%",)}, (10, 12), ("mixup",))
    monkeypatch.setattr(by_size, "PARTS", {"digits": part})
    monkeypatch.setattr(by_size, "HERE", tmp_path)
    monkeypatch.setattr(sys, "argv", ["variance_batch_size.py", "digits"])
    by_size.main()
    found = json.loads((tmp_path / "variance_batch_size_digits.json").read_text())["rows"]
    drawn = ["iid, one λ for the batch", "stratified, λ per pair"]
    assert [(row["at"], row["drawn"], row["num_pairs"]) for row in found] == [
        ("100%", draw, size) for draw in drawn for size in part.pairs
    ]
    assert all(row["variance"]["value"] > 0 and row["mixes_to_large"]["value"] > 0 for row in found)
    assert all((row["predicted_crossing"] is None) == (row["drawn"] == drawn[1]) for row in found)
    page = (tmp_path / "variance_batch_size_digits.md").read_text()
    assert page.count("| mixup |") == 2 * len(drawn)
    assert capsys.readouterr().out.endswith(page + "\n")
