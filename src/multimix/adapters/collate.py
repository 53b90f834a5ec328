"""torch.utils.data: batches mixed where they are made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import default_collate

from multimix import MultiMix
from multimix.adapters.batch import check_mix, check_pair


@dataclass(frozen=True)
class MixCollate:
    """A `collate_fn` that mixes: B samples in, K * B mixed rows out.

    The loader's `batch_size` is the number of pairs; its length does not change. Draws come from torch's global
    generator of the process that collates, which the loader seeds anew in every worker and epoch: from
    `torch.manual_seed`, or from the loader's own `generator`. So batches differ between workers and epochs, and the
    same seed and number of workers give the same batches. Ranks draw apart from each other even if they are seeded
    alike, also in workers that do not know of `torch.distributed`.

    Workers hand over K times the data. Where that is the bottleneck, mix after the loader: `mix(x, y)` on the device.

    Args:
        mix: what to do; methods that need the model are refused.
        collate_fn: makes a batch (x, y) of samples.

    Raises:
        TypeError, ValueError: if mix is no MultiMix, or needs the model.

    Example:
        >>> DataLoader(data, batch_size=20, shuffle=True, num_workers=4, collate_fn=MixCollate(mix))
    """

    mix: MultiMix
    collate_fn: Callable[[Any], Any] = default_collate
    _rank: tuple[int, int] | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_mix(self.mix, "MixCollate")

    def __call__(self, samples: Sequence[Any]) -> tuple[Tensor, Tensor]:
        """Collate, then mix.

        Raises:
            TypeError: if the batch is not (x, y).
            ValueError: if x and y do not fit.
        """
        batch = self.collate_fn(samples)
        x, y = check_pair(batch, "MixCollate", "mix in the training step instead, with mix(x, y)")
        if self._rank is None or _knows_ranks():
            return self.mix(x, y)
        rank, ranks = self._rank  # as many seeds as there are ranks, of which each uses its own
        torch.empty(rank, dtype=torch.int64, device="cpu").random_()
        mixed = self.mix(x, y)
        torch.empty(ranks - 1 - rank, dtype=torch.int64, device="cpu").random_()
        return mixed

    def __getstate__(self) -> dict[str, Any]:
        """Take the rank along: a worker that is not forked cannot ask for it."""
        distributed = torch.distributed
        rank = (distributed.get_rank(), distributed.get_world_size()) if _knows_ranks() else self._rank
        return {**vars(self), "_rank": rank}


def _knows_ranks() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()
