"""Which temperature makes the probabilities most likely?"""

import math

import torch
from scipy.optimize import brentq
from torch import Tensor

from multimix.lab.data.split import stratified

# Where every sample is classified right, the colder the better without end; where none is, the hotter. It ends here.
RANGE = (0.05, 20.0)
HALVES_SEED = 0  # the halves are the same for every run


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the temperature T at which softmax(logits / T) gives the labels the highest likelihood.

    The likelihood is convex in 1 / T, so the root of its slope is the one best T; it is found to 1e-9 in log T.

    Args:
        logits: (N, C), of samples that the temperature is not evaluated on.
        labels: (N,)

    References:
        Guo et al., 2017, arXiv 1706.04599, section 4.2.
    """
    logits = logits.double()
    logits = logits - logits.amax(dim=1, keepdim=True)
    own = logits.gather(1, labels[:, None]).mean()

    def slope(log_t: float) -> float:
        """Of the negative log-likelihood along 1 / T: the mean logit that is expected, less the labels' own."""
        expected = ((logits / math.exp(log_t)).softmax(dim=1) * logits).sum(dim=1).mean()
        return (expected - own).item()

    low, high = map(math.log, RANGE)
    if slope(low) <= 0:
        return RANGE[0]
    if slope(high) >= 0:
        return RANGE[1]
    return math.exp(brentq(slope, low, high, xtol=1e-9))


def cross_fitted(logits: Tensor, labels: Tensor) -> tuple[Tensor, float]:
    """Return the logits of each half of the samples over the temperature of the other, and the mean temperature.

    The halves are stratified by class. No sample is scaled by a temperature that was fitted on it.
    """
    halves = [half.to(logits.device) for half in stratified(labels, 0.5, HALVES_SEED)]
    temperatures = [fit_temperature(logits[half], labels[half]) for half in reversed(halves)]
    scaled = torch.empty_like(logits, dtype=torch.float64)
    for half, temperature in zip(halves, temperatures, strict=True):
        scaled[half] = logits[half].double() / temperature
    return scaled, sum(temperatures) / 2
