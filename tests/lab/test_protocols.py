"""The published protocols in experiments/: do they parse, say what they must, and step as their sources do?"""

import math
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import torch

from multimix.lab.command_line.main import main
from multimix.lab.command_line.parse import parse
from multimix.lab.models import build_model
from multimix.lab.train.course import Course
from multimix.lab.train.schedule import check_within, parse_schedule

ROOT = Path(__file__).parents[2]
FILES = {
    path.stem: path
    for path in sorted((ROOT / "experiments").glob("*.yaml"))
    if "-" in path.stem  # the others are comparisons
}

COMPARISONS = sorted({*(ROOT / "experiments").glob("*.yaml")} - {*FILES.values()})

# Training samples, and the learning rate just before and from certain epochs on, as the sources state them. ImageNet's
# phases count from 0; in the source they begin at epochs 0, 15 and 40.
SOURCES = {
    "mixup-cifar10-preact-resnet18": (50_000, {0: 0.1, 99.99: 0.1, 100: 0.01, 149.99: 0.01, 150: 0.001, 199: 0.001}),
    "manifold-mixup-cifar10-preact-resnet18": (
        50_000,
        {0: 0.1, 499.99: 0.1, 500: 0.01, 999.99: 0.01, 1000: 0.001, 1499.99: 0.001, 1500: 0.0001, 1999: 0.0001},
    ),
    "puzzle-mix-cifar100-preact-resnet18-1200": (
        50_000,
        {0: 0.1, 399.99: 0.1, 400: 0.01, 799.99: 0.01, 800: 0.001, 1199: 0.001},
    ),
    "puzzle-mix-cifar100-preact-resnet18-600": (
        50_000,
        {0: 0.2, 349.99: 0.2, 350: 0.02, 499.99: 0.02, 500: 0.002, 599: 0.002},
    ),
    "puzzle-mix-cifar100-wrn-28-10": (50_000, {0: 0.1, 199.99: 0.1, 200: 0.01, 299.99: 0.01, 300: 0.001, 399: 0.001}),
    "puzzle-mix-tiny-imagenet-preact-resnet18": (
        100_000,
        {0: 0.2, 599.99: 0.2, 600: 0.02, 899.99: 0.02, 900: 0.002, 1199: 0.002},
    ),
    "co-mixup-cifar100-preact-resnet18": (
        50_000,
        {0: 0.2, 99.99: 0.2, 100: 0.02, 199.99: 0.02, 200: 0.002, 299: 0.002},
    ),
    "co-mixup-cifar100-wrn-16-8": (50_000, {0: 0.2, 99.99: 0.2, 100: 0.02, 199.99: 0.02, 200: 0.002, 299: 0.002}),
    "co-mixup-cifar100-resnext-29-4-24": (
        50_000,
        {0: 0.2, 99.99: 0.2, 100: 0.02, 199.99: 0.02, 200: 0.002, 299: 0.002},
    ),
    "imagenet-resnet50-phase1": (1_281_167, {0: 0.5, 4: 0.75, 8: 1.0, 11.5: 0.5625, 15: 0.125}),
    "imagenet-resnet50-phase2": (1_281_167, {0: 0.2, 12.5: 0.11, 25: 0.02}),
    "imagenet-resnet50-phase3": (1_281_167, {0: 0.02, 12.5: 0.011, 25: 0.002, 37.5: 0.0011, 50: 0.0002, 60: 0.00002}),
    "google-commands-vgg-11": (51_088, {0: 0.003, 9.99: 0.003, 10: 0.0003, 19.99: 0.0003, 20: 0.00003, 29: 0.00003}),
    "google-commands-lenet": (51_088, {0: 0.003, 9.99: 0.003, 10: 0.0003, 19.99: 0.0003, 20: 0.00003, 29: 0.00003}),
}
# Pairs per step: the sources' batches.
PAIRS = {"mixup": 128, "manifold": 100, "puzzle": 100, "co": 100, "imagenet": 448, "google": 100}
SHAPES = {
    "cifar10": ((3, 32, 32), 10),
    "cifar100": ((3, 32, 32), 100),
    "tiny-imagenet": ((3, 64, 64), 200),
    "imagenet-1k": ((3, 224, 224), 1000),
    "speech-commands": ((1, 161, 101), 30),
}

each = pytest.mark.parametrize("name", FILES)


@cache  # settings are frozen, and to parse them takes longer than what is asked of them
def settings_of(name, *flags):
    return parse(["train", "--config", str(FILES[name]), *flags])[1]


def head(name):
    """Returns the comment above the settings, its sections apart."""
    lines = [line[1:].strip() for line in FILES[name].read_text().splitlines() if line.startswith("#")]
    text = "\n".join(lines)
    found = re.split(r"^(Source|Command|Batch|Cost|Expected|Instead|Differs)\b[:,]", text, flags=re.MULTILINE)
    return dict(zip(["Title", *found[1::2]], [found[0], *found[2::2]], strict=True))


def variants(name):
    """Returns the flags that the head lists."""
    return re.findall(r"(?:^|\s\s)(--[a-z].*)$", head(name)["Instead"], flags=re.MULTILINE)


def numbers(text):
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?<!,)", text)]


