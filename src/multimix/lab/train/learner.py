"""One update: mix, forward, backward, step; in parts, where a step does not fit the memory in one piece."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from multimix import Plan, mixed_accuracy
from multimix.lab.core.processes import weight_of
from multimix.lab.core.randomness import seed_device, seed_of
from multimix.lab.train.course import Course
from multimix.lab.train.moments import Length
from multimix.lab.train.schedule import Schedule, check_within, parse_schedule
from multimix.lab.train.settings import TrainSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.wrappers import _FabricModule


@dataclass
class Learner:
    """What learns, and how.

    Args:
        settings: The run's.
        fabric: Device, precision and processes.
        model: The model as Fabric wrapped it.
        bare: The same model, unwrapped.
        optimizer: Its optimizer.
        course: Which mixer at which step.
        schedule: Course of the learning rate.
        length: Of the run.
        average: A running average of the weights, if there is one.
    """

    settings: TrainSettings
    fabric: "Fabric"
    model: "_FabricModule"
    bare: nn.Module
    optimizer: Optimizer
    course: Course
    schedule: Schedule
    length: Length
    average: AveragedModel | None

    @classmethod
    def build(
        cls, settings: TrainSettings, fabric: "Fabric", bare: nn.Module, num_classes: int, length: Length
    ) -> "Learner":
        """Wrap a model for training.

        Raises:
            UsageError: if the course of mixing or of the learning rate does not fit the length of the run.
        """
        course, schedule = Course.of(settings, num_classes, length), parse_schedule(settings.schedule)
        check_within(schedule, length)
        if settings.channels_last:
            bare.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # no overload for modules
        optimizer = build_optimizer(settings, bare)
        trained = cast(nn.Module, torch.compile(bare)) if settings.compile else bare
        model, optimizer = fabric.setup(trained, optimizer)
        average = None
        if settings.ema_decay is not None:
            follow = get_ema_multi_avg_fn(settings.ema_decay)  # type: ignore[no-untyped-call]
            average = AveragedModel(bare, multi_avg_fn=follow, use_buffers=True)
        return cls(settings, fabric, model, bare, optimizer, course, schedule, length, average)

    @property
    def result(self) -> nn.Module:
        """What is evaluated and kept: the average, if there is one."""
        return self.bare if self.average is None else self.average.module

    def update(self, step: int, x: Tensor, labels: Tensor) -> Tensor:
        """Do the update that comes after `step` others, with this process's part of its samples.

        Returns:
            (2,) loss and mixed accuracy, on the device.
        """
        self._seed(step)
        self._set_rate(step)
        mix = self.course.at(step)
        generator = torch.Generator().manual_seed(seed_of(self.settings.seed, "mix", step))
        plan = mix.plan(x, labels, model=AutocastModel(self.fabric, self.model.module), generator=generator)
        parts = in_parts(plan, self.settings.micro_batch_size)
        share = weight_of(len(x), self.course.samples(step))
        self.optimizer.zero_grad()
        measured = torch.zeros(2, device=self.fabric.device)
        for part in parts:
            size = part.num_pairs / plan.num_pairs
            with self.fabric.no_backward_sync(self.model, enabled=part is not parts[-1]):
                logits, y_mix = mix.run(self.model, x, labels, plan=part)
                loss = F.cross_entropy(logits, y_mix, label_smoothing=self.settings.label_smoothing)
                self.fabric.backward(loss * (size * share))
            measured += size * torch.stack([loss.detach(), mixed_accuracy(logits.detach(), y_mix)])
        if self.settings.clip_norm is not None:  # what is not finite is met where the loss is read
            self.fabric.clip_gradients(
                self.model, self.optimizer, max_norm=self.settings.clip_norm, error_if_nonfinite=False
            )
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.bare)
        return measured

    def _seed(self, step: int) -> None:
        """Seed dropout, if the model has any: other draws in each process."""
        index = step * self.fabric.world_size + self.fabric.global_rank
        seed_device(seed_of(self.settings.seed, "model", index), self.fabric.device)

    def _set_rate(self, step: int) -> None:
        factor = self.schedule.factor(step, self.length)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate * factor


def in_parts(plan: Plan, most_rows: int | None) -> list[Plan]:
    """Return a step's plan in parts of at most so many rows; None: in one."""
    num = 1 if most_rows is None else math.ceil(plan.num_pairs / max(1, most_rows // plan.num_mixes))
    return [plan] if num == 1 else plan.split(num)


class AutocastModel(nn.Module):
    """The model as it computes in training, for gradients that are no part of training.

    In half precision Fabric's wrapper refuses every backward pass but its own.
    """

    def __init__(self, fabric: "Fabric", model: nn.Module) -> None:
        super().__init__()
        self._fabric, self.module = fabric, model

    def forward(self, x: Tensor) -> Any:
        with self._fabric.autocast():
            return self.module(x)


def build_optimizer(settings: TrainSettings, model: nn.Module) -> Optimizer:
    """Build the optimizer that the settings name."""
    kinds: dict[str, Callable[..., Optimizer]] = {
        "sgd": partial(torch.optim.SGD, momentum=0.9, nesterov=True),
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
    }
    return kinds[settings.optimizer](model.parameters(), lr=settings.rate, weight_decay=settings.decay)
