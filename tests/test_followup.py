"""The follow-ups of study F: arms, runs and contrasts, where the answer is known."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.followup import analysis
from experiments.followup.analysis import Found, contrast, primary
from experiments.followup.page import write_page
from experiments.followup.plan import FRESH, GROUP, IID, MAIN, REPEATS, SHARED, SINGLE, SMALL, Plan
from experiments.followup.runs import SHARES, CourseRecord, Quality, Why
from experiments.frontier import trial
from experiments.frontier.choose import Choice
from experiments.frontier.protocol import FINAL_SEEDS, TUNING_SEEDS, Protocol
from experiments.frontier.records import Record, Records, judged
from experiments.frontier.samples import draw
from experiments.frontier.trial import logits_of, train
from multimix import MultiMix
from multimix.lab.data import open_data

FOLDER = Path(__file__).parents[1] / "experiments" / "followup"
TINY = Protocol(
    name="tiny",
    data="digits",
    model="small-cnn",
    labels_per_class=2,
    validation=30,
    test=20,
    batch_size=10,
    first_length=2,
    lengths=1,
    rates=(0.1,),
    methods=("mixup",),
    tuning_seeds=1,
    final_seeds=1,
)


def tiny(question, seeds=1, methods=("mixup",), rate=0.1, length=2):
    """A plan whose study F has chosen the same for every arm, without records of it."""
    plan = Plan("tiny", question, "tiny", methods, 200, seeds, norm_methods=methods[:1])
    choice = Choice(rate, length, 0.5, reached=True, at_edge=False)
    vars(plan).update(protocol=TINY, choices={asked.chosen: choice for asked in plan.asked()})
    return plan


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_plan_has_seeds_of_its_own_and_arms_that_study_f_chose(file):
    plan = Plan.read(file)
    used = {TUNING_SEEDS + i for i in range(plan.protocol.tuning_seeds)}
    used |= {FINAL_SEEDS + i for i in range(plan.protocol.final_seeds)}
    assert not used & set(plan.seed_range())
    asked = plan.asked()
    assert len({each.arm.name for each in asked}) == len(asked)
    assert {each.chosen for each in asked} <= {arm.name for arm in plan.protocol.arms()}
    for each in asked:
        MultiMix(each.arm.method, num_classes=10, **each.arm.options)
        rows = each.arm.pairs * each.arm.num_mixes * each.arm.updates
        assert rows == pytest.approx(5 if each.arm.kind == "K=5 same pairs" else 1)


def test_an_unknown_question_is_refused(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text("question: how\nfrontier: digits5\nmethods: [mixup]\nfirst_seed: 1\nseeds: 1\n")
    with pytest.raises(ValueError, match="question must be why or quality, got question='how'"):
        Plan.read(file)
    file.write_text("qestion: why\n")
    with pytest.raises(ValueError, match=r"settings of .* must be among .*got \['qestion'\]"):
        Plan.read(file)


def test_variants_differ_from_same_rows_in_one_thing():
    arms = {asked.arm.kind: asked.arm for asked in tiny("why").asked() if asked.arm.method == "mixup"}
    base = arms[MAIN]
    assert replace(arms[IID], kind=MAIN, options={}) == base
    assert replace(arms[SHARED], kind=MAIN, options={}) == base
    assert replace(arms[FRESH], kind=MAIN, options={}) == base
    assert replace(arms[REPEATS], kind=MAIN, fresh=False) == base
    for kind in (SINGLE, SMALL, MAIN):
        assert replace(arms[kind + GROUP], kind=kind, model_options={}) == arms[kind]


def test_who_watches_a_run_does_not_change_it_and_its_time_does_not_count(monkeypatch):
    data = draw(open_data("digits"), TINY, 5)
    arm = next(asked.arm for asked in tiny("why").asked() if asked.arm.kind == FRESH)
    seen = []

    def watch(updates, model):
        seen.append(updates)
        model.eval()
        model(data.test.x)
        model.train()

    alone, _ = train(TINY, arm, data, 2, 0.1, 5)
    monkeypatch.setattr(trial, "process_time", itertools.count().__next__)
    watched, spent = train(TINY, arm, data, 2, 0.1, 5, watch)
    assert seen == [1, 2]
    assert spent["cpu_time_s"] == 5 - 0 - 2  # looked at before and after training and each watching
    assert all(map(torch.equal, watched.state_dict().values(), alone.state_dict().values()))


def test_a_run_of_study_m_is_done_once_keeps_its_course_and_comes_out_again(tmp_path):
    lines: list[str] = []
    plan = tiny("why", length=8)
    study = Why(plan, open_data("digits"), tmp_path / "why-tiny", lines.append)
    study.finish(study.tune())
    done = len(lines)
    tuned = [run for run in study.records.all.values() if run.seed == 0]
    assert {run.length for run in tuned} >= {4, 8, 16}
    assert all(run.arm.endswith(GROUP) and not run.course for run in tuned)
    for run in study.records.of(f"mixup {MAIN}", plan.seed_range()):
        assert len(run.course) == len(SHARES)
        assert run.course[-1][1] == run.error
        arm = next(asked.arm for asked in plan.asked() if asked.arm.name == run.arm)
        data = draw(open_data("digits"), TINY, run.seed)
        model, _ = train(TINY, arm, data, run.length, run.rate, run.seed)
        assert judged(*[logits_of(model, part) for part in (data.validation, data.test)])["nll"] == run.nll
    again = Why(plan, open_data("digits"), tmp_path / "why-tiny", lines.append)
    again.finish(again.tune())
    assert len(lines) == done
    arm = next(asked.arm for asked in plan.asked() if asked.arm.kind == FRESH)
    assert again.again(arm, plan.seed_range())
    assert "as recorded" in lines[-1]
    (key,) = [key for key in again.records.all if key[0] == arm.name]
    again.records.all[key] = replace(again.records.all[key], wrong="AAAA", error=0.0)
    assert not again.again(arm, plan.seed_range())
    assert "recorded 0.0 %" in lines[-1]
    text = write_page(plan, again.folder).read_text()
    assert "Fewer than 5 seeds: nothing is claimed." in text
    assert "no claim" in text
    assert (tmp_path / "why-tiny.png").stat().st_size > 1000


def test_a_run_of_study_q_is_put_to_the_evaluators(tmp_path):
    study = Quality(tiny("quality"), open_data("digits"), tmp_path, lambda line: None)
    (asked, *_) = study.plan.asked()
    study.run(asked.arm, 2, 0.1, 300)
    (run,) = study.records.all.values()
    assert {"ece_scaled", "nll_scaled", "error_corruption_all", "error_fgsm_8", "error_pgd_4"} <= run.values.keys()
    assert run.values["error_unattacked"] == pytest.approx(run.error, abs=1e-6)
    assert Records(tmp_path).all == study.records.all


def made_up(plan, folder, errors):
    """Records of all arms; an arm's error at each seed is a number of `errors`, else 0.2."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, plan.seeds)
    records = Records(folder)
    for asked in plan.asked():
        kind = asked.arm.kind
        for seed, common in zip(plan.seed_range(), noise, strict=True):
            error = errors.get(kind, 0.2) + common + rng.normal(0, 0.001)
            values = {"corruption/fog": error} | dict.fromkeys(
                ["nll", "nll_scaled", "brier", "brier_scaled", "temperature", "ece", "ece_scaled"], error
            )
            values |= dict.fromkeys(["error_corruption_all", "error_fgsm_8", "error_fgsm_4", "error_pgd_4"], error)
            extra = {"course": [[0.5, error]] * 5} if plan.question == "why" else {"values": values}
            make = CourseRecord if plan.question == "why" else Record
            records.add(make(asked.arm.name, 2, 0.1, seed, 1.0, "x", 0.5, 0.5, error, 0.5, 0.1, 0.2, "", **extra))
        if asked.tuned:
            records.add(CourseRecord(asked.arm.name, 2, 0.1, 0, 1.0, "x", 0.5, 0.5, 0.5, 0.5, 0.1, 0.2, ""))
    return records