def test_every_file_is_known_here_and_listed_in_the_index():
    assert set(FILES) == set(SOURCES)
    index = (ROOT / "experiments" / "README.md").read_text()
    listed = re.findall(r"^\| \[([\w-]+)\]\((.+?)\)", index, flags=re.MULTILINE)
    assert [name for name, _ in listed if name in FILES] == list(SOURCES)
    assert {link for _, link in listed if "/" not in link} == {
        path.name for path in (ROOT / "experiments").glob("*.*[yl]")
    }
    assert all((ROOT / "experiments" / link).is_file() for _, link in listed)


@pytest.mark.parametrize("file", COMPARISONS, ids=lambda path: path.stem)
def test_a_comparison_can_be_planned_by_the_command_in_its_head(file, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(
        "multimix.lab.compare.run.check_data_sets", lambda settings, planned, fetch: None
    )  # they need not be here
    commands = re.findall(r"^#   (multimix compare [^\\\n]*(?:\\\n#[^\\\n]*)*)", file.read_text(), flags=re.MULTILINE)
    assert commands
    for command in commands:
        _, *arguments = shlex.split(re.sub(r"\\\n#", " ", command))
        assert main([*arguments, "--dry-run"]) == 0
        assert "runs into runs/" in capsys.readouterr().out


@each
def test_the_head_says_what_it_must(name):
    parts = head(name)
    assert all(parts[part].strip() for part in ("Source", "Command", "Batch", "Cost", "Expected", "Instead", "Differs"))
    assert re.search(r"arXiv \d{4}\.\d{5}", parts["Source"])
    assert max(map(len, FILES[name].read_text().splitlines())) <= 120


@each
def test_the_command_in_the_head_runs_this_file(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    program, *arguments = shlex.split(head(name)["Command"].strip().splitlines()[0])
    assert program == "multimix"
    command, settings = parse(arguments)
    assert command == "train"
    assert settings.out == f"runs/{name}"
    assert settings.data_root == "~/data"


@each
def test_the_head_states_batch_and_cost(name):
    samples, _ = SOURCES[name]
    settings = settings_of(name)
    length = settings.length(samples)
    pairs = 1024 if name.endswith("phase1") else PAIRS[name.split("-")[0]]
    assert settings.samples_per_step == pairs
    assert numbers(head(name)["Batch"])[0] == settings.batch_size
    course = Course.of(settings, num_classes=2, length=length)
    rows = course.rows(length.steps)
    stated = numbers(head(name)["Cost"])
    assert stated[:3] == [length.steps, settings.batch_size, rows]
    assert length.steps * pairs in stated  # with K = 1
    if name.startswith("google"):
        assert course.first in stated
    assert settings.evaluations == settings.epochs
    if settings.micro_batch_size is not None:
        assert settings.batch_size == 4 * settings.micro_batch_size


@each
def test_the_learning_rate_is_the_sources(name):
    samples, rates = SOURCES[name]
    settings = settings_of(name)
    length = settings.length(samples)
    schedule = parse_schedule(settings.schedule)
    check_within(schedule, length)
    for epoch, rate in rates.items():
        step = math.ceil(epoch * length.epoch)
        assert settings.rate * schedule.factor(step, length) == pytest.approx(rate, rel=1e-3), epoch


@each
def test_what_the_head_offers_instead_can_be_had(name):
    offered = [settings_of(name, *shlex.split(flags)) for flags in variants(name)]
    methods = {settings.method for settings in [settings_of(name), *offered]}
    assert methods == {"none", "mixup", "manifold", "cutmix", "puzzlemix"}
    pairs = settings_of(name).samples_per_step
    assert all(settings.samples_per_step == pairs for settings in offered)
    assert {settings.num_mixes for settings in offered} == {1, 5}
    for settings in offered:
        check_within(parse_schedule(settings.schedule), settings.length(SOURCES[name][0]))
        assert settings.evaluations == settings.epochs


@each
def test_a_phase_starts_from_the_one_before(name):
    before = {
        "imagenet-resnet50-phase2": "runs/imagenet-resnet50-phase1",
        "imagenet-resnet50-phase3": "runs/imagenet-resnet50-phase2",
    }
    assert settings_of(name).initial_weights == before.get(name)


@each
def test_the_model_fits_the_data_and_names_its_layers_for_manifold_mixup(name):
    settings = settings_of(name)
    shape, classes = SHAPES[settings.data]
    with torch.device("meta"):
        model = build_model(settings.model, shape, classes, settings.model_options)
    assert set(model.mix_layers) <= set(dict(model.named_modules()))
    assert len(model.mix_layers) == 3


# The kinds that differ in more than their numbers, with thin models: tests/lab/test_models.py has those of the files.
SMALL = {
    "google-commands-lenet": ["--model", "small-cnn", "--model-options.stride", "4"],
    "mixup-cifar10-preact-resnet18": ["--model-options.width", "8"],
    "manifold-mixup-cifar10-preact-resnet18": ["--model-options.width", "8"],
    "co-mixup-cifar100-wrn-16-8": ["--model", "preact-resnet18", "--model-options.width", "8"],
}


@pytest.mark.parametrize(("name", "quicker"), SMALL.items(), ids=SMALL)
def test_a_dry_run_goes_through(name, quicker, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--dry-run", "--config", str(FILES[name]), *quicker]) == 0
    assert "tried: 4 steps" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
