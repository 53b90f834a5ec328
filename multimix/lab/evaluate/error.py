"""How often is the most likely class wrong?"""

from torch import Tensor


def error(logits: Tensor, labels: Tensor) -> float:
    """Returns the share of samples whose top class is not their label, in [0, 1]."""
    return (logits.argmax(dim=1) != labels).double().mean().item()
