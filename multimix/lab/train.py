"""One run: data and a model in, weights and an evaluation out. Read it top to bottom; that is the order it runs in."""

import copy
import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from multimix.lab.checkpoint import Checkpoints
from multimix.lab.config import TrainSettings
from multimix.lab.data import Data, SampleOrder, Split, open_data
from multimix.lab.environment import check_device, environment
from multimix.lab.errors import Interrupted, RunFailed, UsageError
from multimix.lab.evaluate import evaluate
from multimix.lab.initial_weights import load_initial_weights
from multimix.lab.interruption import Interruption
from multimix.lab.intervals import Every, Timer
from multimix.lab.learner import Learner
from multimix.lab.lock import locked
from multimix.lab.meter import Meter
from multimix.lab.models import build_model
from multimix.lab.moments import Length
from multimix.lab.processes import (
    GO_ON,
    SAVE,
    STOP,
    agreed,
    by_first,
    check_shares,
    company,
    gathered,
    launched,
    mean_over,
    reading,
)
from multimix.lab.randomness import private_random_state, seed_of
from multimix.lab.run_folder import Record, RunFolder, as_json
from multimix.lab.snapshot import Damaged, Snapshot, digest
from multimix.lab.state import State
from multimix.lab.stopping import has_stalled, is_best
from multimix.lab.stopwatch import Stopwatch
from multimix.lab.trackers.names import check_installed
from multimix.lab.trackers.tracked import Trackers
from multimix.lab.workers import cores

OnStep = Callable[[int, float, Meter, Length], None]

MAX_WORKERS = 8  # processes that read data; more wait for each other on one disk


def train(
    settings: TrainSettings,
    on_record: Callable[[Record], None] = lambda record: None,
    tell: Callable[[str], None] = lambda line: None,
    jobs: int = 1,
    data: Data | None = None,
    on_step: OnStep = lambda step, time_s, meter, length: None,
) -> bool:
    """Trains one model into the folder `settings.out`.

    A finished folder is left as it is. An unfinished one goes on from its newest good checkpoint, to the same bits as
    if it had never stopped; without one it starts from nothing.

    Args:
        settings: What to train.
        on_record: Called with each record as it is written.
        tell: Told, in one line each, what went other than planned.
        jobs: How many runs share the machine; only written down.
        data: Samples to use in place of those that the settings name.
        on_step: Called after each step with the number of steps done, the seconds of training, what was measured since
            the last record, and the length of the run. It counts as training: reading the meter waits for the device.

    Returns:
        Whether there was anything to do.

    Raises:
        UsageError: if the folder holds a run with other settings, the device is missing, or the data or the model
            cannot be used.
        RunFailed: if the loss is no longer a number, or the state cannot be written or read.
        Interrupted: if a signal asked for the end; the state is saved.
    """
    folder = RunFolder(Path(settings.out))
    check_device(settings.device, settings.precision)
    check_shares(settings.samples_per_step)
    check_installed(settings.trackers)
    fabric = launched(settings.device, settings.precision)
    with company(fabric), ExitStack() as stack:
        if by_first(fabric, lambda: folder.holds_result(settings)):
            return False
        data = (data or open_data_of(settings, jobs * fabric.world_size)).to(fabric.device)
        if settings.validation_share:
            data = data.hold_out(settings.validation_share)
        run = _prepared(settings, fabric, folder, data, on_record, on_step)
        by_first(fabric, lambda: stack.enter_context(locked(folder.path, tell)))
        run.resume(tell)
        conditions = environment(fabric.device, jobs)
        by_first(fabric, lambda: folder.start(settings, conditions, run.state.records, run.data.skipped))
        names = settings.trackers if fabric.is_global_zero else ()
        trackers = Trackers(names, settings, run.state.records, tell)
        with Interruption() as interruption, private_random_state(fabric.device), trackers as run.trackers:
            run.loop(interruption)
            by_first(fabric, run.finish)
    return True


