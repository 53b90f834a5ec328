"""`multimix evaluate`, from the command line to evaluation.json."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import layouts
import pytest
import torch
from filelock import FileLock

from multimix.lab.command_line import main as program
from multimix.lab.command_line.main import main
from multimix.lab.command_line.parse import parse
from multimix.lab.evaluate import runs
from multimix.lab.evaluate.evaluator import Evaluator
from multimix.lab.evaluate.evaluators import EVALUATORS

ALL = "error,calibration,adversarial,ood,linearity"
TINY = ["--model", "mlp", "--batch-size", "20", "--steps", "4", "--evaluations", "1"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A comparison with three finished runs and one that is missing, and a run on points in the plane."""
    out = tmp_path_factory.mktemp("made")
    compared = ["--methods", "none,mixup", "--num-mixes", "1", "--seeds", "2", "--jobs", "0"]
    assert main(["compare", *TINY, *compared, "--out", str(out / "compared")]) == 0
    shutil.rmtree(out / "compared" / "mixup-k1-s1")
    held_out = ["--validation-share", "0.1", "--num-mixes", "1"]
    assert main(["train", *TINY, *held_out, "--out", str(out / "held-out")]) == 0
    assert main(["train", *TINY, "--data", "synthetic", "--num-mixes", "1", "--out", str(out / "points")]) == 0
    return out


@pytest.fixture
def folders(made, tmp_path):
    return shutil.copytree(made, tmp_path / "runs")


@pytest.fixture
def run(folders):
    return folders / "compared" / "none-s0"


def evaluation(folder):
    return json.loads((folder / "evaluation.json").read_text())


def digests(folder):
    files = (file for file in folder.rglob("*") if file.is_file() and file.name not in ("evaluation.json", ".lock"))
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def evaluate(*arguments):
    return main(["evaluate", *map(str, arguments)])


def put_in_place_of_error(monkeypatch, answer):
    """Answer `--with error` by a function of (evaluator, model, data)."""

    @dataclass(frozen=True)
    class Answer(Evaluator):
        data_root: str | None = None
        metrics = {}  # noqa: RUF012

        def __call__(self, model, data):
            return answer(self, model, data)

    monkeypatch.setitem(EVALUATORS, "error", Answer)


def test_numbers_are_added_and_nothing_else_is_touched(run, capsys):
    before = evaluation(run)
    (run / "evaluation.json").write_text(json.dumps(before | {"from_elsewhere": 7.0}))
    files = digests(run)
    assert evaluate(run, "--with", ALL, "--ood-data", "noise", "--num-samples", 50) == 0
    after = evaluation(run)
    # What was measured at the end of the training is measured again, to the same bits.
    assert {name: after[name] for name in (*before, "from_elsewhere")} == before | {"from_elsewhere": 7.0}
    expected = {"error_top5", "brier", "ece_10", "temperature", "ece_scaled", "overconfidence", "error_pgd_4"}
    assert expected | {"error_unattacked", "ood_auroc", "linearity_gap", "linearity_gap_cutmix"} <= set(after)
    assert sum(value for name, value in after.items() if name.startswith("reliability/") and "count" in name) == 899
    assert all(type(value) is float for value in after.values())
    assert digests(run) == files
    capsys.readouterr()


def test_a_second_call_gives_the_same_numbers(run):
    asked = (run, "--with", ALL, "--ood-data", "noise", "--num-samples", 30)
    assert evaluate(*asked) == 0
    first = (run / "evaluation.json").read_bytes()
    torch.rand(1)
    assert evaluate(*asked) == 0
    assert (run / "evaluation.json").read_bytes() == first


def test_numbers_do_not_depend_on_what_else_is_asked(run):
    few = ("--num-samples", 30)
    assert evaluate(run, "--with", ALL, "--ood-data", "noise", *few) == 0
    together = evaluation(run)
    for asked in ALL.split(","):
        options = {"ood": ("--ood-data", "noise"), "adversarial": few, "linearity": few}.get(asked, ())
        assert evaluate(run, "--with", asked, *options) == 0
    assert evaluation(run) == together


