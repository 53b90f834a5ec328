"""One run, and its folder."""

import json
import shutil
from types import SimpleNamespace

import layouts
import pytest
import torch
from safetensors.torch import load_file

from multimix.errors import SaliencyNotFinite
from multimix.lab.core.errors import RunFailed, UsageError
from multimix.lab.data import open_data
from multimix.lab.models import build_model
from multimix.lab.train.loop import Run
from multimix.lab.train.run import train
from multimix.lab.train.settings import TrainSettings


def settings(out, **changes):
    return TrainSettings(**{"method": "mixup", "num_mixes": 2, "batch_size": 40, "steps": 4, "out": str(out)} | changes)


def weights(out):
    return load_file(out / "model.safetensors")


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("method", ["none", "mixup", "cutmix", "manifold", "puzzlemix"])
@pytest.mark.parametrize("model", ["small-cnn", "mlp"])
def test_every_method_trains_every_model(tmp_path, method, model):
    records = []
    assert train(settings(tmp_path / "run", method=method, model=model), on_record=records.append)
    images = 4 * (40 if method == "none" else 20)
    assert [record["step"] for record in records] == [1, 2, 3, 4]
    assert (records[-1]["rows"], records[-1]["images"]) == (160, images)
    assert records[-1]["epoch"] == pytest.approx(images / 898)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == records
    evaluation = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert evaluation == {name: records[-1][name] for name in ("error", "nll", "ece")}


def test_learning_happens(tmp_path):
    train(settings(tmp_path, steps=60, batch_size=120, num_mixes=1, evaluations=1))
    assert json.loads((tmp_path / "evaluation.json").read_text())["error"] < 0.25


def test_the_saved_weights_are_those_that_were_evaluated(tmp_path):
    train(settings(tmp_path, steps=10, evaluations=2))
    data = open_data("digits")
    model = build_model("small-cnn", data.sample_shape, data.num_classes)
    model.load_state_dict(weights(tmp_path))
    wrong = (model.eval()(data.test.prepare(data.test.x)).argmax(1) != data.test.labels).double().mean().item()
    assert wrong == json.loads((tmp_path / "evaluation.json").read_text())["error"]


def test_a_seed_gives_the_same_bits_and_another_seed_does_not(tmp_path):
    state = torch.get_rng_state()
    train(settings(tmp_path / "a"))
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    train(settings(tmp_path / "b"))
    train(settings(tmp_path / "c", seed=1))
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="seeds go to the device at once")
def test_a_step_leaves_nothing_behind_for_devices_that_are_not_used(tmp_path):
    before = len(torch.cuda._queued_calls)
    for name, steps in (("few", 2), ("many", 20)):
        train(settings(tmp_path / name, steps=steps, model="mlp", evaluations=1))
    few = len(torch.cuda._queued_calls) - before
    assert few <= 4  # per run, to build the model; none per step


def test_a_finished_run_is_left_alone(tmp_path):
    train(settings(tmp_path))
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.iterdir()}
    assert not train(settings(tmp_path))
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("finished", [True, False])
def test_other_settings_are_refused(tmp_path, finished):
    train(settings(tmp_path, evaluations=1))
    if not finished:
        (tmp_path / "evaluation.json").unlink()
    with pytest.raises(UsageError, match=r"got steps=5 for .* a run with steps=4; choose another --out"):
        train(settings(tmp_path, steps=5, evaluations=1))
    assert not train(settings(tmp_path, evaluations=1)) or not finished


def test_an_unfinished_run_starts_again_from_nothing(tmp_path):
    train(settings(tmp_path / "whole"))
    train(settings(tmp_path / "broken"))
    (tmp_path / "broken" / "evaluation.json").unlink()
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"half")
    assert train(settings(tmp_path / "broken"))
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "broken"))
    assert len((tmp_path / "broken" / "metrics.jsonl").read_text().splitlines()) == 4


def test_a_loss_that_is_no_number_ends_the_run(tmp_path):
    with pytest.raises(RunFailed, match=r"must stay finite, got \w+=\w+ at step \d; no earlier state was saved; try"):
        train(settings(tmp_path, learning_rate=1e30, steps=6))
    assert not (tmp_path / "evaluation.json").exists()
    assert not (tmp_path / "model.safetensors").exists()


def test_a_saliency_that_is_no_number_ends_the_run_too(tmp_path):
    with pytest.raises(
        RunFailed, match=r"saliency must be finite .* at step \d+; no earlier state was saved; try a le"
    ):
        train(settings(tmp_path, method="puzzlemix", learning_rate=1e18, evaluations=1, steps=20))


def test_a_run_fails_by_the_type_of_an_error_and_not_by_its_text():
    def update_that_raises(error):
        def raises(*step):
            raise error

        def fail(what, step):
            raise RunFailed(f"{what} at {step}")

        return Run.update(SimpleNamespace(learner=SimpleNamespace(update=raises), fail=fail), 3, None, None)

    with pytest.raises(RunFailed, match="no number at 3"):
        update_that_raises(SaliencyNotFinite("no number; look for nan"))
    with pytest.raises(ValueError, match="saliency must be finite"):
        update_that_raises(ValueError("saliency must be finite, says a model of somebody else's"))


def test_the_loop_never_names_a_method():
    from pathlib import Path

    import multimix.lab.train.run as module
    from multimix.methods import METHODS

    for name in ("run", "loop", "learner"):
        source = (Path(module.__file__).parent / f"{name}.py").read_text()
        assert not [method for method in METHODS if f'"{method}"' in source]


