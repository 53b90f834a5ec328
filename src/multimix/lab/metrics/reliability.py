"""Of what was predicted with this confidence, how much came true?"""

import torch
from torch import Tensor

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