@dataclass
class _Run:
    """What the loop works with."""

    settings: TrainSettings
    fabric: Fabric
    folder: RunFolder
    data: Data
    learner: Learner
    state: State
    checkpoints: Checkpoints
    on_record: Callable[[Record], None]
    on_step: OnStep
    trackers: Trackers = field(init=False)

    @property
    def steps(self) -> int:
        return self.learner.length.steps

    @property
    def order(self) -> SampleOrder:
        return SampleOrder(len(self.data.train), self.settings.samples_per_step, self.settings.seed)

    @property
    def result(self) -> nn.Module:
        """What is evaluated at the end and kept: the best on the held-out samples, if any stop the run."""
        return self.state.models.get("best", self.learner.result)

    def resume(self, tell: Callable[[str], None]) -> None:
        """Puts the newest good checkpoint back, if there is one."""

        def read() -> Snapshot | None:
            self.folder.check(self.settings)  # again: until it was locked, another run may have begun in it
            return self.checkpoints.newest(
                check=lambda snapshot: self.state.check(snapshot, self.steps, self.fabric.world_size),
                tell=tell,
                on_bad=self.settings.on_bad_checkpoint,
            )

        newest = by_first(self.fabric, read)
        if newest is not None:
            self.state.restore(newest, self.fabric.global_rank)

    def loop(self, interruption: Interruption) -> None:
        """Does the steps that are left."""
        stopwatch = Stopwatch(**self.state.times)
        timer = Timer(Every.parse(self.settings.checkpoint_every), self.steps)
        left = range(self.steps if self.is_over() else self.state.step, self.steps)
        batches = self.data.train.batches(self.order, left, self.fabric.global_rank, self.fabric.world_size)
        for step, (x, labels) in zip(left, reading(self.fabric, batches), strict=True):
            self.state.meter.add(self.update(step, x, labels))
            del x, labels  # or they would be kept while the next batch is made
            done = self.state.step = step + 1
            self.on_step(done, stopwatch.time_s, self.state.meter, self.learner.length)
            with stopwatch.paused():  # what is done beside the steps is no part of training
                self.state.times = {"time_s": stopwatch.time_s, "cpu_time_s": stopwatch.cpu_time_s}
                is_record = _is_record(step, self.steps, self.settings.evaluations)
                if is_record:
                    self.record()
                wish = STOP if interruption.signal else SAVE if timer.due_by_time() else GO_ON
                wish = agreed(self.fabric, done, wish)
                if wish != GO_ON or timer.due_by_step(done):
                    self.save()
                    timer.saved()
                if is_record and self.is_over():
                    break
                if wish == STOP and done < self.steps:
                    raise Interrupted(
                        f"stopped by {interruption.signal or 'a signal'} after step {done} of {self.steps}; "
                        f"the state is saved, the same command goes on from there"
                    )

    def update(self, step: int, x: Tensor, labels: Tensor) -> Tensor:
        """Does one step; a saliency that is not finite comes from a loss that is not, and ends the run like it."""
        try:
            return self.learner.update(step, x, labels)
        except ValueError as error:
            if not str(error).startswith("saliency must be finite"):
                raise
            self.fail(str(error).partition(";")[0], step)

    def is_over(self) -> bool:
        """Whether the run stops here, before its last step; all processes say what the first one knows."""
        if self.settings.patience is None:
            return False
        return bool(self.fabric.broadcast(has_stalled(self.state.records, self.settings.patience)))

    def record(self) -> None:
        """Writes down the steps since the last record and how good the model is now."""
        loss, accuracy = self.measured().mean(dim=0).tolist()
        samples = self.settings.samples_per_step
        record = {
            "step": self.state.step,
            "epoch": self.state.step / self.learner.length.epoch,
            **self.state.times,
            "rows": self.learner.course.rows(self.state.step, samples, self.settings.batch_size),
            "images": self.state.step * samples,
            "loss": loss,
            "mixed_accuracy": accuracy,
        }
        self.state.meter.clear()
        if not self.fabric.is_global_zero:
            return
        now = self.learner.result
        record |= self.evaluated(self.data.test, now)
        if self.data.validation is not None:
            judged = self.evaluated(self.data.validation, now)
            record |= {f"validation_{name}": value for name, value in judged.items()}
        for name, value in record.items():
            if not math.isfinite(value):
                self.fail(f"what is measured must stay finite, got {name}={value}", self.state.step - 1)
        self.state.records.append(record)
        if "best" in self.state.models and is_best(self.state.records):
            self.state.models["best"].load_state_dict(now.state_dict())
        self.folder.write_records(self.state.records)
        self.trackers.log(record)
        self.on_record(record)

    def finish(self) -> None:
        """Writes the result: the trackers' before the folder's, which says that all is done."""
        evaluation = self.evaluated(self.data.test)
        self.trackers.finish(evaluation)
        self.folder.finish(self.result, evaluation)

    def measured(self) -> Tensor:
        """Returns the (steps, 2) values since the last record, the mean over all processes.

        Raises:
            RunFailed: if a loss is no longer a number.
        """
        values = gathered(self.fabric, self.state.meter.read())
        rows = [self.order.rows(rank, len(values)) for rank in range(len(values))]
        mean = mean_over(values, [part.stop - part.start for part in rows])
        finite = mean[:, 0].isfinite()
        if not finite.all():
            first = int((~finite).int().argmax())
            self.fail(
                f"the loss must stay finite, got loss={mean[first, 0].item()}", self.state.step - len(mean) + first
            )
        return mean

    def save(self) -> None:
        """Saves the state; a state that is not finite is not saved but ends the run."""
        self.measured()
        own = {name: gathered(self.fabric, value) for name, value in self.state.own().items()}

        def write() -> None:
            try:
                snapshot = self.state.snapshot(own)
            except Damaged as error:
                self.fail(f"the weights must stay finite, got {error}", self.state.step - 1)
            self.checkpoints.save(snapshot)

        by_first(self.fabric, write)

    def fail(self, what: str, step: int) -> NoReturn:
        """Ends a run that went wrong at a step, counted from 0."""
        raise RunFailed(
            f"{what} at step {step + 1}; {self.checkpoints.kept}; try a learning rate below {self.settings.rate:g}"
        )

    def evaluated(self, split: Split, model: nn.Module | None = None) -> dict[str, float]:
        """Returns how good a model is, the result if none is given; without a wrapper, which would wait for others."""
        with self.fabric.autocast():
            return evaluate(model or self.result, split)