def test_data_and_model_come_with_their_options(tmp_path):
    folder = layouts.class_folders(tmp_path / "data", ("train", "test"))
    (folder / "train" / "ant" / "0.png").write_text("no picture")
    asked = {"data": f"folder:{folder}", "data_options": {"padding": 1}, "model": "preact-resnet18"}
    asked |= {"model_options": {"width": 2}, "batch_size": 4, "steps": 1}
    with pytest.raises(UsageError, match=r"got 1 bad: .*0.png \(no image\)"):
        train(settings(tmp_path / "run", **asked))
    assert not (tmp_path / "run").exists()  # what cannot be done leaves nothing behind
    with pytest.raises(UsageError, match=r"samples for .* must be images"):
        train(settings(tmp_path / "run", **asked | {"data": "synthetic", "data_options": {}}))
    assert not (tmp_path / "run").exists()
    assert train(settings(tmp_path / "run", **asked, on_bad_file="skip"))
    assert "0.png (no image)" in (tmp_path / "run" / "skipped_files.txt").read_text()
    assert weights(tmp_path / "run")["stem.weight"].shape == (2, 3, 3, 3)


def test_a_streamed_set_trains_to_the_same_bits_whoever_reads_it(tmp_path):
    layouts.imagenet(tmp_path / "data")
    asked = {"data": "imagenet-1k", "data_root": str(tmp_path / "data"), "data_options": {"size": 16}}
    for name, workers in (("a", 0), ("b", 1)):
        train(settings(tmp_path / name, **asked, batch_size=4, steps=2, num_workers=workers))
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not train(settings(tmp_path / "a", **asked, batch_size=4, steps=2, num_workers=3))


def test_the_average_of_the_weights_is_what_is_kept(tmp_path):
    train(settings(tmp_path / "plain"))
    train(settings(tmp_path / "averaged", ema_decay=0.5))
    assert weights(tmp_path / "averaged").keys() == weights(tmp_path / "plain").keys()
    assert not same(weights(tmp_path / "averaged"), weights(tmp_path / "plain"))
    data = open_data("digits")
    model = build_model("small-cnn", data.sample_shape, data.num_classes)
    model.load_state_dict(weights(tmp_path / "averaged"))
    wrong = (model.eval()(data.test.prepare(data.test.x)).argmax(1) != data.test.labels).double().mean().item()
    assert wrong == json.loads((tmp_path / "averaged" / "evaluation.json").read_text())["error"]


@pytest.mark.parametrize("ema_decay", [None, 0.8])
def test_a_run_stops_when_held_out_samples_say_so(tmp_path, ema_decay):
    records = []
    asked = {"steps": 300, "evaluations": 100, "validation_share": 0.2, "batch_size": 120, "num_mixes": 1}
    asked |= {"model": "mlp", "ema_decay": ema_decay}
    train(settings(tmp_path, **asked, patience=5), on_record=records.append)
    errors = [record["validation_error"] for record in records]
    best = errors.index(min(errors))
    assert len(errors) == best + 6 < 100  # five more without a better one
    evaluation = json.loads((tmp_path / "evaluation.json").read_text())
    assert evaluation["error"] == records[best]["error"]  # the best one's weights, not the last one's
    assert any(record["error"] != evaluation["error"] for record in records[best:])


def test_held_out_samples_are_not_trained_on(tmp_path):
    records = []
    run = settings(tmp_path, epochs=2, steps=None, validation_share=0.5, model="mlp", evaluations=1)
    train(run, on_record=records.append)
    assert records[-1]["epoch"] == pytest.approx(2, abs=0.1)
    assert records[-1]["images"] == pytest.approx(2 * 449, abs=40)


def test_stopping_needs_held_out_samples(tmp_path):
    with pytest.raises(UsageError, match=r"needs held-out samples, never the test split, got patience=3"):
        train(settings(tmp_path / "run", patience=3))
    assert not (tmp_path / "run").exists()


def test_evaluations_are_as_many_as_asked(tmp_path):
    records = []
    train(settings(tmp_path, steps=7, evaluations=3), on_record=records.append)
    assert [record["step"] for record in records] == [3, 5, 7]


def test_a_run_starts_from_anothers_weights(tmp_path):
    train(settings(tmp_path / "first"))
    for place in (tmp_path / "first", tmp_path / "first" / "model.safetensors"):
        train(settings(tmp_path / place.name / "next", initial_weights=str(place), learning_rate=0.0))
        moving = ("running_mean", "running_var", "num_batches_tracked")
        there = {k: v for k, v in weights(tmp_path / place.name / "next").items() if not k.endswith(moving)}
        assert same(there, weights(tmp_path / "first"))


@pytest.mark.parametrize(
    ("place", "changes", "message"),
    [
        ("nowhere", {}, r"initial_weights must be a finished run's folder or a .safetensors file, got .*nowhere"),
        ("first", {"model": "mlp"}, r"initial_weights must fit the model, got \S+ of shape"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path, place, changes, message):
    train(settings(tmp_path / "first"))
    with pytest.raises(UsageError, match=message):
        train(settings(tmp_path / "run", initial_weights=str(tmp_path / place), **changes))
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore")  # torch's compiler uses what torch deprecates
def test_a_compiled_model_learns_the_same(tmp_path):
    for compiled in (False, True):
        train(settings(tmp_path / str(compiled), model="mlp", compile=compiled, steps=3))
    plain, compiled = weights(tmp_path / "False"), weights(tmp_path / "True")
    for name, value in plain.items():
        torch.testing.assert_close(compiled[name], value, rtol=1e-3, atol=1e-4)


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="there is an accelerator")
@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_fp16_is_refused_where_it_would_become_something_else(tmp_path, device):
    with pytest.raises(UsageError, match=r"fp16 needs an accelerator, got precision='fp16', device="):
        train(settings(tmp_path / "run", precision="fp16", device=device))
