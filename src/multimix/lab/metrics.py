"""Error, NLL and ECE of a split, all that training knows of evaluation; and what else probabilities are judged by."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimix.lab.data import Split

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


NUM_BINS = 15


def bins(logits: Tensor, labels: Tensor, num_bins: int = NUM_BINS) -> tuple[Tensor, Tensor, Tensor]:
    """Sum up the samples in equal-width bins of the top class's probability.

    A bin holds its lower edge and not its upper one, but the last holds 1.

    Args:
        logits: (N, C)
        labels: (N,)
        num_bins: Number of bins.

    Returns:
        For each bin, (num_bins,) float64: how many samples it holds, the sum of their confidences, how many of them
        were right.
    """
    confidence, top = logits.double().softmax(dim=1).max(dim=1)
    edges = torch.linspace(0, 1, num_bins + 1, dtype=torch.float64, device=logits.device)
    place = (torch.bucketize(confidence, edges, right=True) - 1).clamp(max=num_bins - 1)
    sums = torch.zeros(3, num_bins, dtype=torch.float64, device=logits.device)
    values = torch.stack([torch.ones_like(confidence), confidence, (top == labels).double()])
    count, confidences, correct = sums.index_add_(1, place, values)
    return count, confidences, correct


def reliability(logits: Tensor, labels: Tensor, name: str) -> dict[str, float]:
    """Return the bars of a reliability diagram.

    Args:
        logits: (N, C)
        labels: (N,)
        name: What the names begin with.

    Returns:
        `<name>/<bin>/count`, `.../confidence` and `.../accuracy`, the means over the bin's samples, for bins that hold
        any.

    References:
        Guo et al., 2017, arXiv 1706.04599, figure 1.
    """
    bars: dict[str, float] = {}
    for number, (count, confidence, correct) in enumerate(torch.stack(bins(logits, labels), dim=1).tolist()):
        if count:
            bars[f"{name}/{number:02}/count"] = count
            bars[f"{name}/{number:02}/confidence"] = confidence / count
            bars[f"{name}/{number:02}/accuracy"] = correct / count
    return bars


def nll(logits: Tensor, labels: Tensor) -> float:
    """Return the mean negative log-likelihood of the labels, in nats."""
    return F.cross_entropy(logits.double(), labels).item()


def ece(logits: Tensor, labels: Tensor, num_bins: int = NUM_BINS) -> float:
    """Return the expected calibration error of the top class over equal-width bins, in [0, 1].

    The bins are those of the reliability diagram. torchmetrics' function gives a confidence of exactly 1 a bin of its
    own, where the definition puts it into the last one.

    References:
        Guo et al., 2017, arXiv 1706.04599, equation 3.
    """
    count, confidence, correct = bins(logits, labels, num_bins)
    return ((confidence - correct).abs().sum() / count.sum()).item()


def brier(logits: Tensor, labels: Tensor) -> float:
    """Return the squared distance of the probabilities from the label's, summed over classes, in [0, 2].

    References:
        Brier, 1950, Verification of forecasts expressed in terms of probability.
    """
    probabilities = logits.double().softmax(dim=1)
    return (probabilities - F.one_hot(labels, logits.shape[1])).square().sum(dim=1).mean().item()


def confidence(logits: Tensor) -> float:
    """Return the mean probability of the top class, in [1 / classes, 1]."""
    return logits.double().softmax(dim=1).amax(dim=1).mean().item()


def error(logits: Tensor, labels: Tensor) -> float:
    """Return the share of samples whose top class is not their label, in [0, 1]."""
    return (logits.argmax(dim=1) != labels).double().mean().item()


def error_top5(logits: Tensor, labels: Tensor) -> float:
    """Return the share of samples whose label is not among their five top classes, in [0, 1]."""
    top = logits.topk(5, dim=1).indices
    return (top != labels[:, None]).all(dim=1).double().mean().item()


# Each takes (N, C) logits and (N,) labels; fractions, percent only in reports.
METRICS: dict[str, Callable[[Tensor, Tensor], float]] = {"error": error, "nll": nll, "ece": ece}


def evaluate(model: nn.Module, split: Split) -> dict[str, float]:
    """Return every metric's value on a split, by name: what is measured while a model learns."""
    logits, labels = logits_of(model, split)
    return {name: metric(logits, labels) for name, metric in METRICS.items()}


def logits_of(model: nn.Module, split: Split) -> tuple[Tensor, Tensor]:
    """Return the logits in evaluation mode, with the labels, and leave the model in the mode it was in."""
    with evaluation_mode(model):
        logits, labels = zip(
            *((model(x), labels) for x, labels in split.chunks(rows_at_once(split.sample_shape))), strict=True
        )
    return torch.cat(logits), torch.cat(labels)