def test_the_primary_contrasts_of_study_m_are_the_differences_put_in(tmp_path):
    plan = tiny("why", seeds=8, methods=("mixup", "cutmix"))
    errors = {FRESH: 0.15, IID: 0.2, SHARED: 0.25, MAIN + GROUP: 0.31, SMALL + GROUP: 0.30, SMALL: 0.16}
    records = made_up(plan, tmp_path / "why-tiny", errors)
    found = Found(plan, Records(tmp_path / "why-tiny", CourseRecord))
    assert len(found.seeds) == 8
    fresh, iid, shared, interaction = analysis.why_primary(found)
    for each, true in ((fresh, -0.05), (iid, 0.0), (shared, 0.05), (interaction, 0.01 - 0.04)):
        assert each.mean == pytest.approx(true, abs=0.002)
        assert each.low < true + 0.002
        assert each.high > true - 0.002
    assert [each.verdict(8) for each in (fresh, shared, interaction)] == ["lower", "higher", "lower"]
    assert fresh.verdict(4) == "no claim"
    text = write_page(plan, records.file.parent).read_text()
    assert f"| error | {FRESH} − {MAIN}, mixup, cutmix | {100 * fresh.mean:+.1f} [" in text


def test_the_primary_contrasts_of_study_q_are_eight(tmp_path):
    plan = tiny("quality", seeds=6)
    made_up(plan, tmp_path / "quality-tiny", {MAIN: 0.18, SMALL: 0.15})
    found = Found(plan, Records(tmp_path / "quality-tiny"))
    groups = analysis.quality_primary(found)
    assert [len(group) for group in groups.values()] == [2, 2, 2, 2]
    for to_single, to_small in groups.values():
        assert (to_single.verdict(6), to_small.verdict(6)) == ("lower", "higher")
        assert to_single.mean == pytest.approx(-0.02, abs=0.002)
    text = write_page(plan, tmp_path / "quality-tiny").read_text()
    assert "| fog | 20." in text or "| fog | 19." in text


def test_holm_takes_what_cannot_be_told_for_one():
    rng = np.random.default_rng(0)
    shifted, same = contrast("a", 1 + rng.normal(size=9)), contrast("b", np.zeros(9))
    assert same.p is None
    first, second = primary([shifted, same])
    assert first.p_holm == pytest.approx(2 * shifted.p)
    assert second.p_holm == 1.0
    assert second.verdict(9) == "not significant"


def test_without_a_finished_seed_there_is_no_page(tmp_path):
    with pytest.raises(ValueError, match="a seed must have all arms finished, got none"):
        write_page(tiny("quality"), tmp_path / "nothing")
    assert not list(tmp_path.glob("nothing.*"))