def test_the_numbers_are_those_of_the_run(run, folders, capsys):
    """Two runs differ in their weights alone; with each other's weights they have each other's numbers."""
    other = folders / "compared" / "mixup-k1-s0"
    assert evaluate(run, other) == 0
    one, two = evaluation(run), evaluation(other)
    assert one["nll"] != two["nll"]
    shutil.copy(other / "model.safetensors", run / "model.safetensors")
    assert evaluate(run) == 0
    assert evaluation(run) == {name: value for name, value in evaluation(run).items() if name not in two} | two
    capsys.readouterr()


def test_all_finished_runs_of_a_comparison_each_once(folders, run, capsys):
    assert evaluate(folders / "compared", run, "--with", "error") == 0
    printed = capsys.readouterr().out
    names = ["mixup-k1-s0", "none-s0", "none-s1"]
    for number, name in enumerate(names, start=1):
        assert f"{number}/3  {name}  " in printed
        value = evaluation(folders / "compared" / name)
        (line,) = [line for line in printed.splitlines() if line.split()[:1] == [name]]
        assert line.split()[1:] == [f"{value['error'] * 100:.2f}", f"{value['error_top5'] * 100:.2f}"]
    assert not (folders / "compared" / "mixup-k1-s1").exists()


def test_runs_that_an_earlier_command_made_are_asked_too(folders, capsys):
    earlier = shutil.copytree(folders / "compared" / "none-s0", folders / "compared" / "none-s7")
    assert evaluate(folders / "compared", "--with", "calibration") == 0
    assert "4/4  none-s7  " in capsys.readouterr().out
    assert "brier" in evaluation(earlier)


def test_runs_of_one_name_are_shown_by_their_paths(folders, run, capsys):
    again = shutil.copytree(run, folders / "none-s0")
    assert evaluate(again, run, "--with", "error") == 0
    assert f"1/2  {again}" in capsys.readouterr().out


@pytest.mark.parametrize(("width", "tables"), [(160, 1), (70, 5)])
def test_a_table_that_is_too_wide_becomes_one_for_each_evaluator(width, tables, run, capsys, monkeypatch):
    monkeypatch.setattr(program, "PLAIN_WIDTH", width)
    assert evaluate(run, "--with", ALL, "--ood-data", "noise", "--num-samples", 30) == 0
    printed = capsys.readouterr().out
    assert len([line for line in printed.splitlines() if line.startswith(" none-s0")]) == tables
    assert "…" not in printed
    assert max(map(len, printed.splitlines())) <= width


def test_data_are_opened_once_and_held_out_samples_are_those_of_the_run(folders, monkeypatch):
    opened, met = [], []
    real = runs.open_data_of
    monkeypatch.setattr(runs, "open_data_of", lambda *given, **more: (opened.append(given), real(*given, **more))[1])
    put_in_place_of_error(monkeypatch, lambda evaluator, model, data: met.append(data) or {"error": 0.0})
    assert evaluate(folders / "compared", folders / "held-out", "--with", "error") == 0
    assert len(opened) == 2
    assert met[0] is met[1] is met[2]
    assert met[0].validation is None
    assert (len(met[3].train), len(met[3].validation)) == (808, 90)


def test_data_root_is_the_runs_own_unless_another_is_given(folders, monkeypatch, tmp_path):
    run = folders / "held-out"
    config = json.loads((run / "config.json").read_text())
    own, other = tmp_path / "own", tmp_path / "other"
    own.mkdir()
    other.mkdir()
    (run / "config.json").write_text(json.dumps(config | {"data_root": str(own)}))
    met = []
    put_in_place_of_error(monkeypatch, lambda evaluator, model, data: met.append(evaluator.data_root) or {})
    assert evaluate(run, "--with", "error") == 0
    assert evaluate(run, "--with", "error", "--data-root", other) == 0
    assert met == [str(own), str(other)]


def test_an_evaluator_sees_the_model_in_evaluation_mode_and_leaves_chance_alone(run, monkeypatch):
    seen = []
    put_in_place_of_error(
        monkeypatch, lambda evaluator, model, data: seen.append((model.training, torch.rand(1))) or {}
    )
    for seed in (5, 6):
        expected = torch.rand(3, generator=torch.Generator().manual_seed(seed))
        torch.manual_seed(seed)
        assert evaluate(run, "--with", "error") == 0
        assert torch.equal(torch.rand(3), expected)
    assert seen[0] == seen[1]
    assert not seen[0][0]


