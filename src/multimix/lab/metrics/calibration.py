"""Does a predicted probability mean what it says?"""

import torch.nn.functional as F
from torch import Tensor

from multimix.lab.metrics.reliability import NUM_BINS, bins


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
