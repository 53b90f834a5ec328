"""Does a predicted probability mean what it says?"""

import torch.nn.functional as F
from torch import Tensor
from torchmetrics.functional.classification import multiclass_calibration_error

NUM_BINS = 15


def nll(logits: Tensor, labels: Tensor) -> float:
    """Returns the mean negative log-likelihood of the labels, in nats."""
    return F.cross_entropy(logits.double(), labels).item()


def ece(logits: Tensor, labels: Tensor) -> float:
    """Returns the expected calibration error of the top class over 15 equal-width bins, in [0, 1].

    References:
        Guo et al., 2017, arXiv 1706.04599, equation 3.
    """
    probabilities = logits.double().softmax(dim=1)
    gap = multiclass_calibration_error(probabilities, labels, logits.shape[1], n_bins=NUM_BINS, norm="l1")
    return gap.item()
