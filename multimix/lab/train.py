"""One run: data and a model in, weights and an evaluation out. Read it top to bottom; that is the order it runs in."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from lightning.fabric import Fabric
from torch import Tensor, nn

from multimix import MultiMix, mixed_accuracy
from multimix.lab.checkpoint import Checkpoints
from multimix.lab.config import TrainSettings
from multimix.lab.data import Data, SampleOrder, open_data
from multimix.lab.environment import check_device, environment
from multimix.lab.errors import Interrupted, RunFailed
from multimix.lab.evaluate import evaluate
from multimix.lab.interruption import Interruption
from multimix.lab.intervals import Every, Timer
from multimix.lab.meter import Meter
from multimix.lab.mixing import mixer
from multimix.lab.models import build_model
from multimix.lab.processes import (
    GO_ON,
    SAVE,
    STOP,
    agreed,
    check_shares,
    gathered,
    launched,
    mean_over,
    weight_of,
)
from multimix.lab.randomness import private_random_state, seed_of
from multimix.lab.run_folder import Record, RunFolder, as_json
from multimix.lab.snapshot import Damaged
from multimix.lab.state import State
from multimix.lab.stopwatch import Stopwatch
from multimix.lab.workers import cores

NUM_RECORDS = 25  # points of a learning curve
MAX_WORKERS = 8  # processes that read data; more wait for each other on one disk


def train(
    settings: TrainSettings,
    on_record: Callable[[Record], None] = lambda record: None,
    tell: Callable[[str], None] = lambda line: None,
    jobs: int = 1,
) -> bool:
    """Trains one model into the folder `settings.out`.

    A finished folder is left as it is. An unfinished one goes on from its newest good checkpoint, to the same bits as
    if it had never stopped; without one it starts from nothing.

    Args:
        settings: What to train.
        on_record: Called with each record as it is written.
        tell: Told, in one line each, what went other than planned.
        jobs: How many runs share the machine; only written down.

    Returns:
        Whether there was anything to do.

    Raises:
        UsageError: if the folder holds a run with other settings, the device is missing, or the data or the model
            cannot be used.
        RunFailed: if the loss is no longer a number, or the state cannot be written or read.
        Interrupted: if a signal asked for the end; the state is saved.
    """
    folder = RunFolder(Path(settings.out))
    folder.check(settings)
    if folder.finished:
        return False
    check_device(settings.device)
    check_shares(settings.samples_per_step)
    fabric = launched(settings.device)
    data = _open_data(settings, jobs * fabric.world_size).to(fabric.device)
    run = _prepared(settings, fabric, folder, data)
    run.on_record = on_record
    fabric.barrier()  # everyone has read the folder before the first process writes to it
    run.resume(tell)
    if fabric.is_global_zero:
        folder.start(settings, environment(fabric.device, jobs), run.state.records, data.skipped)
    with Interruption() as interruption, private_random_state(fabric.device):
        run.loop(interruption)
    if fabric.is_global_zero:
        folder.finish(run.state.models["model"], run.evaluated())
    fabric.barrier()
    return True


@dataclass
class _Run:
    """What the loop works with."""

    settings: TrainSettings
    fabric: Fabric
    folder: RunFolder
    data: Data
    model: nn.Module  # as Fabric wrapped it
    optimizer: torch.optim.Optimizer
    state: State
    mix: MultiMix
    checkpoints: Checkpoints
    on_record: Callable[[Record], None] = field(default=lambda record: None)

    @property
    def steps(self) -> int:
        return self.settings.total_steps(len(self.data.train), self.settings.samples_per_step)

    @property
    def order(self) -> SampleOrder:
        return SampleOrder(len(self.data.train), self.settings.samples_per_step, self.settings.seed)

    def resume(self, tell: Callable[[str], None]) -> None:
        """Puts the newest good checkpoint back, if there is one."""
        newest = self.checkpoints.newest(
            check=lambda snapshot: self.state.check(snapshot, self.steps, self.fabric.world_size),
            tell=tell,
            on_bad=self.settings.on_bad_checkpoint,
        )
        if newest is not None:
            self.state.restore(newest, self.fabric.global_rank)

    def loop(self, interruption: Interruption) -> None:
        """Does the steps that are left."""
        stopwatch = Stopwatch(**self.state.times)
        timer = Timer(Every.parse(self.settings.checkpoint_every), self.steps)
        left = range(self.state.step, self.steps)
        batches = self.data.train.batches(self.order, left, self.fabric.global_rank, self.fabric.world_size)
        for step, (x, labels) in zip(left, batches, strict=True):
            self.update(step, x, labels)
            done = self.state.step = step + 1
            with stopwatch.paused():  # what is done beside the steps is no part of training
                self.state.times = {"time_s": stopwatch.time_s, "cpu_time_s": stopwatch.cpu_time_s}
                if _is_record(step, self.steps):
                    self.record()
                wish = STOP if interruption.signal else SAVE if timer.due_by_time() else GO_ON
                wish = agreed(self.fabric, done, wish)
                if wish != GO_ON or timer.due_by_step(done):
                    self.save()
                    timer.saved()
                if wish == STOP and done < self.steps:
                    raise Interrupted(
                        f"stopped by {interruption.signal or 'a signal'} after step {done} of {self.steps}; "
                        f"the state is saved, the same command goes on from there"
                    )

    def update(self, step: int, x: Tensor, labels: Tensor) -> None:
        """One step: mix, forward, backward, update."""
        world, rank = self.fabric.world_size, self.fabric.global_rank
        torch.manual_seed(seed_of(self.settings.seed, "model", step * world + rank))  # dropout, if the model has any
        generator = torch.Generator().manual_seed(seed_of(self.settings.seed, "mix", step))
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * 0.5 * (1 + math.cos(math.pi * step / self.steps))
        logits, y_mix = self.mix.run(self.model, x, labels, generator=generator)
        loss = F.cross_entropy(logits, y_mix)
        self.optimizer.zero_grad()
        self.fabric.backward(loss * weight_of(len(x), self.settings.samples_per_step))
        self.optimizer.step()
        self.state.meter.add(loss, mixed_accuracy(logits.detach(), y_mix))

    def record(self) -> None:
        """Writes down the steps since the last record and how good the model is now."""
        loss, accuracy = self.measured().mean(dim=0).tolist()
        images = self.state.step * self.settings.samples_per_step
        record = {
            "step": self.state.step,
            "epoch": images / len(self.data.train),
            **self.state.times,
            "rows": self.state.step * self.settings.batch_size,
            "images": images,
            "loss": loss,
            "mixed_accuracy": accuracy,
        }
        self.state.meter.clear()
        if self.fabric.is_global_zero:
            self.state.records.append(record | self.evaluated())
            self.folder.write_records(self.state.records)
            self.on_record(self.state.records[-1])

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
        meters = gathered(self.fabric, self.state.meter.read())
        if self.fabric.is_global_zero:
            try:
                snapshot = self.state.snapshot(meters)
            except Damaged as error:
                self.fail(f"the weights must stay finite, got {error}", self.state.step - 1)
            self.checkpoints.save(snapshot)

    def fail(self, what: str, step: int) -> None:
        """Ends a run that went wrong at a step, counted from 0."""
        raise RunFailed(
            f"{what} at step {step + 1}; {self.checkpoints.kept}; "
            f"try a learning rate below {self.settings.learning_rate:g}"
        )

    def evaluated(self) -> dict[str, float]:
        """Returns how good the model is now; without the wrapper, which would wait for the other processes."""
        with self.fabric.autocast():
            return evaluate(self.state.models["model"], self.data.test)


def _prepared(settings: TrainSettings, fabric: Fabric, folder: RunFolder, data: Data) -> _Run:
    bare = _build_model(settings, data.sample_shape, data.num_classes)
    optimizer = torch.optim.SGD(
        bare.parameters(), momentum=0.9, nesterov=True, weight_decay=settings.weight_decay, lr=settings.learning_rate
    )
    model, optimizer = fabric.setup(bare, optimizer)
    steps = settings.total_steps(len(data.train), settings.samples_per_step)
    return _Run(
        settings=settings,
        fabric=fabric,
        folder=folder,
        data=data,
        model=model,
        optimizer=optimizer,
        state=State({"model": bare}, optimizer, Meter(math.ceil(steps / NUM_RECORDS), fabric.device)),
        mix=mixer(settings, data.num_classes),
        checkpoints=Checkpoints(folder.path / "checkpoint", as_json(settings)),
    )


def _open_data(settings: TrainSettings, sharing: int) -> Data:
    """Opens the data; reading it takes the cores that are this process's among those that share the machine."""
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


def _is_record(step: int, steps: int) -> bool:
    """Whether a step is among the evenly spaced ones that are written down; the last one always is."""
    return (step + 1) * NUM_RECORDS // steps > step * NUM_RECORDS // steps
