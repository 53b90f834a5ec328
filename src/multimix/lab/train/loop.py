"""The steps of a run, and what is done between them: records, saves, the end."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from torch import Tensor, nn

from multimix.errors import SaliencyNotFinite
from multimix.lab.core.errors import Damaged, Interrupted, InterruptedByCtrlC, RunFailed
from multimix.lab.core.processes import GO_ON, SAVE, STOP, agreed, gathered, mean_over, on_rank_zero, reading
from multimix.lab.core.signals import Interruption
from multimix.lab.core.stopwatch import Stopwatch
from multimix.lab.data import Data, SampleOrder, Split
from multimix.lab.metrics import evaluate
from multimix.lab.train.checkpoint import Checkpoints, Snapshot
from multimix.lab.train.learner import Learner
from multimix.lab.train.moments import Length, SaveTimer
from multimix.lab.train.run_folder import Record, RunFolder
from multimix.lab.train.settings import TrainSettings
from multimix.lab.train.state import JUDGED_BY, Meter, State
from multimix.lab.train.trackers.tracked import Trackers

if TYPE_CHECKING:
    from lightning_fabric import Fabric

OnStep = Callable[[int, float, Meter, Length], None]


@dataclass
class Run:
    """What the loop works with, and the loop."""

    settings: TrainSettings
    fabric: "Fabric"
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
        return SampleOrder.of(len(self.data.train), self.settings.samples(self.steps), self.settings.seed)

    @property
    def result(self) -> nn.Module:
        """What is evaluated at the end and kept: the best on the held-out samples, if any stop the run."""
        return self.state.models.get("best", self.learner.result)

    def resume(self, log: Callable[[str], None]) -> None:
        """Put the newest good checkpoint back, if there is one."""

        def read() -> Snapshot | None:
            self.folder.check(self.settings)  # again: until it was locked, another run may have begun in it
            return self.checkpoints.newest(
                check=lambda snapshot: self.state.check(snapshot, self.steps, self.fabric.world_size),
                log=log,
                on_bad=self.settings.on_bad_checkpoint,
            )

        newest = on_rank_zero(self.fabric, read)
        if newest is not None:
            self.state.restore(newest, self.fabric.global_rank)

    def loop(self, interruption: Interruption) -> None:
        """Do the steps that are left."""
        stopwatch = Stopwatch(**self.state.times)
        timer = SaveTimer(self.settings.checkpoint_every, self.steps)
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
                    kind = InterruptedByCtrlC if interruption.signal == "SIGINT" else Interrupted
                    raise kind(
                        f"stopped by {interruption.signal or 'a signal'} after step {done} of {self.steps}; "
                        f"the state is saved, the same command goes on from there"
                    )

    def update(self, step: int, x: Tensor, labels: Tensor) -> Tensor:
        """Do one step; a saliency that is not finite comes from a loss that is not, and ends the run like it."""
        try:
            return self.learner.update(step, x, labels)
        except SaliencyNotFinite as error:
            self.fail(str(error).partition(";")[0], step)

    def is_over(self) -> bool:
        """Whether the run stops here, before its last step; all processes say what the first one knows."""
        if self.settings.patience is None:
            return False
        errors = [record[JUDGED_BY] for record in self.state.records]
        has_stalled = bool(errors) and len(errors) - 1 - errors.index(min(errors)) >= self.settings.patience
        return bool(self.fabric.broadcast(has_stalled))

    def record(self) -> None:
        """Write down the steps since the last record and how good the model is now."""
        loss, accuracy = self.measured().mean(dim=0).tolist()
        images = self.order.start(self.state.step)
        record = {
            "step": self.state.step,
            "epoch": images / len(self.data.train),
            **self.state.times,
            "rows": self.learner.course.rows(self.state.step),
            "images": images,
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
        if "best" in self.state.models:
            *earlier, last = (each[JUDGED_BY] for each in self.state.records)
            if last < min(earlier, default=math.inf):
                self.state.models["best"].load_state_dict(now.state_dict())
        self.folder.write_records(self.state.records)
        self.trackers.log(record)
        self.on_record(record)

    def finish(self) -> None:
        """Write the result: the trackers' before the folder's, which says that all is done."""
        evaluation = self.evaluated(self.data.test)
        self.trackers.finish(evaluation)
        self.folder.finish(self.result, evaluation)

    def measured(self) -> Tensor:
        """Return the (steps, 2) values since the last record, the mean over all processes.

        Raises:
            RunFailed: if a loss is no longer a number.
        """
        values = gathered(self.fabric, self.state.meter.read())
        world, count = values.shape[:2]
        begun = self.state.step - count
        parts = [[self.order.rows(begun + i, rank, world) for i in range(count)] for rank in range(world)]
        mean = mean_over(values, [[part.stop - part.start for part in those] for those in parts])
        finite = mean[:, 0].isfinite()
        if not finite.all():
            first = int((~finite).int().argmax())
            self.fail(f"the loss must stay finite, got loss={mean[first, 0].item()}", begun + first)
        return mean

    def save(self) -> None:
        """Save the state; a state that is not finite is not saved but ends the run."""
        self.measured()
        own = {name: gathered(self.fabric, value) for name, value in self.state.own().items()}

        def write() -> None:
            try:
                snapshot = self.state.snapshot(own)
            except Damaged as error:
                self.fail(f"the weights must stay finite, got {error}", self.state.step - 1)
            self.checkpoints.save(snapshot)

        on_rank_zero(self.fabric, write)

    def fail(self, what: str, step: int) -> NoReturn:
        """End a run that went wrong at a step, counted from 0."""
        raise RunFailed(
            f"{what} at step {step + 1}; {self.checkpoints.kept}; try a learning rate below {self.settings.rate:g}"
        )

    def evaluated(self, split: Split, model: nn.Module | None = None) -> dict[str, float]:
        """Return how good a model is, the result if none is given; without a wrapper, which would wait for others."""
        with self.fabric.autocast():
            return evaluate(model or self.result, split)


def _is_record(step: int, steps: int, records: int) -> bool:
    """Whether a step is among the evenly spaced ones that are written down; the last one always is."""
    return (step + 1) * records // steps > step * records // steps
