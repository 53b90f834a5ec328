"""Which samples stand for all, where trying all takes too long."""

import torch
from torch import Tensor

from multimix.lab.data import Split


def evenly(split: Split, num_samples: int | None) -> Split:
    """Returns at most so many samples, evenly spaced through a split; all of them if None."""
    if num_samples is None or num_samples >= len(split):
        return split
    return split.subset(evenly_spaced(len(split), num_samples))


def evenly_spaced(length: int, num: int | None) -> Tensor:
    """Returns the indices of at most `num` of `length` samples, evenly spaced."""
    num = length if num is None else min(num, length)
    return torch.arange(num) * length // num
