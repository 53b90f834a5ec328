"""Methods that are drawn, and that change during a run."""

import json

import pytest
import torch
from safetensors.torch import load_file

from multimix import Choice, CutMix, MixUp
from multimix.lab.command_line.parse import parse
from multimix.lab.compare.rows import as_file_name, rows
from multimix.lab.compare.run import compare
from multimix.lab.compare.settings import CompareSettings
from multimix.lab.core.errors import UsageError
from multimix.lab.preview.settings import PreviewSettings
from multimix.lab.train.course import Course
from multimix.lab.train.method_schedule import MethodSchedule, Odds, mixer, parse_list
from multimix.lab.train.run import train
from multimix.lab.train.settings import TrainSettings
from multimix.lab.variance.settings import VarianceSettings
from multimix.methods import NoMix

SCHEDULE = "mixup:1+cutmix:2@0,none@0.9"


def settings(out="o", **changes):
    asked = {"model": "mlp", "method": SCHEDULE, "num_mixes": 2, "batch_size": 20, "steps": 10, "evaluations": 5}
    return TrainSettings(**asked | {"checkpoint_every": "never", "out": str(out)} | changes)


def weights(folder):
    return load_file(folder / "model.safetensors")


def test_what_is_read():
    assert MethodSchedule.parse(" mixup ") == MethodSchedule((Odds(("mixup",), (1.0,)),))
    drawn = MethodSchedule.parse("mixup+cutmix:2.5")
    assert drawn == MethodSchedule((Odds(("mixup", "cutmix"), (1.0, 2.5)),))
    schedule = MethodSchedule.parse(" mixup:1+cutmix:2@0, fmix:3@.5,none@0.90")
    assert schedule.shares == (0.0, 0.5, 0.9)
    assert [str(odds) for odds in schedule.values] == ["mixup+cutmix:2", "fmix", "none"]
    assert schedule.names == ("mixup", "cutmix", "fmix", "none")
    for text in ("mixup", "mixup+cutmix:2.5", "mixup+cutmix:2@0,fmix@0.5,none@0.9"):
        assert str(MethodSchedule.parse(text)) == text
    assert str(MethodSchedule.parse("none@0")) == str(MethodSchedule.parse("none@0,none@0.5")) == "none"
    assert not MethodSchedule.parse("none@0").mixes
    assert [first for first, _ in schedule.phases(11)] == [0, 6, 10]


@pytest.mark.parametrize(
    "given",
    [
        "",
        "mixup,cutmix",
        "mixup@0.1",
        "mixup@0,none@1",
        "mixup@0,none@0",
        "mixup:0+cutmix",
        "mixup:-1",
        "mixup+mixup",
        "mixup+",
        "mixup:a",
        "mixup@0;none@0.9",
        "mixup@0,none",
        "mixup@0,none@0.5,cutmix@0.4",
    ],
)
def test_what_is_no_method_is_refused(given):
    with pytest.raises(
        UsageError, match=r"method must be a name, names with odds, or such at rising .*; write mixup, "
    ):
        MethodSchedule.parse(given)


def test_names_are_checked_and_none_has_a_phase_of_its_own():
    with pytest.raises(UsageError, match=r"method must be one of none, .*, got method='mixpu'; did you mean \"mixup\""):
        settings(method="cutmix+mixpu@0,none@0.9")
    with pytest.raises(
        UsageError, match=r"must mix by one of the methods drawn from, got .*; give none a phase of its"
    ):
        settings(method="mixup+none:3")


def test_each_phase_has_its_methods_and_each_method_its_options():
    asked = settings(method="mixup:1+cutmix:2@0,resizemix@0.5,none@0.9", method_options={"alpha": 0.3, "largest": 0.5})
    assert asked.method == "mixup+cutmix:2@0,resizemix@0.5,none@0.9"
    course = Course.of(asked, 10, asked.length(898))
    methods = [course.at(step).method for step in range(10)]
    assert methods[:5] == [Choice([MixUp(alpha=0.3), CutMix(alpha=0.3)], [1, 2])] * 5
    assert [method.largest for method in methods[5:9]] == [0.5] * 4
    assert isinstance(methods[9], NoMix)
    with pytest.raises(UsageError, match=r"method_options must be options of mixup, none, got 'boxes'; did you|choose"):
        settings(method="mixup@0,none@0.9", method_options={"boxes": "inside"})


def test_phases_of_methods_and_of_numbers_go_together():
    asked = settings(method="mixup@0,none@0.4,cutmix@0.7", num_mixes="1@0,2@0.5")
    course = Course.of(asked, 10, asked.length(898))
    kinds = [type(course.at(step).method).__name__ for step in range(10)]
    assert kinds == ["MixUp"] * 4 + ["NoMix"] * 3 + ["CutMix"] * 3
    assert [course.samples(step) for step in range(10)] == [20] * 5 + [10] * 5
    rows_of_steps = [20] * 5 + [10] * 2 + [20] * 3  # samples that are not mixed are one row each
    assert [course.rows(steps) for steps in range(11)] == [sum(rows_of_steps[:steps]) for steps in range(11)]


