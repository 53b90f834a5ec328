"""How often is the model wrong?"""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from multimix.lab.data import Data
from multimix.lab.evaluate.evaluator import MAIN_TABLE, Evaluator, percent
from multimix.lab.metrics import error, error_top5, logits_of


@dataclass(frozen=True)
class Error(Evaluator):
    """Measure the error on the test split, and the top-5 error where there are more than five classes."""

    metrics: ClassVar = {
        "error": percent("error", "error, %", MAIN_TABLE),
        "error_top5": percent("top-5 error", "top-5\nerror, %", "Error in other ways"),
    }

    def __call__(self, model: nn.Module, data: Data) -> dict[str, float]:
        """Return the errors."""
        logits, labels = logits_of(model, data.test)
        values = {"error": error(logits, labels)}
        return values | {"error_top5": error_top5(logits, labels)} if data.num_classes > 5 else values
