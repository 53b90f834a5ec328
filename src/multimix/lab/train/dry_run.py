"""Would this run work? All that a run does, done in seconds: a few steps of a few pairs, in a folder that goes away."""

import math
import tempfile
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import torch

from multimix.lab.data import Data, Split
from multimix.lab.data.stand_in import published, stand_in
from multimix.lab.models import build_model, import_model
from multimix.lab.train.course import Course
from multimix.lab.train.initial_weights import check_parameters
from multimix.lab.train.moments import Length, Moment
from multimix.lab.train.run import open_data_of, train
from multimix.lab.train.run_folder import RunFolder
from multimix.lab.train.schedule import check_within, parse_schedule
from multimix.lab.train.settings import TrainSettings

STEPS = 4  # one of them before mixing begins and one after it ends, if so wished
SAMPLES = 8  # of each split


def dry_run(settings: TrainSettings) -> list[str]:
    """Try a run without leaving anything behind.

    Data that `data_root` holds, or that need no file, are opened; of other published sets samples are made up. Nothing
    is fetched.

    Returns:
        What would be done and what was tried, a line each.

    Raises:
        UsageError: if a setting does not fit the data, the model or the machine.
        RunFailed: if the steps fail.
    """
    import_model(settings.model, settings.model_options)
    RunFolder(Path(settings.out)).check(settings)
    data, num_train, about_data = _data(settings)
    repeated = settings.repeated_samples(num_train)
    length = settings.length(num_train)
    schedule = parse_schedule(settings.schedule)
    check_within(schedule, length)
    course = Course.of(settings, data.num_classes, length)
    first, last = (settings.rate * schedule.factor(step, length) for step in (0, length.steps - 1))
    rows, all_rows = settings.batch_size, course.rows(length.steps)
    samples = " then ".join(f"{samples:,}" for _, samples in settings.samples(length.steps))
    mixes = "" if settings.most_rows_per_pair == 1 else f", {settings.mixes} mixes of each pair"
    weights = settings.initial_weights
    about_weights = "" if weights is None else f", starting from {weights}"
    if weights is not None and not Path(weights).expanduser().exists():
        about_weights += ", which is not there yet"
    return [
        about_data,
        f"model: {settings.model}, {_num_parameters(settings, data):,} parameters{about_weights}",
        f"step: {samples} samples, {rows:,} rows ({settings.method}{mixes})",
        *([repeated] if repeated else []),
        f"length: {length.steps:,} steps, {length.steps / length.epoch:,.4g} epochs, {all_rows:,} rows",
        f"learning rate: {settings.optimizer}, {schedule}, {first:.3g} in the first step, {last:.3g} in the last",
        _tried(settings, data, length),
        f"nothing was written to {settings.out}",
    ]


def _data(settings: TrainSettings) -> tuple[Data, int, str]:
    """Return few samples of the data, or made-up ones; how many there are to train on; and what is to be said."""
    known = published(settings.data)
    if known is not None and settings.data_root is None:
        num_train = known.num_train
        data = stand_in(settings.data, settings.data_options, SAMPLES)
        shape = tuple(data.sample_shape)
        left = num_train - math.ceil(num_train * settings.validation_share)
        if settings.labels_per_class is not None:
            left = settings.labels_per_class * data.num_classes
        return (
            data,
            left,
            (
                f"data: {settings.data}, not opened (no --data-root): made-up samples of shape {shape}, "
                f"{data.num_classes} classes; {num_train:,} to train on are published"
            ),
        )
    data = open_data_of(settings, sharing=1)
    data = data.with_splits(settings.validation_share, settings.labels_per_class, settings.split_seed)
    settings.check_held_out(data.validation is not None)
    num_train = len(data.train)
    few = replace(data, train=_few(data.train), test=_few(data.test), validation=_few(data.validation or data.test))
    return (
        few,
        num_train,
        (
            f"data: {settings.data}, {num_train:,} samples to train on, {len(data.test):,} to test on, of shape "
            f"{tuple(data.sample_shape)}, {data.num_classes} classes"
        ),
    )


def _few(split: Split) -> Split:
    """Return samples from all over a split."""
    return split.subset(torch.linspace(0, len(split) - 1, min(len(split), SAMPLES)).long())


def _num_parameters(settings: TrainSettings, data: Data) -> int:
    with torch.device("meta"):
        model = build_model(settings.model, data.sample_shape, data.num_classes, settings.model_options)
    check_parameters(settings.model, model)
    return sum(parameter.numel() for parameter in model.parameters())


def _tried(settings: TrainSettings, data: Data, length: Length) -> str:
    """Trains, saves and evaluates a run of the same kind that is over in seconds."""
    in_parts = settings.micro_batch_size is not None
    pairs = min(settings.samples_per_step, 4 if in_parts else 2)
    weights, one_step = settings.initial_weights, f"{100 / STEPS:g}%"
    with tempfile.TemporaryDirectory() as folder:
        trial = replace(
            settings,
            out=f"{folder}/run",
            steps=STEPS,
            learning_rate=settings.rate * pairs / settings.samples_per_step,  # the whole batch's would be too high
            epochs=None,
            labels_per_class=None,  # the samples are few already
            batch_size=pairs * math.lcm(*settings.mixes.values),
            micro_batch_size=math.ceil(pairs / 2) * settings.most_rows_per_pair if in_parts else None,
            schedule=str(parse_schedule(settings.schedule).in_percent(length.steps / length.epoch)),
            unmixed_first=one_step if Moment.of_run("unmixed_first", settings.unmixed_first).amount else "0",
            unmixed_last=one_step if Moment.of_run("unmixed_last", settings.unmixed_last).amount else "0",
            initial_weights=weights if weights and Path(weights).expanduser().exists() else None,
            compile=False,
            evaluations=2,
            checkpoint_every="2",
        )
        start = perf_counter()
        train(
            trial,
            data=data if data.validation or not settings.validation_share else replace(data, validation=data.test),
        )
        time_s = perf_counter() - start
        records = RunFolder(Path(trial.out)).records()
    losses = " and ".join(f"{record['loss']:.3g}" for record in records)
    return (
        f"tried: {STEPS} steps of {pairs} pairs with checkpoints and evaluations in {time_s:.1f} s, losses {losses}"
        + (", not compiled" if settings.compile else "")
    )
