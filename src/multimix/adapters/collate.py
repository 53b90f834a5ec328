"""torch.utils.data: batches mixed where they are made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils.data import default_collate

from multimix import MultiMix
from multimix.adapters.batch import TakesMix, check_mix
from multimix.adapters.nested import Targets, mix_batch


@dataclass(frozen=True)
class MixCollate(TakesMix):
    """A `collate_fn` that mixes: B samples in, K * B mixed rows out.

    The loader's `batch_size` is the number of pairs; its length does not change. Draws come from torch's global
    generator of the process that collates, which the loader seeds anew in every worker and epoch: from
    `torch.manual_seed`, or from the loader's own `generator`. So batches differ between workers and epochs, and the
    same seed and number of workers give the same batches. Ranks draw apart from each other even if they are seeded
    alike, also in workers that do not know of `torch.distributed`.

    Workers hand over K times the data. Where that is the bottleneck, mix after the loader: `mix(x, y)` on the device.

    Args:
        mix: what to do; methods that need the model are refused.
        collate_fn: makes a batch of samples: (x, y), or any list, tuple or dictionary of tensors, also nested. All
            inputs and targets of a batch are mixed by one plan, and come back in the same form. Text among the inputs,
            such as file names, stays as it is, one for each of the B pairs.
        targets: which items of a batch are targets, by place or name, one or several; a mapping also gives the number
            of classes of each (a list of them for an item of several tensors), where it is not the mixer's. None: the
            last item; of a dictionary the one called "labels", "label", "targets", "target" or "y".

    Raises:
        TypeError, ValueError: if mix is no MultiMix, or needs the model.

    Example:
        >>> DataLoader(data, batch_size=20, shuffle=True, num_workers=4, collate_fn=MixCollate(mix))
        >>> MixCollate(mix, targets={"breed": 37, "weight": None})  # batches of {"pixel_values", "breed", "weight"}
    """

    mix: MultiMix
    collate_fn: Callable[[Any], Any] = default_collate
    targets: Targets = None
    _rank: tuple[int, int] | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_mix(self.mix, "MixCollate")

    def __call__(self, samples: Sequence[Any]) -> Any:
        """Collate, then mix.

        Raises:
            TypeError: if the batch is of another form, or holds anything but tensors and text.
            ValueError: if there are no inputs or no targets, or they do not fit each other.
        """
        batch = self.collate_fn(samples)
        if self._rank is None or _knows_ranks():
            return self._mixed(batch)
        rank, ranks = self._rank  # as many seeds as there are ranks, of which each uses its own
        torch.empty(rank, dtype=torch.int64, device="cpu").random_()
        mixed = self._mixed(batch)
        torch.empty(ranks - 1 - rank, dtype=torch.int64, device="cpu").random_()
        return mixed

    def _mixed(self, batch: Any) -> Any:
        return mix_batch(self.mix, batch, self.targets, "MixCollate")

    def __getstate__(self) -> dict[str, Any]:
        """Take the rank along: a worker that is not forked cannot ask for it."""
        distributed = torch.distributed
        rank = (distributed.get_rank(), distributed.get_world_size()) if _knows_ranks() else self._rank
        return {**vars(self), "_rank": rank}


def _knows_ranks() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()
