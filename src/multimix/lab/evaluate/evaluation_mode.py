"""A model in evaluation mode, without gradients, and afterwards in the mode it was in; how many samples at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod

import torch
from torch import nn

MOST_ROWS = 1024
MOST_NUMBERS = 1 << 23  # in the samples of one forward pass: bounds the memory that large images take


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode, without gradients, within the block."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def rows_at_once(sample_shape: torch.Size) -> int:
    """Return how many samples pass through a model at once."""
    return max(1, min(MOST_ROWS, MOST_NUMBERS // prod(sample_shape)))