def _prepared(
    settings: TrainSettings,
    fabric: Fabric,
    folder: RunFolder,
    data: Data,
    on_record: Callable[[Record], None],
    on_step: OnStep,
) -> _Run:
    if settings.patience is not None and data.validation is None:
        raise UsageError(
            f"stopping early needs held-out samples, never the test split, got patience={settings.patience}, "
            f"validation_share={settings.validation_share}; give --validation-share 0.1 too"
        )
    bare = _build_model(settings, data.sample_shape, data.num_classes)
    if settings.initial_weights is not None:
        load_initial_weights(bare, settings.initial_weights)
    length = settings.length(len(data.train))
    learner = Learner.build(settings, fabric, bare, data.num_classes, length)
    models = {"model": bare}
    if learner.average is not None:
        models["average"] = learner.average
    if settings.patience is not None:
        models["best"] = copy.deepcopy(bare)
    labels = digest({"train": data.train.labels, "test": data.test.labels})
    meter = Meter(math.ceil(length.steps / settings.evaluations), fabric.device)
    scaler = getattr(fabric.strategy.precision, "scaler", None)
    return _Run(
        settings=settings,
        fabric=fabric,
        folder=folder,
        data=data,
        learner=learner,
        state=State(models, learner.optimizer, meter, scaler),
        checkpoints=Checkpoints(folder.path / "checkpoint", as_json(settings) | {"labels_sha256": labels}),
        on_record=on_record,
        on_step=on_step,
    )


def open_data_of(settings: TrainSettings, sharing: int) -> Data:
    """Opens the data that the settings name.

    Args:
        settings: The run's.
        sharing: Processes that share the machine: each reads the data with its part of the cores.
    """
    num_workers = settings.num_workers
    if num_workers is None:
        num_workers = min(max(1, cores() // sharing), MAX_WORKERS)
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


def _is_record(step: int, steps: int, records: int) -> bool:
    """Whether a step is among the evenly spaced ones that are written down; the last one always is."""
    return (step + 1) * records // steps > step * records // steps
