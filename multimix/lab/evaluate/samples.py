"""Which test samples are used where all are too many."""

import torch
from torch import Tensor

from multimix.lab.data import Split


def spread(split: Split, most: int | None) -> Split:
    """Returns at most so many samples of a split, the same ones every time.

    They are spaced evenly through the split sorted by class, so each class has its share, whether the split is sorted
    itself or its classes take turns.
    """
    if most is None or most >= len(split):
        return split
    return split.subset(_spread(split.labels.cpu(), most))


def _spread(labels: Tensor, most: int) -> Tensor:
    by_class = labels.argsort(stable=True)
    return by_class[torch.arange(most) * len(labels) // most].sort().values
