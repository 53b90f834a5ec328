"""Error, NLL and ECE of a split: all that training knows of evaluation."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from multimix.lab.data import Split
from multimix.lab.metrics.calibration import ece, nll
from multimix.lab.metrics.error import error

__all__ = ["METRICS", "evaluate", "logits_of"]

# Each takes (N, C) logits and (N,) labels; fractions, percent only in reports.
METRICS: dict[str, Callable[[Tensor, Tensor], float]] = {"error": error, "nll": nll, "ece": ece}
CHUNK = 1024  # rows per forward pass: bounds the memory, costs nothing measurable


def evaluate(model: nn.Module, split: Split) -> dict[str, float]:
    """Return every metric's value on a split, by name: what is measured while a model learns."""
    logits, labels = logits_of(model, split)
    return {name: metric(logits, labels) for name, metric in METRICS.items()}


@torch.no_grad()
def logits_of(model: nn.Module, split: Split) -> tuple[Tensor, Tensor]:
    """Return the logits in evaluation mode, with the labels, and leave the model in the mode it was in."""
    was_training = model.training
    model.eval()
    logits, labels = zip(*((model(x), labels) for x, labels in split.chunks(CHUNK)), strict=True)
    model.train(was_training)
    return torch.cat(logits), torch.cat(labels)