def test_none_at_last_is_what_unmixed_last_is(tmp_path):
    train(settings(tmp_path / "phase", method="cutmix@0,none@0.8"))
    train(settings(tmp_path / "moment", method="cutmix", unmixed_last="20%"))
    train(settings(tmp_path / "never", method="cutmix"))
    phase, moment, never = (weights(tmp_path / name) for name in ("phase", "moment", "never"))
    assert all(torch.equal(phase[name], moment[name]) for name in phase)
    assert not all(torch.equal(phase[name], never[name]) for name in phase)
    records = [(tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("phase", "moment")]
    assert [[json.loads(line)["rows"] for line in lines] for lines in records] == [[40, 80, 120, 160, 180]] * 2


def test_a_schedule_goes_on_to_the_same_bits(tmp_path):
    class Enough(Exception):
        pass

    def stop(step, *_):
        if step == 7:
            raise Enough

    train(settings(tmp_path / "straight"))
    with pytest.raises(Enough):
        train(settings(tmp_path / "stopped", checkpoint_every="6"), on_step=stop)
    train(settings(tmp_path / "stopped", checkpoint_every="6"))
    straight, stopped = weights(tmp_path / "straight"), weights(tmp_path / "stopped")
    assert all(torch.equal(straight[name], stopped[name]) for name in straight)
    assert json.loads((tmp_path / "straight" / "config.json").read_text())["method"] == "mixup+cutmix:2@0,none@0.9"


def test_phases_after_the_start_go_on_with_a_schedule():
    assert parse_list(["none", "mixup+cutmix:2@0", "none@0.9", "cutmix"]) == (
        "none",
        "mixup+cutmix:2@0,none@0.9",
        "cutmix",
    )
    assert parse_list(["mixup@0", "none@0.5", "mixup@0", "none@0.9"]) == ("mixup@0,none@0.5", "mixup@0,none@0.9")
    assert parse_list(["mixup@0,none@0.5", "cutmix"]) == ("mixup@0,none@0.5", "cutmix")  # as it stands in a file
    with pytest.raises(UsageError, match=r"methods must be a name, .* got methods='none@0.9'"):
        parse_list(["mixup", "none@0.9"])


def test_a_command_line_compares_schedules():
    name, asked = parse(["compare", "--methods", f"none,{SCHEDULE},cutmix", "--out", "o", "--steps", "3"])
    assert (name, asked.methods) == ("compare", ("none", "mixup+cutmix:2@0,none@0.9", "cutmix"))
    _, run = parse(["train", "--method", SCHEDULE, "--out", "o"])
    assert run.method == "mixup+cutmix:2@0,none@0.9"


def test_folders_of_schedules_have_plain_names():
    compare_settings = CompareSettings(methods=("none", SCHEDULE, "mixup+cutmix"), alphas=(0.2,), steps=3, out="o")
    for row in rows(compare_settings):
        run = row.settings(compare_settings, steps=3, seed=1)
        folder = run.out.rpartition("/")[2]
        assert set(folder) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-_")
    assert as_file_name("cutmix") == "cutmix"
    assert as_file_name("mixup+cutmix") != as_file_name("mixup+cutmix:2")


def test_a_comparison_of_schedules_has_its_tables(tmp_path):
    from rich.console import Console

    from multimix.lab.compare.folder import Comparison
    from multimix.lab.report.compared import show_comparison
    from multimix.lab.report.gather import gather
    from multimix.lab.report.previews import Samples

    asked = CompareSettings(
        methods=("none", SCHEDULE),
        model="mlp",
        num_mixes=(1,),
        batch_size=20,
        steps=4,
        seeds=1,
        jobs=0,
        out=str(tmp_path),
    )
    assert compare(asked, "multimix compare", Console(quiet=True)) == {}
    show_comparison(tmp_path, Samples(asked.data), Console(quiet=True))
    results = gather(Comparison.read(tmp_path))
    assert [row.row.method for row in results.rows] == ["none", "mixup+cutmix:2@0,none@0.9"]
    assert all(len(row.runs) == 1 for row in results.rows)
    assert "none@0.9 mixes by one method at a time" in (tmp_path / "report.html").read_text()


def test_where_there_must_be_one_method():
    with pytest.raises(UsageError, match="one method must mix all along"):
        VarianceSettings(method="mixup+cutmix", out="o")
    with pytest.raises(UsageError, match="a preview shows one moment"):
        PreviewSettings(file_a="a", file_b="b", method=SCHEDULE, out="o.png")
    PreviewSettings(file_a="a", file_b="b", method="mixup+cutmix", out="o.png")


def test_a_mixer_draws_from_the_odds():
    found = mixer(settings(method="mixup+cutmix:2"), 10, 2).method
    assert found == Choice([MixUp(), CutMix()], [1, 2])
