"""Which test samples are used: few, where all are too many; only images; only those that can be read."""

from dataclasses import replace

import torch
from torch import Tensor

from multimix.lab.core.errors import UsageError
from multimix.lab.data import HeldSplit, Split, StreamedSplit
from multimix.lab.data.prepare import Pixels


def spread(split: Split, most: int | None) -> Split:
    """Return at most so many samples of a split, the same ones every time.

    They are spaced evenly through the split sorted by class, so each class has its share, whether the split is sorted
    itself or its classes take turns.
    """
    if most is None or most >= len(split):
        return split
    return split.subset(spread_indices(split.labels, most))


def spread_indices(labels: Tensor, most: int | None) -> Tensor:
    """Return the indices of those samples, in rising order; all of them if most is None."""
    by_class = labels.cpu().argsort(stable=True)
    most = len(labels) if most is None else min(most, len(labels))
    return by_class[torch.arange(most) * len(labels) // most].sort().values


def pixels_of(split: Split, evaluator: str, what: str = "the run's data") -> Pixels:
    """Return how a split's pixels become what a model gets.

    Args:
        split: Samples, which must be images.
        evaluator: The name of the evaluator that needs them.
        what: What the split is to the evaluator.

    Raises:
        UsageError: if they are no images.
    """
    if split.pixels is None:
        raise UsageError(
            f"{evaluator} needs images, got samples of shape {tuple(split.sample_shape)} that are none as {what}; "
            f"choose others, or leave it out"
        )
    return split.pixels


def numbered(split: Split) -> Split:
    """Return the split with each sample's number in place of its label, so that chunks say which samples they hold.

    A streamed split leaves out bad files when it meets them.
    """
    numbers = torch.arange(len(split), device=split.labels.device)
    assert isinstance(split, HeldSplit | StreamedSplit)
    return replace(split, labels=numbers)
