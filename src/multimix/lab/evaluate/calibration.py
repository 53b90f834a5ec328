"""How far are predicted probabilities from how often they come true, as they are and at the best temperature?"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from scipy.optimize import brentq
from torch import Tensor, nn

from multimix.lab.core.errors import UsageError
from multimix.lab.data import Data
from multimix.lab.data.split import stratified
from multimix.lab.evaluate.evaluator import MAIN_TABLE, Evaluator, Metric, percent
from multimix.lab.metrics import brier, confidence, ece, error, logits_of, nll, reliability

# Where every sample is classified right, the colder the better without end; where none is, the hotter. It ends here.
RANGE = (0.05, 20.0)
HALVES_SEED = 0  # the halves are the same for every run
PLAIN, SCALED = "Calibration", "Calibration after temperature scaling"


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


@dataclass(frozen=True)
class Calibration(Evaluator):
    """Measure calibration before and after temperature scaling.

    The temperature is fitted on the validation split; without one, on either half of the test split for the other.
    """

    metrics: ClassVar = {
        "nll": Metric("NLL", "NLL", MAIN_TABLE),
        "brier": Metric("Brier score", "Brier", PLAIN),
        "ece": percent("ECE", "ECE, %", MAIN_TABLE),
        "ece_10": percent("ECE in 10 bins", table=PLAIN),
        "confidence": percent("confidence", table=PLAIN, better=""),
        "overconfidence": percent("overconfidence", "over-\nconf., %", PLAIN, better=""),
        "temperature": Metric("temperature", "T", SCALED, better="", digits=2),
        "nll_scaled": Metric("NLL", "NLL,\nscaled", SCALED),
        "brier_scaled": Metric("Brier score", table=SCALED),
        "ece_scaled": percent("ECE", "ECE,\nscaled, %", SCALED),
        "ece_10_scaled": percent("ECE in 10 bins", table=SCALED),
    }

    def check(self, data: Data) -> None:
        """Refuse a test split that must be halved to fit the temperature, and cannot be.

        Raises:
            UsageError: if there is no validation split, and no class has two test samples.
        """
        most = int(data.test.labels.bincount().max())
        if data.validation is None and most < 2:
            raise UsageError(
                f"calibration needs a validation split, or two test samples of a class, got {most}; leave it out"
            )

    def __call__(self, model: nn.Module, data: Data) -> dict[str, float]:
        """Return scores, confidence, temperature, and the bars of two reliability diagrams."""
        logits, labels = logits_of(model, data.test)
        if data.validation is None:
            scaled, temperature = cross_fitted(logits, labels)
        else:
            temperature = fit_temperature(*logits_of(model, data.validation))
            scaled = logits.double() / temperature
        mean = confidence(logits)
        return {
            **_scores(logits, labels),
            "confidence": mean,
            "overconfidence": mean - (1 - error(logits, labels)),
            "temperature": temperature,
            **{f"{name}_scaled": value for name, value in _scores(scaled, labels).items()},
            **reliability(logits, labels, "reliability"),
            **reliability(scaled, labels, "reliability_scaled"),
        }


def _scores(logits: Tensor, labels: Tensor) -> dict[str, float]:
    return {
        "nll": nll(logits, labels),
        "brier": brier(logits, labels),
        "ece": ece(logits, labels),
        "ece_10": ece(logits, labels, num_bins=10),
    }
