"""One run: data and a model in, weights and an evaluation out. Read it top to bottom; that is the order it runs in."""

import math
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from lightning.fabric import Fabric
from torch import nn

from multimix import mixed_accuracy
from multimix.lab.config import TrainSettings
from multimix.lab.data import Data, SampleOrder, open_data
from multimix.lab.environment import check_device, environment
from multimix.lab.errors import RunFailed
from multimix.lab.evaluate import evaluate
from multimix.lab.mixing import mixer
from multimix.lab.models import build_model
from multimix.lab.randomness import seed_of
from multimix.lab.run_folder import Record, RunFolder
from multimix.lab.stopwatch import Stopwatch
from multimix.lab.workers import cores

NUM_RECORDS = 25  # points of a learning curve
MAX_WORKERS = 8  # processes that read data; more wait for each other on one disk


def train(settings: TrainSettings, on_record: Callable[[Record], None] = lambda record: None, jobs: int = 1) -> bool:
    """Trains one model into the folder `settings.out`.

    A finished folder is left as it is. An unfinished one starts again from nothing.

    Args:
        settings: What to train.
        on_record: Called with each record as it is written.
        jobs: How many runs share the machine; only written down.

    Returns:
        Whether there was anything to do.

    Raises:
        UsageError: if the folder holds a run with other settings, the device is missing, or the data or the model
            cannot be used.
        RunFailed: if the loss is no longer a number.
    """
    folder = RunFolder(Path(settings.out))
    folder.check(settings)
    if folder.finished:
        return False

    check_device(settings.device)
    fabric = Fabric(accelerator=settings.device, devices=1)
    data = _open_data(settings, jobs).to(fabric.device)
    model = _build_model(settings, data.sample_shape, data.num_classes)
    folder.start(settings, environment(fabric.device, jobs), data.skipped)
    optimizer = torch.optim.SGD(
        model.parameters(), momentum=0.9, nesterov=True, weight_decay=settings.weight_decay, lr=settings.learning_rate
    )
    model, optimizer = fabric.setup(model, optimizer)

    mix = mixer(settings, data.num_classes)
    order = SampleOrder(len(data.train), settings.samples_per_step, settings.seed)
    steps = settings.total_steps(len(data.train), settings.samples_per_step)
    generator = torch.Generator()
    sums = torch.zeros(2, device=fabric.device)  # of loss and accuracy since the last record; read only there
    since = 0
    records: list[Record] = []

    stopwatch = Stopwatch()
    for step, (x, labels) in enumerate(data.train.batches(order, range(steps))):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * 0.5 * (1 + math.cos(math.pi * step / steps))

        generator.manual_seed(seed_of(settings.seed, "mix", step))
        logits, y_mix = mix.run(model, x, labels, generator=generator)
        loss = F.cross_entropy(logits, y_mix)
        optimizer.zero_grad()
        fabric.backward(loss)
        optimizer.step()

        sums += torch.stack([loss.detach(), mixed_accuracy(logits.detach(), y_mix)])
        since += 1
        if not _is_record(step, steps):
            continue
        loss_mean, accuracy_mean = (sums / since).tolist()
        with stopwatch.paused():  # what a record costs is no part of training
            images = (step + 1) * settings.samples_per_step
            records.append(
                {
                    "step": step + 1,
                    "epoch": images / len(data.train),
                    "time_s": stopwatch.time_s,
                    "cpu_time_s": stopwatch.cpu_time_s,
                    "rows": (step + 1) * settings.batch_size,
                    "images": images,
                    "loss": loss_mean,
                    "mixed_accuracy": accuracy_mean,
                }
                | evaluate(model, data.test)
            )
            folder.write_records(records)
            on_record(records[-1])
            _check_finite(loss_mean, step, settings)
        sums.zero_()
        since = 0

    folder.finish(model, evaluate(model, data.test))
    return True


def _open_data(settings: TrainSettings, jobs: int) -> Data:
    """Opens the data; reading it takes the cores that this run may use."""
    num_workers = settings.num_workers
    if num_workers is None:
        num_workers = min(max(1, cores() // jobs), MAX_WORKERS)
    return open_data(
        settings.data,
        settings.data_options,
        root=settings.data_root,
        on_bad_file=settings.on_bad_file,
        num_workers=num_workers,
    )


def _build_model(settings: TrainSettings, sample_shape: torch.Size, num_classes: int) -> nn.Module:
    """Builds the model with weights that depend on the seed alone; torch's global random state stays as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed_of(settings.seed, "weights"))
        return build_model(settings.model, sample_shape, num_classes, settings.model_options)


def _is_record(step: int, steps: int) -> bool:
    """Whether a step is among the evenly spaced ones that are written down; the last one always is."""
    return (step + 1) * NUM_RECORDS // steps > step * NUM_RECORDS // steps


def _check_finite(loss: float, step: int, settings: TrainSettings) -> None:
    if not math.isfinite(loss):
        raise RunFailed(
            f"the loss must stay finite, got loss={loss} at step {step + 1}; "
            f"try a learning rate below {settings.learning_rate:g}"
        )
