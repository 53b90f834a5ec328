"""Of what was predicted with this confidence, how much came true?"""

import torch
from torch import Tensor

from multimix.lab.evaluate.calibration import NUM_BINS


def reliability(logits: Tensor, labels: Tensor, name: str) -> dict[str, float]:
    """Returns the bars of a reliability diagram: equal-width bins of the top class's probability.

    Args:
        logits: (N, C)
        labels: (N,)
        name: What the names begin with.

    Returns:
        `<name>/<bin>/count`, `.../confidence` and `.../accuracy`, the means over the bin's samples, for bins that hold
        any. Bin 00 begins at 0; a bin holds its lower edge and not its upper one, but the last holds 1.

    References:
        Guo et al., 2017, arXiv 1706.04599, figure 1.
    """
    confidence, top = logits.double().softmax(dim=1).max(dim=1)
    edges = torch.linspace(0, 1, NUM_BINS + 1, dtype=torch.float64, device=logits.device)
    place = (torch.bucketize(confidence, edges, right=True) - 1).clamp(max=NUM_BINS - 1)
    right = (top == labels).double()
    bars: dict[str, float] = {}
    for number in range(NUM_BINS):
        inside = place == number
        if inside.any():
            bars[f"{name}/{number:02}/count"] = inside.double().sum().item()
            bars[f"{name}/{number:02}/confidence"] = confidence[inside].mean().item()
            bars[f"{name}/{number:02}/accuracy"] = right[inside].mean().item()
    return bars
