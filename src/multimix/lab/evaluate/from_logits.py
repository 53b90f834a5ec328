"""What the logits of the test split alone can answer: how often is the model wrong, and how well does it know?"""

from torch import Tensor, nn

from multimix.lab.core.errors import UsageError
from multimix.lab.data import Data
from multimix.lab.evaluate.settings import EvaluateSettings
from multimix.lab.evaluate.temperature import cross_fitted, fit_temperature
from multimix.lab.metrics import logits_of
from multimix.lab.metrics.calibration import brier, confidence, ece, nll
from multimix.lab.metrics.error import error, error_top5
from multimix.lab.metrics.reliability import reliability


def evaluate_error(model: nn.Module, data: Data, settings: EvaluateSettings) -> dict[str, float]:
    """Returns the error, and that of the five top classes where there are more."""
    logits, labels = logits_of(model, data.test)
    values = {"error": error(logits, labels)}
    return values | {"error_top5": error_top5(logits, labels)} if data.num_classes > 5 else values


def evaluate_calibration(model: nn.Module, data: Data, settings: EvaluateSettings) -> dict[str, float]:
    """Returns how far probabilities are from what came true, before and after temperature scaling.

    The temperature is fitted on the validation split; without one, on either half of the test split for the other.
    """
    logits, labels = logits_of(model, data.test)
    if data.validation is None:
        scaled, temperature = cross_fitted(logits, labels)
    else:
        temperature = fit_temperature(*logits_of(model, data.validation))
        scaled = logits.double() / temperature
    mean = confidence(logits)
    return {
        **_distances(logits, labels),
        "confidence": mean,
        "overconfidence": mean - (1 - error(logits, labels)),
        "temperature": temperature,
        **{f"{name}_scaled": value for name, value in _distances(scaled, labels).items()},
        **reliability(logits, labels, "reliability"),
        **reliability(scaled, labels, "reliability_scaled"),
    }


def _distances(logits: Tensor, labels: Tensor) -> dict[str, float]:
    return {
        "nll": nll(logits, labels),
        "brier": brier(logits, labels),
        "ece": ece(logits, labels),
        "ece_10": ece(logits, labels, num_bins=10),
    }


def check_two_halves(data: Data, settings: EvaluateSettings) -> None:
    """Refuses data whose test split cannot be halved, where the temperature is fitted on its halves.

    Raises:
        UsageError: if it cannot.
    """
    most = int(data.test.labels.bincount().max())
    if data.validation is None and most < 2:
        raise UsageError(
            f"calibration needs a validation split, or two test samples of a class, got {most}; leave it out"
        )