def test_both_names_of_the_list_and_a_file_of_settings(tmp_path):
    for flag in ("--with", "--evaluators"):
        assert parse(["evaluate", "a", "b", flag, "error,ood", "--ood-data", "noise"])[1].evaluators == ("error", "ood")
        assert parse(["evaluate", f"{flag}=error", "a", "b"])[1].runs == ("a", "b")
    assert parse(["evaluate", "a"])[1].evaluators == ("error", "calibration")
    file = tmp_path / "asked.yaml"
    file.write_text("evaluators: [error, linearity]\nnum_samples: 10\n")
    settings = parse(["evaluate", "a", "--config", str(file)])[1]
    assert (settings.evaluators, settings.num_samples) == (("error", "linearity"), 10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "evaluate needs runs; see multimix evaluate --help"),
        (
            ["{run}", "--with", "eror"],
            "evaluators must be one of error, calibration, adversarial, corruption, ood, localization, transfer, "
            "linearity, got",
        ),
        (["{run}", "--with", "eror"], 'did you mean "error"?'),
        (["{run}", "--wiht", "error"], "a setting of evaluate must be known, got wiht"),
        (
            ["{run}", "--with", "error", "b"],
            "runs must stand side by side, got b apart; give all of them before the flags",
        ),
        (["{run}", "--with", "ood"], "ood needs another data set, got ood_data=None; give --ood-data"),
        (["{run}", "nowhere"], "runs must be folders of runs or of comparisons, got runs='nowhere'"),
        (["{run}", "{folders}"], "runs must be folders of runs or of comparisons, got runs="),
        (
            ["nowhere", "--ood-data", "noise"],
            "ood_data needs an evaluator that uses it, got ood_data='noise', evaluators='error,calibration'; add ood "
            "to --with, or leave ood_data out",
        ),
        (
            ["{run}", "--with", "error", "--num-samples", "9"],
            "add adversarial or corruption or linearity to --with, or leave num_samples out",
        ),
        (["{run}", "--ood-data-options.size", "8"], "ood_data_options needs an evaluator that uses it, got"),
        (["{run}", "--with", "adversarial", "--corruptions", "c"], "add corruption to --with, or leave corruptions"),
        (["{run}", "--transfer-steps", "9"], "add transfer to --with, or leave transfer_steps out"),
        (["{run}", "--data-root", "nowhere"], "data_root must be a folder, got data_root='nowhere'"),
        (
            ["{run}", "{folders}/points", "--with", "error,adversarial"],
            "adversarial needs images, got samples of shape",
        ),
        (["{folders}/points", "--with", "ood", "--ood-data", "noise"], "points, data synthetic: ood needs images"),
        (["{run}", "--with", "linearity", "--num-samples", "1"], "linearity needs at least two test samples, got 1"),
        (["{run}", "--with", "ood", "--ood-data", "fsdd"], "fsdd must be a copy in a published layout"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_any_work(arguments, message, folders, run, capsys):
    before = (run / "evaluation.json").read_bytes()
    assert evaluate(*(argument.format(run=run, folders=folders) for argument in arguments)) == 2
    written = capsys.readouterr().err
    assert message in written
    assert written.startswith("multimix: ")
    assert written.count("\n") == 1
    assert (run / "evaluation.json").read_bytes() == before


def _remove(name):
    return lambda run: (run / name).unlink()


def _write(name, text):
    return lambda run: (run / name).write_text(text)


def _other_config(**values):
    def change(run):
        config = json.loads((run / "config.json").read_text())
        (run / "config.json").write_text(json.dumps(config | values))

    return change


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_remove("evaluation.json"), "a run must be finished to be evaluated, got runs="),
        (_remove("model.safetensors"), "a run must be finished to be evaluated, got runs="),
        (_remove("config.json"), "runs must be folders of runs or of comparisons, got runs="),
        (
            _write("../choose.json", "{}"),
            " of multimix choose, which keeps the test samples out; train with the command",
        ),
        (_write("choose.json", "{}"), " of multimix choose, which keeps the test samples out; train with the command"),
        (_write("config.json", "{"), "a run's config.json must be readable, got"),
        (_other_config(steps="4"), "config.json: its steps is '4', which is of another type"),
        (_other_config(unheard_of=1), "a run's config.json must be readable, got"),
        (_other_config(data="digist"), "config.json: data must be one of digits, "),
        (_other_config(model="lenet"), "lenet must fit samples"),
        (_other_config(model="small-cnn"), "runs must fit the model, got "),
        (_write("evaluation.json", "["), "a run's evaluation.json must be readable, got"),
        (_write("data.json", "{}"), "a run's data.json must be readable, got"),
        (_write("model.safetensors", "no weights"), "runs must be a finished run's folder, got "),
    ],
)
def test_a_damaged_run_is_named(harm, message, run, capsys):
    harm(run)
    assert evaluate(run) == 2
    written = capsys.readouterr().err
    assert message in written
    assert written.count("\n") == 1


