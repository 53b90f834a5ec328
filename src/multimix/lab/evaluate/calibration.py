"""How far are predicted probabilities from how often they come true?"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from multimix.lab.core.errors import UsageError
from multimix.lab.data import Data
from multimix.lab.evaluate.evaluator import MAIN_TABLE, Evaluator, Metric, percent
from multimix.lab.evaluate.temperature import cross_fitted, fit_temperature
from multimix.lab.metrics import logits_of
from multimix.lab.metrics.calibration import brier, confidence, ece, nll
from multimix.lab.metrics.error import error
from multimix.lab.metrics.reliability import reliability

PLAIN, SCALED = "Calibration", "Calibration after temperature scaling"


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
