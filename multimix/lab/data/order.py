"""In which order are samples met?"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from multimix.lab.randomness import seed_of


@dataclass(frozen=True)
class SampleOrder:
    """Shuffled epochs laid end to end and cut into batches of equal size.

    No batch is short and no sample is left out: a batch may take the last samples of one epoch and the first of the
    next. A batch is a function of (seed, step), so any step can be made without those before it.

    Args:
        num_samples: Samples in the training split.
        batch: Samples per step; may exceed `num_samples`.
        seed: The run's seed.
    """

    num_samples: int
    batch: int
    seed: int

    def at(self, step: int) -> Tensor:
        """Returns the (batch,) indices of the samples of one step, on the CPU."""
        start = step * self.batch
        first, last = start // self.num_samples, (start + self.batch - 1) // self.num_samples
        epochs = torch.cat([_shuffled(self.num_samples, self.seed, epoch) for epoch in range(first, last + 1)])
        offset = start - first * self.num_samples
        return epochs[offset : offset + self.batch]

    def rows(self, rank: int, world: int) -> slice:
        """Returns which rows of a step's batch are one process's; the parts differ by at most one row."""
        return slice(rank * self.batch // world, (rank + 1) * self.batch // world)


@lru_cache(maxsize=4)  # neighbouring steps share an epoch: shuffle it once, not once per step
def _shuffled(num_samples: int, seed: int, epoch: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed_of(seed, "order", epoch))
    return torch.randperm(num_samples, generator=generator)
