"""The same runs in this process, in several, and through Ray."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from layouts import png

from multimix.lab.command_line.main import main
from multimix.lab.compare import on_ray
from multimix.lab.compare.on_ray import Place, Share, _share
from multimix.lab.compare.settings import CompareSettings
from multimix.lab.core.errors import UsageError
from multimix.lab.data.sets.cifar import CLASSES

# A model that ends its process with the second seed, found in the current folder and nowhere else.
MODEL = """
import math, os, torch
from multimix.lab.core.randomness import seed_of

def build(sample_shape, num_classes):
    if torch.initial_seed() == seed_of(1, "weights"):
        os._exit(9)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(math.prod(sample_shape), num_classes))
"""
FLAGS = ["--data", "cifar10", "--data-root", "data", "--methods", "none,mixup", "--num-mixes", "1,2"]
FLAGS += ["--controls", "same-rows", "--batch-size", "20", "--steps", "4", "--out", "sweep"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for split, count in (("train", 4), ("test", 3)):
        for label, name in enumerate(CLASSES):
            place = tmp_path / "data" / "cifar10" / split / name
            place.mkdir(parents=True)
            for number in range(count):
                (place / f"{number}.png").write_bytes(png(100 * label + number, 32))
    return tmp_path


def evaluations(out: Path) -> dict[str, object]:
    return {path.parent.name: json.loads(path.read_text()) for path in out.glob("*/evaluation.json")}


def test_cifar10_from_a_folder_here_in_another_process_and_through_ray(folder, monkeypatch):
    monkeypatch.setattr("multimix.lab.core.machine.cores", lambda: 1)  # as many threads there as here
    flags = [*FLAGS, "--model", "small-cnn", "--seeds", "1"]
    assert main(["compare", *flags, "--jobs", "0", "--out", "here"]) == 0
    assert main(["compare", *flags, "--jobs", "1", "--out", "there"]) == 0
    assert len(evaluations(folder / "here")) == 3
    assert evaluations(folder / "here") == evaluations(folder / "there")

    (folder / "ends.py").write_text(MODEL)
    flags = [*FLAGS, "--model", "ends:build", "--methods", "mixup", "--num-mixes", "1"]
    ray = through_ray([*flags, "--seeds", "2"], folder)
    assert main(["compare", *flags, "--seeds", "1", "--jobs", "0", "--out", "alone"]) == 0
    assert ray.returncode == 1, ray.stdout + ray.stderr
    assert evaluations(folder / "sweep") == evaluations(folder / "alone")
    # Nothing of Ray's own; matplotlib says once on a new machine that it looks for fonts.
    lines = [line for line in ray.stderr.splitlines() if "font cache" not in line]
    assert lines == ["mixup-k1-s1 failed: its process died: killed, or out of memory"]
    assert "2 to do, 1 at a time on 1 machine(s) by Ray with 1 core(s) each" in ray.stdout
    assert not (folder / "sweep" / ".mark").exists()


def through_ray(flags: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    code = (  # a cluster of one core, wherever the tests run: Ray starts a worker for each before it is asked to
        "import sys; from functools import partial\n"
        "import multimix.lab.compare.run, multimix.lab.train.run; from multimix.lab.command_line.main import main\n"
        "assert 'ray' not in sys.modules, 'nobody asked for it'\n"
        "import ray\n"
        "ray.init = partial(ray.init, num_cpus=1); sys.exit(main())"
    )
    package = str(Path(on_ray.__file__).parents[3])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    # Ray's workers step back for all other programs, and would wait long where other tests keep the cores busy.
    environment |= {"HOME": str(folder), "PYTHONPATH": package, "OMP_NUM_THREADS": "1", "RAY_worker_niceness": "0"}
    return subprocess.run(
        [sys.executable, "-c", code, "compare", *flags, "--ray", "auto"],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env=environment,
    )


def test_without_ray_is_said_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(on_ray, "find_spec", lambda name: None)
    assert main(["compare", "--ray", "auto", "--out", str(tmp_path / "o")]) == 2
    assert "pip install 'multimix[ray]'" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("device", ["auto", "cuda"])  # a cluster's devices are no business of this machine
def test_a_cluster_that_does_not_answer(device, tmp_path, capsys):
    assert main(["compare", "--ray", "127.0.0.1:1", "--device", device, "--out", str(tmp_path)]) == 2
    assert "a Ray cluster must answer, got ray='127.0.0.1:1'" in capsys.readouterr().err


def machine(**resources):
    return {"NodeID": "a", "Alive": True, "Resources": resources}


@pytest.mark.parametrize(
    ("share", "resources", "runs"),
    [
        (Share(1, 0), {"CPU": 4.0}, 4),
        (Share(3, 0), {"CPU": 4.0}, 1),
        (Share(8, 0), {"CPU": 4.0, "GPU": 8.0}, 0),
        (Share(1, 0.5), {"CPU": 16.0, "GPU": 2.0}, 4),
        (Share(8, 1), {"CPU": 16.0, "GPU": 4.0}, 2),
        (Share(1, 1), {"CPU": 16.0}, 0),
    ],
)
def test_room_of_a_machine(share, resources, runs):
    assert share.room(machine(**resources)) == runs


@pytest.mark.parametrize(
    ("settings", "resources", "gpus"),
    [
        ({}, {"CPU": 1.0}, 0),
        ({}, {"CPU": 1.0, "GPU": 1.0}, 1),
        ({"device": "cpu"}, {"CPU": 1.0, "GPU": 1.0}, 0),
        ({"device": "cuda"}, {"CPU": 1.0}, 1),
        ({"gpus_per_run": 0.5}, {"CPU": 1.0, "GPU": 1.0}, 0.5),
        ({"gpus_per_run": 0.0}, {"CPU": 1.0, "GPU": 1.0}, 0),
    ],
)
def test_gpus_of_a_run(settings, resources, gpus):
    assert _share(CompareSettings(ray="auto", out="o", **settings), [machine(**resources)]).gpus == gpus


def test_a_machine_that_does_not_see_the_folder_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(on_ray, "PATIENCE_S", 0.0)
    mark = tmp_path / ".mark"
    mark.write_text("token")
    assert Place(str(tmp_path), str(mark), "token").problem() is None
    assert "must see the comparison's folder" in Place(str(tmp_path), str(mark), "another").problem()
    assert "must see the comparison's folder" in Place(str(tmp_path), str(tmp_path / "no"), "token").problem()
    assert "must have the current folder" in Place(str(tmp_path / "no"), str(mark), "token").problem()


def test_a_run_on_a_gpu_is_given_one():
    with pytest.raises(UsageError, match="a run on cuda needs a GPU"):
        CompareSettings(ray="auto", device="cuda", gpus_per_run=0.0, out="o")
