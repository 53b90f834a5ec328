"""Which mixer at which step of a run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from multimix import MultiMix
from multimix.lab.core.errors import UsageError
from multimix.lab.train.method_schedule import mixer
from multimix.lab.train.moments import Length, Moment, at_step
from multimix.lab.train.settings import TrainSettings
from multimix.methods import NoMix


@dataclass(frozen=True)
class Course:
    """Which mixer at which step of a run, and with how many samples: none at first and at last, if so wished.

    Args:
        mixes: First step of each phase, and its mixer.
        plain: The one that mixes nothing.
        first: The step from which on is mixed.
        last: The step from which on is no longer mixed.
        batch_size: Rows of a step that is mixed.
    """

    mixes: tuple[tuple[int, MultiMix], ...]
    plain: MultiMix
    first: int
    last: int
    batch_size: int

    @classmethod
    def of(cls, settings: TrainSettings, num_classes: int, length: Length) -> "Course":
        """Return the course that the settings describe.

        Raises:
            UsageError: if nothing would be left to mix.
        """
        first = math.ceil(Moment.of_run("unmixed_first", settings.unmixed_first).step(length))
        last = length.steps - math.ceil(Moment.of_run("unmixed_last", settings.unmixed_last).step(length))
        if first >= last:
            raise UsageError(
                f"some steps must be mixed, got unmixed_first={settings.unmixed_first!r}, "
                f"unmixed_last={settings.unmixed_last!r} in a run of {length.steps} steps; mix in more of them"
            )
        numbers, methods = settings.mixes.phases(length.steps), settings.methods.phases(length.steps)
        starts = sorted({start for start, _ in (*numbers, *methods)})
        mixes = tuple(
            (start, mixer(settings, num_classes, at_step(numbers, start), at_step(methods, start))) for start in starts
        )
        plain = MultiMix("none", num_mixes=1, num_classes=num_classes)
        return cls(mixes, plain, first, last, settings.batch_size)

    def at(self, step: int) -> MultiMix:
        """Return the mixer of the update that comes after `step` others."""
        return self._phase(step) if self.first <= step < self.last else self.plain

    def load_kernels(self, model: nn.Module, sample_shape: Sequence[int], device: torch.device) -> None:
        """Mix two empty samples by each method: loading and compiling is no part of training; the first run pays."""
        x = torch.zeros(2, *sample_shape, device=device)
        labels = torch.zeros(2, dtype=torch.int64, device=device)
        saliency = torch.ones(2, *(sample_shape[1:] or sample_shape), device=device)
        for _, mix in (*self.mixes, (0, self.plain)):
            for method in mix.method.options:
                alone = MultiMix(method, num_mixes=mix.num_mixes, num_classes=mix.num_classes)
                plan = alone.plan(
                    x, model=model, saliency=saliency if method.salient else None, generator=torch.Generator()
                )
                if not plan.layer:
                    alone.apply(plan, x, labels)

    def samples(self, step: int) -> int:
        """Return how many samples that update has: also where they are not mixed, as many as if they were."""
        return self.batch_size // self._phase(step).num_mixes

    def rows(self, steps: int) -> int:
        """Return how many rows the model saw in the first `steps` updates; samples that are not mixed are one each."""
        ends = [*(start for start, _ in self.mixes[1:]), steps]
        rows = 0
        for (start, mix), end in zip(self.mixes, ends, strict=True):
            done = max(0, min(end, steps) - start)
            mixed = max(0, min(end, steps, self.last) - max(start, self.first))
            mixed = 0 if isinstance(mix.method, NoMix) else mixed
            rows += mixed * self.batch_size + (done - mixed) * self.samples(start)
        return rows

    def _phase(self, step: int) -> MultiMix:
        return at_step(self.mixes, step)
