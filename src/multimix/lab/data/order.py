"""In which order are samples seen?"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from multimix.lab.core.randomness import seed_of


@dataclass(frozen=True)
class SampleOrder:
    """Shuffled epochs laid end to end and cut into batches of equal size.

    No batch is short and no sample is left out: a batch may take the last samples of one epoch and the first of the
    next. A batch is a function of (seed, step), so any step can be made without those before it.

    Args:
        num_samples: Samples in the training split.
        batch: Samples per step; may exceed `num_samples`.
        seed: The run's seed.
        later: First step and samples per step of each phase after the first, if there are any.
    """

    num_samples: int
    batch: int
    seed: int
    later: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, num_samples: int, phases: Sequence[tuple[int, int]], seed: int) -> "SampleOrder":
        """Return the order of a run in phases, given by their first step and samples per step."""
        (_, batch), *later = phases
        return cls(num_samples, batch, seed, tuple(later))

    def batch_at(self, step: int) -> int:
        """Return how many samples a step has."""
        return next((batch for first, batch in reversed(self.later) if step >= first), self.batch)

    def start(self, step: int) -> int:
        """Return how many samples there are in all steps before one."""
        start, first, batch = 0, 0, self.batch
        for next_first, next_batch in self.later:
            if step < next_first:
                break
            start, first, batch = start + (next_first - first) * batch, next_first, next_batch
        return start + (step - first) * batch

    def at(self, step: int) -> Tensor:
        """Return the (batch,) indices of the samples of one step, on the CPU."""
        start, batch = self.start(step), self.batch_at(step)
        first, last = start // self.num_samples, (start + batch - 1) // self.num_samples
        epochs = torch.cat([_shuffled(self.num_samples, self.seed, epoch) for epoch in range(first, last + 1)])
        offset = start - first * self.num_samples
        return epochs[offset : offset + batch]

    def rows(self, step: int, rank: int, world: int) -> slice:
        """Return which rows of a step's batch are one process's; the parts differ by at most one row."""
        batch = self.batch_at(step)
        return slice(rank * batch // world, (rank + 1) * batch // world)


@lru_cache(maxsize=4)  # neighbouring steps share an epoch: shuffle it once, not once per step
def _shuffled(num_samples: int, seed: int, epoch: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed_of(seed, "order", epoch))
    return torch.randperm(num_samples, generator=generator)