def test_a_run_is_not_evaluated_on_samples_that_it_may_have_been_trained_on(run, tmp_path, capsys):
    """A picture more in a folder without a test split, and other samples are taken for it."""
    pictures, drift = layouts.class_folders(tmp_path / "pictures"), tmp_path / "drift"
    assert main(["train", *TINY, "--num-mixes", "1", "--data", f"folder:{pictures}", "--out", str(drift)]) == 0
    assert evaluate(drift, "--with", "error") == 0
    more = shutil.copy(next(pictures.glob("*/*.png")), next(pictures.glob("*/")) / "more.png")
    before = evaluation(run), evaluation(drift)
    capsys.readouterr()
    assert evaluate(run, drift) == 2
    written = capsys.readouterr()
    assert f"the data of a run must be those that it was trained on, got others for runs='{drift}'" in written.err
    assert "1/2" not in written.out
    assert (evaluation(run), evaluation(drift)) == before
    (drift / "data.json").rename(drift / "elsewhere")  # as in a folder from before there was one
    assert evaluate(drift, "--with", "error") == 0
    (drift / "elsewhere").rename(drift / "data.json")
    more.unlink()
    assert evaluate(drift, "--with", "error") == 0


def _cut_short(file):
    file.write_bytes(file.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_cut_short, "runs must be a finished run's folder, got "),
        (lambda file: shutil.copy(file.parents[2] / "points" / file.name, file), "runs must fit the model, got"),
    ],
)
def test_bad_weights_are_found_before_any_run_is_evaluated(harm, message, folders, run, capsys):
    last = folders / "compared" / "none-s1"
    harm(last / "model.safetensors")
    before = (run / "evaluation.json").read_bytes()
    assert evaluate(run, last) == 2
    written = capsys.readouterr()
    assert message in written.err
    assert str(last) in written.err
    assert "1/2" not in written.out
    assert (run / "evaluation.json").read_bytes() == before


def test_a_comparison_without_a_finished_run(folders, capsys):
    for name in ("none-s0", "none-s1", "mixup-k1-s0"):
        shutil.rmtree(folders / "compared" / name)
    assert evaluate(folders / "compared") == 2
    assert "a comparison must have a finished run, got none in" in capsys.readouterr().err


def test_a_folder_that_somebody_writes_is_left_alone(run, capsys):
    before = (run / "evaluation.json").read_bytes()
    with FileLock(run / ".lock"):
        assert evaluate(run) == 1
    assert "only one process can write a folder, got" in capsys.readouterr().err
    assert (run / "evaluation.json").read_bytes() == before


def test_a_number_that_is_none_is_not_written(run, monkeypatch, capsys):
    before = (run / "evaluation.json").read_bytes()
    put_in_place_of_error(monkeypatch, lambda evaluator, model, data: {"error": float("nan")})
    assert evaluate(run, "--with", "calibration,error") == 1
    assert "what is measured must be finite, got error=nan for" in capsys.readouterr().err
    assert (run / "evaluation.json").read_bytes() == before


def test_several_processes_are_refused(run, monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert evaluate(run) == 2
    assert "runs are evaluated in one process, got 2" in capsys.readouterr().err


def test_a_run_of_the_current_folder(run, monkeypatch, capsys):
    monkeypatch.chdir(run)
    assert evaluate(".", "--with", "error") == 0
    assert "1/1  none-s0" in capsys.readouterr().out
    assert Path("evaluation.json").exists()
