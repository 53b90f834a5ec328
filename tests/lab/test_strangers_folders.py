"""A folder from a stranger runs no code, is not written over, and decides nothing about other files."""

import json
import os
import shutil
import stat
import sys

import pytest
import torch
from PIL import Image
from reported import made_up, settings
from safetensors.torch import load_file, save_file

from multimix.lab.command_line.main import main
from multimix.lab.compare.settings import CompareSettings
from multimix.lab.core.atomic_files import write_atomic
from multimix.lab.core.errors import UsageError
from multimix.lab.core.lock import locked
from multimix.lab.train.settings import TrainSettings
from multimix.lab.variance.settings import VarianceSettings

TINY = ["--model", "mlp", "--batch-size", "10", "--steps", "1", "--evaluations", "1"]


def train(out, *more):
    return main(["train", *TINY, "--out", str(out), *map(str, more)])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("finished") / "run"
    assert train(out) == 0
    return out


@pytest.fixture
def run(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


# 1. Folders that are not ours


@pytest.mark.parametrize("name", ["model.safetensors", "metrics.jsonl", ".theirs.part", "evaluation.json", "notes.txt"])
def test_a_folder_of_somebody_else_is_refused_and_stays_as_it_is(name, tmp_path, capsys):
    (tmp_path / name).write_bytes(b"theirs")
    for command in (["train", *TINY], ["train", "--dry-run", *TINY], ["compare", *TINY, "--jobs", "0"]):
        assert main([*command, "--out", str(tmp_path)]) == 2
        written = capsys.readouterr().err
        assert f"must be new, empty or begun by multimix (then it holds {'co'}" in written
        assert f"got {tmp_path} with {name}; choose another --out, or move that away" in written
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {name: b"theirs"}


def test_what_begins_a_run_may_be_there(tmp_path):
    (tmp_path / ".lock").touch()
    (tmp_path / ".multimix-0123.part").touch()
    (tmp_path / "slurm-17.out").write_text("theirs")
    assert train(tmp_path) == 0
    assert (tmp_path / "slurm-17.out").read_text() == "theirs"
    assert not (tmp_path / ".multimix-0123.part").exists()


def test_a_comparison_may_begin_where_runs_are(run, capsys):
    assert main(["compare", "--dry-run", *TINY, "--out", str(run.parent)]) == 0
    capsys.readouterr()


@pytest.mark.parametrize("place", [".", "sub/w.safetensors"])
def test_initial_weights_in_the_runs_own_folder_are_refused(place, tmp_path, capsys):
    (tmp_path / "d" / "sub").mkdir(parents=True)
    for name in ("model.safetensors", "sub/w.safetensors"):
        (tmp_path / "d" / name).write_bytes(b"weights")
    assert train(tmp_path / "d", "--initial-weights", tmp_path / "d" / place) == 2
    assert "initial_weights must not lie in the run's own folder, got" in capsys.readouterr().err
    assert (tmp_path / "d" / "model.safetensors").read_bytes() == b"weights"


# 2. Models by import


EVIL = "from pathlib import Path\nPath('owned').touch()\nfrom multimix.lab.models.mlp import MLP as Model\n"


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """The current folder holds a module that leaves a mark when it is imported."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "evil_model.py").write_text(EVIL)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "here")])
    yield tmp_path / "here" / "owned"
    sys.modules.pop("evil_model", None)


def rename_model(file, *place):
    stored = json.loads(file.read_text())
    inner = stored
    for key in place:
        inner = inner[key]
    inner["model"] = "evil_model:Model"
    file.write_text(json.dumps(stored))


def test_settings_import_nothing(evil):
    for kind in (TrainSettings, CompareSettings, VarianceSettings):
        kind(model="evil_model:Model", out="o")
        kind(model="nowhere.at_all:Model", out="o")
        for name in ("evil_model:", ":Model", "a b:c", "../evil_model:Model", "evil_model:Model:x"):
            with pytest.raises(UsageError, match="model must be importable, got"):
                kind(model=name, out="o")
    assert not evil.exists()


def test_evaluate_imports_only_what_its_command_names(run, evil, capsys):
    rename_model(run / "config.json")
    for allowed in ([], ["--allow-code", "other:Model"]):
        assert main(["evaluate", str(run), "--with", "error", *allowed]) == 2
        written = capsys.readouterr().err
        assert "if you trust it, give --allow-code evil_model:Model" in written
        assert str(run / "config.json") in written
    assert not evil.exists()
    assert main(["evaluate", str(run), "--with", "error", "--allow-code", "evil_model:Model"]) == 0
    assert evil.exists()


def test_a_report_imports_nothing(evil, tmp_path, capsys):
    folder = made_up(settings(tmp_path / "made", num_mixes=(1,), seeds=1))
    rename_model(folder / "compare.json", "settings")
    for file in folder.glob("*/config.json"):
        rename_model(file)
    assert main(["report", str(folder)]) == 0
    assert "evil_model:Model" in (folder / "report.html").read_text()
    assert not evil.exists()


def test_a_model_on_the_command_line_is_imported_before_anything_else(evil, tmp_path, capsys):
    for command in (["train"], ["train", "--dry-run"], ["compare"], ["compare", "--dry-run"], ["variance"]):
        assert main([*command, "--model", "nowhere:Model", "--out", str(tmp_path / "o")]) == 2
        assert "model must be importable, got model='nowhere:Model'" in capsys.readouterr().err
        assert not (tmp_path / "o").exists()


# 3. Pictures of data that nobody asked for


def test_a_page_shows_samples_only_of_data_that_its_command_names(tmp_path, capsys):
    for index in range(8):
        place = tmp_path / "private" / f"class{index % 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (200, 30 * index, 7)).save(place / f"{index}.png")
    data = f"folder:{tmp_path / 'private'}"
    made = made_up(settings(tmp_path / "made", methods=("mixup",), num_mixes=(1,), seeds=1))
    stored = json.loads((made / "compare.json").read_text())
    stored["settings"]["data"] = [data]
    (made / "compare.json").write_text(json.dumps(stored))
    for file in made.glob("*/config.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"data": data}))
    assert main(["report", str(made), "-o", f"{tmp_path / 'r.json'},{tmp_path / 'a.html'}"]) == 0
    assert main(["report", str(tmp_path / "r.json"), "-o", str(tmp_path / "b.html")]) == 0
    for name in ("a.html", "b.html"):
        page = (tmp_path / name).read_text()
        assert "data:image/png" not in page
        assert f"multimix report --samples {data}" in page
    assert main(["report", str(tmp_path / "r.json"), "--samples", data, "-o", str(tmp_path / "c.html")]) == 0
    assert "data:image/png" in (tmp_path / "c.html").read_text()
    capsys.readouterr()


# 6. Rights, and links out of a folder


@pytest.mark.parametrize("mask", [0o077, 0o022, 0o002])
def test_files_have_the_rights_that_the_user_asks_for(mask, tmp_path):
    before = os.umask(mask)
    try:
        write_atomic(tmp_path / "file", "content")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~mask


@pytest.mark.parametrize("name", ["tensorboard", "checkpoint", "wandb", "mlflow.db", "model.safetensors"])
def test_a_run_does_not_go_on_where_a_link_leads_out(name, run, tmp_path, capsys):
    (tmp_path / "elsewhere").mkdir()
    victims = [tmp_path / "elsewhere" / name for name in ("events.out.tfevents.1", "step-000000001.safetensors")]
    for victim in victims:
        victim.write_bytes(b"theirs")
    (run / "evaluation.json").unlink()
    if name == "model.safetensors":
        (run / name).unlink()
    (run / name).symlink_to(tmp_path / "elsewhere")
    assert train(run) == 2
    assert f"a run's folder must hold no links, got {name} in {run}, which leads to" in capsys.readouterr().err
    assert all(victim.read_bytes() == b"theirs" for victim in victims)


def test_a_lock_that_is_a_link_harms_nothing(tmp_path):
    (tmp_path / "victim").write_text("theirs")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / "victim")
    with pytest.raises(Exception, match="must be able to write its folder"), locked(tmp_path / "run", print):
        pass
    assert (tmp_path / "victim").read_text() == "theirs"


@pytest.mark.parametrize("text", ["../../../elsewhere", "*", "", "a" * 2000, "a\nb"])
def test_a_trackers_id_cannot_lead_out_of_the_folder(text, tmp_path):
    from multimix.lab.train.trackers.tracker import stored_id

    (tmp_path / "id").write_text(text)
    assert stored_id(tmp_path / "id") is None
    (tmp_path / "id").write_text("0a1b2c3d")
    assert stored_id(tmp_path / "id") == "0a1b2c3d"
    assert stored_id(tmp_path / "nowhere") is None


# 7. Weights of another type


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_type_are_refused(dtype, run, tmp_path, capsys):
    weights = {name: value.to(dtype) for name, value in load_file(run / "model.safetensors").items()}
    save_file(weights, run / "model.safetensors")
    assert main(["evaluate", str(run), "--with", "error"]) == 2
    assert f"runs must be of the model's types, got head.bias of {dtype} for torch.float32" in capsys.readouterr().err
    assert train(tmp_path / "new", "--initial-weights", run) == 2
    assert "initial_weights must be of the model's types, got" in capsys.readouterr().err


def test_weights_that_are_a_pipe_are_not_waited_for(run, capsys):
    (run / "model.safetensors").unlink()
    os.mkfifo(run / "model.safetensors")
    assert main(["evaluate", str(run), "--with", "error"]) == 2
    assert "no regular file" in capsys.readouterr().err
