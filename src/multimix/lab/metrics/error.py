"""How often is the most likely class wrong?"""

from torch import Tensor


def error(logits: Tensor, labels: Tensor) -> float:
    """Return the share of samples whose top class is not their label, in [0, 1]."""
    return (logits.argmax(dim=1) != labels).double().mean().item()


def error_top5(logits: Tensor, labels: Tensor) -> float:
    """Return the share of samples whose label is not among their five top classes, in [0, 1]."""
    top = logits.topk(5, dim=1).indices
    return (top != labels[:, None]).all(dim=1).double().mean().item()
