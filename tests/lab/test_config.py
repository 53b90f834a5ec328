"""Settings are checked when they are made, in the house's words."""

import pytest

from multimix.lab.compare.rows import runs
from multimix.lab.compare.settings import CompareSettings
from multimix.lab.core.errors import UsageError
from multimix.lab.preview.settings import PreviewSettings
from multimix.lab.train.settings import TrainSettings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "mixpu"}, r'method must be one of .*, got method=\'mixpu\'; did you mean "mixup"\?'),
        ({"data": "digit"}, r'data must be one of .*, got data=\'digit\'; did you mean "digits"\?'),
        ({"model": "small-cn"}, r'model must be one of .*; did you mean "small-cnn"\?'),
        ({"device": "cdua"}, r'device must be one of .*; did you mean "cuda"\?'),
        ({"batch_size": 121}, r"batch_size must be divisible by num_mixes, got batch_size=121, num_mixes=5; try 125"),
        ({"batch_size": 0}, r"batch_size must be an integer >= 1, got batch_size=0"),
        ({"num_mixes": 0}, r"num_mixes must be an integer >= 1, got num_mixes=0"),
        ({"steps": 0}, r"steps must be an integer >= 1, got steps=0"),
        ({"epochs": -1}, r"epochs must be an integer >= 1, got epochs=-1"),
        ({"steps": 2, "epochs": 3}, r"only one of steps and epochs can be given, got steps=2, epochs=3"),
        ({"seed": -1}, r"seed must be an integer >= 0, got seed=-1"),
        ({"learning_rate": float("nan")}, r"learning_rate must be finite and >= 0, got learning_rate=nan"),
        ({"weight_decay": -1.0}, r"weight_decay must be finite and >= 0, got weight_decay=-1.0"),
        ({"sampling": "idd"}, r'sampling must be one of .*; did you mean "iid"\?'),
        ({"method_options": {"alpah": 1}}, r'must be options of mixup, got \'alpah\'; did you mean "alpha"\?'),
        ({"method_options": {"alpha": -1}}, r"alpha must be a finite number > 0, got alpha=-1"),
        ({"method": "none", "method_options": {"alpha": 1}}, r"options of none, got 'alpha'; leave it out"),
    ],
)
def test_a_run_refuses(settings, message):
    with pytest.raises(UsageError, match=message):
        TrainSettings(out="somewhere", **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"methods": ("mixup", "cutmx")}, r'methods must be one of .*got methods=\'cutmx\'; did you mean "cutmix"\?'),
        ({"methods": ()}, r"methods must name at least one"),
        ({"num_mixes": (1, 5, 5)}, r"num_mixes must differ from each other"),
        ({"num_mixes": (1, 7)}, r"batch_size must be divisible by num_mixes, got batch_size=120, num_mixes=7; try 126"),
        ({"controls": ("equal-compute",)}, "controls must be one of same-pairs, same-rows, same-images, k-updates"),
        ({"controls": ("same-pear",)}, r'controls must be one of .*; did you mean "same-pairs"\?'),
        ({"seeds": 0}, r"seeds must be an integer >= 1"),
        ({"jobs": -1}, r"jobs must be an integer >= 0"),
        ({"data": ("digits", "digit")}, r'data must be one of .*, got data=\'digit\'; did you mean "digits"\?'),
        ({"data": ("digits", "digits")}, r"data must differ from each other"),
        ({"data": ()}, r"data must name at least one"),
        ({"data_options": {"padding": 4}}, r"data_options must be options of digits, got 'padding'; leave it out"),
        (
            {"data": ("digits", "fsdd"), "data_options": {"from": "waveform"}},
            r"data_options must be options of digits, fsdd, got 'from'; did you mean \"form\"\?",
        ),
        ({"alphas": (1.0, 1)}, r"alphas must differ from each other, got alphas=\(1.0, 1.0\)"),
        ({"alphas": (0.0,)}, r"alpha must be a finite number > 0, got alpha=0.0"),
        ({"methods": ("none",), "alphas": (1.0,)}, r"alphas must be for a method that has alpha"),
        ({"alphas": (1.0,), "method_options": {"alpha": 2}}, r"alpha must be given once, got alphas=\(1.0,\)"),
        ({"ray": "atuo"}, r"ray must be auto or HOST:PORT, got ray='atuo'; try auto"),
        ({"ray": "ray://head:10001"}, r"ray must be auto or HOST:PORT"),
        ({"ray": "auto", "jobs": 0}, r"runs are on Ray or in this process, got ray='auto', jobs=0"),
        ({"cpus_per_run": 2}, r"cpus_per_run is for runs on Ray, got cpus_per_run=2; add --ray auto"),
        ({"ray": "auto", "cpus_per_run": 0}, r"cpus_per_run must be an integer >= 1"),
        ({"ray": "auto", "gpus_per_run": 1.5}, r"gpus_per_run must be a whole number >= 0 or a part of 1"),
        ({"ray": "auto", "device": "cuda", "gpus_per_run": 0.0}, r"a run on cuda needs a GPU, got gpus_per_run=0.0"),
        ({"method_options": {"boxs": "inside"}}, r'got \'boxs\'; did you mean "boxes"\?'),
    ],
)
def test_a_comparison_refuses(settings, message):
    with pytest.raises(UsageError, match=message):
        runs(CompareSettings(out="somewhere", **settings))


def test_a_preview_refuses_a_picture_it_cannot_write():
    with pytest.raises(UsageError, match=r"out must end in .*, got out='path.gif'; try path.png"):
        PreviewSettings(file_a="a.png", file_b="b.png", out="path.gif")


def test_without_mixing_every_row_is_loaded():
    assert TrainSettings(method="none", num_mixes=5, batch_size=121, out="o").samples_per_step == 121
    assert TrainSettings(method="mixup", num_mixes=5, batch_size=120, out="o").samples_per_step == 24


def test_an_epoch_begun_is_finished():
    settings = TrainSettings(epochs=3, out="o")
    assert settings.total_steps(num_samples=100, samples_per_step=30) == 10
    assert TrainSettings(steps=7, out="o").total_steps(num_samples=100, samples_per_step=30) == 7
