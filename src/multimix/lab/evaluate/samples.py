"""Which test samples are used: some, where all are too many; those that can be read."""

from dataclasses import replace

import torch
from torch import Tensor

from multimix.lab.data import HeldSplit, Split, StreamedSplit


def spread(split: Split, most: int | None) -> Split:
    """Returns at most so many samples of a split, the same ones every time.

    They are spaced evenly through the split sorted by class, so each class has its share, whether the split is sorted
    itself or its classes take turns.
    """
    if most is None or most >= len(split):
        return split
    return split.subset(spread_indices(split.labels, most))


def spread_indices(labels: Tensor, most: int | None) -> Tensor:
    """Returns the indices of those samples, in rising order; all of them if most is None."""
    by_class = labels.cpu().argsort(stable=True)
    most = len(labels) if most is None else min(most, len(labels))
    return by_class[torch.arange(most) * len(labels) // most].sort().values


def numbered(split: Split) -> Split:
    """Return the split with each sample's number in place of its label, so that chunks say which samples they hold.

    A streamed split leaves out bad files when it meets them.
    """
    numbers = torch.arange(len(split), device=split.labels.device)
    assert isinstance(split, HeldSplit | StreamedSplit)
    return replace(split, labels=numbers)
